"""joblib on a cluster: ``parallel_config(backend="hocket")``, and with it scikit-learn.

To import this module registers the backend::

    import hocket.client.joblib
    from joblib import Parallel, delayed, parallel_config

    with parallel_config(backend="hocket"):
        Parallel()(delayed(pow)(x, 2) for x in range(10))

joblib chooses how many calls make one task by what they take. What is larger than its
``max_nbytes`` (1 MB by default) is put on the cluster once for each call of ``Parallel``, however
many tasks have it as an argument. Nested calls run on the cluster too where they ask for more than
one job; a task that waits for them gives up its slot meanwhile.
"""

from __future__ import annotations

import contextlib
import weakref
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import chain
from time import perf_counter
from traceback import format_tb
from typing import Any, ClassVar, Final

from joblib import parallel_config, register_parallel_backend
from joblib._parallel_backends import (
    AutoBatchingMixin,
    FallbackToBackend,
    ParallelBackendBase,
    SequentialBackend,
)

from hocket.client.client import Client
from hocket.client.executor import ClientExecutor, ExecutorFuture
from hocket.client.futures import Future
from hocket.client.shared_client import shared_client
from hocket.client.shell.blocking import without_slot
from hocket.core.errors import SettingsError
from hocket.core.task_context import current_task
from hocket.protocol.serialize import nbytes_of

__all__ = ["HocketBackend"]

_MAX_NBYTES: Final = 1_000_000

#: How much larger than the last one a batch of calls may be.
_GROWTH_MAX: Final = 64
#: A batch grows as long as it takes no longer than so many ideal ones, its way there and back
#: included: what takes long may be what it carries.
_WAY_MAX: Final = 4


class HocketBackend(AutoBatchingMixin, ParallelBackendBase):  # type: ignore[misc] # untyped
    """What joblib runs its calls with; made by ``parallel_config(backend="hocket", ...)``.

    Parameters
    ----------
    client
        Of the cluster; None: the one made last, or else one for a cluster of this host.
    scatter
        Values to put on all workers beforehand; where one of them is an argument, it is not sent
        again. (Large arguments are put on the cluster in any case.)
    wait_for_workers_timeout
        Seconds to wait for a worker where there is none.
    nesting_level
        joblib's own.
    **options
        Of all tasks: what `Client.get_executor` takes (``priority``, ``retries``, ...).

    Raises
    ------
    SettingsError
        An option has a value that it cannot have.
    """

    #: joblib's own.
    _effective_batch_size: int
    _smoothed_batch_duration: float

    supports_retrieve_callback: ClassVar[bool] = True
    supports_inner_max_num_threads: ClassVar[bool] = False
    supports_sharedmem: ClassVar[bool] = False
    uses_threads: ClassVar[bool] = False
    default_n_jobs = -1

    #: A task costs a fraction of a millisecond.
    MIN_IDEAL_BATCH_DURATION: ClassVar[float] = 0.05
    MAX_IDEAL_BATCH_DURATION: ClassVar[float] = 0.5

    def __init__(
        self,
        client: Client | None = None,
        scatter: Iterable[Any] | None = None,
        wait_for_workers_timeout: float | None = 10,
        nesting_level: int | None = None,
        **options: Any,
    ) -> None:
        super().__init__(nesting_level=nesting_level)
        if isinstance(scatter, str | bytes | Mapping) or not isinstance(
            scatter,
            Iterable | None,  # a list of what is scattered, not one thing
        ):
            raise SettingsError(
                name="scatter", value=scatter, allowed="a list of values", source="the backend"
            )
        self._client = client
        self._timeout_s = wait_for_workers_timeout
        self._options = options
        self._executor: ClientExecutor | None = None
        self._pending: dict[ExecutorFuture[Any], None] = {}
        self._max_nbytes: int | None = _MAX_NBYTES
        #: How long the calls of the batch ran that was taken home last, and how long it was away.
        self._ran_s = self._away_s = 0.0
        self._given = _Scattered()
        #: What was put on the cluster for the present call of ``Parallel``.
        self._own = _Scattered()
        if scatter is not None:
            values = list(scatter)
            for value, future in zip(
                values, self.client.scatter(values, broadcast=True), strict=True
            ):
                self._given.add(value, future)

    @property
    def client(self) -> Client:
        """The client that it uses."""
        if self._client is None or self._client.closed:
            self._client = shared_client()
        return self._client

    # ------------------------------------------------------------------ what joblib asks for

    def effective_n_jobs(self, n_jobs: int | None) -> int:
        """Return how many calls run at once: as many as the cluster has threads, for -1."""
        if n_jobs == 0:
            raise ValueError("n_jobs == 0 in Parallel has no meaning")
        if n_jobs is None:
            n_jobs = self.default_n_jobs
        if n_jobs > 0:
            return n_jobs
        threads_count = sum(self.client.nthreads().values())
        if not threads_count and self._timeout_s:
            self.client.wait_for_workers(1, self._timeout_s)
            threads_count = sum(self.client.nthreads().values())
        return max(1, threads_count + 1 + n_jobs)

    def configure(
        self,
        n_jobs: int = 1,
        parallel: Any = None,
        max_nbytes: int | None = _MAX_NBYTES,
        **_others: Any,
    ) -> int:
        """Get ready for calls of ``Parallel``; return how many jobs run at once."""
        self.parallel = parallel
        count = self.effective_n_jobs(n_jobs)
        if count == 1 and current_task() is not None:
            # It runs already: to send it elsewhere would win nothing.
            raise FallbackToBackend(SequentialBackend(nesting_level=self.nesting_level))
        self._max_nbytes = max_nbytes
        if self._executor is None:
            self._executor = self.client.get_executor(**self._options)
        return count

    def compute_batch_size(self) -> int:
        """Return how many calls make the next task.

        Batches that are done too soon grow by what they are short of, by the time that their calls
        took where they ran. (joblib's own only double, and by the time until it hears of their end,
        so most calls of a short ``Parallel`` would go in small ones.)
        """
        size: int = self._effective_batch_size
        duration_s = self._smoothed_batch_duration
        ideal_s = self.MIN_IDEAL_BATCH_DURATION
        if not 0 < duration_s < ideal_s:
            return int(super().compute_batch_size())
        away_s = max(self._away_s, duration_s)
        factor = min(ideal_s / duration_s, _WAY_MAX * ideal_s / away_s, _GROWTH_MAX)
        grown = max(size, int(size * factor))
        if grown != size:
            self._effective_batch_size = grown
            # What was measured was of batches of another size.
            self._smoothed_batch_duration = self._DEFAULT_SMOOTHED_BATCH_DURATION
        return grown

    def batch_completed(self, batch_size: int, duration: float) -> None:
        """Take note of how long a batch took; of its calls alone, where that is known."""
        if batch_size == self._effective_batch_size:
            self._away_s = duration
        ran_s, self._ran_s = self._ran_s, 0.0
        super().batch_completed(batch_size, ran_s or duration)

    def start_call(self) -> None:
        """Begin a call of ``Parallel``."""
        self._own = _Scattered()

    def stop_call(self) -> None:
        """End a call of ``Parallel``: let go of what was put on the cluster for it."""
        self._own = _Scattered()

    def terminate(self) -> None:
        """End the use by one ``Parallel``."""
        # It is not shut down: a ``Parallel`` of another thread may use this backend, too. It ends
        # when nobody has it any more.
        self._executor = None
        self.reset_batch_stats()

    def submit(
        self, func: Any, callback: Callable[[ExecutorFuture[Any]], object] | None = None
    ) -> ExecutorFuture[Any]:
        """Have a batch of calls run."""
        executor = self._executor
        if executor is None:
            executor = self._executor = self.client.get_executor(**self._options)
        functions, rows, keywords = zip(*func.items, strict=True)
        values = chain(chain.from_iterable(rows), *[one.values() for one in keywords if one])
        if not _SMALL.issuperset(map(type, values)):
            rows = tuple([tuple(map(self._replace, args)) for args in rows])
            keywords = tuple(
                [{name: self._replace(one) for name, one in row.items()} for row in keywords]
            )
        nested = (self.nesting_level or 0) + 1, self._options
        first = functions[0]
        if len(set(map(id, functions))) == 1:
            # The function goes by its digest, and so to each worker once.
            given = (list(rows), list(keywords)) if any(keywords) else (list(rows),)
            future = executor.submit(_Rows(first, nested), *given)
        else:
            calls = list(zip(functions, rows, keywords, strict=True))
            future = executor.submit(_run_calls, nested, calls)
        self._pending[future] = None
        future.add_done_callback(self._pending.pop)  # type: ignore[arg-type] # of its own kind
        if callback is not None:
            future.add_done_callback(callback)  # type: ignore[arg-type]
        return future

    def retrieve_result_callback(self, out: ExecutorFuture[Any]) -> Any:
        """Return what a batch of calls returned; what it raised has its traceback as a note."""
        error = out.exception()
        if error is None:
            values, self._ran_s = out.result()
            return values
        if error.__traceback__ is not None:
            # (joblib takes the traceback away.)
            error.add_note(
                "It was raised here:\n" + "".join(format_tb(error.__traceback__)).rstrip()
            )
        raise error

    def abort_everything(self, ensure_ready: bool = True) -> None:  # noqa: FBT001, FBT002 - joblib's
        """Cancel what has not ended, and interrupt what runs."""
        for future in list(self._pending):
            future.cancel_unasked(interrupt=True)
        if not ensure_ready:
            self.terminate()

    def get_nested_backend(self) -> tuple[Any, int | None]:
        """Return what calls within calls run with: the cluster, if they ask for several jobs."""
        return _make_nested((self.nesting_level or 0) + 1, self._options), None

    @contextlib.contextmanager
    def retrieval_context(self) -> Iterator[None]:
        """Let a task be without its slot while it waits."""
        task = current_task()
        with contextlib.nullcontext() if task is None else without_slot(task):
            yield

    def __reduce__(self) -> Any:
        return _make_nested, (self.nesting_level, self._options)

    # ------------------------------------------------------------------ large arguments

    def _replace(self, value: Any) -> Any:
        """Return an argument; of a large one, the future of what was put on the cluster once."""
        if type(value) in _SMALL:
            return value
        future = self._given.find(value) or self._own.find(value)
        if future is not None:
            return future
        if self._max_nbytes is None or nbytes_of(value) <= self._max_nbytes:
            return value
        (future,) = self.client.scatter([value])
        self._own.add(value, future)
        return future


class _NestedBackend(HocketBackend):
    """The backend inside tasks: one job unless more are asked for."""

    default_n_jobs = 1


def _make_nested(nesting_level: int | None, options: dict[str, Any]) -> HocketBackend:
    return _NestedBackend(nesting_level=nesting_level, **options)


class _Scattered:
    """Futures of values, found by which object it is."""

    def __init__(self) -> None:
        self._futures: dict[int, tuple[Callable[[], Any], Future]] = {}

    def find(self, value: Any) -> Future | None:
        """Return the future of this object, if it has one."""
        found = self._futures.get(id(value))
        # Another may have taken the place of one that is gone.
        return found[1] if found is not None and found[0]() is value else None

    def add(self, value: Any, future: Future) -> None:
        """Remember an object's future; the object itself is kept only where it must be."""
        try:
            alive: Callable[[], Any] = weakref.ref(value)
        except TypeError:

            def alive() -> Any:
                return value

        self._futures[id(value)] = alive, future


#: Of these, none is large, or it is quicker to send it again than to look.
_SMALL: Final = frozenset({bool, int, float, complex, type(None), type, Future})


class _Rows:
    """Runs a batch of calls of one function: what a task does, which is named after it.

    Returns what they returned, and how many seconds that took.
    """

    def __init__(self, function: Callable[..., Any], nested: tuple[int, dict[str, Any]]) -> None:
        self.func = function
        self._nested = nested

    def __call__(
        self, rows: list[tuple[Any, ...]], keywords: list[dict[str, Any]] | None = None
    ) -> tuple[list[Any], float]:
        function = self.func
        began_s = perf_counter()
        # A backend of its own: tasks that run at once on a worker share this object.
        with parallel_config(backend=_make_nested(*self._nested)):
            if keywords is None:
                values = [function(*args) for args in rows]
            else:
                pairs = zip(rows, keywords, strict=True)
                values = [function(*args, **each) for args, each in pairs]
        return values, perf_counter() - began_s


def _run_calls(
    nested: tuple[int, dict[str, Any]],
    calls: list[tuple[Callable[..., Any], tuple[Any, ...], dict[str, Any]]],
) -> tuple[list[Any], float]:
    """Run a batch of calls of several functions."""
    began_s = perf_counter()
    with parallel_config(backend=_make_nested(*nested)):
        values = [function(*args, **kwargs) for function, args, kwargs in calls]
    return values, perf_counter() - began_s


register_parallel_backend("hocket", HocketBackend)
