"""The data plane: values asked for and put, on connections of their own.

A message is one frame; the buffers that it announces follow as raw bytes, in order. On one
connection a request is answered before the next is sent; who wants more at once takes more
connections. Everything here is either answered or raised, never dropped.
"""

from __future__ import annotations

import asyncio
import logging
import socket
import threading
from collections.abc import Callable, Sequence
from itertools import chain
from typing import Final, cast

from hocket.core.errors import (
    ConnectFailed,
    HandshakeRefused,
    HocketError,
    LimitExceeded,
    LocalProtocolError,
    PeerLost,
    RemoteProtocolError,
    SettingsError,
)
from hocket.core.settings import Settings
from hocket.protocol.codec import data_reply_decoder, data_request_decoder, encode
from hocket.protocol.framing import FrameKind
from hocket.transport.address import Address, parse
from hocket.transport.clock import monotonic
from hocket.transport.data_exchange import (
    DataAnswer,
    DataHandler,
    Reply,
    Request,
    announced,
    answers,
    receive_buffers,
    views_of,
)
from hocket.transport.data_stream import Buffer, DataStream
from hocket.transport.sockets import (
    LISTEN_BACKLOG,
    bind_socket,
    bound_address,
    connect_socket,
    remove_unix_path,
    socket_peer_address,
    tune_socket,
)

__all__ = ["DataAnswer", "DataHandler", "DataPool", "DataServer", "serve_data"]

_logger: Final = logging.getLogger("hocket.transport")

#: Connections that may be in their handshake at once.
_OPENINGS_MAX: Final = 256
#: Connections kept for later, to one address and to all.
_IDLE_MAX: Final = 4
_IDLE_ALL_MAX: Final = 64
_FAILURE_NBYTES_MAX: Final = 4000
#: After the system had no socket left to accept a connection with.
_ACCEPT_PAUSE_S: Final = 0.5

_lock: Final = threading.Lock()
#: Servers within this process, by the name in their ``inproc`` address.
_named: Final[dict[str, DataServer]] = {}


async def serve_data(
    address: str, *, secret: str, settings: Settings, handler: DataHandler
) -> DataServer:
    """Answer data requests at an address.

    Parameters
    ----------
    address
        See `hocket.transport.parse`. Port 0 takes a free one.
    secret
        The cluster's. It may be empty only where no other host can reach us.
    settings
        ``transport`` is used.
    handler
        Called with each request and its buffers; returns the reply and its buffers, which are sent
        as they lie and must not change meanwhile, as a pair or as a `DataAnswer`. What it raises is
        logged and answered.

    Raises
    ------
    SettingsError
        The address is none, or other hosts could come in without a secret.
    OSError
        The address cannot be had.
    """
    server = DataServer(parse(address), secret=secret, settings=settings, handler=handler)
    await server.start()
    return server


class DataServer:
    """What `serve_data` returns."""

    def __init__(
        self, address: Address, *, secret: str, settings: Settings, handler: DataHandler
    ) -> None:
        self._at = address
        self._secret = secret
        self._settings = settings
        self.handler = handler
        self.loop = asyncio.get_running_loop()
        self._socket: socket.socket | None = None
        self._accepting: asyncio.Task[None] | None = None
        self._serving: set[asyncio.Task[None]] = set()
        self._openings = 0
        self._turning_away = False
        self._closed = False

    @property
    def address(self) -> str:
        """Where it listens, as text, with the actual port."""
        return str(self._at)

    async def start(self) -> None:
        """Begin to accept; `serve_data` has done it."""
        if self._at.scheme == "inproc":
            with _lock:
                if self._at.path in _named:
                    raise SettingsError(
                        name="address",
                        value=self.address,
                        allowed="somebody in this process serves there already",
                        source="code",
                    )
                _named[self._at.path] = self
            return
        self._socket = await bind_socket(self._at, self._secret)
        self._at = bound_address(self._at, self._socket)
        self._socket.listen(LISTEN_BACKLOG)
        self._accepting = self.loop.create_task(self._accept(self._socket))

    async def close(self) -> None:
        """Accept nothing any more and drop all connections. May be called twice."""
        if self._closed:
            return
        self._closed = True
        if self._at.scheme == "inproc":
            with _lock:
                _named.pop(self._at.path, None)
        tasks = [*self._serving, *([self._accepting] if self._accepting else [])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if self._socket is not None:
            self._socket.close()
            remove_unix_path(self._at)

    async def _accept(self, listening: socket.socket) -> None:
        while True:
            try:
                connection, _ = await self.loop.sock_accept(listening)
            except ConnectionAbortedError:
                continue
            except OSError as error:
                _logger.warning("%s cannot accept a connection: %s", self.address, error)
                await asyncio.sleep(_ACCEPT_PAUSE_S)
                continue
            if self._openings >= _OPENINGS_MAX:
                connection.close()
                if not self._turning_away:
                    # One line for a whole flood.
                    self._turning_away = True
                    _logger.warning("too many handshakes at %s; more are refused", self.address)
                continue
            task = self.loop.create_task(self._serve(connection))
            self._serving.add(task)
            task.add_done_callback(self._serving.discard)

    async def _serve(self, connection: socket.socket) -> None:
        address = str(socket_peer_address(connection, self._at))
        stream = DataStream(connection, address, self._settings.session.silent_s)
        try:
            tune_socket(connection, self._settings)
            if await self._greet(stream):
                while await self._answer(stream):
                    pass
        except (RemoteProtocolError, LimitExceeded) as error:
            _logger.warning("dropped a data connection from %s: %s", stream.address, error)
        except OSError as error:
            _logger.debug("lost a data connection from %s: %s", stream.address, error)
        except Exception:
            # A bug on our side must cost one connection, not the server.
            _logger.exception("an error on a data connection from %s", stream.address)
        finally:
            stream.close()

    async def _greet(self, stream: DataStream) -> bool:
        timeout_s = self._settings.transport.handshake_timeout_s
        self._openings += 1
        try:
            async with asyncio.timeout(timeout_s):
                await stream.accept_handshake(self._secret)
        except (OSError, TimeoutError) as error:
            reason = str(error)
            if isinstance(error, HandshakeRefused):
                reason = error.reason
            elif isinstance(error, TimeoutError):
                reason = f"the handshake was not done within {timeout_s:g} s"
            _logger.warning("refused a data connection from %s: %s", stream.address, reason)
            return False
        finally:
            self._openings -= 1
            self._turning_away = False
        return True

    async def _answer(self, stream: DataStream) -> bool:
        """Answer one request; False if there is none any more."""
        frame = await stream.receive(self._settings.transport.frame_nbytes_max, patient=True)
        if frame is None:
            return False
        if frame.kind != FrameKind.DATA:
            raise RemoteProtocolError(reason="a failure came where a request was expected")
        messages = data_request_decoder.decode(frame.payload)
        if len(messages) != 1:
            raise RemoteProtocolError(reason=f"{len(messages)} messages in one data request")
        message = cast("Request", messages[0])
        buffers = await receive_buffers(stream, announced(message))
        over: Callable[[bool], None] | None = None
        is_sent = False
        try:
            try:
                reply, given, over = DataAnswer(*await self.handler(message, buffers))
                views = views_of(reply, given)
                payload = encode([reply])
            except Exception as error:
                # Whatever it is, the peer waits for an answer.
                _logger.exception("an error while a %s was answered", type(message).__name__)
                text = f"{type(error).__name__}: {error}".encode()[:_FAILURE_NBYTES_MAX]
                await stream.send(FrameKind.DATA_FAILURE, text)
            else:
                del buffers
                await stream.send(FrameKind.DATA, payload, views)
                is_sent = True
        finally:
            if over is not None:
                over(is_sent)
        return True


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
        parsed = parse(address)
        if parsed.scheme == "inproc":
            return await _ask_in_process(parsed, message, views)
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

    async def _open(self, address: str, parsed: Address) -> DataStream:
        timeout_s = self._settings.transport.connect_timeout_s
        start_s = monotonic()
        stream = None
        try:
            async with asyncio.timeout(timeout_s):
                connection = await connect_socket(parsed)
                tune_socket(connection, self._settings)
                stream = DataStream(connection, address, self._settings.session.silent_s)
                await stream.connect_handshake(self._secret)
        except BaseException as error:
            if stream is not None:
                stream.close()
            if isinstance(error, OSError) and not isinstance(error, HocketError):
                reason = "no answer" if isinstance(error, TimeoutError) else str(error)
                raise ConnectFailed(
                    address=address, waited_s=monotonic() - start_s, reason=reason
                ) from None
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
    with _lock:
        server = _named.get(address.path)
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
