"""Invitations: all that a process needs to join a cluster, as a file's content or as one word.

Whoever has one is let in, so it is as secret as the secret in it: files that hold one are for
their owner only, and nobody puts one on a command line.
"""

from __future__ import annotations

import base64
import binascii
from typing import Annotated, Final

import msgspec
from msgspec import Meta, Struct

from hocket.core.errors import SettingsError

__all__ = [
    "INVITATION_NBYTES_MAX",
    "TOKEN_PREFIX",
    "Invitation",
    "decode_invitation",
    "encode_invitation",
    "from_token",
    "is_token",
    "to_token",
]

#: No invitation is longer, in whatever form.
INVITATION_NBYTES_MAX: Final = 64 * 1024
#: What every token begins with; the number is the form's.
TOKEN_PREFIX: Final = "hocket1-"  # noqa: S105 (it is before the secret)

_Text = Annotated[str, Meta(max_length=1000)]


class Invitation(Struct, frozen=True, kw_only=True):
    """How to join a cluster.

    Attributes
    ----------
    cluster
        The cluster's id, which it keeps while it lives; empty where nobody has said it.
    addresses
        Where the scheduler listens; any of them will do.
    secret
        What is to be known by who wants to come in; empty where none is needed.
    host, pid
        Where the scheduler is a process of its own, that its user may send signals; else empty, 0.
    """

    cluster: _Text
    addresses: Annotated[list[_Text], Meta(min_length=1, max_length=64)]
    secret: Annotated[str, Meta(max_length=10_000)] = ""
    host: _Text = ""
    pid: Annotated[int, Meta(ge=0)] = 0

    def __repr__(self) -> str:
        secret = "***" if self.secret else ""
        return f"Invitation(cluster={self.cluster!r}, addresses={self.addresses}, secret={secret})"

    @property
    def address(self) -> str:
        """All addresses as one text."""
        return ",".join(self.addresses)


_json_decoder: Final = msgspec.json.Decoder(Invitation)
_token_decoder: Final = msgspec.msgpack.Decoder(Invitation)


def encode_invitation(invitation: Invitation) -> bytes:
    """Return the content of a file that people may read and programs of others parse (JSON)."""
    return msgspec.json.format(msgspec.json.encode(invitation), indent=2) + b"\n"


def decode_invitation(content: bytes, source: str) -> Invitation:
    """Return what a file's content says.

    Raises
    ------
    SettingsError
        It is no invitation; nothing of it is shown.
    """
    problem = "it holds no invitation to a cluster; hocket scheduler --scheduler-file writes one"
    if len(content) <= INVITATION_NBYTES_MAX:
        try:
            return _json_decoder.decode(content)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            problem = f"{problem} ({error})"
    # Out here it has no context: what is in the content may be secret.
    raise SettingsError(name="scheduler file", value=source, allowed=problem, source="code")


def is_token(text: str) -> bool:
    """Whether a text is meant to be a token, not an address."""
    return text.strip().startswith(TOKEN_PREFIX)


def to_token(invitation: Invitation) -> str:
    """Return an invitation as one word, to be pasted where there is no common file system."""
    packed = msgspec.msgpack.encode(invitation)
    return TOKEN_PREFIX + base64.urlsafe_b64encode(packed).decode().rstrip("=")


def from_token(token: str) -> Invitation:
    """Return the invitation that a token is.

    Raises
    ------
    SettingsError
        It is none, or a part of it is missing; nothing of it is shown.
    """
    word = token.strip()
    if word.startswith(TOKEN_PREFIX) and len(word) <= 2 * INVITATION_NBYTES_MAX:
        body = word.removeprefix(TOKEN_PREFIX)
        try:
            packed = base64.b64decode(body + "=" * (-len(body) % 4), altchars=b"-_", validate=True)
            return _token_decoder.decode(packed)
        except (binascii.Error, msgspec.DecodeError, ValueError, RecursionError):
            pass
    raise SettingsError(
        name="token",
        value=f"{TOKEN_PREFIX}...",
        allowed="it is no token, or a part of it is missing; hocket token prints one",
        source="code",
    )
