"""What coordination is bounded by: whoever asks for more is denied, and told the limit."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["CoordinationLimits"]


@dataclass(frozen=True, slots=True)
class CoordinationLimits:
    """What coordination is bounded by."""

    #: Locks, semaphores, events, variables, queues and barriers that say something, together.
    records_max: int = 100_000
    #: Requests of one client that wait at once, and grants that it holds.
    wishes_max: int = 100_000
    grants_max: int = 100_000
    #: Locks that one request may name.
    names_max: int = 1_000
    #: Values in one queue; the size of one value, of all, and of those in one answer.
    items_max: int = 1_000_000
    value_nbytes_max: int = 2**20
    values_nbytes_max: int = 2**29
    answer_nbytes_max: int = 2**27
    #: Futures in one value.
    keys_max: int = 10_000
