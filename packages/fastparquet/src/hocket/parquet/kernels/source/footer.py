"""The footer of a file as tables of numbers: row groups and column chunks.

Strings, statistics and all that is seldom wanted stay where they are: the tables tell positions.
"""

from __future__ import annotations

from typing import Final

from hocket.parquet.kernels.faults import (
    COUNT_MISMATCH,
    SIZE_OUTSIDE,
    THRIFT_FIELD_MISSING,
    THRIFT_TYPE,
)
from hocket.parquet.kernels.language import (
    fill,
    helper,
    inlined,
    kernel,
    load_8,
    load_64,
    store_64,
)
from hocket.parquet.kernels.source.thrift import (
    BINARY,
    LIST,
    SCAN_ITEM,
    STOP,
    STRUCT,
    is_integer,
    read_field,
    read_integer,
    read_list,
    scan_value,
    skip_value,
)

__all__ = [
    "AT_CHUNK",
    "AT_CRYPTO",
    "AT_ENCODING_STATISTICS",
    "AT_ENCRYPTED_METADATA",
    "AT_FILE_PATH",
    "AT_GEOSPATIAL_STATISTICS",
    "AT_GROUP",
    "AT_KEY_VALUES",
    "AT_METADATA",
    "AT_PATH",
    "AT_SIZE_STATISTICS",
    "AT_SORTING",
    "AT_STATISTICS",
    "BLOOM_NBYTES",
    "BLOOM_OFFSET",
    "CHUNK_ATTRIBUTES",
    "CODEC",
    "COLUMN_INDEX_NBYTES",
    "COLUMN_INDEX_OFFSET",
    "COMPRESSED_NBYTES",
    "DATA_PAGE_OFFSET",
    "DICTIONARY_PAGE_OFFSET",
    "ENCODINGS",
    "GROUP_ATTRIBUTES",
    "GROUP_NBYTES",
    "GROUP_ORDINAL",
    "GROUP_ROWS",
    "INDEX_PAGE_OFFSET",
    "NUM_VALUES",
    "OFFSET_INDEX_NBYTES",
    "OFFSET_INDEX_OFFSET",
    "OTHER_PATHS",
    "PHYSICAL_TYPE",
    "UNCOMPRESSED_NBYTES",
    "scan_column_metadata",
    "scan_footer",
    "scan_row_groups",
]

# Columns of the table of row groups. Those from 2 to 7 are fields of RowGroup, with its numbers;
# "AT" is always the position of something in the footer, -1 if it is not there.
AT_GROUP: Final = 0
OTHER_PATHS: Final = 1
GROUP_NBYTES: Final = 2
GROUP_ROWS: Final = 3
AT_SORTING: Final = 4
GROUP_ORDINAL: Final = 7
GROUP_ATTRIBUTES: Final = 8

# Attributes of a column chunk. Those from 1 to 17 are fields of ColumnMetaData, with its numbers;
# those from 18 to 26 are fields of ColumnChunk: its numbers and 17.
AT_CHUNK: Final = 0
PHYSICAL_TYPE: Final = 1
ENCODINGS: Final = 2
AT_PATH: Final = 3
CODEC: Final = 4
NUM_VALUES: Final = 5
UNCOMPRESSED_NBYTES: Final = 6
COMPRESSED_NBYTES: Final = 7
AT_KEY_VALUES: Final = 8
DATA_PAGE_OFFSET: Final = 9
INDEX_PAGE_OFFSET: Final = 10
DICTIONARY_PAGE_OFFSET: Final = 11
AT_STATISTICS: Final = 12
AT_ENCODING_STATISTICS: Final = 13
BLOOM_OFFSET: Final = 14
BLOOM_NBYTES: Final = 15
AT_SIZE_STATISTICS: Final = 16
AT_GEOSPATIAL_STATISTICS: Final = 17
AT_FILE_PATH: Final = 18
AT_METADATA: Final = 20
OFFSET_INDEX_OFFSET: Final = 21
OFFSET_INDEX_NBYTES: Final = 22
COLUMN_INDEX_OFFSET: Final = 23
COLUMN_INDEX_NBYTES: Final = 24
AT_CRYPTO: Final = 25
AT_ENCRYPTED_METADATA: Final = 26
CHUNK_ATTRIBUTES: Final = 27

_FIELDS_OF_METADATA: Final = 17

# Which fields of ColumnMetaData are integers, lists and structs: a bit for each.
_INTEGERS: Final = 0b00_1100_1110_1111_0010
_LISTS: Final = 0b00_0010_0001_0000_0000
_STRUCTS: Final = 0b11_0001_0000_0000_0000
#: What must be there: all up to 9 but the path (3), which newer files leave out, and 8.
_REQUIRED: Final = 0b10_1111_0110
#: What may not be negative.
_NOT_NEGATIVE: Final = 0b10_1111_0010


@kernel
def scan_footer(
    source: int, end: int, position: int, previous: int, items: int, count: int, stack: int
) -> int:
    """Find the fields of a FileMetaData, up to its next list of structs that is worth a table.

    Parameters
    ----------
    source, end, position
        Where to go on.
    previous
        Number of the field before.
    items
        As `scan_struct` fills them. Item 0 tells why this ended: its second number is 2 (schema) or
        4 (row groups), then the result is the position of that list; or 0 at the struct's end.
    count
        How many fields there is space for.
    stack
        Scratch memory, see `skip_value`.
    """
    field = previous
    store_64(items, 8, 0)
    while True:
        kind, field, position = read_field(source, end, position, field)
        if position < 0 or kind == STOP:
            return position
        if field == 2 or field == 4:
            if kind != LIST:
                return -THRIFT_TYPE
            store_64(items, 8, field)
            return position
        if field >= 1 and field < count:
            item = items + field * 8 * SCAN_ITEM
            position = scan_value(source, end, position, kind, 0, item, stack)
        else:
            position = skip_value(source, end, position, kind, stack)
        if position < 0:
            return position


@kernel
def scan_row_groups(
    source: int,
    end: int,
    position: int,
    groups: int,
    group_count: int,
    chunks: int,
    column_count: int,
    paths: int,
    path_ends: int,
    stack: int,
) -> int:
    """Fill the tables of row groups and column chunks; return the position after the list.

    Parameters
    ----------
    source, end, position
        Where the header of the list is.
    groups
        `GROUP_ATTRIBUTES` numbers for each row group.
    group_count
        How many row groups there are.
    chunks
        Address of an array of 64-bit numbers of the shape (`CHUNK_ATTRIBUTES`, `group_count`,
        `column_count`).
    column_count
        How many columns the schema has: each row group must have that many chunks.
    paths
        For each column its path as a list in the compact protocol, header included.
    path_ends
        Where in `paths` each column's path ends, as 64-bit numbers. Chunks of other paths than
        their column's are counted in the table of row groups.
    stack
        Scratch memory, see `skip_value`.
    """
    kind, found, position = read_list(source, end, position)
    if position < 0:
        return position
    if found != group_count or (found > 0 and kind != STRUCT):
        return -THRIFT_TYPE
    plane = group_count * column_count * 8
    for group in range(group_count):
        row = groups + group * GROUP_ATTRIBUTES * 8
        fill(row, 255, GROUP_ATTRIBUTES * 8)
        store_64(row, AT_GROUP * 8, position)
        field = 0
        while True:
            kind, field, position = read_field(source, end, position, field)
            if position < 0 or kind == STOP:
                break
            if field == 1 and kind == LIST:
                at = chunks + group * column_count * 8
                others, position = _scan_chunks(
                    source, end, position, at, plane, column_count, paths, path_ends, stack
                )
                store_64(row, OTHER_PATHS * 8, others)
            elif field < 1 or field > GROUP_ORDINAL:
                position = skip_value(source, end, position, kind, stack)
            elif field == AT_SORTING and kind == LIST:
                store_64(row, field * 8, position)
                position = skip_value(source, end, position, kind, stack)
            elif field != 1 and field != AT_SORTING and is_integer(kind):
                value, position = read_integer(source, end, position, kind)
                store_64(row, field * 8, value)
            else:
                return -THRIFT_TYPE
            if position < 0:
                break
        if position < 0:
            return position
        if load_64(row, OTHER_PATHS * 8) < 0:
            return -THRIFT_FIELD_MISSING
        if load_64(row, GROUP_ROWS * 8) < 0:
            return -SIZE_OUTSIDE
    return position


@helper
def _scan_chunks(
    source: int,
    end: int,
    position: int,
    chunks: int,
    plane: int,
    column_count: int,
    paths: int,
    path_ends: int,
    stack: int,
) -> tuple[int, int]:
    """Read the chunks of a row group: how many have unexpected paths, and the next position."""
    kind, found, position = read_list(source, end, position)
    if position < 0:
        return 0, position
    if found != column_count:
        return 0, -COUNT_MISMATCH
    if found > 0 and kind != STRUCT:
        return 0, -THRIFT_TYPE
    others = 0
    begin = 0
    for column in range(column_count):
        finish = load_64(path_ends, column * 8)
        at = chunks + column * 8
        position = _scan_chunk(
            source, end, position, at, plane, paths + begin, finish - begin, stack
        )
        if position < 0:
            return 0, position
        if load_64(at, AT_PATH * plane) >= 0:
            others += 1
        begin = finish
    return others, position


@helper
def _scan_chunk(
    source: int,
    end: int,
    position: int,
    at: int,
    plane: int,
    path: int,
    path_nbytes: int,
    stack: int,
) -> int:
    """Read a ColumnChunk into one column of the table: `plane` bytes lie between attributes."""
    for attribute in range(CHUNK_ATTRIBUTES):
        store_64(at, attribute * plane, -1)
    store_64(at, AT_CHUNK * plane, position)
    field = 0
    while True:
        kind, field, position = read_field(source, end, position, field)
        if position < 0 or kind == STOP:
            break
        slot = _FIELDS_OF_METADATA + field
        if slot == AT_METADATA and kind == STRUCT:
            position = _scan_metadata(source, end, position, at, plane, path, path_nbytes, stack)
        elif slot >= OFFSET_INDEX_OFFSET and slot <= COLUMN_INDEX_NBYTES and is_integer(kind):
            value, position = read_integer(source, end, position, kind)
            store_64(at, slot * plane, value)
        elif (slot == AT_CRYPTO and kind == STRUCT) or (
            kind == BINARY and (slot == AT_FILE_PATH or slot == AT_ENCRYPTED_METADATA)
        ):
            store_64(at, slot * plane, position)
            position = skip_value(source, end, position, kind, stack)
        elif field == 2 or field < 1 or slot > AT_ENCRYPTED_METADATA:
            # Field 2, a position in the file, is wrong in many files and of no use.
            position = skip_value(source, end, position, kind, stack)
        else:
            return -THRIFT_TYPE
        if position < 0:
            break
    if (
        position >= 0
        and load_64(at, AT_METADATA * plane) < 0
        and load_64(at, AT_ENCRYPTED_METADATA * plane) < 0
    ):
        return -THRIFT_FIELD_MISSING
    return position


@kernel
def scan_column_metadata(
    source: int,
    end: int,
    position: int,
    at: int,
    plane: int,
    path: int,
    path_nbytes: int,
    stack: int,
) -> int:
    """Read a ColumnMetaData into one column of the table of chunks; return the position after it.

    Parameters
    ----------
    source, end, position
        Where the struct is.
    at
        Address of the chunk's first attribute.
    plane
        Bytes from one attribute to the next.
    path, path_nbytes
        The column's path, as `scan_row_groups` takes it.
    stack
        Scratch memory, see `skip_value`.
    """
    for attribute in range(PHYSICAL_TYPE, _FIELDS_OF_METADATA + 1):
        store_64(at, attribute * plane, -1)
    return _scan_metadata(source, end, position, at, plane, path, path_nbytes, stack)


@helper
def _scan_metadata(
    source: int,
    end: int,
    position: int,
    at: int,
    plane: int,
    path: int,
    path_nbytes: int,
    stack: int,
) -> int:
    store_64(at, AT_METADATA * plane, position)
    seen = 0
    field = 0
    while True:
        kind, field, position = read_field(source, end, position, field)
        if position < 0 or kind == STOP:
            break
        if field < 1 or field > _FIELDS_OF_METADATA:
            position = skip_value(source, end, position, kind, stack)
        else:
            bit = 1 << field
            seen |= bit
            if (_INTEGERS & bit) != 0 and is_integer(kind):
                value, position = read_integer(source, end, position, kind)
                store_64(at, field * plane, value)
                if value < 0 and (_NOT_NEGATIVE & bit) != 0:
                    return -SIZE_OUTSIDE
            elif ((_STRUCTS & bit) != 0 and kind == STRUCT) or (
                (_LISTS & bit) != 0 and kind == LIST
            ):
                store_64(at, field * plane, position)
                position = skip_value(source, end, position, kind, stack)
            elif field == AT_PATH and kind == LIST:
                position = _scan_path(
                    source, end, position, at + AT_PATH * plane, path, path_nbytes, stack
                )
            elif field == ENCODINGS and kind == LIST:
                encodings, position = _scan_encodings(source, end, position)
                store_64(at, ENCODINGS * plane, encodings)
            else:
                return -THRIFT_TYPE
        if position < 0:
            break
    if position >= 0 and (seen & _REQUIRED) != _REQUIRED:
        return -THRIFT_FIELD_MISSING
    return position


@inlined
def _scan_path(
    source: int, end: int, position: int, at: int, path: int, path_nbytes: int, stack: int
) -> int:
    """Pass a path that is the column's own; note the position of any other."""
    equal = 0
    if path_nbytes > 0 and path_nbytes <= end - position:
        # All but the last bytes by eights.
        index = 0
        while index + 8 <= path_nbytes and load_64(source, position + index) == load_64(
            path, index
        ):
            index += 8
        if index + 8 > path_nbytes:
            while index < path_nbytes and load_8(source, position + index) == load_8(path, index):
                index += 1
        equal = 1 if index == path_nbytes else 0
    if equal != 0:
        return position + path_nbytes
    store_64(at, 0, position)
    return skip_value(source, end, position, LIST, stack)


@helper
def _scan_encodings(source: int, end: int, position: int) -> tuple[int, int]:
    """Read a list of encodings: a bit for each, and the next position."""
    mask = 0
    kind, count, position = read_list(source, end, position)
    if position >= 0 and count > 0 and not is_integer(kind):
        return mask, -THRIFT_TYPE
    for _ in range(count):
        value, position = read_integer(source, end, position, kind)
        if position < 0:
            return mask, position
        # Encodings that nobody knows share the highest bit.
        mask |= 1 << (value if value >= 0 and value < 62 else 62)
    return mask, position
