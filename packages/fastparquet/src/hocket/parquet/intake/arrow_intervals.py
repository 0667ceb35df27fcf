"""Arrow's three kinds of calendar intervals as Parquet's one: months, days and milliseconds."""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from hocket.parquet.arrays.value_array import Nulls
from hocket.parquet.errors import ValueUnstorable

__all__ = ["interval_bytes"]

_Array = np.ndarray[Any, Any]

_MOST: Final = (1 << 32) - 1
_NANOSECONDS: Final = 1_000_000


def interval_bytes(layout: str, values: _Array, nulls: Nulls | None, path: str) -> _Array:
    """Return intervals as Parquet stores them, 12 bytes each.

    Parameters
    ----------
    layout
        Arrow's format: ``tiM`` (months), ``tiD`` (days and milliseconds) or ``tin`` (months, days
        and nanoseconds).
    values
        An item for each.
    nulls
        Which are missing: those may be anything.
    path
        The column, for errors.

    Raises
    ------
    ValueUnstorable
        A part is negative, or not a whole number of milliseconds.
    """
    count = len(values)
    parts = np.zeros((count, 3), np.int64)
    is_whole = np.ones(count, np.bool_)
    if layout == "tiM":
        parts[:, 0] = values
    elif layout == "tiD":
        parts[:, 1:] = values.view("<i4").reshape(count, 2)
    else:
        parts[:, :2] = values.view("<i4").reshape(count, 4)[:, :2]
        nanoseconds = values.view("<i8").reshape(count, 2)[:, 1]
        parts[:, 2], rest = np.divmod(nanoseconds, _NANOSECONDS)
        is_whole = rest == 0
    outside = ~is_whole | ((parts < 0) | (parts > _MOST)).any(axis=1)
    if nulls is not None:
        stop = nulls.bit_offset + count
        there = np.unpackbits(nulls.buffer, count=stop, bitorder="little")[nulls.bit_offset :]
        outside &= there != 0
    if outside.any():
        at = int(np.argmax(outside))
        months, days, milliseconds = parts[at].tolist()
        what = "" if is_whole[at] else " and a part of one"
        raise ValueUnstorable(
            f"value {at:,} is an interval of {months} months, {days} days and {milliseconds} "
            f"milliseconds{what}; Parquet's intervals are whole and not negative; store the parts "
            "as columns of integers, or a duration"
        ).located(column=path)
    return np.ascontiguousarray(parts.astype("<u4")).view("V12").reshape(count)
