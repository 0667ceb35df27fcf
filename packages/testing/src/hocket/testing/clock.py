"""Virtual time: one heap of what will happen, and a clock that jumps from one to the next."""

from __future__ import annotations

from collections.abc import Callable
from heapq import heappop, heappush

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

    def __len__(self) -> int:
        return len(self._heap)

    def after(self, delay_s: float, action: Action) -> None:
        """Plan something for so many seconds from now."""
        self._planned_count += 1
        heappush(self._heap, (self.now_s + delay_s, self._planned_count, action))

    def step(self) -> bool:
        """Let the next thing happen; return False if nothing is planned."""
        if not self._heap:
            return False
        self.now_s, _, action = heappop(self._heap)
        self.steps_count += 1
        action()
        return True
