"""TLS 1.3 between processes of one cluster: a certificate of its own making, known by its key.

Every server of a cluster shows the same key, made from the seed in its credentials; every connector
knows that key's public half, from the scheduler file, the token or the secret, and speaks to nobody
else. So there is no authority to trust, no name to check, nothing that expires and no file of keys
to guard. Who may come in is then found out by the handshake, inside.
"""

from __future__ import annotations

import datetime as dt
import functools
import ssl
import tempfile
from pathlib import Path
from typing import Final

from hocket.core.errors import HandshakeRefused
from hocket.protocol.credentials import parse_secret

__all__ = [
    "TLS_CUT",
    "check_peer",
    "connector_context",
    "pin_of",
    "server_context",
    "why_tls_failed",
]

#: Why nothing came of a handshake that the other side has cut.
TLS_CUT: Final = (
    "it closed the connection when TLS began; if it does not speak TLS, its address begins with"
    " tcp://"
)
_NAME: Final = "hocket"
_NOT_BEFORE: Final = dt.datetime(2020, 1, 1, tzinfo=dt.UTC)
_NOT_AFTER: Final = dt.datetime(9999, 12, 31, tzinfo=dt.UTC)


def pin_of(secret: str) -> bytes:
    """Return the public key that the servers of a cluster show."""
    credentials = parse_secret(secret)
    return credentials.pin or _public_key(credentials.seed)


def server_context(secret: str) -> ssl.SSLContext:
    """Return what servers of a cluster wrap their connections with.

    Raises
    ------
    HandshakeRefused
        The secret is one for clients or observers, who are no servers.
    """
    credentials = parse_secret(secret)
    if not credentials.seed:
        role = credentials.role.name.lower()
        raise HandshakeRefused(address="ourselves", reason=f"a {role}'s secret makes no server")
    return _server_context(credentials.seed)


@functools.cache
def connector_context() -> ssl.SSLContext:
    """Return what connectors wrap their connections with; `check_peer` must follow."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    # Whom we speak to is told by its key; names and authorities mean nothing here.
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def check_peer(certificate: bytes | None, secret: str, address: str) -> None:
    """Refuse a server that has not shown the cluster's key; before anything is said to it.

    Parameters
    ----------
    certificate
        What it has shown, in DER; TLS itself has made sure that the key is its own.
    secret
        Ours.
    address
        Of the server, for errors.

    Raises
    ------
    HandshakeRefused
        It is a server of another cluster, or somebody in between.
    """
    from cryptography import x509  # noqa: PLC0415 (it takes a while, and not all need it)
    from cryptography.hazmat.primitives.asymmetric.ed25519 import (  # noqa: PLC0415
        Ed25519PublicKey,
    )

    try:
        key = x509.load_der_x509_certificate(certificate or b"").public_key()
        shown = key.public_bytes_raw() if isinstance(key, Ed25519PublicKey) else b""
    except ValueError:
        shown = b""
    if shown != pin_of(secret):
        raise HandshakeRefused(
            address=address,
            reason="it shows another key than our cluster's: another cluster listens there, it was"
            " started anew, or somebody is in between; take its present scheduler file or token",
        )


def why_tls_failed(error: ssl.SSLError) -> str:
    """Return in words why a TLS handshake failed."""
    if error.reason in ("WRONG_VERSION_NUMBER", "UNEXPECTED_MESSAGE", "RECORD_LAYER_FAILURE"):
        return "it does not speak TLS; if it is a hocket without it, its address begins with tcp://"
    if isinstance(error, ssl.SSLEOFError):
        return TLS_CUT
    return f"TLS failed: {error.reason or error}"


@functools.lru_cache(maxsize=8)
def _server_context(seed: bytes) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    # Sessions of TLS are not resumed; tickets would only be bytes.
    context.num_tickets = 0
    # (The ssl module reads keys from files alone. The directory is ours alone, 0700.)
    with tempfile.TemporaryDirectory(prefix="hocket-") as directory:
        path = Path(directory) / "identity.pem"
        path.touch(mode=0o600)
        path.write_bytes(_identity_pem(seed))
        context.load_cert_chain(path)
    return context


@functools.lru_cache(maxsize=8)
def _public_key(seed: bytes) -> bytes:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import (  # noqa: PLC0415
        Ed25519PrivateKey,
    )

    return Ed25519PrivateKey.from_private_bytes(seed).public_key().public_bytes_raw()


def _identity_pem(seed: bytes) -> bytes:
    """Return the private key and a certificate that it has signed for itself."""
    from cryptography import x509  # noqa: PLC0415
    from cryptography.hazmat.primitives.asymmetric.ed25519 import (  # noqa: PLC0415
        Ed25519PrivateKey,
    )
    from cryptography.hazmat.primitives.serialization import (  # noqa: PLC0415
        Encoding,
        NoEncryption,
        PrivateFormat,
    )
    from cryptography.x509.oid import NameOID  # noqa: PLC0415

    key = Ed25519PrivateKey.from_private_bytes(seed)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, _NAME)])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(_NOT_BEFORE)
        .not_valid_after(_NOT_AFTER)
        .sign(key, None)
    )
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return private + certificate.public_bytes(Encoding.PEM)
