"""Committing: queued tasks go to workers ahead of their threads, as far as the windows allow.

The window of a worker is measured in seconds of expected work, so that cheap tasks travel by the
thousand and hide the round trip, while a few long ones stay in the queue, where they can still go
to whoever is free first. Near the end of a queue no worker takes more than its share of what is
left.
"""

from __future__ import annotations

from heapq import heapify, heappop, heapreplace
from typing import TYPE_CHECKING

from hocket.scheduler.policy.placement import place
from hocket.scheduler.state import QUEUED, Queue, Worker
from hocket.scheduler.transitions import to_assigned

if TYPE_CHECKING:
    from hocket.scheduler.tables import Tables

__all__ = ["commit"]

#: ``(load in seconds, worker id, worker)``
Entry = tuple[float, int, Worker]


class _Line:
    """A queue during one turn, with the workers that have room for its tasks."""

    __slots__ = ("fitting", "loads", "queue")

    def __init__(self, tables: Tables, queue: Queue) -> None:
        self.queue = queue
        #: The workers that may run its tasks; None: all.
        self.fitting: dict[Worker, None] | None = None
        #: Made when it is the queue's turn: most of many queues have none.
        self.loads: list[Entry] | None = None
        if queue.options.signature:
            self.fitting = tables.fitting(queue.options)

    def open_workers(self, tables: Tables) -> list[Entry]:
        """Return a heap of the workers with room, least loaded first."""
        if self.loads is None:
            is_open = tables.open
            some = self.fitting
            workers = is_open if some is None else [one for one in some if one in is_open]
            self.loads = [(one.load_s(tables.now_s), one.id, one) for one in workers]
            heapify(self.loads)
        return self.loads


def commit(tables: Tables) -> None:
    """Assign queued tasks, lowest priority number first, while workers have room for them."""
    if not tables.open:
        return
    lines = [
        (queue.head()[0], number, _Line(tables, queue))
        for number, queue in enumerate(tables.queues.values())
        if queue.live_count
    ]
    heapify(lines)
    while lines and tables.open:
        _, number, line = lines[0]
        # Tasks of one queue are assigned in a row until another queue's head comes first.
        bound = min((other[0] for other in lines[1:3]), default=None)
        if _drain(tables, line, bound):
            heapreplace(lines, (line.queue.head()[0], number, line))
        else:
            heappop(lines)
            tables.drop_empty_queue(line.queue.options.signature)


def _drain(tables: Tables, line: _Line, bound: int | None) -> bool:
    """Assign from one queue up to a priority; return False if that was all for this turn."""
    queue = line.queue
    loads = line.open_workers(tables)
    open_workers = tables.open
    now_s = tables.now_s
    limits = tables.limits
    share_threads_count = 2 * max(1, tables.threads_count)
    entries = queue.entries
    live_count = queue.live_count
    is_passed = False
    while live_count:
        priority, task = entries[0]
        if task.state is not QUEUED:
            heappop(entries)
            continue
        if bound is not None and priority > bound:
            is_passed = True
            break
        share_count = max(limits.window_tasks_min, live_count // share_threads_count)
        worker = _idlest(loads, open_workers, share_count, now_s)
        if worker is None:
            break
        heappop(entries)
        live_count -= 1
        if task.dependencies:
            worker = place(task, worker, now_s, line.fitting)
        to_assigned(tables, task, worker)
    queue.live_count = live_count
    if not live_count:
        # (What is left is stale.)
        entries.clear()
    return is_passed


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
