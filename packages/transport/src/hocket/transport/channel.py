"""A channel: one control session with a peer, over one connection at a time.

A `Channel` decides little: `Session` says what to write and what is new. It owns what acts: the
transport, the timer of the keepalive and the timer of the grace time. On the hot path there is no
task, no future and no timer: a message is encoded and written in the same call, and what is
received is decoded and handed over in the call in which the loop read it.

All of it belongs to the thread of its event loop.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Sequence
from typing import Final, Protocol

from msgspec import Struct

from hocket.core.errors import LimitExceeded, LocalProtocolError, RemoteProtocolError
from hocket.core.settings import Settings
from hocket.protocol.codec import MessageDecoder, encode
from hocket.protocol.framing import Frame, FrameKind, FrameReader, encode_header
from hocket.protocol.liveness import Liveness
from hocket.protocol.session import Session, SessionLimits
from hocket.transport.clock import monotonic
from hocket.transport.peer_info import PeerInfo

__all__ = ["Channel", "OnChange", "OnClosed", "OnMessages"]

_logger: Final = logging.getLogger("hocket.transport")

_MESSAGES: Final = int(FrameKind.MESSAGES)

#: Up to here header and payload are joined and written at once; above, two system calls cost less
#: than the copy.
_JOIN_NBYTES_MAX: Final = 64 * 1024
#: While a connection has more than this to write, frames wait in the session, where they lie
#: anyway, and not once more in the transport.
_WRITE_BUFFER_NBYTES_MAX: Final = 4 * 1024 * 1024
#: How long the side that says goodbye waits for the other to close. If it closed at once, bytes on
#: their way to it would make the kernel reset the connection and the goodbye might be lost.
_LINGER_S: Final = 1.0
_REASON_NBYTES_MAX: Final = 1000

OnMessages = Callable[["Channel", list[Struct]], None]
OnClosed = Callable[["Channel", str, bool], None]
OnChange = Callable[["Channel"], None]


class Keeper(Protocol):
    """What made a channel and wants to know how it fares: a connector or a listener."""

    def channel_interrupted(self, channel: Channel) -> None:
        """Do what is to be done so that the channel gets another connection."""

    def channel_finished(self, channel: Channel) -> None:
        """Forget the channel."""


class Channel:
    """One control session with a peer.

    Made by `hocket.transport.connect` and `hocket.transport.listen`.

    Attributes
    ----------
    peer
        Who is at the other end.
    same_host
        Whether it runs on this host.
    on_messages
        Called with the channel and the messages of one frame, in the order in which they were sent.
    on_closed
        Called once, with the channel, a reason for people, and whether the peer said goodbye
        (``clean``); after that nothing comes. Not called on the side that calls `close`.
    on_interrupted, on_resumed
        Called with the channel when its connection is cut, and when it has another. What is sent in
        between is not lost.
    """

    __slots__ = (
        "_closed",
        "_decoder",
        "_grace_s",
        "_grace_timer",
        "_keeper",
        "_linger",
        "_liveness",
        "_loop",
        "_session",
        "_settings",
        "_tick_timer",
        "_wire",
        "_written",
        "on_closed",
        "on_interrupted",
        "on_messages",
        "on_resumed",
        "peer",
        "same_host",
    )

    def __init__(
        self,
        peer: PeerInfo,
        *,
        same_host: bool,
        decoder: MessageDecoder,
        settings: Settings,
        keeper: Keeper,
    ) -> None:
        self.peer = peer
        self.same_host = same_host
        self.on_messages: OnMessages = _nobody_listens
        self.on_closed: OnClosed = _nobody_minds
        self.on_interrupted: OnChange = _nothing
        self.on_resumed: OnChange = _nothing
        self._decoder = decoder
        self._settings = settings
        self._keeper = keeper
        self._loop = asyncio.get_running_loop()
        limits = settings.session
        self._session = Session(
            peer.session_id,
            SessionLimits(
                ack_frames=limits.ack_frames,
                ack_nbytes=limits.ack_nbytes,
                unacknowledged_nbytes_max=limits.unacknowledged_nbytes_max,
            ),
        )
        self._grace_s = limits.local_grace_s if same_host else limits.grace_s
        self._wire: Wire | None = None
        #: The number of the last frame that was written to the present connection.
        self._written = 0
        self._closed = False
        self._grace_timer: asyncio.TimerHandle | None = None
        self._tick_timer: asyncio.TimerHandle | None = None
        self._liveness = Liveness(limits.silent_s, monotonic())
        self._linger: _Linger | None = None

    def __repr__(self) -> str:
        state = "closed" if self._closed else "open" if self._wire else "interrupted"
        return f"<Channel to {self.peer.role.name.lower()} {self.peer.name!r}, {state}>"

    @property
    def closed(self) -> bool:
        """Whether the session is over."""
        return self._closed

    @property
    def connected(self) -> bool:
        """Whether there is a connection now."""
        return self._wire is not None

    @property
    def unacknowledged_nbytes(self) -> int:
        """Bytes sent that the peer has not acknowledged; a lot means that it is slow or away."""
        return self._session.retained_nbytes

    @property
    def seen(self) -> int:
        """The number of the last payload received in the session."""
        return self._session.seen

    def send(self, messages: Sequence[Struct]) -> None:
        """Send a batch of messages as one frame, now; never blocks.

        While the connection is cut they are kept and follow on the next one. On a closed channel
        they are dropped: `on_closed` has told, or will tell at once.

        Raises
        ------
        LocalProtocolError
            A message holds something that cannot be encoded.
        LimitExceeded
            The batch is longer than ``transport.frame_nbytes_max``; nothing of it was sent.
        """
        if self._closed or not messages:
            return
        payload = encode(messages)
        nbytes = len(payload)
        if nbytes > self._settings.transport.frame_nbytes_max:
            raise LimitExceeded(
                what="the length of a batch of messages",
                limit=self._settings.transport.frame_nbytes_max,
                asked=nbytes,
            )
        session = self._session
        try:
            header, payload = session.send(payload)
        except LimitExceeded as error:
            # Not from within the caller, who may be in the middle of something.
            self._loop.call_soon(self._finish, f"the peer does not keep up: {error}")
            return
        wire = self._wire
        # Of a connection that is lost we hear in the next turn; until then it takes nothing.
        if wire is not None and not wire.paused and not wire.transport.is_closing():
            self._written = session.sent
            if nbytes <= _JOIN_NBYTES_MAX:
                wire.transport.write(header + payload)
            else:
                wire.transport.write(header)
                wire.transport.write(payload)

    def close(self, reason: str = "") -> None:
        """End the session: say goodbye after all that was sent. May be called twice.

        The other side's `on_closed` gets the reason, with ``clean=True``; ours is not called.
        """
        if self._closed:
            return
        wire = self._wire
        if wire is not None:
            for header, payload in self._session.frames_after(self._written):
                wire.transport.write(header)
                wire.transport.write(payload)
        self._part(FrameKind.GOODBYE, reason)
        self._end()

    async def wait_closed(self) -> None:
        """Wait until the connection of a channel that was closed is closed as well."""
        if self._linger is not None:
            await self._linger.ended

    # What follows is for the connector, the listener and the connection.

    def can_resume(self, peer_seen: int) -> bool:
        """Whether `attach` would take this number of the peer's."""
        return self._session.can_resume(peer_seen)

    def detach(self) -> None:
        """Drop the present connection for a new one; what still comes on it does not count."""
        self._drop_wire()

    def attach(self, transport: asyncio.Transport, peer_seen: int) -> None:
        """Go on over this connection, and send again what the peer has not received.

        What comes on it is to be handed over by `start`.

        Parameters
        ----------
        transport
            On which the opening has been done.
        peer_seen
            The number of the last payload that the peer has received.

        Raises
        ------
        RemoteProtocolError
            The peer's number cannot be. The channel stays as it was.
        """
        self._session.resume(peer_seen)
        self._drop_wire()
        if self._grace_timer is not None:
            self._grace_timer.cancel()
            self._grace_timer = None
        wire = Wire(self, transport, self._settings.transport.frame_nbytes_max)
        self._wire = wire
        self._written = peer_seen
        transport.set_protocol(wire)
        if transport.is_closing():
            # Lost meanwhile, and the protocol before this one may have been told.
            self._loop.call_soon(wire.connection_lost, None)
            return
        transport.set_write_buffer_limits(high=_WRITE_BUFFER_NBYTES_MAX)
        self._liveness.heard = True
        if self._tick_timer is None:
            keepalive_s = self._settings.session.keepalive_s
            self._tick_timer = self._loop.call_later(keepalive_s, self._tick)
        self.flush(wire)

    def start(self, leftover: bytes) -> None:
        """Take what came with the opening, and then what comes.

        Not in a later turn of the loop: uvloop may read more within this one.

        Parameters
        ----------
        leftover
            Bytes of the session that came with the opening.
        """
        wire = self._wire
        if wire is not None and leftover:
            self.receive(wire, leftover)
        if wire is not None and wire is self._wire and not wire.transport.is_reading():
            wire.transport.resume_reading()

    def flush(self, wire: Wire) -> None:
        """Write what waits in the session, as far as the connection takes it."""
        if wire is not self._wire or wire.flushing:
            return
        # A write may call `pause_writing` and even `resume_writing`, and so come here again.
        wire.flushing = True
        for header, payload in self._session.frames_after(self._written):
            if wire.paused or wire.transport.is_closing():
                break
            self._written += 1
            wire.transport.write(header)
            wire.transport.write(payload)
        wire.flushing = False

    def receive(self, wire: Wire, data: bytes) -> None:
        """Take bytes of the connection; whatever they are, nothing is raised."""
        if wire is not self._wire:
            return
        self._liveness.heard = True
        session = self._session
        try:
            for frame in wire.reader.feed(data):
                if frame.kind != _MESSAGES and self._take_leave(frame):
                    return
                payload = session.receive(frame)
                if payload is not None:
                    self.on_messages(self, self._decoder.decode(payload))
                    if wire is not self._wire:
                        return
            wire.reader.raise_fault()
            if session.ack_due():
                wire.transport.write(session.acknowledge())
        except (RemoteProtocolError, LimitExceeded) as error:
            _logger.warning("closed the session with %s: %s", self._describe_peer(), error)
            self.fail(str(error))
        except Exception as error:
            # A bug on our side must cost one channel, not the process.
            _logger.exception("an error while messages of %s were handled", self._describe_peer())
            self.fail(f"an internal error: {error!r}")

    def cut(self, wire: Wire, reason: str) -> None:
        """Take note that the connection is gone."""
        if wire is not self._wire:
            return
        self._drop_wire()
        if self._grace_s <= 0:
            self._finish(reason)
            return
        self._grace_timer = self._loop.call_later(
            self._grace_s, self._finish, f"{reason} and did not come back in {self._grace_s:g} s"
        )
        _logger.info("interrupted: %s, %s", self._describe_peer(), reason)
        self._keeper.channel_interrupted(self)
        self._guarded(self.on_interrupted)

    def resumed(self) -> None:
        """Tell the owner that there is a connection again."""
        _logger.info("resumed: %s", self._describe_peer())
        self._guarded(self.on_resumed)

    def fail(self, reason: str) -> None:
        """End the session because something is wrong; the peer, if it can be told, is told what."""
        if not self._closed:
            self._part(FrameKind.BREAK, reason)
            self._finish(reason)

    def _take_leave(self, frame: Frame) -> bool:
        """End the session if that is what a frame says."""
        if frame.kind not in {FrameKind.GOODBYE, FrameKind.BREAK}:
            return False
        said = bytes(frame.payload[:_REASON_NBYTES_MAX]).decode(errors="replace")
        # It may end up in a log.
        said = "".join(letter if letter.isprintable() else "?" for letter in said)
        if frame.kind == FrameKind.GOODBYE:
            self._finish(said or "the peer said goodbye", clean=True)
        else:
            self._finish(f"the peer broke off: {said}")
        return True

    def _part(self, kind: FrameKind, reason: str) -> None:
        """Say a last word, if there is a connection."""
        wire, self._wire = self._wire, None
        if wire is not None:
            text = reason.encode()[:_REASON_NBYTES_MAX]
            wire.transport.write(encode_header(kind, 0, self._session.seen, len(text)) + text)
            self._linger = _Linger(self._loop, wire.transport)

    def _finish(self, reason: str, *, clean: bool = False) -> None:
        if self._closed:
            return
        self._drop_wire()
        self._end()
        try:
            self.on_closed(self, reason, clean)
        except Exception:
            _logger.exception("an error in on_closed of %s", self._describe_peer())

    def _end(self) -> None:
        self._closed = True
        for timer in (self._grace_timer, self._tick_timer):
            if timer is not None:
                timer.cancel()
        self._keeper.channel_finished(self)

    def _drop_wire(self) -> None:
        wire, self._wire = self._wire, None
        if wire is not None:
            wire.transport.abort()

    def _tick(self) -> None:
        """Show that we live, and see whether the peer does; a few times a minute."""
        limits = self._settings.session
        self._tick_timer = self._loop.call_later(limits.keepalive_s, self._tick)
        wire = self._wire
        if wire is None:
            return
        if self._liveness.is_silent(monotonic()):
            self.cut(wire, f"the peer was silent for {limits.silent_s:g} s")
        elif not wire.paused:
            wire.transport.write(self._session.acknowledge())

    def _guarded(self, callback: OnChange) -> None:
        try:
            callback(self)
        except Exception:
            _logger.exception("an error in a callback of %s", self._describe_peer())

    def _describe_peer(self) -> str:
        return f"{self.peer.role.name.lower()} {self.peer.name!r} at {self.peer.address}"


class Wire(asyncio.Protocol):
    """One connection of a channel, after its opening."""

    __slots__ = ("channel", "flushing", "paused", "reader", "transport")

    def __init__(
        self, channel: Channel, transport: asyncio.Transport, frame_nbytes_max: int
    ) -> None:
        self.channel = channel
        self.transport = transport
        self.reader = FrameReader(frame_nbytes_max)
        self.paused = False
        self.flushing = False

    def data_received(self, data: bytes) -> None:
        """Hand the bytes to the channel."""
        self.channel.receive(self, data)

    def pause_writing(self) -> None:
        """Let frames wait in the session."""
        self.paused = True

    def resume_writing(self) -> None:
        """Write the frames that waited."""
        self.paused = False
        self.channel.flush(self)

    def connection_lost(self, error: Exception | None) -> None:
        """Tell the channel."""
        self.channel.cut(self, f"the connection was lost ({error or 'the peer closed it'})")


class _Linger(asyncio.Protocol):
    """The connection of a channel that has said goodbye: waits for the peer to close it."""

    def __init__(self, loop: asyncio.AbstractEventLoop, transport: asyncio.Transport) -> None:
        self.ended: asyncio.Future[None] = loop.create_future()
        self._timer = loop.call_later(_LINGER_S, transport.abort)
        transport.set_protocol(self)
        # Of what has gone already there is nothing to end: `connection_lost` is on its way.
        with contextlib.suppress(OSError, RuntimeError):
            if transport.can_write_eof():
                transport.write_eof()
            else:
                # TLS has no half of a connection to end; what was written still goes out.
                transport.close()
            if not transport.is_reading():
                transport.resume_reading()

    def connection_lost(self, error: Exception | None) -> None:
        del error  # The session is over, whatever it was.
        self._timer.cancel()
        if not self.ended.done():
            self.ended.set_result(None)


def _nobody_listens(channel: Channel, messages: list[Struct]) -> None:
    raise LocalProtocolError(reason=f"{channel!r} has no on_messages, {len(messages)} came")


def _nobody_minds(channel: Channel, reason: str, clean: bool) -> None:  # noqa: FBT001 (OnClosed)
    del channel, reason, clean


def _nothing(channel: Channel) -> None:
    del channel
