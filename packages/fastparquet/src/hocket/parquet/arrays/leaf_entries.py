"""One leaf of some rows, taken apart: levels of entries, and the slots of the values among them."""

from __future__ import annotations

from typing import Any

import numpy as np

from hocket.parquet.arrays.value_array import ValueArray
from hocket.parquet.arrays.write_field import WriteField
from hocket.parquet.metadata.schema import SchemaNode
from hocket.parquet.records import dataclass

__all__ = ["DenseValues", "LeafEntries"]

_Array = np.ndarray[Any, Any]


@dataclass(frozen=True, slots=True)
class LeafEntries:
    """The entries of a leaf.

    Parameters
    ----------
    field
        The leaf as it was told to the writer.
    node
        The leaf in the file's schema.
    row_count
        How many rows there are.
    entry_count
        How many entries: rows, or for leaves in lists elements, empty and missing lists.
    definition
        uint8, the definition level of each entry; None if all have the largest there is.
    repetition
        uint8, the repetition level of each entry; None if no list is around the leaf.
    value_count
        How many entries have values.
    array
        Where values are.
    slots
        int64, the slot in `array` of each value; None if they are all slots of `array` in their
        order, but for those that `array.nulls` names.
    """

    field: WriteField
    node: SchemaNode
    row_count: int
    entry_count: int
    definition: _Array | None
    repetition: _Array | None
    value_count: int
    array: ValueArray
    slots: _Array | None = None


@dataclass(frozen=True, slots=True)
class DenseValues:
    """Values of a leaf one after the other, none missing, as their physical type stores them.

    Parameters
    ----------
    node
        The leaf.
    count
        How many values there are.
    values
        Contiguous; i4, i8, f4, f8, bool as u1 of 0 or 1, or ``V{n}`` for FIXED_LEN_BYTE_ARRAY and
        INT96; for BYTE_ARRAY the bytes, u1. It may be the user's own memory: nothing may be read
        behind its end.
    offsets
        Of BYTE_ARRAY: ``count + 1`` int64; the first need not be 0.
    codes
        uint32, if all values are slots of few: then `values` and `offsets` are those few, and
        `count` is still the number of codes.
    """

    node: SchemaNode
    count: int
    values: _Array
    offsets: _Array | None = None
    codes: _Array | None = None
