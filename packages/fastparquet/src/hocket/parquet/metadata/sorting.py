"""By which columns the rows of a row group are sorted."""

from __future__ import annotations

from typing import Any

import numpy as np

from hocket.parquet.metadata.scanning import read_structs
from hocket.parquet.records import dataclass

__all__ = ["SortingColumn", "parse_sorting_columns"]


@dataclass(frozen=True, slots=True)
class SortingColumn:
    """By which column rows of a row group are sorted.

    Parameters
    ----------
    column
        Index of the column.
    descending
        Whether the largest value comes first.
    nulls_first
        Whether nulls come before all values.
    """

    column: int
    descending: bool
    nulls_first: bool


def parse_sorting_columns(data: np.ndarray[Any, Any], at: int) -> tuple[SortingColumn, ...]:
    """Return by which columns a row group is sorted, the first one first.

    Parameters
    ----------
    data
        The bytes of the footer, padded.
    at
        Where the list is in them.
    """
    return tuple(
        SortingColumn(
            column=fields.required(1),
            descending=bool(fields.boolean(2)),
            nulls_first=bool(fields.boolean(3)),
        )
        for fields in read_structs(data, at, 4, "SortingColumn")
    )
