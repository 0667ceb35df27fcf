"""Scattering: values are put on workers, straight from here, and the scheduler is told."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from hashlib import blake2b
from typing import Any, Final, NamedTuple

from hocket.client.shell.session import ClientSession
from hocket.client.shell.ways import apart, on_loop
from hocket.client.states import CANCELLED, FAILED, LOST, FutureState
from hocket.core.errors import NoCapacity, PeerError, RemoteProtocolError
from hocket.protocol.messages import (
    DataStored,
    KeysScattered,
    PlanScatter,
    PutData,
    ScatterPlanned,
)
from hocket.protocol.serialize import pack

__all__ = ["scatter"]

#: How often it is tried, while workers go away.
_ROUNDS_MAX: Final = 4

_DIGEST_NBYTES: Final = 16


class _Piece(NamedTuple):
    """A value on its way."""

    key: str
    buffers: list[bytes | memoryview]
    nbytes: int


async def scatter(
    session: ClientSession,
    values: Sequence[Any],
    *,
    workers: Sequence[str] = (),
    broadcast: bool = False,
    by_content: bool = True,
) -> list[FutureState]:
    """Put values on workers; return their states, each counted once for each value.

    Parameters
    ----------
    session
        Of the client.
    values
        What to put there.
    workers
        Names or addresses of the only workers to take; none: any.
    broadcast
        Whether each value is put on all of the workers.
    by_content
        Whether equal values get one key, and a value that is there already is not sent again.

    Raises
    ------
    SerializationError
        A value cannot be pickled.
    NoCapacity
        There is no worker to put them on.
    PeerLost
        The scheduler is gone.
    """
    keys: list[str] = []
    pieces: dict[str, _Piece] = {}
    states: dict[str, FutureState] = {}
    for row, value in enumerate(values):
        buffers = await apart(pack, value, f"value {row + 1}" if len(values) > 1 else "the value")
        if by_content:
            key = await apart(_content_key, value, buffers)
        else:
            key = _new_key(session, value)
        keys.append(key)
        if key not in pieces and key not in states:
            state = None if workers or broadcast else _retain_known(session, key)
            if state is not None:
                states[key] = state
            else:
                nbytes = sum(memoryview(buffer).nbytes for buffer in buffers)
                pieces[key] = _Piece(key, buffers, nbytes)
    if pieces:
        states.update(await _put_all(session, list(pieces.values()), workers, broadcast=broadcast))
    # Each is counted once by now; a key that came again has another future.
    seen: set[str] = set()
    for key in keys:
        if key in seen:
            with session.lock:
                session.machine.retain(states[key])
        seen.add(key)
    return [states[key] for key in keys]


def _content_key(value: object, buffers: list[bytes | memoryview]) -> str:
    digest = blake2b(digest_size=_DIGEST_NBYTES)
    for buffer in buffers:
        digest.update(memoryview(buffer).nbytes.to_bytes(8, "little"))
        digest.update(buffer)
    return f"{type(value).__name__}-{digest.hexdigest()}"


def _new_key(session: ClientSession, value: object) -> str:
    with session.lock:
        number = session.machine.take_numbers(1)
    return f"{type(value).__name__}-{session.machine.token}-{number}"


def _retain_known(session: ClientSession, key: str) -> FutureState | None:
    with session.lock:
        machine = session.begin()
        state = machine.find(key)
        if state is None or state.status in (CANCELLED, FAILED, LOST):
            return None
        machine.retain(state)
        return state


async def _put_all(
    session: ClientSession, pieces: list[_Piece], workers: Sequence[str], *, broadcast: bool
) -> dict[str, FutureState]:
    """Send all pieces, elsewhere if a worker fails, and have the scheduler accept them."""
    placed: dict[str, list[str]] = {}
    sizes: dict[str, int] = {}
    waiting = pieces
    for _ in range(_ROUNDS_MAX):
        plan = await _plan(session, waiting, workers, broadcast=broadcast)
        for address, stored in await on_loop(session.loop, _put_on_all(session, plan)):
            for key, nbytes in stored.items():
                placed.setdefault(key, []).append(address)
                sizes[key] = nbytes
        waiting = [piece for piece in waiting if piece.key not in placed]
        if not waiting:
            break
    if waiting:
        raise NoCapacity(
            needs={"data": f"{len(waiting)} values"},
            best_offer=f"all workers failed to take them, {_ROUNDS_MAX} times",
        )
    keys = [piece.key for piece in pieces]
    nbytes_of_each = [sizes[key] for key in keys]
    addresses = [placed[key] for key in keys]
    states = await session.announce(
        keys, lambda number: KeysScattered(number, keys, nbytes_of_each, addresses)
    )
    with session.lock:
        session.machine.accept_scattered(states, nbytes_of_each)
    session.wake_fired()
    return dict(zip(keys, states, strict=True))


async def _plan(
    session: ClientSession, pieces: list[_Piece], workers: Sequence[str], *, broadcast: bool
) -> dict[str, list[_Piece]]:
    """Ask the scheduler where to put pieces; return what goes where."""
    sizes = [piece.nbytes for piece in pieces]
    reply = await session.ask(
        ScatterPlanned,
        lambda number: PlanScatter(number, sizes, list(workers), broadcast),
        needs={"data": f"{len(pieces)} values"},
    )
    if len(reply.addresses) != len(pieces) or not all(reply.addresses):
        raise RemoteProtocolError(reason="ScatterPlanned does not place what was asked for")
    plan: dict[str, list[_Piece]] = {}
    for piece, addresses in zip(pieces, reply.addresses, strict=True):
        for address in addresses:
            plan.setdefault(address, []).append(piece)
    return plan


async def _put_on_all(
    session: ClientSession, plan: dict[str, list[_Piece]]
) -> list[tuple[str, dict[str, int]]]:
    puts = [_put_on(session, address, pieces) for address, pieces in plan.items()]
    return await asyncio.gather(*puts)


async def _put_on(
    session: ClientSession, address: str, pieces: list[_Piece]
) -> tuple[str, dict[str, int]]:
    """Send pieces to one worker; return the sizes that it tells, none if it failed."""
    message = PutData(
        [piece.key for piece in pieces],
        [[memoryview(buffer).nbytes for buffer in piece.buffers] for piece in pieces],
    )
    buffers = [buffer for piece in pieces for buffer in piece.buffers]
    try:
        reply, _ = await session.pool.request(address, message, buffers)
    except (PeerError, OSError):
        return address, {}
    if not isinstance(reply, DataStored) or len(reply.nbytes) != len(pieces):
        return address, {}
    return address, dict(zip(message.keys, reply.nbytes, strict=True))
