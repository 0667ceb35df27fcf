"""Reaching a server by whichever of its addresses answers first."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Sequence
from contextlib import suppress
from typing import Final

from hocket.transport.address import Address
from hocket.transport.sockets import connect_socket

__all__ = ["reach"]

#: After so long without an answer the next address is tried beside those before it (RFC 8305).
_STAGGER_S: Final = 0.25


async def reach(
    addresses: Sequence[Address], reasons: dict[Address, str]
) -> tuple[socket.socket, Address]:
    """Return a connected socket, and the address that it leads to; nothing was said on it.

    Parameters
    ----------
    addresses
        That are sockets', in the order in which to try them.
    reasons
        Takes why one could not be reached, also if this is cancelled.

    Raises
    ------
    OSError
        None answered; the reasons say why.
    """
    if len(addresses) == 1:
        return await _connect(addresses[0], reasons), addresses[0]
    attempts: dict[asyncio.Task[socket.socket], Address] = {}
    waiting = list(addresses)
    try:
        while waiting or attempts:
            if waiting:
                address = waiting.pop(0)
                attempts[asyncio.ensure_future(_connect(address, reasons))] = address
            done, _ = await asyncio.wait(
                attempts,
                timeout=_STAGGER_S if waiting else None,
                return_when=asyncio.FIRST_COMPLETED,
            )
            for attempt in done:
                address = attempts.pop(attempt)
                if attempt.exception() is None:
                    return attempt.result(), address
    finally:
        await _drop(list(attempts))
    raise ConnectionError("none of its addresses answered")


async def _connect(address: Address, reasons: dict[Address, str]) -> socket.socket:
    try:
        return await connect_socket(address)
    except OSError as error:
        reasons[address] = error.strerror or str(error) or type(error).__name__
        raise


async def _drop(attempts: Sequence[asyncio.Task[socket.socket]]) -> None:
    """End attempts that nobody needs any more."""
    for attempt in attempts:
        attempt.cancel()
    for attempt in attempts:
        with suppress(asyncio.CancelledError, OSError):
            (await attempt).close()
