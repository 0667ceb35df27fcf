"""Functions for those who want one call, and those of fastparquet's `api` that others use."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final

from hocket.parquet.dataset.parquet_file import ParquetFile
from hocket.parquet.errors import InvalidOption, ParquetError

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "ParquetException",
    "ParquetFile",
    "filter_row_groups",
    "opened",
    "read",
    "sorted_partitioned_columns",
    "statistics",
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


def write(path: Any, data: Any, **options: Any) -> None:
    """Write a Parquet file.

    The file appears as a whole: if anything goes wrong, what was there before stays.

    Parameters
    ----------
    path
        A path, a URL that fsspec knows, or an open binary file object.
    data
        A frame of pandas; arrays by name (a dict), a structured array; a list of rows (dicts);
        anything with ``__arrow_c_stream__`` (polars, DuckDB, pyarrow, a `ParquetFile`); or an
        iterable of such.
    **options
        How data becomes columns: `hocket.parquet.intake.options.IntakeOptions`. How columns are
        stored: `hocket.parquet.writing.options.WriteOptions`. Where: ``fs``, ``open_with``,
        ``storage_options``.
    """
    from hocket.parquet.writing.writer import write_file  # noqa: PLC0415 - readers need none of it

    write_file(path, data, **options)


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
