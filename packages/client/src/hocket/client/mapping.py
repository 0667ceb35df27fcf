"""One line of parallel work: ``map`` without a client, a cluster, or a thought of chunks."""

from __future__ import annotations

import operator
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from time import perf_counter
from typing import Any, Final, TypeVar

from hocket.client.calling import check_callable, check_iterables
from hocket.client.client import Client
from hocket.client.futures import Future
from hocket.client.shared_client import shared_client
from hocket.client.shell.blocking import deadline
from hocket.core.errors import SettingsError
from hocket.protocol.serialize import Chunk, TryRows, load_exception

__all__ = ["Sizes", "map"]

_Value = TypeVar("_Value")

#: What a chunk should take: much more than its way to the worker and back, and still a small part
#: of what a person waits for.
_CHUNK_S: Final = 0.05
_CHUNK_CALLS_MAX: Final = 10_000
#: Chunks under way for each thread of the cluster: one that runs, and others that wait there.
_CHUNKS_PER_THREAD: Final = 3
#: Of each thread's share of what is left, a chunk has this part: so that all end together.
_SHARE: Final = 4


def map(  # noqa: A001 - it is the builtin, on a cluster
    fn: Callable[..., _Value],
    /,
    *iterables: Iterable[Any],
    chunksize: int | None = None,
    timeout: float | None = None,
    client: Client | None = None,
) -> Iterator[_Value]:
    """Call a function for each element of some iterables, in parallel; yield results in order.

    Work begins at once. Iterables may be endless: calls are ahead of what was taken by no more than
    the cluster needs to be busy. When the iterator is closed or raises, what has not begun is
    cancelled.

    Parameters
    ----------
    fn
        What to call.
    *iterables
        Its arguments, as for the builtin ``map``.
    chunksize
        How many calls make one task; None: as many as take 50 ms.
    timeout
        Seconds from now until the last result is taken; None waits for ever.
    client
        Of the cluster; None: the one made last, or else one for a cluster of this host that is
        made now, used again from then on, and closed when the interpreter ends.

    Raises
    ------
    TypeError
        ``fn`` cannot be called, or something cannot be iterated over, or nothing is given to.
    SettingsError
        ``chunksize`` is no number of calls, or nothing is installed that makes local clusters.
    SerializationError
        The function or an argument cannot be pickled.
    Exception
        While iterating: what a call raised, in its place.
    TimeoutError
        While iterating: a result is not there in time.

    Examples
    --------
    >>> import hocket.client
    >>> list(hocket.client.map(pow, [1, 2, 3], [2, 2, 2]))  # doctest: +SKIP
    [1, 4, 9]
    """
    check_callable(fn)
    check_iterables(iterables)
    if chunksize is not None and (
        not isinstance(chunksize, int) or isinstance(chunksize, bool) or chunksize < 1
    ):
        raise SettingsError(
            name="chunksize", value=chunksize, allowed="a number of calls from 1", source="map()"
        )
    left = deadline(timeout)
    rows: Iterator[tuple[Any, ...]] = zip(*iterables, strict=False)
    counts = [count for one in iterables if (count := operator.length_hint(one, -1)) >= 0]
    client = shared_client() if client is None else client
    threads_count = sum(client.nthreads().values()) or 1
    sizes = Sizes(threads_count, min(counts, default=None), chunksize)
    flow = _Flow(client, TryRows(fn, perf_counter), rows, sizes)
    flow.fill()
    return flow.results(left)


class Sizes:
    """How many calls go into each chunk. Pure.

    Parameters
    ----------
    threads_count
        Of the cluster.
    count
        How many calls there will be at the most; None: nobody knows.
    fixed
        The size of all chunks; None: by what calls take.
    """

    def __init__(self, threads_count: int, count: int | None, fixed: int | None) -> None:
        self.chunks_max = threads_count * _CHUNKS_PER_THREAD
        self._threads_count = threads_count
        self._left_count = count
        self._fixed = fixed
        self._size = 1

    def take(self) -> int:
        """Return the size of the next chunk."""
        if self._fixed is not None:
            return self._fixed
        size = self._size
        if self._left_count is not None:
            size = min(size, max(1, self._left_count // (self._threads_count * _SHARE)))
            self._left_count = max(0, self._left_count - size)
        return size

    def measure(self, calls_count: int, duration_s: float) -> None:
        """Learn what some calls took."""
        fitting = _CHUNK_CALLS_MAX
        if duration_s > 0:
            # Of hardly any duration the quotient is infinite.
            fitting = int(min(fitting, _CHUNK_S * calls_count / duration_s))
        # By four at the most: the first calls of a process take longer, or shorter, than others.
        self._size = max(1, min(fitting, self._size * 4))


class _Flow:
    """Chunks on their way."""

    def __init__(
        self,
        client: Client,
        function: Callable[..., Chunk],
        rows: Iterator[tuple[Any, ...]],
        sizes: Sizes,
    ) -> None:
        self._client = client
        self._function = function
        self._rows = rows
        self._sizes = sizes
        self._pending: deque[Future] = deque()

    def fill(self) -> None:
        """Submit as much as the cluster needs to be busy."""
        missing = self._sizes.chunks_max - len(self._pending)
        chunks = iter(lambda: list(islice(self._rows, self._sizes.take())), [])
        # (One message for all of them.)
        if some := list(islice(chunks, missing)):
            self._pending += self._client.map(self._function, some)

    def results(self, left: Callable[[], float | None]) -> Iterator[Any]:
        """Yield what the calls return."""
        pending = self._pending
        try:
            while pending:
                future = pending.popleft()
                try:
                    chunk: Chunk = future.result(left())
                except TimeoutError:
                    future.cancel()
                    raise
                values, error = chunk.values, chunk.error
                self._sizes.measure(len(values), chunk.duration_s)
                del future, chunk
                if error is None:
                    self.fill()
                values.reverse()
                while values:
                    yield values.pop()
                if error is not None:
                    raise load_exception(error[0], "a call of map", error[1])
        finally:
            self._client.cancel(list(pending))
            pending.clear()
