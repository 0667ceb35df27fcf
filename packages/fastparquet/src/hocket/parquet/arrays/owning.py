"""Arrays with memory of their own: what is kept while its giver may go on writing to it."""

from __future__ import annotations

from dataclasses import replace

from hocket.parquet.arrays.value_array import ArrayKind, Nulls, ValueArray

__all__ = ["owned"]


def owned(array: ValueArray) -> ValueArray:
    """Return a copy of an array, and of no more than its slots.

    Parameters
    ----------
    array
        Of any kind.
    """
    copy = replace(array, nulls=_owned_nulls(array.nulls))
    if array.kind is ArrayKind.STRUCT:
        return replace(copy, children=tuple(map(owned, array.children)))
    if array.kind is ArrayKind.DICTIONARY and array.dictionary is not None:
        copy = replace(copy, dictionary=owned(array.dictionary))
    if array.offsets is None:
        return copy if array.values is None else replace(copy, values=array.values.copy())
    first, stop = int(array.offsets[0]), int(array.offsets[-1])
    copy = replace(copy, offsets=array.offsets - array.offsets[0])
    if array.kind is ArrayKind.LIST:
        return replace(copy, children=(owned(array.children[0].slice(first, stop)),))
    return copy if array.values is None else replace(copy, values=array.values[first:stop].copy())


def _owned_nulls(nulls: Nulls | None) -> Nulls | None:
    return None if nulls is None else replace(nulls, buffer=nulls.buffer.copy())
