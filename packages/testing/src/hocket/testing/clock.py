"""Virtual time: one heap of what will happen, and a clock that jumps from one to the next."""

from __future__ import annotations

from collections.abc import Callable
from heapq import heapify, heappop, heappush

__all__ = ["Timeline"]

Action = Callable[[], None]


class Timeline:
    """What will happen, in order of time and, at one time, in the order in which it was planned.

    Attributes
    ----------
    now_s
        Virtual seconds since the beginning.
    steps_count
        How many things have happened.
    """

    def __init__(self) -> None:
        self.now_s = 0.0
        self.steps_count = 0
        self._planned_count = 0
        self._heap: list[tuple[float, int, Action]] = []
        self._passing: set[int] = set()

    def __len__(self) -> int:
        return len(self._heap)

    def after(self, delay_s: float, action: Action) -> None:
        """Plan something for so many seconds from now."""
        self._planned_count += 1
        heappush(self._heap, (self.now_s + delay_s, self._planned_count, action))

    def after_if_still(self, delay_s: float, action: Action) -> None:
        """Plan something that `drop_passing` takes back, as if it had never been planned."""
        self.after(delay_s, action)
        self._passing.add(self._planned_count)

    def drop_passing(self) -> None:
        """Take back what was planned by `after_if_still`."""
        self._heap = [entry for entry in self._heap if entry[1] not in self._passing]
        heapify(self._heap)

    def at(self, time_s: float, action: Action) -> None:
        """Plan something for a time; one that has passed counts as now."""
        self._planned_count += 1
        heappush(self._heap, (max(self.now_s, time_s), self._planned_count, action))

    @property
    def next_s(self) -> float | None:
        """When the next thing happens; None if nothing is planned."""
        return self._heap[0][0] if self._heap else None

    def step(self) -> bool:
        """Let the next thing happen; return False if nothing is planned."""
        if not self._heap:
            return False
        self.now_s, _, action = heappop(self._heap)
        self.steps_count += 1
        action()
        return True
