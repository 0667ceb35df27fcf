"""Greedy transfer with load: the worker that is expected to begin the task first, of a few.

For each candidate the time until the task could begin is estimated: the work that waits there, plus
the time to bring the missing inputs there. Candidates are the holders of its inputs, even when
their window is closed (moving a large input may cost more than waiting), and the least loaded
worker with room. Beránek and others found the choice of worker to matter more than the order of
tasks ("Analysis of workflow schedulers in simulated distributed environments", Journal of
Supercomputing, 2022).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from itertools import islice
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
    coming = tables.arrivals.by_source
    total_s = 0.0
    #: Per worker that is looked at: the transfers that it would save.
    saved_s: dict[Worker, float] = {}
    for source in task.dependencies:
        cost_s = input_s(source)
        total_s += cost_s
        holders = source.holders
        if source in coming or isinstance(holders, tuple | dict):
            for worker in _at_hand(source, coming.get(source), idlest):
                saved_s[worker] = saved_s.get(worker, 0.0) + cost_s
        elif holders is not None:
            saved_s[holders] = saved_s.get(holders, 0.0) + cost_s
    best = idlest
    best_s = idlest.load_s(now_s) + total_s - saved_s.pop(idlest, 0.0)
    for worker, saving_s in saved_s.items():
        if worker.leaving or worker.is_paused or (fitting is not None and worker not in fitting):
            continue
        if tables.is_barred(worker, task.options):
            continue
        start_s = worker.load_s(now_s) + total_s - saving_s
        if start_s < best_s or (start_s == best_s and worker.id < best.id):
            best, best_s = worker, start_s
    return best


def _at_hand(source: Task, coming: Iterable[Worker] | None, idlest: Worker) -> dict[Worker, None]:
    """Return some of the workers that have a value or fetch it anyway; the idlest if it has."""
    found = dict.fromkeys(source.latest_holders(_HOLDERS_MAX))
    if source.is_held_by(idlest):
        found[idlest] = None
    if coming is not None:
        found.update(dict.fromkeys(islice(coming, _HOLDERS_MAX)))
    return found
