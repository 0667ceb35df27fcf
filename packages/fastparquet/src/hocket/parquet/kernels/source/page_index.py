"""Where the pages of a column chunk are: the offset index as a table of numbers."""

from __future__ import annotations

from hocket.parquet.kernels.faults import THRIFT_FIELD_MISSING, THRIFT_TYPE
from hocket.parquet.kernels.language import kernel, store_64
from hocket.parquet.kernels.source.thrift import (
    STOP,
    STRUCT,
    is_integer,
    read_field,
    read_integer,
    read_list,
    skip_value,
)

__all__ = ["scan_page_locations"]


@kernel
def scan_page_locations(
    source: int, end: int, position: int, table: int, count: int, stack: int
) -> int:
    """Write offset, size and first row of each PageLocation of a list.

    The result is the position after the list.

    Parameters
    ----------
    source, end, position
        Where the header of the list is.
    table
        Three 64-bit numbers for each.
    count
        How many there are.
    stack
        Scratch memory, see `skip_value`.
    """
    kind, found, position = read_list(source, end, position)
    if position < 0:
        return position
    if found != count or (count > 0 and kind != STRUCT):
        return -THRIFT_TYPE
    for index in range(count):
        seen = 0
        field = 0
        while True:
            kind, field, position = read_field(source, end, position, field)
            if position < 0 or kind == STOP:
                break
            if field < 1 or field > 3:
                position = skip_value(source, end, position, kind, stack)
            elif is_integer(kind):
                value, position = read_integer(source, end, position, kind)
                store_64(table, index * 24 + field * 8 - 8, value)
                seen |= 1 << field
            else:
                return -THRIFT_TYPE
            if position < 0:
                break
        if position < 0:
            return position
        if seen != 14:
            return -THRIFT_FIELD_MISSING
    return position
