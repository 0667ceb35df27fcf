"""Earliest start: the worker that is expected to begin the task first, of all that have room.

With priorities by b-level (the longest way to the end of the graph) this is the classical list
scheduler. It looks at every worker with room for each task, so it is for comparisons and for small
clusters.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING

from hocket.scheduler.policy.placement.transfer import transfer_s

if TYPE_CHECKING:
    from hocket.scheduler.state import Task, Worker
    from hocket.scheduler.tables import Tables

__all__ = ["place"]


def place(tables: Tables, task: Task, idlest: Worker, fitting: Collection[Worker] | None) -> Worker:
    """Choose among all workers with room that may run the task."""
    now_s = tables.now_s
    candidates = [worker for worker in tables.open.members if fitting is None or worker in fitting]
    return min(
        (idlest, *candidates),
        key=lambda worker: (worker.load_s(now_s) + transfer_s(task, worker), worker.id),
    )
