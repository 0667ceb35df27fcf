"""Where actors live: on the worker that has the fewest, among those with memory for one more."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hocket.scheduler.policy.memory import may_add
from hocket.scheduler.state.worker import ENDLESS_S

if TYPE_CHECKING:
    from hocket.scheduler.state import Task, Worker
    from hocket.scheduler.tables import Tables

__all__ = ["choose_home"]


def choose_home(tables: Tables, task: Task) -> Worker | None:
    """Return the worker that is to keep an actor; None: there is none with room now.

    An actor stays where it is made, so what counts is not who is idle at this moment: a worker that
    knows of no end, then the fewest actors, the least data, the least work.
    """
    options = task.options
    nbytes = tables.expected_nbytes(task)
    best: Worker | None = None
    best_cost: tuple[bool, int, int, float, int] | None = None
    for worker in tables.fitting(options):
        if not tables.has_room_for(worker, options) or not may_add(tables, worker, nbytes):
            continue
        load_s = worker.load_for_s(options, tables.now_s)
        is_mortal = worker.life_s < ENDLESS_S
        cost = (is_mortal, len(worker.actors), worker.held_nbytes, load_s, worker.id)
        if best_cost is None or cost < best_cost:
            best, best_cost = worker, cost
    return best
