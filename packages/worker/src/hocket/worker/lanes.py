"""Lanes: what the machine knows of each executor, its slots and the tasks that want them."""

from __future__ import annotations

import heapq
from collections import deque
from typing import Final, Generic, Protocol, TypeAlias, TypeVar

from hocket.worker.task_state import TaskState
from hocket.worker.units import NOTHING, Needs

__all__ = ["Lane", "Line"]


class _HasState(Protocol):
    """What a task must be to stand in line."""

    state: TaskState


_Task = TypeVar("_Task", bound=_HasState)

#: A task in line: lower priority first, then first come, first served.
_Entry: TypeAlias = tuple[int, int, _Task]

#: Looked up once, not for each task.
_READY: Final = TaskState.READY


class Line(Generic[_Task]):
    """Ready tasks with equal needs, best first.

    Most tasks come in the order in which they are to run, so those that are not better than the
    last that came stand in a plain row, where putting in and taking out is cheap at any length;
    only the others need the heap.
    """

    __slots__ = ("heap", "row")

    def __init__(self) -> None:
        self.row: deque[_Entry[_Task]] = deque()
        self.heap: list[_Entry[_Task]] = []

    def __len__(self) -> int:
        return len(self.row) + len(self.heap)

    def push(self, entry: _Entry[_Task]) -> None:
        """Put a task in line; serial numbers only rise."""
        row = self.row
        # So the priorities alone decide.
        if not row or row[-1][0] <= entry[0]:
            row.append(entry)
        else:
            heapq.heappush(self.heap, entry)

    def best(self) -> _Entry[_Task] | None:
        """Return the best task that is still ready, and forget the stale ones before it."""
        row, heap = self.row, self.heap
        while row and row[0][2].state is not _READY:
            row.popleft()
        while heap and heap[0][2].state is not _READY:
            heapq.heappop(heap)
        if not row:
            return heap[0] if heap else None
        return heap[0] if heap and heap[0] < row[0] else row[0]

    def pop(self) -> _Task:
        """Take out what `best` just returned."""
        row, heap = self.row, self.heap
        if not row or (heap and heap[0] < row[0]):
            return heapq.heappop(heap)[2]
        return row.popleft()[2]

    def take(self) -> _Task:
        """Take out the best task; there must be one that is ready."""
        if self.heap:
            self.best()
            return self.pop()
        row = self.row
        while True:
            task = row.popleft()[2]
            if task.state is _READY:
                return task

    def sweep(self) -> None:
        """Forget all stale entries."""
        self.row = deque(entry for entry in self.row if entry[2].state is _READY)
        self.heap = [entry for entry in self.heap if entry[2].state is _READY]
        heapq.heapify(self.heap)


class Lane(Generic[_Task]):
    """One executor: its slots, its ready tasks, and those that had seceded and come back.

    Attributes
    ----------
    name
        The executor's.
    slots, free
        How many tasks it runs at once, and how many more it could.
    plain, lines
        Its ready tasks: those without needs, and all by their needs.
    count
        How many tasks are ready.
    blocked
        Whether the last look found nothing that fits, and nothing has changed since.
    rejoining
        Tasks that wait for a slot in the middle of their run, a heap.
    """

    __slots__ = ("blocked", "count", "free", "lines", "name", "plain", "rejoining", "slots")

    def __init__(self, name: str, slots: int) -> None:
        self.name = name
        self.slots = slots
        self.free = slots
        self.plain: Line[_Task] = Line()
        self.lines: dict[Needs, Line[_Task]] = {NOTHING: self.plain}
        self.count = 0
        self.blocked = False
        self.rejoining: list[_Entry[_Task]] = []

    def leave_line(self, task: _Task) -> None:
        """Take a task out of those that wait to go on."""
        self.rejoining = [entry for entry in self.rejoining if entry[2] is not task]
        heapq.heapify(self.rejoining)
