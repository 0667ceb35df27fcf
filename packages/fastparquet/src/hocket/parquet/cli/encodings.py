"""The names of encodings."""

from __future__ import annotations

from hocket.parquet.metadata.encodings import Encoding

__all__ = ["encoding_name", "encoding_names"]

#: By the number that the format gives them.
_NAMES = {int(each): each.name for each in Encoding}


def encoding_name(number: int) -> str:
    """Return an encoding's name in the format, or its number if that is unknown."""
    return _NAMES.get(number, f"encoding {number}")


def encoding_names(mask: int) -> list[str]:
    """Return the names of all encodings whose bits are set."""
    mask &= (1 << 64) - 1
    return [encoding_name(number) for number in range(64) if mask >> number & 1]
