"""What follows from the memory that the process uses; as a function on the tables."""

from __future__ import annotations

from hocket.worker.policy.memory import PausePolicy
from hocket.worker.running import grant
from hocket.worker.spilling import spill_down
from hocket.worker.state import WantState
from hocket.worker.tables import Tables
from hocket.worker.transitions import seek_anew

__all__ = ["look_at_memory"]


def look_at_memory(tables: Tables, pause_policy: PausePolicy, process_nbytes: int) -> bool:
    """Have values spilled where memory is short, and pause where it is very short, or go on.

    Returns
    -------
    bool
        Whether it pauses from now on, or does no more.
    """
    shelf = tables.shelf
    if shelf.policy.is_on:
        shelf.process_excess_nbytes = shelf.policy.process_excess_nbytes(
            process_nbytes, shelf.process_excess_nbytes
        )
        spill_down(tables)
    paused = pause_policy.look(process_nbytes, paused=tables.paused)
    if paused == tables.paused:
        return False
    tables.paused = paused
    tables.outbox.paused(paused=paused)
    if paused:
        for datum in tables.copies.values():
            if datum.want is not None and datum.want.state is WantState.QUEUED:
                seek_anew(tables, datum)
    elif tables.rejoining_count:
        grant(tables)
    return True
