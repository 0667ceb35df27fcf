"""From row groups to NumPy arrays, one a column."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from hocket.parquet.assemble.numpy_arrays import ArraysBuilder, plan_array
from hocket.parquet.assemble.value_kinds import column_hint
from hocket.parquet.dataset.collection import Collection
from hocket.parquet.dataset.columns import select_columns
from hocket.parquet.dataset.confirming import confirm_rows
from hocket.parquet.dataset.null_counts import null_free_columns
from hocket.parquet.dataset.plan import Part
from hocket.parquet.dataset.reading import Reading, read_parts
from hocket.parquet.dataset.receiving import Receiver

if TYPE_CHECKING:
    from hocket.parquet.dataset.partitions import Partition

__all__ = ["read_arrays"]

_Array = np.ndarray[Any, Any]


def read_arrays(
    collection: Collection,
    parts: Sequence[Part],
    columns: Sequence[Any] | str | None,
    reading: Reading,
) -> dict[Hashable, _Array]:
    """Read row groups into arrays by name; of columns with one name the last one is kept.

    Parameters
    ----------
    collection
        The files.
    parts
        The row groups, and which of their rows.
    columns
        Which columns; all unless told.
    reading
        How to read.
    """
    fields, partitions = select_columns(collection, columns)
    hints = collection.hints
    free = null_free_columns(collection, parts, [each.node for each in fields if each.is_flat])
    plans = [
        plan_array(
            each.name,
            each,
            hint=column_hint(None, hints.arrow.get(each.name)),
            null_free=each.node.column_index in free,
        )
        for each in fields
    ]
    rows = sum(part.count for part in parts)
    reading.budget.reserve(
        rows,
        [(plan.targets, plan.wants_levels) for plan in plans],
        partitions=sum(each.values.itemsize for each, _ in partitions),
    )
    confirm_rows(collection, parts, fields)
    builder = ArraysBuilder(plans, [part.count for part in parts])
    receivers = [
        Receiver(plan.field, partial(builder.fill, at), plan.wants_levels)
        for at, plan in enumerate(plans)
    ]
    read_parts(collection, parts, receivers, reading)
    arrays = builder.finish_arrays()
    for partition, _ in partitions:
        arrays[partition.name] = _partition_array(partition, parts)
    return arrays


def _partition_array(partition: Partition, parts: Sequence[Part]) -> _Array:
    codes = np.array([partition.codes[part.place.file] for part in parts], np.int64)
    counts = [part.count for part in parts]
    missing = np.repeat(codes < 0, counts)
    if not len(partition.values):
        return np.full(len(missing), None, object)
    values = np.repeat(partition.values[np.maximum(codes, 0)], counts)
    return np.ma.MaskedArray(values, missing) if missing.any() else values
