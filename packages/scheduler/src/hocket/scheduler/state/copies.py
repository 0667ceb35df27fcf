"""The copies on their way from worker to worker, and the goals that they are made for.

A copy is asked for with ``CopyData`` and ends when its target has it or cannot get it, when its
target is gone, or when the value is no more: then the target is told to drop it.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Collection

    from hocket.scheduler.state.task import Task
    from hocket.scheduler.state.worker import Worker

__all__ = ["Copies", "Copy", "Goal", "Undertaking", "cost_nbytes"]

#: What a copy costs beside its bytes, as bytes: so many small ones are not on their way at once.
_COPY_NBYTES: Final = 64 * 2**10


class Copy:
    """One copy on its way: who is to give it first, and what is booked for it."""

    __slots__ = ("nbytes", "source")

    def __init__(self, source: Worker, nbytes: int) -> None:
        self.source = source
        self.nbytes = nbytes

    def __repr__(self) -> str:
        return f"<Copy of {self.nbytes} bytes from {self.source.name}>"


class Copies:
    """The book of the copies on their way.

    Attributes
    ----------
    by_task
        Per stored value: the targets of its copies. ``Worker.copies`` is the same by target.
    incoming, outgoing
        Per worker: bytes on their way to it, and from it; only of those that have some.
    ended
        Values of which a copy ended since this was emptied.
    doubtful
        Per stored value: ids of workers that were told to drop their copy of it. The next report of
        one from there may have been sent before.
    """

    __slots__ = ("by_task", "doubtful", "ended", "incoming", "outgoing")

    def __init__(self) -> None:
        self.by_task: dict[Task, dict[Worker, Copy]] = {}
        self.incoming: dict[Worker, int] = {}
        self.outgoing: dict[Worker, int] = {}
        self.ended: dict[Task, None] = {}
        self.doubtful: dict[Task, set[int]] = {}

    def __bool__(self) -> bool:
        return bool(self.by_task or self.doubtful)

    def begin(self, task: Task, source: Worker, target: Worker) -> None:
        """Book a copy that the target is asked to fetch."""
        nbytes = cost_nbytes(task)
        self.by_task.setdefault(task, {})[target] = Copy(source, nbytes)
        target.copies[task] = task.attempt
        self.incoming[target] = self.incoming.get(target, 0) + nbytes
        self.outgoing[source] = self.outgoing.get(source, 0) + nbytes

    def coming_nbytes(self, target: Worker) -> int:
        """Return what the memory of a worker will hold of the copies on their way to it."""
        return self.incoming.get(target, 0) - _COPY_NBYTES * len(target.copies)

    def end(self, task: Task, target: Worker) -> bool:
        """Take a copy off the book; return False if it was not on it."""
        if target.copies.pop(task, None) is None:
            return False
        targets = self.by_task[task]
        copy = targets.pop(target)
        if not targets:
            del self.by_task[task]
        _subtract(self.incoming, target, copy.nbytes)
        _subtract(self.outgoing, copy.source, copy.nbytes)
        self.ended[task] = None
        return True

    def cancel(self, task: Task) -> list[Worker]:
        """Take all copies of a value that is no more off the book; return who is to be told."""
        self.doubtful.pop(task, None)
        targets = list(self.by_task.get(task, ()))
        for target in targets:
            self.end(task, target)
        return targets

    def cancel_to(self, target: Worker) -> list[Task]:
        """Take all copies on their way to a worker off the book; return them."""
        tasks = list(target.copies)
        for task in tasks:
            self.end(task, target)
        return tasks

    def remove_worker(self, worker: Worker) -> None:
        """Take a worker that is gone off the book.

        The copies that it was to give first go on: their targets ask other holders, or fail.
        """
        self.cancel_to(worker)
        self.outgoing.pop(worker, None)

    def doubt(self, task: Task, worker: Worker) -> None:
        """Note that a worker was told to drop a value that others hold on to."""
        self.doubtful.setdefault(task, set()).add(worker.id)

    def is_doubtful(self, task: Task, worker: Worker) -> bool:
        """Tell whether a worker's report of a copy may be of one that it was told to drop.

        The answer is yes once only.
        """
        ids = self.doubtful.get(task)
        if ids is None or worker.id not in ids:
            return False
        ids.discard(worker.id)
        if not ids:
            del self.doubtful[task]
        return task not in worker.copies

    def __repr__(self) -> str:
        return f"<Copies of {len(self.by_task)} values>"


class Goal:
    """A value that is to be on more workers than it is.

    Parameters
    ----------
    owner
        What it is for.
    task
        Of the value; as its attempt is now.
    count
        On how many of the owner's workers it is to be.
    target, source
        For a move: where it is to be, and where not any more afterwards.
    """

    __slots__ = (
        "attempt",
        "count",
        "failures",
        "failures_count",
        "is_begun",
        "is_queued",
        "owner",
        "source",
        "target",
        "task",
    )

    def __init__(
        self,
        owner: Undertaking,
        task: Task,
        count: int = 1,
        *,
        target: Worker | None = None,
        source: Worker | None = None,
    ) -> None:
        self.owner = owner
        self.task = task
        self.attempt = task.attempt
        self.count = count
        self.target = target
        self.source = source
        #: Per worker: how often it could not get the value; and all in all.
        self.failures: dict[Worker, int] = {}
        self.failures_count = 0
        #: Whether a copy was asked for because of it.
        self.is_begun = False
        #: Whether it stands in its owner's queue; if not, it waits for copies on their way.
        self.is_queued = False

    def __repr__(self) -> str:
        return f"<Goal {self.task.key} on {self.count} workers>"


class Undertaking:
    """Something that has goals: a request of a client's, the draining of a worker.

    Attributes
    ----------
    among
        The only workers that count as targets; None: all.
    queue
        Goals to be looked at.
    goals
        All that have not ended.
    """

    __slots__ = ("among", "goals", "queue")

    def __init__(self, among: Collection[Worker] | None = None) -> None:
        self.among = among
        self.queue: deque[Goal] = deque()
        self.goals: dict[Goal, None] = {}

    @property
    def is_patient(self) -> bool:
        """Whether a value that fits into no memory now waits until one does."""
        return False

    def ended(self, goal: Goal, obstacle: str) -> None:
        """Take note that a goal is reached ("" as obstacle), or why it never will be."""
        raise NotImplementedError


def cost_nbytes(task: Task) -> int:
    """Return what a copy of a value costs on the way, in bytes."""
    return task.nbytes + _COPY_NBYTES


def _subtract(sums: dict[Worker, int], worker: Worker, nbytes: int) -> None:
    if worker in sums:
        sums[worker] -= nbytes
        if not sums[worker]:
            del sums[worker]
