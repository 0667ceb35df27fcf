"""The rules about values in memory and on disk; a part of `hocket.worker.invariants`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from hocket.core.errors import InvariantBroken
from hocket.worker.shelf import SPILLING_MAX
from hocket.worker.spilling import has_reason_to_wait
from hocket.worker.state import ON_DISK, Datum, Task, TaskState, WantState
from hocket.worker.tables import Tables

__all__ = ["check_shelf"]


def check_shelf(tables: Tables) -> None:
    """Check them all.

    Raises
    ------
    InvariantBroken
        A rule does not hold.
    """
    _check_counts(tables)
    _check_readers(tables)
    _check_idle(tables)
    _check_spilling(tables)
    _check_spilled(tables)
    _check_reads(tables)


def _require(holds: object, rule: str, detail: object) -> None:
    if not holds:
        raise InvariantBroken(rule=rule, detail=repr(detail))


def _nbytes_of(data: Iterable[Datum]) -> int:
    return sum(datum.nbytes for datum in data)


def _check_counts(tables: Tables) -> None:
    shelf = tables.shelf
    nbytes = _nbytes_of(datum for datum in tables.held.values() if datum.want is None)
    _require(tables.held_nbytes == nbytes, "held bytes are counted", (tables.held_nbytes, nbytes))
    for name, counted_nbytes, data in (
        ("spilling", shelf.spilling_nbytes, list(shelf.spilling)),
        ("spilled", shelf.spilled_nbytes, list(shelf.spilled)),
        ("reading", shelf.reading_nbytes, list(shelf.reading)),
    ):
        nbytes = _nbytes_of(data)
        _require(counted_nbytes == nbytes, f"{name} bytes are counted", (counted_nbytes, nbytes))


def _check_readers(tables: Tables) -> None:
    """Whoever reads a value is counted, as long as it is here."""
    counts: Counter[Datum] = Counter()
    tasks: dict[Task, None] = {**dict.fromkeys(tables.tasks.values()), **tables.running}
    for task in tasks:
        counts.update(task.inputs)
    data = {*counts, *tables.held.values(), *tables.wanted.values()}
    for datum in data:
        is_counted = datum.readers_count == counts[datum]
        _require(is_counted, "readers are counted", (datum, datum.readers_count, counts[datum]))
        if counts[datum]:
            is_here = datum.want is None or any(
                task.state is TaskState.WAITING for task in tasks if datum in task.inputs
            )
            _require(is_here, "who reads a value has it in memory", datum)


def _check_idle(tables: Tables) -> None:
    shelf = tables.shelf
    for datum in tables.held.values():
        may_leave = (
            datum.nbytes >= shelf.nbytes_min
            and datum.want is None
            and not datum.readers_count
            and datum not in shelf.spilling
            and datum not in shelf.unspillable
        )
        rule = "what is large, and read by nobody, may leave the memory"
        _require(may_leave == (datum in shelf.idle), rule, datum)
    for datum in (*shelf.idle, *shelf.unspillable):
        is_held = tables.held.get(datum.key) is datum
        _require(is_held, "what may leave the memory, or cannot, is held", datum)


def _check_spilling(tables: Tables) -> None:
    shelf = tables.shelf
    for datum, spill in shelf.spilling.items():
        _require(spill.datum is datum, "what is written is what is to be", spill)
        _require(spill.value is datum.value, "what is written is the value", spill)
        _require(tables.held.get(datum.key) is datum, "what is written is held", datum)
        _require(datum.want is None, "what is written is in memory", datum)
        _require(not datum.readers_count, "what is written is read by nobody", datum)
    _require(len(shelf.spilling) <= SPILLING_MAX, "a few are written at once", shelf.spilling)
    _require(
        shelf.is_full == (shelf.retry_s is not None), "a full disk is tried again", shelf.retry_s
    )
    if shelf.idle and not shelf.spilling and not shelf.is_full:
        excess_nbytes = shelf.policy.values_excess_nbytes(tables.held_nbytes)
        # (Small values are not counted when they come.)
        is_enough = excess_nbytes < shelf.nbytes_min or not shelf.policy.is_on
        large = _nbytes_of(one for one in tables.held.values() if one.nbytes >= shelf.nbytes_min)
        is_enough = is_enough or large <= shelf.policy.target_nbytes
        _require(is_enough, "what is too much leaves the memory", (tables.held_nbytes, shelf.idle))


def _check_spilled(tables: Tables) -> None:
    shelf = tables.shelf
    on_disk = {
        datum
        for datum in (*tables.held.values(), *tables.wanted.values())
        if datum.want is not None and datum.want.state in ON_DISK
    }
    _require(on_disk == set(shelf.spilled), "what is on disk is known", (on_disk, shelf.spilled))
    for datum in tables.held.values():
        is_copy = datum.want is not None and datum.want.is_copy
        _require(not is_copy, "what is held is copied already", datum)
    reading = {
        datum
        for datum in on_disk
        if datum.want is not None and datum.want.state is WantState.READING
    }
    _require(reading == set(shelf.reading), "what is read is known", (reading, shelf.reading))
    for datum, unspill in shelf.reading.items():
        _require(unspill.datum is datum, "what is read is what is to be", unspill)
        _require(unspill.file is datum.value, "what is read is the value's file", unspill)


def _check_reads(tables: Tables) -> None:
    """Nobody waits in vain for what is on disk."""
    queued = set(tables.shelf.queued())
    for datum in tables.shelf.spilled:
        want = datum.want
        if want is None or want.state is not WantState.SPILLED:
            continue
        is_needed = bool(want.waiters) or want.is_copy
        _require(is_needed == (datum in queued), "what is needed from disk is in line", datum)
        for task in want.waiters:
            _require(tables.tasks.get(task.key) is task, "waiters are here", (datum, task))
            _require(datum in task.inputs, "waiters need it", (datum, task))
    if queued:
        _require(has_reason_to_wait(tables), "nobody waits for a disk that is idle", queued)
