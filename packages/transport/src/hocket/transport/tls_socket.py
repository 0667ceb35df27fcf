"""A non-blocking socket under TLS, for data connections: it behaves like a plain one."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Callable, Sequence
from typing import Final

from hocket.core.errors import HandshakeRefused
from hocket.transport.tls import check_peer, connector_context, server_context, why_tls_failed

__all__ = ["TlsSocket", "accept_tls", "connect_tls"]

#: The most that one record of TLS carries; small buffers are joined up to that.
_RECORD_NBYTES: Final = 16 * 1024
_NOT_NOW: Final = (ssl.SSLWantReadError, ssl.SSLWantWriteError)


class TlsSocket:
    """What `socket.socket` is to a data stream, over TLS.

    Parameters
    ----------
    secure
        A wrapped, non-blocking socket.
    """

    __slots__ = ("_secure",)

    def __init__(self, secure: ssl.SSLSocket) -> None:
        self._secure = secure

    def fileno(self) -> int:
        """Return the descriptor."""
        return self._secure.fileno()

    def close(self) -> None:
        """Close the connection."""
        self._secure.close()

    def pending(self) -> int:
        """Return how many bytes lie decrypted, of which the system knows nothing any more."""
        return self._secure.pending()

    def recv_into(self, view: memoryview) -> int:
        """Receive what there is; 0: the peer has closed.

        Raises
        ------
        BlockingIOError
            There is nothing yet.
        OSError
            The connection is lost.
        """
        try:
            return self._secure.recv_into(view)
        except _NOT_NOW:
            raise BlockingIOError from None
        except ssl.SSLEOFError:
            return 0

    def send(self, view: memoryview) -> int:
        """Send what can be sent now.

        Raises
        ------
        BlockingIOError
            Nothing can.
        OSError
            The connection is lost.
        """
        try:
            return self._secure.send(view)
        except _NOT_NOW:
            raise BlockingIOError from None

    def sendmsg(self, views: Sequence[memoryview]) -> int:
        """Send what can be sent now of several buffers."""
        if views[0].nbytes >= _RECORD_NBYTES:
            return self.send(views[0])
        joined = bytearray()
        for view in views:
            joined += view[: _RECORD_NBYTES - len(joined)]
            if len(joined) == _RECORD_NBYTES:
                break
        return self.send(memoryview(joined))


async def accept_tls(connection: socket.socket, secret: str, address: str) -> TlsSocket:
    """Return an accepted connection under TLS.

    Raises
    ------
    HandshakeRefused
        The peer does not speak TLS, or will not go on.
    OSError
        The connection is lost.
    """
    secure = server_context(secret).wrap_socket(
        connection, server_side=True, do_handshake_on_connect=False
    )
    await _shake_hands(secure, address)
    return TlsSocket(secure)


async def connect_tls(connection: socket.socket, secret: str, address: str) -> TlsSocket:
    """Return a connection under TLS to a server that has shown the cluster's key.

    Raises
    ------
    HandshakeRefused
        The server does not speak TLS, or shows another key.
    OSError
        The connection is lost.
    """
    secure = connector_context().wrap_socket(connection, do_handshake_on_connect=False)
    await _shake_hands(secure, address)
    try:
        check_peer(secure.getpeercert(binary_form=True), secret, address)
    except BaseException:
        secure.close()
        raise
    return TlsSocket(secure)


async def _shake_hands(secure: ssl.SSLSocket, address: str) -> None:
    loop = asyncio.get_running_loop()
    try:
        while True:
            try:
                secure.do_handshake()
            except ssl.SSLWantReadError:
                await _ready(secure, loop.add_reader, loop.remove_reader)
            except ssl.SSLWantWriteError:
                await _ready(secure, loop.add_writer, loop.remove_writer)
            else:
                return
    except ssl.SSLError as error:
        secure.close()
        raise HandshakeRefused(address=address, reason=why_tls_failed(error)) from None
    except BaseException:
        secure.close()
        raise


async def _ready(
    secure: ssl.SSLSocket,
    add: Callable[..., None],
    remove: Callable[[int], bool],
) -> None:
    """Wait until the socket can be read, or written."""
    future: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def wake() -> None:
        if not future.done():
            future.set_result(None)

    add(secure.fileno(), wake)
    try:
        await future
    finally:
        remove(secure.fileno())
