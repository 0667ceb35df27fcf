"""The table of a task's moves: from where to where, what causes each, what must hold, what follows.

The table is what the code may do (:func:`watch` checks each move against it, and its guard), what
the docs draw, and what the simulator counts.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from hocket.core.errors import InvariantBroken
from hocket.protocol.messages import ACTORS
from hocket.scheduler.state import (
    ASSIGNED,
    FAILED,
    FORGOTTEN,
    QUEUED,
    RECALLED,
    RELEASED,
    STORED,
    WAITING,
)

if TYPE_CHECKING:
    from hocket.scheduler.state import Task, TaskState

__all__ = ["TRANSITIONS", "Guard", "Transition", "watch"]


@dataclass(frozen=True, slots=True)
class Guard:
    """What must hold of a task for a move, in words and as a test."""

    text: str
    holds: Callable[[Task], bool]


@dataclass(frozen=True, slots=True)
class Transition:
    """One allowed move."""

    source: TaskState
    target: TaskState
    cause: str
    guard: Guard
    effects: str


_FREE: Final = Guard("no worker has it", lambda task: task.worker is None)
_ALL_STORED: Final = Guard(
    "needed, all inputs are stored", lambda task: task.is_needed() and not task.missing_count
)
_SOME_MISSING: Final = Guard(
    "needed, some input is not stored", lambda task: task.is_needed() and task.missing_count > 0
)
_UNNEEDED: Final = Guard("not needed", lambda task: not task.is_needed() and task.worker is None)
_UNREAD: Final = Guard(
    "not needed, and no task depends on it",
    lambda task: not task.is_needed() and not task.dependents_count,
)
_UNHELD: Final = Guard(
    "no worker holds it, or it is not needed",
    lambda task: task.holders is None or not task.is_needed(),
)
_IRREPLACEABLE: Final = Guard(
    "no worker holds it, and it is data, or an actor",
    lambda task: task.holders is None and (task.kind is None or task.options.executor == ACTORS),
)
_DATA: Final = Guard("it is data, not a task", lambda task: task.kind is None)
_BEGUN: Final = Guard(
    "the attempt is the present one", lambda task: task.attempt > 0 and task.worker is None
)
_GIVEN: Final = Guard(
    "it is assigned", lambda task: task.worker is not None and task in task.worker.assigned
)

#: Every move that there is.
TRANSITIONS: Final[tuple[Transition, ...]] = (
    Transition(RELEASED, WAITING, "somebody needs it", _SOME_MISSING, "inputs are needed"),
    Transition(RELEASED, QUEUED, "somebody needs it", _ALL_STORED, "inputs are needed"),
    Transition(RELEASED, STORED, "a client put its value on workers", _DATA, "clients are told"),
    Transition(
        RELEASED, FAILED, "an input failed, or it cannot be computed", _FREE, "clients are told"
    ),
    Transition(RELEASED, FORGOTTEN, "nothing can need it any more", _UNREAD, "the record is gone"),
    Transition(WAITING, QUEUED, "the last input was stored", _ALL_STORED, ""),
    Transition(
        WAITING,
        ASSIGNED,
        "a worker has all missing inputs to make",
        _SOME_MISSING,
        "as from queued",
    ),
    Transition(WAITING, FAILED, "an input failed", _FREE, "clients are told; dependents fail"),
    Transition(WAITING, RELEASED, "nobody needs it any more", _UNNEEDED, "inputs may be released"),
    Transition(
        QUEUED, ASSIGNED, "a worker has room", _ALL_STORED, "a new attempt is sent to the worker"
    ),
    Transition(QUEUED, WAITING, "an input was lost", _SOME_MISSING, ""),
    Transition(QUEUED, FAILED, "an input failed", _FREE, "clients are told; dependents fail"),
    Transition(QUEUED, RELEASED, "nobody needs it any more", _UNNEEDED, "inputs may be released"),
    Transition(
        ASSIGNED, STORED, "the worker has its value", _BEGUN, "dependents may run; clients told"
    ),
    Transition(ASSIGNED, RECALLED, "another worker is idle", _GIVEN, "the worker is asked for it"),
    Transition(
        ASSIGNED, QUEUED, "returned, retried, or its worker died", _ALL_STORED, "it may rest first"
    ),
    Transition(ASSIGNED, WAITING, "the same, and an input is missing", _SOME_MISSING, ""),
    Transition(ASSIGNED, FAILED, "it raised, or killed too many workers", _FREE, "dependents fail"),
    Transition(
        ASSIGNED, RELEASED, "nobody needs it any more", _UNNEEDED, "the attempt is abandoned"
    ),
    Transition(RECALLED, STORED, "it had begun after all", _BEGUN, "as from assigned"),
    Transition(RECALLED, QUEUED, "the worker gave it back", _ALL_STORED, ""),
    Transition(RECALLED, WAITING, "given back, and an input is missing", _SOME_MISSING, ""),
    Transition(RECALLED, FAILED, "it had begun, and raised", _FREE, "as from assigned"),
    Transition(
        RECALLED, RELEASED, "nobody needs it any more", _UNNEEDED, "the attempt is abandoned"
    ),
    Transition(
        STORED, RELEASED, "nobody needs it, or its last copy was lost", _UNHELD, "copies dropped"
    ),
    Transition(
        STORED,
        FAILED,
        "its last copy was lost, none can be made",
        _IRREPLACEABLE,
        "dependents fail",
    ),
    Transition(FAILED, RELEASED, "nobody asks for it, or it is to be tried again", _FREE, ""),
)

_BY_PAIR: Final = {(one.source, one.target): one for one in TRANSITIONS}


def watch(task: Task, source: TaskState, target: TaskState) -> None:
    """Raise InvariantBroken at a move that the table does not allow (to be set as the trace).

    It is called before the state changes.
    """
    transition = _BY_PAIR.get((source, target))
    if transition is None:
        raise InvariantBroken(rule="transition table", detail=f"{task.key}: {source} -> {target}")
    if not transition.guard.holds(task):
        detail = f"{task.key}: {source} -> {target}, but not: {transition.guard.text}"
        raise InvariantBroken(rule="transition guard", detail=detail)
