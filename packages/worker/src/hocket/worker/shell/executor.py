"""The threads that run tasks.

Each takes tasks from the machine itself and reports to the machine itself, under the machine's
lock; the event loop hears of it in batches. One wake-up of the loop is under way at most, and it
carries all that has piled up when the loop gets to it. It is given at once where a thread finds
nothing more to do, so a lone task is reported without delay; while threads go from task to task the
loop looks in every `FLUSH_INTERVAL_S` by itself and needs no wake-ups.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from enum import IntEnum
from queue import SimpleQueue
from time import monotonic, sleep
from typing import Final

from hocket.worker.machine import WorkerMachine
from hocket.worker.shell.current import running
from hocket.worker.shell.execution import Outcome, execute
from hocket.worker.state import Task

__all__ = ["FLUSH_INTERVAL_S", "Executor", "Flush"]

_logger: Final = logging.getLogger("hocket.worker")

#: How often the loop looks for reports while threads are busy.
FLUSH_INTERVAL_S: Final = 0.001


#: How often a thread tries for the lock before it queues up for it.
_LOCK_TRIES: Final = 20


class Flush(IntEnum):
    """What makes the loop send the reports that pile up."""

    #: Nothing: there are none.
    NONE = 0
    #: A timer of the loop's.
    TIMER = 1
    #: A wake-up, which comes at once.
    WAKE = 2


class Executor:
    """Threads that run the ready tasks of a machine.

    Parameters
    ----------
    machine, lock
        The machine, and the lock that guards it.
    name
        The worker's name.
    threads_count
        How many tasks may run at once.
    inline_nbytes_max
        The largest pickled value that goes along with a report.
    wake_loop
        Makes the event loop flush soon; called in any thread, with the lock held.
    on_broken
        Called in any thread when a bug of ours has ended one of these.
    """

    def __init__(
        self,
        machine: WorkerMachine,
        lock: threading.Lock,
        *,
        name: str,
        threads_count: int,
        inline_nbytes_max: int,
        wake_loop: Callable[[], None],
        on_broken: Callable[[], None],
    ) -> None:
        self._machine = machine
        self._lock = lock
        self._name = name
        self._inline_nbytes_max = inline_nbytes_max
        self._wake_loop = wake_loop
        self._on_broken = on_broken
        self._closing = False
        self._idle_count = 0
        self._wakeups: SimpleQueue[None] = SimpleQueue()
        #: Guarded by the lock; the shell sets it back when it has sent what there was.
        self.flush = Flush.NONE
        self._threads = [
            threading.Thread(target=self._run, name=f"{name} thread {index}", daemon=True)
            for index in range(threads_count)
        ]

    @property
    def is_busy(self) -> bool:
        """Whether some thread is not waiting for a task. The lock must be held."""
        return self._idle_count < len(self._threads)

    def start(self) -> None:
        """Start the threads."""
        for thread in self._threads:
            thread.start()

    def wake(self) -> None:
        """Wake as many idle threads as there are tasks for. The lock must be held."""
        if self._idle_count:
            for _ in range(min(self._idle_count, self._machine.startable_count)):
                self._idle_count -= 1
                self._wakeups.put(None)

    def close(self, timeout_s: float) -> bool:
        """End the threads as they end their tasks. Return whether all have ended.

        Parameters
        ----------
        timeout_s
            How long to wait for them. A thread that runs on ends later, and reports nothing.
        """
        with self._lock:
            self._closing = True
            for _ in self._threads:
                self._wakeups.put(None)
        deadline_s = monotonic() + timeout_s
        for thread in self._threads:
            if thread.ident is not None:
                thread.join(max(deadline_s - monotonic(), 0.0))
        return not any(thread.is_alive() for thread in self._threads)

    def _run(self) -> None:
        try:
            self._run_tasks()
        except BaseException:
            # No code of the user's gets here. A worker that goes on with fewer threads, or with a
            # machine that is not in order, would keep tasks that others could run.
            _logger.exception("a bug in hocket, please report: a thread of %r ended", self._name)
            self._on_broken()

    def _run_tasks(self) -> None:
        """Run tasks until the executor is closed."""
        running.worker = self._name
        task: Task | None = None
        outcome: Outcome | None = None
        while True:
            task = self._next(task, outcome)
            # What was dropped meanwhile ends here, and not under the lock.
            outcome = None
            if task is None:
                running.task = None
                self._wakeups.get()
                if self._closing:
                    return
                continue
            running.task = task
            outcome = execute(task, self._name, self._inline_nbytes_max)

    def _next(self, task: Task | None, outcome: Outcome | None) -> Task | None:
        """Report how a task ended, and take the next one."""
        machine = self._machine
        self._acquire()
        try:
            if task is not None and outcome is not None:
                value, nbytes, inline, failure, start_s, duration_s = outcome
                if failure is None:
                    machine.executed(task, value, nbytes, start_s, duration_s, inline)
                else:
                    machine.failed(task, failure, start_s, duration_s)
            if self._closing:
                return None
            following = machine.take()
            if following is None:
                self._idle_count += 1
                if self.flush is not Flush.WAKE and machine.pending:
                    self._flush_soon()
            elif self.flush is Flush.NONE and machine.pending:
                self._flush_soon()
            if self._idle_count:
                self.wake()
        finally:
            self._lock.release()
        return following

    def _acquire(self) -> None:
        """Take the lock, if possible without queuing up for it.

        A thread that queues up gets the lock while it does not have the interpreter; whoever has
        that meets a taken lock, queues up in turn, and from then on the threads change at every
        task (11.8 us a task with four threads, against 6.4).
        """
        for _ in range(_LOCK_TRIES):
            if self._lock.acquire(blocking=False):
                return
            sleep(0)
        self._lock.acquire()

    def _flush_soon(self) -> None:
        self.flush = Flush.WAKE
        self._wake_loop()
