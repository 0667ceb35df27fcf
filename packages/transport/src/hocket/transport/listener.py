"""Listening: connections are accepted, opened, and made channels or given to the ones they resume.

Whatever a peer sends, it costs its own connection and one line in the log (logger
``hocket.transport``, level WARNING), and disturbs nobody else.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Final

from hocket.core.settings import Settings
from hocket.protocol.codec import can_speak, decoder_for
from hocket.protocol.hello import Hello, Refusal, Welcome, encode_welcome, refuse_unfit_name
from hocket.protocol.roles import Role
from hocket.protocol.versions import OUR_VERSIONS
from hocket.transport.address import Address, is_same_host, parse
from hocket.transport.channel import Channel
from hocket.transport.inproc import bind_name, release_name
from hocket.transport.openings import AcceptorProtocol
from hocket.transport.peer_info import PeerInfo
from hocket.transport.sockets import (
    LISTEN_BACKLOG,
    bind_socket,
    local_address,
    peer_address,
    remove_unix_path,
)
from hocket.transport.tls import server_context

__all__ = ["OPENINGS_MAX", "Listener", "listen"]

_logger: Final = logging.getLogger("hocket.transport")

#: Connections that may be in their handshake at once. More are closed at once; a peer that means it
#: tries again.
OPENINGS_MAX: Final = 512


async def listen(
    address: str,
    *,
    role: Role,
    name: str,
    secret: str,
    settings: Settings,
    on_channel: Callable[[Channel], None],
    cluster_id: str = "",
) -> Listener:
    """Accept sessions at an address.

    Parameters
    ----------
    address
        See `hocket.transport.parse`. Port 0 takes a free one.
    role, name
        Ours.
    secret
        The cluster's. It may be empty only where no other host can reach us.
    settings
        ``transport`` and ``session`` are used.
    on_channel
        Called with each new channel, once its peer has proved itself. It must set
        ``channel.on_messages`` and ``channel.on_closed``, and may send or close already.
    cluster_id
        Of the cluster that we speak for; a scheduler must say it.

    Raises
    ------
    SettingsError
        The address is none, or other hosts could come in without a secret.
    OSError
        The address cannot be had.
    """
    refuse_unfit_name(name)
    listener = Listener(parse(address), role=role, name=name, secret=secret, settings=settings)
    listener.on_channel = on_channel
    listener.cluster_id = cluster_id
    await listener.start()
    return listener


class Listener:
    """What `listen` returns.

    Attributes
    ----------
    address
        Where it listens, as text, with the actual port.
    """

    def __init__(
        self, address: Address, *, role: Role, name: str, secret: str, settings: Settings
    ) -> None:
        self.on_channel: Callable[[Channel], None]
        self.cluster_id = ""
        self._at = address
        self._role = role
        self._name = name
        self._secret = secret
        self._settings = settings
        self._server: asyncio.Server | None = None
        self._openings: set[AcceptorProtocol] = set()
        self._channels: dict[bytes, Channel] = {}
        self._turning_away = False
        self._closed = False

    @property
    def address(self) -> str:
        """Where it listens, as text, with the actual port."""
        return str(self._at)

    @property
    def channels(self) -> list[Channel]:
        """The channels that are not closed."""
        return list(self._channels.values())

    async def start(self) -> None:
        """Begin to accept; `listen` has done it."""
        loop = asyncio.get_running_loop()
        if self._at.scheme == "inproc":
            bind_name(self._at.path, loop, self._new_protocol)
            return
        bound, self._at = await bind_socket(self._at, self._secret, self._settings)
        if self._at.scheme == "unix":
            self._server = await loop.create_unix_server(
                self._new_protocol, sock=bound, backlog=LISTEN_BACKLOG
            )
        else:
            timeout_s = self._settings.transport.handshake_timeout_s
            tls = self._at.scheme == "tls"
            self._server = await loop.create_server(
                self._new_protocol,
                sock=bound,
                backlog=LISTEN_BACKLOG,
                ssl=server_context(self._secret) if tls else None,
                ssl_handshake_timeout=timeout_s if tls else None,
            )

    async def close(self, reason: str = "the listener was closed") -> None:
        """Accept nothing any more, close all channels, and wait until they are. May be repeated."""
        if self._closed:
            return
        self._closed = True
        if self._server is not None:
            self._server.close()
            remove_unix_path(self._at)
        else:
            release_name(self._at.path)
        for opening in list(self._openings):
            opening.refuse("")
        channels = self.channels
        for channel in channels:
            channel.close(reason)
        for channel in channels:
            await channel.wait_closed()
        if self._server is not None:
            await self._server.wait_closed()

    def channel_interrupted(self, channel: Channel) -> None:
        """Wait: the other side connects again."""

    def channel_finished(self, channel: Channel) -> None:
        """Forget the channel."""
        self._channels.pop(channel.peer.session_id, None)

    def _new_protocol(self) -> asyncio.Protocol:
        if self._closed:
            return _TurnedAway()
        if len(self._openings) >= OPENINGS_MAX:
            if not self._turning_away:
                # One line for a whole flood.
                self._turning_away = True
                _logger.warning(
                    "%d connections to %s are in their handshake; more are turned away",
                    len(self._openings),
                    self.address,
                )
            return _TurnedAway()
        opening = AcceptorProtocol(
            self.address,
            self._secret,
            self._settings.transport.handshake_timeout_s,
            self._admit,
            self._refused,
        )
        self._openings.add(opening)
        return opening

    def _refused(self, opening: AcceptorProtocol, reason: str) -> None:
        self._openings.discard(opening)
        self._turning_away = False
        if not self._closed:
            _logger.warning("refused a connection from %s: %s", opening.address, reason)

    def _admit(self, opening: AcceptorProtocol, hello: Hello, leftover: bytes) -> None:
        """Let a peer in that has proved itself, or tell it why not."""
        self._openings.discard(opening)
        self._turning_away = False
        known = self._channels.get(hello.session_id)
        refusal, reason = self._find_fault(hello, known)
        if refusal is not Refusal.NONE:
            self._turn_down(opening, refusal, reason)
        elif known is not None:
            self._resume(opening, hello, leftover, known)
        else:
            self._begin(opening, hello, leftover)

    def _find_fault(self, hello: Hello, known: Channel | None) -> tuple[Refusal, str]:
        if known is not None:
            if (known.peer.role, known.peer.name) != (hello.role, hello.name):
                return Refusal.UNFIT, "the session is another peer's"
        elif hello.resumes:
            return Refusal.UNKNOWN_SESSION, (
                "the session is not known (any more): the process that listens was started anew,"
                " or the grace time is over"
            )
        elif not can_speak(hello.role, self._role):
            theirs, ours = hello.role.name.lower(), self._role.name.lower()
            return Refusal.UNFIT, f"a {ours} has no use for a {theirs}"
        return Refusal.NONE, ""

    def _welcome(self, refusal: Refusal = Refusal.NONE, reason: str = "", seen: int = 0) -> bytes:
        return encode_welcome(
            Welcome(
                role=self._role,
                name=self._name,
                versions=OUR_VERSIONS,
                refusal=refusal,
                reason=reason,
                seen=seen,
                cluster_id=self.cluster_id,
            )
        )

    def _turn_down(self, opening: AcceptorProtocol, refusal: Refusal, reason: str) -> None:
        opening.transport.write(self._welcome(refusal, reason))
        opening.transport.close()
        _logger.warning("refused a connection from %s: %s", opening.address, reason)

    def _begin(self, opening: AcceptorProtocol, hello: Hello, leftover: bytes) -> None:
        transport = opening.transport
        ours = local_address(transport, self.address)
        channel = Channel(
            PeerInfo(
                role=hello.role,
                name=hello.name,
                session_id=hello.session_id,
                address=opening.address,
                versions=hello.versions,
            ),
            same_host=is_same_host(ours, peer_address(transport, self.address)),
            decoder=decoder_for(hello.role, self._role),
            settings=self._settings,
            keeper=self,
        )
        self._channels[hello.session_id] = channel
        transport.write(self._welcome())
        channel.attach(transport, 0)
        try:
            self.on_channel(channel)
        except Exception as error:
            # A bug on our side must cost one channel, not the others.
            _logger.exception("an error while %s was let in", opening.address)
            channel.close(f"an internal error: {error!r}")
        channel.start(leftover)

    def _resume(
        self, opening: AcceptorProtocol, hello: Hello, leftover: bytes, channel: Channel
    ) -> None:
        # The number is checked first: a connection that cannot resume must not end the present one.
        if not channel.can_resume(hello.seen):
            reason = f"the session cannot go on after frame {hello.seen}"
            self._turn_down(opening, Refusal.UNFIT, reason)
            return
        was_connected = channel.connected
        channel.detach()
        opening.transport.write(self._welcome(seen=channel.seen))
        channel.attach(opening.transport, hello.seen)
        if not was_connected:
            channel.resumed()
        channel.start(leftover)


class _TurnedAway(asyncio.Protocol):
    """A connection that is closed as soon as it is there."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        transport.close()
