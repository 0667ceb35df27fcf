"""The parts of a file that are encrypted each for itself, and what binds them to their place."""

from __future__ import annotations

import struct
from enum import IntEnum
from typing import Final

from hocket.parquet.errors import CorruptFile

__all__ = ["Module", "module_aad"]

_LARGEST_ORDINAL: Final = 0x7FFF


class Module(IntEnum):
    """Kinds of parts, by the number that the format gives them."""

    FOOTER = 0
    COLUMN_METADATA = 1
    DATA_PAGE = 2
    DICTIONARY_PAGE = 3
    DATA_PAGE_HEADER = 4
    DICTIONARY_PAGE_HEADER = 5
    COLUMN_INDEX = 6
    OFFSET_INDEX = 7
    BLOOM_FILTER_HEADER = 8
    BLOOM_FILTER_BITSET = 9


_BY_PAGE: Final = (Module.DATA_PAGE, Module.DATA_PAGE_HEADER)


def module_aad(file_aad: bytes, module: Module, row_group: int, column: int, page: int) -> bytes:
    """Return what a module is authenticated together with.

    Parameters
    ----------
    file_aad
        Prefix and random identifier of the file.
    module
        Kind of the part.
    row_group, column, page
        Its place; what its kind has no use for is ignored.
    """
    if module is Module.FOOTER:
        return file_aad + b"\0"
    ordinals = (row_group, column, page) if module in _BY_PAGE else (row_group, column)
    for ordinal in ordinals:
        if not 0 <= ordinal <= _LARGEST_ORDINAL:
            raise CorruptFile(
                f"an encrypted file cannot have a row group, column or page number {ordinal:,}"
            )
    return file_aad + struct.pack(f"<B{len(ordinals)}h", module, *ordinals)
