"""Some rows of a column that has levels: lists, maps, and what is in structs."""

from __future__ import annotations

from typing import Any

import numpy as np

from hocket.parquet.decode.column import ColumnData
from hocket.parquet.decode.selection import take_rows

__all__ = ["take_nested_rows"]


def take_nested_rows(column: ColumnData, rows: np.ndarray[Any, Any]) -> ColumnData:
    """Return some rows of a column, with their levels.

    Parameters
    ----------
    column
        All rows of a column chunk.
    rows
        Which of them, in order.
    """
    definitions, repetitions = column.definition_levels, column.repetition_levels
    entries = rows
    if repetitions is not None:
        # Where each row's entries begin and end.
        bounds = np.append(np.flatnonzero(repetitions == 0), len(repetitions))
        starts, lengths = bounds[rows], bounds[rows + 1] - bounds[rows]
        ends = np.cumsum(lengths)
        total = int(ends[-1]) if len(ends) else 0
        entries = np.arange(total) + np.repeat(starts - ends + lengths, lengths)
    slots = entries
    if repetitions is not None and definitions is not None:
        has_slot = definitions >= column.leaf.slot_definition
        slots = (np.cumsum(has_slot) - 1)[entries[has_slot[entries]]]
    found = take_rows(column, slots, None, None)
    found.level_count = len(entries)
    found.row_count = len(rows)
    if definitions is not None:
        found.definition_levels = definitions[entries]
    if repetitions is not None:
        found.repetition_levels = repetitions[entries]
    return found
