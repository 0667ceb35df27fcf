"""The executor ``threads``: each of its threads runs one task at a time.

A thread takes tasks from the machine itself and reports to it itself, so a task costs no trip
through the event loop. The loop is woken at once where a thread finds nothing more to do, so a lone
task is reported without delay; while threads go from task to task the loop looks in by itself and
needs no wake-ups.

A task that has seceded keeps its thread, and another thread takes its slot. So there may be more
threads than slots; how many of them run tasks at once is for the machine to say.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from queue import SimpleQueue
from time import monotonic, sleep
from typing import Final

from hocket.core.task_context import PROVIDER, TaskContext
from hocket.protocol.messages import THREADS
from hocket.worker.shell.contexts import Contexts
from hocket.worker.shell.desk import Desk, Flush
from hocket.worker.shell.execution import Outcome, execute
from hocket.worker.shell.interrupting import Guard
from hocket.worker.state import Task

__all__ = ["ThreadExecutor"]

_logger: Final = logging.getLogger("hocket.worker")

#: How often a thread tries for the lock before it queues up for it.
_LOCK_TRIES: Final = 20

#: How long tasks that are interrupted at the end may take to clean up.
_INTERRUPTED_S: Final = 0.2

_NONE: Final = Flush.NONE
_WAKE: Final = Flush.WAKE


class ThreadExecutor:
    """Threads that run the ready tasks of a machine.

    Parameters
    ----------
    desk
        Where tasks come from, and reports go.
    contexts
        Makes what tasks are told of where they run.
    slots
        How many tasks may run at once, those that have seceded not counted.
    inline_nbytes_max
        The largest pickled value that goes along with a report.
    on_broken
        Called in any thread when a bug of ours has ended one of these.
    """

    def __init__(
        self,
        desk: Desk,
        contexts: Contexts,
        *,
        slots: int,
        inline_nbytes_max: int,
        on_broken: Callable[[], None],
    ) -> None:
        self._desk = desk
        self._machine = desk.machine
        self._contexts = contexts
        self._slots = slots
        #: The ready tasks of the other executors: what ends here may have made them so.
        lanes = desk.machine.tables.ready.lanes
        self._lanes_beside = [lane for name, lane in lanes.items() if name != THREADS]
        self._inline_nbytes_max = inline_nbytes_max
        self._on_broken = on_broken
        # All that follows is guarded by the lock.
        self._threads: set[threading.Thread] = set()
        #: By the number of the thread. (Each sees to its own entry.)
        self._seats: dict[int, _Seat] = {}
        self._numbers = 0
        self._is_short = False
        self._idle_count = 0
        #: Threads that are on their way to a task, and have not got to it.
        self._waking_count = 0
        #: Tasks that run without a slot.
        self._seceded: dict[Task, None] = {}
        self._wakeups: SimpleQueue[None] = SimpleQueue()
        desk.executors.append(self)

    @property
    def is_busy(self) -> bool:
        """Whether some thread is not waiting for a task. The lock must be held."""
        return self._idle_count < len(self._threads)

    @property
    def is_waking(self) -> bool:
        """Whether some thread is on its way to a task. The lock must be held."""
        return self._waking_count > 0

    def start(self) -> None:
        """Start a thread for each slot."""
        with self._desk.lock:
            for _ in range(self._slots - len(self._threads)):
                self._add_thread()

    def wake(self) -> None:
        """Wake as many idle threads as there are tasks for. The lock must be held."""
        missing = self._slots + len(self._seceded) - len(self._threads)
        if not self._idle_count and missing <= 0:
            return
        # Those on their way will take some.
        wanted = self._machine.startable_count - self._waking_count
        for _ in range(min(self._idle_count, wanted)):
            self._idle_count -= 1
            self._waking_count += 1
            self._wakeups.put(None)
            wanted -= 1
        for _ in range(min(missing, wanted)):
            self._add_thread()

    def close(self, timeout_s: float) -> bool:
        """End the threads as they end their tasks. Return whether all have ended.

        The desk must be closed.

        Parameters
        ----------
        timeout_s
            How long to wait for them; then their tasks are interrupted. A thread that runs on all
            the same ends later, and reports nothing.
        """
        with self._desk.lock:
            threads = list(self._threads)
            for _ in threads:
                self._wakeups.put(None)
        if _join(threads, timeout_s):
            return True
        for seat in list(self._seats.values()):
            if (task := seat.task) is not None:
                seat.interrupt(task)
        return _join(threads, _INTERRUPTED_S)

    def _add_thread(self) -> None:
        if self._desk.closing:
            return
        worker = self._contexts.worker
        name = f"{worker} thread {self._numbers}"
        thread = threading.Thread(target=self._run, name=name, daemon=True)
        try:
            thread.start()
        except RuntimeError as error:
            # The system has no more. Tasks wait until one of those that there are comes free.
            if not self._is_short:
                self._is_short = True
                _logger.warning("worker %r cannot start another thread: %s", worker, error)
            return
        self._numbers += 1
        self._threads.add(thread)
        self._waking_count += 1

    def _run(self) -> None:
        try:
            seat = self._seats[threading.get_ident()] = _Seat(self, self._desk)
            try:
                seat.run_tasks(self._wakeups, self._inline_nbytes_max)
            finally:
                del self._seats[threading.get_ident()]
        except BaseException:
            # No code of the user's gets here. A worker that goes on with fewer threads, or with a
            # machine that is not in order, would keep tasks that others could run.
            _logger.exception(
                "a bug in hocket, please report: a thread of %r ended", self._contexts.worker
            )
            self._on_broken()

    def running(self) -> dict[int, Task]:
        """Return which thread runs what, by the number of the thread; for any thread."""
        seats = list(self._seats.items())
        return {number: task for number, seat in seats if (task := seat.task) is not None}

    def interrupt(self, task: Task) -> None:
        """Interrupt a task that one of the threads runs, if that can be; for any other thread."""
        for seat in list(self._seats.values()):
            seat.interrupt(task)

    def next_task(self, seat: _Seat, outcome: Outcome | None) -> Task | None:
        """Report how the task of a thread ended, and give it the next one. For the threads.

        Parameters
        ----------
        seat
            Of the thread; without a task if it was waiting for one.
        outcome
            None if the task did not begin, since the worker ends.
        """
        desk, machine = self._desk, self._machine
        task, following = seat.task, None
        self._acquire()
        try:
            if task is None:
                self._waking_count -= 1
            elif outcome is not None:
                desk.end(task, outcome)
                if self._seceded:
                    self._seceded.pop(task, None)
            if desk.closing:
                return None
            following = machine.take()
            if following is None:
                self._idle_count += 1
                if desk.flush is not _WAKE and machine.pending:
                    desk.flush_soon()
            elif desk.flush is _NONE and (task is not None or machine.pending):
                # There is a report, or at least the news that another has begun. Where a thread was
                # woken, the loop looks in soon by itself.
                desk.flush_soon()
            if self._idle_count or self._seceded:
                desk.wake()
            else:
                for lane in self._lanes_beside:
                    if lane.count:
                        desk.wake()
                        break
        finally:
            # In one go with the taking: whoever hears that it was taken may want it interrupted.
            seat.task = following
            desk.lock.release()
        return following

    def is_superfluous(self) -> bool:
        """Let the thread that calls this go, if it waits and too many others do."""
        # As many as there are slots may wait for the next tasks that secede.
        threads_max = 2 * self._slots
        if len(self._threads) <= threads_max:
            return False
        with self._desk.lock:
            if len(self._threads) - len(self._seceded) <= threads_max:
                return False
            if not self._idle_count or self._desk.closing:
                return False  # There is something for each of those that wait, this one included.
            self._idle_count -= 1
            self._threads.discard(threading.current_thread())
            return True

    def _acquire(self) -> None:
        """Take the lock, if possible without queuing up for it.

        A thread that queues up gets the lock while it does not have the interpreter; whoever has
        that meets a taken lock, queues up in turn, and from then on the threads change at every
        task (11.8 us a task with four threads, against 6.4).
        """
        lock = self._desk.lock
        for _ in range(_LOCK_TRIES):
            if lock.acquire(blocking=False):
                return
            sleep(0)
        lock.acquire()

    # What tasks ask for.

    def context_of(self, seat: _Seat, task: Task) -> TaskContext:
        """Return the context of the task of a thread."""
        attempt = task.attempt
        # The context may outlive the task, and must not keep its inputs alive.
        return self._contexts.of(
            task,
            secede=lambda: self._secede(seat, attempt),
            rejoin=lambda: self._rejoin(seat, attempt),
            guard=seat.guard,
        )

    def _secede(self, seat: _Seat, attempt: int) -> bool:
        with seat.guard.shielded(), self._desk.lock:
            task = seat.task
            if task is None or task.attempt != attempt or not self._desk.secede(task):
                return False
            self._seceded[task] = None
            self._desk.wake()
            return True

    def _rejoin(self, seat: _Seat, attempt: int) -> None:
        gate = threading.Lock()
        gate.acquire()
        with seat.guard.shielded(), self._desk.lock:
            task = seat.task
            if task is None or task.attempt != attempt or task not in self._seceded:
                return
            if seat.guard.interrupted is task:
                return  # It is to end, and not to wait for others before.
            granted = partial(self._granted, task, gate)
            if self._desk.rejoin(task, granted):
                granted()
        seat.guard.wake_by(partial(_open, gate))
        try:
            gate.acquire()
        finally:
            seat.guard.wake_by(None)

    def _granted(self, task: Task, gate: threading.Lock) -> None:
        self._seceded.pop(task, None)
        _open(gate)


class _Seat:
    """One of the threads."""

    __slots__ = ("_context", "_desk", "_executor", "guard", "task")

    def __init__(self, executor: ThreadExecutor, desk: Desk) -> None:
        self._executor = executor
        self._desk = desk
        self._context: TaskContext | None = None
        #: By which the code of the user's can be interrupted.
        self.guard = Guard()
        #: What the thread was given; guarded by the lock.
        self.task: Task | None = None

    def context(self) -> TaskContext | None:
        """Return the context of the present task; made when first asked for."""
        task = self.task
        if task is None:
            return None
        context = self._context
        if context is None or context.attempt != task.attempt or context.key != task.key:
            context = self._context = self._executor.context_of(self, task)
        return context

    def run_tasks(self, wakeups: SimpleQueue[None], inline_nbytes_max: int) -> None:
        """Run tasks until the executor has no use for this thread any more."""
        PROVIDER.set(self.context)
        executor, desk, guard = self._executor, self._desk, self.guard
        worker = desk.machine.name
        task: Task | None = None
        outcome: Outcome | None = None
        while True:
            task = executor.next_task(self, outcome)
            # What was dropped meanwhile ends here, and not under the lock.
            outcome = None
            if task is None:
                self._context = None
                if executor.is_superfluous():
                    return
                wakeups.get()
                if desk.closing:
                    return
                continue
            if task.announced and not self._announce():
                continue
            outcome = execute(task, worker, inline_nbytes_max, guard)

    def interrupt(self, task: Task) -> None:
        """Interrupt a task, if the thread has it and it can be."""
        if self.task is task:
            self.guard.interrupt(task)

    def _announce(self) -> bool:
        """Wait until the scheduler is told that a task begins. Return whether it may."""
        gate = threading.Event()
        with self._desk.lock:
            self._desk.send_first(gate.set)
        gate.wait()
        return not self._desk.closing


def _join(threads: Sequence[threading.Thread], timeout_s: float) -> bool:
    """Wait for threads to end; return whether all have."""
    deadline_s = monotonic() + timeout_s
    for thread in threads:
        thread.join(max(deadline_s - monotonic(), 0.0))
    return not any(thread.is_alive() for thread in threads)


def _open(gate: threading.Lock) -> None:
    """Let whoever waits for a lock go on, or who will."""
    with suppress(RuntimeError):  # It was opened before.
        gate.release()
