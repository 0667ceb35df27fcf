"""The codec: batches of messages to bytes, and back with every type and length checked.

The payload of a frame is a MessagePack array of messages; each message is an array that begins with
its class's tag. Which classes may come depends on who speaks to whom, so a worker cannot submit
tasks and a client cannot report them done.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Sequence
from typing import Any, Final, cast, get_args

import msgspec
from msgspec import Struct

from hocket.core.errors import LocalProtocolError, RemoteProtocolError
from hocket.protocol.checks import check
from hocket.protocol.messages import (
    CallerToWorker,
    ClientToScheduler,
    DataReply,
    DataStored,
    FetchData,
    ObserverToScheduler,
    PeerBusy,
    PutData,
    SchedulerToClient,
    SchedulerToObserver,
    SchedulerToWorker,
    WorkerToCaller,
    WorkerToScheduler,
)
from hocket.protocol.roles import Role

__all__ = [
    "MessageDecoder",
    "can_speak",
    "data_reply_decoder",
    "data_request_decoder",
    "decoder_for",
    "encode",
]

#: What each role may say to each other one.
_SPOKEN: Final[dict[tuple[Role, Role], Any]] = {
    (Role.CLIENT, Role.SCHEDULER): ClientToScheduler,
    (Role.SCHEDULER, Role.CLIENT): SchedulerToClient,
    (Role.WORKER, Role.SCHEDULER): WorkerToScheduler,
    (Role.SCHEDULER, Role.WORKER): SchedulerToWorker,
    (Role.CLIENT, Role.WORKER): CallerToWorker,
    (Role.WORKER, Role.CLIENT): WorkerToCaller,
    (Role.OBSERVER, Role.SCHEDULER): ObserverToScheduler,
    (Role.SCHEDULER, Role.OBSERVER): SchedulerToObserver,
}

#: Where msgspec says that a value lies: message, position in it, positions deeper down.
_PLACE: Final = re.compile(r"`\$(?:\[(\d+)\])?(?:\[(\d+)\])?[^`]*`$")

_encoder: Final = msgspec.msgpack.Encoder()


def encode(messages: Sequence[Struct]) -> bytes:
    """Return the payload that carries a batch of messages.

    Types are not looked at here: a message that was made wrong is refused by the receiver.

    Raises
    ------
    LocalProtocolError
        A message holds something that has no place on the wire.
    """
    try:
        return _encoder.encode(messages)
    except (TypeError, ValueError, OverflowError, msgspec.MsgspecError) as error:
        names = ", ".join(sorted({type(message).__name__ for message in messages}))
        raise LocalProtocolError(reason=f"cannot encode a batch of {names}: {error}") from error


class MessageDecoder:
    """Decodes what one role says to another; made by `decoder_for`."""

    __slots__ = ("_classes", "_decoder")

    def __init__(self, union: Any) -> None:
        self._classes: dict[int, type[Struct]] = {
            member.__struct_config__.tag: member for member in get_args(union) or (union,)
        }
        # The union is only known here, so the list's type can only be made here.
        self._decoder = msgspec.msgpack.Decoder(cast("type[list[Struct]]", list[union]))

    def decode(self, payload: bytes | bytearray | memoryview) -> list[Struct]:
        """Return the messages of a payload, each typed, bounded and fit in itself.

        Raises
        ------
        RemoteProtocolError
            Something does not fit; the error names the message and the field.
        """
        try:
            messages = self._decoder.decode(payload)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise RemoteProtocolError(reason=self._describe(payload, error)) from None
        for message in messages:
            check(message)
        return messages

    def _describe(self, payload: bytes | bytearray | memoryview, error: Exception) -> str:
        """Return what is wrong where; msgspec knows positions, people know names."""
        place = _PLACE.search(str(error))
        if place is None or place[1] is None:
            return f"a batch of messages cannot be decoded: {error}"
        index, position = int(place[1]), int(place[2] or 0)
        try:
            raw = msgspec.msgpack.decode(payload, type=list[msgspec.Raw])[index]
            tag = msgspec.msgpack.decode(raw, type=list[Any])[0]
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, IndexError):
            tag = None
        message = self._classes.get(tag) if isinstance(tag, int) else None
        if message is None:
            return f"message {index} of a batch is none that may come here: {error}"
        fields = message.__struct_fields__
        field = f".{fields[position - 1]}" if 0 < position <= len(fields) else ""
        return f"{message.__name__}{field} does not fit: {error}"


def can_speak(sender: Role, receiver: Role) -> bool:
    """Whether there are messages from one role to the other."""
    return (sender, receiver) in _SPOKEN


@functools.cache
def decoder_for(sender: Role, receiver: Role) -> MessageDecoder:
    """Return the decoder of what one role says to the other.

    Raises
    ------
    LocalProtocolError
        It has nothing to say; ask `can_speak` first where the peer chooses its role.
    """
    if not can_speak(sender, receiver):
        raise LocalProtocolError(
            reason=f"a {sender.name.lower()} has nothing to say to a {receiver.name.lower()}"
        )
    return MessageDecoder(_SPOKEN[sender, receiver])


#: Of data connections, on which a batch is one message.
data_request_decoder: Final = MessageDecoder(FetchData | PutData)
data_reply_decoder: Final = MessageDecoder(DataReply | DataStored | PeerBusy)
