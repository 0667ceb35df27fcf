"""Where copies of values go, whence, how many at once; and what to move so that workers hold alike.

A copy goes to a worker that holds little, from a holder that gives little at the moment. Bytes on
their way to and from each worker are limited, so that copies never crowd out what tasks read; a
value that is to be everywhere so spreads like a rumour: who has it, gives it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from heapq import heapify, heappop, heappush, heapreplace
from typing import TYPE_CHECKING, Final, NamedTuple

from hocket.scheduler.state.copies import cost_nbytes

if TYPE_CHECKING:
    from hocket.scheduler.state import Goal, Task, Worker
    from hocket.scheduler.tables import Tables

__all__ = [
    "MOVES_MAX",
    "Move",
    "Targets",
    "can_try",
    "choose_source",
    "free_nbytes",
    "is_full",
    "may_have",
    "may_have_later",
    "plan_moves",
]

#: Of the holders of a value, so many are looked at for the one that gives it.
_SOURCES_MAX: Final = 32
#: How often one worker may fail to get one value; and all workers together, beside one failure for
#: each copy that is wanted.
_FAILURES_MAX: Final = 2
_FAILURES_MORE_MAX: Final = 2
#: Workers whose data is within this part of the mean of all are left as they are.
_TOLERANCE_PART: Final = 0.05
#: So many of the workers that hold least are looked at for one value that is to move.
_LOOKED_AT_MAX: Final = 8
#: So many values are moved for one request at the most.
MOVES_MAX: Final = 100_000


def free_nbytes(tables: Tables, worker: Worker) -> float:
    """Return how many bytes of copies a worker may still be given; inf if it has no limit.

    They are wanted for good, unlike what tasks make: so half of the room may be used that is kept
    free of the latter.
    """
    part = (1.0 + tables.limits.memory_part) / 2
    return worker.free_nbytes(part) - tables.copies.coming_nbytes(worker)


def can_try(goal: Goal) -> bool:
    """Tell whether more copies may be tried for a goal, after those that failed."""
    return goal.failures_count < goal.count + _FAILURES_MORE_MAX


def choose_source(tables: Tables, task: Task) -> Worker | None:
    """Return the holder that is to give a value; None while all give as much as they may."""
    outgoing = tables.copies.outgoing
    nbytes = cost_nbytes(task)
    limit_nbytes = tables.limits.copies_nbytes_max
    best: Worker | None = None
    best_nbytes = 0
    for worker in task.latest_holders(_SOURCES_MAX):
        giving_nbytes = outgoing.get(worker, 0)
        if giving_nbytes and giving_nbytes + nbytes > limit_nbytes:
            continue
        if best is None or giving_nbytes < best_nbytes:
            best, best_nbytes = worker, giving_nbytes
    return best


class Targets:
    """Workers that may be given copies, during one turn: those that hold least come first.

    Parameters
    ----------
    tables
        The scheduler's.
    workers
        The only ones to choose from.
    """

    __slots__ = ("_heap", "_tables")

    def __init__(self, tables: Tables, workers: Iterable[Worker]) -> None:
        self._tables = tables
        self._heap = [
            (self._load_nbytes(worker), worker.id, worker)
            for worker in workers
            if not worker.leaving and not worker.is_paused and worker.id in tables.workers
        ]
        heapify(self._heap)

    def find(self, goal: Goal) -> tuple[Worker | None, bool]:
        """Return the worker that is to have the next copy for a goal.

        Returns
        -------
        Worker or None
            None if nobody may have it now.
        bool
            Whether there will be somebody later, since there is one to which much is on its way.
        """
        if not can_try(goal):
            return None, False
        aside: list[Worker] = []
        found: Worker | None = None
        is_busy = False
        heap = self._heap
        while heap:
            load_nbytes, id_, worker = heap[0]
            if load_nbytes < self._load_nbytes(worker):
                # It was given some since it was entered.
                heapreplace(heap, (self._load_nbytes(worker), id_, worker))
                continue
            worker = heappop(heap)[2]
            aside.append(worker)
            if not may_have(self._tables, goal, worker) or not _is_better(goal, worker):
                continue
            if is_full(self._tables, goal.task, worker):
                is_busy = True
            elif worker not in goal.failures:
                found = worker
                break
            elif found is None:
                # It is tried again if nobody else is there.
                found = worker
        for worker in aside:
            heappush(heap, (self._load_nbytes(worker), worker.id, worker))
        return found, is_busy and found is None

    def _load_nbytes(self, worker: Worker) -> int:
        return worker.held_nbytes + self._tables.copies.incoming.get(worker, 0)


def may_have(tables: Tables, goal: Goal, worker: Worker) -> bool:
    """Tell whether a worker may be given a copy for a goal, how much is on its way there aside."""
    task = goal.task
    if worker.leaving or worker.is_paused or worker.id not in tables.workers:
        return False
    if task.is_held_by(worker) or task in worker.copies:
        return False
    if goal.failures.get(worker, 0) >= _FAILURES_MAX:
        return False
    return task.nbytes <= free_nbytes(tables, worker)


def may_have_later(tables: Tables, goal: Goal) -> bool:
    """Tell whether some worker only lacks the memory for a value now, and its goal can wait."""
    if not goal.owner.is_patient or not can_try(goal):
        return False
    part = (1.0 + tables.limits.memory_part) / 2
    return any(
        not one.leaving
        and goal.failures.get(one, 0) < _FAILURES_MAX
        and (not one.memory_limit or goal.task.nbytes <= one.memory_limit * part)
        for one in tables.workers.values()
    )


def _is_better(goal: Goal, worker: Worker) -> bool:
    """Tell whether a worker would not then hold more than the one that is to hold less."""
    source = goal.source
    return source is None or worker.held_nbytes + goal.task.nbytes <= source.held_nbytes


def is_full(tables: Tables, task: Task, worker: Worker) -> bool:
    """Tell whether so much is on its way to a worker that this value has to wait."""
    coming_nbytes = tables.copies.incoming.get(worker, 0)
    limit_nbytes = tables.limits.copies_nbytes_max
    return coming_nbytes > 0 and coming_nbytes + cost_nbytes(task) > limit_nbytes


class Move(NamedTuple):
    """A value that is to lie elsewhere."""

    task: Task
    source: Worker
    target: Worker


def plan_moves(
    tables: Tables, workers: Collection[Worker], tasks: Collection[Task] | None
) -> list[Move]:
    """Return what to move so that these workers come to hold about as much as each other.

    The worker that holds most gives to the one that holds least, its largest values first, as long
    as that makes the two more alike; one whose data is within a twentieth of the mean is left as it
    is.

    Parameters
    ----------
    tables
        The scheduler's.
    workers
        Those that give and take.
    tasks
        The only values to move; None: all.
    """
    staying = [worker for worker in workers if not worker.leaving]
    if not staying:
        return []
    holding = {worker: worker.held_nbytes for worker in staying}
    mean_nbytes = sum(holding.values()) // len(staying)
    slack_nbytes = int(mean_nbytes * _TOLERANCE_PART)
    donors = sorted(
        (worker for worker in staying if holding[worker] > mean_nbytes + slack_nbytes),
        key=lambda worker: (-holding[worker], worker.id),
    )
    takers = [
        (holding[worker], worker.id, worker)
        for worker in staying
        if holding[worker] < mean_nbytes - slack_nbytes and not worker.is_paused
    ]
    heapify(takers)
    moves: list[Move] = []
    #: What goes where: a value with copies on several donors is not to go to one worker twice.
    planned: set[tuple[Task, Worker]] = set()
    for donor in donors:
        movable = sorted(
            (task for task in donor.held if tasks is None or task in tasks),
            key=lambda task: -task.nbytes,
        )
        for task in movable:
            gap_nbytes = holding[donor] - mean_nbytes
            if gap_nbytes <= slack_nbytes or not task.nbytes or len(moves) >= MOVES_MAX:
                break
            taker = _take(tables, takers, task, holding, planned, holding[donor])
            if taker is None:
                continue
            moves.append(Move(task, donor, taker))
            planned.add((task, taker))
            holding[donor] -= task.nbytes
            holding[taker] += task.nbytes
            if holding[taker] < mean_nbytes - slack_nbytes:
                heappush(takers, (holding[taker], taker.id, taker))
    return moves


def _take(
    tables: Tables,
    takers: list[tuple[int, int, Worker]],
    task: Task,
    holding: dict[Worker, int],
    planned: set[tuple[Task, Worker]],
    donor_nbytes: int,
) -> Worker | None:
    """Take the worker off the heap that is to have a value; None: it is to stay where it is."""
    aside: list[tuple[int, int, Worker]] = []
    found: Worker | None = None
    while takers and len(aside) < _LOOKED_AT_MAX:
        if 2 * task.nbytes > donor_nbytes - takers[0][0]:
            break
        entry = heappop(takers)
        worker = entry[2]
        coming_nbytes = holding[worker] - worker.held_nbytes
        if (
            not task.is_held_by(worker)
            and (task, worker) not in planned
            and task.nbytes + coming_nbytes <= free_nbytes(tables, worker)
        ):
            found = worker
            break
        aside.append(entry)
    for entry in aside:
        heappush(takers, entry)
    return found
