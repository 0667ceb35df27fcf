"""The executor ``loop``: coroutine functions, many at once, on an event loop of their own.

It runs in a thread beside the worker's own loop, which is never blocked by code of the user's. A
function here that computes, or waits otherwise than by ``await``, holds up the others of this
executor; it belongs to the executor ``threads``.
"""

from __future__ import annotations

import asyncio
import contextvars
import logging
import threading
from collections.abc import Callable
from contextlib import suppress
from enum import IntEnum
from time import monotonic
from typing import Final, Literal

from hocket.core.task_context import PROVIDER, TaskContext
from hocket.transport import new_event_loop
from hocket.worker.shell.contexts import Contexts
from hocket.worker.shell.desk import FLUSH_INTERVAL_S, LOOP, Desk
from hocket.worker.shell.execution import Outcome, execute_in_loop
from hocket.worker.shell.interrupting import Guard
from hocket.worker.state import Task

__all__ = ["LOOP_SLOTS", "CoroutineExecutor"]

_logger: Final = logging.getLogger("hocket.worker")

_BUG: Final = "a bug in hocket, please report: the executor of coroutines of %r failed"
#: Tasks that it runs at once.
LOOP_SLOTS: Final = 100


class CoroutineExecutor:
    """Runs the tasks of the executor ``loop`` of a machine. It has no thread before the first.

    Parameters
    ----------
    desk
        Where tasks come from, and reports go.
    contexts
        Makes what tasks are told of where they run.
    inline_nbytes_max
        The largest pickled value that goes along with a report.
    loop
        As for `hocket.transport.new_event_loop`.
    on_broken
        Called in any thread when a bug of ours has ended the executor.
    """

    def __init__(
        self,
        desk: Desk,
        contexts: Contexts,
        *,
        inline_nbytes_max: int,
        loop: Literal["auto", "asyncio", "uvloop"],
        on_broken: Callable[[], None],
    ) -> None:
        self._desk = desk
        self._contexts = contexts
        self._worker = contexts.worker
        self._inline_nbytes_max = inline_nbytes_max
        self._kind = loop
        self._on_broken = on_broken
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._ending: asyncio.Task[None] | None = None
        #: What runs; belongs to the executor's thread.
        self._running: set[asyncio.Task[None]] = set()
        #: Those of them in the midst of code of the user's.
        self._interruptible: dict[Task, asyncio.Task[None] | None] = {}
        #: By which code of the user's can be interrupted that holds up the loop.
        self._guard: Guard | None = None
        self._begun_timer: asyncio.TimerHandle | None = None
        #: Whether the thread is on its way to take tasks. Guarded by the lock.
        self._is_called = False
        desk.executors.append(self)

    def wake(self) -> None:
        """Have tasks taken, if there are any. The lock must be held."""
        if self._is_called or self._desk.closing or not self._desk.machine.startable(LOOP):
            return
        if self._loop is None:
            self._start()
        if self._loop is not None:
            self._is_called = True
            self._loop.call_soon_threadsafe(self._take)

    def _start(self) -> None:
        loop = new_event_loop(self._kind)
        thread = threading.Thread(
            target=self._run, args=(loop,), name=f"{self._worker} {LOOP}", daemon=True
        )
        try:
            thread.start()
        except RuntimeError as error:
            # The system has no more just now. It is tried again when something happens.
            loop.close()
            _logger.warning("worker %r cannot run coroutines: %s", self._worker, error)
        else:
            self._loop, self._thread = loop, thread

    @property
    def is_busy(self) -> bool:
        """Whether there are tasks that have not ended."""
        return bool(self._running)

    @property
    def is_waking(self) -> bool:
        """Whether the worker's loop has to look for tasks that begin: no, that is seen to here.

        (Code of the user's may hold up the thread for long, and the worker's loop would look and
        look again.)
        """
        return False

    def close(self, timeout_s: float) -> bool:
        """Cancel what runs and end the thread. Return whether it has ended.

        The desk must be closed.

        Parameters
        ----------
        timeout_s
            How long to wait. A thread that is held up by code of the user's ends later.
        """
        with self._desk.lock:
            loop, thread = self._loop, self._thread
        if loop is None or thread is None:
            return True
        with suppress(RuntimeError):  # The loop is closed already.
            loop.call_soon_threadsafe(self._begin_end, monotonic() + timeout_s)
        thread.join(timeout_s)
        return not thread.is_alive()

    # In the executor's thread.

    def _run(self, loop: asyncio.AbstractEventLoop) -> None:
        self._guard = Guard()
        is_over = False
        while not is_over:
            try:
                loop.run_forever()
                is_over = True
            except (KeyboardInterrupt, SystemExit):
                # Of a task that the user's code made beside ours: asyncio lets these through.
                _logger.warning("code on the event loop of %r tried to end it", self._worker)
        loop.run_until_complete(loop.shutdown_asyncgens())
        loop.close()

    def _begin_end(self, deadline_s: float) -> None:
        self._ending = asyncio.get_running_loop().create_task(self._end(deadline_s))

    async def _end(self, deadline_s: float) -> None:
        """End the loop when all tasks have taken their cancellation, or at a deadline."""
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks, timeout=max(deadline_s - monotonic(), 0.0))
        asyncio.get_running_loop().stop()

    def _take(self) -> None:
        """Begin as many tasks as may run now."""
        try:
            with self._desk.lock:
                self._is_called = False
                tasks = self._take_all()
        except Exception:
            # A bug of ours must end the worker, and not only what goes on here.
            _logger.exception(_BUG, self._worker)
            self._on_broken()
            return
        self._begin(tasks)

    def _take_all(self) -> list[Task]:
        tasks: list[Task] = []
        while not self._desk.closing:
            task = self._desk.machine.take(LOOP)
            if task is None:
                break
            tasks.append(task)
        return tasks

    def _begin(self, tasks: list[Task]) -> None:
        if not tasks:
            return
        loop = asyncio.get_running_loop()
        if self._begun_timer is None:
            self._begun_timer = loop.call_later(FLUSH_INTERVAL_S, self._tell_begun)
        for task in tasks:
            # In no context of any other code.
            running = loop.create_task(
                self._run_task(task), name=task.key, context=contextvars.Context()
            )
            self._running.add(running)
            running.add_done_callback(self._running.discard)

    def _tell_begun(self) -> None:
        """Have the scheduler told of what began a while ago and still runs."""
        self._begun_timer = None
        with self._desk.lock:
            if self._desk.machine.has_unannounced:
                self._desk.flush_soon()

    async def _run_task(self, task: Task) -> None:
        """Run a task, report it, and take others."""
        desk, guard = self._desk, self._guard
        assert guard is not None
        context = _Context(self._contexts, desk, task, guard)
        PROVIDER.set(context.get)
        if task.announced:
            await self._announce()
            if desk.closing:
                return
        self._interruptible[task] = asyncio.current_task()
        outcome = await execute_in_loop(task, self._worker, self._inline_nbytes_max, guard)
        del self._interruptible[task]
        try:
            with desk.lock:
                context.end()
                following = self._report(task, outcome)
        except Exception:
            # A bug of ours must end the worker, and not only what goes on here.
            _logger.exception(_BUG, self._worker)
            self._on_broken()
            return
        self._begin(following)

    def interrupt(self, task: Task) -> None:
        """Cancel what a task does, if it runs here; for any other thread.

        If it waits, it is a cancellation that it gets; if it computes, and so holds up the loop, it
        is interrupted as in any thread.
        """
        if self._guard is not None:
            self._guard.interrupt(task)
        if self._loop is not None:
            with suppress(RuntimeError):  # The loop is closed.
                self._loop.call_soon_threadsafe(self._interrupt, task)

    def _interrupt(self, task: Task) -> None:
        running = self._interruptible.get(task)
        if running is not None:
            running.cancel()

    def _report(self, task: Task, outcome: Outcome) -> list[Task]:
        desk = self._desk
        if desk.closing:
            return []
        desk.end(task, outcome)
        following = self._take_all()
        if desk.machine.pending or following:
            desk.flush_soon()
        desk.wake()
        return following

    async def _announce(self) -> None:
        """Wait until the scheduler is told that a task begins."""
        loop = asyncio.get_running_loop()
        is_sent = asyncio.Event()

        def sent() -> None:
            with suppress(RuntimeError):  # The loop is closed, so nobody waits.
                loop.call_soon_threadsafe(is_sent.set)

        with self._desk.lock:
            self._desk.send_first(sent)
        await is_sent.wait()


class _Standing(IntEnum):
    """How a task stands to the slots."""

    #: It has one.
    HAS = 1
    #: It gave it up.
    AWAY = 2
    #: It runs on, and gets the next.
    IN_LINE = 3
    #: As `IN_LINE`, but it has gone away again and will let the next pass.
    PASSING = 4
    OVER = 5


class _Context:
    """The context of one task; made when first asked for.

    To wait for a slot would hold up all others of this executor. So a task that comes back goes on
    as it is, and the machine gives it the next slot that comes free.
    """

    def __init__(self, contexts: Contexts, desk: Desk, task: Task, guard: Guard) -> None:
        self._contexts = contexts
        self._desk = desk
        self._task = task
        self._guard = guard
        self._context: TaskContext | None = None
        #: Guarded by the lock.
        self._standing = _Standing.HAS

    def get(self) -> TaskContext:
        if self._context is None:
            self._context = self._contexts.of(
                self._task, secede=self._secede, rejoin=self._rejoin, guard=self._guard
            )
        return self._context

    def end(self) -> None:
        """Have no effect any more. The lock must be held."""
        self._standing = _Standing.OVER

    def _secede(self) -> bool:
        with self._guard.shielded(), self._desk.lock:
            if self._standing is _Standing.IN_LINE:
                self._standing = _Standing.PASSING
                return True
            if self._standing is not _Standing.HAS or not self._desk.secede(self._task):
                return False
            self._standing = _Standing.AWAY
            self._desk.wake()
            return True

    def _rejoin(self) -> None:
        with self._guard.shielded(), self._desk.lock:
            if self._standing is _Standing.PASSING:
                self._standing = _Standing.IN_LINE
            elif self._standing is _Standing.AWAY:
                has_slot = self._desk.rejoin(self._task, self._granted)
                self._standing = _Standing.HAS if has_slot else _Standing.IN_LINE

    def _granted(self) -> None:
        if self._standing is _Standing.PASSING:
            self._standing = _Standing.AWAY
            self._desk.machine.secede(self._task)
        elif self._standing is _Standing.IN_LINE:
            self._standing = _Standing.HAS
