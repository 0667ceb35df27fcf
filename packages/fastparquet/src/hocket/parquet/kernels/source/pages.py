"""Headers of pages: those of a whole column chunk in one call, as a table of numbers."""

from __future__ import annotations

from typing import Final

from hocket.parquet.kernels.faults import (
    COUNT_MISMATCH,
    LEVEL_LENGTHS,
    NEGATIVE_LENGTH,
    NO_SPACE,
    PLACE,
    SIZE_OUTSIDE,
    THRIFT_FIELD_MISSING,
    THRIFT_TYPE,
    TRUNCATED,
)
from hocket.parquet.kernels.language import helper, inlined, kernel, load_64, store_64
from hocket.parquet.kernels.source.thrift import (
    STOP,
    STRUCT,
    TRUE,
    is_boolean,
    is_integer,
    read_field,
    read_integer,
    skip_value,
)

__all__ = [
    "BODY",
    "COMPRESSED_NBYTES",
    "CRC",
    "DATA_PAGE",
    "DATA_PAGE_V2",
    "DEFINITION_ENCODING",
    "DEFINITION_NBYTES",
    "DICTIONARY_PAGE",
    "ENCODING",
    "END_ADDRESS",
    "FIRST_VALUE",
    "HEADER",
    "INDEX_PAGE",
    "IS_COMPRESSED",
    "IS_SORTED",
    "LEVELS_ADDRESS",
    "NULLS",
    "ORDINAL",
    "PAGE_COLUMNS",
    "REPETITION_ENCODING",
    "REPETITION_NBYTES",
    "ROWS",
    "SCAN_PAGES",
    "SCAN_POSITION",
    "SCAN_VALUES",
    "SEGMENT",
    "TYPE",
    "UNCOMPRESSED_NBYTES",
    "VALUES",
    "VALUES_ADDRESS",
    "read_page_header",
    "scan_pages",
]

#: What a page is.
DATA_PAGE: Final = 0
INDEX_PAGE: Final = 1
DICTIONARY_PAGE: Final = 2
DATA_PAGE_V2: Final = 3

#: The columns of a table of pages; -1 stands for what a header does not say.
TYPE: Final = 0
HEADER: Final = 1
BODY: Final = 2
COMPRESSED_NBYTES: Final = 3
UNCOMPRESSED_NBYTES: Final = 4
CRC: Final = 5
VALUES: Final = 6
NULLS: Final = 7
ROWS: Final = 8
ENCODING: Final = 9
DEFINITION_ENCODING: Final = 10
REPETITION_ENCODING: Final = 11
DEFINITION_NBYTES: Final = 12
REPETITION_NBYTES: Final = 13
IS_COMPRESSED: Final = 14
IS_SORTED: Final = 15
SEGMENT: Final = 16
FIRST_VALUE: Final = 17
#: Addresses that `chunk` reads, set by who decompressed the page: of levels (and, in version 1,
#: values), of values in version 2, and of the end of the values.
LEVELS_ADDRESS: Final = 18
VALUES_ADDRESS: Final = 19
END_ADDRESS: Final = 20
#: Number of a data page in its chunk; only known of encrypted ones.
ORDINAL: Final = 21
PAGE_COLUMNS: Final = 22

#: What `scan_pages` keeps between calls: next position, pages found, values found.
SCAN_POSITION: Final = 0
SCAN_PAGES: Final = 1
SCAN_VALUES: Final = 2

_SIZE_MAX: Final = 0x7FFFFFFF
_NO_COLUMN: Final = -1


@inlined
def _column_of(page_field: int, field: int) -> int:
    """Return the table's column of a field of a page's own header; -1 if it is not wanted."""
    column = _NO_COLUMN
    if field == 1:
        column = VALUES
    elif page_field == 5:
        if field >= 2 and field <= 4:
            column = ENCODING + field - 2
    elif page_field == 7:
        if field == 2:
            column = ENCODING
    elif field == 2 or field == 3:
        column = NULLS + field - 2
    elif field == 4:
        column = ENCODING
    elif field == 5 or field == 6:
        column = DEFINITION_NBYTES + field - 5
    return column


@helper
def _read_own_header(
    source: int, end: int, position: int, page_field: int, row: int, stack: int
) -> int:
    """Read the header that is special to one type of page; return the position after it."""
    field = 0
    while True:
        kind, field, position = read_field(source, end, position, field)
        if position < 0 or kind == STOP:
            return position
        column = _column_of(page_field, field)
        if column >= 0:
            if not is_integer(kind):
                return -THRIFT_TYPE
            value, position = read_integer(source, end, position, kind)
            store_64(row, column * 8, value)
        elif is_boolean(kind):
            flag = 1 if kind == TRUE else 0
            if page_field == 8 and field == 7:
                store_64(row, IS_COMPRESSED * 8, flag)
            elif page_field == 7 and field == 3:
                store_64(row, IS_SORTED * 8, flag)
        else:
            position = skip_value(source, end, position, kind, stack)
        if position < 0:
            return position


@helper
def _read_fields(source: int, end: int, position: int, row: int, stack: int) -> int:
    """Read a page's header into a row that holds only -1; return the position after it."""
    own = 0
    field = 0
    while True:
        kind, field, position = read_field(source, end, position, field)
        if position < 0:
            return position
        if kind == STOP:
            break
        if field >= 1 and field <= 4:
            if not is_integer(kind):
                return -THRIFT_TYPE
            value, position = read_integer(source, end, position, kind)
            if field == 1:
                store_64(row, TYPE * 8, value)
            elif field == 2:
                store_64(row, UNCOMPRESSED_NBYTES * 8, value)
            elif field == 3:
                store_64(row, COMPRESSED_NBYTES * 8, value)
            else:
                store_64(row, CRC * 8, value & 0xFFFFFFFF)
        elif kind == STRUCT and (field == 5 or field == 7 or field == 8):
            own = own | (1 << field)
            position = _read_own_header(source, end, position, field, row, stack)
        else:
            position = skip_value(source, end, position, kind, stack)
        if position < 0:
            return position
    kind = load_64(row, TYPE * 8)
    wanted = 0
    if kind == DATA_PAGE:
        wanted = 1 << 5
    elif kind == DICTIONARY_PAGE:
        wanted = 1 << 7
    elif kind == DATA_PAGE_V2:
        wanted = 1 << 8
    if kind < 0 or own & wanted != wanted:
        return -THRIFT_FIELD_MISSING
    return position


@helper
def _checked(row: int, position: int) -> int:
    """Return the position, or what is wrong with a page's header."""
    kind = load_64(row, TYPE * 8)
    compressed = load_64(row, COMPRESSED_NBYTES * 8)
    uncompressed = load_64(row, UNCOMPRESSED_NBYTES * 8)
    if compressed < 0 or uncompressed < 0:
        return -NEGATIVE_LENGTH
    if compressed > _SIZE_MAX or uncompressed > _SIZE_MAX:
        return -SIZE_OUTSIDE
    if kind == INDEX_PAGE or kind > DATA_PAGE_V2:
        return position
    if load_64(row, ENCODING * 8) < 0:
        return -THRIFT_FIELD_MISSING
    values = load_64(row, VALUES * 8)
    if values < 0 or values > _SIZE_MAX:
        return -COUNT_MISMATCH
    if kind == DATA_PAGE_V2:
        nulls = load_64(row, NULLS * 8)
        if nulls < 0 or nulls > values:
            return -COUNT_MISMATCH
        rows = load_64(row, ROWS * 8)
        if rows < 0 or rows > values:
            return -COUNT_MISMATCH
        definition = load_64(row, DEFINITION_NBYTES * 8)
        repetition = load_64(row, REPETITION_NBYTES * 8)
        if definition < 0 or repetition < 0:
            return -LEVEL_LENGTHS
        if definition > uncompressed or repetition > uncompressed - definition:
            return -LEVEL_LENGTHS
        if definition > compressed or repetition > compressed - definition:
            return -LEVEL_LENGTHS
    return position


@kernel
def read_page_header(source: int, end: int, position: int, row: int, stack: int) -> int:
    """Read one page's header into a row of the table; return the position after it.

    Parameters
    ----------
    source, end, position
        Where to read, in offsets from `source`.
    row
        Address of `PAGE_COLUMNS` 64-bit numbers; offsets in the file, the segment and the first
        value are left at -1.
    stack
        Scratch memory of `thrift.STACK_NBYTES`.
    """
    for column in range(PAGE_COLUMNS):
        store_64(row, column * 8, -1)
    position = _read_fields(source, end, position, row, stack)
    if position < 0:
        return position
    if load_64(row, IS_COMPRESSED * 8) < 0:
        store_64(row, IS_COMPRESSED * 8, 1)
    return _checked(row, position)


@kernel
def scan_pages(
    source: int,
    end: int,
    origin: int,
    wanted: int,
    table: int,
    capacity: int,
    state: int,
    stack: int,
) -> int:
    """Read the headers of pages until enough values were seen or the bytes end.

    Parameters
    ----------
    source, end
        The bytes of whole pages, one after the other.
    origin
        Where the first of them lies in the file.
    wanted
        How many values there should be; what follows the page that completes them is not looked at.
        -1 if all pages that are there count.
    table, capacity
        Address of the table, and how many rows it has space for.
    state
        `SCAN_POSITION`, `SCAN_PAGES` and `SCAN_VALUES`, kept up to date: with more space, or with
        another segment and position 0, the scan goes on.
    stack
        Scratch memory of `thrift.STACK_NBYTES`.

    Returns
    -------
    int
        0, or ``-NO_SPACE`` when the table is full, or what is wrong, with the number of the page.
    """
    position = load_64(state, SCAN_POSITION * 8)
    pages = load_64(state, SCAN_PAGES * 8)
    values = load_64(state, SCAN_VALUES * 8)
    answer = 0
    while position < end and (wanted < 0 or values < wanted):
        if pages == capacity:
            answer = -NO_SPACE
            break
        row = table + pages * (PAGE_COLUMNS * 8)
        after = read_page_header(source, end, position, row, stack)
        if after < 0:
            answer = after - pages * PLACE
            break
        compressed = load_64(row, COMPRESSED_NBYTES * 8)
        if compressed > end - after:
            answer = -TRUNCATED - pages * PLACE
            break
        store_64(row, HEADER * 8, origin + position)
        store_64(row, BODY * 8, origin + after)
        store_64(row, FIRST_VALUE * 8, values)
        kind = load_64(row, TYPE * 8)
        if kind == DATA_PAGE or kind == DATA_PAGE_V2:
            values += load_64(row, VALUES * 8)
        pages += 1
        position = after + compressed
    store_64(state, SCAN_POSITION * 8, position)
    store_64(state, SCAN_PAGES * 8, pages)
    store_64(state, SCAN_VALUES * 8, values)
    return answer
