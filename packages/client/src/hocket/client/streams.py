"""Streams: what a generator function yields on the cluster, while it runs.

The generator is a value on its worker; items come in slices, each a task of its own (see
`hocket.transport.live_generators`). So a stream survives what tasks survive, be it a worker that is
lost or a client that was away, and the scheduler knows nothing of streams. Next to each slice goes
a tiny task that tells how many items it has; that is all that is waited for here, and the next
slice is asked for as soon as it is known.
"""

from __future__ import annotations

import weakref
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator
from threading import Lock
from typing import Any, Final, NoReturn, Self

from hocket.client.batches import TaskBatch
from hocket.client.failures import Raised, error_of_state
from hocket.client.futures import Future
from hocket.client.key_reference import KeyReference
from hocket.client.options import TaskOptions
from hocket.client.shell.collect import collect_one
from hocket.client.shell.ways import Signal, run_blocking, run_in_loop
from hocket.client.states import PENDING, STORED, Watch
from hocket.client.stream_flow import StreamFlow
from hocket.client.submit import Submitter
from hocket.core.errors import HocketError
from hocket.protocol.messages import THREADS
from hocket.protocol.serialize import ArgumentPickler, dump_function, load_value
from hocket.transport.live_generators import (
    GeneratorChanged,
    Slice,
    SliceNews,
    SliceTaker,
    pick_item,
    tell_news,
)

__all__ = ["Stream", "StreamSource", "StreamValues"]

#: The executor of what looks at slices: the threads may be busy for long, with the next slice.
_LOOP: Final = "loop"
#: Of more items, slices are quick to make, and the threads are quicker.
_LOOP_ITEMS_MAX: Final = 100


class Stream:
    """The items of a generator that runs on the cluster; made by `Client.stream`.

    Iterate over it, by ``for`` or by ``async for``, for futures of the items, in order, as they are
    made; over `values` for the items themselves. Both take from the same stream. At the end of a
    ``with`` block, when it is closed, and when nobody keeps it any more, the generator is closed
    where it runs, and what it made is let go of, except for what there are futures of.

    One thread at a time may iterate over it. It belongs to its client: neither tasks nor other
    clients can go on with it, but they can be given the futures of its items.

    Examples
    --------
    >>> def squares(n):
    ...     for k in range(n):
    ...         yield k * k
    >>> with client.stream(squares, 3) as stream:  # doctest: +SKIP
    ...     for future in stream:
    ...         print(future.result())
    0
    1
    4
    """

    def __init__(self, source: StreamSource) -> None:
        self._source = source

    @property
    def key(self) -> str:
        """The name of the generator; those of its items begin with it."""
        return self._source.key

    def values(self) -> StreamValues:
        """Iterate over the items themselves, which are brought here, by ``for`` or ``async for``.

        What the generator raised is raised after all items that it made before.
        """
        return StreamValues(self, self._source)

    def close(self) -> Any:
        """Have the generator closed; a slice that is under way is cancelled.

        It happens at once; of an asynchronous client it may be awaited all the same.
        """
        self._source.close()
        return self._source.session.nothing

    def __iter__(self) -> Iterator[Future]:
        return self

    def __next__(self) -> Future:
        item = self._source.next_future_here()
        if item is _NOTHING:
            item = run_blocking(self._source.next_future())
        future: Future = _unless_raised(item, StopIteration)
        return future

    def __aiter__(self) -> AsyncIterator[Future]:
        return self

    async def __anext__(self) -> Future:
        item = self._source.next_future_here()
        if item is _NOTHING:
            item = await run_in_loop(self._source.next_future())
        future: Future = _unless_raised(item, StopAsyncIteration)
        return future

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_error: object) -> None:
        self.close()

    def __reduce__(self) -> NoReturn:
        raise TypeError(
            f"the stream {self.key!r} stays with its client; hand on the futures of its items, or"
            " have the generator run where the items are needed"
        )

    def __repr__(self) -> str:
        return f"<Stream: {self._source.status}, key: {self.key}>"


class StreamValues:
    """What `Stream.values` returns."""

    def __init__(self, stream: Stream, source: StreamSource) -> None:
        # The stream is not to end while there is this.
        self._stream = stream
        self._source = source

    def __iter__(self) -> Iterator[Any]:
        return self

    def __next__(self) -> Any:
        value = self._source.next_value_here()
        if value is _NOTHING:
            value = run_blocking(self._source.next_value())
        return _unless_raised(value, StopIteration)

    def __aiter__(self) -> AsyncIterator[Any]:
        return self

    async def __anext__(self) -> Any:
        value = self._source.next_value_here()
        if value is _NOTHING:
            value = await run_in_loop(self._source.next_value())
        return _unless_raised(value, StopAsyncIteration)


class _Part:
    """A slice that is there, and what is left of it.

    Attributes
    ----------
    whole
        Its future, as long as that is needed.
    start
        The number of the first item that was not taken.
    left
        How many these are.
    nbytes
        Of these together.
    worker
        Where it was made.
    futures, values
        Those that were not taken, where they were asked for.
    """

    __slots__ = ("begin", "futures", "left", "nbytes", "start", "values", "whole", "worker")

    def __init__(self, whole: Future, start: int, news: SliceNews) -> None:
        self.whole: Future | None = whole
        self.begin = start
        self.start = start
        self.left = news.items_count
        self.nbytes = news.nbytes
        self.worker = news.worker
        self.futures: deque[Future] | None = None
        self.values: deque[Any] | None = None


class StreamSource:
    """Asks for the slices of a stream, and hands out their items.

    Parameters
    ----------
    submitter
        Of the client.
    generator
        The future of the generator.
    label
        What people call the function.
    ahead
        As for `StreamFlow`.
    options
        For the tasks that take slices, where they run not being said.
    """

    def __init__(
        self,
        submitter: Submitter,
        generator: Future,
        label: str,
        ahead: int | None,
        options: Callable[[str], TaskOptions],
    ) -> None:
        self._submitter = submitter
        self.session = submitter.session
        self.key = generator.key
        self._generator: Future | None = generator
        #: What was scattered for the call: items may be made again when the stream is over.
        self._holds = generator.record.holds
        self._options = options
        self._take = dump_function(SliceTaker(label))
        self._tell = dump_function(tell_news)
        self._pick = dump_function(pick_item)
        self._pickler = ArgumentPickler()
        #: Guards what follows.
        self._lock = Lock()
        self._flow = StreamFlow(ahead)
        self._worker = ""
        self._priority = options("").priority
        #: The slice that is asked for, where it begins, and the news of it.
        self._pending: tuple[Future, int, Future] | None = None
        self._parts: deque[_Part] = deque()
        #: Why there are no more, unless it is the end.
        self._error: BaseException | None = None
        self._stirred = Signal()
        self.advance()

    @property
    def status(self) -> str:
        """``"open"``, or ``"closed"`` if it makes no more items."""
        return "closed" if self._flow.is_over else "open"

    # ------------------------------------------------------------------ asking for slices

    def advance(self) -> None:
        """Take note of what is there, and ask for what comes next; for any thread."""
        with self._lock:
            try:
                while self._settle() and self._ask():
                    pass
            except HocketError as error:
                # The client is closed, or its scheduler gone.
                self._end(error)
        self._stirred.wake()

    def _settle(self) -> bool:
        """Take note of the slice that was asked for; return whether there is none pending."""
        if self._pending is None:
            return True
        whole, start, told = self._pending
        record = told.record
        if record.status is PENDING:
            return False
        if record.status is not STORED:
            self._end(error_of_state(record, self.session.machine.closed))
            return False
        if record.value is None:
            # Who iterates brings it: that may take a while.
            return False
        self._made(whole, start, load_value(record.value))
        return True

    def _made(self, whole: Future, start: int, news: SliceNews) -> None:
        self._pending = None
        self._flow.made(news)
        self._worker = news.worker or self._worker
        if news.items_count:
            self._parts.append(_Part(whole, start, news))
        if self._flow.is_over:
            self._generator = None

    def _ask(self) -> bool:
        """Ask for the next slice, if there is room; return whether it is there already."""
        asked = self._flow.ask()
        if asked is None or self._generator is None:
            return False
        key = f"{self.key}[{asked.start}:]"
        pickler = self._pickler
        arguments = (KeyReference(self.key), *asked)
        (whole,) = self._submitter.hand_over(
            TaskBatch(
                [self._take],
                [key],
                [pickler.dumps(arguments, {})],
                [pickler.references],
                options=self._options(self._worker),
            )
        )
        (told,) = self._submitter.hand_over(
            TaskBatch(
                [self._tell],
                [f"{key} news"],
                [pickler.dumps((KeyReference(key),), {})],
                [pickler.references],
                options=self._options_beside(self._worker, 1),
            )
        )
        whole.record.holds = self._holds
        self._pending = whole, asked.start, told
        this = weakref.ref(self)

        def wake() -> None:
            source = this()
            if source is not None:
                source.advance()

        # (It keeps nothing: a stream that is let go of ends while a slice is under way.)
        return not self.session.add_watch([told.record], Watch(wake))

    def _options_beside(self, worker: str, tasks_count: int) -> TaskOptions:
        """Return those of tasks that look at a slice: where that is, and at once."""
        return TaskOptions(
            priority=self._priority,
            workers=(worker,) if worker else (),
            allow_other_workers=bool(worker),
            executor=_LOOP if tasks_count <= _LOOP_ITEMS_MAX else THREADS,
        )

    def _end(self, error: BaseException | None) -> None:
        self._flow.end()
        self._error = error
        self._pending = self._generator = None

    def close(self) -> None:
        """Want no more."""
        with self._lock:
            pending = self._pending
            self._end(None)
            self._parts.clear()
        if pending is not None:
            whole, _, told = pending
            self.session.cancel([told.record, whole.record], interrupt=True)
        self._stirred.wake()

    # ------------------------------------------------------------------ handing out items

    async def next_future(self) -> Any:
        """Return the future of the next item, or a `Raised`; `_NOTHING`: there is none."""
        part = await self._first_part()
        if not isinstance(part, _Part):
            return part
        if part.futures is None:
            part.futures = self._futures_of(part)
            part.values = part.whole = None
        return self.next_future_here()

    def next_future_here(self) -> Any:
        """Return the next future if there is one already, or else `_NOTHING`."""
        part = self._present_part()
        if part is None or not part.futures:
            return _NOTHING
        future = part.futures.popleft()
        self._took(part)
        return future

    async def next_value(self) -> Any:
        """Return the next item, or a `Raised`; `_NOTHING`: there is none."""
        part = await self._first_part()
        if not isinstance(part, _Part):
            return part
        if part.futures is not None:
            future = self.next_future_here()
            return await collect_one(future.session, future.record)
        if part.values is None:
            assert part.whole is not None
            made = await collect_one(part.whole.session, part.whole.record)
            if isinstance(made, Raised):
                self.close()
                return made
            values = self._values_of(part, made)
            if isinstance(values, Raised):
                self.close()
                return values
            part.values = values
        return self.next_value_here()

    def next_value_here(self) -> Any:
        """Return the next item if it was brought here already, or else `_NOTHING`."""
        part = self._present_part()
        if part is None or not part.values:
            return _NOTHING
        value = part.values.popleft()
        self._took(part)
        return value

    def _present_part(self) -> _Part | None:
        try:
            return self._parts[0]
        except IndexError:
            return None

    async def _first_part(self) -> _Part | Raised | _Nothing:
        """Wait until there are items; return them, or how it ended."""
        while True:
            with self._lock:
                if self._parts:
                    return self._parts[0]
                if self._flow.is_over:
                    error, self._error = self._error, None
                    return _NOTHING if error is None else Raised(error)
                pending = self._pending
            if pending is not None and pending[2].status is STORED:
                await self._bring_news(*pending)
            else:
                await self._stirred.wait()

    async def _bring_news(self, whole: Future, start: int, told: Future) -> None:
        """Take note of a slice, the news of which did not come along by themselves."""
        news = await collect_one(told.session, told.record)
        with self._lock:
            if self._pending is None or self._pending[2] is not told:
                return
            if isinstance(news, Raised):
                self._end(news.error)
            else:
                self._made(whole, start, news)
        self.advance()

    def _took(self, part: _Part) -> None:
        """Take note that an item of the first part was taken."""
        with self._lock:
            # (So that nothing is left over of the whole.)
            nbytes = part.nbytes // part.left
            part.start += 1
            part.left -= 1
            part.nbytes -= nbytes
            self._flow.taken(1, nbytes)
            if not part.left and self._parts and self._parts[0] is part:
                self._parts.popleft()
            asks = self._pending is None and self._flow.has_room and not self._flow.is_over
        if asks:
            self.advance()

    def _futures_of(self, part: _Part) -> deque[Future]:
        """Have the items of a slice made tasks of their own: each lives as long as it is wanted."""
        assert part.whole is not None
        # (The other is used under the lock.)
        pickler = ArgumentPickler()
        row = part.start - part.begin
        whole = KeyReference(part.whole.key)
        payloads = [pickler.dumps((whole, row + one), {}) for one in range(part.left)]
        keys = [f"{self.key}[{part.start + one}]" for one in range(part.left)]
        batch = TaskBatch(
            [self._pick],
            keys,
            payloads,
            [[part.whole.key]] * part.left,
            options=self._options_beside(part.worker, part.left),
        )
        futures = deque(self._submitter.hand_over(batch))
        if self._holds:
            for future in futures:
                future.record.holds = self._holds
        return futures

    def _values_of(self, part: _Part, made: Slice) -> deque[Any] | Raised:
        row = part.start - part.begin
        # (One that was made again may be longer.)
        values = made.items[row : row + part.left]
        if len(values) < part.left:
            index = part.start + len(values)
            return Raised(GeneratorChanged(label=made.label, index=index, count=index))
        return deque(values)


class _Nothing:
    """Stands for no value: None is one."""


_NOTHING: Final = _Nothing()


def _unless_raised(item: Any, end: type[Exception]) -> Any:
    """Return an item that came; at the end, raise what says so."""
    if isinstance(item, Raised):
        raise item.error
    if item is _NOTHING:
        raise end
    return item
