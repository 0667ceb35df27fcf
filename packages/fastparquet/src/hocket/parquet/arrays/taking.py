"""Arrays with some slots of others, in any order."""

from __future__ import annotations

from typing import Any

import numpy as np

from hocket.parquet.arrays.value_array import ArrayKind, Nulls, ValueArray
from hocket.parquet.kernels.library import KERNEL, address
from hocket.parquet.memory import new_array
from hocket.parquet.records import replace

__all__ = ["missing_slots", "take"]

_Array = np.ndarray[Any, Any]


def take(array: ValueArray, slots: _Array) -> ValueArray:
    """Return the slots of an array that are wanted.

    Parameters
    ----------
    array
        Of any kind.
    slots
        int64, which, in the order in which they are wanted; contiguous.
    """
    count = len(slots)
    missing = missing_slots(array)
    nulls = None if missing is None else Nulls(missing[slots], is_bitmap=False)
    if array.kind is ArrayKind.STRUCT:
        children = tuple(take(child, slots) for child in array.children)
        return replace(array, length=count, nulls=nulls, children=children)
    if array.kind is ArrayKind.LIST:
        return _take_lists(array, slots, nulls)
    if array.kind is ArrayKind.STRINGS:
        return _take_strings(array, slots, nulls)
    if array.kind is ArrayKind.BITS:
        values = _bytes_of_bits(array.values, array.bit_offset, array.length)
        return ValueArray(ArrayKind.FIXED, count, nulls, values[slots])
    if array.values is None:
        return replace(array, length=count, nulls=nulls)
    return replace(array, length=count, nulls=nulls, values=array.values[slots])


def missing_slots(array: ValueArray) -> _Array | None:
    """Return a byte for each slot, not 0 where it is missing; None if none is.

    Parameters
    ----------
    array
        Of any kind; what its dictionary lacks is not looked at.
    """
    nulls = array.nulls
    if nulls is None:
        return None
    if not nulls.is_bitmap:
        return nulls.buffer[: array.length]
    return _bytes_of_bits(nulls.buffer, nulls.bit_offset, array.length) ^ 1


def _bytes_of_bits(bits: _Array | None, first: int, count: int) -> _Array:
    assert bits is not None
    bits = np.ascontiguousarray(bits)
    made = new_array(count, np.uint8)
    KERNEL.bytes_of_bitmap(address(bits), first, count, address(made))
    return made


def _take_strings(array: ValueArray, slots: _Array, nulls: Nulls | None) -> ValueArray:
    assert array.offsets is not None
    assert array.values is not None
    offsets, data = np.ascontiguousarray(array.offsets), array.values
    count = len(slots)
    made = new_array(count + 1, np.int64)
    if not count:
        made[0] = 0
        return ValueArray(ArrayKind.STRINGS, 0, nulls, data[:0], made)
    old = address(offsets), offsets.itemsize
    nbytes = KERNEL.gather_slot_offsets(address(slots), count, *old, address(made))
    if nbytes:
        joined = new_array(nbytes, np.uint8)
        KERNEL.copy_slot_strings(address(slots), count, *old, address(data), address(joined))
        data = joined
    return ValueArray(ArrayKind.STRINGS, count, nulls, data, made)


def _take_lists(array: ValueArray, slots: _Array, nulls: Nulls | None) -> ValueArray:
    assert array.offsets is not None
    starts = array.offsets[slots].astype(np.int64)
    lengths = array.offsets[slots + 1].astype(np.int64) - starts
    offsets = np.zeros(len(slots) + 1, np.int64)
    np.cumsum(lengths, out=offsets[1:])
    # Where each element was: where its list was, and how far it is into it.
    inner = np.repeat(starts - offsets[:-1], lengths)
    inner += np.arange(len(inner), dtype=np.int64)
    children = (take(array.children[0], inner),)
    return replace(array, length=len(slots), nulls=nulls, offsets=offsets, children=children)
