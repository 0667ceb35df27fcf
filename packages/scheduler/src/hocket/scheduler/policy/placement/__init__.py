"""Which worker gets a task: several rules, each a small pure module; one is chosen by its name.

A rule is called with a queued task that has inputs, all stored, and with the least loaded worker
that has room for it. It returns that worker or another that fits. The default was chosen by
measurement in the simulator (``benchmarks/placement.py``).
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import TYPE_CHECKING, Final, TypeAlias

from hocket.scheduler.policy.placement import earliest, greedy, spread

if TYPE_CHECKING:
    from hocket.scheduler.state import Task, Worker
    from hocket.scheduler.tables import Tables

__all__ = ["PLACEMENTS", "Placement"]

#: ``(tables, task, idlest worker with room, workers that fit or None for all) -> worker``
Placement: TypeAlias = "Callable[[Tables, Task, Worker, Collection[Worker] | None], Worker]"

PLACEMENTS: Final[dict[str, Placement]] = {
    "greedy": greedy.place,
    "earliest": earliest.place,
    "round-robin": spread.place_in_turn,
    "random": spread.place_at_random,
    "idlest": spread.place_on_idlest,
}
