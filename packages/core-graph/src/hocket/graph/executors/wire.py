"""How the process executor and its children talk: a pickled head, then blobs.

Both ends are the same user's processes on the two ends of a socket pair that has no name, so the
heads are pickles.
"""

from __future__ import annotations

import pickle
from collections.abc import Sequence
from multiprocessing.connection import Connection
from typing import Any

__all__ = ["receive", "send"]

#: Smaller blobs travel inside the head: one system call, and copying them costs nothing.
_INLINE_NBYTES_MAX = 64 * 1024


def send(connection: Connection, head: Any, blobs: Sequence[bytes | None]) -> None:
    """Send a small object and some blobs."""
    large = [blob for blob in blobs if blob is not None and len(blob) > _INLINE_NBYTES_MAX]
    inline = [
        len(blob) if blob is not None and len(blob) > _INLINE_NBYTES_MAX else blob for blob in blobs
    ]
    connection.send_bytes(pickle.dumps((head, inline), protocol=5))
    for blob in large:
        connection.send_bytes(blob)


def receive(connection: Connection) -> tuple[Any, list[bytes | None]]:
    """Receive what `send` sent.

    Raises
    ------
    EOFError
        The other side closed the connection.
    """
    head, inline = pickle.loads(connection.recv_bytes())
    return head, [connection.recv_bytes() if isinstance(blob, int) else blob for blob in inline]
