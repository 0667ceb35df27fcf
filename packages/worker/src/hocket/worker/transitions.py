"""The moves of tasks and data, as functions on the tables.

A move that leaves a wanted value without its source puts it into ``tables.unsettled``; `settle` at
the end of the event finds another source, or gives back the tasks that wait for it, which may
unsettle more. So a chain of any length comes apart without recursion.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from hocket.protocol.messages import Failure
from hocket.worker.spilling import lost, pin, rest, shelve, take_off, unpin, unspilled
from hocket.worker.state import (
    COPY_PRIORITY,
    ON_DISK,
    Datum,
    Task,
    TaskState,
    Unspill,
    Want,
    WantState,
)
from hocket.worker.tables import Tables

__all__ = [
    "add_holders",
    "bring_back",
    "cancel_older_copy",
    "drop",
    "end_actor",
    "fail_waiters",
    "hasten",
    "hold",
    "look_for",
    "lose_file",
    "make_ready",
    "remove",
    "return_task",
    "seek_anew",
    "settle",
    "subscribe",
    "take_holder_away",
    "want_copy",
    "want_no_copy",
]

#: States in which the source must be looked for (again).
_WITHOUT_SOURCE: Final = (WantState.NEW, WantState.EXPECTED)


def make_ready(tables: Tables, task: Task) -> None:
    """Move a task from WAITING to READY: all its inputs are here."""
    task.state = TaskState.READY
    tables.ready.push(task)
    if tables.feed.watch is not None:
        tables.feed.watch.ready(task)


def look_for(tables: Tables, key: str, attempt: int, nbytes: int, priority: int) -> Datum:
    """Return the value of this attempt: held, wanted already, or wanted from now on.

    A value of another attempt that is held is not it.
    """
    datum = tables.held.get(key)
    if datum is not None and datum.attempt == attempt:
        return datum
    datum = tables.wanted.get((key, attempt))
    if datum is None:
        datum = Datum(key, attempt, max(nbytes, 0), None, Want(priority))
        tables.wanted[key, attempt] = datum
    return datum


def add_holders(datum: Datum, addresses: Sequence[str]) -> None:
    """Note that these peers hold a value, as the scheduler says (perhaps again)."""
    want = datum.want
    if want is None or not addresses:
        return
    if not want.holders and len(addresses) == 1:
        # Most values are new here, and have one holder.
        want.holders.append(addresses[0])
        _queue_anew(want)
        return
    fresh = [address for address in dict.fromkeys(addresses) if address not in want.holders]
    if fresh:
        want.holders.extend(fresh)
        _queue_anew(want)


def hasten(datum: Datum, priority: int) -> None:
    """Make a value as urgent as a task that needs it."""
    want = datum.want
    if want is not None and priority < want.priority:
        want.priority = priority
        _queue_anew(want)


def _queue_anew(want: Want) -> None:
    if want.state is WantState.QUEUED:
        want.state = WantState.NEW


def subscribe(tables: Tables, task: Task, inputs: list[Datum]) -> None:
    """Let a task wait for those of its inputs that are not in memory."""
    task.inputs = inputs
    for datum in inputs:
        pin(tables, datum)
        if datum.want is not None:
            datum.want.waiters[task] = None
            task.missing += 1


def remove(tables: Tables, task: Task) -> None:
    """Move a task out of the table, from any state, with nothing said.

    A thread that has the task keeps it and its resources until it ends.
    """
    del tables.tasks[task.key]
    tables.actors.forget_restore(task.key, task.attempt)
    if task.state is TaskState.READY:
        task.state = TaskState.GONE
        tables.ready.discard(task)
        unpin(tables, task)
        if task.inputs:
            # It stays in line until somebody takes what comes after it, which may be long.
            tables.discarded.append(task.inputs)
            task.inputs = ()
    elif task.state is TaskState.WAITING:
        task.state = TaskState.GONE
        for datum in task.inputs:
            want = datum.want
            if want is not None and task in want.waiters:
                del want.waiters[task]
                if not want.waiters:
                    tables.unsettled.append(datum)
        unpin(tables, task)
    if tables.wanted:
        _unsettle_product(tables, task)
    if tables.feed.watch is not None and task.state is TaskState.GONE:
        tables.feed.watch.gone(task)


def _unsettle_product(tables: Tables, task: Task) -> None:
    """Let those who wait for what the task will not make get it elsewhere."""
    product = tables.wanted.get((task.key, task.attempt))
    if product is not None:
        tables.unsettled.append(product)


def return_task(tables: Tables, task: Task) -> None:
    """Give a task that has not begun back to the scheduler."""
    remove(tables, task)
    tables.outbox.returned(task.key, task.attempt)


def hold(tables: Tables, key: str, attempt: int, nbytes: int, value: object) -> bool:
    """Keep a value; the tasks that waited for it come nearer to ready.

    A value of an earlier attempt of the key is replaced. One of a later attempt stays, and what has
    come only serves those that waited for it. A copy that was asked for is reported.

    Returns
    -------
    bool
        Whether it is kept.
    """
    former = tables.held.get(key)
    is_kept = former is None or former.attempt <= attempt
    if is_kept and former is not None:
        drop(tables, former)
    datum = tables.wanted.pop((key, attempt), None) if tables.wanted else None
    waiters: dict[Task, None] = {}
    if datum is None:
        datum = Datum(key, attempt, nbytes, value)
    else:
        if datum.want is not None and datum.want.is_copy:
            del tables.copies[key]
            tables.outbox.replica(key, attempt)
        waiters = _come(tables, datum, nbytes, value)
    if tables.copies:
        cancel_older_copy(tables, key, attempt)
    if is_kept:
        tables.held[key] = datum
        tables.held_nbytes += nbytes
    _serve(tables, waiters)
    if nbytes >= tables.shelf.nbytes_min:
        shelve(tables, datum)
    return is_kept


def _come(tables: Tables, datum: Datum, nbytes: int, value: object) -> dict[Task, None]:
    """Put a value into memory that was not there; return who has waited for it."""
    want, datum.want = datum.want, None
    waiters: dict[Task, None] = {}
    if want is not None:
        waiters = want.waiters
        if want.state in ON_DISK:
            take_off(tables, datum)
        want.state = WantState.OVER
    datum.value = value
    datum.nbytes = nbytes
    return waiters


def _serve(tables: Tables, waiters: Iterable[Task]) -> None:
    for task in waiters:
        task.missing -= 1
        if not task.missing:
            make_ready(tables, task)


def bring_back(tables: Tables, unspill: Unspill, value: object) -> None:
    """Give a value that was read from its file to those who wait for it."""
    datum = unspill.datum
    if not unspilled(tables, unspill, value):
        return
    is_held = tables.held.get(datum.key) is datum
    if not is_held and datum.want is not None and datum.want.is_copy:
        hold(tables, datum.key, datum.attempt, datum.nbytes, value)
        return
    if is_held:
        tables.held_nbytes += datum.nbytes
    else:
        del tables.wanted[datum.key, datum.attempt]
    _serve(tables, _come(tables, datum, datum.nbytes, value))
    rest(tables, datum)


def lose_file(tables: Tables, datum: Datum, file: object) -> None:
    """Take note that a value's file is damaged: those who wait for it need another source."""
    if not lost(tables, datum, file):
        return
    want = datum.want
    assert want is not None  # It was on disk.
    if tables.held.get(datum.key) is datum:
        del tables.held[datum.key]
        end_actor(tables, datum.key, datum.attempt)
    if not want.waiters and not want.is_copy:
        _forget(tables, datum, want)
        return
    tables.wanted[datum.key, datum.attempt] = datum
    if tables.address in want.holders:
        want.holders.remove(tables.address)
    seek_anew(tables, datum)
    if any(datum in fetch.data for fetch in tables.fetches.values()):
        # It was asked for once, and came otherwise; it still may come.
        want.state = WantState.FETCHING


def drop(tables: Tables, datum: Datum) -> None:
    """Let go of a held value. Tasks that are ready to read it, or do so, still have it.

    Those that wait for it to be read from its file still get it.
    """
    del tables.held[datum.key]
    want = datum.want
    if want is None:
        tables.held_nbytes -= datum.nbytes
        tables.discarded.append(datum)
        if datum.nbytes >= tables.shelf.nbytes_min:
            take_off(tables, datum)
    elif want.waiters:
        tables.wanted[datum.key, datum.attempt] = datum
    else:
        take_off(tables, datum)
        _forget(tables, datum, want)
    end_actor(tables, datum.key, datum.attempt)


def end_actor(tables: Tables, key: str, attempt: int) -> None:
    """Let go of an actor, if this incarnation of one lives here, and of what it kept."""
    actor = tables.actors.close(key, attempt)
    if actor is not None and actor.needs:
        tables.resources.release(actor.needs)
        if actor.devices:
            tables.resources.give_devices_back(actor.needs, actor.devices)
        tables.ready.unblock()


def want_copy(tables: Tables, key: str, attempt: int, nbytes: int) -> Datum | None:
    """Have a value here although no task waits for it.

    Returns
    -------
    Datum | None
        The value that is wanted from now on; None if it is here, or a newer one is, which was said.
    """
    held = tables.held.get(key)
    if held is not None and held.attempt == attempt:
        tables.outbox.replica(key, attempt)
        return None
    former = tables.copies.get(key)
    if any(each is not None and each.attempt > attempt for each in (held, former)):
        tables.outbox.copy_failed(key, attempt)
        return None
    cancel_older_copy(tables, key, attempt)
    datum = tables.copies[key] = look_for(tables, key, attempt, nbytes, COPY_PRIORITY)
    assert datum.want is not None  # It is not held.
    datum.want.is_copy = True
    if tables.paused and datum.want.state is WantState.QUEUED:
        # For a task it may be fetched later on; no copy can wait for that.
        datum.want.state = WantState.NEW
    tables.unsettled.append(datum)
    return datum


def want_no_copy(tables: Tables, datum: Datum) -> None:
    """Take the wish for a copy back, with nothing said."""
    if datum.want is not None and datum.want.is_copy:
        datum.want.is_copy = False
        del tables.copies[datum.key]
        tables.unsettled.append(datum)


def cancel_older_copy(tables: Tables, key: str, attempt: int) -> None:
    """Take the wish for a copy back if it is of an earlier attempt than this."""
    datum = tables.copies.get(key)
    if datum is not None and datum.attempt < attempt:
        want_no_copy(tables, datum)


def _fail_copy(tables: Tables, datum: Datum, want: Want) -> None:
    """Report that a value cannot be copied, if that was asked for; it must be settled then."""
    if want.is_copy:
        want.is_copy = False
        del tables.copies[datum.key]
        tables.outbox.copy_failed(datum.key, datum.attempt)


def seek_anew(tables: Tables, datum: Datum) -> None:
    """Look for the source of a value again."""
    if datum.want is not None:
        datum.want.state = WantState.NEW
        tables.unsettled.append(datum)


def take_holder_away(tables: Tables, datum: Datum, address: str, *, gone: bool) -> None:
    """Report that a peer did not give a wanted value, and see to another source."""
    tables.outbox.missing(datum.key, datum.attempt, address, gone=gone)
    if datum.want is None:
        return
    if address in datum.want.holders:
        datum.want.holders.remove(address)
    seek_anew(tables, datum)


def fail_waiters(tables: Tables, datum: Datum, failure: Failure, now_s: float) -> None:
    """Fail the tasks that wait for a value that can be had from nobody."""
    if datum.want is None:
        return
    for task in list(datum.want.waiters):
        remove(tables, task)
        tables.outbox.failed(task.key, task.attempt, now_s, 0.0, failure)
    _fail_copy(tables, datum, datum.want)
    seek_anew(tables, datum)


def settle(tables: Tables) -> None:
    """Find a source for each unsettled value, or give back the tasks that wait for it."""
    # It grows while it is walked.
    for datum in tables.unsettled:
        if datum.want is None or datum.want.state is WantState.OVER:
            continue
        if not datum.want.waiters and not datum.want.is_copy:
            _let_be(tables, datum, datum.want)
        elif datum.want.state is WantState.SPILLED:
            tables.shelf.push(datum, datum.want)
        elif datum.want.state in _WITHOUT_SOURCE:
            _find_source(tables, datum, datum.want)
    tables.unsettled.clear()


def _let_be(tables: Tables, datum: Datum, want: Want) -> None:
    """Do no more for a value that nobody waits for any more."""
    # What is on its way may find new waiters until it is here.
    if want.state is not WantState.FETCHING and tables.held.get(datum.key) is not datum:
        if want.state in ON_DISK:
            take_off(tables, datum)
        _forget(tables, datum, want)


def _forget(tables: Tables, datum: Datum, want: Want) -> None:
    want.state = WantState.OVER
    # (It may have been asked for once, and then come otherwise: no answer is of use any more.)
    datum.want = None
    tables.wanted.pop((datum.key, datum.attempt), None)


def _find_source(tables: Tables, datum: Datum, want: Want) -> None:
    producer = tables.tasks.get(datum.key)
    if producer is not None and producer.attempt == datum.attempt:
        want.state = WantState.EXPECTED
        return
    if tables.address in want.holders:
        # The scheduler believes that it is here; it is not.
        want.holders.remove(tables.address)
        tables.outbox.missing(datum.key, datum.attempt, tables.address, gone=True)
    if tables.paused and want.is_copy:
        # It has no room, and the scheduler knows that by now, or soon.
        _fail_copy(tables, datum, want)
    if want.holders and (want.waiters or want.is_copy):
        want.state = WantState.QUEUED
        tables.queue.push(datum, want)
        return
    want.state = WantState.NEW
    for task in list(want.waiters):
        return_task(tables, task)
    _fail_copy(tables, datum, want)
    # Nobody wants it any more.
    tables.unsettled.append(datum)
