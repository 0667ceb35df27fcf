"""What is said on a data connection: requests, replies, and the buffers that go with them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from itertools import chain
from typing import NamedTuple, TypeAlias

from hocket.core.errors import LocalProtocolError
from hocket.protocol.messages import DataReply, DataStored, FetchData, PeerBusy, PutData
from hocket.transport.data_block import allocate
from hocket.transport.data_stream import Buffer, DataStream, as_bytes_view

__all__ = [
    "DataAnswer",
    "DataHandler",
    "Reply",
    "Request",
    "announced",
    "answers",
    "receive_buffers",
    "views_of",
]

Request: TypeAlias = FetchData | PutData
Reply: TypeAlias = DataReply | DataStored | PeerBusy


class DataAnswer(NamedTuple):
    """What a handler of `serve_data` may return, if it wants to know what becomes of the reply.

    Attributes
    ----------
    reply, buffers
        As in the plain pair.
    over
        Called once: with True when all is handed to the system, with False if it cannot be sent.
    """

    reply: Reply
    buffers: Sequence[Buffer]
    over: Callable[[bool], None] | None = None


DataHandler: TypeAlias = Callable[
    [Request, list[memoryview]],
    Awaitable[tuple[Reply, Sequence[Buffer]] | DataAnswer],
]


def announced(message: Request | Reply) -> list[int]:
    """Return the sizes of the buffers that follow a message."""
    if isinstance(message, PutData | DataReply):
        return list(chain.from_iterable(sizes for sizes in message.sizes if sizes is not None))
    return []


def views_of(message: Request | Reply, buffers: Sequence[Buffer]) -> list[memoryview]:
    """Return the buffers of a message as they are to be sent."""
    views = [as_bytes_view(buffer) for buffer in buffers]
    sizes = [view.nbytes for view in views]
    if sizes != announced(message):
        raise LocalProtocolError(
            reason=f"a {type(message).__name__} announces buffers of {announced(message)} bytes"
            f" and comes with {sizes}"
        )
    return views


async def receive_buffers(stream: DataStream, sizes: list[int]) -> list[memoryview]:
    """Receive the buffers that follow a message."""
    buffers = allocate(sizes)
    for buffer in buffers:
        await stream.read_into(buffer)
    return buffers


def answers(reply: object, message: Request) -> bool:
    """Whether a reply is one to this request."""
    if isinstance(message, PutData):
        return isinstance(reply, DataStored) and len(reply.nbytes) == len(message.keys)
    if isinstance(reply, PeerBusy):
        return len(reply.addresses) == len(message.keys)
    return isinstance(reply, DataReply) and len(reply.sizes) == len(message.keys)
