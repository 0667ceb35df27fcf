"""AES as Parquet uses it, through the ``cryptography`` package, which is imported here alone."""

from __future__ import annotations

import hmac
import os
from types import ModuleType
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from hocket.parquet.errors import CorruptFile, EncryptionError
from hocket.parquet.io.buffers import padded

__all__ = ["SIGNATURE_NBYTES", "AesKey"]

_LENGTH_NBYTES: Final = 4
_NONCE_NBYTES: Final = 12
_TAG_NBYTES: Final = 16
#: What stands behind a plain footer: a nonce and a tag.
SIGNATURE_NBYTES: Final = _NONCE_NBYTES + _TAG_NBYTES
#: CTR counts blocks from one, in four bytes behind the nonce.
_FIRST_COUNT: Final = b"\0\0\0\1"


class AesKey:
    """A key of 128, 192 or 256 bits, and what is encrypted with it. Threads may share it."""

    __slots__ = ("_gcm", "_key")

    def __init__(self, key: bytes) -> None:
        self._key = key
        self._gcm: Any = None

    def decrypt_gcm(
        self, buffer: NDArray[np.uint8], position: int, aad: bytes
    ) -> tuple[NDArray[np.uint8], int]:
        """Decrypt and authenticate the module at a position.

        Returns
        -------
        tuple
            The plain bytes, with zeros behind them, and the position after the module.
        """
        start, end = _extent(buffer, position, SIGNATURE_NBYTES)
        plain = padded(end - start - SIGNATURE_NBYTES)
        self.decrypt_gcm_into(
            buffer[start : start + _NONCE_NBYTES].tobytes(),
            buffer[start + _NONCE_NBYTES : end],
            aad,
            plain,
        )
        return plain, end

    def decrypt_gcm_into(
        self,
        nonce: bytes,
        sealed: NDArray[np.uint8],
        aad: bytes,
        destination: NDArray[np.uint8],
    ) -> None:
        """Decrypt and authenticate ciphertext with its tag into an array of the right size."""
        gcm = self._aead()
        # Releases before 47 cannot decrypt into a buffer.
        into = getattr(gcm, "decrypt_into", None)
        try:
            if into is not None:
                into(nonce, sealed, aad, destination)
            else:
                destination[:] = np.frombuffer(gcm.decrypt(nonce, sealed, aad), np.uint8)
        except _exceptions().InvalidTag:
            raise EncryptionError(
                "the bytes do not decrypt: the key or the AAD prefix is a wrong one, or the file "
                "was damaged or tampered with"
            ) from None

    def decrypt_ctr(
        self, buffer: NDArray[np.uint8], position: int
    ) -> tuple[NDArray[np.uint8], int]:
        """Decrypt the page at a position, of which nothing tells whether it was tampered with."""
        start, end = _extent(buffer, position, _NONCE_NBYTES)
        ciphers = _ciphers()
        nonce = buffer[start : start + _NONCE_NBYTES].tobytes()
        decryptor = ciphers.Cipher(
            ciphers.algorithms.AES(self._key), ciphers.modes.CTR(nonce + _FIRST_COUNT)
        ).decryptor()
        plain = padded(end - start - _NONCE_NBYTES)
        if plain.size:
            decryptor.update_into(buffer[start + _NONCE_NBYTES : end], plain)
        return plain, end

    def encrypt_gcm(self, plain: Any, aad: bytes) -> bytes:
        """Return a module: its length, a nonce, the ciphertext and its tag."""
        nonce = os.urandom(_NONCE_NBYTES)
        sealed = self._aead().encrypt(nonce, plain, aad)
        nbytes = _NONCE_NBYTES + len(sealed)
        return b"".join((nbytes.to_bytes(_LENGTH_NBYTES, "little"), nonce, sealed))

    def encrypt_ctr(self, plain: Any) -> bytes:
        """Return a module without a tag."""
        nonce = os.urandom(_NONCE_NBYTES)
        ciphers = _ciphers()
        encryptor = ciphers.Cipher(
            ciphers.algorithms.AES(self._key), ciphers.modes.CTR(nonce + _FIRST_COUNT)
        ).encryptor()
        sealed = encryptor.update(plain)
        nbytes = _NONCE_NBYTES + len(sealed)
        return b"".join((nbytes.to_bytes(_LENGTH_NBYTES, "little"), nonce, sealed))

    def sign(self, plain: bytes, aad: bytes) -> bytes:
        """Return the signature of a plain footer: a nonce, and the tag it would have."""
        nonce = os.urandom(_NONCE_NBYTES)
        return nonce + bytes(self._aead().encrypt(nonce, plain, aad)[-_TAG_NBYTES:])

    def verify(self, signed: NDArray[np.uint8], signature: NDArray[np.uint8], aad: bytes) -> None:
        """Check the signature of a plain footer: the tag it would have had if encrypted."""
        nonce = signature[:_NONCE_NBYTES].tobytes()
        sealed = self._aead().encrypt(nonce, signed, aad)
        if not hmac.compare_digest(sealed[-_TAG_NBYTES:], signature[_NONCE_NBYTES:].tobytes()):
            raise EncryptionError(
                "the footer's signature is not that of its bytes: the footer key or the AAD prefix "
                "is a wrong one, or the footer was tampered with"
            )

    def _aead(self) -> Any:
        if self._gcm is None:
            self._gcm = _ciphers().aead.AESGCM(self._key)
        return self._gcm

    def __repr__(self) -> str:
        return f"<AES key of {len(self._key) * 8} bits>"

    def __reduce__(self) -> tuple[type[AesKey], tuple[bytes]]:
        return AesKey, (self._key,)


def _extent(buffer: NDArray[np.uint8], position: int, overhead_nbytes: int) -> tuple[int, int]:
    start = position + _LENGTH_NBYTES
    if position < 0 or start > buffer.size:
        raise CorruptFile("an encrypted module begins beyond the end of what holds it")
    nbytes = int.from_bytes(buffer[position:start].tobytes(), "little")
    if nbytes < overhead_nbytes or nbytes > buffer.size - start:
        raise CorruptFile(
            f"an encrypted module claims {nbytes:,} bytes, and there are {buffer.size - start:,}: "
            "the file is damaged, or this part of it is not encrypted"
        )
    return start, start + nbytes


def _ciphers() -> ModuleType:
    try:
        from cryptography.hazmat.primitives import ciphers  # noqa: PLC0415 - optional
        from cryptography.hazmat.primitives.ciphers import aead, algorithms, modes  # noqa: PLC0415
    except ImportError as error:
        raise EncryptionError(
            "encryption needs the package 'cryptography', which is not installed: "
            "pip install 'hocket-parquet[encryption]'"
        ) from error
    # Named so that their import is seen to be meant: they hang on the module.
    assert aead
    assert algorithms
    assert modes
    return ciphers


def _exceptions() -> ModuleType:
    from cryptography import exceptions  # noqa: PLC0415 - as above

    return exceptions
