"""Watching the moves of tasks while somebody looks: counts by function, waits, recalls."""

from __future__ import annotations

from collections.abc import Callable, Iterable
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
    FORGOTTEN,
    QUEUED,
    RECALLED,
    RELEASED,
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
#: Functions whose groups are remembered.
_KINDS_MAX: Final = 10_000
#: All that are counted. (Who is released has no place in a computation, and is not told of.)
_STATES: Final[tuple[TaskState, ...]] = (
    WAITING,
    QUEUED,
    ASSIGNED,
    RECALLED,
    STORED,
    FAILED,
    RELEASED,
    FORGOTTEN,
)

Trace: TypeAlias = Callable[[Task, TaskState, TaskState], None]


class _Group:
    __slots__ = ("counts", "finished", "name", "running_s")

    def __init__(self, name: str) -> None:
        self.name = name
        self.counts: dict[TaskState, int] = dict.fromkeys(_STATES, 0)
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
        #: By the digest of their functions.
        self._of_kinds: dict[bytes, _Group] = {}
        self._changed: dict[_Group, None] = {}
        #: When tasks began to wait, by key; how long they waited, by attempt; and whose attempts
        #: were asked back.
        self._since_s: dict[str, float] = {}
        self._waits: dict[int, float] = {}
        self._recalled: dict[int, str] = {}
        #: Whether somebody wants to know of moves, and of what is asked back.
        self.tells_moves = False
        self.tells_recalls = False
        for task in tables.tasks.values():
            self._group_of(task).counts[task.state] += 1
        self._outer: Trace | None = tables.trace
        tables.trace = self._moved

    def close(self) -> None:
        """Follow no more."""
        self._tables.trace = self._outer

    def _group_of(self, task: Task) -> _Group:
        """Return the group of a task; looked up by its function, which is quick."""
        kind = task.kind
        digest = b"" if kind is None else kind.digest
        group = self._of_kinds.get(digest)
        if group is None:
            name = SCATTERED_GROUP if kind is None else kind.label
            group = self._groups.get(name)
            if group is None:
                if len(self._groups) >= _GROUPS_MAX:
                    name = _OTHERS
                group = self._groups.setdefault(name, _Group(name))
            if len(self._of_kinds) >= _KINDS_MAX:
                self._of_kinds.clear()
            self._of_kinds[digest] = group
        return group

    def _moved(self, task: Task, source: TaskState, target: TaskState) -> None:
        if self._outer is not None:
            self._outer(task, source, target)
        kind = task.kind
        group = None if kind is None else self._of_kinds.get(kind.digest)
        if group is None:
            group = self._group_of(task)
        counts = group.counts
        counts[source] -= 1
        counts[target] += 1
        self._changed[group] = None
        if target is ASSIGNED:
            since_s = self._since_s.pop(task.key, None)
            if since_s is not None:
                if len(self._waits) >= _WAITS_MAX:
                    self._waits.clear()
                self._waits[task.attempt] = self._tables.now_s - since_s
        elif target is QUEUED or target is WAITING:
            self._since_s[task.key] = self._tables.now_s
        elif source is QUEUED or source is WAITING:
            self._since_s.pop(task.key, None)
        if self.tells_moves:
            worker = task.worker
            named = worker.name if worker is not None else ""
            self._ring.add(
                TaskMoved(self._now_s(), task.key, task.attempt, group.name, source, target, named)
            )
        if target is RECALLED or source is RECALLED:
            self._recall(task, group.name, target)

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
                self._changed[group] = None

    def counted(self) -> list[GroupCounted]:
        """Return how the groups stand that have changed since this was last called."""
        changed, self._changed = self._changed, {}
        return self._rows(changed)

    def all_counted(self) -> list[GroupCounted]:
        """Return how all groups stand."""
        return self._rows(self._groups.values())

    @property
    def is_changed(self) -> bool:
        """Whether there is something that `counted` would tell."""
        return bool(self._changed)

    def _rows(self, groups: Iterable[_Group]) -> list[GroupCounted]:
        time_s = self._now_s()
        rows = []
        for group in groups:
            counts = group.counts
            rows.append(
                GroupCounted(
                    time_s,
                    group.name,
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
