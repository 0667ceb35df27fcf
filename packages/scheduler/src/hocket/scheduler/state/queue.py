"""The queue: tasks that may run and share what they ask of a worker, lowest priority number first.

A heap whose entries are not taken out when their task leaves in another way than by its turn: they
are passed over when they surface, and swept out when they are most of the heap, so that a queue of
which nothing is ever run (no worker fits, clients submit and cancel) does not grow for ever.
"""

from __future__ import annotations

from heapq import heapify, heappop, heappush
from typing import TYPE_CHECKING, Final

from hocket.scheduler.state.task import QUEUED

if TYPE_CHECKING:
    from collections.abc import Container

    from hocket.scheduler.state.task import Options, Task

__all__ = ["Queue"]

#: So many stale entries are not worth a sweep.
_STALE_COUNT_MAX: Final = 64


class Queue:
    """Tasks in state queued whose options have one signature."""

    __slots__ = ("_resting", "entries", "live_count", "options", "signature")

    def __init__(
        self, options: Options, signature: tuple[object, ...], resting: Container[Task]
    ) -> None:
        #: Of one of its tasks; those of the others ask the same of a worker.
        self.options = options
        self.signature = signature
        self._resting = resting
        #: ``(priority, task)``; some are stale, and a task that left and came back has several.
        self.entries: list[tuple[int, Task]] = []
        #: Tasks that are queued here now.
        self.live_count = 0

    def push(self, task: Task) -> None:
        """Append a task; its state is queued already."""
        self.live_count += 1
        heappush(self.entries, (task.priority, task))

    def head(self) -> tuple[int, Task]:
        """Return the entry of the first task, dropping stale ones before it; there is one."""
        entries = self.entries
        while not self.is_live(entries[0][1]):
            heappop(entries)
        return entries[0]

    def is_live(self, task: Task) -> bool:
        """Tell whether a task stands in this queue now.

        One that left may be queued again, elsewhere, or rest before it is.
        """
        return (
            task.state is QUEUED
            and task.queue_signature == self.signature
            and task not in self._resting
        )

    def leave(self, live_count: int, held: list[tuple[int, Task]]) -> None:
        """Note how many are left at the end of its turn, and take back what was passed over."""
        self.live_count = live_count
        if not live_count:
            # (What is left is stale.)
            self.entries.clear()
        for entry in held:
            heappush(self.entries, entry)

    def discard(self) -> None:
        """Note that a task left in another way than by its turn; its state is not queued."""
        self.live_count -= 1
        if len(self.entries) > 2 * self.live_count + _STALE_COUNT_MAX:
            live = dict.fromkeys(task for _, task in self.entries if self.is_live(task))
            self.entries = [(task.priority, task) for task in live]
            heapify(self.entries)

    def __repr__(self) -> str:
        return f"<Queue of {self.live_count} tasks>"
