"""The session of two peers: an ordered stream of payloads that outlives its connections.

Each side numbers the payloads that it sends, from 1, and keeps each until the other side has
acknowledged it. Acknowledgements ride on every frame; one goes alone only when much was received
and nothing was to be said. When a connection is cut both sides keep their `Session`; on the next
one each tells the other the last number it has received (in ``Hello`` and ``Welcome``), and sends
again what came after it. So nothing is lost, nothing is delivered twice, and the order holds.

A session is a machine: it writes nothing, it returns what is to be written.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Final

from hocket.core.errors import LimitExceeded, LocalProtocolError, RemoteProtocolError
from hocket.core.units import GIB, MIB
from hocket.protocol.framing import Frame, FrameKind, encode_header

__all__ = ["SESSION_ID_NBYTES", "Session", "SessionLimits"]

SESSION_ID_NBYTES: Final = 16

_MESSAGES: Final = int(FrameKind.MESSAGES)
_ACKNOWLEDGEMENT: Final = int(FrameKind.ACKNOWLEDGEMENT)


@dataclass(frozen=True, slots=True)
class SessionLimits:
    """When to acknowledge, and how much may stay unacknowledged.

    Parameters
    ----------
    ack_frames, ack_nbytes
        What may be received, with nothing sent, before an acknowledgement goes alone.
    unacknowledged_nbytes_max
        Payload bytes that are kept for sending again.
    """

    ack_frames: int = 64
    ack_nbytes: int = MIB
    unacknowledged_nbytes_max: int = GIB


class Session:
    """One side of a session.

    Parameters
    ----------
    session_id
        16 bytes that nobody can guess; the connecting side draws them.
    limits
        See `SessionLimits`.
    """

    __slots__ = (
        "_limits",
        "_owed_frames",
        "_owed_nbytes",
        "_retained",
        "acknowledged",
        "retained_nbytes",
        "seen",
        "sent",
        "session_id",
    )

    def __init__(self, session_id: bytes, limits: SessionLimits) -> None:
        if len(session_id) != SESSION_ID_NBYTES:
            raise LocalProtocolError(reason=f"a session id of {len(session_id)} bytes")
        self.session_id = session_id
        self._limits = limits
        #: The number of the last payload sent, of the last that the peer has received, and of the
        #: last received from it.
        self.sent = 0
        self.acknowledged = 0
        self.seen = 0
        #: The payloads numbered acknowledged + 1 to sent.
        self._retained: deque[bytes] = deque()
        self.retained_nbytes = 0
        #: Received since the last frame that carried an acknowledgement.
        self._owed_frames = 0
        self._owed_nbytes = 0

    def send(self, payload: bytes) -> tuple[bytes, bytes]:
        """Take a payload, numbered and kept; return its header and it, to be written.

        Without a connection, or while one takes nothing, they need not be written:
        `frames_after` returns them later.

        Raises
        ------
        LimitExceeded
            The peer has left too much unacknowledged. The payload was not taken.
        """
        retained_nbytes = self.retained_nbytes + len(payload)
        if retained_nbytes > self._limits.unacknowledged_nbytes_max:
            raise LimitExceeded(
                what="the number of bytes that the peer has not acknowledged",
                limit=self._limits.unacknowledged_nbytes_max,
                asked=retained_nbytes,
            )
        self.retained_nbytes = retained_nbytes
        self._retained.append(payload)
        self.sent += 1
        self._owed_frames = self._owed_nbytes = 0
        return encode_header(_MESSAGES, self.sent, self.seen, len(payload)), payload

    def receive(self, frame: Frame) -> bytes | bytearray | None:
        """Take a frame; return its payload if it is one of messages, and new.

        Raises
        ------
        RemoteProtocolError
            The peer has skipped a number, acknowledges what was never sent, or sent a kind of
            frame that has no place here.
        """
        kind, _, sequence, acknowledged, payload = frame
        if acknowledged > self.acknowledged:
            self._forget(acknowledged)
        if kind == _MESSAGES:
            seen = self.seen + 1
            if sequence == seen:
                self.seen = seen
                self._owed_frames += 1
                self._owed_nbytes += len(payload)
                return payload
            if not 0 < sequence < seen:
                raise RemoteProtocolError(reason=f"frame {sequence} came where {seen} was expected")
            return None
        if kind != _ACKNOWLEDGEMENT:
            raise RemoteProtocolError(reason=f"a frame of kind {kind} within a session")
        if payload or sequence:
            raise RemoteProtocolError(reason="an acknowledgement with a payload or a number")
        return None

    def ack_due(self) -> bool:
        """Whether an acknowledgement should go alone now."""
        return (
            self._owed_frames >= self._limits.ack_frames
            or self._owed_nbytes >= self._limits.ack_nbytes
        )

    def acknowledge(self) -> bytes:
        """Return a frame that only acknowledges (and shows that we live), to be written."""
        self._owed_frames = self._owed_nbytes = 0
        return encode_header(_ACKNOWLEDGEMENT, 0, self.seen, 0)

    def can_resume(self, peer_seen: int) -> bool:
        """Whether `resume` would take this number."""
        return self.acknowledged <= peer_seen <= self.sent

    def resume(self, peer_seen: int) -> None:
        """Take what the peer says it has received, on a new connection.

        What is to be sent again is then ``frames_after(session.acknowledged)``.

        Parameters
        ----------
        peer_seen
            The number of the last payload that the peer has received.

        Raises
        ------
        RemoteProtocolError
            That cannot be: it was never sent, or the peer had acknowledged more before.
        """
        if not self.can_resume(peer_seen):
            raise RemoteProtocolError(
                reason=f"the peer resumes after frame {peer_seen}; of {self.sent} it had"
                f" acknowledged {self.acknowledged}"
            )
        self._forget(peer_seen)

    def frames_after(self, sequence: int) -> Iterator[tuple[bytes, bytes]]:
        """Yield header and payload of every kept frame with a number after this one, in order.

        The headers carry the acknowledgement of the moment in which they are made.
        """
        first = max(sequence, self.acknowledged)
        for number, payload in enumerate(
            islice(self._retained, first - self.acknowledged, None), first + 1
        ):
            self._owed_frames = self._owed_nbytes = 0
            yield encode_header(_MESSAGES, number, self.seen, len(payload)), payload

    def _forget(self, acknowledged: int) -> None:
        """Drop what the peer has received up to a number."""
        if acknowledged > self.sent:
            raise RemoteProtocolError(
                reason=f"the peer acknowledges frame {acknowledged}, but {self.sent} was the last"
            )
        retained = self._retained
        for _ in range(acknowledged - self.acknowledged):
            self.retained_nbytes -= len(retained.popleft())
        self.acknowledged = acknowledged
