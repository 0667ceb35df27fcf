"""Statistics of many column chunks at once, out of the footer: null counts, bounds of integers."""

from __future__ import annotations

from typing import Final

from hocket.parquet.kernels.language import (
    helper,
    kernel,
    load_64,
    load_signed_32,
    store_64,
)
from hocket.parquet.kernels.source.thrift import (
    BINARY,
    STOP,
    is_integer,
    read_binary,
    read_field,
    read_integer,
    skip_value,
)

__all__ = ["BOUND_ITEMS", "HAS_HIGH", "HAS_LOW", "read_bounds", "read_null_counts"]

#: `read_bounds` writes so many numbers for each: which bounds there are, and both of them.
BOUND_ITEMS: Final = 3
HAS_LOW: Final = 1
HAS_HIGH: Final = 2

_OLD_HIGH: Final = 1
_OLD_LOW: Final = 2
_NULL_COUNT: Final = 3
_HIGH: Final = 5
_LOW: Final = 6


@kernel
def read_null_counts(
    source: int, end: int, positions: int, count: int, destination: int, stack: int
) -> int:
    """Write the null count of each struct Statistics, -1 where there is none.

    Parameters
    ----------
    source, end
        The footer.
    positions
        Where each struct begins, int64; negative for none.
    count
        How many there are.
    destination
        The counts, int64.
    stack
        Memory for nested structures.
    """
    for index in range(count):
        position = load_64(positions, index * 8)
        nulls = -1
        field = 0
        while position >= 0:
            kind, field, position = read_field(source, end, position, field)
            if position < 0 or kind == STOP:
                break
            if field == _NULL_COUNT and is_integer(kind):
                nulls, position = read_integer(source, end, position, kind)
            else:
                position = skip_value(source, end, position, kind, stack)
        if position < 0 or nulls < 0:
            nulls = -1
        store_64(destination, index * 8, nulls)
    return 0


@helper
def _integer(source: int, at: int, width: int) -> int:
    """Return the integer of 4 or 8 bytes at a place; 0 if it is nowhere."""
    if at < 0:
        return 0
    if width == 4:
        return load_signed_32(source, at)
    return load_64(source, at)


@helper
def _find_bounds(
    source: int, end: int, position: int, width: int, is_ordered: int, stack: int
) -> tuple[int, int]:
    """Return where the lower and the upper bound of a struct lie, -1 for what is not there."""
    low = -1
    high = -1
    old_low = -1
    old_high = -1
    is_new = 0
    field = 0
    while position >= 0:
        kind, field, position = read_field(source, end, position, field)
        if position < 0 or kind == STOP:
            break
        if kind == BINARY:
            nbytes, position = read_binary(source, end, position)
            if position < 0:
                break
            at = position if nbytes == width else -1
            position += nbytes
            if field == _LOW:
                low = at
                is_new = 1
            elif field == _HIGH:
                high = at
                is_new = 1
            elif field == _OLD_LOW:
                old_low = at
            elif field == _OLD_HIGH:
                old_high = at
        else:
            position = skip_value(source, end, position, kind, stack)
    if position < 0:
        return -1, -1
    if is_new != 0 and is_ordered != 0:
        return low, high
    return old_low, old_high


@kernel
def read_bounds(
    source: int,
    end: int,
    positions: int,
    count: int,
    width: int,
    is_ordered: int,
    destination: int,
    stack: int,
) -> int:
    """Write the bounds of signed integers that each struct Statistics tells.

    Parameters
    ----------
    source, end, positions, count, stack
        As for `read_null_counts`.
    width
        Bytes of an integer: 4 or 8.
    is_ordered
        Whether the newer pair of bounds can be believed.
    destination
        `BOUND_ITEMS` numbers for each. Bounds in the wrong order are none.
    """
    for index in range(count):
        position = load_64(positions, index * 8)
        low_at = -1
        high_at = -1
        if position >= 0:
            low_at, high_at = _find_bounds(source, end, position, width, is_ordered, stack)
        low = _integer(source, low_at, width)
        high = _integer(source, high_at, width)
        known = 0
        if low_at >= 0:
            known = known | HAS_LOW
        if high_at >= 0:
            known = known | HAS_HIGH
        if known == HAS_LOW | HAS_HIGH and low > high:
            known = 0
        to = destination + index * BOUND_ITEMS * 8
        store_64(to, 0, known)
        store_64(to, 8, low)
        store_64(to, 16, high)
    return 0
