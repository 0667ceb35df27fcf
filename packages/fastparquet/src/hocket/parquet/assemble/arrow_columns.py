"""Columns of a frame that Arrow arrays hold, and nested columns of Python objects."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from hocket.parquet.assemble.arrow_arrays import ArrowArray, arrow_array
from hocket.parquet.assemble.arrow_export import array_capsules, schema_capsule
from hocket.parquet.assemble.arrow_types import (
    ARROW_OF_PANDAS,
    ArrowField,
    ArrowSchema,
    arrow_field,
)
from hocket.parquet.assemble.column_builder import ColumnBuilder, RowSpans
from hocket.parquet.assemble.pandas_arrays import ObjectBuilder
from hocket.parquet.assemble.pandas_types import ColumnPlan
from hocket.parquet.decode.column import ColumnData
from hocket.parquet.decode.target import UNITS
from hocket.parquet.nesting.assembly import assemble_field
from hocket.parquet.optional_pyarrow import pyarrow
from hocket.parquet.records import replace

__all__ = ["ArrowBuilder", "NestedObjectBuilder", "pyarrow_array", "pyarrow_type"]

_Array = np.ndarray[Any, Any]


class _Exported:
    """What pyarrow takes for a schema of one column, and for a batch of it."""

    def __init__(self, field: ArrowField, array: ArrowArray | None = None) -> None:
        self._field = field
        self._array = array

    def __arrow_c_schema__(self) -> Any:
        return schema_capsule(ArrowSchema((self._field,)))

    def __arrow_c_array__(self, requested_schema: Any = None) -> tuple[Any, Any]:
        assert self._array is not None
        root = ArrowField("", "+s", nullable=False, children=(self._field,))
        batch = ArrowArray(root, self._array.length, 0, (None,), (self._array,))
        return array_capsules(ArrowSchema((self._field,)), batch)


def pyarrow_array(array: ArrowArray) -> Any:
    """Return an array as pyarrow's, over the same memory."""
    return pyarrow().record_batch(_Exported(array.field, array)).column(0)


def pyarrow_type(field: ArrowField) -> Any:
    """Return the type of a field as pyarrow's."""
    return pyarrow().schema(_Exported(field)).field(0).type


class ArrowBuilder(ColumnBuilder):
    """An Arrow-backed array with a chunk for each row group."""

    def __init__(self, plan: ColumnPlan, spans: RowSpans) -> None:
        super().__init__(plan, spans)
        self._chunks: list[ArrowArray | None] = [None] * len(spans)

    def _field(self, level: int) -> ArrowField:
        options = replace(ARROW_OF_PANDAS, int96_unit=UNITS[level])
        return arrow_field(self.plan.field, hint=self.plan.arrow_hint, options=options)

    def _level(self, row_group: int) -> int:
        return 0 if self._units is None else self._units.asked(row_group)

    def _take(self, row_group: int, columns: Sequence[ColumnData]) -> bool:
        by_index = {column.leaf.column_index: column for column in columns}
        rows = int(self.spans.counts[row_group])
        data = assemble_field(self.plan.field, by_index, rows)
        self._chunks[row_group] = arrow_array(self._field(self._level(row_group)), data)
        return True

    def finish(self) -> Any:
        """Return the array."""
        there = [at for at, chunk in enumerate(self._chunks) if chunk is not None]
        field = self._field(max(map(self._level, there), default=0))
        common = pyarrow_type(field)
        chunks = []
        for at in there:
            chunk = self._chunks[at]
            assert chunk is not None
            self._chunks[at] = None
            array = pyarrow_array(chunk)
            # Only times of 12 bytes have units that differ; digits below the coarsest are dropped.
            chunks.append(array if array.type == common else array.cast(common, safe=False))
        return pd.arrays.ArrowExtensionArray(pyarrow().chunked_array(chunks, type=common))


class NestedObjectBuilder(ObjectBuilder):
    """A row of a block of Python objects, made from all leaves of a nested column."""

    def _take(self, row_group: int, columns: Sequence[ColumnData]) -> bool:
        reader = self.plan.reader
        assert reader is not None
        rows = int(self.spans.counts[row_group])
        values = reader.read(columns, rows)
        self._row[self.spans[row_group]] = np.fromiter(values, dtype=object, count=rows)
        return True
