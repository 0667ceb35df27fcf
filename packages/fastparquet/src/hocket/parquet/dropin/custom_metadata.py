"""Key-value metadata as fastparquet takes them: text or bytes, keys and values."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hocket.parquet.errors import InvalidOption

__all__ = ["text_pairs"]


class MetadataNotTextError(InvalidOption, TypeError):
    """A key or value of key-value metadata is neither text nor bytes."""


def text_pairs(
    pairs: Mapping[Any, Any], *, may_remove: bool = False
) -> dict[str, str | bytes | None]:
    """Return key-value metadata with keys of text.

    Parameters
    ----------
    pairs
        As the caller gave them.
    may_remove
        Whether values may be None.
    """
    found: dict[str, str | bytes | None] = {}
    for key, value in pairs.items():
        is_removed = value is None and may_remove
        if not isinstance(key, (str, bytes)) or not (isinstance(value, (str, bytes)) or is_removed):
            raise MetadataNotTextError(
                f"custom_metadata has {key!r}: {value!r}; both have to be str or bytes"
            )
        found[key if isinstance(key, str) else key.decode("utf-8", "backslashreplace")] = value
    return found
