"""Interrupting code of the user's in a thread: an exception is raised in it from without.

It arrives with the next step of Python code; what waits inside of a system call, or computes
outside of Python, goes on until it comes back. Waits of ours are ended, so that it arrives there.

Nothing but the user's code may be hit, however close the end of it is. A thread says what it runs
by storing that in its `Guard`, and takes it back when it is done; no lock is taken for that. Who
interrupts says first that it will, and looks then what the thread runs. So either it sees that the
thread is done, or the thread sees that it was to be interrupted; then the thread waits until the
other is done, and lets arrive, where it does no harm, what may still be pending. (Each sees the
other's store, since the interpreter runs one thread at a time.)

Between the store and the end of that an exception may arrive twice: one that was pending, and one
of who had just looked. It arrives in calls only, so what stands between them is safe.
"""

from __future__ import annotations

import asyncio
import ctypes
import threading
from collections.abc import Awaitable, Callable, Coroutine, Generator
from contextlib import suppress
from functools import partial
from types import CoroutineType
from typing import Any

from hocket.core.task_context import TaskGuard

__all__ = ["Guard", "GuardedSteps", "TaskInterrupted", "run_coroutine"]


class TaskInterrupted(BaseException):
    """Raised in a task that is to end now. Not an `Exception`, so that few tasks swallow it."""


class Guard(TaskGuard):
    """What a thread runs of the user's, so that it can be interrupted. Made in the thread.

    The thread sees to it that `run` is this::

        guard.task = task
        if guard.unwanted is task: raise TaskInterrupted
        ... code of the user's ...
        guard.task = None
        if guard.unwanted is not None: guard.settle()

    Attributes
    ----------
    task
        What runs now; stored by the thread only.
    unwanted
        What was to be interrupted, until the thread takes note of it.
    interrupted
        The same, until the end of what runs.
    """

    __slots__ = ("_cancel", "_lock", "_thread", "_wake", "interrupted", "task", "unwanted")

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._thread = threading.get_ident()
        self._wake: Callable[[], object] | None = None
        #: What waits on a loop of this thread's, and how it is cancelled there.
        self._cancel: tuple[object, Callable[[], object]] | None = None
        self.task: object = None
        self.unwanted: object = None
        self.interrupted: object = None

    def interrupt(self, task: object) -> None:
        """Interrupt a task, if it runs here or is about to; for any other thread."""
        with self._lock:
            self.unwanted = self.interrupted = task
            cancel, wake = self._cancel, self._wake
            if cancel is not None and cancel[0] is task:
                cancel[1]()
            if self.task is not task:
                return
            _raise_in(self._thread, TaskInterrupted)
            if wake is not None:
                wake()

    def settle(self) -> None:
        """Let nothing arrive in this thread any more; `task` must have been taken back.

        An exception that was pending may be raised here: call it again then, up to twice.
        """
        with self._lock:
            self._wake = None
            _let_arrive()
            self.unwanted = self.interrupted = None

    def cancel_by(self, task: object, cancel: Callable[[], object] | None) -> None:
        """Say how a task is cancelled that waits between its steps, and that it is over (None)."""
        self._cancel = None if cancel is None else (task, cancel)

    def run(self, task: object, function: Callable[..., Any], *args: object) -> Any:
        """Call a function of a task's, in the guard's thread, so that it can be interrupted."""
        raised: BaseException | None = None
        value = None
        try:
            self.task = task
            value = function(*args)
            self.task = None
        except BaseException as error:  # noqa: BLE001 - code of the user's
            self.task = None
            raised = error
        if self.unwanted is not None:
            try:
                try:
                    self.settle()
                except TaskInterrupted:
                    self.settle()
            except TaskInterrupted:
                self.settle()
        if raised is not None:
            try:
                raise raised
            finally:
                # Its traceback knows this frame.
                del raised
        return value

    # For code of ours that the user's calls.

    def shield(self) -> object:
        """Let nothing arrive until `unshield` is called; return what that is to be given."""
        task = self.task
        if task is None or threading.get_ident() != self._thread:
            return None
        self.task = None
        if self.unwanted is not None:
            # It may have arrived, and this be what cleans up after it. (If not, it comes again.)
            try:
                with self._lock:
                    _let_arrive()
                    self.unwanted = None
            except BaseException:
                self.task = task
                raise
        return task

    def unshield(self, shielded: object) -> None:
        """Let arrive again what interrupts the task, and at once what came meanwhile."""
        if shielded is not None:
            self.task = shielded
            if self.unwanted is shielded:
                raise TaskInterrupted

    def wake_by(self, wake: Callable[[], object] | None) -> None:
        """Say how a wait of this thread is ended, and that it is over (None)."""
        if threading.get_ident() == self._thread:
            self._wake = wake


class GuardedSteps:
    """What a task does on a loop that others share; to be awaited there.

    Each of its steps, from one ``await`` to the next, can be interrupted.
    """

    __slots__ = ("_call", "_guard", "_task")

    def __init__(self, guard: Guard, task: object, call: Callable[[], Any]) -> None:
        self._guard = guard
        self._task = task
        self._call = call

    def __await__(self) -> Generator[Any, Any, Any]:
        run, task = self._guard.run, self._task
        value = run(task, self._call)
        if type(value) is not CoroutineType:
            return (yield from value.__await__()) if isinstance(value, Awaitable) else value
        step, given = value.send, None
        while True:
            try:
                pause = run(task, step, given)
            except StopIteration as stop:
                return stop.value
            try:
                given = yield pause
                step = value.send
            except GeneratorExit:
                value.close()
                raise
            except BaseException as error:  # noqa: BLE001 - a cancellation is the coroutine's
                given, step = error, value.throw


def run_coroutine(coroutine: Coroutine[Any, Any, Any], guard: Guard) -> Any:
    """Run a coroutine of the user's in this thread, on a loop of its own.

    Its steps can be interrupted, and its waits cancelled; the loop itself is not the user's, and
    would take an exception that arrives in it for one of a callback.
    """
    task = guard.task

    async def steps() -> tuple[Any, BaseException | None]:
        running = asyncio.current_task()
        assert running is not None
        guard.cancel_by(task, partial(_cancel_in, asyncio.get_running_loop(), running))
        try:
            if guard.unwanted is task:
                raise TaskInterrupted  # noqa: TRY301 - as if it came a moment later
            return await GuardedSteps(guard, task, lambda: coroutine), None
        except BaseException as error:  # noqa: BLE001 - code of the user's
            # Handed over, so that its traceback has no frames of the loop.
            return None, error

    try:
        guard.task = None
        with asyncio.Runner() as runner:
            value, raised = runner.run(steps())
    finally:
        guard.cancel_by(task, None)
        # (If it never began.)
        coroutine.close()
    if raised is not None:
        try:
            raise raised
        finally:
            # Its traceback knows this frame.
            del raised
    return value


def _cancel_in(loop: asyncio.AbstractEventLoop, running: asyncio.Task[Any]) -> None:
    with suppress(RuntimeError):  # It is closed, so nothing waits there.
        loop.call_soon_threadsafe(running.cancel)


def _let_arrive() -> None:
    """Let what may be pending in this thread arrive here, and nowhere else.

    It is not taken back (by raising nothing instead): the interpreter would go on to look for it at
    each step until the next one arrives, and Python 3.11 never gets ahead then while it is traced.
    """
    try:
        _raise_in(threading.get_ident(), TaskInterrupted)
        while True:
            pass
    except TaskInterrupted:
        return


def _raise_in(thread: int, error: type[BaseException]) -> None:
    """Have an exception raised in a thread, in the place of one that is pending."""
    ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread), ctypes.py_object(error))
