"""The keys that a caller has, or can get."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from hocket.parquet.errors import InvalidOption
from hocket.parquet.records import dataclass, field

__all__ = ["DecryptionKeys"]

_KEY_NBYTES: Final = (16, 24, 32)


@dataclass(frozen=True, slots=True, repr=False)
class DecryptionKeys:
    """What encrypted files are opened with: keys, or ways to get them.

    It can be pickled if its functions can, and the keys travel with it. Its ``repr`` shows none.

    Parameters
    ----------
    footer_key
        The key of the footer, and of all columns without a key of their own: 16, 24 or 32 bytes.
    column_keys
        Keys by column: the dotted path, or the path as a tuple of names. That of a field with
        fields in it holds for all of these.
    key_retriever
        A function from the metadata that the file stores about a key (bytes) to the key, or to
        None if there is none to be had. Asked where no key is given.
    aad_prefix
        The identity that the file must have. It must be given if the writer did not store it.
    unwrap_key
        A function ``(wrapped_key, master_key_id)`` that has a key service decrypt a key, or an
        object with such a method (a ``pyarrow.parquet.encryption.KmsClient`` is one). For files
        whose key metadata is JSON key material, stored in the file or beside it.
    key_material
        The external key material, where it is not in ``_KEY_MATERIAL_FOR_<file>.json`` beside the
        file: its JSON text as bytes or str, or its path.
    """

    footer_key: bytes | None = None
    column_keys: Mapping[str | tuple[str, ...], bytes] = field(default_factory=dict)
    key_retriever: Callable[[bytes], bytes | None] | None = None
    aad_prefix: bytes | None = None
    unwrap_key: Any = None
    key_material: Any = None

    def __post_init__(self) -> None:
        if self.footer_key is not None:
            check_key(self.footer_key, "footer_key")
        by_path = {
            path: check_key(key, f"the key of column {path!r}")
            for path, key in dict(self.column_keys).items()
        }
        object.__setattr__(self, "column_keys", by_path)
        prefix: Any = self.aad_prefix
        if isinstance(prefix, str):
            object.__setattr__(self, "aad_prefix", prefix.encode())
        elif prefix is not None and not isinstance(prefix, bytes):
            raise InvalidOption(f"aad_prefix is {type(prefix).__name__}, and must be bytes")

    def column_key(self, path: tuple[str, ...]) -> bytes | None:
        """Return the key given for a column, or for the innermost field that it is in."""
        for depth in range(len(path), 0, -1):
            for name in (path[:depth], ".".join(path[:depth])):
                if name in self.column_keys:
                    return self.column_keys[name]
        return None

    def __repr__(self) -> str:
        parts = []
        if self.footer_key is not None:
            parts.append("footer_key=<hidden>")
        if self.column_keys:
            parts.append(f"column_keys=<hidden> of {', '.join(map(str, self.column_keys))}")
        if self.aad_prefix is not None:
            parts.append(f"aad_prefix={self.aad_prefix!r}")
        parts += [
            f"{name}=..."
            for name in ("key_retriever", "unwrap_key", "key_material")
            if getattr(self, name) is not None
        ]
        return f"DecryptionKeys({', '.join(parts)})"


def check_key(key: Any, name: str) -> bytes:
    """Refuse what is no AES key, without showing it."""
    if not isinstance(key, bytes | bytearray | memoryview):
        raise InvalidOption(f"{name} is {type(key).__name__}, and must be bytes")
    if len(key) not in _KEY_NBYTES:
        raise InvalidOption(f"{name} has {len(key)} bytes; AES keys have 16, 24 or 32")
    return bytes(key)
