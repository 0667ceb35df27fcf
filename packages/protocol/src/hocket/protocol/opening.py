"""The opening of a control connection: the handshake, then Hello and Welcome; both sides' machines.

What follows the opening on the same connection is the session's; bytes of it that came along with
the opening's last are what `leftover` returns.
"""

from __future__ import annotations

from collections.abc import Sequence

from hocket.core.errors import HandshakeRefused, LimitExceeded, RemoteProtocolError
from hocket.protocol.framing import HEADER_NBYTES, Frame, parse_header
from hocket.protocol.handshake import HandshakeAcceptor, HandshakeConnector, Plane
from hocket.protocol.hello import (
    HELLO_NBYTES_MAX,
    Hello,
    Welcome,
    decode_hello,
    decode_welcome,
    encode_hello,
)

__all__ = ["OpeningAcceptor", "OpeningConnector"]


class _FirstFrame:
    """Waits for one short frame, and leaves alone what comes after it."""

    def __init__(self) -> None:
        self.received = bytearray()

    def feed(self, data: bytes | bytearray | memoryview) -> Frame | None:
        self.received += data
        if len(self.received) < HEADER_NBYTES:
            return None
        header = parse_header(self.received, 0, HELLO_NBYTES_MAX)
        end = HEADER_NBYTES + header.payload_nbytes
        if len(self.received) < end:
            return None
        payload = bytes(self.received[HEADER_NBYTES:end])
        del self.received[:end]
        return Frame(*header[:4], payload)


class OpeningConnector:
    """The side that connects.

    Parameters
    ----------
    address
        Of the peer, for errors.
    secret, nonce
        As for `HandshakeConnector`.
    hello
        Who we are.
    """

    def __init__(self, address: str, secret: str, nonce: bytes, hello: Hello) -> None:
        self._address = address
        self._handshake = HandshakeConnector(address, secret, nonce, Plane.CONTROL, hello.role)
        self._hello = hello
        self._frame = _FirstFrame()
        #: What the acceptor has answered; the opening is over when it is there.
        self.welcome: Welcome | None = None

    def begin(self) -> bytes:
        """Return what is to be written first."""
        return self._handshake.begin()

    def feed(self, data: bytes) -> bytes:
        """Take the next bytes of the peer; return what is to be written.

        Raises
        ------
        HandshakeRefused
            One side does not want the other, or the peer does not keep to the protocol.
        """
        answer = b""
        if not self._handshake.done:
            answer = self._handshake.feed(data)
            if not self._handshake.done:
                return answer
            answer += encode_hello(self._hello)
            data = self._handshake.leftover()
        try:
            frame = self._frame.feed(data)
            if frame is not None:
                self.welcome = decode_welcome(frame)
        except (RemoteProtocolError, LimitExceeded) as error:
            raise HandshakeRefused(address=self._address, reason=str(error)) from None
        return answer

    def leftover(self) -> bytes:
        """Return what was received after the welcome."""
        return bytes(self._frame.received)


class OpeningAcceptor:
    """The side that is connected to.

    Parameters
    ----------
    address
        Of the peer, for errors.
    secret, nonce, former
        As for `HandshakeAcceptor`.
    """

    def __init__(self, address: str, secret: str, nonce: bytes, former: Sequence[str] = ()) -> None:
        self._address = address
        self._handshake = HandshakeAcceptor(address, secret, nonce, Plane.CONTROL, former)
        self._frame = _FirstFrame()
        #: Who connects; what remains is to write the answer.
        self.hello: Hello | None = None

    @property
    def authenticated(self) -> bool:
        """Whether the peer has proved that it knows the secret."""
        return self._handshake.done

    @property
    def farewell(self) -> bytes:
        """What is to be written before closing when `feed` has raised."""
        return b"" if self._handshake.done else self._handshake.farewell

    def feed(self, data: bytes) -> bytes:
        """Take the next bytes of the peer; return what is to be written.

        Raises
        ------
        HandshakeRefused
            One side does not want the other, or the peer does not keep to the protocol.
        """
        answer = b""
        if not self._handshake.done:
            answer = self._handshake.feed(data)
            if not self._handshake.done:
                return answer
            data = self._handshake.leftover()
        try:
            frame = self._frame.feed(data)
            hello = None if frame is None else decode_hello(frame)
        except (RemoteProtocolError, LimitExceeded) as error:
            raise HandshakeRefused(address=self._address, reason=str(error)) from None
        if hello is not None and hello.role is not self._handshake.role:
            proved, said = self._handshake.role.name.lower(), hello.role.name.lower()
            raise HandshakeRefused(
                address=self._address, reason=f"it has a {proved}'s key and says to be a {said}"
            )
        self.hello = hello
        return answer

    def leftover(self) -> bytes:
        """Return what was received after the hello."""
        return bytes(self._frame.received)
