"""Keys that travel with the file, encrypted by the master keys of a key service.

The key metadata of such files is JSON. It holds the wrapped key, or refers to it in a file beside.
A data key is wrapped by the key service itself, or (double wrapping) by a key encryption key, which
the service wraps in turn.
"""

from __future__ import annotations

import base64
import binascii
import json
import threading
from collections.abc import Callable
from typing import Any, Final

import numpy as np

from hocket.parquet.crypto.aes import SIGNATURE_NBYTES, AesKey
from hocket.parquet.crypto.keys import check_key
from hocket.parquet.errors import EncryptionError, ParquetError
from hocket.parquet.io.buffers import padded

__all__ = ["KeyMaterial"]

_KIND: Final = "PKMT1"
_NONCE_NBYTES: Final = 12
_LARGEST_NBYTES: Final = 64 << 20


class KeyMaterial:
    """Unwraps the keys of one file.

    Parameters
    ----------
    unwrap
        Function, or object with a method ``unwrap_key``: from the wrapped key (its base64 text) and
        the master key's name to the key.
    external
        Gives the JSON text of the external material when it is first needed.
    """

    def __init__(self, unwrap: Any, external: Callable[[], bytes]) -> None:
        self._unwrap = unwrap
        self._external = external
        self._references: dict[str, Any] | None = None
        self._encryption_keys: dict[tuple[str, str], bytes] = {}
        self._lock = threading.Lock()

    def key(self, key_metadata: bytes) -> bytes:
        """Return the data key that key metadata stands for."""
        material = _parse(key_metadata, "the key metadata")
        kind = material.get("keyMaterialType")
        if kind != _KIND:
            raise EncryptionError(f"the key metadata is of type {kind!r}; only {_KIND} is known")
        with self._lock:
            if material.get("internalStorage") is False:
                material = self._referred(_text(material, "keyReference"))
            return self._data_key(material)

    def _referred(self, reference: str) -> dict[str, Any]:
        if self._references is None:
            self._references = _parse(self._external(), "the external key material")
        found = self._references.get(reference)
        if not isinstance(found, str):
            raise EncryptionError(f"the external key material has no key {reference!r}")
        return _parse(found.encode(), f"the key material of {reference!r}")

    def _data_key(self, material: dict[str, Any]) -> bytes:
        master = _text(material, "masterKeyID")
        wrapped = _text(material, "wrappedDEK")
        if not material.get("doubleWrapping"):
            return self._unwrapped(wrapped, master)
        wrapped_encryption_key = _text(material, "wrappedKEK")
        known = (wrapped_encryption_key, master)
        if known not in self._encryption_keys:
            self._encryption_keys[known] = self._unwrapped(wrapped_encryption_key, master)
        aad = _decoded(_text(material, "keyEncryptionKeyID"), "keyEncryptionKeyID")
        sealed = np.frombuffer(_decoded(wrapped, "wrappedDEK"), np.uint8)
        if sealed.size < SIGNATURE_NBYTES:
            raise EncryptionError(f"a wrapped key has only {sealed.size} bytes")
        key = padded(sealed.size - SIGNATURE_NBYTES)
        AesKey(self._encryption_keys[known]).decrypt_gcm_into(
            sealed[:_NONCE_NBYTES].tobytes(), sealed[_NONCE_NBYTES:], aad, key
        )
        return check_key(key.tobytes(), "the unwrapped key")

    def _unwrapped(self, wrapped: str, master: str) -> bytes:
        unwrap = getattr(self._unwrap, "unwrap_key", self._unwrap)
        try:
            key = unwrap(wrapped, master)
        except ParquetError:
            raise
        except Exception as error:
            raise EncryptionError(
                f"the key service did not unwrap a key of the master key {master!r}: {error}"
            ) from error
        return check_key(key, f"what the key service unwrapped by the master key {master!r}")


def _parse(text: bytes, name: str) -> dict[str, Any]:
    if len(text) > _LARGEST_NBYTES:
        raise EncryptionError(f"{name} has {len(text):,} bytes, more than any should")
    try:
        parsed = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise EncryptionError(f"{name} is no JSON: {error}") from error
    if not isinstance(parsed, dict):
        raise EncryptionError(f"{name} is no JSON object")
    return parsed


def _text(material: dict[str, Any], name: str) -> str:
    value = material.get(name)
    if not isinstance(value, str):
        raise EncryptionError(f"the key material has no {name}")
    return value


def _decoded(text: str, name: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise EncryptionError(f"{name} in the key material is not base64") from error
