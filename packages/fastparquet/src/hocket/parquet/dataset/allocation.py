"""Frames of a given size with the columns of another, for those who fill them on their own."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

__all__ = ["allocated"]


def allocated(empty: pd.DataFrame, size: int) -> tuple[pd.DataFrame, dict[Any, Any]]:
    """Return a frame of so many rows, and its arrays by label.

    Parameters
    ----------
    empty
        A frame without rows, whose columns and index it has.
    size
        How many rows: zeros, and nulls where there is no zero.
    """
    columns = [_column(empty.iloc[:, at].dtype, size) for at in range(empty.shape[1])]
    frame = pd.DataFrame(dict(enumerate(columns)), copy=False)
    frame.columns = empty.columns
    if isinstance(empty.index, pd.MultiIndex):
        levels = [_column(level.dtype, size) for level in empty.index.levels]
        frame.index = pd.MultiIndex.from_arrays(levels, names=empty.index.names)
    elif not isinstance(empty.index, pd.RangeIndex):
        frame.index = pd.Index(_column(empty.index.dtype, size), name=empty.index.name)
    return frame, {frame.columns[at]: frame.iloc[:, at].array for at in range(len(columns))}


def _column(dtype: Any, size: int) -> Any:
    if isinstance(dtype, np.dtype):
        return np.full(size, None, object) if dtype.kind == "O" else np.zeros(size, dtype)
    return pd.Series([None] * size, dtype=dtype).array
