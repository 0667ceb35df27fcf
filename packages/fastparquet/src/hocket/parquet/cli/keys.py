"""Keys of encrypted files, from files or the environment: a command line can be seen by others."""

from __future__ import annotations

import base64
import binascii
import os
from argparse import Namespace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from hocket.parquet.errors import InvalidOption

if TYPE_CHECKING:
    from hocket.parquet.crypto import DecryptionKeys

__all__ = ["KEY_FORMATS", "keys_of"]

KEY_FORMATS: Final = ("raw", "hex", "base64")

_KEY_NBYTES: Final = (16, 24, 32)
#: No key in any form is larger.
_MOST_NBYTES: Final = 4096


def keys_of(options: Namespace) -> DecryptionKeys | None:
    """Return the keys that the options name, None if they name none.

    Parameters
    ----------
    options
        With ``footer_key``, ``column_key``, ``key_format`` and ``aad_prefix``.
    """
    if options.footer_key is None and not options.column_key and options.aad_prefix is None:
        return None
    from hocket.parquet.crypto import DecryptionKeys  # noqa: PLC0415 - most files are not encrypted

    footer_key = None
    if options.footer_key is not None:
        footer_key = _key(options.footer_key, options.key_format, "--footer-key")
    column_keys = {}
    for text in options.column_key or ():
        # Names of columns may have such a sign themselves, places of keys hardly do.
        column, sign, place = text.rpartition("=env:")
        if not sign:
            column, sign, place = text.rpartition("=file:")
        if not sign or not column:
            raise InvalidOption("--column-key has to be COLUMN=env:NAME or COLUMN=file:PATH")
        column_keys[column] = _key(f"{sign[1:]}{place}", options.key_format, "--column-key")
    prefix = None if options.aad_prefix is None else os.fsencode(options.aad_prefix)
    return DecryptionKeys(footer_key, column_keys, aad_prefix=prefix)


def _key(place: str, form: str, option: str) -> bytes:
    """Return the key at a place. What it is, or what stands there in its place, is never shown."""
    kind, sign, name = place.partition(":")
    if not sign or kind not in ("env", "file") or not name:
        # It may be a key that somebody wrote there.
        raise InvalidOption(f"{option} has to be env:NAME or file:PATH; a key itself is not taken")
    if kind == "env":
        found = os.environb.get(os.fsencode(name))
        if found is None:
            raise InvalidOption(f"{option}: there is no environment variable {name}")
    else:
        with Path(name).open("rb") as file:
            found = file.read(_MOST_NBYTES + 1)
    key = _decoded(found, form)
    if key is None or len(key) not in _KEY_NBYTES:
        size = "" if key is None else f": it has {len(key)} bytes"
        raise InvalidOption(
            f"{option}: at {place} is no key of 16, 24 or 32 bytes in the form {form!r}{size} "
            f"(--key-format: {', '.join(KEY_FORMATS)})"
        )
    return key


def _decoded(found: bytes, form: str) -> bytes | None:
    if form == "raw":
        # Editors end files with a line break.
        return found if len(found) in _KEY_NBYTES else found.rstrip(b"\r\n")
    text = b"".join(found.split())
    try:
        if form == "hex":
            return bytes.fromhex(text.decode("ascii"))
        return base64.b64decode(text, validate=True)
    except (ValueError, binascii.Error):
        return None
