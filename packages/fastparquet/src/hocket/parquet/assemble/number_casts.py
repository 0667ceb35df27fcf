"""Numbers as another type of number than the file's: what a caller asks for, and never quietly."""

from __future__ import annotations

from typing import Any

import numpy as np

from hocket.parquet.assemble.pandas_types import ColumnPlan
from hocket.parquet.assemble.python_objects import valid_of
from hocket.parquet.assemble.python_scalars import (
    bytes_list,
    decimals_of_bytes,
    fixed_bytes_list,
    integers_of_words,
)
from hocket.parquet.assemble.value_kinds import LeafType, ValueKind
from hocket.parquet.decode.column import ColumnData
from hocket.parquet.errors import InvalidOption

__all__ = ["cast_into", "floats_of_decimals"]

_Array = np.ndarray[Any, Any]
#: Powers of ten up to this one, and integers up to 2**53, are doubles exactly.
_EXACT_POWER = 22
_EXACT_INTEGER = 1 << 53


def cast_into(place: _Array, column: ColumnData, plan: ColumnPlan) -> None:
    """Write a column's values as numbers of another type; nulls as NaN.

    A value that an integer type cannot hold is an error; floats are rounded.
    """
    assert plan.leaf is not None
    if plan.leaf.kind is ValueKind.DECIMAL:
        place[:] = floats_of_decimals(column, plan.leaf)
    else:
        assert column.values is not None
        with np.errstate(invalid="ignore", over="ignore"):
            place[:] = column.values.astype(place.dtype)
        if place.dtype.kind != "f" and not _equal(place, column.values):
            raise InvalidOption(f"the column has values that {place.dtype} cannot hold").located(
                column=column.leaf.dotted
            )
    valid = valid_of(column)
    if valid is not None:
        place[~valid] = np.nan


def _equal(narrow: _Array, wide: _Array) -> bool:
    if narrow.dtype.kind in "iu" and wide.dtype.kind in "iu":
        # Signs are compared too: the same bits can be another number.
        return bool(np.array_equal(narrow, wide))
    return bool(np.array_equal(narrow.astype(wide.dtype), wide))


def floats_of_decimals(column: ColumnData, values: LeafType) -> _Array:
    """Return decimals as the doubles nearest to them."""
    if column.offsets is not None:
        assert column.data is not None
        return _of_objects(decimals_of_bytes(bytes_list(column.offsets, column.data), values.scale))
    items = column.values
    assert items is not None
    if values.is_wide:
        return _of_objects(decimals_of_bytes(fixed_bytes_list(items), values.scale))
    if items.dtype.kind == "V":
        words = np.ascontiguousarray(items).view("<i8").reshape(len(items), -1)
        if not (words[:, 1:] == (words[:, :1] >> 63)).all():
            power = 10**values.scale
            return np.array([each / power for each in integers_of_words(items)], np.float64)
        items = words[:, 0]
    if values.scale <= _EXACT_POWER and (
        not len(items) or -_EXACT_INTEGER <= items.min() <= items.max() <= _EXACT_INTEGER
    ):
        floats: _Array = items / float(10**values.scale)
        return floats
    power = 10**values.scale
    return np.array([each / power for each in items.tolist()], np.float64)


def _of_objects(decimals: list[Any]) -> _Array:
    return np.array([float(each) for each in decimals], np.float64)
