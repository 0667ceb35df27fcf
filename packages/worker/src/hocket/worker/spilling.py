"""The moves of values between memory and disk, as functions on the tables; see `shelf`."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from hocket.worker.shelf import SPILLING_MAX
from hocket.worker.state import (
    COPY_PRIORITY,
    ON_DISK,
    Datum,
    DropFile,
    Spill,
    Task,
    Unspill,
    Want,
    WantState,
)
from hocket.worker.tables import Tables

__all__ = [
    "cannot_spill",
    "disk_is_full",
    "has_reason_to_wait",
    "is_away",
    "lost",
    "pin",
    "read_back",
    "rest",
    "shelve",
    "spill_down",
    "spilled",
    "take_off",
    "try_again",
    "unpin",
    "unspilled",
]

#: A disk that took no more is tried again after this time, unless something is removed from it.
_RETRY_S: Final = 30.0
#: Values are read back one after the other, and one more so that the reader need not wait.
_READING_MAX: Final = 2


def is_away(datum: Datum) -> bool:
    """Whether a value is to come from elsewhere than from this worker's own disk."""
    return datum.want is not None and datum.want.state not in ON_DISK


# Who reads what.


def pin(tables: Tables, datum: Datum) -> None:
    """Note that a task has a value among its inputs: it stays in memory, or comes back."""
    datum.readers_count += 1
    shelf = tables.shelf
    if datum.nbytes >= shelf.nbytes_min:
        shelf.idle.pop(datum, None)
        # What is written for nothing is thrown away when that is done.
        if shelf.spilling.pop(datum, None) is not None:
            shelf.spilling_nbytes -= datum.nbytes


def unpin(tables: Tables, task: Task) -> None:
    """Note that a task that is over reads its inputs no more."""
    shelf = tables.shelf
    for datum in task.inputs:
        datum.readers_count -= 1
        if datum.nbytes >= shelf.nbytes_min:
            rest(tables, datum)
    if tables.held_nbytes > shelf.policy.target_nbytes:
        spill_down(tables)


def rest(tables: Tables, datum: Datum) -> None:
    """Let a value in memory that nobody reads stand last among those that may leave it."""
    shelf = tables.shelf
    if (
        datum.readers_count
        or datum.want is not None
        or datum in shelf.spilling
        or datum in shelf.unspillable
        or tables.held.get(datum.key) is not datum
    ):
        return
    shelf.idle.pop(datum, None)
    shelf.idle[datum] = None


# Into files.


def shelve(tables: Tables, datum: Datum) -> None:
    """Take note of a large value that has come into memory; others may have to leave."""
    rest(tables, datum)
    if tables.held_nbytes > tables.shelf.policy.target_nbytes:
        spill_down(tables)


def spill_down(tables: Tables) -> None:
    """Have values written into files as far as memory is short, a few at a time."""
    shelf = tables.shelf
    if shelf.is_full:
        return
    while shelf.idle and len(shelf.spilling) < SPILLING_MAX and _excess_nbytes(tables) > 0:
        datum = next(iter(shelf.idle))
        del shelf.idle[datum]
        spill = shelf.spilling[datum] = Spill(datum)
        shelf.spilling_nbytes += datum.nbytes
        tables.commands.append(spill)
    if not shelf.idle and not shelf.spilling:
        # It cannot shrink that way: it is not tried all the time.
        shelf.process_excess_nbytes = 0.0


def _excess_nbytes(tables: Tables) -> float:
    """Return how much is to leave the memory beside what does so already."""
    shelf = tables.shelf
    # What is to be read back first needs room as well.
    following = shelf.next()
    coming_nbytes = shelf.reading_nbytes + (0 if following is None else following.nbytes)
    excess_nbytes = max(
        shelf.policy.values_excess_nbytes(tables.held_nbytes + coming_nbytes),
        shelf.process_excess_nbytes,
    )
    return excess_nbytes - shelf.spilling_nbytes


def spilled(tables: Tables, spill: Spill, file: object) -> None:
    """Let a value go from memory: it was written into this file."""
    shelf, datum = tables.shelf, spill.datum
    if shelf.spilling.get(datum) is not spill:
        # Somebody reads it, or nobody wants it any more.
        tables.commands.append(DropFile(file))
        return
    del shelf.spilling[datum]
    shelf.spilling_nbytes -= datum.nbytes
    shelf.process_excess_nbytes = max(shelf.process_excess_nbytes - datum.nbytes, 0.0)
    tables.held_nbytes -= datum.nbytes
    datum.value = file
    datum.want = Want(COPY_PRIORITY)
    datum.want.state = WantState.SPILLED
    shelf.spilled[datum] = None
    shelf.spilled_nbytes += datum.nbytes
    spill_down(tables)
    read_back(tables)


def cannot_spill(tables: Tables, spill: Spill, reason: str) -> None:
    """Keep a value in memory for good, since it cannot be written at all."""
    if _put_back(tables, spill):
        tables.shelf.unspillable[spill.datum] = reason
    spill_down(tables)


def disk_is_full(tables: Tables, spill: Spill, now_s: float) -> None:
    """Keep a value, and write no others for a while: the disk takes no more."""
    if _put_back(tables, spill):
        rest(tables, spill.datum)
    tables.shelf.is_full = True
    tables.shelf.retry_s = now_s + _RETRY_S
    # So that the clock is looked at.
    tables.outbox.pending = True


def _put_back(tables: Tables, spill: Spill) -> bool:
    """End what was to be written; return whether it was still wanted."""
    shelf, datum = tables.shelf, spill.datum
    if shelf.spilling.get(datum) is not spill:
        return False
    del shelf.spilling[datum]
    shelf.spilling_nbytes -= datum.nbytes
    return True


def try_again(tables: Tables) -> None:
    """Take it that the disk has room again."""
    shelf = tables.shelf
    if shelf.is_full:
        shelf.is_full = False
        shelf.retry_s = None
        spill_down(tables)


# Back into memory.


def read_back(tables: Tables) -> None:
    """Have values read that tasks wait for, the most urgent first, as far as there is room.

    Where there is none, one is read if there is nothing else to do: what it makes ready makes room.
    """
    shelf = tables.shelf
    while shelf.queue and len(shelf.reading) < _READING_MAX:
        datum = shelf.next()
        if datum is None or not _may_read(tables, datum):
            break
        assert datum.want is not None
        datum.want.state = WantState.READING
        unspill = shelf.reading[datum] = Unspill(datum)
        shelf.reading_nbytes += datum.nbytes
        tables.commands.append(unspill)
    # What comes needs room.
    spill_down(tables)


def _may_read(tables: Tables, datum: Datum) -> bool:
    shelf = tables.shelf
    nbytes = tables.held_nbytes + shelf.reading_nbytes + datum.nbytes
    if not tables.paused and shelf.policy.has_room(nbytes):
        return True
    if shelf.reading:
        return False
    if not tables.paused and any(
        task.terms.lane.free and not task.terms.lane.count for task in _waiters_of(datum)
    ):
        # A thread would stand idle, although there is something to do for it.
        return True
    return not tables.ready.is_occupied and tables.ready.best(tables.resources) is None


def has_reason_to_wait(tables: Tables) -> bool:
    """Whether what is to be read back waits for something that is going to happen."""
    shelf = tables.shelf
    following = shelf.next()
    return (
        following is None or len(shelf.reading) >= _READING_MAX or not _may_read(tables, following)
    )


def _waiters_of(datum: Datum) -> Iterable[Task]:
    return () if datum.want is None else datum.want.waiters


def unspilled(tables: Tables, unspill: Unspill, value: object) -> bool:
    """Take a value back into memory that was read.

    Returns
    -------
    bool
        Whether it is needed there. If it is held no more, those who wait for it have yet to get it.
    """
    shelf, datum = tables.shelf, unspill.datum
    if shelf.reading.get(datum) is not unspill:
        tables.discarded.append(value)
        return False
    want = datum.want
    assert want is not None
    _end_reading(tables, datum)
    if not want.waiters and not want.is_copy:
        want.state = WantState.SPILLED
        tables.discarded.append(value)
        return False
    _leave_disk(tables, datum)
    return True


def lost(tables: Tables, datum: Datum, file: object) -> bool:
    """Take note that the file of a value is damaged: the value is here no more.

    Returns
    -------
    bool
        Whether it was the value's file. Those who wait for it have yet to be served elsewhere.
    """
    if datum not in tables.shelf.spilled or datum.value is not file:
        return False
    if datum in tables.shelf.reading:
        _end_reading(tables, datum)
    _leave_disk(tables, datum)
    tables.outbox.missing(datum.key, datum.attempt, tables.address, gone=True)
    return True


def _end_reading(tables: Tables, datum: Datum) -> None:
    del tables.shelf.reading[datum]
    tables.shelf.reading_nbytes -= datum.nbytes


def _leave_disk(tables: Tables, datum: Datum) -> None:
    """Have the file of a value removed."""
    shelf = tables.shelf
    del shelf.spilled[datum]
    shelf.spilled_nbytes -= datum.nbytes
    # (The name of the file stays where the value was: who looks there just now finds it gone, and
    # looks again.)
    tables.commands.append(DropFile(datum.value))
    if shelf.is_full:
        # There is room now for those that wait to be written.
        shelf.retry_s = 0.0


# Away with it.


def take_off(tables: Tables, datum: Datum) -> None:
    """Forget what there is of a value beside memory: nobody needs it."""
    shelf = tables.shelf
    shelf.idle.pop(datum, None)
    shelf.unspillable.pop(datum, None)
    if shelf.spilling.pop(datum, None) is not None:
        shelf.spilling_nbytes -= datum.nbytes
    if datum in shelf.reading:
        _end_reading(tables, datum)
    if datum in shelf.spilled:
        _leave_disk(tables, datum)
