"""Arrays of values made of plain NumPy arrays and of lists, and spread over slots with gaps."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from hocket.parquet.arrays.value_array import ArrayKind, Nulls, ValueArray
from hocket.parquet.records import replace

__all__ = [
    "fixed_array",
    "list_array",
    "missing_array",
    "missing_of",
    "offsets_of_lengths",
    "spread",
    "strings_array",
    "struct_array",
    "with_missing",
]

_Array = np.ndarray[Any, Any]


def fixed_array(values: _Array, missing: _Array | None = None) -> ValueArray:
    """Return values of fixed size, which are shared if they lie one after the other.

    Parameters
    ----------
    values
        One a slot, in any byte order.
    missing
        True where a value is missing; None if none is.
    """
    if not values.dtype.isnative:
        values = values.astype(values.dtype.newbyteorder("="))
    return ValueArray(
        ArrayKind.FIXED, len(values), _nulls(missing), values=np.ascontiguousarray(values)
    )


def missing_array(length: int) -> ValueArray:
    """Return an array of so many missing values."""
    return ValueArray(ArrayKind.NULL, length)


def strings_array(data: bytes | _Array, offsets: _Array) -> ValueArray:
    """Return byte strings that lie in `data`."""
    values = np.frombuffer(data, np.uint8) if isinstance(data, bytes) else data
    return ValueArray(ArrayKind.STRINGS, len(offsets) - 1, values=values, offsets=offsets)


def list_array(elements: ValueArray, offsets: _Array) -> ValueArray:
    """Return lists of elements."""
    return ValueArray(ArrayKind.LIST, len(offsets) - 1, offsets=offsets, children=(elements,))


def struct_array(members: Sequence[ValueArray], length: int) -> ValueArray:
    """Return structs."""
    return ValueArray(ArrayKind.STRUCT, length, children=tuple(members))


def offsets_of_lengths(lengths: Sequence[int] | _Array) -> _Array:
    """Return where values of such lengths begin, and where the last one ends."""
    offsets = np.zeros(len(lengths) + 1, np.int64)
    np.cumsum(lengths, out=offsets[1:])
    return offsets


def missing_of(array: ValueArray) -> _Array | None:
    """Return which slots are missing, a boolean each; None if none is."""
    nulls = array.nulls
    if array.kind is ArrayKind.NULL:
        return np.ones(array.length, np.bool_)
    if nulls is None:
        return None
    if not nulls.is_bitmap:
        present: _Array = nulls.buffer[: array.length] != 0
        return present
    start = nulls.bit_offset
    bits = np.unpackbits(nulls.buffer, count=start + array.length, bitorder="little")
    missing: _Array = bits[start:] == 0
    return missing


def _nulls(missing: _Array | None) -> Nulls | None:
    if missing is None:
        return None
    return Nulls(np.ascontiguousarray(missing).view(np.uint8), is_bitmap=False)


def with_missing(array: ValueArray, missing: _Array | None) -> ValueArray:
    """Return an array of which some slots are said to be missing, whatever is in them."""
    return array if missing is None else replace(array, nulls=_nulls(missing))


def spread(array: ValueArray, missing: _Array | None) -> ValueArray:
    """Return an array with slots for missing values.

    Parameters
    ----------
    array
        The values that are there.
    missing
        True for each slot of the result that has none; None if there is no such slot.
    """
    if missing is None:
        return array
    length, nulls = len(missing), _nulls(missing)
    if array.kind is ArrayKind.NULL:
        return missing_array(length)
    there = ~missing
    if array.nulls is not None:
        merged = missing.copy()
        merged[there] = missing_of(array)
        nulls = _nulls(merged)
    if array.kind is ArrayKind.STRUCT:
        children = tuple(spread(child, missing) for child in array.children)
        return replace(array, length=length, nulls=nulls, children=children)
    if array.offsets is not None:
        lengths = np.zeros(length, np.int64)
        lengths[there] = np.diff(array.offsets)
        offsets = offsets_of_lengths(lengths) + array.offsets[0]
        return replace(array, length=length, nulls=nulls, offsets=offsets)
    assert array.values is not None
    values = np.zeros(length, array.values.dtype)
    values[there] = array.values
    return replace(array, length=length, nulls=nulls, values=values)
