"""Which tasks to ask back for workers that have nothing to do.

Tasks are committed ahead on expectations, and expectations are wrong at times. When a worker idles
while others have more than they can run at once, about half of the surplus is asked back, last
ones first; the other worker gives what it has not begun. How much work waits at a worker is
believed as far as it makes progress: one that has reported nothing for longer than was expected is
taken to need as long again.
"""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Final

from hocket.scheduler.policy.placement import transfer_s
from hocket.scheduler.state import ASSIGNED

if TYPE_CHECKING:
    from hocket.scheduler.state import Options, Task, Worker
    from hocket.scheduler.tables import Tables

__all__ = ["LOOK_AGAIN_S", "choose_recalls"]

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


def choose_recalls(tables: Tables) -> list[Task]:
    """Return assigned tasks that should be asked back from their workers, in order."""
    idle = list(tables.idle)
    if not idle or not tables.loaded:
        return []
    now_s = tables.now_s
    donors = sorted(tables.loaded, key=lambda one: (-one.load_s(now_s), one.id))
    chosen: list[Task] = []
    for donor in donors[: len(idle)]:
        load_s = donor.load_s(now_s)
        if load_s < _GAIN_S_MIN:
            break
        chosen.extend(_surplus(tables, donor, load_s, idle))
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
    kept_count = 0 if tables.now_s - donor.progress_s > _LATE_S else donor.threads
    surplus_count = len(donor.assigned) - kept_count
    share_count = -(-surplus_count * len(idle) // (len(idle) + 1))
    chosen: list[Task] = []
    for task in reversed(donor.assigned):
        if len(chosen) >= share_count:
            break
        if task.state is not ASSIGNED or tables.recalls.get(task.key, 0) >= _RECALLS_MAX:
            continue
        for worker in _takers(tables, task.options, idle):
            if 2 * transfer_s(task, worker) < load_s:
                chosen.append(task)
                break
    return chosen
