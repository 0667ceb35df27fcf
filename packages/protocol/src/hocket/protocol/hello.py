"""Hello and Welcome: who the peers are, and whether this is a new session or an old one.

They are said once the handshake is done, each as one frame, the first of a control connection.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Annotated, Final, TypeVar

import msgspec
from msgspec import Meta, Struct

from hocket.core.cluster_identity import CLUSTER_ID
from hocket.core.errors import RemoteProtocolError, SettingsError
from hocket.protocol.framing import Frame, FrameKind, encode_header
from hocket.protocol.roles import Role
from hocket.protocol.session import SESSION_ID_NBYTES
from hocket.protocol.versions import Versions

__all__ = [
    "HELLO_NBYTES_MAX",
    "NAME_LENGTH_MAX",
    "Hello",
    "Refusal",
    "Welcome",
    "decode_hello",
    "decode_welcome",
    "encode_hello",
    "encode_welcome",
    "refuse_unfit_name",
]

#: No hello or welcome is longer: a name, three versions and a reason.
HELLO_NBYTES_MAX: Final = 8192
NAME_LENGTH_MAX: Final = 256
_REASON_LENGTH_MAX: Final = 2000

_Name = Annotated[str, Meta(max_length=NAME_LENGTH_MAX)]
#: Empty where who listens does not speak for a cluster.
_ClusterId = Annotated[str, Meta(pattern=rf"\A(?:{CLUSTER_ID.pattern})?\Z")]
_Sequence = Annotated[int, Meta(ge=0, le=(1 << 63) - 1)]


class Refusal(IntEnum):
    """Why a peer that has proved itself is not let in."""

    NONE = 0
    #: The session is not known (any more): the peer was restarted, or the grace time is over.
    UNKNOWN_SESSION = 1
    #: Another peer's session, a role that has nothing to say here, or numbers that cannot be.
    UNFIT = 2


class Hello(Struct, frozen=True, array_like=True):
    """Who connects.

    ``resumes``: the session has been welcomed before, so a listener that does not know it must
    refuse. ``seen`` is the number of the last payload that was received in the session.
    """

    role: Role
    name: _Name
    session_id: Annotated[bytes, Meta(min_length=SESSION_ID_NBYTES, max_length=SESSION_ID_NBYTES)]
    versions: Versions
    resumes: bool = False
    seen: _Sequence = 0


class Welcome(Struct, frozen=True, array_like=True):
    """Who answers, and whether the connector is let in; if not, why, as a code and in words.

    ``cluster_id`` says of which cluster a scheduler is.
    """

    role: Role
    name: _Name
    versions: Versions
    refusal: Refusal = Refusal.NONE
    reason: Annotated[str, Meta(max_length=_REASON_LENGTH_MAX)] = ""
    seen: _Sequence = 0
    cluster_id: _ClusterId = ""


_T = TypeVar("_T")


def refuse_unfit_name(name: str) -> None:
    """Refuse to go by a name that no peer would take.

    Raises
    ------
    SettingsError
        The name is too long.
    """
    if len(name) > NAME_LENGTH_MAX:
        raise SettingsError(
            name="name",
            value=name[:40] + "...",
            allowed=f"a process's name has at most {NAME_LENGTH_MAX} characters",
            source="code",
        )


_encoder: Final = msgspec.msgpack.Encoder()
_hello_decoder: Final = msgspec.msgpack.Decoder(Hello)
_welcome_decoder: Final = msgspec.msgpack.Decoder(Welcome)


def encode_hello(hello: Hello) -> bytes:
    """Return the frame."""
    payload = _encoder.encode(hello)
    return encode_header(FrameKind.HELLO, 0, 0, len(payload)) + payload


def encode_welcome(welcome: Welcome) -> bytes:
    """Return the frame."""
    payload = _encoder.encode(welcome)
    return encode_header(FrameKind.WELCOME, 0, 0, len(payload)) + payload


def decode_hello(frame: Frame) -> Hello:
    """Return what a frame says.

    Raises
    ------
    RemoteProtocolError
        It is no hello, or one that does not fit.
    """
    return _decode(frame, FrameKind.HELLO, _hello_decoder)


def decode_welcome(frame: Frame) -> Welcome:
    """Return what a frame says.

    Raises
    ------
    RemoteProtocolError
        It is no welcome, or one that does not fit.
    """
    return _decode(frame, FrameKind.WELCOME, _welcome_decoder)


def _decode(frame: Frame, kind: FrameKind, decoder: msgspec.msgpack.Decoder[_T]) -> _T:
    if frame.kind != kind:
        raise RemoteProtocolError(reason=f"a frame of kind {frame.kind} where {kind} was expected")
    try:
        return decoder.decode(frame.payload)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise RemoteProtocolError(reason=f"a {kind.name.lower()} does not fit: {error}") from None
