"""Fetching values straight from the workers that hold them."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from hocket.client.failures import Raised
from hocket.client.holders import Holders
from hocket.client.shell.blocking import deadline
from hocket.client.shell.session import ClientSession
from hocket.client.shell.ways import apart, on_loop
from hocket.client.states import FutureState
from hocket.core.errors import HocketError, PeerError, RemoteProtocolError, SerializationError
from hocket.protocol.messages import (
    DataReply,
    FetchData,
    KeysLocated,
    LocateKeys,
    PeerBusy,
    ReportMissing,
)
from hocket.protocol.serialize import unpack

__all__ = ["fetch"]


@dataclass(slots=True)
class _Fetched:
    """What one worker said."""

    address: str
    #: Per key: the buffers of its value, or why it cannot be sent.
    given: dict[str, list[memoryview] | str] = field(default_factory=dict)
    #: Keys that it has not.
    missing: list[str] = field(default_factory=list)
    #: Keys for which it could not be reached.
    unreached: list[str] = field(default_factory=list)
    #: Keys for which it was busy, and per key whom it named instead.
    busy: dict[str, list[str]] = field(default_factory=dict)


async def fetch(
    session: ClientSession, states: Sequence[FutureState], timeout_s: float | None
) -> dict[str, Any]:
    """Locate values and fetch those that workers give; each holder is tried once.

    Parameters
    ----------
    session
        Of their client.
    states
        Of futures that are finished.
    timeout_s
        Seconds to wait; None waits for ever.

    Returns
    -------
    dict
        By key, the value, or a `Raised`; nothing for those that nobody gave.

    Raises
    ------
    TimeoutError
        They are not all there in time.
    PeerLost
        The scheduler is gone.
    """
    left = deadline(timeout_s)
    nbytes = {state.key: state.nbytes for state in states}
    keys = list(nbytes)
    located = await session.ask(KeysLocated, lambda number: LocateKeys(number, keys), left())
    if len(located.addresses) != len(keys):
        raise RemoteProtocolError(reason="KeysLocated has not as many rows as were asked for")
    holders = Holders(dict(zip(keys, located.addresses, strict=True)), nbytes)
    loaded: dict[str, Any] = {}
    while plan := holders.plan():
        rests_s = {address: holders.rest_s(address) for address in plan}
        answers = await on_loop(session.loop, _fetch_all(session, plan, rests_s, nbytes), left())
        # What is fetched may be large.
        await apart(_take_all, session, answers, holders, loaded)
    return loaded


def _take_all(
    session: ClientSession, answers: list[_Fetched], holders: Holders, loaded: dict[str, Any]
) -> None:
    for fetched in answers:
        _take(session, fetched, holders, loaded)


def _take(
    session: ClientSession, fetched: _Fetched, holders: Holders, loaded: dict[str, Any]
) -> None:
    address = fetched.address
    if fetched.given or fetched.missing:
        holders.given(address, fetched.given)
    for key, answer in fetched.given.items():
        what = f"the result of {key!r}"
        if isinstance(answer, str):
            loaded[key] = Raised(SerializationError(what=what, type_name="?", reason=answer))
        else:
            try:
                loaded[key] = unpack(answer, what)
            except SerializationError as error:
                loaded[key] = Raised(error)
    for keys, gone in ((fetched.missing, True), (fetched.unreached, False)):
        believed = holders.refused(address, keys)
        if believed:
            with session.lock:
                session.machine.post(ReportMissing(believed, address, gone))
            session.send()
    if fetched.busy:
        holders.busy(address, list(fetched.busy), list(fetched.busy.values()))


async def _fetch_all(
    session: ClientSession,
    plan: dict[str, list[str]],
    rests_s: dict[str, float],
    nbytes: dict[str, int],
) -> list[_Fetched]:
    """Ask all workers at once, each for a bounded number of bytes at a time."""
    limit = session.settings.worker.fetch_nbytes_max
    tasks = [
        _fetch_from(session, address, _split(keys, nbytes, limit), rests_s[address])
        for address, keys in plan.items()
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


async def _fetch_from(
    session: ClientSession, address: str, parts: list[list[str]], rest_s: float
) -> _Fetched:
    if rest_s:
        await asyncio.sleep(rest_s)
    fetched = _Fetched(address)
    for keys in parts:
        if fetched.unreached:
            fetched.unreached += keys
        elif fetched.busy:
            fetched.busy.update((key, []) for key in keys)
        else:
            await _fetch_part(session, keys, fetched)
    return fetched


async def _fetch_part(session: ClientSession, keys: list[str], fetched: _Fetched) -> None:
    try:
        reply, buffers = await session.pool.request(fetched.address, FetchData(keys))
        if isinstance(reply, PeerBusy):
            if len(reply.addresses) != len(keys):
                raise _wrong_answer()
            fetched.busy.update(zip(keys, reply.addresses, strict=True))
        else:
            _read_reply(keys, reply, buffers, fetched)
    except (PeerError, OSError):
        fetched.unreached += keys
    except HocketError as error:
        # Say, too large for this machine: asking others would not help.
        fetched.given.update(dict.fromkeys(keys, str(error)))


def _read_reply(
    keys: list[str], reply: object, buffers: list[memoryview], fetched: _Fetched
) -> None:
    if not isinstance(reply, DataReply) or len(reply.sizes) != len(keys):
        raise _wrong_answer()
    start = 0
    for key, sizes, error in zip(keys, reply.sizes, reply.errors, strict=True):
        if error:
            fetched.given[key] = error
        elif sizes is None:
            fetched.missing.append(key)
        else:
            fetched.given[key] = buffers[start : start + len(sizes)]
            start += len(sizes)


def _wrong_answer() -> RemoteProtocolError:
    return RemoteProtocolError(reason="a worker answered something else than was asked for")
