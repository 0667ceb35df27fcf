"""Which tasks to ask back for workers that have nothing to do.

Tasks are committed ahead on expectations, and expectations are wrong at times. When a worker idles
while others have more than they can run at once, about half of the surplus is asked back, last
ones first; the other worker gives what it has not begun. How much work waits at a worker is
believed as far as it makes progress: one that has reported nothing for longer than was expected is
taken to need as long again.
"""

from __future__ import annotations

from heapq import nsmallest
from itertools import islice
from typing import TYPE_CHECKING, Final

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
#: So many of the idle workers are looked at for one task.
_TAKERS_MAX: Final = 8
#: While workers idle beside loaded ones, expectations are checked this often.
LOOK_AGAIN_S: Final = 0.05
#: So many donors are asked in one turn, and so much time passes between two looks at all of them
#: for each: looking is to cost a few hundredths of the time at the most.
_DONORS_MAX: Final = 64
_LOOK_S_PER_WORKER: Final = 20e-6


def choose_recalls(tables: Tables) -> list[Task]:
    """Return assigned tasks that should be asked back from their workers, in order."""
    now_s = tables.now_s
    if not tables.idle or not tables.loaded or now_s < tables.next_look_s:
        return []
    idle = [worker for worker in tables.idle if not worker.leaving and not worker.is_paused]
    if not idle:
        return []
    tables.next_look_s = now_s + _LOOK_S_PER_WORKER * (len(tables.loaded) + len(tables.idle))
    donors = nsmallest(_DONORS_MAX, tables.loaded, key=lambda one: (-one.load_s(now_s), one.id))
    chosen: list[Task] = []
    givers_count = 0
    for donor in donors:
        load_s = donor.load_s(now_s)
        if load_s < _GAIN_S_MIN or givers_count >= len(idle):
            break
        surplus = _surplus(tables, donor, load_s, idle)
        givers_count += bool(surplus)
        chosen += surplus
    return chosen


def _takers(tables: Tables, options: Options, idle: list[Worker]) -> list[Worker]:
    """Return some of the idle workers that may run tasks with these options."""
    if not options.signature:
        return idle[:_TAKERS_MAX]
    fitting = tables.fitting(options)
    if len(fitting) < len(idle):
        found = (worker for worker in fitting if worker in tables.idle)
    else:
        found = (worker for worker in idle if worker in fitting)
    return list(islice(found, _TAKERS_MAX))


def _surplus(tables: Tables, donor: Worker, load_s: float, idle: list[Worker]) -> list[Task]:
    # (A worker with a closed window can be both: idle ones have nothing assigned.)
    candidates = [
        task
        for task in donor.assigned
        if task.state is ASSIGNED and not task.missing_count and task not in donor.begun
    ]
    kept_count = 0
    if tables.now_s - donor.progress_s <= _LATE_S:
        kept_count = max(0, donor.threads - len(donor.begun) + len(donor.seceded))
    surplus_count = len(candidates) - kept_count
    share_count = -(-surplus_count * len(idle) // (len(idle) + 1))
    chosen: list[Task] = []
    for task in reversed(candidates):
        if len(chosen) >= share_count:
            break
        if tables.recalls.get(task.key, 0) >= _RECALLS_MAX:
            continue
        spared_s = load_s + transfer_s(task, donor)
        for worker in _takers(tables, task.options, idle):
            if 2 * transfer_s(task, worker) < spared_s:
                chosen.append(task)
                break
    return chosen


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
