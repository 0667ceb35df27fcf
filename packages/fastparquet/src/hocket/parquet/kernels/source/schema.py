"""Schema elements as rows of numbers; and lists of unions and of key-value pairs, as a footer has.

Names and other strings stay where they are: the rows tell positions.
"""

from __future__ import annotations

from typing import Final

from hocket.parquet.kernels.faults import (
    NEGATIVE_TYPE,
    SIZE_OUTSIDE,
    THRIFT_FIELD_MISSING,
    THRIFT_TYPE,
)
from hocket.parquet.kernels.language import fill, helper, kernel, load_64, store_64
from hocket.parquet.kernels.source.thrift import (
    BINARY,
    STOP,
    STRUCT,
    TRUE,
    is_boolean,
    is_integer,
    read_binary,
    read_field,
    read_integer,
    read_list,
    skip_value,
)

__all__ = [
    "CHILD_COUNT",
    "CONVERTED",
    "FIELD_ID",
    "FIRST",
    "HAS_FIELD_ID",
    "MEMBER",
    "NAME_AT",
    "NAME_NBYTES",
    "PHYSICAL_TYPE",
    "PRECISION",
    "REPETITION",
    "SCALE",
    "SCHEMA_ATTRIBUTES",
    "SECOND",
    "TEXT_AT",
    "TEXT_NBYTES",
    "TYPE_LENGTH",
    "scan_key_values",
    "scan_schema",
    "scan_unions",
]

# Numbers of a row. Those from 1 to 10 are the fields of a SchemaElement, with its numbers.
NAME_NBYTES: Final = 0
PHYSICAL_TYPE: Final = 1
TYPE_LENGTH: Final = 2
REPETITION: Final = 3
NAME_AT: Final = 4
CHILD_COUNT: Final = 5
CONVERTED: Final = 6
SCALE: Final = 7
PRECISION: Final = 8
FIELD_ID: Final = 9
#: Which logical type: the number of the union's member; 0 if none is set, -1 without a union.
MEMBER: Final = 10
#: What the member's fields 1 and 2 are, if integers, booleans or unions (of those the member).
FIRST: Final = 11
SECOND: Final = 12
#: A string in the member.
TEXT_AT: Final = 13
TEXT_NBYTES: Final = 14
HAS_FIELD_ID: Final = 15
SCHEMA_ATTRIBUTES: Final = 16

#: Fields 1 to 3 and 5 to 9 are integers.
_INTEGERS: Final = 0b11_1110_1110
_NONE: Final = -1


@kernel
def scan_schema(source: int, end: int, position: int, table: int, count: int, stack: int) -> int:
    """Write a row of numbers for each schema element; return the position after the list.

    Parameters
    ----------
    source, end, position
        Where the header of the list is.
    table
        `SCHEMA_ATTRIBUTES` 64-bit numbers for each element.
    count
        How many elements there are.
    stack
        Scratch memory, see `skip_value`.
    """
    kind, found, position = read_list(source, end, position)
    if position < 0:
        return position
    if found != count or (count > 0 and kind != STRUCT):
        return -THRIFT_TYPE
    for index in range(count):
        row = table + index * SCHEMA_ATTRIBUTES * 8
        position = _scan_element(source, end, position, row, stack)
        if position < 0:
            return position
    return position


@helper
def _scan_element(source: int, end: int, position: int, row: int, stack: int) -> int:
    fill(row, 255, SCHEMA_ATTRIBUTES * 8)
    store_64(row, TYPE_LENGTH * 8, 0)
    store_64(row, SCALE * 8, 0)
    store_64(row, PRECISION * 8, 0)
    store_64(row, HAS_FIELD_ID * 8, 0)
    field = 0
    while True:
        kind, field, position = read_field(source, end, position, field)
        if position < 0 or kind == STOP:
            break
        if field == NAME_AT and kind == BINARY:
            nbytes, position = read_binary(source, end, position)
            store_64(row, NAME_AT * 8, position)
            store_64(row, NAME_NBYTES * 8, nbytes)
            if position >= 0:
                position += nbytes
        elif field == MEMBER and kind == STRUCT:
            position = _scan_logical(source, end, position, row, stack)
        elif field < 1 or field > MEMBER:
            position = skip_value(source, end, position, kind, stack)
        elif (_INTEGERS >> field) & 1 and is_integer(kind):
            value, position = read_integer(source, end, position, kind)
            store_64(row, field * 8, value)
            if field == FIELD_ID:
                store_64(row, HAS_FIELD_ID * 8, 1)
            elif value < 0 and field == PHYSICAL_TYPE:
                return -NEGATIVE_TYPE
            elif value < 0 and field == CHILD_COUNT:
                return -SIZE_OUTSIDE
        else:
            return -THRIFT_TYPE
        if position < 0:
            break
    if position >= 0 and load_64(row, NAME_AT * 8) < 0:
        return -THRIFT_FIELD_MISSING
    return position


@helper
def _scan_logical(source: int, end: int, position: int, row: int, stack: int) -> int:
    """Read a LogicalType: which member it is, and what the member holds."""
    store_64(row, MEMBER * 8, 0)
    member = 0
    while True:
        kind, member, position = read_field(source, end, position, member)
        if position < 0 or kind == STOP:
            return position
        if kind == STRUCT:
            store_64(row, MEMBER * 8, member)
            store_64(row, FIRST * 8, _NONE)
            store_64(row, SECOND * 8, _NONE)
            store_64(row, TEXT_AT * 8, _NONE)
            position = _scan_parameters(source, end, position, row, stack)
        else:
            position = skip_value(source, end, position, kind, stack)
        if position < 0:
            return position


@helper
def _scan_parameters(source: int, end: int, position: int, row: int, stack: int) -> int:
    """Read the fields of a member of LogicalType: integers, booleans, a string, a union."""
    field = 0
    while True:
        kind, field, position = read_field(source, end, position, field)
        if position < 0 or kind == STOP:
            return position
        slot = FIRST if field == 1 else SECOND
        if field != 1 and field != 2:
            position = skip_value(source, end, position, kind, stack)
        elif is_integer(kind):
            value, position = read_integer(source, end, position, kind)
            store_64(row, slot * 8, value)
        elif is_boolean(kind):
            store_64(row, slot * 8, 1 if kind == TRUE else 0)
        elif kind == BINARY:
            nbytes, position = read_binary(source, end, position)
            store_64(row, TEXT_AT * 8, position)
            store_64(row, TEXT_NBYTES * 8, nbytes)
            if position >= 0:
                position += nbytes
        elif kind == STRUCT:
            unit, position = _scan_union(source, end, position, stack)
            store_64(row, slot * 8, unit)
        else:
            return -THRIFT_TYPE
        if position < 0:
            return position


@helper
def _scan_union(source: int, end: int, position: int, stack: int) -> tuple[int, int]:
    """Read a union: the number of the member that is set, 0 if none is; and the next position."""
    found = 0
    member = 0
    while True:
        kind, member, position = read_field(source, end, position, member)
        if position < 0 or kind == STOP:
            return found, position
        found = member
        position = skip_value(source, end, position, kind, stack)
        if position < 0:
            return found, position


@kernel
def scan_unions(source: int, end: int, position: int, members: int, count: int, stack: int) -> int:
    """Write which member is set in each union of a list; return the position after it.

    Parameters
    ----------
    source, end, position
        Where the header of the list is.
    members
        A 64-bit number for each union.
    count
        How many unions there are.
    stack
        Scratch memory, see `skip_value`.
    """
    kind, found, position = read_list(source, end, position)
    if position < 0:
        return position
    if found != count or (count > 0 and kind != STRUCT):
        return -THRIFT_TYPE
    for index in range(count):
        member, position = _scan_union(source, end, position, stack)
        if position < 0:
            return position
        store_64(members, index * 8, member)
    return position


@kernel
def scan_key_values(
    source: int, end: int, position: int, table: int, count: int, stack: int
) -> int:
    """Write where key and value of each KeyValue of a list are; return the position after it.

    Parameters
    ----------
    source, end, position
        Where the header of the list is.
    table
        Four 64-bit numbers for each: position and size of the key, position (-1 if there is none)
        and size of the value.
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
        position = _scan_key_value(source, end, position, table + index * 32, stack)
        if position < 0:
            return position
    return position


@helper
def _scan_key_value(source: int, end: int, position: int, row: int, stack: int) -> int:
    fill(row, 255, 32)
    field = 0
    while True:
        kind, field, position = read_field(source, end, position, field)
        if position < 0:
            return position
        if kind == STOP:
            return position if load_64(row, 0) >= 0 else -THRIFT_FIELD_MISSING
        if field != 1 and field != 2:
            position = skip_value(source, end, position, kind, stack)
        elif kind == BINARY:
            nbytes, position = read_binary(source, end, position)
            store_64(row, field * 16 - 16, position)
            store_64(row, field * 16 - 8, nbytes)
            if position >= 0:
                position += nbytes
        else:
            return -THRIFT_TYPE
        if position < 0:
            return position
