"""Frames: the fixed header before each piece of the byte stream, written and read back.

A frame is a header of 32 bytes, all numbers big-endian, and ``length`` bytes of payload::

    0   magic         3 bytes   b"HKT"
    3   version       1 byte    of this layout: 1
    4   kind          1 byte    see FrameKind
    5   flags         1 byte    0
    6   reserved      2 bytes   0
    8   sequence      8 bytes   1, 2, 3... for the frames that must not be lost; 0 for the others
    16  acknowledged  8 bytes   the last sequence number that the sender has received
    24  length        8 bytes   of the payload

What a peer announces is checked before it costs memory, and memory then grows with what has
truly arrived.
"""

from __future__ import annotations

import struct
from enum import IntEnum
from typing import Final, NamedTuple

from hocket.core.errors import LimitExceeded, RemoteProtocolError

__all__ = [
    "HEADER_NBYTES",
    "Frame",
    "FrameKind",
    "FrameReader",
    "Header",
    "encode_header",
    "parse_header",
]

_HEADER: Final = struct.Struct("!4sBBHQQQ")
_MAGIC: Final = b"HKT\x01"

HEADER_NBYTES: Final = _HEADER.size

# Bound here, because looking a method up costs as much as the packing.
_pack: Final = _HEADER.pack
_unpack_from: Final = _HEADER.unpack_from


class FrameKind(IntEnum):
    """What a frame's payload is."""

    #: A batch of encoded messages; has a sequence number.
    MESSAGES = 1
    #: Nothing: the header's acknowledgement is the content. Also the sign of life.
    ACKNOWLEDGEMENT = 2
    #: The sender ends the session in good order; the payload is the reason, in UTF-8.
    GOODBYE = 3
    #: Who connects, and who answers; see :mod:`hocket.protocol.hello`.
    HELLO = 4
    WELCOME = 5
    #: On data connections: a message that raw buffers follow, and a failure in words.
    DATA = 6
    DATA_FAILURE = 7
    #: The sender ends the session because something is wrong; the payload is what, in UTF-8.
    BREAK = 8


_KIND_MAX: Final = max(FrameKind)


class Frame(NamedTuple):
    """One frame as it was received.

    A payload that came in several pieces is a ``bytearray``, so that it is not copied once more.
    """

    kind: int
    flags: int
    sequence: int
    acknowledged: int
    payload: bytes | bytearray


def encode_header(
    kind: int, sequence: int, acknowledged: int, payload_nbytes: int, flags: int = 0
) -> bytes:
    """Return the header of a frame.

    Parameters
    ----------
    kind
        A `FrameKind`.
    sequence, acknowledged
        Sequence numbers; 0 for none.
    payload_nbytes
        Length of the payload that follows.
    flags
        None are defined yet; receivers refuse what they do not know.
    """
    return _pack(_MAGIC, kind, flags, 0, sequence, acknowledged, payload_nbytes)


class Header(NamedTuple):
    """What stands before a payload."""

    kind: int
    flags: int
    sequence: int
    acknowledged: int
    payload_nbytes: int


def parse_header(
    data: bytes | bytearray | memoryview, position: int, frame_nbytes_max: int
) -> Header:
    """Return the header that begins at a position; at least `HEADER_NBYTES` must be there.

    Raises
    ------
    RemoteProtocolError
        This is no header of ours.
    LimitExceeded
        It announces a payload of more than ``frame_nbytes_max`` bytes.
    """
    magic, kind, flags, reserved, sequence, acknowledged, length = _unpack_from(data, position)
    if magic != _MAGIC:
        raise RemoteProtocolError(reason=f"a frame begins with {magic!r} instead of {_MAGIC!r}")
    if not 0 < kind <= _KIND_MAX:
        raise RemoteProtocolError(reason=f"there are no frames of kind {kind}")
    if flags or reserved:
        raise RemoteProtocolError(reason=f"a frame has unknown flags ({flags}, {reserved})")
    if length > frame_nbytes_max:
        raise LimitExceeded(what="a frame's length", limit=frame_nbytes_max, asked=length)
    return Header(kind, flags, sequence, acknowledged, length)


class FrameReader:
    """Cuts a stream of bytes into frames, however the bytes arrive.

    Parameters
    ----------
    frame_nbytes_max
        The longest payload that a frame may have.
    """

    __slots__ = ("_body", "_fault", "_frame_nbytes_max", "_header", "_partial")

    def __init__(self, frame_nbytes_max: int) -> None:
        self._frame_nbytes_max = frame_nbytes_max
        #: The beginning of a header.
        self._partial = b""
        #: The header of the frame that is being received, and what there is of its payload.
        self._header: Header | None = None
        self._body = bytearray()
        #: Why nothing more can be understood; None if it can.
        self._fault: RemoteProtocolError | LimitExceeded | None = None

    def raise_fault(self) -> None:
        """Raise the error for what came after the frames that `feed` has returned, if any.

        Raises
        ------
        RemoteProtocolError, LimitExceeded
            As for `feed`.
        """
        if self._fault is not None:
            raise self._fault

    @property
    def mid_frame(self) -> bool:
        """Whether the bytes so far end within a frame."""
        return bool(self._partial) or self._header is not None

    def feed(self, data: bytes | bytearray | memoryview) -> list[Frame]:
        """Take the next bytes; return the frames that they complete, in order.

        Whole frames before a fault are returned, and the fault is raised by the next call, or by
        `raise_fault`. So what is delivered does not depend on how the bytes were split.

        Raises
        ------
        RemoteProtocolError
            The bytes are no frames of ours.
        LimitExceeded
            A frame is announced that is longer than allowed. The reader is of no use after either.
        """
        self.raise_fault()
        frames: list[Frame] = []
        position = 0
        size = len(data)
        if self._header is not None:
            position = min(self._header.payload_nbytes - len(self._body), size)
            self._body += data if position == size else data[:position]
            if len(self._body) < self._header.payload_nbytes:
                return frames
            kind, flags, sequence, acknowledged, _ = self._header
            frames.append(Frame(kind, flags, sequence, acknowledged, self._body))
            self._header = None
            self._body = bytearray()
        elif self._partial:
            data = self._partial + data
            self._partial = b""
            size = len(data)
        while size - position >= HEADER_NBYTES:
            try:
                header = parse_header(data, position, self._frame_nbytes_max)
            except (RemoteProtocolError, LimitExceeded) as error:
                self._fault = error
                if frames:
                    return frames
                raise
            kind, flags, sequence, acknowledged, length = header
            position += HEADER_NBYTES
            end = position + length
            if end > size:
                self._header = header
                self._body += data[position:]
                return frames
            frames.append(Frame(kind, flags, sequence, acknowledged, bytes(data[position:end])))
            position = end
        if position < size:
            self._partial = bytes(data[position:])
        return frames
