"""Connections that are being opened: the shells of `hocket.protocol.opening`."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable
from typing import Final, cast

from hocket.core.errors import HandshakeRefused
from hocket.protocol.handshake import NONCE_NBYTES
from hocket.protocol.hello import Hello, Welcome
from hocket.protocol.opening import OpeningAcceptor, OpeningConnector
from hocket.transport.keyring import current_secret, former_secrets
from hocket.transport.sockets import peer_address, tune_transport
from hocket.transport.tls import check_peer

__all__ = ["AcceptorProtocol", "ConnectorProtocol"]

_CLOSED: Final = "the connection was closed during the handshake"


class ConnectorProtocol(asyncio.Protocol):
    """Opens a connection; ``opened`` then has the welcome and what came after it."""

    def __init__(self, address: str, secret: str, hello: Hello) -> None:
        self._address = address
        self._secret = secret
        current = current_secret(secret)
        self._machine = OpeningConnector(address, current, secrets.token_bytes(NONCE_NBYTES), hello)
        self.opened: asyncio.Future[tuple[Welcome, bytes]] = (
            asyncio.get_running_loop().create_future()
        )
        self._transport: asyncio.Transport | None = None

    @property
    def transport(self) -> asyncio.Transport:
        """The connection, once there is one."""
        assert self._transport is not None
        return self._transport

    def abandon(self) -> None:
        """Close the connection, if there is one; nobody waits for `opened` any more."""
        self.opened.cancel()
        if self.opened.done() and not self.opened.cancelled():
            self.opened.exception()
        if self._transport is not None:
            self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Greet."""
        # Not isinstance: uvloop's transports are of no class of asyncio's.
        self._transport = cast("asyncio.Transport", transport)
        tune_transport(transport)
        tls = transport.get_extra_info("ssl_object")
        if tls is not None:
            try:
                check_peer(tls.getpeercert(binary_form=True), self._secret, self._address)
            except HandshakeRefused as error:
                self.opened.set_exception(error)
                self._transport.abort()
                return
        self._transport.write(self._machine.begin())

    def data_received(self, data: bytes) -> None:
        """Go on with the opening."""
        if self.opened.done():
            return
        try:
            answer = self._machine.feed(data)
        except HandshakeRefused as error:
            self.opened.set_exception(error)
            self.transport.abort()
            return
        if answer:
            self.transport.write(answer)
        if self._machine.welcome is not None:
            # The channel reads on when it has taken the connection over.
            self.transport.pause_reading()
            self.opened.set_result((self._machine.welcome, self._machine.leftover()))

    def connection_lost(self, error: Exception | None) -> None:
        """Fail, unless it is open."""
        if not self.opened.done():
            reason = str(error) if error else _CLOSED
            if self._address.startswith("tcp://"):
                reason += "; if TLS is spoken there, the address begins with tls://"
            self.opened.set_exception(ConnectionResetError(reason))


class AcceptorProtocol(asyncio.Protocol):
    """Opens a connection that somebody else has made.

    Parameters
    ----------
    address
        Ours, for connections that do not know their peer's.
    secret
        The cluster's.
    timeout_s
        How long the peer may take.
    on_hello
        Called with this object when the peer has proved itself and said who it is.
    on_refused
        Called with this object and the reason when the opening has failed.
    """

    def __init__(
        self,
        address: str,
        secret: str,
        timeout_s: float,
        on_hello: Callable[[AcceptorProtocol, Hello, bytes], None],
        on_refused: Callable[[AcceptorProtocol, str], None],
    ) -> None:
        self._own_address = address
        self._secret = secret
        self._timeout_s = timeout_s
        self._on_hello = on_hello
        self._on_refused = on_refused
        self._machine: OpeningAcceptor
        # From here on, since TLS comes before the connection is made as far as we know.
        self._timer = asyncio.get_running_loop().call_later(timeout_s, self._too_late)
        self._over = False
        self._made = False
        self.transport: asyncio.Transport
        self.address = address

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        self._made = True
        self.transport = cast("asyncio.Transport", transport)
        tune_transport(transport)
        self.address = str(peer_address(transport, self._own_address))
        nonce = secrets.token_bytes(NONCE_NBYTES)
        self._machine = OpeningAcceptor(
            self.address, current_secret(self._secret), nonce, former_secrets(self._secret)
        )
        if self._over:
            transport.close()

    def data_received(self, data: bytes) -> None:
        """Go on with the opening."""
        if self._over:
            return
        try:
            answer = self._machine.feed(data)
        except HandshakeRefused as error:
            self.transport.write(self._machine.farewell)
            self.refuse(error.reason)
            return
        if answer:
            self.transport.write(answer)
        if self._machine.hello is not None:
            self._over = True
            self._timer.cancel()
            self._on_hello(self, self._machine.hello, self._machine.leftover())

    def connection_lost(self, error: Exception | None) -> None:
        """Fail, unless it is over."""
        del error  # Of somebody whom we do not know.
        self.refuse(_CLOSED)

    def refuse(self, reason: str) -> None:
        """Close; what was written still goes out."""
        if not self._over:
            self._over = True
            self._timer.cancel()
            if self._made:
                self.transport.close()
            self._on_refused(self, reason)

    def _too_late(self) -> None:
        what = "the handshake" if self._made else "TLS"
        self.refuse(f"{what} was not done within {self._timeout_s:g} s")
