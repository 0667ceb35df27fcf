"""Statistics of all column chunks as values, the way fastparquet lays them out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hocket.parquet.dataset.collection import Collection
from hocket.parquet.dataset.data_file import DataFile
from hocket.parquet.metadata.schema import SchemaNode

__all__ = ["statistics_of"]


def statistics_of(
    collection: Collection, numbers: Sequence[int]
) -> dict[str, dict[str, list[Any]]]:
    """Return min, max, null_count and distinct_count of each column, one for each row group.

    Parameters
    ----------
    collection
        The files.
    numbers
        Which row groups.
    """
    leaves = collection.schema.leaves
    result: dict[str, dict[str, list[Any]]] = {
        name: {leaf.dotted: [] for leaf in leaves}
        for name in ("min", "max", "null_count", "distinct_count")
    }
    for number in numbers:
        place = collection.groups[number]
        file = collection.files[place.file]
        for leaf in leaves:
            values = _statistics(file, place.index, leaf)
            for kind, value in zip(result.values(), values, strict=True):
                kind[leaf.dotted].append(value)
    return result


def _statistics(file: DataFile, row_group: int, leaf: SchemaNode) -> tuple[Any, ...]:
    own = file.leaf(leaf.column_index)
    if own is None:
        return None, None, int(file.metadata.row_group_rows[row_group]), None
    found = file.metadata.statistics(row_group, own.column_index)
    if found is None:
        return (None,) * 4
    return found.min_value, found.max_value, found.null_count, found.distinct_count
