"""Where the pages of a chunk end: after so many rows or bytes, and never within a row."""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from hocket.parquet.arrays.leaf_entries import DenseValues
from hocket.parquet.encode.column import ColumnEntries
from hocket.parquet.encode.encoders import code_width
from hocket.parquet.errors import ValueOutOfRange
from hocket.parquet.metadata.logical import PhysicalType
from hocket.parquet.records import dataclass

__all__ = ["PageCut", "cut_pages"]

_Array = np.ndarray[Any, Any]

#: A page may be larger than wanted by one part of so many.
_TOLERANCE: Final = 4
#: The format counts a page's bytes in 32 bits.
_MOST_NBYTES: Final = (1 << 31) - (1 << 20)


@dataclass(frozen=True, slots=True)
class PageCut:
    """What of a chunk is in one page: rows, entries, and those entries that have values."""

    first_row: int
    stop_row: int
    first_entry: int
    stop_entry: int
    first_value: int
    stop_value: int


def cut_pages(column: ColumnEntries, *, page_nbytes: int, page_rows: int) -> list[PageCut]:
    """Return the pages of a chunk.

    Parameters
    ----------
    column
        All of its entries, at least one.
    page_nbytes
        How many bytes of values and levels a page should have at most.
    page_rows
        How many rows.
    """
    return list(_Cutter(column, page_nbytes).cut(page_rows))


class _Cutter:
    """Counts entries, values and bytes of rows."""

    def __init__(self, column: ColumnEntries, page_nbytes: int) -> None:
        self._column = column
        self._page_nbytes = page_nbytes
        node = column.values.node
        self._starts: _Array | None = None
        if column.repetition is not None:
            self._starts = np.append(np.flatnonzero(column.repetition == 0), column.entry_count)
        #: Not 0 where an entry has a value.
        self._present: _Array | None = column.definition
        if column.definition is not None and node.max_definition > 1:
            self._present = column.definition == node.max_definition
        self._bits = _value_bits(column.values)

    def cut(self, page_rows: int) -> list[PageCut]:
        rows = self._column.row_count
        average = (self._nbytes(0, self._column.values.count, self._column.entry_count)) / rows
        wanted = min(page_rows, max(1, int(self._page_nbytes / max(average, 1e-9))), rows)
        # All about the same size, rather than a small one at the end.
        wanted = -(-rows // -(-rows // wanted))
        made: list[PageCut] = []
        row = entry = value = 0
        while row < rows:
            page = self._page(row, min(row + wanted, rows), entry, value)
            made.append(page)
            row, entry, value = page.stop_row, page.stop_entry, page.stop_value
        return made

    def _page(self, row: int, stop: int, entry: int, value: int) -> PageCut:
        while True:
            stop_entry = stop if self._starts is None else int(self._starts[stop])
            stop_value = value + self._count(entry, stop_entry)
            nbytes = self._nbytes(value, stop_value, stop_entry - entry)
            if nbytes <= self._page_nbytes * (1 + 1 / _TOLERANCE):
                break
            if stop == row + 1:
                _check_size(nbytes, row)
                break
            stop = row + max(1, int((stop - row) * self._page_nbytes / nbytes))
        return PageCut(row, stop, entry, stop_entry, value, stop_value)

    def _count(self, first: int, stop: int) -> int:
        if self._present is None:
            return stop - first
        return int(np.count_nonzero(self._present[first:stop]))

    def _nbytes(self, first: int, stop: int, entry_count: int) -> int:
        """Return about how many bytes values take, with the levels of entries."""
        offsets = self._column.values.offsets
        levels = 0 if self._starts is None else entry_count
        nbytes = (stop - first) * self._bits // 8 + levels
        if offsets is None or self._column.values.codes is not None:
            return nbytes
        return nbytes + int(offsets[stop] - offsets[first])


def _value_bits(values: DenseValues) -> int:
    """Return the bits that each value takes, but for the bytes of strings."""
    if values.codes is not None:
        return code_width(values)
    if values.offsets is not None:
        return 32
    if values.node.physical is PhysicalType.BOOLEAN:
        return 1
    return 8 * int(values.values.dtype.itemsize)


def _check_size(nbytes: int, row: int) -> None:
    if nbytes > _MOST_NBYTES:
        raise ValueOutOfRange(
            f"row {row:,} of its row group takes {nbytes:,} bytes, and a page of Parquet has less "
            "than 2 GiB: cut the value into several rows, or store it outside of the table"
        )
