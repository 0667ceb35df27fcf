"""The keys that a file is to be encrypted with."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from hocket.parquet.crypto.keys import check_key
from hocket.parquet.errors import InvalidOption
from hocket.parquet.records import dataclass, field

__all__ = ["ALGORITHMS", "EncryptionKeys"]

#: By name: whether pages are encrypted by AES-CTR.
ALGORITHMS: Final = {"AES_GCM_V1": False, "AES_GCM_CTR_V1": True}

_Path = str | tuple[str, ...]


@dataclass(frozen=True, slots=True, repr=False)
class EncryptionKeys:
    """What a file is encrypted with. Its ``repr`` shows no key.

    Parameters
    ----------
    footer_key
        The key of the footer, and of columns without a key of their own: 16, 24 or 32 bytes.
    column_keys
        Keys by column: the dotted path, or the path as a tuple of names. That of a field with
        fields in it holds for all of these.
    encrypts_others
        Whether columns without a key of their own are encrypted with the footer's.
    encrypts_footer
        Whether the footer is encrypted. Otherwise anybody can read which columns there are, and
        those that are not encrypted; the footer is signed then.
    algorithm
        "AES_GCM_V1", or "AES_GCM_CTR_V1", which does not notice that pages were tampered with.
    aad_prefix
        The identity of the file, so that it cannot be taken for another one of the same keys.
    stores_aad_prefix
        Whether the file tells it. Otherwise each reader has to know it.
    footer_key_metadata
        What a reader gets the footer's key by, if it does not have it.
    column_key_metadata
        The same by column.
    """

    footer_key: bytes
    column_keys: Mapping[_Path, bytes] = field(default_factory=dict)
    encrypts_others: bool = True
    encrypts_footer: bool = True
    algorithm: str = "AES_GCM_V1"
    aad_prefix: bytes | None = None
    stores_aad_prefix: bool = True
    footer_key_metadata: bytes | None = None
    column_key_metadata: Mapping[_Path, bytes] = field(default_factory=dict)

    def __post_init__(self) -> None:
        check_key(self.footer_key, "footer_key")
        for path, key in self.column_keys.items():
            check_key(key, f"the key of column {path!r}")
        if self.algorithm not in ALGORITHMS:
            raise InvalidOption(
                f"the algorithm is {self.algorithm!r}; it has to be {' or '.join(ALGORITHMS)}"
            )
        told = [("aad_prefix", self.aad_prefix), ("footer_key_metadata", self.footer_key_metadata)]
        told += [(f"metadata of {path!r}", raw) for path, raw in self.column_key_metadata.items()]
        for name, value in told:
            if value is not None and not isinstance(value, bytes):
                raise InvalidOption(f"{name} is {type(value).__name__}, and must be bytes")
        if not self.aad_prefix and not self.stores_aad_prefix:
            raise InvalidOption("stores_aad_prefix=False needs an aad_prefix that is not stored")
        strangers = sorted(map(str, set(self.column_key_metadata) - set(self.column_keys)))
        if strangers:
            raise InvalidOption(
                f"column_key_metadata has {', '.join(strangers)}, which have no key in column_keys"
            )

    def __repr__(self) -> str:
        columns = ", ".join(map(str, self.column_keys))
        return (
            f"EncryptionKeys(footer_key=<hidden>, column_keys=<hidden> of {columns or 'none'}, "
            f"algorithm={self.algorithm!r}, encrypts_footer={self.encrypts_footer})"
        )
