"""TLS for pages: under a certificate of the user's, or one that the cluster makes for itself.

Browsers know nothing of a cluster's secret. So each server makes itself a certificate, signed by an
authority that all of the cluster make of their secret's seed, and whom they know by its key: the
scheduler, when it passes on the pages of workers. A browser is shown the certificate and asks once.
"""

from __future__ import annotations

import datetime as dt
import functools
import hmac
import ipaddress
import ssl
import tempfile
from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING, Final

from hocket.core.errors import SettingsError
from hocket.core.settings import Settings
from hocket.diagnostics.web.reach import names_of
from hocket.protocol.credentials import parse_secret

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
    from cryptography.x509 import Certificate, GeneralName, Name

__all__ = ["page_context", "relay_context"]

_AUTHORITY: Final = "hocket cluster"
_SERVER: Final = "hocket pages"
#: Browsers refuse certificates that are good for longer.
_LIFE: Final = dt.timedelta(days=397)
_NOT_BEFORE: Final = dt.datetime(2020, 1, 1, tzinfo=dt.UTC)
_NOT_AFTER: Final = dt.datetime(9999, 12, 31, tzinfo=dt.UTC)
#: The order of the curve P-256.
_ORDER: Final = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551


def page_context(settings: Settings, secret: str, host: str) -> ssl.SSLContext:
    """Return what a server of pages wraps its connections with.

    Parameters
    ----------
    settings
        Where a certificate is, if its user has one.
    secret
        Of the cluster.
    host
        Where the server listens.

    Raises
    ------
    SettingsError
        The files of the settings hold no certificate and its key.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    own = settings.diagnostics
    if own.certificate_file:
        key = Path(own.key_file).expanduser() if own.key_file else None
        try:
            context.load_cert_chain(Path(own.certificate_file).expanduser(), key)
        except OSError as error:
            raise SettingsError(
                name="diagnostics.certificate_file",
                value=own.certificate_file,
                allowed=f"it and diagnostics.key_file cannot be used: {error.strerror or error}",
                source="the settings",
            ) from None
        return context
    # (The ssl module reads keys from files alone. The directory is ours alone, 0700.)
    with tempfile.TemporaryDirectory(prefix="hocket-") as directory:
        path = Path(directory) / "pages.pem"
        path.touch(mode=0o600)
        path.write_bytes(_made_pem(secret, {*names_of(settings), "localhost", host}))
        context.load_cert_chain(path)
    return context


def relay_context(settings: Settings, secret: str) -> ssl.SSLContext:
    """Return what connections to the pages of other servers of the cluster are wrapped with."""
    return _relay_context(settings.diagnostics.certificate_file, secret)


@functools.lru_cache(maxsize=8)
def _relay_context(certificate_file: str, secret: str) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    # Workers have many names; that it is one of the cluster is what counts.
    context.check_hostname = False
    if certificate_file:
        # (It may be signed by anybody whom this host trusts.)
        context.load_default_certs()
        context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
        context.load_verify_locations(Path(certificate_file).expanduser())
    elif parse_secret(secret).seed:
        from cryptography.hazmat.primitives.serialization import Encoding  # noqa: PLC0415

        # Nobody else is known: others have certificates of all names, and would be told our word.
        _, certificate = _authority(parse_secret(secret).seed)
        context.load_verify_locations(cadata=certificate.public_bytes(Encoding.DER))
    return context


def _made_pem(secret: str, names: Collection[str]) -> bytes:
    """Return a fresh private key, and a certificate for it that the cluster's authority signed."""
    from cryptography import x509  # noqa: PLC0415 (it takes a while, and not all need it)
    from cryptography.hazmat.primitives import hashes  # noqa: PLC0415
    from cryptography.hazmat.primitives.asymmetric import ec  # noqa: PLC0415
    from cryptography.hazmat.primitives.serialization import (  # noqa: PLC0415
        Encoding,
        NoEncryption,
        PrivateFormat,
    )

    key = ec.generate_private_key(ec.SECP256R1())
    # (Whoever has an observer's key alone is no server of the cluster, and signs for itself.)
    seed = parse_secret(secret).seed or key.private_numbers().private_value.to_bytes(32, "big")
    authority_key, authority = _authority(seed)
    today = dt.datetime.now(dt.UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(_named(_SERVER))
        .issuer_name(authority.subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(today - dt.timedelta(days=1))
        .not_valid_after(today + _LIFE)
        .add_extension(
            x509.SubjectAlternativeName([_general(name) for name in sorted(names)]), critical=False
        )
        .sign(authority_key, hashes.SHA256())
    )
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return private + b"".join(one.public_bytes(Encoding.PEM) for one in (certificate, authority))


@functools.lru_cache(maxsize=8)
def _authority(seed: bytes) -> tuple[EllipticCurvePrivateKey, Certificate]:
    """Return the authority that a seed amounts to: its key, and a certificate of it."""
    from cryptography import x509  # noqa: PLC0415
    from cryptography.hazmat.primitives import hashes  # noqa: PLC0415
    from cryptography.hazmat.primitives.asymmetric import ec  # noqa: PLC0415

    drawn = int.from_bytes(hmac.digest(seed, b"hocket pages 1", "sha512"), "big")
    key = ec.derive_private_key(drawn % (_ORDER - 1) + 1, ec.SECP256R1())
    name = _named(_AUTHORITY)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(_NOT_BEFORE)
        .not_valid_after(_NOT_AFTER)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    return key, certificate


def _named(name: str) -> Name:
    from cryptography import x509  # noqa: PLC0415
    from cryptography.x509.oid import NameOID  # noqa: PLC0415

    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _general(name: str) -> GeneralName:
    from cryptography import x509  # noqa: PLC0415

    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name.encode("idna").decode())
