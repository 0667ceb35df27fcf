"""Structures of the format, written in Thrift's compact protocol without objects for each.

The generated classes write the same, some hundred times slower than a footer of many columns can
wait for.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence
from typing import Final, Self

from hocket.parquet.kernels.source.thrift import (
    BINARY,
    BYTE,
    DOUBLE,
    FALSE,
    I16,
    I32,
    I64,
    LIST,
    STRUCT,
    TRUE,
)

__all__ = ["StructWriter", "binaries", "binary", "booleans", "integers", "structs", "varint"]

_BYTES: Final = tuple(bytes((each,)) for each in range(256))
#: Numbers below this are one byte as all integers are written, with a bit for the sign.
_SMALL: Final = 64
#: A list's header has its length, if it is less than this; a field's the step from the one before.
_LONG_LIST: Final = 15
_LONG_STEP: Final = 16


def varint(value: int) -> bytes:
    """Return a number that is not negative, seven bits a byte, the lowest first."""
    if value < 128:
        return _BYTES[value]
    if value < 16384:
        return bytes((value & 127 | 128, value >> 7))
    if value < 2097152:
        return bytes((value & 127 | 128, value >> 7 & 127 | 128, value >> 14))
    if value < 268435456:
        return bytes(
            (value & 127 | 128, value >> 7 & 127 | 128, value >> 14 & 127 | 128, value >> 21)
        )
    made = bytearray()
    while value > 127:
        made.append(value & 127 | 128)
        value >>= 7
    made.append(value)
    return bytes(made)


def _zigzag(value: int) -> bytes:
    return varint(value << 1 if value >= 0 else (-value << 1) - 1)


def binary(data: bytes) -> bytes:
    """Return bytes behind their length, as an element of a list."""
    return varint(len(data)) + data


def _list_header(count: int, kind: int) -> bytes:
    if count < _LONG_LIST:
        return bytes((count << 4 | kind,))
    return bytes((0xF0 | kind,)) + varint(count)


def integers(values: Sequence[int], *, kind: int = I64) -> bytes:
    """Return a list of integers: of 64 bits, unless told that they have 32."""
    return _list_header(len(values), kind) + b"".join(map(_zigzag, values))


def booleans(values: Sequence[bool]) -> bytes:
    """Return a list of booleans."""
    return _list_header(len(values), TRUE) + bytes(TRUE if each else FALSE for each in values)


def binaries(values: Sequence[bytes]) -> bytes:
    """Return a list of byte strings."""
    return _list_header(len(values), BINARY) + b"".join(map(binary, values))


def structs(values: Sequence[bytes]) -> bytes:
    """Return a list of structures that are written already."""
    return _list_header(len(values), STRUCT) + b"".join(values)


class StructWriter:
    """A structure in the making. Fields are added in the order of their numbers; None is left out.

    ::

        StructWriter().i32(1, 5).binary(4, b"name").finish()
    """

    __slots__ = ("_last", "_parts")

    def __init__(self) -> None:
        self._parts: list[bytes] = []
        self._last = 0

    def _header(self, field: int, kind: int) -> None:
        step = field - self._last
        if step < _LONG_STEP:
            self._parts.append(_BYTES[step << 4 | kind])
        else:
            self._parts += (_BYTES[kind], _zigzag(field))
        self._last = field

    def boolean(self, field: int, value: bool | None) -> Self:  # noqa: FBT001 - as the others
        """Add a boolean."""
        if value is not None:
            self._header(field, TRUE if value else FALSE)
        return self

    def byte(self, field: int, value: int | None) -> Self:
        """Add an integer of 8 bits."""
        if value is not None:
            self._header(field, BYTE)
            self._parts.append(bytes((value & 0xFF,)))
        return self

    def i16(self, field: int, value: int | None) -> Self:
        """Add an integer of 16 bits."""
        return self if value is None else self._integer(field, I16, value)

    def i32(self, field: int, value: int | None) -> Self:
        """Add an integer of 32 bits."""
        return self if value is None else self._integer(field, I32, value)

    def i64(self, field: int, value: int | None) -> Self:
        """Add an integer of 64 bits."""
        return self if value is None else self._integer(field, I64, value)

    def _integer(self, field: int, kind: int, value: int) -> Self:
        step = field - self._last
        if 0 <= value < _SMALL and step < _LONG_STEP:
            self._parts.append(_BYTES[step << 4 | kind] + _BYTES[value << 1])
            self._last = field
        else:
            self._header(field, kind)
            self._parts.append(_zigzag(value))
        return self

    def double(self, field: int, value: float | None) -> Self:
        """Add a floating-point number."""
        if value is not None:
            self._header(field, DOUBLE)
            self._parts.append(struct.pack("<d", value))
        return self

    def binary(self, field: int, value: bytes | None) -> Self:
        """Add a byte string."""
        if value is not None:
            self._header(field, BINARY)
            self._parts += (varint(len(value)), value)
        return self

    def text(self, field: int, value: str | None) -> Self:
        """Add a string."""
        return self.binary(field, None if value is None else value.encode())

    def struct(self, field: int, value: bytes | None) -> Self:
        """Add a structure that is written already."""
        if value is not None:
            self._header(field, STRUCT)
            self._parts.append(value)
        return self

    def listed(self, field: int, value: bytes | None) -> Self:
        """Add a list, as the functions of this module write it."""
        if value is not None:
            self._header(field, LIST)
            self._parts.append(value)
        return self

    def raw(self, last: int, parts: Iterable[bytes]) -> Self:
        """Add fields that are written already, up to the one of number `last`."""
        self._parts += parts
        self._last = last
        return self

    def finish(self) -> bytes:
        """Return the structure's bytes."""
        return b"".join((*self._parts, b"\0"))
