"""Where the executors of a worker meet its event loop: reports one way, slots the other.

Executors take tasks from the machine themselves and report to it themselves, under its lock; the
event loop hears of it in batches. One wake-up of the loop is under way at most, and it carries all
that has piled up when the loop gets to it.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from enum import IntEnum
from typing import Final, Protocol

from hocket.core.errors import Reschedule
from hocket.worker.machine import WorkerMachine
from hocket.worker.shell.execution import Outcome
from hocket.worker.state import Task

__all__ = ["FLUSH_INTERVAL_S", "LOOP", "PROCESSES", "Desk", "Executor", "Flush"]

#: What the executors of coroutines and of processes are called; for the others see
#: `hocket.protocol.messages`.
LOOP: Final = "loop"
PROCESSES: Final = "processes"
#: How often reports are looked for while executors are busy, and how soon it is told of a task that
#: it runs.
FLUSH_INTERVAL_S: Final = 0.001


class Flush(IntEnum):
    """What makes the loop send the reports that pile up."""

    #: Nothing: there are none.
    NONE = 0
    #: A timer of the loop's.
    TIMER = 1
    #: A wake-up, which comes at once.
    WAKE = 2


class Executor(Protocol):
    """What runs tasks, as the desk sees it. The lock is held wherever this is used."""

    @property
    def is_busy(self) -> bool:
        """Whether it runs tasks, or is about to."""

    @property
    def is_waking(self) -> bool:
        """Whether it is on its way to a task, and has not got to it."""

    def wake(self) -> None:
        """Have the tasks begun that may."""


class Desk:
    """The machine as executors and event loop share it. All methods want the lock to be held.

    Parameters
    ----------
    machine, lock
        The machine, and the lock that guards it.
    wake_loop
        Makes the event loop flush soon; called in any thread, with the lock held.
    """

    def __init__(
        self, machine: WorkerMachine, lock: threading.Lock, *, wake_loop: Callable[[], None]
    ) -> None:
        self.machine = machine
        self.lock = lock
        self._wake_loop = wake_loop
        #: What makes the loop send; it sets this back when it has sent what there was.
        self.flush = Flush.NONE
        #: Whether no task may begin any more, and none be reported.
        self.closing = False
        #: They enter themselves here.
        self.executors: list[Executor] = []
        #: Who waits until what piled up is sent, and who for a slot.
        self._unsent: list[Callable[[], None]] = []
        self._rejoining: dict[Task, Callable[[], None]] = {}

    @property
    def is_busy(self) -> bool:
        """Whether some executor runs tasks."""
        return any(executor.is_busy for executor in self.executors)

    @property
    def is_waking(self) -> bool:
        """Whether some executor is on its way to a task."""
        return any(executor.is_waking for executor in self.executors)

    def wake(self) -> None:
        """Have the tasks begun that may."""
        for executor in self.executors:
            executor.wake()

    def flush_soon(self) -> None:
        """Have the loop send what there is, at once."""
        if self.flush is not Flush.WAKE:
            self.flush = Flush.WAKE
            self._wake_loop()

    def end(self, task: Task, outcome: Outcome) -> None:
        """Report how a task ended."""
        value, nbytes, inline, failure, start_s, duration_s, phases = outcome
        if failure is None:
            self.machine.executed(task, value, nbytes, start_s, duration_s, inline, phases)
        elif isinstance(failure, Reschedule):
            self.machine.rescheduled(task, start_s, duration_s)
        else:
            self.machine.failed(task, failure, start_s, duration_s)
        if self._rejoining:
            self._rejoining.pop(task, None)
            self.grant()

    def secede(self, task: Task) -> bool:
        """Give up the slot of a running task. Return whether it had one."""
        if self.closing or not self.machine.secede(task):
            return False
        self.grant()
        # The task is going to wait, or it would not have asked.
        self.flush_soon()
        return True

    def rejoin(self, task: Task, granted: Callable[[], None]) -> bool:
        """Take a slot for a task that has given up its own.

        Returns
        -------
        bool
            Whether it has one now; if not, `granted` is called once, with the lock held, when it
            has one or the worker ends.
        """
        if self.closing or self.machine.rejoin(task):
            self.flush_soon()
            return True
        self._rejoining[task] = granted
        return False

    def grant(self) -> None:
        """Tell those who stood in line for a slot and have one now."""
        while tasks := self.machine.take_granted():
            for task in tasks:
                granted = self._rejoining.pop(task, None)
                if granted is not None:
                    granted()  # It may let the slot go to the next at once.

    def send_first(self, sent: Callable[[], None]) -> None:
        """Have all that piled up sent; then call this, once, with or without the lock."""
        if self.closing:
            sent()
            return
        self._unsent.append(sent)
        self.flush_soon()

    def take_unsent(self) -> list[Callable[[], None]]:
        """Return what is to be called when what is in the outbox now is sent."""
        unsent, self._unsent = self._unsent, []
        return unsent

    def close(self) -> None:
        """Let no task begin any more, and nobody wait."""
        self.closing = True
        # From here on nobody wakes the loop.
        self.flush = Flush.WAKE
        waiting = [*self.take_unsent(), *self._rejoining.values()]
        self._rejoining.clear()
        for each in waiting:
            each()

    def let_go(self) -> None:
        """Let go of all values, once it is closed: some have something to end. Takes the lock."""
        with self.lock:
            values = self.machine.let_go()
        # (They may run code of the user's as they go.)
        del values
