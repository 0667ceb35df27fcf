"""Which tasks to ask back for workers whose threads have nothing to do.

Tasks are committed ahead on expectations, and expectations are wrong at times. When threads idle
while other workers have more than they can run at once, a fair part of the surplus is asked back,
last ones first; who is asked gives what it has not begun. What it costs to bring the inputs of a
task elsewhere is weighed against the work that it waits behind, and against what they cost here.
How much work waits at a worker is believed as far as it makes progress: one that has said nothing
for longer than was expected is taken to need as long again.
"""

from __future__ import annotations

from heapq import nsmallest
from itertools import islice
from typing import TYPE_CHECKING, Final

from hocket.scheduler.policy.lifetimes import outlasts
from hocket.scheduler.policy.placement.transfer import transfer_s
from hocket.scheduler.state import ASSIGNED

if TYPE_CHECKING:
    from hocket.scheduler.state import Options, Task, Worker
    from hocket.scheduler.tables import Tables

__all__ = ["LOOK_AGAIN_S", "choose_leaving", "choose_recalls", "choose_stuck"]

#: Work that waits for less than this is not worth a round trip.
_GAIN_S_MIN: Final = 0.002
#: A worker that is silent for so long may be running what was thought to wait.
_LATE_S: Final = 0.05
#: How often one task is asked back at the most, so that two wrong expectations cannot make it
#: travel for ever.
_RECALLS_MAX: Final = 2
#: So many of the workers with idle threads are looked at for one task.
_TAKERS_MAX: Final = 8
#: While threads idle beside loaded workers, expectations are checked this often.
LOOK_AGAIN_S: Final = 0.05
#: So many donors are asked in one turn, and so much time passes between two looks at all of them
#: for each: looking is to cost a few hundredths of the time at the most.
_DONORS_MAX: Final = 64
_LOOK_S_PER_WORKER: Final = 20e-6


def choose_recalls(tables: Tables) -> list[Task]:
    """Return assigned tasks that should be asked back from their workers, in order."""
    now_s = tables.now_s
    if not tables.hungry or not tables.loaded or now_s < tables.next_look_s:
        return []
    takers = [one for one in tables.hungry if not one.leaving and not one.is_paused]
    if not takers:
        return []
    tables.next_look_s = now_s + _LOOK_S_PER_WORKER * (len(tables.loaded) + len(tables.hungry))
    donors = nsmallest(_DONORS_MAX, tables.loaded, key=lambda one: (-one.load_s(now_s), one.id))
    chosen: list[Task] = []
    givers_count = 0
    for donor in donors:
        if donor.load_s(now_s) < _GAIN_S_MIN or givers_count >= len(takers):
            break
        surplus = _surplus(tables, donor, takers)
        givers_count += bool(surplus)
        chosen += surplus
    return chosen


def _surplus(tables: Tables, donor: Worker, takers: list[Worker]) -> list[Task]:
    """Return what a worker has not begun, as far as others would come to it sooner."""
    candidates = [
        task
        for task in donor.assigned
        if task.state is ASSIGNED and not task.missing_count and task not in donor.begun
    ]
    kept_count = 0
    if tables.now_s - donor.progress_s <= _LATE_S:
        kept_count = max(0, donor.threads - len(donor.begun) + len(donor.seceded))
    surplus_count = len(candidates) - kept_count
    free_count = sum(one.free_threads_count for one in takers if one is not donor)
    share_count = -(-surplus_count * free_count // (free_count + donor.threads))
    load_s = donor.load_s(tables.now_s)
    chosen: list[Task] = []
    for task in reversed(candidates):
        if len(chosen) >= share_count:
            break
        if tables.recalls.get(task.key, 0) >= _RECALLS_MAX:
            continue
        spared_s = load_s + transfer_s(task, donor)
        for worker in _takers(tables, task.options, takers):
            if (
                worker is not donor
                and 2 * transfer_s(task, worker) < spared_s
                and outlasts(tables, worker, task)
            ):
                chosen.append(task)
                break
    return chosen


def _takers(tables: Tables, options: Options, takers: list[Worker]) -> list[Worker]:
    """Return some of those with idle threads that may run tasks with these options."""
    if not options.signature:
        return takers[:_TAKERS_MAX]
    fitting = tables.fitting(options)
    return list(islice((worker for worker in takers if worker in fitting), _TAKERS_MAX))


def choose_leaving(worker: Worker) -> list[Task]:
    """Return what a worker that is to end, or is short of memory, is asked to give back."""
    return [task for task in worker.assigned if task.state is ASSIGNED and task not in worker.begun]


def choose_stuck(worker: Worker, seceded: Task) -> list[Task]:
    """Return what a worker is asked to give back since a task of its seceded.

    What reads that task's result, or needs the resources that it keeps, may have to wait for long,
    perhaps for what it takes the place of.
    """
    names = seceded.options.resources.keys()
    return [
        task
        for task in choose_leaving(worker)
        if seceded in task.dependencies or not names.isdisjoint(task.options.resources)
    ]
