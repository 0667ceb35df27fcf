"""Two ways to wait for one thing: blocking a thread, or on the caller's own event loop.

What has to wait is written once, as a coroutine that awaits nothing but pauses. `run_blocking` runs
it in the caller's thread, without any event loop; `run_in_loop` on whatever asyncio loop awaits it,
which it never blocks.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
from abc import ABC, abstractmethod
from collections.abc import Callable, Coroutine, Generator
from typing import Any, Concatenate, Final, Generic, ParamSpec, Protocol, TypeVar, cast

from hocket.client.failures import Raised
from hocket.client.shell.blocking import block, deadline, held_lock, without_slot
from hocket.core.task_context import current_task
from hocket.transport.loop import LoopThread, refuse_shared_loop

__all__ = [
    "DONE",
    "Pause",
    "Signal",
    "apart",
    "on_loop",
    "run_blocking",
    "run_in_loop",
    "waits",
]

_T = TypeVar("_T")
_P = ParamSpec("_P")


class Pause(ABC, Generic[_T]):
    """Something to wait for, in either way."""

    __slots__ = ()

    @abstractmethod
    def block(self) -> _T:
        """Wait for it in this thread."""

    @abstractmethod
    async def in_loop(self) -> _T:
        """Wait for it on the running loop."""

    def __await__(self) -> Generator[Pause[Any], Any, _T]:
        result: _T = yield self
        return result


def run_blocking(coroutine: Coroutine[Any, Any, _T]) -> _T:
    """Return what a coroutine returns that awaits nothing but pauses; blocks meanwhile.

    Raises
    ------
    LocalProtocolError
        This is the thread of the process's event loop, for which everybody waits.
    """
    try:
        refuse_shared_loop()
    except BaseException:
        coroutine.close()
        raise
    step: Callable[[], Any] = functools.partial(coroutine.send, None)
    try:
        while True:
            try:
                pause: Pause[Any] = step()
            except StopIteration as stop:
                value: _T = stop.value
                return value
            try:
                step = functools.partial(coroutine.send, pause.block())
            except BaseException as error:  # noqa: BLE001 - an interrupt, too, is the coroutine's
                step = functools.partial(coroutine.throw, error)
    finally:
        # The traceback of an error knows this frame, and this the error.
        del step


async def run_in_loop(coroutine: Coroutine[Any, Any, _T]) -> _T:
    """Return what a coroutine returns that awaits nothing but pauses, and never block the loop.

    If it returns a `Raised`, that is raised.
    """
    step: Callable[[], Any] = functools.partial(coroutine.send, None)
    try:
        while True:
            try:
                pause: Pause[Any] = step()
            except StopIteration as stop:
                value: _T = stop.value
                if isinstance(value, Raised):
                    raise value.error from None
                return value
            try:
                step = functools.partial(coroutine.send, await pause.in_loop())
            except BaseException as error:  # noqa: BLE001 - a cancellation, too, is the coroutine's
                step = functools.partial(coroutine.throw, error)
    finally:
        coroutine.close()
        del step


class _Done:
    """Can be awaited, and need not be: it is None at once."""

    def __await__(self) -> Generator[Any, None, None]:
        return
        yield

    def __repr__(self) -> str:
        return "<done; may be awaited>"


DONE: Final = _Done()


class _HasSession(Protocol):
    @property
    def _session(self) -> Any: ...


_Self = TypeVar("_Self", bound=_HasSession)


def waits(
    method: Callable[Concatenate[_Self, _P], Coroutine[Any, Any, _T]],
) -> Callable[Concatenate[_Self, _P], _T]:
    """Make a method of a coroutine method: it blocks, or returns what is to be awaited.

    Which of both, its object's session knows. For those who read types, it blocks. If the coroutine
    returns a `Raised`, that is raised here, so that a user sees few frames of ours.
    """

    @functools.wraps(method)
    def call(self: _Self, *args: _P.args, **kwargs: _P.kwargs) -> _T:
        result: _T = self._session.run(method(self, *args, **kwargs))
        if isinstance(result, Raised):
            raise result.error
        return result

    return cast("Callable[Concatenate[_Self, _P], _T]", call)


class Signal:
    """Wakes one who waits; if nobody does, the next who will. Any thread may give it."""

    __slots__ = ("_lock", "_notifies")

    def __init__(self) -> None:
        self._lock = held_lock()
        #: Of those who wait on loops.
        self._notifies: list[Callable[[], None]] = []

    def wake(self) -> None:
        """Wake whoever waits; neither raises nor blocks."""
        with contextlib.suppress(RuntimeError):  # it was given already, and nobody has taken it
            self._lock.release()
        for notify in tuple(self._notifies):
            notify()

    def wait(self, timeout_s: float | None = None, patience_s: float = 0.0) -> Pause[bool]:
        """Return a pause until it is given; tells whether it was, or the time is over.

        Parameters
        ----------
        timeout_s
            Seconds to wait; None waits for ever.
        patience_s
            Seconds that a task waits with its slot before it gives that up.
        """
        return _SignalPause(self, timeout_s, patience_s)

    def block(self, timeout_s: float | None = None, patience_s: float = 0.0) -> bool:
        """Wait in this thread."""
        return block(self._lock, timeout_s, patience_s)

    async def in_loop(self, timeout_s: float | None = None, patience_s: float = 0.0) -> bool:
        """Wait on the running loop."""
        if self._lock.acquire(blocking=False):
            return True
        left = deadline(timeout_s)
        loop = asyncio.get_running_loop()
        waiter = loop.create_future()

        def notify() -> None:
            with contextlib.suppress(RuntimeError):  # the loop was closed
                loop.call_soon_threadsafe(_set_done, waiter)

        self._notifies.append(notify)
        try:
            # It may have been given before there was somebody to notify.
            if self._lock.acquire(blocking=False):
                return True
            await _wait_as_task(waiter, timeout_s, patience_s)
        finally:
            self._notifies.remove(notify)
        if self._lock.acquire(blocking=False):
            return True
        # Another who waits for it was first.
        return waiter.done() and await self.in_loop(left(), patience_s)


async def _wait_as_task(
    waiter: asyncio.Future[None], timeout_s: float | None, patience_s: float
) -> None:
    """Wait on the running loop; a task that has to wait does so without its slot."""
    task = current_task()
    if task is None or (timeout_s is not None and timeout_s <= patience_s):
        await asyncio.wait((waiter,), timeout=timeout_s)
        return
    left = deadline(timeout_s)
    if patience_s:
        await asyncio.wait((waiter,), timeout=patience_s)
    if not waiter.done():
        with without_slot(task):
            await asyncio.wait((waiter,), timeout=left())


def _set_done(waiter: asyncio.Future[None]) -> None:
    if not waiter.done():
        waiter.set_result(None)


class _SignalPause(Pause[bool]):
    __slots__ = ("_patience_s", "_signal", "_timeout_s")

    def __init__(self, signal: Signal, timeout_s: float | None, patience_s: float) -> None:
        self._signal = signal
        self._timeout_s = timeout_s
        self._patience_s = patience_s

    def block(self) -> bool:
        return self._signal.block(self._timeout_s, self._patience_s)

    async def in_loop(self) -> bool:
        return await self._signal.in_loop(self._timeout_s, self._patience_s)


class _LoopPause(Pause[_T]):
    """Until something is done on another loop."""

    __slots__ = ("_coroutine", "_loop", "_timeout_s")

    def __init__(
        self, loop: LoopThread, coroutine: Coroutine[Any, Any, _T], timeout_s: float | None
    ) -> None:
        self._loop = loop
        self._coroutine = coroutine
        self._timeout_s = timeout_s

    def block(self) -> _T:
        return self._loop.run(self._coroutine, self._timeout_s)

    async def in_loop(self) -> _T:
        async with asyncio.timeout(self._timeout_s):
            return await asyncio.wrap_future(self._loop.start(self._coroutine))


def on_loop(
    loop: LoopThread, coroutine: Coroutine[Any, Any, _T], timeout_s: float | None = None
) -> Pause[_T]:
    """Return a pause until another thread's loop has run a coroutine.

    Parameters
    ----------
    loop
        Of that thread.
    coroutine
        Is cancelled when the wait ends early.
    timeout_s
        Seconds to wait, then `TimeoutError`; None waits for ever.
    """
    return _LoopPause(loop, coroutine, timeout_s)


class _ApartPause(Pause[_T]):
    """Until a function has returned that may take long."""

    __slots__ = ("_function",)

    def __init__(self, function: Callable[[], _T]) -> None:
        self._function = function

    def block(self) -> _T:
        return self._function()

    async def in_loop(self) -> _T:
        return await asyncio.to_thread(self._function)


def apart(function: Callable[_P, _T], *args: _P.args, **kwargs: _P.kwargs) -> Pause[_T]:
    """Return a pause until a function has returned that would keep a loop from its work.

    Whoever blocks calls it; for a loop, a thread does. It must end by itself: such threads are few.
    """
    return _ApartPause(functools.partial(function, *args, **kwargs))
