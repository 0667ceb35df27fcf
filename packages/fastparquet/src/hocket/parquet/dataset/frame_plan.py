"""What frame a read makes: its columns, their labels, and its index."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pandas as pd

from hocket.parquet.assemble.pandas_labels import frame_labels
from hocket.parquet.assemble.pandas_metadata import PandasMetadata, RangeMetadata
from hocket.parquet.assemble.pandas_options import PandasOptions
from hocket.parquet.assemble.pandas_types import ColumnPlan, plan_column
from hocket.parquet.assemble.value_kinds import column_hint
from hocket.parquet.dataset.collection import Collection
from hocket.parquet.dataset.columns import check_whole_columns, select_columns
from hocket.parquet.dataset.null_counts import null_free_columns
from hocket.parquet.dataset.plan import Part
from hocket.parquet.errors import InvalidOption
from hocket.parquet.metadata.schema import PhysicalType
from hocket.parquet.records import dataclass, field

if TYPE_CHECKING:
    from hocket.parquet.dataset.partitions import Partition

__all__ = ["MASKABLE", "FramePlan", "Index", "plan_frame", "range_of_rows"]

#: What a caller may say of the index: None, False, a name or several.
Index = Any

#: Columns whose dtype hangs on whether there are nulls.
MASKABLE: Final = (PhysicalType.BOOLEAN, PhysicalType.INT32, PhysicalType.INT64)


@dataclass(frozen=True, slots=True)
class FramePlan:
    """The frame of a read.

    Parameters
    ----------
    columns
        What each column of the files becomes, those of the index among them.
    index
        Positions in `columns` of the levels of the index.
    index_names
        Their names.
    index_range
        What pandas wrote in place of an index that was a range; None if there is none.
    partitions
        Columns that directories tell, with their places among the labels; for levels of the index
        the place is -1.
    labels
        The labels of the columns that are not of the index and not partitions.
    attributes
        What the frame's ``attrs`` will hold.
    partition_dtypes
        What partitions become that shall not be categorical, by name.
    """

    columns: tuple[ColumnPlan, ...]
    index: tuple[int, ...] = ()
    index_names: tuple[Hashable, ...] = ()
    index_range: RangeMetadata | None = None
    partitions: tuple[tuple[Partition, int], ...] = ()
    labels: Any = field(default=None)
    attributes: Mapping[str, Any] = field(default_factory=dict)
    partition_dtypes: Mapping[str, Any] = field(default_factory=dict)


def plan_frame(
    collection: Collection,
    options: PandasOptions,
    parts: Sequence[Part],
    *,
    columns: Sequence[Any] | str | None = None,
    index: Index = None,
) -> FramePlan:
    """Decide what frame a read makes.

    Parameters
    ----------
    collection
        The files.
    options
        What columns become.
    parts
        The row groups that are read: whether columns have nulls there can decide about dtypes.
    columns
        Which; all unless told.
    index
        None for what pandas' metadata says, False for none, or names of columns.
    """
    hints = collection.hints
    about = hints.pandas if options.use_pandas_metadata else PandasMetadata()
    fields, partitions = select_columns(collection, columns)
    _check_named(collection, options)
    levels, index_range = _index_levels(collection, about, index)
    names = {field.name for field in fields} | {each.name for each, _ in partitions}
    missing = [name for name in levels if name not in names]
    if missing:
        more, more_partitions = select_columns(collection, missing)
        fields += more
        partitions += [(each, -1) for each, _ in more_partitions]
    asked = [each.node for each in fields if each.is_flat and each.node.physical in MASKABLE]
    null_free = null_free_columns(collection, parts, asked)
    plans = tuple(
        plan_column(
            each.name,
            each,
            options,
            hint=column_hint(about.columns.get(each.name), hints.arrow.get(each.name)),
            null_free=each.node.column_index in null_free,
        )
        for each in fields
    )
    of_files = {each.name: at for at, each in enumerate(fields)}
    partition_levels = {each.name for each, _ in partitions} & set(levels)
    if partition_levels and len(levels) > len(partition_levels):
        raise InvalidOption(
            f"index is {levels!r}; partitions cannot be levels of an index beside other columns"
        )
    in_index = tuple(of_files[name] for name in levels if name in of_files)
    kept = [each for at, each in enumerate(fields) if at not in in_index]
    return FramePlan(
        plans,
        in_index,
        tuple(about.index_name(name) if index is None else name for name in levels),
        index_range,
        tuple((each, -1 if each.name in levels else at) for each, at in partitions),
        frame_labels([each.name for each in kept], about),
        about.attributes,
        {
            each.name: options.dtypes[each.name]
            for each, _ in partitions
            if each.name in options.dtypes
        },
    )


def _check_named(collection: Collection, options: PandasOptions) -> None:
    """Refuse options about columns that are not there, or cannot become what is asked."""
    if not options.dtypes and not options.categories:
        return
    check_whole_columns(collection, options.dtypes, "dtypes")
    categories = options.categories or ()
    check_whole_columns(collection, categories, "categories")
    for each in collection.fields:
        if each.name in categories and not each.is_flat:
            raise InvalidOption(
                f"categories has {each.name!r}, a column of lists, maps or structs, which cannot "
                "become categorical"
            )


def _index_levels(
    collection: Collection, about: PandasMetadata, index: Index
) -> tuple[list[str], RangeMetadata | None]:
    if index is False:
        return [], None
    if index is None:
        levels = [
            name
            for name in about.index_columns
            if name in {each.name for each in collection.fields}
        ]
        ranges = [each for each in about.index if isinstance(each, RangeMetadata)]
        return levels, ranges[0] if ranges else None
    levels = [index] if isinstance(index, str) else index
    if isinstance(levels, (list, tuple)) and all(isinstance(name, str) for name in levels):
        check_whole_columns(collection, levels, "index")
        for name in levels:
            if levels.count(name) > 1:
                raise InvalidOption(f"index has {name!r} twice; leave one of them out")
            if collection.names.count(name) > 1:
                raise InvalidOption(f"index has {name!r}, and several columns have that name")
        return list(levels), None
    raise InvalidOption(f"index is {index!r}; it has to be None, False, or names of columns")


def range_of_rows(
    span: RangeMetadata | None, total: int, numbers: np.ndarray[Any, Any] | None, count: int
) -> pd.Index:
    """Return the index of rows where pandas had a range.

    Parameters
    ----------
    span
        The range of all rows.
    total
        How many rows the dataset has in all; -1 if that is not known here.
    numbers
        Which of them the frame has; None for all.
    count
        How many rows the frame has.
    """
    name = None if span is None else span.name
    is_plain = span is None or (span.name is None and span.start == 0 and span.step == 1)
    if span is None or is_plain or len(span.range) != total:
        return pd.RangeIndex(count, name=name)
    if numbers is None:
        return pd.RangeIndex(span.start, span.stop, span.step, name=name)
    return pd.Index(span.start + numbers * span.step, name=name)
