"""Levels of entries: which values are there, and the hybrid of runs and groups that says so."""

from __future__ import annotations

from typing import Any

import numpy as np

from hocket.parquet.arrays.value_array import ArrayKind, Nulls, ValueArray
from hocket.parquet.encode.room import encoded
from hocket.parquet.kernels.library import KERNEL, address
from hocket.parquet.kernels.source.bit_packing import SPARE_NBYTES
from hocket.parquet.memory import new_array

__all__ = [
    "definition_of_nulls",
    "encode_hybrid",
    "encode_levels",
    "histogram_of_levels",
]

_Array = np.ndarray[Any, Any]


def definition_of_nulls(array: ValueArray) -> tuple[_Array | None, int]:
    """Return definition levels of the slots of an array that is a whole column, and their sum.

    Levels are uint8: 1 where there is a value, 0 where it is missing; None if none is missing. The
    sum is the number of values that are there.

    Parameters
    ----------
    array
        Of any kind.
    """
    if array.kind is ArrayKind.NULL and array.length:
        return np.zeros(array.length, np.uint8), 0
    if array.nulls is None or not array.length:
        return None, array.length
    return _flags_of(array.nulls, array.length)


def _flags_of(nulls: Nulls, length: int) -> tuple[_Array | None, int]:
    buffer = np.ascontiguousarray(nulls.buffer)
    source = address(buffer)
    if nulls.is_bitmap:
        bits = source, nulls.bit_offset, length
        if KERNEL.count_bits(*bits) == length:
            return None, length
        flags = new_array(length, np.uint8)
        return flags, KERNEL.bytes_of_bitmap(*bits, address(flags))
    flags = new_array(length, np.uint8)
    present = KERNEL.bytes_of_mask(source, length, address(flags))
    return (None if present == length else flags), present


def encode_levels(levels: _Array, maximum: int) -> _Array:
    """Return levels as runs and bit-packed groups, without the length that may stand before them.

    Parameters
    ----------
    levels
        uint8, none above `maximum`.
    maximum
        The largest level there can be. If it is 0, nothing is stored.
    """
    if maximum == 0:
        return np.empty(0, np.uint8)
    width = maximum.bit_length()
    levels = np.ascontiguousarray(levels)
    capacity = _capacity(levels.size, width)
    return encoded("encode_hybrid_levels", levels, levels.size, width, capacity=capacity)


def encode_hybrid(codes: _Array, bit_width: int) -> _Array:
    """Return numbers as runs and bit-packed groups, without the width that may stand before them.

    Parameters
    ----------
    codes
        uint32, each below ``2 ** bit_width``.
    bit_width
        1 to 32.
    """
    codes = np.ascontiguousarray(codes, np.uint32)
    capacity = _capacity(codes.size, bit_width)
    return encoded("encode_hybrid_codes", codes, codes.size, bit_width, capacity=capacity)


def _capacity(count: int, width: int) -> int:
    """Return how many bytes values take at most.

    A run takes no more than the groups that it stands for, unless it is the first thing or follows
    another run; then it is at most one byte more together with the header behind it. Of 63 groups
    each, literals have no more than one byte of headers.
    """
    groups = (count + 7) >> 3
    return groups * width + (groups >> 4) + 4 * SPARE_NBYTES


def histogram_of_levels(levels: _Array, maximum: int) -> tuple[int, ...]:
    """Return how many entries have each level, from 0 to `maximum`.

    Parameters
    ----------
    levels
        uint8, none above `maximum`.
    maximum
        The largest level there can be.
    """
    levels = np.ascontiguousarray(levels)
    source = address(levels)
    lower = [KERNEL.count_equal(source, levels.size, each) for each in range(maximum)]
    return (*lower, levels.size - sum(lower))
