"""The last executions, kept while nobody looks, so that who comes sees what has just happened.

Workers tell of them anyway, in columns. These are kept as they came, and only made events of when
somebody comes: a task costs one entry of one list.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import Final, TypeAlias

from hocket.protocol.messages import TasksDone
from hocket.protocol.messages.feed import TaskEnded, TaskOutcome

__all__ = ["RECENT_MAX", "Recent"]

#: Executions that are kept.
RECENT_MAX: Final = 5000

_Columns: TypeAlias = tuple[
    str, list[str], list[int], list[int], list[float], list[float], list[str]
]


class Recent:
    """The last executions that ended well, without the times of their phases."""

    def __init__(self) -> None:
        self._batches: deque[_Columns] = deque()
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def add(self, worker: str, message: TasksDone, groups: list[str]) -> None:
        """Keep what a worker told.

        Parameters
        ----------
        worker
            Its name.
        message
            What it told; its values are not kept.
        groups
            Per task: the function, "" where it was told too late to matter.
        """
        if not any(groups):
            return
        self._batches.append(
            (
                worker,
                message.keys,
                message.attempts,
                message.nbytes,
                message.starts,
                message.durations,
                groups,
            )
        )
        self._count += len(groups)
        while self._count > RECENT_MAX and len(self._batches) > 1:
            self._count -= len(self._batches.popleft()[1])

    def take(self) -> Iterator[TaskEnded]:
        """Yield the last of them as events, the oldest first, and forget all."""
        batches, self._batches = self._batches, deque()
        excess = max(self._count - RECENT_MAX, 0)
        self._count = 0
        for worker, *columns in batches:
            for key, attempt, nbytes, start_s, duration_s, group in zip(*columns, strict=True):
                if excess:
                    excess -= 1
                elif group:
                    yield TaskEnded(
                        key,
                        attempt,
                        group,
                        worker,
                        TaskOutcome.STORED,
                        max(start_s, 0.0),
                        duration_s,
                        nbytes,
                    )
