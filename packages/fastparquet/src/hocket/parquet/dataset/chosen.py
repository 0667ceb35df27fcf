"""The rows of a read."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from hocket.parquet.dataset.arguments import checked_mask
from hocket.parquet.dataset.collection import Collection, RowGroupPlace
from hocket.parquet.dataset.plan import Part
from hocket.parquet.decode.column import ColumnData
from hocket.parquet.errors import CorruptFile
from hocket.parquet.records import dataclass, field

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
    parts = [Part(collection.groups[number], rows[number]) for number in numbers]
    for part in parts:
        if not part.count:
            _check_empty(collection, part.place)
    return parts


def _check_empty(collection: Collection, place: RowGroupPlace) -> None:
    """Refuse a row group that says it has no rows, and has values: they would go unnoticed."""
    file = collection.files[place.file]
    held = np.flatnonzero(file.metadata.chunks.num_values[place.index] > 0)
    if len(held):
        leaf = file.metadata.schema.leaves[int(held[0])]
        count = int(file.metadata.chunks.num_values[place.index, held[0]])
        raise CorruptFile(
            f"its chunk has {count} values, and the row group has 0 rows",
            file=file.label,
            row_group=place.index,
            column=leaf.dotted,
        )


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
    wanted = checked_mask(mask, int(collection.rows[list(numbers)].sum()))
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
