"""The thread of one generator: it makes items while somebody asks for them, and rests otherwise.

All of a generator runs in one thread, so it may keep what belongs to a thread, such as a connection
to a database, from one item to the next. Who asks is a task, in the thread of that; only while it
asks is anything begun here, so that a generator computes in the slot of a task.

States of the thread::

    resting --> making      somebody asks for items that are not there
    making  --> resting     they are there, or nobody asks any more (the item under way is kept)
    resting --> closing     the generator is not wanted any more; its ``finally`` runs
    making  --> over        it has ended, or raised
    closing --> over

A task that asks may give up its slot: the generator waits for other tasks. It has then none until
the generator goes on, and neither has one that asks meanwhile.
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import replace
from typing import Any, Final, NamedTuple

from hocket.core.task_context import PROVIDER, TaskContext, current_task
from hocket.protocol.serialize import nbytes_of
from hocket.transport.clock import monotonic

__all__ = ["GeneratorThread", "Taken"]

#: Items are not kept back for longer, where others are still being made.
_KEEP_S: Final = 0.02
#: Who asks looks up so often, since an interrupt arrives only then.
_LOOK_S: Final = 0.05


class Taken(NamedTuple):
    """What somebody got who asked.

    Attributes
    ----------
    items, nbytes
        The items, and their size.
    is_last
        Whether there are no more.
    made_count
        How many were made so far, from the first.
    """

    items: list[Any]
    nbytes: int
    is_last: bool
    made_count: int


class GeneratorThread:
    """Runs a generator.

    Parameters
    ----------
    function, args, kwargs
        What returns the generator.
    """

    def __init__(
        self,
        function: Callable[..., Any],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
    ) -> None:
        self._call = function, args, kwargs
        #: Guards what follows. (An item costs one trip through it, so it is not the condition's.)
        self._lock = threading.RLock()
        #: Tells of changes.
        self._changed = threading.Condition(self._lock)
        #: Made and not taken, with their sizes; the number of the first.
        self._items: list[Any] = []
        self._sizes: list[int] = []
        self._nbytes = 0
        self.position = 0
        #: It makes items as long as there are fewer, and they are smaller than this together.
        self._end = 0
        self._nbytes_max = 0
        #: Those before this one are passed over.
        self._start = 0
        self._is_asked = False
        self._is_done = False
        self._is_closing = False
        self._error: BaseException | None = None
        #: Of the task that asks, or asked last.
        self._task: TaskContext | None = None
        #: Whether the generator runs without a slot, and whether it waits for one.
        self._is_seceded = False
        self._is_rejoining = False
        self._source: _Source | None = None
        self._thread: threading.Thread | None = None

    @property
    def is_over(self) -> bool:
        """Whether it makes no more items, though it has not come to its end: it raised."""
        return self._is_closing or (self._error is not None and not self._items)

    # ------------------------------------------------------------------ who asks

    def take(self, start: int, count: int, nbytes_max: int, *, may_cut: bool) -> Taken:
        """Return items from a place on, one at least; one at a time may ask.

        Parameters
        ----------
        start
            The number of the first; not before `position`.
        count, nbytes_max
            It ends with so many items, or with the one that makes them as large as this.
        may_cut
            Whether it may end earlier, so that none is kept back for long.

        Raises
        ------
        BaseException
            What the generator raised, if there are no items before that.
        """
        try:
            self._begin(start, count, nbytes_max)
            self._wait(count, may_cut=may_cut)
            return self._end_of(count)
        except BaseException:
            self.interrupt()
            raise
        finally:
            with self._changed:
                self._is_asked = False
                self._changed.notify_all()

    def close(self) -> None:
        """Have the generator closed, at its next ``yield``; returns at once."""
        with self._changed:
            self._is_closing = True
            self._changed.notify_all()

    def interrupt(self) -> None:
        """Have the generator closed at once, as far as that can be."""
        with self._changed:
            source = self._source
            was_over, self._is_closing = self._is_closing or self._is_done, True
            self._changed.notify_all()
            if source is not None and not was_over:
                source.interrupt()

    def _begin(self, start: int, count: int, nbytes_max: int) -> None:
        task = current_task()
        with self._changed:
            assert not self._is_asked
            assert start >= self.position
            self._take_out(min(start - self.position, len(self._items)))
            self._start, self._end, self._nbytes_max = start, start + count, nbytes_max
            self._is_asked = True
            self._task = task
            if task is not None and self._is_seceded:
                task.secede()
            if self._thread is None:
                name = f"generator of {'a task' if task is None else task.key}"
                self._thread = threading.Thread(target=self._run, name=name, daemon=True)
                self._thread.start()
            self._changed.notify_all()

    def _wait(self, count: int, *, may_cut: bool) -> None:
        """Wait until there is enough; what the generator wants of the task meanwhile is done."""
        first_s = 0.0
        while True:
            with self._changed:
                if self._is_done or self._error is not None or self._is_closing:
                    return
                if len(self._items) >= count or self._is_full:
                    return
                wait_s = _LOOK_S
                if self._items and may_cut:
                    first_s = first_s or monotonic()
                    wait_s = first_s + _KEEP_S - monotonic()
                    if wait_s <= 0:
                        return
                if not self._is_rejoining:
                    self._changed.wait(wait_s)
                    continue
                task = self._task
            if task is not None:
                task.rejoin()
            with self._changed:
                self._is_seceded = self._is_rejoining = False
                self._changed.notify_all()

    def _end_of(self, count: int) -> Taken:
        with self._changed:
            if self._error is not None and not self._items:
                try:
                    raise self._error
                finally:
                    # Its traceback knows this frame.
                    self._error = None
                    self._is_closing = True
            items = self._items[:count]
            nbytes = self._take_out(len(items))
            made_count = self.position + len(self._items)
            is_last = self._is_done and not self._items
            return Taken(items, nbytes, is_last, made_count)

    def _take_out(self, count: int) -> int:
        """Forget the first items; return their size."""
        nbytes = sum(self._sizes[:count])
        del self._items[:count], self._sizes[:count]
        self._nbytes -= nbytes
        self.position += count
        return nbytes

    @property
    def _is_full(self) -> bool:
        return bool(self._items) and self._nbytes >= self._nbytes_max

    # ------------------------------------------------------------------ the generator's thread

    def _run(self) -> None:
        PROVIDER.set(self._context)
        source = None
        try:
            try:
                source = _open(*self._call)
                with self._changed:
                    self._source = source
                is_next = self._may_make()
                while is_next:
                    is_next = self._made(source.next()) or self._may_make()
            finally:
                if source is not None:
                    source.close()
        except _Ended:
            error = None
        except BaseException as raised:  # noqa: BLE001 - code of the user's; who asks raises it
            error = raised
        else:
            error = None
        with self._changed:
            self._source = None
            self._is_done = error is None
            self._error = error
            self._changed.notify_all()
        del error

    def _may_make(self) -> bool:
        """Wait until the next item is asked for; False: none will be."""
        with self._changed:
            while not self._is_closing:
                if self._is_wanted(self.position + len(self._items)):
                    return True
                self._changed.wait()
            return False

    def _is_wanted(self, number: int) -> bool:
        """Whether somebody asks for an item; the lock must be held."""
        return self._is_asked and number < self._end and not self._is_full

    def _made(self, item: Any) -> bool:
        """Keep an item; return whether another may be made at once."""
        nbytes = nbytes_of(item)
        with self._lock:
            if self._is_closing:
                return False
            if self.position < self._start:
                self.position += 1
                return self._is_asked
            items = self._items
            items.append(item)
            self._sizes.append(nbytes)
            self._nbytes += nbytes
            count = len(items)
            is_next = self._is_wanted(self.position + count)
            # Who asks is woken for the first, to see to the time, and for the last.
            if count == 1 or not is_next:
                self._changed.notify_all()
            return is_next

    # What the generator may know and ask for.

    def _context(self) -> TaskContext | None:
        task = self._task
        if task is None:
            return None
        return replace(task, secede=self._secede, rejoin=self._rejoin)

    def _secede(self) -> bool:
        with self._changed:
            if self._is_seceded:
                return False
            self._is_seceded = True
            if self._task is not None and self._is_asked:
                self._task.secede()
            return True

    def _rejoin(self) -> None:
        with self._changed:
            if not self._is_seceded:
                return
            self._is_rejoining = True
            self._changed.notify_all()
            # The task does it: it is over before its slot is.
            while self._is_rejoining and self._is_asked and not self._is_closing:
                self._changed.wait()
            self._is_seceded = self._is_rejoining = False


class _Ended(Exception):
    """There are no more items."""


class _Source:
    """Where items come from: an iterator."""

    def __init__(self, iterator: Iterator[Any]) -> None:
        self._iterator = iterator
        self._thread = threading.get_ident()

    def next(self) -> Any:
        """Return the next item.

        Raises
        ------
        _Ended
            There is none.
        """
        try:
            return next(self._iterator)
        except StopIteration:
            raise _Ended from None

    def close(self) -> None:
        """Run what the generator has left to do."""
        close = getattr(self._iterator, "close", None)
        if close is not None:
            close()

    def interrupt(self) -> None:
        """Have it end at once, if it runs Python code; for another thread."""
        ctypes.pythonapi.PyThreadState_SetAsyncExc(
            ctypes.c_ulong(self._thread), ctypes.py_object(GeneratorExit)
        )


class _AsyncSource(_Source):
    """The same of one that is iterated over by ``async for``, on a loop of its own."""

    def __init__(self, iterator: AsyncIterator[Any]) -> None:
        self._async_iterator = iterator
        self._runner = asyncio.Runner()
        self._loop = self._runner.get_loop()
        self._step: asyncio.Task[Any] | None = None

    def next(self) -> Any:
        """Return the next item; see `_Source`."""
        item, error = self._runner.run(self._next())
        if error is not None:
            raise error
        return item

    async def _next(self) -> tuple[Any, BaseException | None]:
        # So that its traceback has no frames of asyncio.
        self._step = asyncio.current_task()
        try:
            return await anext(self._async_iterator), None
        except StopAsyncIteration:
            return None, _Ended()
        except BaseException as error:  # noqa: BLE001 - code of the user's
            return None, error

    def close(self) -> None:
        """Run what it has left to do, on its loop, and close that."""
        with self._runner:
            self._runner.run(self._close())

    async def _close(self) -> None:
        close = getattr(self._async_iterator, "aclose", None)
        if close is not None:
            await close()

    def interrupt(self) -> None:
        """Cancel what it waits for; for another thread."""
        step = self._step
        if step is not None:
            with contextlib.suppress(RuntimeError):  # Its loop is closed.
                self._loop.call_soon_threadsafe(step.cancel)


def _open(function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> _Source:
    """Call a generator function."""
    made = function(*args, **kwargs)
    if hasattr(made, "__aiter__"):
        return _AsyncSource(aiter(made))
    try:
        iterator = iter(made)
    except TypeError:
        raise TypeError(
            "a stream needs a generator function, or one that returns what can be iterated over;"
            f" {function!r:.100} returned a {type(made).__name__}"
        ) from None
    return _Source(iterator)
