"""Connecting: until somebody answers, and again whenever the connection is cut."""

from __future__ import annotations

import asyncio
import logging
import math
import random
import secrets
import socket
import ssl
from typing import Any, Final

import msgspec

from hocket.core.errors import (
    ConnectFailed,
    HandshakeRefused,
    LocalProtocolError,
    RemoteProtocolError,
)
from hocket.core.settings import Settings
from hocket.protocol.codec import can_speak, decoder_for
from hocket.protocol.credentials import parse_secret
from hocket.protocol.hello import Hello, Refusal, Welcome, refuse_unfit_name
from hocket.protocol.messages import SecretChanged
from hocket.protocol.roles import Role
from hocket.protocol.session import SESSION_ID_NBYTES
from hocket.protocol.versions import OUR_VERSIONS
from hocket.transport.address import Address, is_same_host, parse_all
from hocket.transport.channel import Channel, OnChange, OnClosed, OnMessages
from hocket.transport.choosing import explain, order
from hocket.transport.clock import monotonic
from hocket.transport.inproc import connect_name
from hocket.transport.interfaces import host_networks
from hocket.transport.keyring import current_secret, hear_secret
from hocket.transport.openings import ConnectorProtocol
from hocket.transport.peer_info import PeerInfo
from hocket.transport.reaching import reach
from hocket.transport.sockets import local_address, peer_address
from hocket.transport.tls import TLS_CUT, connector_context, why_tls_failed

__all__ = ["connect"]

_logger: Final = logging.getLogger("hocket.transport")

#: Waits between two attempts: the first, and the longest; each is twice the one before.
_WAIT_S_MIN: Final = 0.01
_WAIT_S_MAX: Final = 1.0


async def connect(  # noqa: PLR0913 (the caller says who it is, what it wants and who listens)
    address: str,
    *,
    role: Role,
    name: str,
    secret: str,
    settings: Settings,
    on_messages: OnMessages,
    on_closed: OnClosed,
    peer_role: Role = Role.SCHEDULER,
    on_interrupted: OnChange | None = None,
    on_resumed: OnChange | None = None,
    connect_timeout_s: float | None = None,
) -> Channel:
    """Open a session with the process that listens at an address.

    Callbacks come on the running loop, none before this has returned to a caller that awaits it
    directly. A connection that is cut later is made again, within the grace time of the settings.

    Parameters
    ----------
    address
        See `hocket.transport.parse`; several of one server have commas between them, and whichever
        leads there is taken.
    role, name
        Ours; the name is at most 256 characters long.
    secret
        The cluster's.
    settings
        ``transport`` and ``session`` are used.
    on_messages, on_closed, on_interrupted, on_resumed
        See `Channel`.
    peer_role
        What the process must be.
    connect_timeout_s
        In place of ``transport.connect_timeout_s``. Until then refused connections are tried again.

    Raises
    ------
    ConnectFailed
        Nobody answered in time.
    HandshakeRefused
        The process does not want us, or is none that we want.
    SettingsError
        The address is none.
    """
    if not can_speak(role, peer_role):
        raise LocalProtocolError(
            reason=f"a {role.name.lower()} has nothing to say to a {peer_role.name.lower()}"
        )
    refuse_unfit_name(name)
    parse_secret(current_secret(secret)).require(role, address)
    timeout_s = settings.transport.connect_timeout_s
    connector = _Connector(
        address,
        secret=secret,
        settings=settings,
        peer_role=peer_role,
        hello=Hello(
            role=role,
            name=name,
            session_id=secrets.token_bytes(SESSION_ID_NBYTES),
            versions=OUR_VERSIONS,
        ),
    )
    protocol, welcome, leftover = await connector.open(
        timeout_s if connect_timeout_s is None else connect_timeout_s
    )
    transport = protocol.transport
    way = str(connector.way)
    peer_at = peer_address(transport, way)
    channel = Channel(
        PeerInfo(
            role=welcome.role,
            name=welcome.name,
            session_id=connector.hello.session_id,
            address=address,
            versions=welcome.versions,
            cluster_id=welcome.cluster_id,
        ),
        same_host=is_same_host(local_address(transport, way), peer_at),
        decoder=decoder_for(peer_role, role),
        settings=settings,
        keeper=connector,
    )
    channel.on_messages = _heeding(on_messages, secret, settings)
    channel.on_closed = on_closed
    if on_interrupted is not None:
        channel.on_interrupted = on_interrupted
    if on_resumed is not None:
        channel.on_resumed = on_resumed
    channel.attach(transport, 0)
    # The opening has paused the reading; so the caller gets the channel before any message.
    asyncio.get_running_loop().call_soon(channel.start, leftover)
    return channel


class _Connector:
    """Makes the connections of one session; the keeper of its channel."""

    def __init__(
        self, address: str, *, secret: str, settings: Settings, peer_role: Role, hello: Hello
    ) -> None:
        self.hello = hello
        self._address = address
        #: Where it listens, and the one by which it was reached last.
        self._addresses = parse_all(address)
        self.way = self._addresses[0]
        self._reasons: dict[Address, str] = {}
        self._secret = secret
        self._settings = settings
        self._peer_role = peer_role
        self._resuming: asyncio.Task[None] | None = None

    async def open(self, timeout_s: float) -> tuple[ConnectorProtocol, Welcome, bytes]:
        """Return an opened connection; try until the time is over.

        Raises
        ------
        ConnectFailed, HandshakeRefused
            As for `connect`.
        """
        start_s = monotonic()
        wait_s = _WAIT_S_MIN
        self._reasons.clear()
        while True:
            left_s = start_s + timeout_s - monotonic()
            attempt_s = min(left_s, self._settings.transport.connect_timeout_s)
            try:
                async with asyncio.timeout(attempt_s):
                    return await self._open_any()
            except HandshakeRefused:
                raise
            except (TimeoutError, OSError):
                # Why is noted by address. That there was no answer says less than what was noted
                # of an attempt before.
                pass
            waited_s = monotonic() - start_s
            if waited_s >= timeout_s:
                reason = explain(self._addresses, self._reasons, "no answer")
                raise ConnectFailed(address=self._address, waited_s=waited_s, reason=reason)
            # A random part is left out so that a whole cluster does not come in one instant.
            pause_s = wait_s * random.uniform(0.5, 1.0)  # noqa: S311 (nothing secret)
            await asyncio.sleep(min(pause_s, timeout_s - waited_s))
            wait_s = min(2 * wait_s, _WAIT_S_MAX)

    async def _open_any(self) -> tuple[ConnectorProtocol, Welcome, bytes]:
        """Open a connection by any address: somebody else may listen at some of them."""
        left = list(self._addresses)
        refused: HandshakeRefused | None = None
        while left:
            at = left[0]
            connection: socket.socket | None = None
            try:
                if at.scheme != "inproc":
                    networks = host_networks() if len(left) > 1 else ()
                    ways = order(left, networks, self.way)
                    connection, at = await reach(ways, self._reasons)
                opened = await self._open_once(at, connection)
            except HandshakeRefused as error:
                refused = error
                self._reasons[at] = error.reason
                left.remove(at)
            else:
                self.way = at
                return opened
        assert refused is not None
        if len(self._addresses) == 1:
            raise refused
        reason = explain(self._addresses, self._reasons, "no answer")
        raise HandshakeRefused(address=self._address, reason=reason)

    async def _open_once(
        self, at: Address, connection: socket.socket | None
    ) -> tuple[ConnectorProtocol, Welcome, bytes]:
        protocol = ConnectorProtocol(str(at), self._secret, self.hello)
        try:
            try:
                await self._take_over(protocol, at, connection)
            except ssl.SSLError as error:
                reason = why_tls_failed(error)
                raise HandshakeRefused(address=self._address, reason=reason) from None
            except OSError as error:
                cut = at.scheme == "tls" and isinstance(error, ConnectionResetError)
                self._reasons[at] = TLS_CUT if cut else _words(error)
                raise
            async with asyncio.timeout(self._settings.transport.handshake_timeout_s):
                try:
                    welcome, leftover = await protocol.opened
                except HandshakeRefused:
                    raise
                except OSError as error:
                    self._reasons[at] = _words(error)
                    raise
            self._refuse_unfit(welcome)
        except BaseException:
            protocol.abandon()
            raise
        return protocol, welcome, leftover

    def _refuse_unfit(self, welcome: Welcome) -> None:
        reason = welcome.reason
        if welcome.refusal is Refusal.NONE:
            if welcome.role is not self._peer_role:
                theirs, wanted = welcome.role.name.lower(), self._peer_role.name.lower()
                reason = f"a {theirs} listens there, not a {wanted}"
            elif welcome.role is Role.SCHEDULER and not welcome.cluster_id:
                reason = "the scheduler does not say of which cluster it is"
            else:
                return
        raise HandshakeRefused(address=self._address, reason=reason)

    async def _take_over(
        self, protocol: ConnectorProtocol, at: Address, connection: socket.socket | None
    ) -> None:
        """Make a connection the protocol's, under TLS where that is wanted."""
        loop = asyncio.get_running_loop()
        if connection is None:
            connect_name(at.path, protocol)
        elif at.scheme == "unix":
            await loop.create_unix_connection(lambda: protocol, sock=connection)
        else:
            tls = at.scheme == "tls"
            await loop.create_connection(
                lambda: protocol,
                sock=connection,
                ssl=connector_context() if tls else None,
                server_hostname="" if tls else None,
                ssl_handshake_timeout=(
                    self._settings.transport.handshake_timeout_s if tls else None
                ),
            )

    def channel_interrupted(self, channel: Channel) -> None:
        """Connect again."""
        self._resuming = asyncio.get_running_loop().create_task(self._resume(channel))

    def channel_finished(self, channel: Channel) -> None:
        """Stop connecting again."""
        del channel
        if self._resuming is not None and self._resuming is not asyncio.current_task():
            self._resuming.cancel()
        self._resuming = None

    async def _resume(self, channel: Channel) -> None:
        self.hello = msgspec.structs.replace(self.hello, resumes=True, seen=channel.seen)
        try:
            # Until the channel ends, for its grace time is over; it cancels us then.
            protocol, welcome, leftover = await self.open(math.inf)
        except HandshakeRefused as error:
            channel.fail(error.reason)
            return
        except Exception as error:
            _logger.exception("an error while a connection to %s was resumed", self._address)
            channel.fail(f"an internal error: {error!r}")
            return
        try:
            channel.attach(protocol.transport, welcome.seen)
        except RemoteProtocolError as error:
            protocol.abandon()
            channel.fail(str(error))
            return
        channel.resumed()
        channel.start(leftover)


def _heeding(on_messages: OnMessages, secret: str, settings: Settings) -> OnMessages:
    """Return a callback that keeps to itself what is about the secret, and hands on all else."""

    def receive(channel: Channel, messages: list[Any]) -> None:
        others = []
        for one in messages:
            if type(one) is not SecretChanged:
                others.append(one)
                continue
            hear_secret(secret, one.secret, settings.security.rotation_grace_s)
        if others:
            on_messages(channel, others)

    return receive


def _words(error: OSError) -> str:
    """Return what an error says of itself."""
    return error.strerror or str(error) or type(error).__name__
