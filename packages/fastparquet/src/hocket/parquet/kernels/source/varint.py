"""Integers of variable length: seven bits a byte, the lowest first."""

from __future__ import annotations

from hocket.parquet.kernels.faults import TRUNCATED, VARINT_TOO_LONG
from hocket.parquet.kernels.language import (
    helper,
    inlined,
    kernel,
    load_8,
    shift_right,
    store_8,
    wrap,
)

__all__ = [
    "read_varint",
    "unzigzag",
    "varint_position",
    "varint_value",
    "write_varint",
    "zigzag",
]


@helper
def read_varint(source: int, end: int) -> tuple[int, int]:
    """Return an integer of 64 bits and the position behind it (negative: a fault)."""
    value = 0
    shift = 0
    position = source
    while position < end:
        byte = load_8(position, 0)
        position += 1
        value |= wrap((byte & 127) << shift)
        if byte < 128:
            return value, position
        shift += 7
        if shift > 63:
            return 0, -VARINT_TOO_LONG
    return 0, -TRUNCATED


@inlined
def unzigzag(value: int) -> int:
    """Return the signed number that an unsigned one of the same 64 bits stands for."""
    return shift_right(value, 1) ^ -(value & 1)


@inlined
def zigzag(value: int) -> int:
    """Return the unsigned number, as 64 bits hold it, that stands for a signed one."""
    return wrap(value << 1) ^ (value >> 63)


@helper
def write_varint(destination: int, value: int) -> int:
    """Write an integer of 64 bits, in up to 10 bytes; return the position behind it."""
    while shift_right(value, 7) != 0:
        store_8(destination, 0, (value & 127) | 128)
        value = shift_right(value, 7)
        destination += 1
    store_8(destination, 0, value)
    return destination + 1


@kernel
def varint_value(source: int, end: int) -> int:
    """Return the value of an integer, or 0 where it is damaged."""
    value, _ = read_varint(source, end)
    return value


@kernel
def varint_position(source: int, end: int) -> int:
    """Return the position behind an integer, or a fault."""
    _, position = read_varint(source, end)
    return position
