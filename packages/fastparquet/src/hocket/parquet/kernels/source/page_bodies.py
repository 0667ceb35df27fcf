"""Bodies of pages made ready to be decoded: found, and decompressed where they are by Snappy.

Only what is plain is done here: pages that are not encrypted, and have no checksum to verify.
"""

from __future__ import annotations

from typing import Final

from hocket.parquet.kernels.faults import NO_SPACE, SIZE_OUTSIDE
from hocket.parquet.kernels.language import helper, kernel, load_64, store_64
from hocket.parquet.kernels.source.pages import (
    BODY,
    COMPRESSED_NBYTES,
    CRC,
    DATA_PAGE,
    DATA_PAGE_V2,
    DEFINITION_NBYTES,
    DICTIONARY_PAGE,
    END_ADDRESS,
    IS_COMPRESSED,
    LEVELS_ADDRESS,
    PAGE_COLUMNS,
    REPETITION_NBYTES,
    SEGMENT,
    TYPE,
    UNCOMPRESSED_NBYTES,
    VALUES,
    VALUES_ADDRESS,
)
from hocket.parquet.kernels.source.snappy import decompress_snappy

__all__ = ["place_body", "place_pages"]

_ROW_NBYTES: Final = PAGE_COLUMNS * 8
_SEGMENT_NBYTES: Final = 16
_SPARE_NBYTES: Final = 64


@helper
def place_body(row: int, body: int, codec: int, room: int, used: int, capacity: int) -> int:
    """Decompress a page and note where its parts are.

    Parameters
    ----------
    row
        The page's row of the table.
    body
        Address of its bytes.
    codec
        0 for none, 1 for Snappy.
    room, used, capacity
        Address of memory to decompress into, how much of it is taken, and how much there is.

    Returns
    -------
    int
        How much of it is taken afterwards, or a fault.
    """
    compressed = load_64(row, COMPRESSED_NBYTES * 8)
    size = load_64(row, UNCOMPRESSED_NBYTES * 8)
    is_compressed = codec
    levels = 0
    if load_64(row, TYPE * 8) == DATA_PAGE_V2:
        # Checked with the header: not more than either size.
        levels = load_64(row, DEFINITION_NBYTES * 8) + load_64(row, REPETITION_NBYTES * 8)
        if load_64(row, IS_COMPRESSED * 8) == 0:
            is_compressed = 0
    if is_compressed == 0:
        if compressed != size:
            return -SIZE_OUTSIDE
        store_64(row, LEVELS_ADDRESS * 8, body)
        store_64(row, VALUES_ADDRESS * 8, body + levels)
        store_64(row, END_ADDRESS * 8, body + size)
        return used
    plain = size - levels
    if plain > capacity - used:
        return -NO_SPACE
    values = room + used
    if plain > 0:
        answer = decompress_snappy(body + levels, body + compressed, values, plain)
        if answer < 0:
            return answer
    if load_64(row, TYPE * 8) == DATA_PAGE_V2:
        store_64(row, LEVELS_ADDRESS * 8, body)
    else:
        store_64(row, LEVELS_ADDRESS * 8, values)
    store_64(row, VALUES_ADDRESS * 8, values)
    store_64(row, END_ADDRESS * 8, values + plain)
    return (used + plain + 2 * _SPARE_NBYTES - 1) & -_SPARE_NBYTES


@kernel
def place_pages(
    table: int,
    first: int,
    stop: int,
    segments: int,
    codec: int,
    verify: int,
    room: int,
    capacity: int,
) -> int:
    """Make pages ready as long as there is room for them, and nothing is special about them.

    Parameters
    ----------
    table
        Address of the table of pages.
    first, stop
        Which ones.
    segments
        Address of two numbers for each segment: its offset in the file, and its address.
    codec
        0 for none, 1 for Snappy.
    verify
        Whether pages with checksums are to be left to others.
    room, capacity
        Memory to decompress into; behind it 64 bytes may be overwritten.

    Returns
    -------
    int
        The first page that is not ready. Why it is not, whoever makes it ready will find.
    """
    used = 0
    page = first
    while page < stop:
        row = table + page * _ROW_NBYTES
        kind = load_64(row, TYPE * 8)
        is_data = kind == DATA_PAGE or kind == DATA_PAGE_V2
        if kind == DICTIONARY_PAGE or (is_data and load_64(row, VALUES * 8) > 0):
            if verify != 0 and load_64(row, CRC * 8) >= 0:
                return page
            segment = load_64(row, SEGMENT * 8) * _SEGMENT_NBYTES
            begin = load_64(row, BODY * 8) - load_64(segments, segment)
            body = load_64(segments, segment + 8) + begin
            used = place_body(row, body, codec, room, used, capacity)
            if used < 0:
                return page
        page += 1
    return page
