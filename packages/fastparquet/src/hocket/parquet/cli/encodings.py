"""The names of encodings."""

from __future__ import annotations

from typing import Final

__all__ = ["encoding_name", "encoding_names"]

#: By the number that the format gives them; 1 was never used.
_NAMES: Final = {
    0: "PLAIN",
    2: "PLAIN_DICTIONARY",
    3: "RLE",
    4: "BIT_PACKED",
    5: "DELTA_BINARY_PACKED",
    6: "DELTA_LENGTH_BYTE_ARRAY",
    7: "DELTA_BYTE_ARRAY",
    8: "RLE_DICTIONARY",
    9: "BYTE_STREAM_SPLIT",
    10: "ALP",
}


def encoding_name(number: int) -> str:
    """Return an encoding's name in the format, or its number if that is unknown."""
    return _NAMES.get(number, f"encoding {number}")


def encoding_names(mask: int) -> list[str]:
    """Return the names of all encodings whose bits are set."""
    mask &= (1 << 64) - 1
    return [encoding_name(number) for number in range(64) if mask >> number & 1]
