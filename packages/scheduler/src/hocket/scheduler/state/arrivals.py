"""Arrivals: inputs that workers have yet to fetch, for the tasks that they were given.

Only large ones: what they weigh closes a worker's window and counts as load, and a task that reads
one as well had better go where it comes anyway.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from hocket.scheduler.state.task import Task
    from hocket.scheduler.state.worker import Worker

__all__ = ["Arrivals"]

#: Smaller values take no time to speak of.
_NBYTES_MIN: Final = 64 * 1024


class Arrivals:
    """Which large values are on their way where.

    Attributes
    ----------
    by_source
        By value: the workers that it comes to, how many of their tasks read it, and what it weighs
        in the sum of its worker (``Worker.coming_nbytes``).
    """

    __slots__ = ("by_source",)

    def __init__(self) -> None:
        self.by_source: dict[Task, dict[Worker, tuple[int, int]]] = {}

    def __bool__(self) -> bool:
        return bool(self.by_source)

    def expect(self, task: Task, worker: Worker) -> None:
        """Note what a worker must fetch for a task that it is given."""
        for source in task.dependencies:
            if source.nbytes < _NBYTES_MIN or source.holders is None or source.is_held_by(worker):
                continue
            targets = self.by_source.setdefault(source, {})
            count, nbytes = targets.get(worker, (0, 0))
            if not count:
                nbytes = source.nbytes
                worker.coming_nbytes += nbytes
            targets[worker] = (count + 1, nbytes)

    def settle(self, task: Task, worker: Worker) -> None:
        """Note that a worker needs nothing more for a task."""
        for source in task.dependencies:
            targets = self.by_source.get(source)
            if targets is None or worker not in targets:
                continue
            count, nbytes = targets[worker]
            if count > 1:
                targets[worker] = (count - 1, nbytes)
            else:
                self._end(source, worker, targets)

    def arrived(self, source: Task, worker: Worker) -> None:
        """Note that a worker has a value."""
        targets = self.by_source.get(source)
        if targets is not None and worker in targets:
            self._end(source, worker, targets)

    def _end(self, source: Task, worker: Worker, targets: dict[Worker, tuple[int, int]]) -> None:
        worker.coming_nbytes -= targets.pop(worker)[1]
        if not targets:
            del self.by_source[source]
