"""Which worker gets a task: the one that is expected to begin it first.

For each candidate the time until the task could begin is estimated: the work that waits there, plus
the time to bring the missing inputs there. Candidates are the holders of its inputs, even when
their window is closed (moving a large input may cost more than waiting), and the least loaded
worker with room. This is the "greedy transfer" rule with load; Beránek and others found the choice
of worker to matter more than the order of tasks ("Analysis of workflow schedulers in simulated
distributed environments", Journal of Supercomputing, 2022).
"""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from hocket.scheduler.state import Task, Worker

__all__ = ["BANDWIDTH_NBYTES_PER_S", "LATENCY_S", "place", "transfer_s"]

#: What moving data is expected to cost, until it is measured.
BANDWIDTH_NBYTES_PER_S: Final = 500e6
LATENCY_S: Final = 0.0005
#: Holders that are looked at when an input has many copies.
_HOLDERS_MAX: Final = 8


def place(task: Task, idlest: Worker, now_s: float, fitting: Collection[Worker] | None) -> Worker:
    """Choose among the holders of a task's inputs and the idlest worker that may run it.

    Parameters
    ----------
    task
        Queued; has dependencies, all stored.
    idlest
        The least loaded worker with room that may run the task.
    now_s
        The time.
    fitting
        The workers that the task's options admit; None: all.
    """
    total_s = 0.0
    #: Per holder: the transfers that it would save.
    saved_s: dict[Worker, float] = {}
    for source in task.dependencies:
        cost_s = LATENCY_S + source.nbytes / BANDWIDTH_NBYTES_PER_S
        total_s += cost_s
        for worker in source.latest_holders(_HOLDERS_MAX):
            saved_s[worker] = saved_s.get(worker, 0.0) + cost_s
    best = idlest
    best_s = idlest.load_s(now_s) + total_s - saved_s.pop(idlest, 0.0)
    for worker, saving_s in saved_s.items():
        if fitting is not None and worker not in fitting:
            continue
        start_s = worker.load_s(now_s) + total_s - saving_s
        if start_s < best_s or (start_s == best_s and worker.id < best.id):
            best, best_s = worker, start_s
    return best


def transfer_s(task: Task, worker: Worker) -> float:
    """Return how long the inputs that the worker lacks take to come, in seconds."""
    return sum(
        LATENCY_S + source.nbytes / BANDWIDTH_NBYTES_PER_S
        for source in task.dependencies
        if not source.is_held_by(worker)
    )
