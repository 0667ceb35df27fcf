"""What the parts of a column go into, row group by row group, in any order and from many threads.

A builder says what to decode a row group to and where to; takes what was decoded; and in the end
hands out the array. Where it turns out that a row group cannot be held as planned (nulls where
statistics said there are none, a time out of range), the builder changes what it asks for and has
that row group decoded again.
"""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from hocket.parquet.assemble.pandas_types import ColumnPlan
from hocket.parquet.decode.column import ColumnData
from hocket.parquet.decode.target import NAT, UNITS, Target, in_unit, time_units
from hocket.parquet.errors import CorruptFile

__all__ = [
    "ColumnBuilder",
    "Place",
    "RowSpans",
    "TimeUnits",
    "Whole",
    "coarsen",
    "items_of",
    "same_memory",
    "unit_of",
]

_Array = np.ndarray[Any, Any]


class Place(NamedTuple):
    """Where a part of a column is to be decoded to.

    Parameters
    ----------
    values, valid
        Arrays for values and validity; None where the decoder makes its own.
    wants_valid
        Whether validity is needed if there are nulls.
    """

    values: _Array | None
    valid: _Array | None
    wants_valid: bool


class Whole(NamedTuple):
    """The place of a whole column, where row groups are decoded without further ado.

    Parameters
    ----------
    target
        What to decode to.
    values
        An item for each row.
    mask
        True where there is none; None if the values tell.
    holds_nulls
        Whether nulls have a place here. If not, a row group that has some must be decoded and put
        the usual way.
    """

    target: Target
    values: _Array
    mask: _Array | None
    holds_nulls: bool


class RowSpans:
    """Where the rows of each row group stand in the result.

    Parameters
    ----------
    counts
        How many rows each row group gives to the result.
    """

    def __init__(self, counts: Sequence[int] | _Array) -> None:
        self.counts = np.asarray(counts, np.int64)
        bounds = np.zeros(len(self.counts) + 1, np.int64)
        np.cumsum(self.counts, out=bounds[1:])
        self._bounds: list[int] = bounds.tolist()
        self.total = self._bounds[-1]

    def __len__(self) -> int:
        return len(self.counts)

    def __getitem__(self, row_group: int) -> slice:
        return slice(self._bounds[row_group], self._bounds[row_group + 1])


class TimeUnits:
    """The units in which the row groups of a column of timestamps of 12 bytes are decoded.

    Each starts with the finest. What does not fit is decoded again in the next, and so is every row
    group that comes later.

    Parameters
    ----------
    row_groups
        How many there are.
    """

    def __init__(self, row_groups: int) -> None:
        self._lock = threading.Lock()
        self._level = 0
        self._asked = [0] * row_groups

    def ask(self, row_group: int) -> int:
        """Return the place in `UNITS` of the unit that is known to be needed so far."""
        with self._lock:
            level = self._asked[row_group] = self._level
        return level

    def asked(self, row_group: int) -> int:
        """Return what was answered last about a row group."""
        return self._asked[row_group]

    def retries_coarser(self, row_group: int) -> bool:
        """Go on to the next unit, if there is one."""
        with self._lock:
            wanted = self._asked[row_group] + 1
            if wanted >= len(UNITS):
                return False
            self._level = max(self._level, wanted)
            return True


class ColumnBuilder(ABC):
    """A column in the making.

    Parameters
    ----------
    plan
        What it becomes.
    spans
        The rows of each row group.
    """

    def __init__(self, plan: ColumnPlan, spans: RowSpans) -> None:
        self.plan = plan
        self.spans = spans
        self._ladders = [time_units(leaf) for leaf in plan.field.leaves]
        self._units = TimeUnits(len(spans)) if any(self._ladders) else None

    def targets(self, row_group: int) -> tuple[Target, ...]:
        """Return what to decode each leaf of the field to. To be asked anew for each attempt."""
        targets = self.plan.targets
        if self._units is None:
            return targets
        level = self._units.ask(row_group)
        return tuple(
            in_unit(target, *ladder[level]) if ladder else target
            for target, ladder in zip(targets, self._ladders, strict=True)
        )

    def place(self, row_group: int) -> Place:  # noqa: ARG002
        """Return where values and validity are to be decoded to, where that is possible."""
        return Place(None, None, self.plan.wants_valid)

    def whole(self) -> Whole | None:
        """Return the place of all row groups, if they can be decoded into it without `put`."""
        return None

    def retries_coarser(self, row_group: int) -> bool:
        """Answer a failure to decode: whether to try again with another target."""
        return self._units is not None and self._units.retries_coarser(row_group)

    def put(self, row_group: int, columns: Sequence[ColumnData]) -> bool:
        """Take what a row group was decoded to, one `ColumnData` for each leaf.

        Returns False if it must be decoded again, to the targets and destination as they are then.
        """
        wanted = int(self.spans.counts[row_group])
        for column in columns:
            rows = column.count if column.leaf.max_repetition == 0 else column.row_count
            if rows != wanted:
                raise CorruptFile(
                    f"the column has {rows} rows in a row group of which {wanted} were expected"
                ).located(row_group=row_group, column=column.leaf.dotted)
        return self._take(row_group, columns)

    @abstractmethod
    def _take(self, row_group: int, columns: Sequence[ColumnData]) -> bool:
        """Take a row group that has as many rows as it should."""

    @abstractmethod
    def finish(self) -> Any:
        """Return the array of all rows; None if it stands in the block that it was given."""


def items_of(column: ColumnData) -> _Array:
    """Return the items of a column that has been decoded to items of fixed size."""
    items = column.values
    assert items is not None
    return items


def unit_of(dtype: np.dtype[Any]) -> str:
    """Return the unit of a dtype of times."""
    unit: str = np.datetime_data(dtype)[0]
    return unit


def coarsen(counts: _Array, factor: int) -> None:
    """Divide counts of a unit in place, towards the past; missing ones stay missing."""
    missing = counts == NAT
    counts //= factor
    counts[missing] = NAT


def same_memory(left: _Array, right: _Array) -> bool:
    """Whether two arrays of one length are the same place."""
    return (
        left.__array_interface__["data"][0] == right.__array_interface__["data"][0]
        and left.nbytes == right.nbytes
    )
