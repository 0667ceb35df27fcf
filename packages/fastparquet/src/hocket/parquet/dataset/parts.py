"""How a dataset is cut into pieces that are read one by one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from hocket.parquet.assemble.pandas_options import PandasOptions
from hocket.parquet.dataset.arguments import is_flag, whole_number
from hocket.parquet.dataset.chosen import whole_parts
from hocket.parquet.dataset.collection import Collection
from hocket.parquet.dataset.frame_dtypes import dtypes_of
from hocket.parquet.dataset.frame_plan import MASKABLE, FramePlan, plan_frame
from hocket.parquet.dataset.null_counts import null_free_columns
from hocket.parquet.dataset.parquet_part import ParquetPart
from hocket.parquet.dataset.plan import Part
from hocket.parquet.errors import InvalidOption

if TYPE_CHECKING:
    from hocket.parquet.dataset.parquet_file import ParquetFile

__all__ = ["make_parts"]

_Array = np.ndarray[Any, Any]

#: Arguments of `ParquetFile.to_pandas` that are no options of the frame.
_NOT_OF_THE_FRAME: Final = ("categories", "dtypes", "index", "row_filter")


def make_parts(
    file: ParquetFile,
    columns: Sequence[Any] | str | None,
    filters: Any,
    *,
    rows: int | None,
    nbytes: int | None,
    options: Mapping[str, Any],
) -> list[ParquetPart]:
    """Return the pieces; see `ParquetFile.parts`."""
    most_rows = None if rows is None else whole_number("rows", rows)
    most_nbytes = None if nbytes is None else whole_number("nbytes", nbytes)
    if not is_flag(options.get("row_filter")):
        raise InvalidOption("parts takes no array as row_filter; use to_pandas")
    others = {name: value for name, value in options.items() if name not in _NOT_OF_THE_FRAME}
    wanted = file._frame_options(  # noqa: SLF001 - our own, here and below
        options.get("categories"), options.get("dtypes"), others
    )
    collection = file._collection  # noqa: SLF001
    numbers = [file._groups[at] for at in file.row_group_numbers(filters)]  # noqa: SLF001
    numbers = [number for number in numbers if collection.rows[number]]
    groups = whole_parts(collection, numbers)
    plan = plan_frame(collection, wanted, groups, columns=columns, index=options.get("index"))
    told = dict(options)
    settled = _settled_dtypes(collection, groups, plan, wanted)
    if settled:
        told["dtypes"] = {**settled, **(options.get("dtypes") or {})}
    sizes = _sizes(collection, groups, plan)
    kept = list(columns) if isinstance(columns, (list, tuple)) else columns
    return [
        ParquetPart(
            file._sliced(tuple(numbers[first:stop])),  # noqa: SLF001
            kept,
            filters,
            told,
            sum(group.count for group in groups[first:stop]),
            int(sizes[first:stop].sum()),
        )
        for first, stop in _joined([group.count for group in groups], sizes, most_rows, most_nbytes)
    ]


def _joined(
    rows: Sequence[int], sizes: _Array, most_rows: int | None, most_nbytes: int | None
) -> Iterator[tuple[int, int]]:
    """Yield from which row group on, and up to which, a piece goes."""
    if most_rows is None and most_nbytes is None:
        yield from ((at, at + 1) for at in range(len(rows)))
        return
    first = row_count = nbytes = 0
    for at, (count, size) in enumerate(zip(rows, sizes.tolist(), strict=True)):
        too_long = most_rows is not None and row_count + count > most_rows
        too_large = most_nbytes is not None and nbytes + size > most_nbytes
        if at > first and (too_long or too_large):
            yield first, at
            first, row_count, nbytes = at, 0, 0
        row_count += count
        nbytes += size
    if len(rows):
        yield first, len(rows)


def _sizes(collection: Collection, groups: Sequence[Part], plan: FramePlan) -> _Array:
    """Return how many bytes the columns of each row group take, decompressed."""
    sizes = np.zeros(len(groups), np.int64)
    by_file: dict[int, list[int]] = {}
    for at, group in enumerate(groups):
        by_file.setdefault(group.place.file, []).append(at)
    leaves = [leaf.column_index for column in plan.columns for leaf in column.field.leaves]
    for number, here in by_file.items():
        file = collection.files[number]
        columns = [own.column_index for own in map(file.leaf, leaves) if own is not None]
        indices = [groups[at].place.index for at in here]
        table = file.metadata.chunks.uncompressed_nbytes[np.ix_(indices, columns)]
        sizes[here] = np.maximum(table, 0).sum(axis=1)
    return sizes


def _settled_dtypes(
    collection: Collection, groups: Sequence[Part], plan: FramePlan, options: PandasOptions
) -> dict[str, Any]:
    """Return the dtypes of columns whose nulls decide about them, and which have some.

    Pieces without nulls would get another dtype than those with them.
    """
    asked = [
        column.field
        for column in plan.columns
        if column.field.is_flat
        and column.field.nullable
        and column.field.node.physical in MASKABLE
        and column.field.name not in options.dtypes
    ]
    free = null_free_columns(collection, groups, [field.node for field in asked])
    names = [field.name for field in asked if field.node.column_index not in free]
    if not names:
        return {}
    some = plan_frame(collection, options, groups, columns=names, index=False)
    return {
        name: dtype
        for name, dtype in dtypes_of(collection, groups, some).items()
        if not (isinstance(dtype, np.dtype) and dtype.kind in "iub")
    }
