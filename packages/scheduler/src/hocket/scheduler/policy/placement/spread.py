"""Rules that know nothing of where inputs lie: in turn, at random, the idlest one.

They are what the others are measured against.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from hocket.scheduler.state import Task, Worker
    from hocket.scheduler.tables import Tables

__all__ = ["place_at_random", "place_in_turn", "place_on_idlest"]

#: Knuth's multiplicative hash: chance without a source of chance, the same in every replay.
_HASH_FACTOR: Final = 2654435761
_HASH_MODULUS: Final = 2**32


def place_in_turn(
    tables: Tables, task: Task, idlest: Worker, fitting: Collection[Worker] | None
) -> Worker:
    """Choose the workers with room one after the other."""
    del task
    candidates = _candidates(tables, idlest, fitting)
    return candidates[tables.attempts_count % len(candidates)]


def place_at_random(
    tables: Tables, task: Task, idlest: Worker, fitting: Collection[Worker] | None
) -> Worker:
    """Choose any of the workers with room."""
    del task
    candidates = _candidates(tables, idlest, fitting)
    number = (tables.attempts_count + 1) * _HASH_FACTOR % _HASH_MODULUS
    return candidates[number * len(candidates) // _HASH_MODULUS]


def place_on_idlest(
    tables: Tables, task: Task, idlest: Worker, fitting: Collection[Worker] | None
) -> Worker:
    """Choose the least loaded worker."""
    del tables, task, fitting
    return idlest


def _candidates(tables: Tables, idlest: Worker, fitting: Collection[Worker] | None) -> list[Worker]:
    found = [one for one in tables.open.members if fitting is None or one in fitting]
    return sorted(found, key=lambda one: one.id) or [idlest]
