"""Rows as they come, collected and cut into row groups."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from hocket.parquet.arrays.owning import owned
from hocket.parquet.arrays.sizes import nbytes_of
from hocket.parquet.arrays.value_array import ValueArray
from hocket.parquet.records import dataclass
from hocket.parquet.writing.options import WriteOptions

__all__ = ["RowGroupCutter", "Rows"]


@dataclass(frozen=True, slots=True)
class Rows:
    """Some rows of all columns.

    Parameters
    ----------
    arrays
        One for each column of the file's top level.
    count
        How many rows.
    nbytes
        About how many bytes they take in memory.
    """

    arrays: Sequence[ValueArray]
    count: int
    nbytes: int


class RowGroupCutter:
    """Collects rows until a row group is full.

    Parameters
    ----------
    options
        Where row groups end.
    """

    def __init__(self, options: WriteOptions) -> None:
        self._options = options
        self._held: list[Rows] = []
        self._owned_count = 0
        self._row_count = 0
        self._nbytes = 0
        self._first_row = 0

    def add(self, arrays: Sequence[ValueArray], count: int) -> Iterator[list[Rows]]:
        """Take rows, and yield the row groups that are full.

        Parameters
        ----------
        arrays
            One for each column.
        count
            How many rows.
        """
        nbytes = sum(map(nbytes_of, arrays))
        start = 0
        while start < count:
            stop = min(count, start + self._room(nbytes / count))
            part = [array.slice(start, stop) for array in arrays]
            self._hold(Rows(part, stop - start, nbytes * (stop - start) // count))
            start = stop
            if self._room(nbytes / count) == 0:
                yield self.rest()

    def rest(self) -> list[Rows]:
        """Give away what is held, which may be nothing."""
        held, self._held = self._held, []
        self._first_row += self._row_count
        self._row_count = self._nbytes = self._owned_count = 0
        return held

    def keep(self) -> None:
        """Copy what is held: whoever gave it may change it from now on."""
        for number in range(self._owned_count, len(self._held)):
            rows = self._held[number]
            self._held[number] = Rows(list(map(owned, rows.arrays)), rows.count, rows.nbytes)
        self._owned_count = len(self._held)

    def _hold(self, rows: Rows) -> None:
        self._held.append(rows)
        self._row_count += rows.count
        self._nbytes += rows.nbytes

    def _room(self, row_nbytes: float) -> int:
        """Return how many more rows of a size go into the row group; the first one always does."""
        wanted = self._wanted_rows() - self._row_count
        if self._options.row_group_offsets is None:
            left = self._options.row_group_nbytes - self._nbytes
            wanted = min(wanted, int(left / max(row_nbytes, 1e-9)))
        return max(wanted, 0 if self._row_count else 1)

    def _wanted_rows(self) -> int:
        offsets = self._options.row_group_offsets
        if offsets is None:
            return self._options.row_group_rows
        if isinstance(offsets, Sequence):
            return (
                next((row for row in offsets if row > self._first_row), 1 << 62) - self._first_row
            )
        return int(offsets)
