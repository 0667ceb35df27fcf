"""How values are encoded in pages: the numbers that the format gives to encodings."""

from __future__ import annotations

from enum import IntEnum

__all__ = ["Encoding"]


class Encoding(IntEnum):
    """An encoding of values or levels; 1 was never used."""

    PLAIN = 0
    PLAIN_DICTIONARY = 2
    RLE = 3
    BIT_PACKED = 4
    DELTA_BINARY_PACKED = 5
    DELTA_LENGTH_BYTE_ARRAY = 6
    DELTA_BYTE_ARRAY = 7
    RLE_DICTIONARY = 8
    BYTE_STREAM_SPLIT = 9
    ALP = 10
