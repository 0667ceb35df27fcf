"""Columns of text as pandas' string arrays: over Arrow's buffers, or over Python strings."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from hocket.parquet.assemble.column_builder import ColumnBuilder, RowSpans
from hocket.parquet.assemble.pandas_types import ColumnPlan
from hocket.parquet.assemble.python_objects import objects_of, valid_of
from hocket.parquet.decode.column import ColumnData
from hocket.parquet.optional_pyarrow import pyarrow

__all__ = ["ArrowTextBuilder", "PythonTextBuilder", "arrow_strings", "text_array"]

_Array = np.ndarray[Any, Any]
_HAS_STR_DTYPE = int(pd.__version__.split(".", 1)[0]) >= 3


def arrow_strings(column: ColumnData) -> Any:
    """Return a column of byte strings as pyarrow's array of large strings, over the same memory."""
    pa = pyarrow()
    assert column.offsets is not None
    assert column.data is not None
    valid = valid_of(column)
    bitmap = None
    if valid is not None:
        bitmap = pa.py_buffer(np.packbits(valid, bitorder="little"))
    return pa.LargeStringArray.from_buffers(
        column.count,
        pa.py_buffer(column.offsets),
        pa.py_buffer(column.data),
        bitmap,
        column.null_count,
    )


def text_array(values: Any, dtype: Any) -> Any:
    """Return pandas' string array over chunked Arrow strings, or over objects."""
    array_type = dtype.construct_array_type()
    if _HAS_STR_DTYPE:
        return array_type(values, dtype=dtype)
    return array_type(values)


class ArrowTextBuilder(ColumnBuilder):
    """Text in Arrow's buffers: a chunk for each row group, and nothing copied."""

    def __init__(self, plan: ColumnPlan, spans: RowSpans) -> None:
        super().__init__(plan, spans)
        self._chunks: list[Any] = [None] * len(spans)

    def _take(self, row_group: int, columns: Sequence[ColumnData]) -> bool:
        self._chunks[row_group] = arrow_strings(columns[0])
        return True

    def finish(self) -> Any:
        """Return the array."""
        pa = pyarrow()
        chunks = [each for each in self._chunks if each is not None]
        return text_array(pa.chunked_array(chunks, type=pa.large_string()), self.plan.text_dtype)


class PythonTextBuilder(ColumnBuilder):
    """Text as Python strings."""

    def __init__(self, plan: ColumnPlan, spans: RowSpans) -> None:
        super().__init__(plan, spans)
        self._objects = np.empty(spans.total, object)

    def _take(self, row_group: int, columns: Sequence[ColumnData]) -> bool:
        assert self.plan.leaf is not None
        self._objects[self.spans[row_group]] = objects_of(
            columns[0], self.plan.leaf, missing=_missing_of(self.plan.text_dtype)
        )
        return True

    def finish(self) -> Any:
        """Return the array."""
        return text_array(self._objects, self.plan.text_dtype)


def _missing_of(dtype: Any) -> Any:
    # Older versions know only one missing value of strings.
    return getattr(dtype, "na_value", pd.NA)
