"""What is said on data connections: requests and replies, followed by raw buffers.

On the wire a data message is one frame whose payload is the encoded header message; the buffers
that it announces follow as raw bytes, in order, unframed (see :mod:`hocket.transport.data`).
"""

from __future__ import annotations

from msgspec import Struct

__all__ = ["DataReply", "DataStored", "FetchData", "PeerBusy", "PutData"]


class FetchData(Struct, array_like=True, tag=81, gc=False):
    """Send the values of these keys. Answered by ``DataReply``, or by ``PeerBusy``."""

    keys: list[str]
    #: The data address of the worker that asks, so that others may be told to ask it; "" for none.
    source: str = ""


class DataReply(Struct, array_like=True, tag=82, gc=False):
    """Values.

    Each is a list of buffers, the first of which is its pickle, the others its out-of-band buffers;
    all follow this header in order.
    """

    #: Per key asked for: the sizes of its buffers, or None if it is not here.
    sizes: list[list[int] | None]
    #: Per key: the attempt that made it (0 for data that a client put there, -1 if not here).
    attempts: list[int]
    #: Per key: why it cannot be sent although it is here ("" if it can).
    errors: list[str]


class PutData(Struct, array_like=True, tag=83, gc=False):
    """Keep these values (a client's scatter). Answered by ``DataStored``. Buffers follow."""

    keys: list[str]
    sizes: list[list[int]]


class DataStored(Struct, array_like=True, tag=84, gc=False):
    """Answer to ``PutData``: the sizes that the worker estimates for the values, in bytes."""

    nbytes: list[int]


class PeerBusy(Struct, array_like=True, tag=85, gc=False):
    """Answer to ``FetchData`` where too many ask at once: ask others, or again after a while."""

    #: Per key asked for: data addresses of workers that have got it from here.
    addresses: list[list[str]]
