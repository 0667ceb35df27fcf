"""The queue of tasks that may run: the best that fits into the free resources comes out first.

Tasks with equal needs share a line. Lines that need resources wait for each other by priority:
while the best task of one does not fit, no worse task may take a resource that it needs, or a task
that needs two GPUs would wait forever behind tasks that need one.
"""

from __future__ import annotations

import heapq
from collections import deque
from typing import Final

from hocket.worker.resources import NOTHING, Needs, Resources
from hocket.worker.state import Task, TaskState

__all__ = ["ReadyQueue"]

#: A task in line: lower priority first, then first come, first served.
_Entry = tuple[int, int, Task]

#: Entries of tasks that are gone stay until there are more of them than this, and than others.
_STALE_MAX: Final = 256


class _Line:
    """Tasks with equal needs, best first.

    Most tasks come in the order in which they are to run, so those that are not better than the
    last that came stand in a plain row, where putting in and taking out is cheap at any length;
    only the others need the heap.
    """

    __slots__ = ("heap", "row")

    def __init__(self) -> None:
        self.row: deque[_Entry] = deque()
        self.heap: list[_Entry] = []

    def __len__(self) -> int:
        return len(self.row) + len(self.heap)

    def push(self, entry: _Entry) -> None:
        row = self.row
        # Serial numbers only rise, so the priorities alone decide.
        if not row or row[-1][0] <= entry[0]:
            row.append(entry)
        else:
            heapq.heappush(self.heap, entry)

    def best(self) -> _Entry | None:
        """Return the best task that is still ready, and forget the stale ones before it."""
        row, heap = self.row, self.heap
        while row and row[0][2].state is not TaskState.READY:
            row.popleft()
        while heap and heap[0][2].state is not TaskState.READY:
            heapq.heappop(heap)
        if not row:
            return heap[0] if heap else None
        return heap[0] if heap and heap[0] < row[0] else row[0]

    def pop(self) -> Task:
        """Take out what `best` just returned."""
        row, heap = self.row, self.heap
        if not row or (heap and heap[0] < row[0]):
            return heapq.heappop(heap)[2]
        return row.popleft()[2]

    def sweep(self) -> None:
        """Forget all stale entries."""
        self.row = deque(entry for entry in self.row if entry[2].state is TaskState.READY)
        self.heap = [entry for entry in self.heap if entry[2].state is TaskState.READY]
        heapq.heapify(self.heap)


class ReadyQueue:
    """Tasks in state READY.

    A task that leaves that state otherwise than by `take` stays in its line as a stale entry and is
    passed over there; `discard` must be told of it.
    """

    __slots__ = ("_blocked", "_lines", "_plain", "_serial", "count", "stale_count")

    def __init__(self) -> None:
        self._plain = _Line()
        self._lines: dict[Needs, _Line] = {NOTHING: self._plain}
        self._serial = 0
        #: Whether the last `take` found nothing that fits, and nothing has changed since.
        self._blocked = False
        #: Tasks that are ready.
        self.count = 0
        #: Entries of tasks that are ready no more, at most.
        self.stale_count = 0

    def push(self, task: Task) -> None:
        """Put a task in line; its state must be READY."""
        self._serial += 1
        entry = (task.priority, self._serial, task)
        if not task.needs:
            self._plain.push(entry)
        else:
            line = self._lines.get(task.needs)
            if line is None:
                line = self._lines[task.needs] = _Line()
            line.push(entry)
        self.count += 1
        self._blocked = False

    def discard(self) -> None:
        """One of the ready tasks is ready no more."""
        self.count -= 1
        self.stale_count += 1
        self._blocked = False
        if self.stale_count > _STALE_MAX and self.stale_count > self.count:
            for needs, line in list(self._lines.items()):
                line.sweep()
                if not line and needs:
                    del self._lines[needs]
            self.stale_count = 0

    def unblock(self) -> None:
        """Resources were released."""
        self._blocked = False

    def startable_count(self) -> int:
        """How many tasks could be taken now, at least; exact where no task needs resources.

        Where tasks need resources it is 0 or 1: who takes that one asks again.
        """
        if not self.count or self._blocked:
            return 0
        return self.count if len(self._lines) == 1 else 1

    def take(self, resources: Resources) -> Task | None:
        """Take out the best task that fits; None if there is none. Nothing is reserved here."""
        if not self.count:
            return None
        if len(self._lines) == 1:
            # Not empty, since count is not 0: some entry in the only line is ready.
            self._plain.best()
            self.count -= 1
            return self._plain.pop()
        return self._take_among_lines(resources)

    def _take_among_lines(self, resources: Resources) -> Task | None:
        heads = []
        for needs, line in list(self._lines.items()):
            best = line.best()
            if best is not None:
                heads.append((best, needs, line))
            elif needs:
                del self._lines[needs]
        heads.sort(key=lambda head: head[0][:2])
        spoken_for: set[str] = set()
        for _, needs, line in heads:
            names = [name for name, _ in needs]
            if spoken_for.isdisjoint(names):
                if resources.fit(needs):
                    self.count -= 1
                    return line.pop()
                spoken_for.update(name for name, _ in needs)
        self._blocked = True
        return None
