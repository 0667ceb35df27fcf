"""The handshake: both sides prove that they know a key, before anything is parsed.

Pieces of fixed size, so that nothing has to be understood before it is trusted::

    connector -> acceptor   greeting   48 bytes: b"HOCKET", protocol version, plane, role, zeros,
                                       nonce
    acceptor -> connector   greeting   the same, with its own nonce
    connector -> acceptor   proof      32 bytes: HMAC(key, label 1 + both greetings)
    acceptor -> connector   verdict    33 bytes: a code, HMAC(key, label 2 + both greetings)

The key is that of the connector's role (see `hocket.protocol.credentials`): so an observer's does
not let a client in, nor a client's a worker. Data is asked for with the client's key, which workers
can make. An acceptor may know several secrets, the present one and those that were before it.

HMAC with SHA-256 (RFC 2104, FIPS 180-4). The connector proves itself first, since it is the side
that a stranger can play. The labels differ, so a proof cannot be sent back to its maker; the
nonces are fresh, so it cannot be used again; the greetings are under the proof, so nobody can
change a version on the way. Comparisons take the same time whatever differs.

Keys are not sent, but who listens in can try out guesses: it must be long and random. The
handshake keeps strangers out; it does not encrypt or sign what follows.
"""

from __future__ import annotations

import hashlib
import hmac
import struct
from collections.abc import Sequence
from enum import IntEnum
from typing import Final

from hocket.core.errors import HandshakeRefused, LocalProtocolError
from hocket.protocol.credentials import parse_secret
from hocket.protocol.roles import Role
from hocket.protocol.versions import PROTOCOL_VERSION

__all__ = ["NONCE_NBYTES", "HandshakeAcceptor", "HandshakeConnector", "Plane"]

NONCE_NBYTES: Final = 32

_GREETING: Final = struct.Struct(f"!6sHBB6s{NONCE_NBYTES}s")
_MAGIC: Final = b"HOCKET"
_ZEROS: Final = bytes(6)
_PROOF_NBYTES: Final = hashlib.sha256().digest_size
_VERDICT: Final = struct.Struct(f"!B{_PROOF_NBYTES}s")

_CONNECTOR_LABEL: Final = b"hocket handshake 1: the connector knows the secret\0"
_ACCEPTOR_LABEL: Final = b"hocket handshake 1: the acceptor knows the secret\0"

_ACCEPTED: Final = 0
_SECRETS_DIFFER: Final = 1

_SECRETS_DIFFER_REASON: Final = (
    "the secrets differ; both sides need the same security.secret, or the scheduler's own file"
)
#: Whom a greeting may say to be.
_CONNECTORS: Final = frozenset(Role)


class Plane(IntEnum):
    """What a connection is for."""

    CONTROL = 1
    DATA = 2


class _Side:
    """What both sides share: pieces of known size are gathered and handed to the next step.

    ``farewell`` is to be written before closing when `feed` has raised: it tells the peer why.
    """

    def __init__(self, address: str, nonce: bytes, plane: Plane, role: int) -> None:
        if len(nonce) != NONCE_NBYTES:
            raise LocalProtocolError(reason=f"a nonce of {len(nonce)} bytes")
        self._address = address
        self._plane = plane
        self._greeting = _GREETING.pack(_MAGIC, PROTOCOL_VERSION, plane, role, _ZEROS, nonce)
        self._transcript = b""
        self._received = bytearray()
        self._expected_nbytes = _GREETING.size
        self.done = False
        self.farewell = b""

    def feed(self, data: bytes | bytearray | memoryview) -> bytes:
        """Take the next bytes of the peer; return what is to be written.

        Raises
        ------
        HandshakeRefused
            One side does not want the other; `farewell` is to be written, then all is over.
        """
        if self.done:
            raise LocalProtocolError(reason="the handshake is over")
        self._received += data
        answer = b""
        if not self._transcript and not _MAGIC.startswith(self._received[: len(_MAGIC)]):
            # Do not wait for 48 bytes of somebody who speaks another protocol.
            raise self._refused(f"it does not speak hocket, it began with {self._beginning()!r}")
        while not self.done and len(self._received) >= self._expected_nbytes:
            piece = bytes(self._received[: self._expected_nbytes])
            del self._received[: self._expected_nbytes]
            answer += self._step(piece)
        return answer

    def leftover(self) -> bytes:
        """Return what was received after the handshake's end."""
        return bytes(self._received)

    def _step(self, piece: bytes) -> bytes:
        raise NotImplementedError

    def _beginning(self) -> bytes:
        return bytes(self._received[:16])

    def _check_greeting(self, greeting: bytes) -> int:
        """Refuse a greeting that does not fit ours; return the role that it names."""
        _, version, plane, role, _, _ = _GREETING.unpack(greeting)
        if version != PROTOCOL_VERSION:
            raise self._refused(
                f"it speaks version {version} of the protocol and we speak {PROTOCOL_VERSION};"
                " run the same hocket on both sides"
            )
        if plane != self._plane:
            raise self._refused(
                f"it is for connections of plane {plane} and this is one of plane"
                f" {int(self._plane)} (1: control, 2: data); an address was taken for another"
            )
        assert isinstance(role, int)
        return role

    def _proof(self, key: bytes, label: bytes) -> bytes:
        return hmac.digest(key, label + self._transcript, "sha256")

    def _refused(self, reason: str) -> HandshakeRefused:
        return HandshakeRefused(address=self._address, reason=reason)


class HandshakeConnector(_Side):
    """The side that connects.

    Parameters
    ----------
    address
        Of the peer, for errors.
    secret
        The cluster's, or what was made of it for a role; may be empty.
    nonce
        32 random bytes, never used before.
    plane
        What the connection is for.
    role
        What we are; on the data plane all are clients.

    Raises
    ------
    HandshakeRefused
        The secret is one for weaker roles.
    """

    def __init__(
        self, address: str, secret: str, nonce: bytes, plane: Plane, role: Role = Role.CLIENT
    ) -> None:
        super().__init__(address, nonce, plane, role)
        self._key = parse_secret(secret).require(role, address)

    def begin(self) -> bytes:
        """Return the greeting, to be written first."""
        return self._greeting

    def _step(self, piece: bytes) -> bytes:
        if not self._transcript:
            self._check_greeting(piece)
            self._transcript = self._greeting + piece
            self._expected_nbytes = _VERDICT.size
            return self._proof(self._key, _CONNECTOR_LABEL)
        verdict, proof = _VERDICT.unpack(piece)
        if verdict == _SECRETS_DIFFER:
            raise self._refused(_SECRETS_DIFFER_REASON)
        if verdict != _ACCEPTED:
            raise self._refused(f"it answered with the unknown code {verdict}")
        if not hmac.compare_digest(proof, self._proof(self._key, _ACCEPTOR_LABEL)):
            raise self._refused(_SECRETS_DIFFER_REASON)
        self.done = True
        return b""


class HandshakeAcceptor(_Side):
    """The side that is connected to.

    Parameters
    ----------
    address, secret, nonce, plane
        As for `HandshakeConnector`.
    former
        Secrets that are still good.
    """

    def __init__(
        self,
        address: str,
        secret: str,
        nonce: bytes,
        plane: Plane,
        former: Sequence[str] = (),
    ) -> None:
        super().__init__(address, nonce, plane, 0)
        self._secrets = (secret, *former)
        #: What the peer has proved to be, once it is done.
        self.role = Role.OBSERVER

    def _step(self, piece: bytes) -> bytes:
        if not self._transcript:
            # Whatever is wrong with its greeting, the peer learns from ours.
            self.farewell = self._greeting
            role = self._check_greeting(piece)
            if role not in _CONNECTORS or (self._plane is Plane.DATA and role != Role.CLIENT):
                raise self._refused(f"it says to be of role {role}, which nobody is who connects")
            self.role = Role(role)
            self._transcript = piece + self._greeting
            self._expected_nbytes = _PROOF_NBYTES
            return self._greeting
        # All are tried, so that the time tells nothing of which it was.
        keys = [
            credentials.key(self.role)
            for credentials in map(parse_secret, self._secrets)
            if credentials.has(self.role)
        ]
        fitting = [
            key for key in keys if hmac.compare_digest(piece, self._proof(key, _CONNECTOR_LABEL))
        ]
        if not fitting:
            self.farewell = _VERDICT.pack(_SECRETS_DIFFER, bytes(_PROOF_NBYTES))
            raise self._refused(_SECRETS_DIFFER_REASON)
        self.done = True
        return _VERDICT.pack(_ACCEPTED, self._proof(fitting[0], _ACCEPTOR_LABEL))
