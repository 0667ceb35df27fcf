"""Thrift's compact protocol: numbers, headers of fields and lists, and skipping what is not wanted.

All functions take the address of the first byte, the end of what may be read (as an offset) and a
position (as an offset), and return the next position, which is negative if something is wrong: then
it is ``-fault``. Nothing at or after `end` is ever taken for a value.

A reader of a struct is a loop::

    field = 0
    while True:
        kind, field, position = read_field(source, end, position, field)
        if position < 0 or kind == STOP:
            break
        if field == 1 and is_integer(kind):
            value, position = read_integer(source, end, position, kind)
        else:
            position = skip_value(source, end, position, kind, stack)
        if position < 0:
            break
"""

from __future__ import annotations

from typing import Final

from hocket.parquet.kernels.faults import (
    NEGATIVE_LENGTH,
    THRIFT_DEPTH,
    THRIFT_TYPE,
    TRUNCATED,
    VARINT_TOO_LONG,
)
from hocket.parquet.kernels.language import (
    helper,
    inlined,
    kernel,
    load_8,
    load_64,
    shift_right,
    store_64,
    wrap,
)

__all__ = [
    "BINARY",
    "BYTE",
    "DEPTH_MAX",
    "DOUBLE",
    "FALSE",
    "I16",
    "I32",
    "I64",
    "LIST",
    "MAP",
    "SCAN_ITEM",
    "SET",
    "STACK_NBYTES",
    "STOP",
    "STRUCT",
    "TRUE",
    "UUID",
    "is_boolean",
    "is_integer",
    "read_binary",
    "read_field",
    "read_integer",
    "read_list",
    "read_varint",
    "scan_list",
    "scan_struct",
    "scan_value",
    "skip_any",
    "skip_value",
    "skip_varint",
    "zigzag",
]

#: What a field or an element is.
STOP: Final = 0
TRUE: Final = 1
FALSE: Final = 2
BYTE: Final = 3
I16: Final = 4
I32: Final = 5
I64: Final = 6
DOUBLE: Final = 7
BINARY: Final = 8
LIST: Final = 9
SET: Final = 10
MAP: Final = 11
STRUCT: Final = 12
UUID: Final = 13

#: Structures may be nested this deeply in each other.
DEPTH_MAX: Final = 64
#: Size of the scratch memory that `skip_value` needs.
STACK_NBYTES: Final = 16 * DEPTH_MAX
#: `scan_struct` and `scan_list` write this many numbers for each field or element.
SCAN_ITEM: Final = 3


@inlined
def zigzag(value: int) -> int:
    """Return the signed number that a variable-length integer stands for."""
    return shift_right(value, 1) ^ -(value & 1)


@helper
def read_varint(source: int, end: int, position: int) -> tuple[int, int]:
    """Read a variable-length integer of at most 10 bytes: its 64 bits, and the next position."""
    value = 0
    if position >= end:
        return value, -TRUNCATED
    byte = load_8(source, position)
    if byte < 128:
        return byte, position + 1
    value = byte & 127
    shift = 7
    while shift < 70:
        position += 1
        if position >= end:
            return value, -TRUNCATED
        byte = load_8(source, position)
        value = (
            value | wrap((byte & 127) << shift) if shift < 63 else value | wrap((byte & 1) << 63)
        )
        if byte < 128:
            return value, position + 1
        shift += 7
    return value, -VARINT_TOO_LONG


@helper
def skip_varint(source: int, end: int, position: int) -> int:
    """Return the position after a variable-length integer."""
    if position >= end:
        return -TRUNCATED
    # Which of the next eight bytes is the last: the first whose highest bit is not set.
    most = position + 10
    while position < most:
        if position >= end:
            return -TRUNCATED
        if load_8(source, position) < 128:
            return position + 1
        position += 1
    return -VARINT_TOO_LONG


@inlined
def is_integer(kind: int) -> bool:
    """Tell whether a field holds an integer of any size."""
    return kind >= BYTE and kind <= I64


@inlined
def is_boolean(kind: int) -> bool:
    """Tell whether a field holds a boolean; then its kind is its value."""
    return kind >= TRUE and kind <= FALSE


@helper
def read_integer(source: int, end: int, position: int, kind: int) -> tuple[int, int]:
    """Read the integer of a field for which `is_integer`."""
    if kind == BYTE:
        if position >= end:
            return 0, -TRUNCATED
        return ((load_8(source, position) + 128) & 255) - 128, position + 1
    value, position = read_varint(source, end, position)
    return zigzag(value), position


@helper
def read_field(source: int, end: int, position: int, previous: int) -> tuple[int, int, int]:
    """Read the header of a field: its kind (`STOP` if there is none), its number, the position.

    Parameters
    ----------
    source, end, position
        Where to read.
    previous
        Number of the field before; 0 at a struct's beginning.
    """
    if position >= end:
        return STOP, 0, -TRUNCATED
    byte = load_8(source, position)
    position += 1
    kind = byte & 15
    delta = byte >> 4
    if kind == STOP:
        return STOP, 0, position
    if kind > UUID:
        return STOP, 0, -THRIFT_TYPE
    if delta != 0:
        number = previous + delta
    else:
        number, position = read_varint(source, end, position)
        number = zigzag(number)
    # Numbers of fields have 16 bits.
    if position >= 0 and (number < -32768 or number > 32767):
        return STOP, 0, -THRIFT_TYPE
    return kind, number, position


@helper
def read_list(source: int, end: int, position: int) -> tuple[int, int, int]:
    """Read the header of a list or set: the kind of its elements, their count, the position.

    Each element takes a byte or more, so that a count that is returned is at most the bytes left.
    """
    if position >= end:
        return STOP, 0, -TRUNCATED
    byte = load_8(source, position)
    position += 1
    kind = byte & 15
    count = byte >> 4
    if count == 15:
        count, position = read_varint(source, end, position)
        if position < 0:
            return STOP, 0, position
    if count < 0:
        return STOP, 0, -NEGATIVE_LENGTH
    if count > end - position:
        return STOP, 0, -TRUNCATED
    if kind == STOP or kind > UUID:
        # An empty list may be of no kind.
        if count == 0 and kind == STOP:
            return BYTE, 0, position
        return STOP, 0, -THRIFT_TYPE
    return kind, count, position


@helper
def read_binary(source: int, end: int, position: int) -> tuple[int, int]:
    """Read the length of a byte string: its bytes begin at the position that is returned."""
    nbytes, position = read_varint(source, end, position)
    if position < 0:
        return 0, position
    if nbytes < 0:
        return 0, -NEGATIVE_LENGTH
    if nbytes > end - position:
        return 0, -TRUNCATED
    return nbytes, position


@inlined
def _skip_plain(source: int, end: int, position: int, kind: int, inside: int) -> int:
    """Skip a value that holds no others; `inside` is 1 for an element of a list."""
    if kind <= FALSE:
        position += inside
    elif kind == BYTE:
        position += 1
    elif kind <= I64:
        position = skip_varint(source, end, position)
    elif kind == DOUBLE:
        position += 8
    elif kind == BINARY:
        nbytes, position = read_binary(source, end, position)
        position += nbytes
    else:
        position += 16
    if position > end:
        return -TRUNCATED
    return position


@helper
def skip_value(source: int, end: int, position: int, kind: int, stack: int) -> int:
    """Return the position after a value, whatever it holds.

    Parameters
    ----------
    source, end, position
        Where to read: a field's header has been read.
    kind
        What the value is.
    stack
        Address of `STACK_NBYTES` bytes of scratch memory.
    """
    depth = 0
    inside = 0
    while True:
        if kind == STRUCT:
            if depth == DEPTH_MAX:
                return -THRIFT_DEPTH
            store_64(stack, depth * 16, STRUCT << 8)
            depth += 1
        elif kind >= LIST and kind <= MAP:
            if depth == DEPTH_MAX:
                return -THRIFT_DEPTH
            if kind == MAP:
                kinds, count, position = _read_map(source, end, position)
                count *= 2
            else:
                kinds, count, position = read_list(source, end, position)
                kinds *= 17
            if position < 0:
                return position
            store_64(stack, depth * 16, kinds)
            store_64(stack, depth * 16 + 8, count)
            depth += 1
        else:
            position = _skip_plain(source, end, position, kind, inside)
            if position < 0:
                return position
        # What comes next: the innermost structure that is not at its end says.
        kind = STOP
        while depth > 0 and kind == STOP:
            state = load_64(stack, depth * 16 - 16)
            if state == STRUCT << 8:
                kind, _, position = read_field(source, end, position, 0)
                if position < 0:
                    return position
                inside = 0
            else:
                left = load_64(stack, depth * 16 - 8)
                if left > 0:
                    store_64(stack, depth * 16 - 8, left - 1)
                    kind = state & 15 if (left & 1) == 0 else state >> 4
                    inside = 1
            if kind == STOP:
                depth -= 1
        if kind == STOP:
            return position


@helper
def _read_map(source: int, end: int, position: int) -> tuple[int, int, int]:
    """Read the header of a map: kinds of keys (low) and values (high), count, position."""
    count, position = read_varint(source, end, position)
    if position < 0 or count == 0:
        return 0, 0, position
    if count < 0:
        return 0, 0, -NEGATIVE_LENGTH
    if position >= end or count > end - position:
        return 0, 0, -TRUNCATED
    byte = load_8(source, position)
    keys = byte >> 4
    values = byte & 15
    if keys == STOP or keys > UUID or values == STOP or values > UUID:
        return 0, 0, -THRIFT_TYPE
    return keys | (values << 4), count, position + 1


@helper
def scan_value(
    source: int, end: int, position: int, kind: int, inside: int, item: int, stack: int
) -> int:
    """Write what a value is into three numbers; return the position after it.

    Integers: the value, and 0. Booleans: 1 or 0, and 0. Doubles and UUIDs: position of the first
    byte, and the size. Byte strings: the same. Lists: position of the header, and that after the
    list. Structs: position of the first field's header, and that after the struct.
    """
    first = position
    second = 0
    if is_integer(kind):
        first, position = read_integer(source, end, position, kind)
    elif is_boolean(kind):
        if inside != 0:
            if position >= end:
                return -TRUNCATED
            first = 1 if load_8(source, position) == TRUE else 0
            position += 1
        else:
            first = 1 if kind == TRUE else 0
    elif kind == BINARY:
        second, position = read_binary(source, end, position)
        first = position
        if position >= 0:
            position += second
    else:
        position = skip_value(source, end, position, kind, stack)
        second = position
        if kind == DOUBLE:
            second = 8
    store_64(item, 0, kind)
    store_64(item, 8, first)
    store_64(item, 16, second)
    return position


@kernel
def scan_struct(source: int, end: int, position: int, items: int, count: int, stack: int) -> int:
    """Find the fields of a struct; return the position after it.

    Parameters
    ----------
    source, end, position
        Where the struct's first field begins.
    items
        Three 64-bit numbers for each field from 0 to ``count - 1``: its kind (left as it is if the
        field is missing) and two numbers that `scan_value` tells of. Fields of other numbers are
        skipped; of a field that comes twice the last one counts.
    count
        How many fields there is space for.
    stack
        Address of `STACK_NBYTES` bytes of scratch memory.
    """
    field = 0
    while True:
        kind, field, position = read_field(source, end, position, field)
        if position < 0 or kind == STOP:
            return position
        if field >= 0 and field < count:
            position = scan_value(source, end, position, kind, 0, items + field * 24, stack)
        else:
            position = skip_value(source, end, position, kind, stack)
        if position < 0:
            return position


@kernel
def scan_list(source: int, end: int, position: int, items: int, count: int, stack: int) -> int:
    """Find the elements of a list; return the position after it.

    Parameters
    ----------
    source, end, position
        Where the list's header is.
    items
        Three 64-bit numbers for each element, as with `scan_struct`; or 0: then nothing is written,
        and the result is the number of elements.
    count
        How many elements there are, or -1 when `items` is 0.
    stack
        Address of `STACK_NBYTES` bytes of scratch memory.
    """
    kind, found, position = read_list(source, end, position)
    if position < 0:
        return position
    if items == 0:
        return found
    if found != count:
        return -TRUNCATED
    for index in range(count):
        position = scan_value(source, end, position, kind, 1, items + index * 24, stack)
        if position < 0:
            return position
    return position


@kernel
def skip_any(source: int, end: int, position: int, kind: int, stack: int) -> int:
    """Return the position after a value of some kind, checked in all its depth."""
    return skip_value(source, end, position, kind, stack)
