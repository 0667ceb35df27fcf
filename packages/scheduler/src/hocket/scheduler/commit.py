"""Committing: queued tasks go to workers ahead of their threads, as far as the windows allow.

The window of a worker is measured in seconds of expected work, so that cheap tasks travel by the
thousand and hide the round trip, while a few long ones stay in the queue, where they can still go
to whoever is free first. Near the end of a queue no worker takes more than its share of what is
left.
"""

from __future__ import annotations

from heapq import heapify, heappop, heapreplace
from typing import TYPE_CHECKING

from hocket.scheduler.policy.placement import may_run, place
from hocket.scheduler.state import QUEUED, Worker
from hocket.scheduler.transitions import to_assigned

if TYPE_CHECKING:
    from hocket.scheduler.state import Task
    from hocket.scheduler.tables import Tables

__all__ = ["commit"]

#: ``(load in seconds, worker id, worker)``
Entry = tuple[float, int, Worker]


def commit(tables: Tables) -> None:
    """Assign queued tasks, lowest priority number first, while workers have room for them."""
    blocked: set[tuple[object, ...]] = set()
    while tables.open:
        signature, queue = _first_queue(tables, blocked)
        if queue is None:
            return
        # Tasks of one signature are assigned in a row until another queue's head comes first.
        bound = min(
            (
                other[0][0]
                for name, other in tables.queues.items()
                if other and other is not queue and name not in blocked
            ),
            default=None,
        )
        if not _drain(tables, queue, signature, bound):
            blocked.add(signature)


def _first_queue(
    tables: Tables, blocked: set[tuple[object, ...]]
) -> tuple[tuple[object, ...], list[tuple[int, Task]] | None]:
    best: list[tuple[int, Task]] | None = None
    best_signature: tuple[object, ...] = ()
    empty = []
    for signature, queue in tables.queues.items():
        while queue and queue[0][1].state is not QUEUED:
            heappop(queue)
        if not queue:
            if signature:
                empty.append(signature)
        elif signature not in blocked and (best is None or queue[0] < best[0]):
            best, best_signature = queue, signature
    for signature in empty:
        del tables.queues[signature]
    return best_signature, best


def _drain(
    tables: Tables,
    queue: list[tuple[int, Task]],
    signature: tuple[object, ...],
    bound: int | None,
) -> bool:
    """Assign from one queue up to a priority; return False when its workers have no room."""
    constrained = bool(signature)
    options = queue[0][1].options
    loads: list[Entry] = [
        (worker.load_s(tables.now_s), worker.id, worker)
        for worker in tables.open
        if not constrained or may_run(options, worker)
    ]
    heapify(loads)
    open_workers = tables.open
    now_s = tables.now_s
    limits = tables.limits
    while queue:
        priority, task = queue[0]
        if task.state is not QUEUED:
            heappop(queue)
            continue
        if bound is not None and priority > bound:
            return True
        share_count = max(limits.window_tasks_min, len(queue) // (2 * max(1, tables.threads_count)))
        idlest = _idlest(loads, open_workers, share_count, now_s)
        if idlest is None:
            return False
        heappop(queue)
        worker = idlest
        if task.dependencies:
            worker = place(task, idlest, now_s, constrained=constrained)
        to_assigned(tables, task, worker)
    return True


def _idlest(
    loads: list[Entry], open_workers: dict[Worker, None], share_count: int, now_s: float
) -> Worker | None:
    """Return the least loaded worker with room; entries are brought up to date as they surface."""
    while loads:
        load_s, id_, worker = loads[0]
        if worker not in open_workers or len(worker.assigned) >= share_count * worker.threads:
            heappop(loads)
            continue
        present_s = worker.load_s(now_s)
        if present_s == load_s:
            return worker
        heapreplace(loads, (present_s, id_, worker))
    return None
