"""Columns of numbers, times and objects: rows of NumPy blocks, and pandas' masked arrays."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from hocket.parquet.assemble.column_builder import (
    ColumnBuilder,
    Place,
    RowSpans,
    Whole,
    coarsen,
    items_of,
    same_memory,
    unit_of,
)
from hocket.parquet.assemble.number_casts import cast_into
from hocket.parquet.assemble.pandas_types import ColumnPlan, LateNulls
from hocket.parquet.assemble.python_objects import objects_of, valid_of
from hocket.parquet.decode.column import ColumnData
from hocket.parquet.decode.target import UNITS
from hocket.parquet.errors import InvalidOption

__all__ = [
    "BlockBuilder",
    "MaskedBuilder",
    "ObjectBuilder",
    "WideTimeBuilder",
    "masked_array",
    "with_timezone",
]

_Array = np.ndarray[Any, Any]


def masked_array(values: _Array, mask: _Array) -> Any:
    """Return pandas' masked array over values and a mask (True is missing), which it then owns."""
    if values.dtype.kind == "b":
        return pd.arrays.BooleanArray(values, mask, copy=False)
    if values.dtype.kind == "f":
        return pd.arrays.FloatingArray(values, mask, copy=False)
    return pd.arrays.IntegerArray(values, mask, copy=False)


class BlockBuilder(ColumnBuilder):
    """A row of a block.

    Parameters
    ----------
    plan, spans
        As with every builder.
    row
        The place of the column in its block, one item a row.
    """

    def __init__(self, plan: ColumnPlan, spans: RowSpans, row: _Array) -> None:
        super().__init__(plan, spans)
        self._row = row
        self._wants_valid = plan.wants_valid
        self._valid: dict[int, _Array] = {}

    def place(self, row_group: int) -> Place:
        """Return the place of the row group; validity is wanted if nulls have turned up."""
        values = self._row[self.spans[row_group]] if self.plan.is_direct else None
        return Place(values, None, self._wants_valid)

    def whole(self) -> Whole | None:
        """Return the row, unless items need more than decoding."""
        if type(self) is not BlockBuilder or not self.plan.is_direct or self._wants_valid:
            return None
        holds_nulls = self.plan.late_nulls is LateNulls.NONE
        return Whole(self.plan.target, self._row, None, holds_nulls)

    def _take(self, row_group: int, columns: Sequence[ColumnData]) -> bool:
        column = columns[0]
        late = self.plan.late_nulls
        if column.null_count and late is not LateNulls.NONE:
            if late is LateNulls.REFUSE:
                raise InvalidOption(
                    f"the column has nulls, which {self.plan.dtype} cannot hold"
                ).located(column=column.leaf.dotted)
            if column.valid is None:
                self._wants_valid = True
                return False
            self._valid[row_group] = column.valid
        elif column.null_count and not self.plan.is_direct and column.valid is None:
            self._wants_valid = True
            return False
        place = self._row[self.spans[row_group]]
        if not self.plan.is_direct:
            cast_into(place, column, self.plan)
        elif not same_memory(place, items_of(column)):
            place[:] = items_of(column)
        return True

    def late_mask(self) -> _Array | None:
        """Return which items are missing, if nulls turned up that the block cannot hold."""
        if not self._valid:
            return None
        mask = np.zeros(len(self._row), np.bool_)
        for row_group, valid in self._valid.items():
            np.logical_not(valid, out=mask[self.spans[row_group]])
        return mask

    def finish(self) -> Any:
        """Return None, or another array if there were nulls that the block cannot hold."""
        mask = self.late_mask()
        if mask is not None:
            if self.plan.late_nulls is LateNulls.MASK:
                return masked_array(self._row, mask)
            floats = self._row.astype(np.float64)
            floats[mask] = np.nan
            return floats
        if self.plan.timezone is not None:
            return with_timezone(self._row, self.plan.timezone)
        return None


def with_timezone(stamps: _Array, timezone: Any) -> Any:
    """Return timestamps, counted in UTC, as pandas' array of instants told in a time zone."""
    unit = np.datetime_data(stamps.dtype)[0]
    # Integers are taken for UTC, and are not copied.
    return pd.array(stamps.view(np.int64), dtype=pd.DatetimeTZDtype(unit, timezone), copy=False)


class WideTimeBuilder(BlockBuilder):
    """Timestamps of 12 bytes, in the finest unit that holds all of them.

    Row groups that were decoded in a finer unit than some other one needed are converted in the
    end; digits below the unit are then dropped, towards the past.
    """

    def __init__(self, plan: ColumnPlan, spans: RowSpans, row: _Array) -> None:
        super().__init__(plan, spans, row)
        self._taken: dict[int, str] = {}

    def place(self, row_group: int) -> Place:
        """Return the place of the row group, in the unit that was asked for."""
        assert self._units is not None
        unit, _ = self._ladders[0][self._units.asked(row_group)]
        row = self._row[self.spans[row_group]]
        return Place(row.view(f"M8[{unit}]"), None, wants_valid=False)

    def _take(self, row_group: int, columns: Sequence[ColumnData]) -> bool:
        column = columns[0]
        assert column.target.dtype is not None
        place, items = self._row[self.spans[row_group]], items_of(column)
        if not same_memory(place, items):
            place.view(np.int64)[:] = items.view(np.int64)
        self._taken[row_group] = unit_of(column.target.dtype)
        return True

    def finish(self) -> Any:
        """Return the array, in one unit."""
        planned = unit_of(self._row.dtype)
        level = max(map(UNITS.index, (planned, *self._taken.values())))
        for row_group, unit in self._taken.items():
            steps = level - UNITS.index(unit)
            if steps:
                coarsen(self._row[self.spans[row_group]].view(np.int64), 1000**steps)
        stamps = self._row.view(f"M8[{UNITS[level]}]")
        if self.plan.timezone is not None:
            return with_timezone(stamps, self.plan.timezone)
        return None if UNITS[level] == planned else stamps


class MaskedBuilder(ColumnBuilder):
    """Values and a mask."""

    def __init__(self, plan: ColumnPlan, spans: RowSpans) -> None:
        super().__init__(plan, spans)
        self._values = np.empty(spans.total, plan.dtype)
        self._mask = np.empty(spans.total, np.bool_)

    def place(self, row_group: int) -> Place:
        """Return the places of the row group; that of validity is also that of the mask."""
        rows = self.spans[row_group]
        return Place(self._values[rows], self._mask[rows], wants_valid=True)

    def whole(self) -> Whole | None:
        """Return values and mask."""
        if self.plan.target.dtype != self.plan.dtype or self._units is not None:
            return None
        return Whole(self.plan.target, self._values, self._mask, holds_nulls=True)

    def _take(self, row_group: int, columns: Sequence[ColumnData]) -> bool:
        column = columns[0]
        rows, items = self.spans[row_group], items_of(column)
        if not same_memory(self._values[rows], items):
            self._values[rows] = items
        mask = self._mask[rows]
        valid = valid_of(column)
        if valid is None:
            mask[:] = False
        else:
            np.logical_not(valid, out=mask)
        return True

    def parts(self) -> tuple[_Array, _Array]:
        """Return values and mask (True is missing)."""
        return self._values, self._mask

    def finish(self) -> Any:
        """Return the masked array."""
        return masked_array(self._values, self._mask)


class ObjectBuilder(BlockBuilder):
    """A row of a block of Python objects, made from one leaf."""

    def place(self, row_group: int) -> Place:  # noqa: ARG002
        """Return no place: objects are made of what is decoded elsewhere."""
        return Place(None, None, wants_valid=True)

    def _take(self, row_group: int, columns: Sequence[ColumnData]) -> bool:
        values = self.plan.leaf
        assert values is not None
        self._row[self.spans[row_group]] = objects_of(
            columns[0],
            values,
            timezone=self.plan.timezone,
            decode_json=self.plan.decode_json,
        )
        return True

    def finish(self) -> Any:
        """Return None: the objects stand in the block, with their time zone."""
        return None
