"""The rows of a read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from hocket.parquet.dataset.collection import Collection, RowGroupPlace
from hocket.parquet.dataset.plan import Part
from hocket.parquet.decode.column import ColumnData
from hocket.parquet.errors import InvalidOption

__all__ = ["Chosen", "part_of_rows", "parts_of_mask", "whole_parts"]

_Array = np.ndarray[Any, Any]


@dataclass(slots=True)
class Chosen:
    """The rows of a read.

    Parameters
    ----------
    parts
        Row groups with the rows of each; those without any are left out.
    kept
        Columns that were decoded to choose the rows: these rows of them, by the number of the part
        and the index of the leaf in the dataset's schema.
    """

    parts: list[Part]
    kept: dict[tuple[int, int], ColumnData] = field(default_factory=dict)


def whole_parts(collection: Collection, numbers: Sequence[int]) -> list[Part]:
    """Return all rows of row groups."""
    rows = collection.rows.tolist()
    return [Part(collection.groups[number], rows[number]) for number in numbers]


def parts_of_mask(collection: Collection, numbers: Sequence[int], mask: Any) -> list[Part]:
    """Return the rows that a boolean array chooses.

    Parameters
    ----------
    collection
        The files.
    numbers
        The row groups.
    mask
        One for each of their rows.
    """
    wanted = np.asarray(mask)
    total = int(collection.rows[list(numbers)].sum())
    if wanted.dtype != np.bool_ or wanted.ndim != 1 or len(wanted) != total:
        raise InvalidOption(
            f"row_filter is an array of {wanted.dtype} with the shape {wanted.shape}; it has to be "
            f"booleans, one for each of the {total:,} rows"
        )
    parts = []
    at = 0
    for number in numbers:
        count = int(collection.rows[number])
        part = part_of_rows(
            collection.groups[number], np.flatnonzero(wanted[at : at + count]), count
        )
        if part.count:
            parts.append(part)
        at += count
    return parts


def part_of_rows(place: RowGroupPlace, rows: _Array, count: int) -> Part:
    """Return some rows of a row group that has so many."""
    return Part(place, len(rows), None if len(rows) == count else rows)
