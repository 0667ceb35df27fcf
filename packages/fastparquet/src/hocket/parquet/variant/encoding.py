"""Variant's arrays and objects made of values that are encoded already, and taken apart again."""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from typing import Final

from hocket.parquet.errors import CorruptFile
from hocket.parquet.variant.names import Names, integers
from hocket.parquet.variant.primitives import read_scalar

__all__ = ["NULL", "array_of", "fields_of", "object_of"]

#: A Variant that is null.
NULL: Final = b"\x00"

_OBJECT: Final = 2
_ARRAY: Final = 3
_FEW: Final = 255


def array_of(elements: Sequence[bytes]) -> bytes:
    """Return an array of encoded values."""
    offsets = _offsets(elements)
    width = _width(offsets[-1])
    is_large = len(elements) > _FEW
    header = _ARRAY | (width - 1 | is_large << 2) << 2
    return b"".join(
        (_head(header, len(elements), is_large=is_large), _packed(offsets, width), *elements)
    )


def object_of(names: Names, fields: Mapping[str, bytes]) -> bytes:
    """Return an object of encoded values, in the order of their names as the format wants it."""
    ordered = sorted(fields, key=str.encode)
    ids = [names.index(name) for name in ordered]
    values = [fields[name] for name in ordered]
    offsets = _offsets(values)
    width, id_width = _width(offsets[-1]), _width(max(ids, default=0))
    is_large = len(values) > _FEW
    header = _OBJECT | (width - 1 | (id_width - 1) << 2 | is_large << 4) << 2
    head = _head(header, len(values), is_large=is_large)
    return b"".join((head, _packed(ids, id_width), _packed(offsets, width), *values))


def fields_of(names: Names, data: bytes) -> dict[str, bytes]:
    """Return the fields of an encoded object, by name."""
    flags = data[0] >> 2
    offset_width, id_width = (flags & 3) + 1, (flags >> 2 & 3) + 1
    count, at = _count(data, 0, is_large=bool(flags & 16))
    table = at + count * id_width
    start = table + (count + 1) * offset_width
    if start > len(data):
        raise _too_short()
    ids = integers(data, at, count, id_width)
    offsets = integers(data, table, count + 1, offset_width)
    end = start + offsets[count]
    if end > len(data):
        raise _too_short()
    found: dict[str, bytes] = {}
    for field, offset in zip(ids, offsets, strict=False):
        name = names[field]
        if name in found:
            raise CorruptFile(f"an object in a Variant has two fields {name!r}")
        # Where a value ends shows only in the value: they may lie in any order.
        found[name] = data[start + offset : _end_of_value(data, start + offset, end)]
    return found


def _end_of_value(data: bytes, start: int, end: int) -> int:
    if start >= end:
        raise CorruptFile("a value in a Variant has no bytes")
    header = data[start]
    if header & 2 == 0:
        return read_scalar(data, start, end)[1]
    flags = header >> 2
    is_array = header & 3 == _ARRAY
    count, at = _count(data, start, is_large=bool(flags & (4 if is_array else 16)))
    width = (flags & 3) + 1
    last = at + count * (width if is_array else width + (flags >> 2 & 3) + 1)
    values = last + width
    if values > end:
        raise _too_short()
    stop = values + int.from_bytes(data[last:values], "little")
    if stop > end:
        raise _too_short()
    return stop


def _count(data: bytes, start: int, *, is_large: bool) -> tuple[int, int]:
    at = start + 1 + (4 if is_large else 1)
    if at > len(data):
        raise _too_short()
    return int.from_bytes(data[start + 1 : at], "little"), at


def _too_short() -> CorruptFile:
    return CorruptFile("an array or object in a Variant claims more than its bytes")


def _offsets(values: Sequence[bytes]) -> list[int]:
    offsets = [0]
    for value in values:
        offsets.append(offsets[-1] + len(value))
    return offsets


def _width(most: int) -> int:
    return max(1, (most.bit_length() + 7) // 8)


def _head(header: int, count: int, *, is_large: bool) -> bytes:
    return struct.pack("<BI" if is_large else "<BB", header, count)


def _packed(numbers: Sequence[int], width: int) -> bytes:
    return b"".join(number.to_bytes(width, "little") for number in numbers)
