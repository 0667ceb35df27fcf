"""Which columns have no nulls, as the statistics of all their chunks say."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from hocket.parquet.dataset.collection import Collection
from hocket.parquet.dataset.plan import Part
from hocket.parquet.kernels.library import KERNEL, address
from hocket.parquet.metadata.scanning import scratch
from hocket.parquet.metadata.schema import SchemaNode

__all__ = ["null_free_columns"]


def null_free_columns(
    collection: Collection, parts: Sequence[Part], leaves: Sequence[SchemaNode]
) -> frozenset[int]:
    """Return the columns (indices of leaves) that have no nulls in some row groups.

    Parameters
    ----------
    collection
        The files.
    parts
        The row groups.
    leaves
        The columns to look at.
    """
    free = {leaf.column_index for leaf in leaves}
    by_file: dict[int, list[int]] = {}
    for part in parts:
        by_file.setdefault(part.place.file, []).append(part.place.index)
    for number, groups in by_file.items():
        if not free:
            break
        file = collection.files[number]
        columns = sorted(free)
        own = [file.leaf(column) for column in columns]
        optional = [leaf.column_index for leaf in own if leaf.max_definition]
        counts = np.zeros((len(groups), len(own)), np.int64)
        metadata = file.metadata
        positions = np.ascontiguousarray(metadata.chunks.statistics_at[np.ix_(groups, optional)])
        told = np.empty_like(positions)
        KERNEL.read_null_counts(
            address(metadata.data),
            len(metadata.data),
            address(positions),
            positions.size,
            address(told),
            address(scratch()),
        )
        counts[:, [leaf.max_definition > 0 for leaf in own]] = told
        free -= {
            column
            for column, is_free in zip(columns, (counts == 0).all(axis=0).tolist(), strict=True)
            if not is_free
        }
    return frozenset(free)
