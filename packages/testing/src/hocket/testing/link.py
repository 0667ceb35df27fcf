"""A control session between two hosts: real sessions and frames over connections that fail.

What one side says arrives at the other in order and once, or not at all once the session is over.
Between them lie bytes: each frame is made by `hocket.protocol.session`, may arrive in pieces, is
cut out of the stream by `FrameReader`, and decoded and checked by the codec. A cut connection loses
what is on its way; on the next one both sides send again what the other has not seen.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, Final, Protocol

from hocket.protocol.codec import decoder_for, encode
from hocket.protocol.framing import FrameReader
from hocket.protocol.roles import Role
from hocket.protocol.session import Session, SessionLimits
from hocket.testing.network import Network
from hocket.testing.trace import summary

__all__ = ["End", "Link", "Peer"]

_LIMITS: Final = SessionLimits(ack_frames=3)
_FRAME_NBYTES_MAX: Final = 64 * 2**20
#: So many of the processes that die do so with their host.
_HOST_DIES_PART: Final = 0.3


class Peer(Protocol):
    """A host, as a link sees it."""

    name: str
    life: int
    role: Role
    alive: bool
    hung_until_s: float

    @property
    def is_hung(self) -> bool:
        """Whether it does nothing now."""

    def when_awake(self, action: Callable[[], None]) -> None:
        """Do something, now or when it goes on; never if it is gone."""

    def receive(self, end: End, messages: list[Any]) -> None:
        """Take in what the other side said."""

    def closed(self, end: End, reason: str) -> None:
        """Take note that the session is over."""


class End:
    """One side of a link.

    Attributes
    ----------
    peer
        The host on this side.
    id
        What the scheduler calls the session.
    is_over
        Whether this side knows that the session is over.
    """

    def __init__(self, link: Link, peer: Peer, id_: int) -> None:
        self.link = link
        self.peer = peer
        self.id = id_
        self.is_over = False
        self.session = Session(id_.to_bytes(16, "little"), _LIMITS)
        self.reader = FrameReader(_FRAME_NBYTES_MAX)
        #: Bytes on their way to this side; None stands for a goodbye.
        self.incoming: deque[bytes | None] = deque()
        self.arrival_s = 0.0
        #: What came while the host was hung, with the reader of its connection.
        self._unread: deque[tuple[FrameReader, bytes | None]] = deque()
        side = "up" if peer is link.named_for else "down"
        self._random = link.network.stream(link.named_for.name, link.named_for.life, side)

    @property
    def other(self) -> End:
        """The other side."""
        link = self.link
        return link.server if self is link.client else link.client

    def send(self, messages: Sequence[Any]) -> None:
        """Say something to the other side, in one frame."""
        if self.is_over:
            return
        self.link.network.trace.note(
            self.peer.name, f"says to {self.other.peer.name}: {summary(messages)}"
        )
        header, payload = self.session.send(encode(messages))
        if self.link.connected:
            self._transmit(header + payload)

    def close(self, reason: str) -> None:
        """Say goodbye; what was said before still arrives."""
        if self.is_over:
            return
        self.is_over = True
        self.link.network.trace.note(self.peer.name, f"closes its session: {reason}")
        if self.link.connected:
            self._put_on_its_way(None)
        else:
            self.link.lose("closed while cut off", self.other)

    def _transmit(self, data: bytes) -> None:
        if self.link.network.swarm.faults.fragments and self._random.random() < 0.3:
            middle = self._random.randrange(len(data) + 1)
            self._put_on_its_way(data[:middle])
            data = data[middle:]
        self._put_on_its_way(data)

    def _put_on_its_way(self, data: bytes | None) -> None:
        target, network = self.other, self.link.network
        target.incoming.append(data)
        now_s = network.timeline.now_s
        nbytes = 0 if data is None else len(data)
        target.arrival_s = max(target.arrival_s, now_s + network.latency_s(self._random, nbytes))
        number = self.link.connection_number
        network.timeline.after(target.arrival_s - now_s, lambda: target.arrive(number))

    def arrive(self, connection_number: int) -> None:
        """The next piece of what is on its way comes in, unless the connection is another now."""
        link, timeline = self.link, self.link.network.timeline
        if connection_number != link.connection_number or self.is_over:
            return
        if link.stalled_until_s > timeline.now_s:
            timeline.after(
                link.stalled_until_s - timeline.now_s, lambda: self.arrive(connection_number)
            )
            return
        data = self.incoming.popleft()
        if not self.peer.alive:
            return
        if self._unread or self.peer.is_hung:
            self._unread.append((self.reader, data))
            if len(self._unread) == 1:
                self.peer.when_awake(self._read_all)
        else:
            self._read(self.reader, data)

    def _read_all(self) -> None:
        """Go on with what came while the host was hung."""
        while self._unread and self.peer.alive and not self.is_over:
            if self.peer.is_hung:
                self.peer.when_awake(self._read_all)
                return
            self._read(*self._unread.popleft())
        self._unread.clear()

    def _read(self, reader: FrameReader, data: bytes | None) -> None:
        link = self.link
        if data is None:
            self.over("the other side said goodbye")
            return
        for frame in reader.feed(data):
            payload = self.session.receive(frame)
            if payload is not None and not self.is_over:
                sender = self.other.peer.role
                messages = decoder_for(sender, self.peer.role).decode(payload)
                self.peer.receive(self, messages)
        if self.session.ack_due() and link.connected and not self.is_over:
            self._put_on_its_way(self.session.acknowledge())

    def resend(self) -> None:
        """On a new connection: send again what the other side has not seen."""
        self.session.resume(self.other.session.seen)
        for header, payload in list(self.session.frames_after(self.session.acknowledged)):
            self._transmit(header + payload)

    def over(self, reason: str) -> None:
        """Let this side know that the session is over."""
        self.peer.when_awake(lambda: self._over(reason))

    def _over(self, reason: str) -> None:
        if not self.is_over:
            self.is_over = True
            self.peer.closed(self, reason)


class Link:
    """The path of one session; the client side is the one that connects.

    Attributes
    ----------
    connected
        Whether there is a connection now.
    connection_number
        Rises with each cut, so that what was on its way is known to be lost.
    stalled_until_s
        Nothing arrives before this time.
    """

    def __init__(self, network: Network, client: Peer, server: Peer, id_: int) -> None:
        self.network = network
        #: Chance on both ways is drawn under this name.
        self.named_for = client
        self.connected = True
        self.is_lost = False
        self.connection_number = 1
        self.stalled_until_s = 0.0
        self._random = network.stream(client.name, client.life, "link")
        self.client = End(self, client, id_)
        self.server = End(self, server, id_)

    @property
    def is_over(self) -> bool:
        """Whether the session is lost, or either side has given it up."""
        return self.is_lost or self.client.is_over or self.server.is_over

    @property
    def is_busy(self) -> bool:
        """Whether one side does not know yet that the other has all it said."""
        return any(end.session.retained_nbytes for end in (self.client, self.server))

    def stall(self, duration_s: float) -> None:
        """Let nothing arrive for a while."""
        self.stalled_until_s = self.network.timeline.now_s + duration_s
        self._note(f"stalls for {duration_s:.3f} s")

    def cut(self, duration_s: float) -> None:
        """Cut the connection; the session resumes after a while, unless it is over by then."""
        if not self.connected:
            return
        self._note("is cut")
        self._disconnect()
        self.network.timeline.after(duration_s, self._reconnect)

    def lose(self, reason: str, *ends: End) -> None:
        """End the session for good; each of these sides learns of it in its own time."""
        self.is_lost = True
        self._disconnect()
        self._let_learn(reason, ends)

    def process_is_gone(self, reason: str, end: End) -> None:
        """End the session for good: a process is gone, and this is the other side.

        What had been sent arrives first as a rule, since it is the kernel's by then; not if it
        was the whole host that died.
        """
        self.is_lost = True
        if self._random.random() < _HOST_DIES_PART:
            self._disconnect()
        else:
            self.connected = False
        self._let_learn(reason, [end])

    def _let_learn(self, reason: str, ends: Sequence[End]) -> None:
        for end in ends:
            # (Never before what was sent.)
            delay_s = max(0.0, end.arrival_s - self.network.timeline.now_s) if end.incoming else 0.0
            delay_s += self._random.uniform(0.0, 50 * self.network.swarm.latency_s)
            self.network.timeline.after(delay_s, lambda end=end: end.over(reason))  # type: ignore[misc]

    def _disconnect(self) -> None:
        self.connected = False
        self.connection_number += 1
        for end in (self.client, self.server):
            end.incoming.clear()
            end.reader = FrameReader(_FRAME_NBYTES_MAX)

    def _reconnect(self) -> None:
        ends = (self.client, self.server)
        if self.connected or self.is_over or not all(end.peer.alive for end in ends):
            return
        awake_s = max(end.peer.hung_until_s for end in ends)
        if awake_s > self.network.timeline.now_s:
            self.network.timeline.at(awake_s, self._reconnect)
            return
        self._note("is connected again")
        self.connected = True
        for end in ends:
            end.resend()

    def _note(self, what: str) -> None:
        self.network.trace.note(self.client.peer.name, f"(its link) {what}")
