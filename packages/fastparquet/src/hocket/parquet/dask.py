"""Dask data frames of Parquet files, read and written by this library.

What is here runs on whatever runs dask's graphs: its threads, its processes, its own cluster, or
hocket (``frame.compute(scheduler=client.get)``).
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final

import dask
import dask.dataframe as dd
import pandas as pd
from dask.dataframe.utils import UNKNOWN_CATEGORIES, clear_known_categories

from hocket.parquet.api import opened
from hocket.parquet.dataset.edit.shared_writer import SharedWriter
from hocket.parquet.dataset.parquet_part import ParquetPart

if TYPE_CHECKING:
    from hocket.parquet.dataset.parquet_file import ParquetFile

__all__ = ["read_parquet", "to_parquet"]

#: A partition of the frame is made of row groups up to this size, unless told.
_PARTITION_NBYTES: Final = 128 << 20


def read_parquet(
    path: Any,
    columns: Sequence[Any] | str | None = None,
    filters: Any = None,
    *,
    index: Any = None,
    rows: int | None = None,
    nbytes: int | None = None,
    calculate_divisions: bool = True,
    **options: Any,
) -> Any:
    """Return a dask data frame of a Parquet file or dataset.

    Nothing but footers is read now. Each partition of the frame is some row groups; those that
    `filters` rule out are in none. When columns are chosen later, only these are read.

    Parameters
    ----------
    path
        Whatever `hocket.parquet.ParquetFile` opens, or one that is open.
    columns
        Which columns, as with `ParquetFile.to_pandas`; one name alone gives a series.
    filters
        What rows have to fulfil, as with `ParquetFile.to_pandas`; they are applied exactly.
    index
        As with `ParquetFile.to_pandas`.
    rows, nbytes
        The most rows and bytes (decompressed) of a partition, as with `ParquetFile.parts`; 128 MiB
        unless told. ``rows=0`` makes a partition of each row group.
    calculate_divisions
        Whether to tell dask between which values of the index each partition is, where statistics
        say that the partitions are in order.
    **options
        More of `ParquetFile` and `ParquetFile.to_pandas`.

    Returns
    -------
    dask.dataframe.DataFrame or Series
    """
    file, options = opened(path, options)
    if rows is None and nbytes is None:
        nbytes = _PARTITION_NBYTES
    wanted = [columns] if isinstance(columns, str) else columns
    parts = file.parts(wanted, filters, rows=rows, nbytes=nbytes, index=index, **options)
    if not parts:
        parts = [ParquetPart(file[:0], wanted, filters, {"index": index, **options}, 0, 0)]
    meta = _meta(file, parts[0])
    frame = dd.from_map(
        _read if _can_choose(file, meta) else _read_all,
        parts,
        meta=meta,
        divisions=_divisions(file, parts, meta, index) if calculate_divisions else None,
        label="read-parquet",
    )
    return frame[meta.columns[0]] if isinstance(columns, str) else frame


def to_parquet(
    frame: Any,
    path: Any,
    *,
    like: Any = None,
    partition_on: str | Sequence[str] = (),
    append: bool | str = False,
    write_metadata: bool | None = None,
    write_index: bool | None = None,
    scheduler: Any = None,
    **options: Any,
) -> None:
    """Write a dask data frame as a Parquet dataset.

    Each partition is written to a file of its own where it is computed (with `partition_on`, to one
    in each directory). The dataset appears when all are written: if anything goes wrong, what was
    there before stays.

    Parameters
    ----------
    frame
        The dask data frame.
    path
        The directory, or its URL; whoever computes partitions has to see it.
    like
        A pandas frame, say one without rows, that has the columns and dtypes of all partitions.
        Needed only where dask does not know of them: columns of objects that have other types in
        one partition than in another.
    partition_on, append, write_metadata
        As with `hocket.parquet.write`.
    write_index
        Whether the index is stored; unless told, if dask knows its divisions.
    scheduler
        What runs the tasks, as with `compute`: ``"threads"``, ``"processes"``, or a function as
        ``client.get``.
    **options
        More of `hocket.parquet.write`.
    """
    if write_index is None:
        write_index = bool(frame.known_divisions)
    if like is None and _is_settled(frame._meta):  # noqa: SLF001 - dask's word for it
        like = frame._meta  # noqa: SLF001
    writer = SharedWriter(
        path,
        like,
        partition_on=partition_on,
        append=append,
        write_metadata=write_metadata,
        write_index=write_index,
        **options,
    )
    with writer:
        write = dask.delayed(writer.write)
        pieces = [write(partition) for partition in frame.to_delayed()]
        told = {} if scheduler is None else {"scheduler": scheduler}
        writer.commit(dask.compute(*pieces, **told))


def _is_settled(meta: pd.DataFrame) -> bool:
    """Tell whether a frame's dtypes say what is stored: those of objects do not."""
    dtypes = [*meta.dtypes, *(level.dtype for level in _levels(meta.index))]
    for dtype in dtypes:
        kept = dtype.categories.dtype if isinstance(dtype, pd.CategoricalDtype) else dtype
        if pd.api.types.is_object_dtype(kept):
            return False
        if isinstance(dtype, pd.CategoricalDtype) and UNKNOWN_CATEGORIES in dtype.categories:
            return False
    return True


def _levels(index: pd.Index) -> list[pd.Index]:
    return list(index.levels) if isinstance(index, pd.MultiIndex) else [index]


def _read(part: ParquetPart, columns: list[Any]) -> pd.DataFrame:
    # Dask looks at the names of the parameters, and then chooses columns.
    return part.to_pandas(columns)


def _read_all(part: ParquetPart) -> pd.DataFrame:
    return part.to_pandas()


def _meta(file: ParquetFile, part: ParquetPart) -> pd.DataFrame:
    """Return a frame without rows; of categories, only those of partitions are known by now."""
    meta = part.empty_frame()
    if not meta.columns.is_unique:
        return meta
    partitions = file.info["partitions"]
    unknown = [
        label
        for label, dtype in meta.dtypes.items()
        if isinstance(dtype, pd.CategoricalDtype) and label not in partitions
    ]
    cleared: pd.DataFrame = clear_known_categories(meta, cols=unknown)
    return cleared


def _can_choose(file: ParquetFile, meta: pd.DataFrame) -> bool:
    """Tell whether the frame's labels are names of columns in the files."""
    known = {*file.columns, *file.info["partitions"]}
    return bool(meta.columns.is_unique) and all(label in known for label in meta.columns)


def _divisions(
    file: ParquetFile, parts: Sequence[ParquetPart], meta: pd.DataFrame, index: Any
) -> tuple[Any, ...] | None:
    """Return between which values of the index each part is; None if they are not in order."""
    if index is None:
        index = file.pandas_metadata.get("index_columns")
    levels = [index] if isinstance(index, str) else index
    if not isinstance(levels, (list, tuple)) or len(levels) != 1 or not isinstance(levels[0], str):
        return None
    if levels[0] not in file.columns:
        return None
    bounds = [part.bounds(levels[0]) for part in parts]
    told = [pair for pair in bounds if pair is not None]
    if len(told) < len(parts) or any(high >= low for (_, high), (low, _) in pairwise(told)):
        return None
    return _as_labels([*(low for low, _ in told), told[-1][1]], meta.index)


def _as_labels(values: list[Any], index: pd.Index) -> tuple[Any, ...] | None:
    """Return values of statistics as an index has them; None if it has others."""
    types = pd.api.types
    if isinstance(index.dtype, pd.DatetimeTZDtype):
        return tuple(pd.DatetimeIndex(values).tz_localize("UTC").tz_convert(index.dtype.tz))
    are_texts = types.is_string_dtype(index.dtype) and all(isinstance(each, str) for each in values)
    if are_texts or any(
        is_such(index.dtype)
        for is_such in (
            types.is_numeric_dtype,
            types.is_datetime64_dtype,
            types.is_timedelta64_dtype,
        )
    ):
        return tuple(pd.Index(values).astype(index.dtype))
    return None
