"""Functions for those who want one call, and those of fastparquet's `api` that others use."""

from __future__ import annotations

import inspect
import os
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final

from hocket.parquet.dataset.parquet_file import ParquetFile
from hocket.parquet.errors import InvalidOption, ParquetError

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "ParquetException",
    "ParquetFile",
    "compact",
    "filter_row_groups",
    "merge",
    "opened",
    "read",
    "sorted_partitioned_columns",
    "statistics",
    "update_file_custom_metadata",
    "write",
]

#: Another name of `hocket.parquet.ParquetError`, under which fastparquet's users know it.
ParquetException = ParquetError

_OF_OPENING: Final = frozenset(inspect.signature(ParquetFile).parameters)


def read(path: Any, **options: Any) -> pd.DataFrame:
    """Read a Parquet file or dataset into a pandas frame.

    Parameters
    ----------
    path
        Whatever `ParquetFile` opens.
    **options
        Those of `ParquetFile` and of `ParquetFile.to_pandas`; ``dtypes`` is one of both.
    """
    file, reading = opened(path, options)
    return file.to_pandas(**reading)


def opened(path: Any, options: Mapping[str, Any]) -> tuple[ParquetFile, dict[str, Any]]:
    """Open a file or dataset with some of the options, and return the others.

    Parameters
    ----------
    path
        Whatever `ParquetFile` opens, or one that is open.
    options
        Those of `ParquetFile`, and others.
    """
    opening = {name: value for name, value in options.items() if name in _OF_OPENING}
    others = {name: value for name, value in options.items() if name not in _OF_OPENING}
    if isinstance(path, ParquetFile) and not opening:
        return path, others
    return ParquetFile(path, **opening), others


def write(
    path: Any,
    data: Any,
    *,
    file_scheme: str = "simple",
    partition_on: str | Sequence[str] = (),
    append: bool | str = False,
    write_metadata: bool | None = None,
    sort_by: Any = None,
    **options: Any,
) -> None:
    """Write a Parquet file or dataset.

    It appears as a whole: if anything goes wrong, what was there before stays.

    Parameters
    ----------
    path
        A path, a URL that fsspec knows, or an open binary file object; the directory of a dataset.
    data
        A frame of pandas; arrays by name (a dict), a structured array; a list of rows (dicts);
        anything with ``__arrow_c_stream__`` (polars, DuckDB, pyarrow, a `ParquetFile`); or an
        iterable of such.
    file_scheme
        "simple": one file. "hive": a dataset, whose files are in directories that name columns and
        values, ``year=2026/``. "drill": in directories that are called as the values.
    partition_on
        Names of the columns whose values tell directories.
    append
        False: what was there before is replaced. True: new rows are added to it. "overwrite":
        directories that get new rows lose the old ones, others stay.
    write_metadata
        Whether a dataset gets ``_metadata``, which tells the row groups of all files. None: if it
        is there, or if the dataset is new.
    sort_by
        Names of columns by which rows are sorted first, or tuples of a name and whether it is
        descending; missing values come last. All rows are held in memory for that.
    **options
        How data becomes columns: `hocket.parquet.intake.options.IntakeOptions`. How columns are
        stored: `hocket.parquet.writing.options.WriteOptions`. Where: ``fs``, ``open_with``,
        ``storage_options``.
    """
    from hocket.parquet.dataset.edit.layout import Layout  # noqa: PLC0415 - readers need none
    from hocket.parquet.dataset.edit.writing import write_data  # noqa: PLC0415 - the same

    layout = Layout(file_scheme, partition_on, append, write_metadata)
    write_data(path, data, layout, options, sort_by)


def statistics(obj: ParquetFile) -> dict[str, dict[str, list[Any]]]:
    """Return ``{"min", "max", "null_count", "distinct_count"}`` of each column, by row groups.

    Parameters
    ----------
    obj
        An opened file or dataset.
    """
    return _opened(obj).statistics


def sorted_partitioned_columns(
    pf: ParquetFile, filters: Any = None
) -> dict[str, dict[str, list[Any]]]:
    """Return the columns of which each row group has only larger values than those before it.

    Parameters
    ----------
    pf
        An opened file or dataset.
    filters
        Row groups that they rule out are left aside.

    Returns
    -------
    dict
        For each such column the ``min`` and ``max`` of each row group.
    """
    numbers = _opened(pf).row_group_numbers(filters)
    known = pf.statistics
    found: dict[str, dict[str, list[Any]]] = {}
    for column, every in known["min"].items():
        low = [every[number] for number in numbers]
        high = [known["max"][column][number] for number in numbers]
        if low and None not in low and None not in high and _is_sorted(low, high):
            found[column] = {"min": low, "max": high}
    return found


def _is_sorted(low: list[Any], high: list[Any]) -> bool:
    ordered = all(least <= most for least, most in zip(low, high, strict=True))
    return ordered and all(
        before < after for (_, before), (after, _) in pairwise(zip(low, high, strict=True))
    )


def filter_row_groups(pf: ParquetFile, filters: Any, as_idx: bool = False) -> list[Any]:  # noqa: FBT001, FBT002
    """Return the row groups in which some row could fulfil a filter.

    Parameters
    ----------
    pf
        An opened file or dataset.
    filters
        As with `ParquetFile.to_pandas`.
    as_idx
        Their numbers, rather than the objects of ``pf.row_groups``.
    """
    numbers = _opened(pf).row_group_numbers(filters)
    return numbers if as_idx else [pf.row_groups[number] for number in numbers]


def _opened(obj: Any) -> ParquetFile:
    if not isinstance(obj, ParquetFile):
        raise InvalidOption(f"{obj!r} is no ParquetFile; open it first")
    return obj


def merge(
    file_list: Sequence[Any],
    verify_schema: bool = True,  # noqa: FBT001, FBT002  the order of fastparquet's
    open_with: Any = None,
    root: str | bool = False,  # noqa: FBT001, FBT002
    *,
    fs: Any = None,
) -> ParquetFile:
    """Make one dataset of files: write ``_metadata`` and ``_common_metadata`` beside them.

    Parameters
    ----------
    file_list
        Paths, or opened files; or a directory with all of them.
    verify_schema
        Whether to check that all have the same columns.
    open_with
        A function that opens paths for reading.
    root
        The directory of the dataset, if it is not the innermost that all are in.
    fs
        The fsspec file system that paths belong to.
    """
    from hocket.parquet.dataset.edit import merging  # noqa: PLC0415 - readers need none of it

    places = file_list if isinstance(file_list, str) else list(file_list)
    file = ParquetFile(places, open_with=open_with, root=root, fs=fs)
    collection = file._collection  # noqa: SLF001 - our own
    merging.merge(collection, verify_schema=verify_schema)
    found = collection.found
    return ParquetFile(found.root, open_with=open_with, fs=found.filesystem)


def update_file_custom_metadata(
    path: Any,
    custom_metadata: Mapping[str | bytes, str | bytes | None],
    is_metadata_file: bool | None = None,  # noqa: FBT001  the order of fastparquet's
    *,
    fs: Any = None,
    storage_options: Mapping[str, Any] | None = None,
) -> None:
    """Change the key-value metadata of a file, or of a dataset.

    Parameters
    ----------
    path
        Of a file; or the directory of a dataset: then ``_metadata`` and ``_common_metadata`` are
        changed, or all its files if it has neither.
    custom_metadata
        New values by key; None removes a key.
    is_metadata_file
        Not used: a file tells whether it has rows.
    fs, storage_options
        The file system that the path belongs to, or what that of a URL is made with.
    """
    del is_metadata_file
    from hocket.parquet.dataset.data_file import Opener  # noqa: PLC0415 - the same
    from hocket.parquet.dataset.edit.custom_metadata import update_key_values  # noqa: PLC0415

    opener = Opener(fs, storage_options=storage_options)
    update_key_values(os.fspath(path), custom_metadata, opener)


def compact(
    path: Any,
    *,
    target_nbytes: int = 128 << 20,
    sort_by: Any = None,
    fs: Any = None,
    storage_options: Mapping[str, Any] | None = None,
    **options: Any,
) -> int:
    """Join small files of a dataset, each directory's on its own, all at once or not at all.

    Parameters
    ----------
    path
        The dataset's directory.
    target_nbytes
        How large files should be. Those of more than half of it stay as they are.
    sort_by
        Names of columns by which the rows of each new file are sorted, or tuples of a name and
        whether it is descending.
    fs, storage_options
        The file system that the path belongs to, or what that of a URL is made with.
    **options
        How files are written, as with `write`.

    Returns
    -------
    int
        How many files were joined.
    """
    from hocket.parquet.dataset.data_file import Opener  # noqa: PLC0415 - the same
    from hocket.parquet.dataset.edit.compaction import compact_dataset  # noqa: PLC0415
    from hocket.parquet.dataset.edit.sorting import sort_keys  # noqa: PLC0415
    from hocket.parquet.writing.writer import split_options  # noqa: PLC0415

    keys = sort_keys(sort_by)
    if keys:
        options["sorting_columns"] = keys
    opener = Opener(fs, storage_options=storage_options)
    file_options, _, _ = split_options(options)
    return compact_dataset(
        os.fspath(path), opener, file_options, target_nbytes=target_nbytes, sort_by=keys
    )
