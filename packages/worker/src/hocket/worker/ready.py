"""The queue of tasks that may run: the best that fits into the free resources comes out first.

Each executor has a lane of its own; in it, tasks with equal needs share a line. Lines that need
resources wait for each other by priority, across lanes: while the best task of one does not fit, no
worse task may take a resource that it needs, or a task that needs two GPUs would wait forever
behind tasks that need one. A lane without a free slot claims nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from hocket.worker.lanes import Lane, Line
from hocket.worker.resources import Resources
from hocket.worker.state import Task

__all__ = ["ReadyQueue"]

#: Entries of tasks that are gone stay until there are more of them than this, and than others.
_STALE_MAX: Final = 256


class ReadyQueue:
    """Tasks in state READY, and the slots that they wait for.

    A task that leaves that state otherwise than by `take` stays in its line as a stale entry and is
    passed over there; `discard` must be told of it. Who takes a task from here takes a slot, too,
    and gives it back.

    Parameters
    ----------
    slots
        How many tasks each executor runs at once, by its name.
    """

    __slots__ = ("_serial", "lanes", "stale_count")

    def __init__(self, slots: Mapping[str, int]) -> None:
        self.lanes: dict[str, Lane[Task]] = {
            name: Lane(name, count) for name, count in slots.items()
        }
        self._serial = 0
        #: Entries of tasks that are ready no more, at most.
        self.stale_count = 0

    @property
    def count(self) -> int:
        """How many tasks are ready."""
        return sum(lane.count for lane in self.lanes.values())

    @property
    def is_occupied(self) -> bool:
        """Whether any task has a slot."""
        return any(lane.free < lane.slots for lane in self.lanes.values())

    def next_serial(self) -> int:
        """Return a number for who comes now."""
        self._serial += 1
        return self._serial

    def push(self, task: Task) -> None:
        """Put a task in line; its state must be READY."""
        self._serial = serial = self._serial + 1
        terms = task.terms
        lane = terms.lane
        if not terms.needs:
            lane.plain.push((task.priority, serial, task))
        else:
            line = lane.lines.get(terms.needs)
            if line is None:
                line = lane.lines[terms.needs] = Line()
            line.push((task.priority, serial, task))
            # Whose claim comes first may have changed.
            self.unblock()
        lane.count += 1
        lane.blocked = False

    def discard(self, task: Task) -> None:
        """Note that a ready task is ready no more."""
        task.terms.lane.count -= 1
        self.stale_count += 1
        self.unblock()
        if self.stale_count > _STALE_MAX and self.stale_count > self.count:
            for lane in self.lanes.values():
                for needs, line in list(lane.lines.items()):
                    line.sweep()
                    if not line and needs:
                        del lane.lines[needs]
            self.stale_count = 0

    def unblock(self) -> None:
        """Note that what claimed resources, or had them, does so no more."""
        for lane in self.lanes.values():
            lane.blocked = False

    def startable_count(self, lane: Lane[Task]) -> int:
        """How many tasks could be taken now, at least; exact where no task needs resources.

        Where tasks need resources it is 0 or 1: who takes that one asks again.
        """
        if not lane.count or lane.blocked or not lane.free:
            return 0
        return min(lane.free, lane.count) if len(lane.lines) == 1 else 1

    def take(self, lane: Lane[Task], resources: Resources) -> Task | None:
        """Take out the best task of a lane that fits; None if there is none, or no slot.

        Neither a slot nor resources are reserved here.
        """
        if not lane.count or not lane.free:
            return None
        if len(lane.lines) == 1:
            # Not empty, since count is not 0: some entry in the only line is ready.
            lane.count -= 1
            return lane.plain.take()
        found = self._find([lane], resources)
        if found is None:
            lane.blocked = True
            return None
        lane.count -= 1
        if len(self.lanes) > 1:
            # What it claimed it has now, or its lane claims nothing any more.
            self.unblock()
        return found[1].pop()

    def best(self, resources: Resources) -> Lane[Task] | None:
        """Return the lane from which the best task of all that can start would be taken."""
        found = self._find(list(self.lanes.values()), resources)
        return None if found is None else found[0]

    def _find(
        self, wanted: list[Lane[Task]], resources: Resources
    ) -> tuple[Lane[Task], Line[Task]] | None:
        """Find the best task that fits in one of these lanes; its line gives it out next."""
        heads = []
        for lane in self.lanes.values():
            if not lane.free or not lane.count:
                continue
            for needs, line in list(lane.lines.items()):
                best = line.best()
                if best is not None:
                    heads.append((best[:2], needs, lane, line))
                elif needs:
                    del lane.lines[needs]
        heads.sort(key=lambda head: head[0])
        spoken_for: set[str] = set()
        for _, needs, lane, line in heads:
            names = [name for name, _ in needs]
            if spoken_for.isdisjoint(names):
                if lane in wanted and resources.fit(needs):
                    return lane, line
                # It cannot start now, or is about to in another lane.
                spoken_for.update(names)
        return None
