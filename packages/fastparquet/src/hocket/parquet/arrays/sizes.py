"""How many bytes the slots of arrays take."""

from __future__ import annotations

from hocket.parquet.arrays.value_array import ArrayKind, ValueArray

__all__ = ["nbytes_of"]


def nbytes_of(array: ValueArray) -> int:
    """Return about how many bytes the values of an array take; dictionaries do not count.

    Parameters
    ----------
    array
        Of any kind.
    """
    nbytes = 0
    if array.nulls is not None:
        nbytes += array.nulls.buffer.nbytes
    if array.kind is ArrayKind.STRUCT:
        return nbytes + sum(map(nbytes_of, array.children))
    if array.offsets is None:
        return nbytes if array.values is None else nbytes + array.values.nbytes
    nbytes += array.offsets.nbytes
    if not array.length:
        return nbytes
    first, stop = int(array.offsets[0]), int(array.offsets[-1])
    if array.kind is ArrayKind.LIST:
        return nbytes + nbytes_of(array.children[0].slice(first, stop))
    return nbytes + stop - first
