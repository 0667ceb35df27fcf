"""``head``: the first rows."""

from __future__ import annotations

from argparse import Namespace
from typing import Any, Final

import numpy as np

from hocket.parquet.cli.keys import keys_of
from hocket.parquet.cli.opened import chosen_groups, named_columns, opening, place_of
from hocket.parquet.cli.output import Output, printable, shortened
from hocket.parquet.cli.values import json_of, text_of
from hocket.parquet.dataset.parquet_file import ParquetFile
from hocket.parquet.metadata.logical import PhysicalType

__all__ = ["run"]

#: Longer values are cut off in tables, and longer names.
_CELL_MAX: Final = 60
#: What Python shows of these looks best with the digits below each other.
_NUMBERS: Final = ("int", "float", "Decimal", "float32", "float64")


def run(options: Namespace, output: Output) -> int:
    """Show the first rows; return the exit code."""
    with opening():
        opened = ParquetFile(place_of(options), decryption=keys_of(options))
    if options.row_group is not None:
        (number,) = chosen_groups(options, len(opened))
        opened = opened[number]
    names, columns = _first_rows(opened, named_columns(options, opened.schema), options.rows)
    count = len(columns[0]) if columns else 0
    if options.json:
        for row in range(count):
            values = [json_of(column[row]) for column in columns]
            output.json(dict(zip(names, values, strict=True)), is_line=True)
        return 0
    titles = [shortened(printable(name), _CELL_MAX) for name in names]
    right = {title for title, column in zip(titles, columns, strict=True) if _is_numeric(column)}
    rows = [
        [shortened(text_of(column[row]), _CELL_MAX) for column in columns] for row in range(count)
    ]
    output.table(titles, rows, right)
    return 0


def _first_rows(
    opened: ParquetFile, columns: list[str] | None, count: int
) -> tuple[list[str], list[list[Any]]]:
    """Return names of columns, and the values of each as Python has them."""
    frame = opened.head(
        count,
        columns=columns,
        index=False,
        categories=[],
        nested="python",
        decimals="python",
        uuids="uuid",
        dtypes=dict.fromkeys(opened.columns, object),
    )
    names = [str(name) for name in frame.columns]
    singles = {node.name for node in opened.schema.fields if node.physical is PhysicalType.FLOAT}
    values = [frame.iloc[:, at].tolist() for at in range(len(names))]
    for name, column in zip(names, values, strict=True):
        if name in singles:
            # As many digits as a float32 has.
            column[:] = [each if each is None else np.float32(each) for each in column]
    return names, values


def _is_numeric(column: list[Any]) -> bool:
    there = [value for value in column if value is not None]
    return bool(there) and all(type(value).__name__ in _NUMBERS for value in there)
