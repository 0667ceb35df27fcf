"""Columns that were decoded for a filter, given to whoever wants them as values, too."""

from __future__ import annotations

import numpy as np

from hocket.parquet.decode.column import ColumnData, padded_bytes
from hocket.parquet.decode.selection import take_rows
from hocket.parquet.decode.target import Target
from hocket.parquet.records import replace

__all__ = ["as_wanted"]


def as_wanted(column: ColumnData, target: Target) -> ColumnData | None:
    """Return a decoded column as it would be with another target; None if it must be decoded anew.

    Parameters
    ----------
    column
        Values that were decoded already.
    target
        What is wanted.
    """
    if column.target == target:
        return column
    if replace(column.target, keep_dictionary=target.keep_dictionary) != target:
        return None
    if column.codes is None:
        # A dictionary that is asked for is made only where the file has one.
        return column
    return _without_dictionary(column, target)


def _without_dictionary(column: ColumnData, target: Target) -> ColumnData:
    codes, dictionary = column.codes, column.dictionary
    assert codes is not None
    assert dictionary is not None
    if dictionary.count:
        found = take_rows(dictionary, np.maximum(codes, 0).astype(np.int64), None, None)
    else:
        offsets = np.zeros(column.count + 1, np.int64)
        found = ColumnData(
            column.leaf, target, column.count, 0, offsets=offsets, data=padded_bytes(0)
        )
    found.leaf, found.target = column.leaf, target
    found.valid, found.null_count = column.valid, column.null_count
    if found.valid is None and column.null_count:
        found.valid = codes >= 0
    return found
