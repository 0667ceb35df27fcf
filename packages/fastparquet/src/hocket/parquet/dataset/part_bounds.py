"""Bounds of a column over some row groups, as their statistics tell them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hocket.parquet.dataset.collection import Collection

__all__ = ["bounds_of_groups"]


def bounds_of_groups(
    collection: Collection, numbers: Sequence[int], column: str
) -> tuple[Any, Any] | None:
    """Return values that no value is less or more than.

    Parameters
    ----------
    collection
        The files.
    numbers
        The row groups.
    column
        The name of a column.

    Returns
    -------
    tuple or None
        None if statistics do not tell, or if there are nulls or NaN.
    """
    fields = [field for field in collection.fields if field.name == column and field.is_flat]
    if len(fields) != 1 or not numbers:
        return None
    leaf = fields[0].node
    low: list[Any] = []
    high: list[Any] = []
    for number in numbers:
        place = collection.groups[number]
        file = collection.files[place.file]
        own = file.leaf(leaf.column_index)
        if own is None or file.change(leaf) is not None:
            return None
        told = file.metadata.statistics(place.index, own.column_index)
        if told is None or (own.max_definition > 0 and told.null_count != 0):
            return None
        least, most = told.min_value, told.max_value
        if least is None or most is None or told.nan_count:
            return None
        low.append(least)
        high.append(most)
    return min(low), max(high)
