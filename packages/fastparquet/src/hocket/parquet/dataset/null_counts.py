"""How many nulls columns have, as the statistics of all their chunks say."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from hocket.parquet.dataset.collection import Collection
from hocket.parquet.dataset.data_file import DataFile
from hocket.parquet.dataset.plan import Part
from hocket.parquet.kernels.library import KERNEL, address
from hocket.parquet.metadata.scanning import scratch
from hocket.parquet.metadata.schema import SchemaNode

__all__ = ["null_counts", "null_free_columns"]


def null_free_columns(
    collection: Collection, parts: Sequence[Part], leaves: Sequence[SchemaNode]
) -> frozenset[int]:
    """Return the columns (indices of leaves) that have no nulls; see `null_counts`."""
    counts = null_counts(collection, parts, leaves)
    return frozenset(column for column, nulls in counts.items() if nulls == 0)


def null_counts(
    collection: Collection, parts: Sequence[Part], leaves: Sequence[SchemaNode]
) -> dict[int, int | None]:
    """Return how many nulls columns have in some row groups; None where that is not told.

    Parameters
    ----------
    collection
        The files.
    parts
        The row groups.
    leaves
        The columns to look at; the result has their indices.
    """
    columns = [leaf.column_index for leaf in leaves]
    by_file: dict[int, list[int]] = {}
    for part in parts:
        by_file.setdefault(part.place.file, []).append(part.place.index)
    totals = np.zeros(len(columns), np.int64)
    is_told = np.ones(len(columns), np.bool_)
    for number, groups in by_file.items():
        counts = _counts(collection.files[number], groups, columns)
        totals += np.maximum(counts, 0).sum(axis=0)
        is_told &= (counts >= 0).all(axis=0)
    return {
        column: total if told else None
        for column, total, told in zip(columns, totals.tolist(), is_told.tolist(), strict=True)
    }


def _counts(file: DataFile, groups: list[int], columns: list[int]) -> np.ndarray[Any, Any]:
    """Return the null counts of row groups and columns; -1 for what is not told."""
    own = [file.leaf(column) for column in columns]
    is_optional = [leaf is not None and leaf.max_definition > 0 for leaf in own]
    optional = [leaf.column_index for leaf in own if leaf is not None and leaf.max_definition > 0]
    metadata = file.metadata
    positions = np.ascontiguousarray(metadata.chunks.statistics_at[np.ix_(groups, optional)])
    told = np.empty_like(positions)
    stack = scratch()
    KERNEL.read_null_counts(
        address(metadata.data),
        len(metadata.data),
        address(positions),
        positions.size,
        address(told),
        address(stack),
    )
    counts = np.zeros((len(groups), len(own)), np.int64)
    counts[:, is_optional] = told
    is_absent = [leaf is None for leaf in own]
    if any(is_absent):
        counts[:, is_absent] = metadata.row_group_rows[groups, None]
    return counts
