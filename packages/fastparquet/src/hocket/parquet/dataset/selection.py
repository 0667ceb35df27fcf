"""Sets of rows of a row group as sorted ranges that do not touch."""

from __future__ import annotations

from typing import Any

import numpy as np

from hocket.parquet.records import dataclass

__all__ = ["RowRanges"]

_Array = np.ndarray[Any, Any]


@dataclass(frozen=True, slots=True, eq=False)
class RowRanges:
    """Rows from `starts` up to, not including, `stops`; int64, in order, never touching."""

    starts: _Array
    stops: _Array

    @classmethod
    def of_all(cls, count: int) -> RowRanges:
        """Return all of so many rows."""
        return cls.of_pieces(np.zeros(1, np.int64), np.full(1, count, np.int64))

    @classmethod
    def of_pieces(cls, starts: _Array, stops: _Array) -> RowRanges:
        """Join ranges that are in order of their starts and may touch, overlap or be empty."""
        keep = stops > starts
        starts, stops = starts[keep], stops[keep]
        if len(starts) < 2:
            return cls(starts, stops)
        reach = np.maximum.accumulate(stops)
        first = np.ones(len(starts), np.bool_)
        first[1:] = starts[1:] > reach[:-1]
        last = np.append(first[1:], True)
        return cls(starts[first], reach[last])

    @property
    def count(self) -> int:
        """How many rows there are."""
        return int((self.stops - self.starts).sum())

    def rows(self) -> _Array:
        """Return the number of each row, int64."""
        lengths = self.stops - self.starts
        ends = np.cumsum(lengths)
        total = int(ends[-1]) if len(ends) else 0
        moved: _Array = np.repeat(self.starts - ends + lengths, lengths)
        moved += np.arange(total, dtype=np.int64)
        return moved

    def __and__(self, other: RowRanges) -> RowRanges:
        # Between one edge and the next of either, rows are in both or not at all.
        edges = np.unique(np.concatenate([self.starts, self.stops, other.starts, other.stops]))
        if not len(edges):
            return self
        both = self._holds(edges[:-1]) & other._holds(edges[:-1])
        return RowRanges.of_pieces(edges[:-1][both], edges[1:][both])

    def __or__(self, other: RowRanges) -> RowRanges:
        starts = np.concatenate([self.starts, other.starts])
        stops = np.concatenate([self.stops, other.stops])
        order = np.argsort(starts, kind="stable")
        return RowRanges.of_pieces(starts[order], stops[order])

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, RowRanges)
            and np.array_equal(self.starts, other.starts)
            and np.array_equal(self.stops, other.stops)
        )

    __hash__ = None  # type: ignore[assignment]

    def _holds(self, rows: _Array) -> _Array:
        if not len(self.starts):
            return np.zeros(len(rows), np.bool_)
        index = np.searchsorted(self.starts, rows, side="right") - 1
        return (index >= 0) & (rows < self.stops[np.maximum(index, 0)])
