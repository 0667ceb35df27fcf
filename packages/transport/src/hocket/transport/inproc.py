"""Connections within a process: two transports that hand bytes to each other, and their addresses.

They look like asyncio's, so what runs over sockets runs over these: the same handshake, the same
frames. The two ends may belong to different event loops in different threads.
"""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import Callable
from typing import Final

from hocket.core.errors import SettingsError

__all__ = ["MemoryTransport", "bind_name", "connect_name", "release_name"]

_lock: Final = threading.Lock()
_acceptors: Final[dict[str, tuple[asyncio.AbstractEventLoop, Callable[[], asyncio.Protocol]]]] = {}


def bind_name(
    name: str, loop: asyncio.AbstractEventLoop, protocol_factory: Callable[[], asyncio.Protocol]
) -> None:
    """Have connections to a name accepted by protocols on this loop.

    Raises
    ------
    SettingsError
        The name is taken.
    """
    with _lock:
        if name in _acceptors:
            raise SettingsError(
                name="address",
                value=f"inproc://{name}",
                allowed="somebody in this process listens there already; choose another name",
                source="code",
            )
        _acceptors[name] = (loop, protocol_factory)


def release_name(name: str) -> None:
    """Accept no more connections to a name."""
    with _lock:
        _acceptors.pop(name, None)


def connect_name(name: str, protocol: asyncio.Protocol) -> None:
    """Connect a protocol of the running loop to a name.

    Raises
    ------
    ConnectionRefusedError
        Nobody in this process listens there.
    """
    with _lock:
        acceptor = _acceptors.get(name)
    if acceptor is None:
        raise ConnectionRefusedError(f"nobody in this process listens on inproc://{name}")
    acceptor_loop, protocol_factory = acceptor
    ours = MemoryTransport(asyncio.get_running_loop(), f"inproc://{name}")
    theirs = MemoryTransport(acceptor_loop, f"inproc://{name}")
    ours.peer, theirs.peer = theirs, ours

    def accept() -> None:
        theirs.open(protocol_factory())

    try:
        acceptor_loop.call_soon_threadsafe(accept)
    except RuntimeError:
        raise ConnectionRefusedError(f"the event loop of inproc://{name} is closed") from None
    ours.open(protocol)


class MemoryTransport(asyncio.Transport):
    """One end of a connection within the process."""

    def __init__(self, loop: asyncio.AbstractEventLoop, address: str) -> None:
        super().__init__({"hocket_address": address})
        self._loop = loop
        self._protocol: asyncio.Protocol | None = None
        self.peer: MemoryTransport
        #: Bytes from the peer that have not been handed over; None is its end of the stream.
        self._inbox: deque[bytes | None] = deque()
        self._scheduled = False
        self._reading = True
        self._closing = False
        self._eof_written = False
        self._lost = False

    def open(self, protocol: asyncio.Protocol) -> None:
        """Begin; what the peer has written before comes after ``connection_made``."""
        self._protocol = protocol
        protocol.connection_made(self)
        self._schedule()

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Hand bytes to the peer, soon."""
        if data and not (self._closing or self._eof_written):
            self.peer.receive(bytes(data))

    def write_eof(self) -> None:
        """Say that nothing more will be written."""
        if not self._eof_written:
            self._eof_written = True
            self.peer.receive(None)

    def can_write_eof(self) -> bool:
        """Return True."""
        return True

    def close(self) -> None:
        """End the connection; what was written still arrives."""
        if not self._closing:
            self._closing = True
            self.write_eof()
            self._loop.call_soon(self._lose)

    def abort(self) -> None:
        """End the connection."""
        self.close()

    def is_closing(self) -> bool:
        """Return whether the connection is closed or about to be."""
        return self._closing

    def pause_reading(self) -> None:
        """Hand nothing over until `resume_reading`."""
        self._reading = False

    def resume_reading(self) -> None:
        """Hand over what has come meanwhile, soon."""
        self._reading = True
        self._schedule()

    def is_reading(self) -> bool:
        """Return whether what comes is handed over."""
        return self._reading

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        """Hand what comes to another protocol from now on."""
        assert isinstance(protocol, asyncio.Protocol)
        self._protocol = protocol

    def get_protocol(self) -> asyncio.BaseProtocol:
        """Return the protocol."""
        assert self._protocol is not None
        return self._protocol

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        """Do nothing: the peer's inbox takes everything."""

    def get_write_buffer_size(self) -> int:
        """Return 0: what is written lies with the peer."""
        return 0

    def receive(self, data: bytes | None) -> None:
        """Take bytes from the peer, in its thread."""
        self._inbox.append(data)
        if not self._scheduled:
            self._schedule()

    def _schedule(self) -> None:
        self._scheduled = True
        try:
            if _is_running(self._loop):
                self._loop.call_soon(self._deliver)
            else:
                self._loop.call_soon_threadsafe(self._deliver)
        except RuntimeError:
            # Our loop is closed, so nobody will ever read; for the peer that is a lost connection.
            self.peer.vanish()

    def _deliver(self) -> None:
        # Before the inbox is looked at, so that what comes from now on is scheduled again.
        self._scheduled = False
        while self._inbox and self._reading and self._protocol is not None and not self._closing:
            data = self._inbox.popleft()
            if data is None:
                self._protocol.eof_received()
                self.close()
            else:
                self._protocol.data_received(data)

    def vanish(self) -> None:
        """Take note that there is no peer any more, in our own thread."""
        self._closing = True
        self._loop.call_soon(self._lose)

    def _lose(self) -> None:
        if not self._lost and self._protocol is not None:
            self._lost = True
            self._inbox.clear()
            self._protocol.connection_lost(None)


def _is_running(loop: asyncio.AbstractEventLoop) -> bool:
    """Whether a loop is the one that runs in this thread now."""
    try:
        return asyncio.get_running_loop() is loop
    except RuntimeError:
        return False
