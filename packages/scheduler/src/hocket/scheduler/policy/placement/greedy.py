"""Greedy transfer with load: the worker that is expected to begin the task first, of a few.

For each candidate the time until the task could begin is estimated: the work that waits there, plus
the time to bring the missing inputs there. Candidates are the holders of its inputs, even when
their window is closed (moving a large input may cost more than waiting), and the least loaded
worker with room. Beránek and others found the choice of worker to matter more than the order of
tasks ("Analysis of workflow schedulers in simulated distributed environments", Journal of
Supercomputing, 2022).
"""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING, Final

from hocket.scheduler.policy.placement.transfer import input_s

if TYPE_CHECKING:
    from hocket.scheduler.state import Task, Worker
    from hocket.scheduler.tables import Tables

__all__ = ["place"]

#: Holders that are looked at when an input has many copies.
_HOLDERS_MAX: Final = 8


def place(tables: Tables, task: Task, idlest: Worker, fitting: Collection[Worker] | None) -> Worker:
    """Choose among the holders of a task's inputs and the idlest worker that may run it."""
    now_s = tables.now_s
    total_s = 0.0
    #: Per holder: the transfers that it would save.
    saved_s: dict[Worker, float] = {}
    idlest_saved_s = 0.0
    for source in task.dependencies:
        cost_s = input_s(source)
        total_s += cost_s
        holders = source.holders
        if holders is idlest:
            idlest_saved_s += cost_s
        elif not isinstance(holders, tuple | dict):
            if holders is not None:
                saved_s[holders] = saved_s.get(holders, 0.0) + cost_s
        else:
            if idlest in holders:
                idlest_saved_s += cost_s
            for worker in source.latest_holders(_HOLDERS_MAX):
                if worker is not idlest:
                    saved_s[worker] = saved_s.get(worker, 0.0) + cost_s
    if not saved_s:
        return idlest
    best = idlest
    best_s = idlest.load_s(now_s) + total_s - idlest_saved_s
    for worker, saving_s in saved_s.items():
        if worker.leaving or worker.is_paused or (fitting is not None and worker not in fitting):
            continue
        start_s = worker.load_s(now_s) + total_s - saving_s
        if start_s < best_s or (start_s == best_s and worker.id < best.id):
            best, best_s = worker, start_s
    return best
