"""Deadlines: which running tasks are to be interrupted, since their time is over or by request."""

from __future__ import annotations

import heapq
from typing import Final

from hocket.worker.state import Task

__all__ = ["Deadlines"]

#: After how long one that goes on is interrupted again, at first and at most.
_GRACE_S: Final = 1.0
_PAUSE_S_MAX: Final = 60.0


class Deadlines:
    """The tasks that run and may not do so for ever."""

    __slots__ = ("_cancelled", "_ends", "_fresh", "_interrupted", "_limited")

    def __init__(self) -> None:
        #: Attempts that were cancelled, and whether it was said that they go on.
        self._cancelled: dict[int, bool] = {}
        #: Those that began since the clock was looked at.
        self._fresh: list[Task] = []
        #: By attempt, which is another for each task of a cluster. (What waits in the heap may be
        #: over long before, and must not be kept alive.)
        self._limited: dict[int, Task] = {}
        #: When, which attempt: a heap.
        self._ends: list[tuple[float, int]] = []
        #: By attempt: when it was to be interrupted for the first time.
        self._interrupted: dict[int, float] = {}

    @property
    def wake_s(self) -> float | None:
        """When the clock is to be looked at again at the latest; 0: now."""
        if self._fresh:
            return 0.0
        return self._ends[0][0] if self._ends else None

    def begun(self, task: Task) -> None:
        """Take note that a task begins whose time is limited."""
        self._fresh.append(task)
        self._limited[task.attempt] = task

    def cancelled(self, task: Task, now_s: float) -> None:
        """Take note that a running task is cancelled, and interrupted for the first time now."""
        attempt = task.attempt
        self._cancelled[attempt] = False
        self._limited[attempt] = task
        self._interrupted[attempt] = now_s
        heapq.heappush(self._ends, (now_s + _GRACE_S, attempt))

    def is_late(self, task: Task, interrupted_s: float) -> bool:
        """Return, once, whether a cancelled task goes on so long after it was interrupted."""
        # (Sums of times are not exact.)
        is_late = interrupted_s > _GRACE_S / 2 and self._cancelled.get(task.attempt) is False
        if is_late:
            self._cancelled[task.attempt] = True
        return is_late

    def cancelled_ended(self, task: Task) -> bool:
        """Take note that a task is over which nobody waits for; return whether it was cancelled."""
        if not self._limited and not self._cancelled:
            return False
        self.ended(task)
        return self._cancelled.pop(task.attempt, None) is not None

    def ended(self, task: Task) -> bool:
        """Take note that a task is over; return whether it was interrupted."""
        self._limited.pop(task.attempt, None)
        if not self._limited:
            self._ends.clear()
        return self._interrupted.pop(task.attempt, None) is not None

    @property
    def tasks(self) -> list[Task]:
        """Those that run and whose time is limited, or that were cancelled."""
        return list(self._limited.values())

    def due(self, now_s: float) -> list[tuple[Task, float]]:
        """Return those to be interrupted, and how long ago each was for the first time."""
        for task in self._fresh:
            if task.attempt in self._limited and task.attempt not in self._cancelled:
                heapq.heappush(self._ends, (now_s + task.terms.timeout_s, task.attempt))
        self._fresh.clear()
        due: list[tuple[Task, float]] = []
        while self._ends and self._ends[0][0] <= now_s:
            _, attempt = heapq.heappop(self._ends)
            task_due = self._limited.get(attempt)
            if task_due is None:
                continue
            passed_s = now_s - self._interrupted.setdefault(attempt, now_s)
            # Some code can be interrupted only now and then.
            pause_s = min(max(passed_s, _GRACE_S), _PAUSE_S_MAX)
            heapq.heappush(self._ends, (now_s + pause_s, attempt))
            due.append((task_due, passed_s))
        return due
