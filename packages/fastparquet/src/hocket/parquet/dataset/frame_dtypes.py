"""The dtypes of a frame, told without reading its values."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from hocket.parquet.assemble.pandas_arrays import masked_array
from hocket.parquet.assemble.pandas_types import LateNulls, Storage
from hocket.parquet.dataset.collection import Collection
from hocket.parquet.dataset.frame_plan import FramePlan
from hocket.parquet.dataset.frame_reading import read_frame
from hocket.parquet.dataset.null_counts import null_counts
from hocket.parquet.dataset.plan import Part
from hocket.parquet.dataset.reading import Reading

__all__ = ["dtypes_of"]


def dtypes_of(collection: Collection, parts: Sequence[Part], plan: FramePlan) -> dict[str, Any]:
    """Return the dtype of each column of a frame by its name in the files, partitions last.

    Parameters
    ----------
    collection
        The files.
    parts
        The row groups.
    plan
        The frame: without an index, and with its partitions behind the other columns.
    """
    empty = read_frame(collection, [], plan, Reading())
    names = [column.field.name for column in plan.columns]
    names += [partition.name for partition, _ in plan.partitions]
    dtypes = dict(zip(names, empty.dtypes, strict=True))
    late = [
        column
        for column in plan.columns
        if column.late_nulls in (LateNulls.MASK, LateNulls.FLOAT) and column.cast_to is None
    ]
    for column in plan.columns:
        if column.storage is Storage.CATEGORICAL and column.cast_to is None:
            # Which categories there are stands in the data.
            dtypes[column.field.name] = "category"
    counts = null_counts(collection, parts, [column.field.node for column in late])
    for column in late:
        # Numbers that are planned without nulls, and have some.
        if counts[column.field.node.column_index]:
            name = column.field.name
            dtypes[name] = np.dtype(np.float64)
            if column.late_nulls is LateNulls.MASK:
                nothing = np.empty(0, column.dtype)
                dtypes[name] = masked_array(nothing, np.empty(0, np.bool_)).dtype
    return dtypes
