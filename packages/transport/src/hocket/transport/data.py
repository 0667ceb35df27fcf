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
from typing import Final, cast

from hocket.core.errors import (
    HandshakeRefused,
    LimitExceeded,
    RemoteProtocolError,
    SettingsError,
)
from hocket.core.settings import Settings
from hocket.protocol.codec import data_request_decoder, encode
from hocket.protocol.framing import FrameKind
from hocket.transport.address import Address, join, parse_all
from hocket.transport.data_exchange import (
    DataAnswer,
    DataHandler,
    Request,
    announced,
    receive_buffers,
    views_of,
)
from hocket.transport.data_stream import DataStream
from hocket.transport.interfaces import Network, advertise, host_networks
from hocket.transport.sockets import (
    LISTEN_BACKLOG,
    bind_socket,
    remove_unix_path,
    socket_peer_address,
    tune_socket,
)
from hocket.transport.tls import server_context
from hocket.transport.tls_socket import TlsSocket, accept_tls

__all__ = ["DataAnswer", "DataHandler", "DataServer", "serve_data", "server_in_process"]

_logger: Final = logging.getLogger("hocket.transport")

#: Connections that may be in their handshake at once.
_OPENINGS_MAX: Final = 256
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
        See `hocket.transport.parse`. Port 0 takes a free one. Several have commas between them.
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
    server = DataServer(parse_all(address), secret=secret, settings=settings, handler=handler)
    await server.start()
    return server


class DataServer:
    """What `serve_data` returns."""

    def __init__(
        self,
        addresses: Sequence[Address],
        *,
        secret: str,
        settings: Settings,
        handler: DataHandler,
    ) -> None:
        self._addresses = list(addresses)
        self._secret = secret
        self._settings = settings
        self.handler = handler
        self.loop = asyncio.get_running_loop()
        self._doors: list[tuple[socket.socket, Address]] = []
        self._accepting: list[asyncio.Task[None]] = []
        self._serving: set[asyncio.Task[None]] = set()
        self._openings = 0
        self._turning_away = False
        self._closed = False

    @property
    def address(self) -> str:
        """Where it can be reached, as text, with the actual ports; see `parse_all`."""
        return join(self._addresses)

    async def start(self) -> None:
        """Begin to accept; `serve_data` has done it."""
        first = self._addresses[0]
        if first.scheme == "inproc":
            with _lock:
                if first.path in _named:
                    raise SettingsError(
                        name="address",
                        value=self.address,
                        allowed="somebody in this process serves there already",
                        source="code",
                    )
                _named[first.path] = self
            return
        networks: list[Network] = []
        asked, self._addresses = self._addresses, []
        try:
            for address in asked:
                door, at = await bind_socket(address, self._secret, self._settings)
                self._doors.append((door, at))
                networks = networks or host_networks()
                self._addresses.extend(advertise(at, networks))
                if at.scheme == "tls":
                    # Made now, since the first time takes a while.
                    server_context(self._secret)
                door.listen(LISTEN_BACKLOG)
        except BaseException:
            await self.close()
            raise
        self._accepting = [
            self.loop.create_task(self._accept(door, at)) for door, at in self._doors
        ]

    async def close(self) -> None:
        """Accept nothing any more and drop all connections. May be called twice."""
        if self._closed:
            return
        self._closed = True
        if self._addresses and self._addresses[0].scheme == "inproc":
            with _lock:
                _named.pop(self._addresses[0].path, None)
        tasks = [*self._serving, *self._accepting]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for door, at in self._doors:
            door.close()
            remove_unix_path(at)

    async def _accept(self, listening: socket.socket, at: Address) -> None:
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
            task = self.loop.create_task(self._serve(connection, at))
            self._serving.add(task)
            task.add_done_callback(self._serving.discard)

    async def _serve(self, connection: socket.socket, at: Address) -> None:
        address = str(socket_peer_address(connection, at))
        stream: DataStream | None = None
        try:
            tune_socket(connection, self._settings)
            stream = await self._greet(connection, address, tls=at.scheme == "tls")
            while stream is not None and await self._answer(stream):
                pass
        except (RemoteProtocolError, LimitExceeded) as error:
            _logger.warning("dropped a data connection from %s: %s", address, error)
        except OSError as error:
            _logger.debug("lost a data connection from %s: %s", address, error)
        except Exception:
            # A bug on our side must cost one connection, not the server.
            _logger.exception("an error on a data connection from %s", address)
        finally:
            if stream is not None:
                stream.close()
            connection.close()

    async def _greet(
        self, connection: socket.socket, address: str, *, tls: bool
    ) -> DataStream | None:
        """Return the stream of a peer that has proved itself; None: it has not."""
        timeout_s = self._settings.transport.handshake_timeout_s
        self._openings += 1
        stream: DataStream | None = None
        try:
            async with asyncio.timeout(timeout_s):
                way: socket.socket | TlsSocket = connection
                if tls:
                    way = await accept_tls(connection, self._secret, address)
                stream = DataStream(way, address, self._settings.session.silent_s)
                await stream.accept_handshake(self._secret)
        except BaseException as error:
            if stream is not None:
                stream.close()
            if not isinstance(error, OSError | TimeoutError):
                raise
            reason = str(error)
            if isinstance(error, HandshakeRefused):
                reason = error.reason
            elif isinstance(error, TimeoutError):
                reason = f"the handshake was not done within {timeout_s:g} s"
            _logger.warning("refused a data connection from %s: %s", address, reason)
            return None
        finally:
            self._openings -= 1
            self._turning_away = False
        return stream

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


def server_in_process(name: str) -> DataServer | None:
    """Return the server of this process that has a name, if there is one."""
    with _lock:
        return _named.get(name)
