"""A feed as a file: what was read, frame by frame, to be read again. Bytes in and out; no I/O.

A file begins with `MAGIC`. Then come frames: a length of four bytes (big endian) and a payload as
on the wire, that is a MessagePack array of `Snapshot` and `Events`. A file may end anywhere, since
its writer may: what is whole is read, the rest is left out.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from hocket.core.errors import RemoteProtocolError
from hocket.protocol.codec import MessageDecoder, encode
from hocket.protocol.messages.observing import Events, Snapshot

__all__ = ["FRAME_NBYTES_MAX", "MAGIC", "FeedDecoder", "encode_frame"]

#: Names the kind of file, and the form's version.
MAGIC: Final = b"hocketfeed\x00\x01"
#: No frame is longer.
FRAME_NBYTES_MAX: Final = 64 << 20

_LENGTH_NBYTES: Final = 4
_decoder: Final = MessageDecoder(Snapshot | Events)


def encode_frame(messages: Sequence[Snapshot | Events]) -> bytes:
    """Return a frame; the first of a file comes after `MAGIC`."""
    payload = encode(messages)
    return len(payload).to_bytes(_LENGTH_NBYTES, "big") + payload


class FeedDecoder:
    """Makes messages of a file's bytes, as they come."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._begun = False

    def feed(self, data: bytes) -> Iterator[Snapshot | Events]:
        """Yield the messages that are whole with these bytes.

        Parameters
        ----------
        data
            The next bytes of the file.

        Raises
        ------
        RemoteProtocolError
            It is no such file, or what stands in it does not fit.
        """
        self._buffer += data
        if not self._begun:
            if bytes(self._buffer[: len(MAGIC)]) != MAGIC[: len(self._buffer)]:
                raise RemoteProtocolError(
                    reason="this is no recording of a feed; Client.record_feed(path) makes one"
                )
            if len(self._buffer) < len(MAGIC):
                return
            del self._buffer[: len(MAGIC)]
            self._begun = True
        while len(self._buffer) >= _LENGTH_NBYTES:
            nbytes = int.from_bytes(self._buffer[:_LENGTH_NBYTES], "big")
            if nbytes > FRAME_NBYTES_MAX:
                raise RemoteProtocolError(
                    reason=f"a frame of {nbytes} bytes in a recording; at most {FRAME_NBYTES_MAX}"
                    " are allowed: the file is damaged"
                )
            end = _LENGTH_NBYTES + nbytes
            if len(self._buffer) < end:
                return
            messages = _decoder.decode(bytes(self._buffer[_LENGTH_NBYTES:end]))
            del self._buffer[:end]
            for message in messages:
                assert isinstance(message, Snapshot | Events)
                yield message

    @property
    def rest_nbytes(self) -> int:
        """Bytes of a frame that is not whole."""
        return len(self._buffer)
