"""Variant's binary values to Python values.

Objects become dicts, arrays lists; numbers, times, strings and the rest what Python has for them,
and NumPy's or pandas' scalars what Python cannot hold: dates after the year 9999, nanoseconds.
"""

from __future__ import annotations

from typing import Any, Final

from hocket.parquet.errors import CorruptFile
from hocket.parquet.variant.names import Names, integers, names_of
from hocket.parquet.variant.primitives import read_scalar

__all__ = ["decode", "decode_value", "is_object"]

#: Arrays and objects may be nested this deeply.
_DEEPEST: Final = 500
_OBJECT: Final = 2

#: What is still to be read: where it goes to, its key there, its first byte, the end of what holds
#: it, its depth.
_Pending = tuple[Any, Any, int, int, int]


def decode(metadata: bytes, value: bytes) -> Any:
    """Decode a Variant.

    Parameters
    ----------
    metadata, value
        The bytes of the two columns.
    """
    return decode_value(names_of(metadata), value)


def is_object(value: bytes) -> bool:
    """Tell whether an encoded value is an object."""
    return bool(value) and value[0] & 3 == _OBJECT


def decode_value(names: Names, data: bytes) -> Any:
    """Decode a value whose names are known."""
    result: list[Any] = [None]
    pending: list[_Pending] = [(result, 0, 0, len(data), 0)]
    # No byte belongs to two values: else a small value could stand for a giant one.
    unread = len(data)
    while pending:
        target, key, start, end, depth = pending.pop()
        if start >= end:
            raise CorruptFile("a value in a Variant has no bytes")
        header = data[start]
        if header & 2:
            if depth == _DEEPEST:
                raise CorruptFile(f"a Variant is nested more than {_DEEPEST} levels deep")
            read = _read_array if header & 1 else _read_object
            place = (header >> 2, start + 1, end, depth + 1)
            target[key], stop = read(names, data, place, pending)
        else:
            target[key], stop = read_scalar(data, start, end)
        unread -= stop - start
        if unread < 0:
            raise CorruptFile("values in a Variant overlap")
    return result[0]


def _read_object(
    names: Names, data: bytes, place: tuple[int, int, int, int], pending: list[_Pending]
) -> tuple[dict[str, Any], int]:
    flags, start, end, depth = place
    id_width = (flags >> 2 & 3) + 1
    offset_width = (flags & 3) + 1
    count, at = _count(data, start, end, is_large=bool(flags & 16))
    values = at + count * id_width + (count + 1) * offset_width
    if values > end:
        raise _too_many(count, end - start)
    ids = integers(data, at, count, id_width)
    offsets = integers(data, at + count * id_width, count + 1, offset_width)
    stop = _stop(values, offsets[count], end)
    fields: dict[str, Any] = {}
    for index in range(count):
        name = names[ids[index]]
        if name in fields:
            raise CorruptFile(f"an object in a Variant has two fields {name!r}")
        fields[name] = None
        # The values may lie in any order, so that where one ends shows only in reading it.
        pending.append((fields, name, values + offsets[index], stop, depth))
    return fields, values


def _read_array(
    _: Names, data: bytes, place: tuple[int, int, int, int], pending: list[_Pending]
) -> tuple[list[Any], int]:
    flags, start, end, depth = place
    offset_width = (flags & 3) + 1
    count, at = _count(data, start, end, is_large=bool(flags & 4))
    values = at + (count + 1) * offset_width
    if values > end:
        raise _too_many(count, end - start)
    offsets = integers(data, at, count + 1, offset_width)
    _stop(values, offsets[count], end)
    elements: list[Any] = [None] * count
    for index in range(count):
        first, after = offsets[index], offsets[index + 1]
        if after > offsets[count]:
            raise CorruptFile("an element of an array in a Variant lies outside the array")
        pending.append((elements, index, values + first, values + after, depth))
    return elements, values


def _count(data: bytes, start: int, end: int, *, is_large: bool) -> tuple[int, int]:
    at = start + (4 if is_large else 1)
    if at > end:
        raise CorruptFile("an array or object in a Variant has no number of elements")
    return int.from_bytes(data[start:at], "little"), at


def _stop(values: int, nbytes: int, end: int) -> int:
    if nbytes > end - values:
        raise CorruptFile(
            f"the elements in a Variant's array or object claim {nbytes:,} bytes, and there are "
            f"{end - values:,}"
        )
    return values + nbytes


def _too_many(count: int, nbytes: int) -> CorruptFile:
    return CorruptFile(
        f"an array or object in a Variant claims {count:,} elements in {nbytes:,} bytes"
    )
