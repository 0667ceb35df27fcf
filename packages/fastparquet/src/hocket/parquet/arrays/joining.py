"""Arrays behind each other, as one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from hocket.parquet.arrays.taking import missing_slots, take
from hocket.parquet.arrays.value_array import ArrayKind, Nulls, ValueArray
from hocket.parquet.records import replace

__all__ = ["joined"]

_Array = np.ndarray[Any, Any]


def joined(arrays: Sequence[ValueArray]) -> ValueArray:
    """Return the slots of several arrays of one column.

    Parameters
    ----------
    arrays
        In their order. How they hold their values may differ; what those are may not.
    """
    if len(arrays) == 1:
        return arrays[0]
    length = sum(array.length for array in arrays)
    arrays = [_without_dictionary(array) for array in arrays]
    nulls = _joined_nulls(arrays)
    known = [array for array in arrays if array.kind is not ArrayKind.NULL]
    if not known:
        return ValueArray(ArrayKind.NULL, length)
    plain = [_plain(array, known[0]) for array in arrays]
    kind = plain[0].kind
    if kind is ArrayKind.STRUCT:
        members = zip(*(array.children for array in plain), strict=True)
        return ValueArray(kind, length, nulls, children=tuple(map(joined, members)))
    if kind is ArrayKind.FIXED:
        values = np.concatenate([_values(array)[: array.length] for array in plain])
        return ValueArray(kind, length, nulls, values)
    offsets = np.zeros(length + 1, np.int64)
    at, end = 1, 0
    for array in plain:
        own = _offsets(array)
        offsets[at : at + array.length] = own[1:] - own[0] + end
        at += array.length
        end += int(own[-1] - own[0])
    spans = [(int(_offsets(array)[0]), int(_offsets(array)[-1])) for array in plain]
    if kind is ArrayKind.LIST:
        children = [
            array.children[0].slice(*span) for array, span in zip(plain, spans, strict=True)
        ]
        return ValueArray(kind, length, nulls, offsets=offsets, children=(joined(children),))
    data = [_values(array)[start:stop] for array, (start, stop) in zip(plain, spans, strict=True)]
    return ValueArray(kind, length, nulls, np.concatenate(data), offsets)


def _joined_nulls(arrays: Sequence[ValueArray]) -> Nulls | None:
    masks = []
    for array in arrays:
        mask = missing_slots(array)
        if mask is None:
            make = np.ones if array.kind is ArrayKind.NULL else np.zeros
            mask = make(array.length, np.uint8)
        masks.append(mask)
    missing = np.concatenate(masks)
    return Nulls(missing, is_bitmap=False) if missing.any() else None


def _plain(array: ValueArray, like: ValueArray) -> ValueArray:
    """Return an array without bits; one in which all is missing becomes one of a certain kind."""
    if array.kind is ArrayKind.NULL:
        return _nothing(array.length, _plain(like.slice(0, 0), like))
    if array.kind is ArrayKind.BITS:
        return take(array, np.arange(array.length, dtype=np.int64))
    return array


def _without_dictionary(array: ValueArray) -> ValueArray:
    if array.kind is not ArrayKind.DICTIONARY:
        return array
    assert array.dictionary is not None
    entries = _without_dictionary(array.dictionary)
    if not entries.length:
        return ValueArray(ArrayKind.NULL, array.length)
    codes = _values(array)[: array.length].astype(np.int64)
    missing = missing_slots(array)
    if missing is not None:
        codes[missing != 0] = 0
    found = take(entries, codes)
    own = missing_slots(found)
    if missing is None or own is None:
        both = missing if own is None else own
    else:
        both = ((missing != 0) | (own != 0)).astype(np.uint8)
    return replace(found, nulls=None if both is None else Nulls(both, is_bitmap=False))


def _nothing(length: int, like: ValueArray) -> ValueArray:
    """Return an array of so many missing slots."""
    if like.kind is ArrayKind.STRUCT:
        children = tuple(_nothing(length, child) for child in like.children)
        return replace(like, length=length, nulls=None, children=children)
    if like.offsets is not None:
        return replace(like, length=length, nulls=None, offsets=np.zeros(length + 1, np.int64))
    if like.values is None:
        return replace(like, length=length)
    return replace(like, length=length, nulls=None, values=np.zeros(length, like.values.dtype))


def _values(array: ValueArray) -> _Array:
    assert array.values is not None
    return array.values


def _offsets(array: ValueArray) -> _Array:
    assert array.offsets is not None
    return array.offsets
