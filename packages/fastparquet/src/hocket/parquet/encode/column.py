"""The entries of a leaf as they go into one chunk: levels and values, each in one piece."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from hocket.parquet.arrays.leaf_entries import DenseValues, LeafEntries
from hocket.parquet.encode.expanding import without_dictionary
from hocket.parquet.encode.storing import dense_values
from hocket.parquet.errors import ParquetError
from hocket.parquet.records import dataclass, replace

__all__ = ["ColumnEntries", "counted_from", "join_entries"]

_Array = np.ndarray[Any, Any]


@dataclass(frozen=True, slots=True)
class ColumnEntries:
    """All entries of a leaf in a row group.

    Parameters
    ----------
    row_count, entry_count
        How many rows and entries there are.
    definition, repetition
        uint8, the levels of each entry; None if all definition levels are the largest there is, or
        if there are no lists.
    values
        Those of the entries that have one.
    """

    row_count: int
    entry_count: int
    definition: _Array | None
    repetition: _Array | None
    values: DenseValues


def join_entries(parts: Sequence[LeafEntries]) -> ColumnEntries:
    """Convert and join what several batches have of one leaf.

    Parameters
    ----------
    parts
        At least one, in the order of the rows.
    """
    dense, first = [], 0
    for each in parts:
        try:
            dense.append(dense_values(each))
        except ParquetError as error:
            raise counted_from(error, first) from error.__cause__
        first += each.row_count
    if len(parts) == 1:
        only = parts[0]
        return ColumnEntries(
            only.row_count, only.entry_count, only.definition, only.repetition, dense[0]
        )
    return ColumnEntries(
        sum(each.row_count for each in parts),
        sum(each.entry_count for each in parts),
        _levels(
            [(each.definition, each.entry_count) for each in parts], dense[0].node.max_definition
        ),
        _levels([(each.repetition, each.entry_count) for each in parts], 0),
        _joined([each for each in dense if each.count] or dense[:1]),
    )


def counted_from(error: ParquetError, first: int) -> ParquetError:
    """Return the error of one of several batches, which says what its rows are counted from.

    Parameters
    ----------
    error
        It names a row or a slot, counted from the beginning of the batch.
    first
        The first row of the batch in the row group.
    """
    if first:
        error.reason += f" (counted from row {first:,} of the row group)"
    return error


def _levels(parts: list[tuple[_Array | None, int]], level: int) -> _Array | None:
    if all(levels is None for levels, _ in parts):
        return None
    return np.concatenate(
        [np.full(count, level, np.uint8) if levels is None else levels for levels, count in parts]
    )


def _joined(parts: list[DenseValues]) -> DenseValues:
    if len(parts) == 1:
        return parts[0]
    count = sum(each.count for each in parts)
    if all(each.codes is not None for each in parts):
        sizes = [_size(each) for each in parts]
        firsts = np.cumsum([0, *sizes[:-1]])
        codes = np.concatenate(
            [
                each.codes + np.uint32(first)
                for each, first in zip(parts, firsts, strict=True)
                if each.codes is not None
            ]
        )
        return replace(_values_of(parts), codes=codes, count=count)
    return replace(_values_of([without_dictionary(each) for each in parts]), count=count)


def _size(values: DenseValues) -> int:
    """Return how many values are in the buffers, codes or not."""
    return len(values.values) if values.offsets is None else len(values.offsets) - 1


def _values_of(parts: list[DenseValues]) -> DenseValues:
    """Join buffers, with no regard to codes."""
    first = parts[0]
    if first.offsets is None:
        return replace(first, values=np.concatenate([each.values for each in parts]), codes=None)
    made, offsets, end = [], [np.zeros(1, np.int64)], 0
    for each in parts:
        assert each.offsets is not None
        begin = int(each.offsets[0])
        made.append(each.values[begin : int(each.offsets[-1])])
        offsets.append(each.offsets[1:] + (end - begin))
        end += made[-1].size
    return replace(first, values=np.concatenate(made), offsets=np.concatenate(offsets), codes=None)
