"""Frames of pandas to columns: labels become names, and the index columns or a few words."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd

from hocket.parquet.arrays.value_array import ValueArray
from hocket.parquet.arrays.write_field import WriteField
from hocket.parquet.errors import InvalidOption
from hocket.parquet.intake.column import TakenColumn
from hocket.parquet.intake.options import IntakeOptions
from hocket.parquet.intake.pandas_arrays import pandas_column
from hocket.parquet.intake.pandas_metadata import (
    KEY,
    DescribedColumn,
    column_text,
    described_range,
    index_level_name,
    pandas_metadata,
)

__all__ = ["columns_of_frame", "taken_frame"]


def columns_of_frame(
    frame: Any, options: IntakeOptions | None = None
) -> tuple[list[WriteField], list[ValueArray], dict[str, str]]:
    """Return a frame's fields, its values, and the footer's keys about it.

    Parameters
    ----------
    frame
        The frame.
    options
        How it becomes columns.
    """
    taken, key_value = taken_frame(frame, options or IntakeOptions(), in_pieces=False)
    return [each.field for each in taken], [each.array for each in taken], key_value


def taken_frame(
    frame: Any, options: IntakeOptions, *, in_pieces: bool = True
) -> tuple[list[TakenColumn], dict[str, str]]:
    """Return a frame's columns, those of its index last, and the footer's key about it."""
    labels = list(frame.columns)
    texts = [column_text(label) for label in labels]
    # (As pandas' own writers have it, what has no text is called by Python's word for it.)
    names = [
        str(label) if text is None else text for label, text in zip(labels, texts, strict=True)
    ]
    _check_names(labels, names)
    options.check_labels({*labels, *names, *frame.index.names})
    taken: list[TakenColumn] = []
    columns: list[DescribedColumn] = []
    for (label, series), name, text in zip(frame.items(), names, texts, strict=True):
        column = pandas_column(name, label, series.array, options, in_pieces=in_pieces)
        taken.append(column)
        columns.append(DescribedColumn(text, name, series, column.type))
    index, stored, levels = _index(frame.index, names, options)
    return taken + stored, {KEY: pandas_metadata(frame, columns, levels, index)}


def _check_names(labels: Sequence[Any], names: Sequence[str]) -> None:
    seen: dict[str, Any] = {}
    for label, name in zip(labels, names, strict=True):
        if name in seen:
            other = seen[name]
            both = f"{other!r} and {label!r}" if other is not label else f"{label!r} (twice)"
            raise InvalidOption(
                f"two columns would be called {name!r} in the file: {both}; rename one, for "
                "instance with frame.columns = [...]"
            )
        seen[name] = label


def _index(
    index: Any, names: Sequence[str], options: IntakeOptions
) -> tuple[list[str | dict[str, Any]], list[TakenColumn], list[DescribedColumn]]:
    """Return what is told of the index, and its levels that are stored."""
    write = options.write_index
    if write is False:
        return [], [], []
    if write is None and isinstance(index, pd.RangeIndex):
        return [described_range(index)], [], []
    told: list[str | dict[str, Any]] = []
    stored: list[TakenColumn] = []
    described: list[DescribedColumn] = []
    taken = list(names)
    for position in range(index.nlevels):
        level = index.get_level_values(position)
        name = index_level_name(level, position, taken)
        column = pandas_column(name, name, level.array, options)
        told.append(name)
        taken.append(name)
        stored.append(column)
        described.append(DescribedColumn(column_text(level.name), name, level, column.type))
    return told, stored, described
