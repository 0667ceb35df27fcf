"""Event loops: which kind to make, and one that runs in a background thread.

Synchronous code (a client in a notebook) talks to its `LoopThread`; one is enough for a process,
and `shared_loop` hands it out.
"""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import importlib.util
import logging
import os
import threading
import weakref
from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from typing import Any, Final, Literal, TypeVar, TypeVarTuple

from hocket.core.errors import LocalProtocolError, SettingsError

__all__ = ["LoopThread", "new_event_loop", "refuse_shared_loop", "shared_loop"]

_logger: Final = logging.getLogger("hocket.transport")

_T = TypeVar("_T")
_Ts = TypeVarTuple("_Ts")

#: How long a closing loop waits for its tasks to take their cancellation, and for its thread.
_CLOSE_TIMEOUT_S: Final = 5.0


def new_event_loop(
    kind: Literal["auto", "asyncio", "uvloop"] = "auto",
) -> asyncio.AbstractEventLoop:
    """Return a new event loop.

    Parameters
    ----------
    kind
        The setting ``transport.loop``; ``"auto"`` takes uvloop where it is installed, since it was
        measured to cost a fifth to a third less for a round trip of small frames, and the same for
        all else.

    Raises
    ------
    SettingsError
        ``"uvloop"`` is asked for and not installed.
    """
    if kind == "asyncio":
        # Not `asyncio.new_event_loop`, which asks a policy that somebody may have set.
        return asyncio.SelectorEventLoop()
    if importlib.util.find_spec("uvloop") is None:
        if kind == "uvloop":
            raise SettingsError(
                name="transport.loop",
                value=kind,
                allowed="uvloop is not installed; pip install hocket-transport[uvloop]",
                source="code",
            )
        return asyncio.SelectorEventLoop()
    import uvloop  # noqa: PLC0415

    loop: asyncio.AbstractEventLoop = uvloop.new_event_loop()
    return loop


class LoopThread:
    """A daemon thread that runs an event loop, until `close` or the end of the interpreter.

    Parameters
    ----------
    name
        Of the thread, for people who look at stacks.
    loop
        As for `new_event_loop`.
    """

    def __init__(
        self, name: str = "hocket-loop", loop: Literal["auto", "asyncio", "uvloop"] = "auto"
    ) -> None:
        self.loop = new_event_loop(loop)
        self._pid = os.getpid()
        self._closed = False
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._main, name=name, daemon=True)
        self._thread.start()
        _open_threads.add(self)

    @property
    def alive(self) -> bool:
        """Whether it runs, in this process."""
        return not self._closed and self._pid == os.getpid() and self._thread.is_alive()

    @property
    def is_here(self) -> bool:
        """Whether this is its thread."""
        return threading.get_ident() == self._thread.ident

    def call(self, function: Callable[[*_Ts], object], *args: *_Ts) -> None:
        """Have the loop call a function soon; from any thread.

        An exception in it is logged and disturbs nothing else.

        Raises
        ------
        LocalProtocolError
            The loop is closed, or belongs to a process that this one was forked from.
        """
        self._refuse_if_gone()
        try:
            self.loop.call_soon_threadsafe(function, *args)
        except RuntimeError:
            raise LocalProtocolError(reason="a call to an event loop that is closed") from None

    def run(self, coroutine: Coroutine[Any, Any, _T], timeout_s: float | None = None) -> _T:
        """Run a coroutine on the loop and wait for what it returns; from any other thread.

        Parameters
        ----------
        coroutine
            What to run. It is cancelled when the wait ends early.
        timeout_s
            Seconds to wait; None waits for ever.

        Raises
        ------
        TimeoutError
            It has not returned in time.
        LocalProtocolError
            The loop is closed, or this is its own thread, which would wait for itself.
        """
        try:
            self._refuse_own_thread()
        except BaseException:
            coroutine.close()
            raise
        future = self.start(coroutine)
        try:
            return future.result(timeout_s)
        except BaseException:
            # On a timeout or an interrupt nobody is there to take the result.
            future.cancel()
            raise

    def start(self, coroutine: Coroutine[Any, Any, _T]) -> Future[_T]:
        """Begin to run a coroutine on the loop; from any thread.

        Returns
        -------
        concurrent.futures.Future
            Has what the coroutine returns. To cancel it cancels the coroutine.

        Raises
        ------
        LocalProtocolError
            The loop is closed, or belongs to a process that this one was forked from.
        """
        try:
            self._refuse_if_gone()
            return asyncio.run_coroutine_threadsafe(coroutine, self.loop)
        except BaseException:
            # Or it would complain that nobody awaits it.
            coroutine.close()
            raise

    def close(self) -> None:
        """Cancel all tasks of the loop, end it, and wait for its thread. May be called twice."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
        _open_threads.discard(self)
        if self._pid != os.getpid():
            # The thread did not survive the fork, and the parent still uses the loop's files.
            return
        with contextlib.suppress(RuntimeError):
            self.loop.call_soon_threadsafe(self.loop.stop)
        if threading.current_thread() is not self._thread:
            self._thread.join(_CLOSE_TIMEOUT_S)

    def _refuse_if_gone(self) -> None:
        if self._pid != os.getpid():
            raise LocalProtocolError(
                reason="an event loop of a process that this one was forked from"
            )
        if self._closed:
            raise LocalProtocolError(reason="a call to an event loop that is closed")

    def _refuse_own_thread(self) -> None:
        if self.is_here:
            raise LocalProtocolError(reason="a blocking call on the event loop's own thread")

    def _main(self) -> None:
        asyncio.set_event_loop(self.loop)
        try:
            self.loop.run_forever()
        finally:
            try:
                self.loop.run_until_complete(_cancel_all())
                self.loop.run_until_complete(self.loop.shutdown_asyncgens())
                self.loop.run_until_complete(self.loop.shutdown_default_executor())
            finally:
                asyncio.set_event_loop(None)
                self.loop.close()


async def _cancel_all() -> None:
    tasks = asyncio.all_tasks() - {asyncio.current_task()}
    for task in tasks:
        task.cancel()
    if tasks:
        _, stubborn = await asyncio.wait(tasks, timeout=_CLOSE_TIMEOUT_S)
        for task in stubborn:
            _logger.warning("a task did not end when its event loop was closed: %r", task)
    # Transports that were closed in the last turn have yet to close their sockets.
    await asyncio.sleep(0)


class _Shared:
    """The loop thread of this process."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._thread: LoopThread | None = None
        self._inherited: list[LoopThread] = []

    def forget_parent(self) -> None:
        """Start anew in a child process."""
        # Another thread may have held the lock at the moment of the fork.
        self._lock = threading.Lock()
        self._thread = None
        # Kept, since a loop that is thrown away closes its files, some of which are the parent's.
        self._inherited.extend(_open_threads)

    def is_here(self) -> bool:
        return self._thread is not None and self._thread.is_here

    def get(self) -> LoopThread:
        with self._lock:
            if self._thread is None or not self._thread.alive:
                self._thread = LoopThread("hocket-loop")
            return self._thread


_shared: Final = _Shared()
_open_threads: Final[weakref.WeakSet[LoopThread]] = weakref.WeakSet()


def shared_loop() -> LoopThread:
    """Return this process's loop thread; started on the first call, and anew after a fork."""
    return _shared.get()


def refuse_shared_loop() -> None:
    """Refuse to block the thread that everybody in this process waits for.

    Raises
    ------
    LocalProtocolError
        This is the thread of the `shared_loop`.
    """
    if _shared.is_here():
        raise LocalProtocolError(reason="a blocking call on the event loop's own thread")


def _close_all() -> None:
    for thread in list(_open_threads):
        thread.close()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_shared.forget_parent)
# Daemon threads are frozen as the interpreter ends; what is open wants to be closed before.
atexit.register(_close_all)
