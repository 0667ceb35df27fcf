"""From row groups to one pandas frame."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from hocket.parquet.assemble.frame import FrameBuilder
from hocket.parquet.assemble.text_dtype import default_text_dtype
from hocket.parquet.dataset.collection import Collection
from hocket.parquet.dataset.confirming import confirm_rows
from hocket.parquet.dataset.frame_plan import FramePlan, range_of_rows
from hocket.parquet.dataset.plan import Part
from hocket.parquet.dataset.reading import Reading, read_parts
from hocket.parquet.dataset.receiving import Receiver
from hocket.parquet.errors import InvalidOption

if TYPE_CHECKING:
    from hocket.parquet.dataset.partitions import Partition

__all__ = ["read_frame"]


def read_frame(
    collection: Collection,
    parts: Sequence[Part],
    plan: FramePlan,
    reading: Reading,
) -> pd.DataFrame:
    """Read row groups into a frame.

    Parameters
    ----------
    collection
        The files.
    parts
        The row groups, and which of their rows.
    plan
        What the frame is.
    reading
        How to read.
    """
    counts = [part.count for part in parts]
    reading.budget.reserve(
        sum(counts),
        [(column.targets, column.wants_levels) for column in plan.columns],
        partitions=len(plan.partitions),
    )
    confirm_rows(collection, parts, [column.field for column in plan.columns])
    builder = FrameBuilder(plan.columns, counts, alone=plan.index)
    receivers = [
        Receiver(column.field, partial(builder.fill, at), column.wants_levels, builder.whole(at))
        for at, column in enumerate(plan.columns)
    ]
    read_parts(collection, parts, receivers, reading)
    index: Any = None
    if plan.index_range is not None:
        numbers = _row_numbers(collection, parts)
        total = int(collection.rows.sum()) if collection.is_whole else -1
        index = range_of_rows(plan.index_range, total, numbers, builder.spans.total)
    frame = builder.finish(
        labels=plan.labels, index=plan.index, index_names=plan.index_names, range_index=index
    )
    frame.attrs.update(plan.attributes)
    return _with_partitions(frame, plan, parts, builder)


def _row_numbers(collection: Collection, parts: Sequence[Part]) -> np.ndarray[Any, Any] | None:
    """Return which rows of the whole dataset these are; None for all of them in order."""
    if [part.place for part in parts] == collection.groups and all(
        part.rows is None for part in parts
    ):
        return None
    ends = np.cumsum(collection.rows)
    first = dict(zip(collection.groups, (ends - collection.rows).tolist(), strict=True))
    pieces = [
        first[part.place] + (np.arange(part.count) if part.rows is None else part.rows)
        for part in parts
    ]
    return np.concatenate(pieces) if pieces else np.empty(0, np.int64)


def _with_partitions(
    frame: pd.DataFrame, plan: FramePlan, parts: Sequence[Part], builder: FrameBuilder
) -> pd.DataFrame:
    levels = []
    for partition, place in plan.partitions:
        column = _partition_column(partition, parts, builder)
        if partition.name in plan.partition_dtypes:
            column = _cast(column, partition.name, plan.partition_dtypes[partition.name])
        if place < 0:
            levels.append(pd.Index(column, name=partition.name))
        else:
            at = min(place, frame.shape[1])
            frame.insert(at, partition.name, column, allow_duplicates=True)
    if levels:
        frame.index = levels[0] if len(levels) == 1 else pd.MultiIndex.from_arrays(levels)
    return frame


def _partition_column(
    partition: Partition, parts: Sequence[Part], builder: FrameBuilder
) -> pd.Categorical:
    codes = [partition.codes[part.place.file] for part in parts]
    from hocket.parquet.assemble.categories import categorical_of_parts  # noqa: PLC0415 - few need it

    return categorical_of_parts(codes, _categories(partition), builder.spans)


def _cast(column: Any, name: str, dtype: Any) -> Any:
    try:
        return pd.Series(column, copy=False).astype(dtype).array
    except (TypeError, ValueError, OverflowError) as error:
        raise InvalidOption(
            f"the partition cannot be converted to {dtype}: {error}", column=name
        ) from error


def _categories(partition: Partition) -> Any:
    values = partition.values  # noqa: PD011 - no pandas object
    if values.dtype != object:
        return values
    return pd.Index(values, dtype=default_text_dtype())
