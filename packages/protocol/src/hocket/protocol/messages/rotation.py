"""What a scheduler says to all that are connected when its secret is replaced."""

from __future__ import annotations

from msgspec import Struct

__all__ = ["SecretChanged"]


class SecretChanged(Struct, array_like=True, tag=191, gc=False):
    """From now on prove yourself with this; what you have is good for a while yet.

    It is alone in its frame, since it is for the channel and not for the machine behind it.
    """

    #: As `hocket.protocol.credentials` writes it, for the peer's role.
    secret: str
