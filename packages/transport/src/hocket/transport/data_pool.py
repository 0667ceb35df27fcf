"""Asking data servers, by whichever of their addresses leads there; connections are kept."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Sequence
from itertools import chain
from typing import Final, cast

from hocket.core.errors import (
    ConnectFailed,
    HandshakeRefused,
    HocketError,
    LocalProtocolError,
    PeerLost,
    RemoteProtocolError,
)
from hocket.core.settings import Settings
from hocket.protocol.codec import data_reply_decoder, encode
from hocket.protocol.framing import FrameKind
from hocket.transport.address import Address, parse_all
from hocket.transport.choosing import explain, order
from hocket.transport.clock import monotonic
from hocket.transport.data import server_in_process
from hocket.transport.data_exchange import (
    DataAnswer,
    Reply,
    Request,
    announced,
    answers,
    receive_buffers,
    views_of,
)
from hocket.transport.data_stream import Buffer, DataStream
from hocket.transport.interfaces import host_networks
from hocket.transport.reaching import reach
from hocket.transport.sockets import tune_socket
from hocket.transport.tls_socket import TlsSocket, connect_tls

__all__ = ["DataPool"]

_logger: Final = logging.getLogger("hocket.transport")

#: Connections kept for later, to one address and to all.
_IDLE_MAX: Final = 4
_IDLE_ALL_MAX: Final = 64
#: Servers of which it is remembered how they were reached.
_WAYS_MAX: Final = 10_000


class DataPool:
    """Asks data servers, and keeps connections for the next time.

    Belongs to one event loop. Any number of requests may run at once, each on its own connection.

    Parameters
    ----------
    secret
        The cluster's.
    settings
        ``transport`` is used.
    """

    def __init__(self, secret: str, settings: Settings) -> None:
        self._secret = secret
        self._settings = settings
        #: By which of several addresses a server was reached last.
        self._ways: dict[str, Address] = {}
        self._idle: dict[str, list[DataStream]] = {}
        self._busy: set[DataStream] = set()
        self._closed = False

    async def request(
        self, address: str, message: Request, buffers: Sequence[Buffer] = ()
    ) -> tuple[Reply, list[memoryview]]:
        """Send a request with its buffers; return the reply with its own.

        Parameters
        ----------
        address
            Of the data server.
        message, buffers
            A ``PutData`` announces the sizes of the buffers; they are sent as they lie.

        Returns
        -------
        tuple
            ``DataReply`` or ``PeerBusy`` to ``FetchData``, ``DataStored`` to ``PutData``, with one
            entry for each key; and the buffers: writable slices of one block, each on a multiple of
            64 bytes (from ``inproc`` they are the server's own, and read-only).

        Raises
        ------
        ConnectFailed, HandshakeRefused
            The server cannot be reached.
        PeerLost
            The connection was lost, or the server failed to answer; the reason says which.
        RemoteProtocolError, LimitExceeded
            The reply does not fit, or is larger than memory.
        """
        if self._closed:
            raise LocalProtocolError(reason="a request to a data pool that is closed")
        views = views_of(message, buffers)
        parsed = parse_all(address)
        if parsed[0].scheme == "inproc":
            return await _ask_in_process(parsed[0], message, views)
        payload = encode([message])
        stream = self._take_idle(address)
        if stream is not None:
            try:
                return await self._exchange(stream, message, payload, views)
            except PeerLost:
                if not stream.unanswered:
                    raise
                # The server closed the connection while it lay idle, or was started anew; both
                # kinds of request may be made twice.
        stream = await self._open(address, parsed)
        return await self._exchange(stream, message, payload, views)

    def close(self) -> None:
        """Close all connections; requests that are under way fail. May be called twice."""
        self._closed = True
        for stream in [*chain.from_iterable(self._idle.values()), *self._busy]:
            stream.close()
        self._idle.clear()

    def _take_idle(self, address: str) -> DataStream | None:
        streams = self._idle.get(address, [])
        while streams:
            stream = streams.pop()
            if not stream.closed and stream.untouched:
                return stream
            stream.close()
        self._idle.pop(address, None)
        return None

    def _give_back(self, stream: DataStream) -> None:
        streams = self._idle.setdefault(stream.address, [])
        if self._closed or stream.closed or len(streams) >= _IDLE_MAX:
            stream.close()
            return
        streams.append(stream)
        if sum(map(len, self._idle.values())) > _IDLE_ALL_MAX:
            # The address that has waited longest.
            oldest = next(iter(self._idle))
            self._idle[oldest].pop(0).close()
            if not self._idle[oldest]:
                del self._idle[oldest]

    async def _open(self, address: str, parsed: Sequence[Address]) -> DataStream:
        timeout_s = self._settings.transport.connect_timeout_s
        start_s = monotonic()
        reasons: dict[Address, str] = {}
        try:
            async with asyncio.timeout(timeout_s):
                return await self._open_any(address, parsed, reasons)
        except OSError as error:
            if isinstance(error, HocketError):
                raise
            # (A timeout is one as well, and has no words.)
            reason = explain(parsed, reasons, str(error) or "no answer")
            raise ConnectFailed(
                address=address, waited_s=monotonic() - start_s, reason=reason
            ) from None

    async def _open_any(
        self, address: str, parsed: Sequence[Address], reasons: dict[Address, str]
    ) -> DataStream:
        """Open a connection by any address: somebody else may listen at some of them."""
        networks = host_networks() if len(parsed) > 1 else ()
        left = order(parsed, networks, self._ways.get(address))
        while True:
            connection, at = await reach(left, reasons)
            try:
                stream = await self._open_once(address, connection, tls=at.scheme == "tls")
            except HandshakeRefused as error:
                reasons[at] = error.reason
                left.remove(at)
                if left:
                    continue
                if len(parsed) == 1:
                    raise
                told = explain(parsed, reasons, "no answer")
                raise HandshakeRefused(address=address, reason=told) from None
            if len(parsed) > 1:
                if len(self._ways) >= _WAYS_MAX:
                    self._ways.clear()
                self._ways[address] = at
            return stream

    async def _open_once(self, address: str, connection: socket.socket, *, tls: bool) -> DataStream:
        stream = None
        try:
            tune_socket(connection, self._settings)
            way: socket.socket | TlsSocket = connection
            if tls:
                way = await connect_tls(connection, self._secret, address)
            stream = DataStream(way, address, self._settings.session.silent_s)
            await stream.connect_handshake(self._secret)
        except BaseException:
            if stream is not None:
                stream.close()
            connection.close()
            raise
        return stream

    async def _exchange(
        self,
        stream: DataStream,
        message: Request,
        payload: bytes,
        views: list[memoryview],
    ) -> tuple[Reply, list[memoryview]]:
        self._busy.add(stream)
        try:
            reply, buffers = await self._ask(stream, message, payload, views)
        except BaseException as error:
            # Cancelled or failed, the connection is in the middle of something.
            stream.close()
            if isinstance(error, OSError) and not isinstance(error, HocketError):
                raise PeerLost(address=stream.address, reason=str(error)) from None
            raise
        finally:
            self._busy.discard(stream)
        self._give_back(stream)
        if isinstance(reply, str):
            name = type(message).__name__
            raise PeerLost(address=stream.address, reason=f"it failed to answer a {name}: {reply}")
        return reply, buffers

    async def _ask(
        self,
        stream: DataStream,
        message: Request,
        payload: bytes,
        views: list[memoryview],
    ) -> tuple[Reply | str, list[memoryview]]:
        """Return the reply, or in words why there is none."""
        stream.unanswered = True
        await stream.send(FrameKind.DATA, payload, views)
        frame = await stream.receive(self._settings.transport.frame_nbytes_max)
        if frame is None:
            raise PeerLost(address=stream.address, reason="it closed the connection")
        stream.unanswered = False
        if frame.kind == FrameKind.DATA_FAILURE:
            return frame.payload.decode(errors="replace"), []
        messages = data_reply_decoder.decode(frame.payload)
        if len(messages) != 1 or not answers(messages[0], message):
            names = [type(each).__name__ for each in messages]
            raise RemoteProtocolError(
                reason=f"a {type(message).__name__} was answered by {names or 'nothing'}"
            )
        reply = cast("Reply", messages[0])
        return reply, await receive_buffers(stream, announced(reply))


async def _ask_in_process(
    address: Address, message: Request, views: list[memoryview]
) -> tuple[Reply, list[memoryview]]:
    server = server_in_process(address.path)
    if server is None:
        raise ConnectFailed(
            address=str(address), waited_s=0.0, reason="nobody in this process serves there"
        )

    async def ask() -> tuple[Reply, list[memoryview]]:
        # Read-only, since nothing is copied and both sides now have the same memory.
        answer = DataAnswer(*await server.handler(message, [view.toreadonly() for view in views]))
        is_sent = False
        try:
            given = [view.toreadonly() for view in views_of(answer.reply, answer.buffers)]
            is_sent = True
        finally:
            if answer.over is not None:
                answer.over(is_sent)
        return answer.reply, given

    try:
        if server.loop is asyncio.get_running_loop():
            return await ask()
        return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(ask(), server.loop))
    except Exception as error:
        _logger.exception("an error while a %s was answered", type(message).__name__)
        name = type(message).__name__
        raise PeerLost(
            address=str(address),
            reason=f"it failed to answer a {name}: {type(error).__name__}: {error}",
        ) from None
