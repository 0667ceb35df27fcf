"""A data connection: a non-blocking socket; buffers are sent and received where they lie.

Not an asyncio transport, since that copies what the socket does not take at once, and hands over
what it received in chunks of its own. Here ``sendmsg`` gathers the caller's buffers, and what is
large is received straight into the place where it stays; only what is small goes through a scratch
buffer, which saves system calls.
"""

from __future__ import annotations

import asyncio
import secrets
import socket
from collections import deque
from collections.abc import Sequence
from pickle import PickleBuffer
from typing import Final, NamedTuple

from hocket.core.errors import HandshakeRefused, RemoteProtocolError
from hocket.protocol.framing import HEADER_NBYTES, FrameKind, encode_header, parse_header
from hocket.protocol.handshake import (
    NONCE_NBYTES,
    HandshakeAcceptor,
    HandshakeConnector,
    Plane,
)
from hocket.transport.keyring import current_secret, former_secrets
from hocket.transport.tls_socket import TlsSocket

__all__ = ["Buffer", "DataFrame", "DataStream", "as_bytes_view"]

Buffer = bytes | bytearray | memoryview | PickleBuffer

_SCRATCH_NBYTES: Final = 64 * 1024
#: Buffers that one ``sendmsg`` may gather (POSIX promises 16, Linux and macOS take 1024).
_GATHER_MAX: Final = 512
#: Received in one turn of the loop before others get theirs.
_TURN_NBYTES_MAX: Final = 8 * 1024 * 1024


class DataFrame(NamedTuple):
    """A message of a data connection; the buffers that it announces have yet to be received."""

    kind: int
    payload: bytes


def as_bytes_view(buffer: Buffer) -> memoryview:
    """Return the bytes of a buffer as they lie in memory, not copied.

    Raises
    ------
    BufferError
        They do not lie in one piece.
    """
    if isinstance(buffer, PickleBuffer):
        return buffer.raw()
    view = memoryview(buffer)
    if view.format == "B" and view.ndim == 1 and view.contiguous:
        return view
    return PickleBuffer(view).raw()


class DataStream:
    """One end of a data connection.

    One coroutine at a time may receive, and one may send.

    Parameters
    ----------
    connection
        A connected, non-blocking socket, plain or under TLS, which is now the stream's.
    address
        Of the peer, for errors.
    silent_s
        Seconds after which the connection is lost if somebody waits for it and no byte moves.
    """

    def __init__(
        self, connection: socket.socket | TlsSocket, address: str, silent_s: float
    ) -> None:
        self.address = address
        #: Whether a request was sent of whose reply nothing has come; for the pool.
        self.unanswered = False
        self._socket = connection
        self._loop = asyncio.get_running_loop()
        self._scratch = memoryview(bytearray(_SCRATCH_NBYTES))
        #: What lies in the scratch buffer.
        self._start = 0
        self._end = 0
        #: What is still to be received for the coroutine that waits, and how it learns of it.
        self._wanted = memoryview(b"")
        self._reader: asyncio.Future[None] | None = None
        self._reading = False
        self._unsent: deque[memoryview] = deque()
        self._writer: asyncio.Future[None] | None = None
        self._lost: Exception | None = None
        self._silent_s = silent_s
        #: Bytes received and sent, and how many it were when the watch last looked.
        self._moved_nbytes = 0
        self._moved_before_nbytes = 0
        self._watch: asyncio.TimerHandle | None = None
        #: How many wait who are not patient.
        self._waits = 0
        self._read_more()

    @property
    def closed(self) -> bool:
        """Whether it is of no use any more."""
        return self._lost is not None

    @property
    def untouched(self) -> bool:
        """Whether nothing lies there that nobody has asked for."""
        return self._start == self._end

    def close(self) -> None:
        """Close the connection; who waits for it gets an error."""
        self._lose(ConnectionResetError("the connection was closed"))

    async def send(
        self, kind: FrameKind, payload: bytes, buffers: Sequence[memoryview] = ()
    ) -> None:
        """Send a frame and buffers, which must not change meanwhile.

        Raises
        ------
        OSError
            The connection is lost.
        """
        header = encode_header(kind, 0, 0, len(payload))
        await self.write(memoryview(header + payload), *buffers)

    async def write(self, *buffers: memoryview) -> None:
        """Send raw bytes.

        Raises
        ------
        OSError
            The connection is lost.
        """
        if self._lost is not None:
            raise self._lost
        self._unsent.extend(buffer for buffer in buffers if buffer.nbytes)
        self._send_more()
        if self._unsent:
            self._loop.add_writer(self._socket.fileno(), self._on_writable)
            self._writer = self._loop.create_future()
            self._waits += 1
            self._start_watch()
            try:
                await self._writer
            finally:
                self._waits -= 1
                self._writer = None
        if self._lost is not None:
            raise self._lost

    async def receive(self, frame_nbytes_max: int, *, patient: bool = False) -> DataFrame | None:
        """Return the next frame; None if the peer has closed the connection instead.

        Parameters
        ----------
        frame_nbytes_max
            The longest payload that is taken.
        patient
            Whether the frame may be as long in coming as it likes.

        Raises
        ------
        RemoteProtocolError, LimitExceeded
            It is no frame of a data connection, or too long a one.
        OSError
            The connection is lost.
        """
        start = bytearray(HEADER_NBYTES)
        try:
            await self.read_into(memoryview(start)[:1], patient=patient)
        except ConnectionResetError:
            return None
        await self.read_into(memoryview(start)[1:])
        header = parse_header(start, 0, frame_nbytes_max)
        if header.kind not in (FrameKind.DATA, FrameKind.DATA_FAILURE):
            raise RemoteProtocolError(reason=f"a frame of kind {header.kind} on a data connection")
        payload = bytearray(header.payload_nbytes)
        await self.read_into(memoryview(payload))
        return DataFrame(header.kind, bytes(payload))

    async def read_into(self, view: memoryview, *, patient: bool = False) -> None:
        """Fill a buffer with the next bytes, which may be long in coming if we are patient.

        Raises
        ------
        OSError
            The connection is lost.
        """
        view = self._take(view)
        if not view.nbytes:
            return
        if self._lost is not None:
            raise self._lost
        self._wanted = view
        self._reader = self._loop.create_future()
        if not self._reading:
            self._read_more()
        if not patient:
            self._waits += 1
            self._start_watch()
        try:
            await self._reader
        finally:
            self._waits -= not patient
            self._reader = None
            self._wanted = memoryview(b"")

    def _take(self, view: memoryview) -> memoryview:
        """Fill a buffer with what lies in the scratch buffer; return what remains to be filled."""
        nbytes = min(view.nbytes, self._end - self._start)
        if nbytes:
            view[:nbytes] = self._scratch[self._start : self._start + nbytes]
            self._start += nbytes
            if self._start == self._end:
                self._start = self._end = 0
        return view[nbytes:]

    def _read_more(self) -> None:
        self._reading = True
        self._loop.add_reader(self._socket.fileno(), self._on_readable)
        self._look_for_pending()

    def _look_for_pending(self) -> None:
        """Read on what was decrypted already, which the system knows nothing of."""
        connection = self._socket
        if isinstance(connection, TlsSocket) and connection.pending():
            self._loop.call_soon(self._on_readable)

    def _on_readable(self) -> None:
        if self._lost is not None or not self._reading:
            return
        received = 0
        try:
            while received < _TURN_NBYTES_MAX:
                if self._wanted.nbytes >= _SCRATCH_NBYTES:
                    nbytes = self._socket.recv_into(self._wanted)
                    self._wanted = self._wanted[nbytes:]
                elif self._end < _SCRATCH_NBYTES:
                    nbytes = self._socket.recv_into(self._scratch[self._end :])
                    self._end += nbytes
                    self._wanted = self._take(self._wanted)
                else:
                    # Nobody wants what lies here: let the peer wait as well.
                    self._reading = False
                    self._loop.remove_reader(self._socket.fileno())
                    return
                if not nbytes:
                    raise ConnectionResetError("the peer closed the connection")
                received += nbytes
                self._moved_nbytes += nbytes
                if not self._wanted.nbytes:
                    break
        except (BlockingIOError, InterruptedError):
            pass
        except OSError as error:
            self._lose(error)
            return
        if self._reader is not None and not self._wanted.nbytes and not self._reader.done():
            self._reader.set_result(None)
        self._look_for_pending()

    def _send_more(self) -> None:
        unsent = self._unsent
        try:
            while unsent:
                if len(unsent) == 1:
                    nbytes = self._socket.send(unsent[0])
                else:
                    gathered = [unsent[i] for i in range(min(len(unsent), _GATHER_MAX))]
                    nbytes = self._socket.sendmsg(gathered)
                self._moved_nbytes += nbytes
                while unsent and nbytes >= unsent[0].nbytes:
                    nbytes -= unsent.popleft().nbytes
                if nbytes:
                    unsent[0] = unsent[0][nbytes:]
        except (BlockingIOError, InterruptedError):
            pass
        except OSError as error:
            self._lose(error)

    def _on_writable(self) -> None:
        self._send_more()
        if not self._unsent and self._lost is None:
            self._loop.remove_writer(self._socket.fileno())
            if self._writer is not None and not self._writer.done():
                self._writer.set_result(None)

    def _start_watch(self) -> None:
        """See that bytes move while somebody waits; one timer for many waits."""
        if self._watch is None:
            self._moved_before_nbytes = self._moved_nbytes
            self._watch = self._loop.call_later(self._silent_s, self._look)

    def _look(self) -> None:
        self._watch = None
        if not self._waits:
            return
        if self._moved_nbytes == self._moved_before_nbytes:
            self._lose(TimeoutError(f"no byte was moved for {self._silent_s:g} s"))
        else:
            self._start_watch()

    def _lose(self, error: Exception) -> None:
        if self._lost is not None:
            return
        self._lost = error
        if self._watch is not None:
            self._watch.cancel()
        self._loop.remove_reader(self._socket.fileno())
        self._loop.remove_writer(self._socket.fileno())
        self._socket.close()
        self._unsent.clear()
        if self._reader is not None and not self._reader.done():
            self._reader.set_exception(error)
        if self._writer is not None and not self._writer.done():
            # `write` raises it.
            self._writer.set_result(None)

    async def connect_handshake(self, secret: str) -> None:
        """Prove to the peer that we know the secret, and have it prove the same.

        Raises
        ------
        HandshakeRefused
            One side does not want the other.
        OSError
            The connection is lost.
        """
        machine = HandshakeConnector(
            self.address, current_secret(secret), secrets.token_bytes(NONCE_NBYTES), Plane.DATA
        )
        await self.write(memoryview(machine.begin()))
        await self._shake_hands(machine)

    async def accept_handshake(self, secret: str) -> None:
        """Have the peer prove that it knows the secret, and prove the same.

        Raises
        ------
        HandshakeRefused
            One side does not want the other; the peer has been told.
        OSError
            The connection is lost.
        """
        nonce = secrets.token_bytes(NONCE_NBYTES)
        machine = HandshakeAcceptor(
            self.address, current_secret(secret), nonce, Plane.DATA, former_secrets(secret)
        )
        try:
            await self._shake_hands(machine)
        except HandshakeRefused:
            await self.write(memoryview(machine.farewell))
            raise

    async def _shake_hands(self, machine: HandshakeAcceptor | HandshakeConnector) -> None:
        while not machine.done:
            # What lies there is given to the machine whole, so that it can see at once what is
            # not hocket; the pieces are strictly in turns, so nothing belongs to what follows.
            piece = bytearray(1)
            await self.read_into(memoryview(piece))
            piece += self._scratch[self._start : self._end]
            self._start = self._end = 0
            answer = machine.feed(piece)
            if answer:
                await self.write(memoryview(answer))
        if machine.leftover():
            self._unread(machine.leftover())

    def _unread(self, data: bytes) -> None:
        """Put back what belongs to what follows the handshake."""
        self._scratch[: len(data)] = data
        self._start, self._end = 0, len(data)
