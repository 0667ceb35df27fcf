"""A decoded column, or a part of one: values or byte strings or codes, validity, and levels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np

from hocket.parquet.decode.target import Target
from hocket.parquet.metadata.schema import SchemaNode
from hocket.parquet.records import dataclass

__all__ = ["SPARE_NBYTES", "ColumnData", "concatenate", "empty_column", "padded_bytes"]

_Array = np.ndarray[Any, Any]

#: Readable bytes that follow the bytes of every source buffer and of all byte-string data.
SPARE_NBYTES: Final = 64


@dataclass(slots=True)
class ColumnData:
    """What a column chunk, or several, decode to.

    A slot is where a value stands or is missing. In a flat column there is one for each row; below
    lists, one for each entry of the innermost list (levels at or above the leaf's
    `slot_definition`); empty and missing lists have none.

    Exactly one of `values`, `offsets` and `codes` is there.

    Parameters
    ----------
    leaf
        The column in the schema.
    target
        What its values were decoded to. When a dictionary was asked for and `codes` is None, the
        chunk had too many different values, and they are in `values` or `offsets`.
    count
        How many slots there are.
    null_count
        How many slots hold no value.
    values
        Items of fixed size, one a slot; null slots hold the target's `null_bits`.
    offsets
        Where the byte strings of the slots begin and end in `data`, int64, one more than slots. The
        first need not be 0.
    data
        The bytes of byte strings; `SPARE_NBYTES` more are readable after them.
    codes
        Index in `dictionary` of each slot's value, int32; -1 for null.
    dictionary
        The values that codes stand for. They can repeat only if the file repeats them.
    valid
        Whether each slot holds a value; None if all do, or if it was not asked for.
    definition_levels, repetition_levels
        uint8, if asked for and the leaf has such levels.
    level_count
        How many level entries there are, whether or not they were kept.
    row_count
        How many rows these are: level entries of repetition level 0.
    """

    leaf: SchemaNode
    target: Target
    count: int
    null_count: int
    values: _Array | None = None
    offsets: _Array | None = None
    data: _Array | None = None
    codes: _Array | None = None
    dictionary: ColumnData | None = None
    valid: _Array | None = None
    definition_levels: _Array | None = None
    repetition_levels: _Array | None = None
    level_count: int = 0
    row_count: int = 0

    @property
    def nbytes(self) -> int:
        """The bytes of all arrays together."""
        arrays = (
            self.values,
            self.offsets,
            self.data,
            self.codes,
            self.valid,
            self.definition_levels,
            self.repetition_levels,
        )
        total = sum(array.nbytes for array in arrays if array is not None)
        return total + (0 if self.dictionary is None else self.dictionary.nbytes)


def padded_bytes(nbytes: int) -> _Array:
    """Return new bytes, not set, with `SPARE_NBYTES` more behind them."""
    return np.empty(nbytes + SPARE_NBYTES, np.uint8)[:nbytes]


def empty_column(leaf: SchemaNode, target: Target) -> ColumnData:
    """Return a column of no rows."""
    column = ColumnData(leaf, target, 0, 0)
    if target.item_size or target.dtype is not None:
        column.values = np.empty(0, target.dtype)
    else:
        column.offsets = np.zeros(1, np.int64)
        column.data = padded_bytes(0)
    return column


def concatenate(parts: Sequence[ColumnData]) -> ColumnData:
    """Return several parts of one column as one.

    Parts with dictionaries keep them: one is made of all, in which values can repeat.
    """
    if len(parts) == 1:
        return parts[0]
    first = parts[0]
    if any(part.codes is not None for part in parts):
        parts = [_with_codes(part) for part in parts]
        first = parts[0]
    result = ColumnData(
        first.leaf,
        first.target,
        sum(part.count for part in parts),
        sum(part.null_count for part in parts),
        level_count=sum(part.level_count for part in parts),
        row_count=sum(part.row_count for part in parts),
    )
    if first.codes is not None:
        _join_codes(result, parts)
    elif first.values is not None:
        result.values = np.concatenate([part.values for part in parts if part.values is not None])
    else:
        _join_strings(result, parts)
    if any(part.valid is not None for part in parts):
        result.valid = np.concatenate(
            [np.ones(part.count, np.bool_) if part.valid is None else part.valid for part in parts]
        )
    for name in ("definition_levels", "repetition_levels"):
        if getattr(first, name) is not None:
            setattr(result, name, np.concatenate([getattr(part, name) for part in parts]))
    return result


def _join_strings(result: ColumnData, parts: Sequence[ColumnData]) -> None:
    offsets = np.empty(result.count + 1, np.int64)
    offsets[0] = 0
    spans = []
    at, end = 0, 0
    for part in parts:
        assert part.offsets is not None
        assert part.data is not None
        begin = int(part.offsets[0])
        np.add(part.offsets[1:], end - begin, out=offsets[at + 1 : at + part.count + 1])
        spans.append(part.data[begin : int(part.offsets[-1])])
        at += part.count
        end += len(spans[-1])
    data = padded_bytes(end)
    np.concatenate(spans, out=data)
    result.offsets, result.data = offsets, data


def _with_codes(part: ColumnData) -> ColumnData:
    """Return a part with a code of its own for each value, if it has no codes."""
    if part.codes is not None:
        return part
    codes = np.arange(part.count, dtype=np.int32)
    if part.valid is not None:
        codes[~part.valid] = -1
    return ColumnData(
        part.leaf,
        part.target,
        part.count,
        part.null_count,
        codes=codes,
        dictionary=ColumnData(
            part.leaf,
            part.target,
            part.count,
            0,
            values=part.values,
            offsets=part.offsets,
            data=part.data,
        ),
        valid=part.valid,
        definition_levels=part.definition_levels,
        repetition_levels=part.repetition_levels,
        level_count=part.level_count,
        row_count=part.row_count,
    )


def _join_codes(result: ColumnData, parts: Sequence[ColumnData]) -> None:
    dictionaries: list[ColumnData] = []
    starts: dict[int, int] = {}
    codes = np.empty(result.count, np.int32)
    at, total = 0, 0
    for part in parts:
        assert part.codes is not None
        assert part.dictionary is not None
        # Parts of one chunk share their dictionary.
        start = starts.get(id(part.dictionary))
        if start is None:
            start = starts[id(part.dictionary)] = total
            dictionaries.append(part.dictionary)
            total += part.dictionary.count
        piece = codes[at : at + part.count]
        np.add(part.codes, start, out=piece)
        if part.null_count:
            piece[part.codes < 0] = -1
        at += part.count
    result.codes = codes
    result.dictionary = concatenate(dictionaries)
