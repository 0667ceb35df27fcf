"""Asking other workers for data, and what becomes of their answers; as functions on the tables."""

from __future__ import annotations

from collections.abc import Container, Sequence
from typing import Final

from hocket.protocol.messages import Failure, FailureKind
from hocket.worker.policy.backoff import FAILURES_MAX
from hocket.worker.spilling import is_away, read_back, spill_down
from hocket.worker.state import Datum, Fetch, Task, WantState
from hocket.worker.tables import Tables
from hocket.worker.transitions import (
    add_holders,
    fail_waiters,
    hold,
    seek_anew,
    settle,
    take_holder_away,
)

__all__ = ["Answer", "ask_peers", "busy", "failed", "fetched", "look_at_clock", "settle_and_ask"]

#: A value has no more holders than this from busy peers; what they say is not the scheduler's word.
_HOLDERS_MAX: Final = 16


class Answer:
    """What a peer said to a fetch about one key.

    Parameters
    ----------
    attempt
        The attempt that made the value, -1 if it is not there.
    nbytes, value
        The value and its estimated size.
    error
        Why the value, although it is there, could not be sent or read; "" if it could.
    """

    __slots__ = ("attempt", "error", "nbytes", "value")

    def __init__(
        self, attempt: int, nbytes: int = 0, value: object = None, error: str = ""
    ) -> None:
        self.attempt = attempt
        self.nbytes = nbytes
        self.value = value
        self.error = error


_MISSING: Final = Answer(-1)


def settle_and_ask(tables: Tables) -> None:
    """See to it that each wanted value has a source, and ask peers as far as the limits go."""
    if tables.unsettled:
        settle(tables)
    if tables.queue:
        ask_peers(tables)
    if tables.reads:
        read_back(tables)
    if tables.held_nbytes > tables.shelf.policy.target_nbytes:
        # (Others are read now than before.)
        spill_down(tables)
    if tables.backoff.peers:
        tables.backoff.forget(lambda address: _is_needed(tables, address))


def _is_needed(tables: Tables, address: str) -> bool:
    return address in tables.fetches or any(tables.queue.at(address))


def look_at_clock(tables: Tables, now_s: float) -> None:
    """End the rests that are over."""
    if tables.backoff.resting:
        tables.backoff.look(now_s)


# What to ask for.


def ask_peers(tables: Tables) -> None:
    """Ask peers for what is queued, as far as the limits go."""
    if tables.paused:
        _ask_for_one_task(tables)
        return
    limits = tables.limits
    while tables.queue and len(tables.fetches) < limits.connections_max:
        room_nbytes = limits.room(len(tables.fetches), tables.fetching_nbytes)
        request = tables.queue.next(_occupied_peers(tables), limits.nbytes_max, room_nbytes)
        if request is None:
            return
        _start(tables, *request)


def _occupied_peers(tables: Tables) -> Container[str]:
    if not tables.backoff.resting:
        return tables.fetches
    return {*tables.fetches, *tables.backoff.resting}


def _start(tables: Tables, address: str, data: list[Datum]) -> None:
    fetch = tables.fetches[address] = Fetch(address, data)
    tables.fetching_nbytes += fetch.nbytes
    tables.commands.append(fetch)


def _ask_for_one_task(tables: Tables) -> None:
    """Ask only for what the best waiting task lacks, and only if nothing else can be done."""
    if tables.ready.is_occupied or tables.ready.best(tables.resources) is not None:
        return
    task = _best_waiting(tables)
    if task is None:
        return
    for datum in task.inputs:
        want = datum.want
        if want is None or want.state is not WantState.QUEUED:
            continue
        room_nbytes = tables.limits.room(len(tables.fetches), tables.fetching_nbytes)
        if len(tables.fetches) >= tables.limits.connections_max or (
            room_nbytes is not None and datum.nbytes > room_nbytes
        ):
            return
        busy = _occupied_peers(tables)
        address = next((each for each in want.holders if each not in busy), None)
        if address is not None:
            want.state = WantState.FETCHING
            _start(tables, address, [datum])


def _best_waiting(tables: Tables) -> Task | None:
    """Return the most urgent task that waits for other workers' data."""
    waiting = (
        task
        for datum in tables.wanted.values()
        if datum.want is not None and datum.want.state in (WantState.QUEUED, WantState.FETCHING)
        for task in datum.want.waiters
    )
    return min(waiting, key=lambda task: task.priority, default=None)


# What came of it.


def _close(tables: Tables, fetch: Fetch) -> bool:
    """Take note that a fetch is over; return whether it was still on."""
    if tables.fetches.get(fetch.address) is not fetch:
        return False
    del tables.fetches[fetch.address]
    tables.fetching_nbytes -= fetch.nbytes
    return True


def fetched(tables: Tables, fetch: Fetch, answers: Sequence[Answer], now_s: float) -> None:
    """Take in what a peer answered to a fetch."""
    if not _close(tables, fetch):
        return
    tables.backoff.answered(fetch.address)
    for index, datum in enumerate(fetch.data):
        answer = answers[index] if index < len(answers) else _MISSING
        _take_in(tables, fetch.address, datum, answer, now_s)


def _take_in(tables: Tables, address: str, datum: Datum, answer: Answer, now_s: float) -> None:
    """Take in what a peer said about one value."""
    want = datum.want
    if want is None or not is_away(datum):
        return  # Made or put here in the meantime.
    if answer.attempt != datum.attempt:
        take_holder_away(tables, datum, address, gone=True)
    elif answer.error:
        fail_waiters(tables, datum, _unreadable(tables, datum, answer.error), now_s)
    elif want.is_copy:
        hold(tables, datum.key, datum.attempt, answer.nbytes, answer.value)
    elif want.waiters:
        if hold(tables, datum.key, datum.attempt, answer.nbytes, answer.value):
            tables.outbox.replica(datum.key, datum.attempt)
    else:
        # All who waited for it are gone.
        seek_anew(tables, datum)
        tables.discarded.append(answer.value)


def _unreadable(tables: Tables, datum: Datum, error: str) -> Failure:
    text = f"the value of {datum.key!r} cannot be brought to worker {tables.name!r}: {error}"
    return Failure(FailureKind.SERIALIZATION, datum.key, text, b"", tables.name, datum.attempt)


def busy(tables: Tables, fetch: Fetch, addresses: Sequence[Sequence[str]], now_s: float) -> None:
    """Leave a peer alone for a while, and ask those that it names."""
    if not _close(tables, fetch):
        return
    tables.backoff.busy(fetch.address, now_s)
    for index, datum in enumerate(fetch.data):
        if datum.want is None or not is_away(datum):
            continue
        if index < len(addresses):
            count = max(_HOLDERS_MAX - len(datum.want.holders), 0)
            others = [each for each in addresses[index] if each and each != tables.address]
            add_holders(datum, others[:count])
        seek_anew(tables, datum)


def failed(tables: Tables, fetch: Fetch, now_s: float) -> None:
    """Leave a peer that did not answer alone for a while, and take it for no holder any more.

    It stays one where it is the only one, until it has failed `FAILURES_MAX` times in a row.
    """
    if not _close(tables, fetch):
        return
    count = tables.backoff.failed(fetch.address, now_s)
    data = fetch.data
    if count >= FAILURES_MAX:
        data = [*data, *tables.queue.at(fetch.address)]
    for datum in data:
        if datum.want is None or not is_away(datum):
            continue
        if count >= FAILURES_MAX or any(each != fetch.address for each in datum.want.holders):
            take_holder_away(tables, datum, fetch.address, gone=False)
        else:
            seek_anew(tables, datum)
