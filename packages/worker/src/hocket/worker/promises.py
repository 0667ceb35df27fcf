"""What a worker promises its scheduler, checked from what the two say to each other.

It knows nothing of the machine: it reads what the worker hears and says. For tests, for simulators
and for hunting a bug, like `hocket.worker.invariants`; it remembers all that was ever said.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any

from hocket.core.errors import InvariantBroken
from hocket.protocol.messages import (
    AbandonTasks,
    CopiesFailed,
    CopyData,
    DropData,
    ReplicasStored,
    RunTasks,
    SchedulerToWorker,
    TasksBegun,
    TasksDone,
    TasksFailed,
    TasksRejoined,
    TasksRescheduled,
    TasksReturned,
    TasksSeceded,
    WorkerLeaving,
    WorkerPaused,
    WorkerToScheduler,
)

__all__ = ["Promises"]

#: One attempt at one task, or the value that it made.
_Name = tuple[str, int]


class Promises:
    """Checks that every attempt ends in one report, and every copy; and that news are news.

    Parameters
    ----------
    is_prompt
        Whether all that there is to say is said before the next is heard. Then nothing is said of
        what was abandoned or replaced; otherwise it may have been on its way.
    """

    def __init__(self, *, is_prompt: bool = False) -> None:
        self._is_prompt = is_prompt
        #: The attempt of each key that must still be reported.
        self.owed: dict[str, int] = {}
        #: Attempts that came after a newer one of their key, to be given back; how many times each.
        self.late: Counter[_Name] = Counter()
        #: Values that were to be copied, of which nothing was said yet.
        self.owed_copies: set[_Name] = set()
        #: What was said of the worker.
        self.is_paused = False
        self.is_leaving = False
        #: Attempts that run beside the slots.
        self.seceded: set[_Name] = set()
        #: Attempts that were said to have begun, and those of which nothing need be said.
        self.begun: set[_Name] = set()
        self._excused: Counter[_Name] = Counter()
        self._asked_copies: set[_Name] = set()

    # What the worker hears.

    def heard(self, messages: Iterable[SchedulerToWorker]) -> None:
        """Note what the scheduler asks for; to be called before the worker does it."""
        for message in messages:
            action = _HEARD.get(type(message))
            if action is not None:
                action(self, message)

    def _run_tasks(self, message: RunTasks) -> None:
        for key, attempt in _names(message):
            former = self.owed.get(key)
            if former is not None and attempt < former:
                self.late[key, attempt] += 1
            else:
                if former is not None:
                    # Replaced, or the same again, which is reported again if it was refused.
                    self._excused[key, former] += 1
                self.owed[key] = attempt
            self._cancel_older_copies(key, attempt)

    def _abandon_tasks(self, message: AbandonTasks) -> None:
        for key, attempt in _names(message):
            if self.owed.get(key) == attempt:
                del self.owed[key]
                self._excused[key, attempt] += 1

    def _copy_data(self, message: CopyData) -> None:
        for key, attempt in _names(message):
            self._cancel_older_copies(key, attempt)
            self.owed_copies.add((key, attempt))
            self._asked_copies.add((key, attempt))

    def _drop_data(self, message: DropData) -> None:
        self.owed_copies.difference_update(_names(message))

    def _cancel_older_copies(self, key: str, attempt: int) -> None:
        older = [name for name in self.owed_copies if name[0] == key and name[1] < attempt]
        self.owed_copies.difference_update(older)

    # What the worker says.

    def said(self, messages: Iterable[WorkerToScheduler]) -> None:
        """Check what the worker says.

        Raises
        ------
        InvariantBroken
            It breaks a promise.
        """
        for message in messages:
            _require(getattr(message, "keys", True), "a message says something", message)
            action = _SAID.get(type(message))
            if action is not None:
                action(self, message)
        if self._is_prompt:
            self._excused.clear()
            _require(not self.late.total(), "what comes too late is given back", self.late)

    def _ended(self, message: TasksDone | TasksFailed | TasksReturned | TasksRescheduled) -> None:
        is_run = isinstance(message, TasksDone | TasksRescheduled)
        for key, attempt in _names(message):
            name = (key, attempt)
            self.begun.discard(name)
            self.seceded.discard(name)
            if isinstance(message, TasksDone):
                self._cancel_older_copies(key, attempt)
            if self.late[name] and not is_run:
                self.late[name] -= 1
            elif self.owed.get(key) == attempt:
                del self.owed[key]
            else:
                self._require_excuse(name)
                self._excused[name] -= 1

    def _begun(self, message: TasksBegun) -> None:
        for name in _names(message):
            _require(name not in self.begun, "what has begun is said once", name)
            self._require_owed(name)
            self.begun.add(name)

    def _seceded(self, message: TasksSeceded) -> None:
        for name in _names(message):
            _require(name not in self.seceded, "who secedes had a slot", name)
            self._require_owed(name)
            self.seceded.add(name)

    def _rejoined(self, message: TasksRejoined) -> None:
        for name in _names(message):
            _require(name in self.seceded, "who rejoins had seceded", name)
            self._require_owed(name)
            self.seceded.discard(name)

    def _require_owed(self, name: _Name) -> None:
        if self.owed.get(name[0]) != name[1]:
            self._require_excuse(name)

    def _require_excuse(self, name: _Name) -> None:
        # What was refused at once is reported although a newer attempt came right behind it.
        is_excused = self._excused[name] > 0
        _require(is_excused, "every attempt ends in one report, and is not named after it", name)

    def _stored(self, message: ReplicasStored) -> None:
        for key, attempt in _names(message):
            self._cancel_older_copies(key, attempt)
            self.owed_copies.discard((key, attempt))

    def _copies_failed(self, message: CopiesFailed) -> None:
        for name in _names(message):
            _require(name in self._asked_copies, "who fails to copy was asked to", name)
            self.owed_copies.discard(name)

    def _paused(self, message: WorkerPaused) -> None:
        _require(message.paused != self.is_paused, "a pause is said when it changes", message)
        self.is_paused = message.paused

    def _leaving(self, message: WorkerLeaving) -> None:
        _require(not self.is_leaving, "a worker leaves once", message)
        self.is_leaving = True


def _require(holds: object, rule: str, detail: object) -> None:
    if not holds:
        raise InvariantBroken(rule=rule, detail=repr(detail))


def _names(message: Any) -> list[_Name]:
    return list(zip(message.keys, message.attempts, strict=True))


_HEARD: dict[type, Callable[[Promises, Any], None]] = {
    RunTasks: Promises._run_tasks,  # noqa: SLF001
    AbandonTasks: Promises._abandon_tasks,  # noqa: SLF001
    CopyData: Promises._copy_data,  # noqa: SLF001
    DropData: Promises._drop_data,  # noqa: SLF001
}

_SAID: dict[type, Callable[[Promises, Any], None]] = {
    TasksBegun: Promises._begun,  # noqa: SLF001
    TasksSeceded: Promises._seceded,  # noqa: SLF001
    TasksRejoined: Promises._rejoined,  # noqa: SLF001
    TasksDone: Promises._ended,  # noqa: SLF001
    TasksFailed: Promises._ended,  # noqa: SLF001
    TasksReturned: Promises._ended,  # noqa: SLF001
    TasksRescheduled: Promises._ended,  # noqa: SLF001
    ReplicasStored: Promises._stored,  # noqa: SLF001
    CopiesFailed: Promises._copies_failed,  # noqa: SLF001
    WorkerPaused: Promises._paused,  # noqa: SLF001
    WorkerLeaving: Promises._leaving,  # noqa: SLF001
}
