"""Secrets and what follows from them: a key for each role, and the cluster's identity.

From the secret of a cluster comes the scheduler's key, from that the worker's, from that the
client's, from that an observer's, each by a one-way function (HMAC with SHA-256)::

    secret -> scheduler -> worker -> client -> observer
         `--> identity (the seed of the key pair that TLS servers show) -> pin (its public half)

So who has a key can make all weaker ones, to be told apart who comes, and none that is stronger.
What is handed out is text, like the secret itself: a worker's has the key and the seed of the
identity, since workers serve data; a client's and an observer's have the key and the pin. Such text
may stand wherever a secret may. The identity stays while keys change.
"""

from __future__ import annotations

import base64
import binascii
import functools
import hmac
from dataclasses import dataclass, field
from typing import Final

from hocket.core.errors import HandshakeRefused, SettingsError
from hocket.protocol.roles import Role

__all__ = ["PREFIX", "Credentials", "parse_secret"]

#: What the text of derived credentials begins with; any other text is a secret itself.
PREFIX: Final = "hocket-key"
#: From the strongest to the weakest.
_ORDER: Final = (Role.SCHEDULER, Role.WORKER, Role.CLIENT, Role.OBSERVER)
_KEY_NBYTES: Final = 32


@dataclass(frozen=True, slots=True)
class Credentials:
    """What a process can prove.

    Attributes
    ----------
    role
        The strongest whose key it has.
    seed
        Of the identity's private key; empty for clients and observers.
    pin
        The identity's public key, as far as it is known without computing it from the seed.
    """

    role: Role
    _key: bytes = field(repr=False)
    seed: bytes = field(default=b"", repr=False)
    pin: bytes = b""

    def has(self, role: Role) -> bool:
        """Whether a role's key is known or can be made."""
        return _ORDER.index(role) >= _ORDER.index(self.role)

    def key(self, role: Role) -> bytes:
        """Return a role's key, which must be had."""
        key = self._key
        for weaker in _ORDER[_ORDER.index(self.role) + 1 : _ORDER.index(role) + 1]:
            key = _derive(key, weaker.name.lower())
        return key

    def require(self, role: Role, address: str) -> bytes:
        """Return a role's key.

        Parameters
        ----------
        role
            Whose.
        address
            Of whom it is wanted for, for the error.

        Raises
        ------
        HandshakeRefused
            It cannot be made of what is known.
        """
        if self.has(role):
            return self.key(role)
        held, wanted = self.role.name.lower(), role.name.lower()
        reason = f"our secret is that of a role {held}, which does not let a {wanted} in"
        raise HandshakeRefused(address=address, reason=reason)

    def renew(self, fresh: bytes) -> Credentials:
        """Return the scheduler's credentials that are to take the place of these.

        Parameters
        ----------
        fresh
            32 random bytes, never used before.
        """
        return Credentials(Role.SCHEDULER, fresh, seed=self.seed)

    def to_text(self, role: Role, pin: bytes = b"") -> str:
        """Return what is to be handed to a role, of which the key must be had.

        Parameters
        ----------
        role
            Whom it is for.
        pin
            The identity's public key, for those who are not told its seed.
        """
        serves = role in (Role.SCHEDULER, Role.WORKER)
        identity = self.seed if serves else pin or self.pin
        return f"{PREFIX}:{role.name.lower()}:{_encode(self.key(role))}:{_encode(identity)}"


@functools.lru_cache(maxsize=64)
def parse_secret(secret: str) -> Credentials:
    """Return the credentials that a secret, or text made of one, amounts to.

    Raises
    ------
    SettingsError
        It begins like such text, and is none; nothing of it is shown.
    """
    if not secret.startswith(f"{PREFIX}:"):
        key = _derive(secret.encode(), "scheduler")
        return Credentials(Role.SCHEDULER, key, _derive(key, "identity"))
    roles = {role.name.lower(): role for role in _ORDER}
    parts = secret.split(":")
    if len(parts) == 4 and parts[1] in roles:
        key, identity = _decode(parts[2]), _decode(parts[3])
        role = roles[parts[1]]
        if len(key) == len(identity) == _KEY_NBYTES:
            if role in (Role.SCHEDULER, Role.WORKER):
                return Credentials(role, key, seed=identity)
            return Credentials(role, key, pin=identity)
    raise SettingsError(
        name="security.secret",
        value=f"{PREFIX}:...",
        allowed="it begins like a key that a scheduler has made, and a part of it is missing",
        source="code",
    )


def _derive(key: bytes, purpose: str) -> bytes:
    return hmac.digest(key, f"hocket key 1: {purpose}".encode(), "sha256")


def _encode(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def _decode(text: str) -> bytes:
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        return b""
