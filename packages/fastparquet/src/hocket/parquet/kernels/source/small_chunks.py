"""Many small column chunks in one call, for files that have thousands of them.

Only what is plain is done here: flat columns of fixed width, not compressed or by Snappy, without
checksums to verify. Of any other chunk, and of any in which something is wrong, the answer is a
fault, and it is read again the long way, which tells what it is.
"""

from __future__ import annotations

from typing import Final

from hocket.parquet.kernels.faults import COUNT_MISMATCH, NO_SPACE, PAGE_TYPE
from hocket.parquet.kernels.language import helper, kernel, load_64, store_64
from hocket.parquet.kernels.source.chunk import decode_fixed_pages
from hocket.parquet.kernels.source.job import (
    CONVERSION,
    DESTINATION,
    DICTIONARY,
    DICTIONARY_COUNT,
    FLAGS_SCRATCH,
    HAS_DICTIONARY,
    HAS_VALID,
    ITEM_SIZE,
    JOB_ITEMS,
    KEEP_CODES,
    LEVELS,
    MAX_DEFINITION,
    NEXT_PAGE,
    NULL_BITS,
    PAGE_STOP,
    PAGE_TABLE,
    PHYSICAL,
    PRESENT,
    SLOTS,
    VALID,
    VALUE_SIZE,
    VALUES_SCRATCH,
)
from hocket.parquet.kernels.source.page_bodies import place_body
from hocket.parquet.kernels.source.pages import (
    BODY,
    CRC,
    DATA_PAGE,
    DATA_PAGE_V2,
    DICTIONARY_PAGE,
    ENCODING,
    END_ADDRESS,
    PAGE_COLUMNS,
    SCAN_PAGES,
    SCAN_VALUES,
    TYPE,
    VALUES,
    VALUES_ADDRESS,
    scan_pages,
)
from hocket.parquet.kernels.source.small_chunk_table import (
    CHUNK_CODEC,
    CHUNK_COLUMNS,
    CHUNK_CONVERSION,
    CHUNK_COUNT,
    CHUNK_DEFINITION,
    CHUNK_DESTINATION,
    CHUNK_DICTIONARY,
    CHUNK_DICTIONARY_COUNT,
    CHUNK_DICTIONARY_END,
    CHUNK_ITEM_SIZE,
    CHUNK_KEEPS_CODES,
    CHUNK_NBYTES,
    CHUNK_NULL_BITS,
    CHUNK_PHYSICAL,
    CHUNK_RESULT,
    CHUNK_SOURCE,
    CHUNK_VALID,
    CHUNK_VALUE_SIZE,
    WORK_DICTIONARY,
    WORK_DICTIONARY_CAPACITY,
    WORK_FLAGS,
    WORK_FLAGS_CAPACITY,
    WORK_JOB,
    WORK_PAGE_CAPACITY,
    WORK_PAGES,
    WORK_ROOM,
    WORK_ROOM_CAPACITY,
    WORK_STACK,
    WORK_STATE,
    WORK_VALUES,
    WORK_VALUES_CAPACITY,
    WORK_VERIFY,
)
from hocket.parquet.kernels.source.values import (
    DELTA_BYTE_ARRAY,
    PLAIN,
    PLAIN_DICTIONARY,
    decode_plain,
)

__all__ = [
    "decode_small_chunks",
    "place_page",
    "prepare_job",
    "read_dictionary",
    "scan_small_chunk",
]

_CHUNK_NBYTES: Final = CHUNK_COLUMNS * 8
_ROW_NBYTES: Final = PAGE_COLUMNS * 8


@helper
def prepare_job(job: int, chunk: int, work: int) -> None:
    """Set the numbers of a job for a chunk."""
    for item in range(JOB_ITEMS):
        store_64(job, item * 8, 0)
    store_64(job, PHYSICAL * 8, load_64(chunk, CHUNK_PHYSICAL * 8))
    store_64(job, VALUE_SIZE * 8, load_64(chunk, CHUNK_VALUE_SIZE * 8))
    store_64(job, ITEM_SIZE * 8, load_64(chunk, CHUNK_ITEM_SIZE * 8))
    store_64(job, CONVERSION * 8, load_64(chunk, CHUNK_CONVERSION * 8))
    store_64(job, NULL_BITS * 8, load_64(chunk, CHUNK_NULL_BITS * 8))
    store_64(job, MAX_DEFINITION * 8, load_64(chunk, CHUNK_DEFINITION * 8))
    store_64(job, DESTINATION * 8, load_64(chunk, CHUNK_DESTINATION * 8))
    valid = load_64(chunk, CHUNK_VALID * 8)
    store_64(job, VALID * 8, valid)
    if valid != 0:
        store_64(job, HAS_VALID * 8, 1)
    store_64(job, KEEP_CODES * 8, load_64(chunk, CHUNK_KEEPS_CODES * 8))
    store_64(job, PAGE_TABLE * 8, load_64(work, WORK_PAGES * 8))
    store_64(job, FLAGS_SCRATCH * 8, load_64(work, WORK_FLAGS * 8))
    store_64(job, VALUES_SCRATCH * 8, load_64(work, WORK_VALUES * 8))


@helper
def place_page(row: int, chunk: int, work: int, used: int) -> int:
    """Decompress a page and note where its parts are; return how much room is used, or a fault."""
    if load_64(row, CRC * 8) >= 0 and load_64(work, WORK_VERIFY * 8) != 0:
        return -NO_SPACE
    values = load_64(row, VALUES * 8)
    if values > load_64(work, WORK_FLAGS_CAPACITY * 8):
        return -NO_SPACE
    value_size = load_64(chunk, CHUNK_VALUE_SIZE * 8)
    if values * value_size > load_64(work, WORK_VALUES_CAPACITY * 8):
        return -NO_SPACE
    return place_body(
        row,
        load_64(chunk, CHUNK_SOURCE * 8) + load_64(row, BODY * 8),
        load_64(chunk, CHUNK_CODEC * 8),
        load_64(work, WORK_ROOM * 8),
        used,
        load_64(work, WORK_ROOM_CAPACITY * 8),
    )


@helper
def read_dictionary(job: int, chunk: int, row: int, work: int) -> int:
    """Decode a dictionary page, or note where it is if codes are wanted; return 0 or a fault."""
    encoding = load_64(row, ENCODING * 8)
    if encoding != PLAIN and encoding != PLAIN_DICTIONARY:
        return -NO_SPACE
    count = load_64(row, VALUES * 8)
    store_64(job, HAS_DICTIONARY * 8, 1)
    store_64(job, DICTIONARY_COUNT * 8, count)
    if load_64(job, KEEP_CODES * 8) != 0:
        store_64(chunk, CHUNK_DICTIONARY * 8, load_64(row, VALUES_ADDRESS * 8))
        store_64(chunk, CHUNK_DICTIONARY_END * 8, load_64(row, END_ADDRESS * 8))
        store_64(chunk, CHUNK_DICTIONARY_COUNT * 8, count)
        return 0
    item_size = load_64(job, ITEM_SIZE * 8)
    if count > load_64(work, WORK_DICTIONARY_CAPACITY * 8) // item_size:
        return -NO_SPACE
    to = load_64(work, WORK_DICTIONARY * 8)
    answer = decode_plain(
        load_64(row, VALUES_ADDRESS * 8),
        load_64(row, END_ADDRESS * 8),
        load_64(job, PHYSICAL * 8),
        load_64(job, VALUE_SIZE * 8),
        load_64(job, CONVERSION * 8),
        to,
        count,
    )
    store_64(job, DICTIONARY * 8, to)
    return answer


@helper
def _place_pages(job: int, chunk: int, pages: int, work: int) -> int:
    """Make all pages of a chunk ready, and read its dictionary; return 0 or a fault."""
    table = load_64(work, WORK_PAGES * 8)
    used = 0
    for page in range(pages):
        row = table + page * _ROW_NBYTES
        kind = load_64(row, TYPE * 8)
        is_data = kind == DATA_PAGE or kind == DATA_PAGE_V2
        if kind == DICTIONARY_PAGE or (is_data and load_64(row, VALUES * 8) > 0):
            used = place_page(row, chunk, work, used)
            if used < 0:
                return used
        if kind == DICTIONARY_PAGE:
            if page > 0:
                return -PAGE_TYPE
            answer = read_dictionary(job, chunk, row, work)
            if answer < 0:
                return answer
        elif is_data and load_64(row, ENCODING * 8) == DELTA_BYTE_ARRAY:
            return -NO_SPACE
    return 0


@helper
def scan_small_chunk(chunk: int, work: int) -> int:
    """Read the headers of a chunk's pages; return how many there are, or a fault."""
    state = load_64(work, WORK_STATE * 8)
    for item in range(3):
        store_64(state, item * 8, 0)
    count = load_64(chunk, CHUNK_COUNT * 8)
    answer = scan_pages(
        load_64(chunk, CHUNK_SOURCE * 8),
        load_64(chunk, CHUNK_NBYTES * 8),
        0,
        count,
        load_64(work, WORK_PAGES * 8),
        load_64(work, WORK_PAGE_CAPACITY * 8),
        state,
        load_64(work, WORK_STACK * 8),
    )
    if answer < 0:
        return answer
    if load_64(state, SCAN_VALUES * 8) != count:
        return -COUNT_MISMATCH
    return load_64(state, SCAN_PAGES * 8)


@helper
def _decode_small_chunk(chunk: int, work: int) -> int:
    """Decode one chunk; return how many nulls it has, or a fault."""
    count = load_64(chunk, CHUNK_COUNT * 8)
    pages = scan_small_chunk(chunk, work)
    if pages < 0:
        return pages
    job = load_64(work, WORK_JOB * 8)
    prepare_job(job, chunk, work)
    answer = _place_pages(job, chunk, pages, work)
    if answer < 0:
        return answer
    store_64(job, NEXT_PAGE * 8, 0)
    store_64(job, PAGE_STOP * 8, pages)
    answer = decode_fixed_pages(job)
    if answer < 0:
        return answer
    slots = load_64(job, SLOTS * 8)
    if slots != count or load_64(job, LEVELS * 8) != count:
        return -COUNT_MISMATCH
    return slots - load_64(job, PRESENT * 8)


@kernel
def decode_small_chunks(chunks: int, count: int, work: int) -> int:
    """Decode chunks; what came of each is written into its row.

    Parameters
    ----------
    chunks
        Address of a table of `CHUNK_COLUMNS` 64-bit numbers for each.
    count
        How many there are.
    work
        Address of the `WORK_ITEMS` numbers that tell what memory there is to work with.

    Returns
    -------
    int
        0.
    """
    for index in range(count):
        chunk = chunks + index * _CHUNK_NBYTES
        store_64(chunk, CHUNK_RESULT * 8, _decode_small_chunk(chunk, work))
    return 0
