"""Collecting values: waiting for them, taking those that came along, fetching the others.

A value that is fetched comes straight from a worker that holds it. A holder that fails to give it
is reported to the scheduler, another is tried, and if there is none, the value is waited for until
it has been computed again; all that in a bounded number of rounds.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterable, Sequence
from typing import Any, Final, NamedTuple

from hocket.client.failures import Raised, error_of_state
from hocket.client.shell.session import ClientSession, deadline
from hocket.client.states import PENDING, STORED, FutureState
from hocket.core.errors import (
    HocketError,
    KeyLost,
    PeerError,
    RemoteProtocolError,
    SerializationError,
)
from hocket.protocol.messages import DataReply, FetchData, KeysLocated, LocateKeys, ReportMissing
from hocket.protocol.serialize import load_value, unpack

__all__ = ["collect", "collect_one"]

#: How often a value is located anew before it is given up.
_ROUNDS_MAX: Final = 10

_MISSING: Final = object()


class _Fetched(NamedTuple):
    """What one worker gave."""

    address: str
    #: Per key: the buffers of its value; why it cannot be sent; or None.
    answers: dict[str, list[memoryview] | str | None]
    #: Those of the keys for which it could not be reached.
    unreached: set[str]


def collect(
    session: ClientSession,
    states: Sequence[FutureState],
    timeout_s: float | None = None,
    *,
    first_failure: bool = True,
) -> list[Any]:
    """Return the values of futures; in the place of one that has none, a `Raised`.

    Parameters
    ----------
    session
        Of their client.
    states
        Of the futures.
    timeout_s
        Seconds to wait; None waits for ever.
    first_failure
        Whether the first failure ends the waiting; there is then a `Raised` in its place, and None
        in the places of those that were not there yet.

    Raises
    ------
    TimeoutError
        They are not all there in time.
    PeerLost
        The scheduler is gone, and with it values that have not been fetched.
    """
    left = deadline(timeout_s)
    values: list[Any] = [_MISSING] * len(states)
    rows: Sequence[int] = range(len(states))
    for _ in range(_ROUNDS_MAX):
        waited_for = states if len(rows) == len(states) else [states[row] for row in rows]
        if not session.wait(waited_for, left(), first_failure=first_failure):
            raise TimeoutError(_describe_late(waited_for, timeout_s))
        rows = _take_inline(session, states, values, rows)
        if first_failure and any(type(value) is Raised for value in values):
            return [None if value is _MISSING else value for value in values]
        if not rows:
            return values
        _fetch_round(session, states, values, rows, left())
        rows = [row for row in rows if values[row] is _MISSING]
        if not rows:
            return values
    for row in rows:
        if values[row] is _MISSING:
            reason = f"no worker gave it, though it was located {_ROUNDS_MAX} times"
            values[row] = Raised(KeyLost(key=states[row].key, reason=reason))
    return values


def collect_one(session: ClientSession, state: FutureState, timeout_s: float | None = None) -> Any:
    """Return the value of one future, or a `Raised`: `collect`, quicker if it came along."""
    if state.value is not None:
        # One that cannot be loaded goes the long way round, which names the key.
        with contextlib.suppress(SerializationError):
            return load_value(state.value)
    return collect(session, [state], timeout_s)[0]


def _take_inline(
    session: ClientSession, states: Sequence[FutureState], values: list[Any], rows: Sequence[int]
) -> list[int]:
    """Take the values that came along and the failures; return the rows without either."""
    left = []
    for row in rows:
        state = states[row]
        data = state.value
        if data is not None:
            try:
                values[row] = load_value(data)
            except SerializationError as error:
                values[row] = Raised(_name_result(error, state))
        elif state.status is STORED:
            left.append(row)
        else:
            error_of_it = error_of_state(state, session.machine.closed)
            if error_of_it is not None:
                values[row] = Raised(error_of_it)
            else:
                # Only where the wait ended early.
                left.append(row)
    return left


def _name_result(error: SerializationError, state: FutureState) -> SerializationError:
    named = SerializationError(
        what=f"the result of {state.key!r}", type_name=error.type_name, reason=error.reason
    )
    named.__cause__ = error.__cause__
    return named


def _describe_late(states: Sequence[FutureState], timeout_s: float | None) -> str:
    pending = [state.key for state in states if state.status is PENDING]
    if len(pending) == 1:
        return f"{pending[0]!r} has no result after {timeout_s} s"
    return f"{len(pending)} of {len(states)} tasks have no result after {timeout_s} s"


def _fetch_round(
    session: ClientSession,
    states: Sequence[FutureState],
    values: list[Any],
    rows: Sequence[int],
    timeout_s: float | None,
) -> None:
    """Locate values and fetch those that workers give; each holder is tried once."""
    left = deadline(timeout_s)
    nbytes = {states[row].key: states[row].nbytes for row in rows}
    keys = list(nbytes)
    located = session.ask(KeysLocated, lambda number: LocateKeys(number, keys), left())
    if len(located.addresses) != len(keys):
        raise RemoteProtocolError(reason="KeysLocated has not as many rows as were asked for")
    holders = dict(zip(keys, located.addresses, strict=True))
    loaded: dict[str, Any] = {}
    while True:
        plan = _plan(holders, nbytes)
        if not plan:
            break
        fetched = session.loop.run(_fetch_all(session, plan, nbytes), left())
        for one in fetched:
            _take_answers(session, one, loaded, holders)
    for row in rows:
        if states[row].key in loaded:
            values[row] = loaded[states[row].key]


def _plan(holders: dict[str, list[str]], nbytes: dict[str, int]) -> dict[str, list[str]]:
    """Return the keys to ask each worker for, so that each has about as much to send."""
    load: dict[str, int] = {}
    plan: dict[str, list[str]] = {}
    for key, addresses in holders.items():
        if addresses:
            chosen = min(addresses, key=lambda one: load.get(one, 0))
            load[chosen] = load.get(chosen, 0) + max(1, nbytes[key])
            plan.setdefault(chosen, []).append(key)
    return plan


def _take_answers(
    session: ClientSession,
    fetched: _Fetched,
    loaded: dict[str, Any],
    holders: dict[str, list[str]],
) -> None:
    for key, answer in fetched.answers.items():
        if answer is None:
            holders[key].remove(fetched.address)
            continue
        holders[key] = []
        what = f"the result of {key!r}"
        if isinstance(answer, str):
            loaded[key] = Raised(SerializationError(what=what, type_name="?", reason=answer))
        else:
            try:
                loaded[key] = unpack(answer, what)
            except SerializationError as error:
                loaded[key] = Raised(error)
    missing = [key for key, answer in fetched.answers.items() if answer is None]
    for gone in (True, False):
        keys = [key for key in missing if (key in fetched.unreached) is not gone]
        if keys:
            with session.lock:
                session.machine.post(ReportMissing(keys, fetched.address, gone))
            session.send()


async def _fetch_all(
    session: ClientSession, plan: dict[str, list[str]], nbytes: dict[str, int]
) -> list[_Fetched]:
    """Ask all workers at once, each for a bounded number of bytes at a time."""
    limit = session.settings.worker.fetch_nbytes_max
    tasks = [
        _fetch_from(session, address, _split(keys, nbytes, limit)) for address, keys in plan.items()
    ]
    return await asyncio.gather(*tasks)


def _split(keys: Iterable[str], nbytes: dict[str, int], limit: int) -> list[list[str]]:
    parts: list[list[str]] = []
    room = 0
    for key in keys:
        if not parts or nbytes[key] > room:
            parts.append([])
            room = limit
        parts[-1].append(key)
        room -= nbytes[key]
    return parts


async def _fetch_from(session: ClientSession, address: str, parts: list[list[str]]) -> _Fetched:
    answers: dict[str, list[memoryview] | str | None] = {}
    unreached: set[str] = set()
    for keys in parts:
        if unreached:
            unreached.update(keys)
            continue
        try:
            reply, buffers = await session.pool.request(address, FetchData(keys))
            answers.update(_read_reply(keys, reply, buffers))
        except (PeerError, OSError):
            unreached.update(keys)
        except HocketError as error:
            # Say, too large for this machine: asking others would not help.
            answers.update(dict.fromkeys(keys, str(error)))
    answers.update(dict.fromkeys(unreached))
    return _Fetched(address, answers, unreached)


def _read_reply(
    keys: list[str], reply: object, buffers: list[memoryview]
) -> dict[str, list[memoryview] | str | None]:
    if not isinstance(reply, DataReply) or len(reply.sizes) != len(keys):
        raise RemoteProtocolError(reason="a worker answered something else than was asked for")
    answers: dict[str, list[memoryview] | str | None] = {}
    start = 0
    for key, sizes, error in zip(keys, reply.sizes, reply.errors, strict=True):
        if error:
            answers[key] = error
        elif sizes is None:
            answers[key] = None
        else:
            answers[key] = buffers[start : start + len(sizes)]
            start += len(sizes)
    return answers
