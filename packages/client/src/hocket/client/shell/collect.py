"""Collecting values: waiting for them, taking those that came along, fetching the others.

A value that is fetched comes straight from a worker that holds it. A holder that fails to give it
is reported to the scheduler, another is tried, and if there is none, the value is waited for until
it has been computed again; all that in a bounded number of rounds.
"""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from typing import Any, Final

from hocket.client.failures import Raised, error_of_state
from hocket.client.shell.blocking import deadline
from hocket.client.shell.fetch import fetch
from hocket.client.shell.session import ClientSession
from hocket.client.states import PENDING, STORED, FutureState
from hocket.core.errors import KeyLost, SerializationError
from hocket.protocol.serialize import load_value

__all__ = ["collect", "collect_one", "describe_late"]

#: How often a value is located anew before it is given up.
_ROUNDS_MAX: Final = 10

_MISSING: Final = object()


async def collect(
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
        if not await session.wait(waited_for, left(), first_failure=first_failure):
            raise TimeoutError(describe_late(waited_for, timeout_s))
        rows = _take_inline(session, states, values, rows)
        if first_failure and any(type(value) is Raised for value in values):
            return [None if value is _MISSING else value for value in values]
        if not rows:
            return values
        loaded = await fetch(session, [states[row] for row in rows], left())
        for row in rows:
            values[row] = loaded.get(states[row].key, _MISSING)
        rows = [row for row in rows if values[row] is _MISSING]
        if not rows:
            return values
    for row in rows:
        if values[row] is _MISSING:
            reason = f"no worker gave it, though it was located {_ROUNDS_MAX} times"
            values[row] = Raised(KeyLost(key=states[row].key, reason=reason))
    return values


async def collect_one(
    session: ClientSession, state: FutureState, timeout_s: float | None = None
) -> Any:
    """Return the value of one future, or a `Raised`: `collect`, quicker if it came along."""
    if state.value is not None:
        # One that cannot be loaded goes the long way round, which names the key.
        with contextlib.suppress(SerializationError):
            return load_value(state.value)
    return (await collect(session, [state], timeout_s))[0]


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


def describe_late(states: Sequence[FutureState], timeout_s: float | None) -> str:
    """Return what is said where results were not there in time, and what to do about it."""
    pending = [state.key for state in states if state.status is PENDING]
    if len(pending) == 1:
        return f"{pending[0]!r} has no result after {timeout_s} s{_ask_why(pending)}"
    count = f"{len(pending)} of {len(states)} tasks"
    return f"{count} have no result after {timeout_s} s{_ask_why(pending)}"


def _ask_why(keys: Sequence[str]) -> str:
    return f" (client.why({keys[0]!r}) tells what it waits for)" if keys else ""
