"""Memory: which tasks without inputs may run now, so that data does not pile up.

What they make is used up by others, which come before them in the order of the graph (depth first).
So it is enough not to begin more of them than the memory of their worker has room for: a reduction
of data much larger than memory then runs in what its depth needs. Tasks that read data are never
held back; they are what makes room.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from hocket.scheduler.books import AMOUNT_SLACK
from hocket.scheduler.state.worker import NOTEWORTHY_NBYTES

if TYPE_CHECKING:
    from hocket.scheduler.state import Task, Worker
    from hocket.scheduler.tables import Tables

__all__ = ["is_probed", "may_add"]


def is_probed(tables: Tables, task: Task) -> bool:
    """Tell whether enough of a task's class runs for now, none of which has finished yet.

    How long they take and how much they make is not known before.
    """
    kind = task.kind
    return (
        kind is not None
        and not kind.measured_count
        and not tables.limits.is_eager
        and kind.assigned_count >= tables.limits.window_tasks_min * max(1, tables.threads_count)
    )


def may_add(tables: Tables, worker: Worker, nbytes: int) -> bool:
    """Tell whether a worker may be given a task that is expected to add so many bytes.

    One that has nothing to do is trusted with more; and somebody must always go on.
    """
    if nbytes < NOTEWORTHY_NBYTES or not worker.memory_limit:
        return True
    part = tables.limits.memory_part
    if nbytes <= worker.free_nbytes(part):
        return True
    if worker in tables.idle and nbytes <= worker.free_nbytes((1.0 + part) / 2):
        return True
    return not _somebody_goes_on(tables)


def _somebody_goes_on(tables: Tables) -> bool:
    """Tell whether some worker has a task that can run to its end without others."""
    return any(
        not task.missing_count and task not in worker.seceded and _can_begin(worker, task)
        for worker in tables.workers.values()
        if worker not in tables.idle
        for task in worker.assigned
    )


def _can_begin(worker: Worker, task: Task) -> bool:
    """Tell whether tasks that seceded leave a task the resources that it needs."""
    withheld = worker.withheld
    return (
        not withheld
        or task in worker.begun
        or all(
            amount + withheld.get(name, 0.0) <= worker.resources.get(name, 0.0) + AMOUNT_SLACK
            for name, amount in task.options.resources.items()
        )
    )
