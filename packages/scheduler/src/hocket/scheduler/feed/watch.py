"""Watching the moves of tasks while somebody looks: counts by function, waits, recalls."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final, TypeAlias

from hocket.protocol.messages.feed import (
    GroupCounted,
    RecallStep,
    TaskEnded,
    TaskMoved,
    TaskOutcome,
    TaskRecalled,
)
from hocket.scheduler.state import (
    ASSIGNED,
    FAILED,
    QUEUED,
    RECALLED,
    STORED,
    WAITING,
    Task,
    TaskState,
)

if TYPE_CHECKING:
    from hocket.protocol.feed import Ring
    from hocket.scheduler.tables import Tables

__all__ = ["SCATTERED_GROUP", "Watch"]

#: What values are called that clients put there.
SCATTERED_GROUP: Final = "(scattered)"
#: Functions that are counted each by itself, and what all others are called. (Who is counted stays,
#: so that a task never changes its place.)
_GROUPS_MAX: Final = 2000
_OTHERS: Final = "(others)"
#: Attempts of which the wait is remembered until their end is told.
_WAITS_MAX: Final = 200_000
#: States that are counted. (Who is released has no place in a computation.)
_COUNTED: Final[frozenset[TaskState]] = frozenset(
    {WAITING, QUEUED, ASSIGNED, RECALLED, STORED, FAILED}
)

Trace: TypeAlias = Callable[[Task, TaskState, TaskState], None]


class _Group:
    __slots__ = ("counts", "finished", "running_s")

    def __init__(self) -> None:
        self.counts: dict[TaskState, int] = dict.fromkeys(_COUNTED, 0)
        self.finished = 0
        self.running_s = 0.0


class Watch:
    """Follows every move of a task; made when somebody begins to look, and dropped with the last.

    Parameters
    ----------
    tables
        The scheduler's; its hook for moves is taken until `close`.
    ring
        Where events go.
    now_s
        Returns the time in seconds since the epoch.
    """

    def __init__(self, tables: Tables, ring: Ring, now_s: Callable[[], float]) -> None:
        self._tables = tables
        self._ring = ring
        self._now_s = now_s
        self._groups: dict[str, _Group] = {}
        self._changed: dict[str, None] = {}
        #: When tasks began to wait, by key; how long they waited, by attempt; and whose attempts
        #: were asked back.
        self._since_s: dict[str, float] = {}
        self._waits: dict[int, float] = {}
        self._recalled: dict[int, str] = {}
        #: Whether somebody wants to know of moves, and of what is asked back.
        self.tells_moves = False
        self.tells_recalls = False
        for task in tables.tasks.values():
            if task.state in _COUNTED:
                self._group_of(task).counts[task.state] += 1
        self._outer: Trace | None = tables.trace
        tables.trace = self._moved

    def close(self) -> None:
        """Follow no more."""
        self._tables.trace = self._outer

    def _name_of(self, task: Task) -> str:
        kind = task.kind
        name = SCATTERED_GROUP if kind is None else kind.label
        return name if name in self._groups or len(self._groups) < _GROUPS_MAX else _OTHERS

    def _group_of(self, task: Task) -> _Group:
        name = self._name_of(task)
        group = self._groups.get(name)
        if group is None:
            group = self._groups[name] = _Group()
        return group

    def _moved(self, task: Task, source: TaskState, target: TaskState) -> None:
        if self._outer is not None:
            self._outer(task, source, target)
        name = self._name_of(task)
        group = self._groups.get(name)
        if group is None:
            group = self._groups[name] = _Group()
        counts = group.counts
        if source in _COUNTED:
            counts[source] -= 1
        if target in _COUNTED:
            counts[target] += 1
        self._changed[name] = None
        worker = task.worker
        if target is ASSIGNED:
            since_s = self._since_s.pop(task.key, None)
            if since_s is not None:
                if len(self._waits) >= _WAITS_MAX:
                    self._waits.clear()
                self._waits[task.attempt] = max(0.0, self._tables.now_s - since_s)
        elif target is QUEUED or target is WAITING:
            self._since_s[task.key] = self._tables.now_s
        elif self._since_s:
            self._since_s.pop(task.key, None)
        if self.tells_moves:
            named = worker.name if worker is not None else ""
            self._ring.add(
                TaskMoved(self._now_s(), task.key, task.attempt, name, source, target, named)
            )
        if target is RECALLED or source is RECALLED:
            self._recall(task, name, target)

    def _recall(self, task: Task, group: str, target: TaskState) -> None:
        if target is RECALLED:
            assert task.worker is not None
            worker = self._recalled[task.attempt] = task.worker.name
            step = RecallStep.ASKED
        else:
            worker = self._recalled.pop(task.attempt, "")
            step = RecallStep.GIVEN if target in (QUEUED, WAITING) else RecallStep.KEPT
        if self.tells_recalls:
            event = TaskRecalled(self._now_s(), task.key, task.attempt, group, worker, step)
            self._ring.add(event)

    def ended(self, event: TaskEnded) -> None:
        """Complete what a worker told of an execution, and count it."""
        event.waiting_s = self._waits.pop(event.attempt, 0.0)
        if event.outcome is TaskOutcome.STORED:
            group = self._groups.get(event.group)
            if group is not None:
                group.finished += 1
                group.running_s += event.running_s
                self._changed[event.group] = None

    def counted(self) -> list[GroupCounted]:
        """Return how the groups stand that have changed since this was last called."""
        changed, self._changed = self._changed, {}
        return self._rows(changed)

    def all_counted(self) -> list[GroupCounted]:
        """Return how all groups stand."""
        return self._rows(self._groups)

    @property
    def is_changed(self) -> bool:
        """Whether there is something that `counted` would tell."""
        return bool(self._changed)

    def _rows(self, names: dict[str, None] | dict[str, _Group]) -> list[GroupCounted]:
        time_s = self._now_s()
        rows = []
        for name in names:
            group = self._groups[name]
            counts = group.counts
            rows.append(
                GroupCounted(
                    time_s,
                    name,
                    counts[WAITING],
                    counts[QUEUED],
                    counts[ASSIGNED] + counts[RECALLED],
                    counts[STORED],
                    counts[FAILED],
                    group.finished,
                    group.running_s,
                )
            )
        return rows
