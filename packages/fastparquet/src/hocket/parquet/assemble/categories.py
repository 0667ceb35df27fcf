"""Categoricals straight from dictionaries: codes are moved, values are touched once each."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import pandas as pd

from hocket.parquet.assemble.column_builder import (
    ColumnBuilder,
    RowSpans,
    coarsen,
    items_of,
    unit_of,
)
from hocket.parquet.assemble.pandas_arrays import with_timezone
from hocket.parquet.assemble.pandas_strings import arrow_strings, text_array
from hocket.parquet.assemble.pandas_types import ColumnPlan
from hocket.parquet.assemble.python_objects import objects_of, valid_of
from hocket.parquet.assemble.text_dtype import default_text_dtype
from hocket.parquet.assemble.value_kinds import LeafType, ValueKind
from hocket.parquet.decode.column import ColumnData, empty_column
from hocket.parquet.decode.target import UNITS
from hocket.parquet.optional_pyarrow import pyarrow

__all__ = ["CategoricalBuilder", "categorical_of_parts", "code_dtype"]

_Array = np.ndarray[Any, Any]
_NUMBERS: Final = {ValueKind.BOOLEAN, ValueKind.INTEGER, ValueKind.FLOAT}


def code_dtype(categories: int) -> np.dtype[Any]:
    """Return the dtype that pandas gives the codes of so many categories."""
    for name in ("i1", "i2", "i4"):
        dtype = np.dtype(name)
        if categories < np.iinfo(dtype).max:
            return dtype
    return np.dtype("i8")


class CategoricalBuilder(ColumnBuilder):
    """Codes of each row group's own dictionary, which in the end are made those of one."""

    def __init__(self, plan: ColumnPlan, spans: RowSpans) -> None:
        super().__init__(plan, spans)
        self._lock: Final = threading.Lock()
        self._codes: _Array = np.empty(spans.total, np.int8)
        self._dictionaries: list[Any] = [None] * len(spans)

    def _take(self, row_group: int, columns: Sequence[ColumnData]) -> bool:
        codes, dictionary = self._codes_of(columns[0])
        with self._lock:
            self._widen(len(dictionary))
            self._codes[self.spans[row_group]] = codes
            self._dictionaries[row_group] = dictionary
        return True

    def _widen(self, categories: int) -> None:
        wanted = code_dtype(categories)
        if wanted.itemsize > self._codes.dtype.itemsize:
            self._codes = self._codes.astype(wanted)

    def _codes_of(self, column: ColumnData) -> tuple[_Array, Any]:
        if column.codes is not None:
            assert column.dictionary is not None
            return column.codes, self._values_of(column.dictionary)
        # There were too many different values for a dictionary, or the type has none.
        values, valid = self._values_of(column), valid_of(column)
        if valid is None:
            codes, uniques = pd.factorize(values)
            return codes, uniques
        codes = np.full(column.count, -1, np.int64)
        codes[valid], uniques = pd.factorize(values[valid])
        return codes, uniques

    def _values_of(self, column: ColumnData) -> Any:
        """Return values as what the categories are to be."""
        values = self.plan.leaf
        assert values is not None
        if values.kind in (ValueKind.TEXT, ValueKind.JSON):
            return _text_values(column, values)
        if values.kind not in _NUMBERS and not values.unit:
            return objects_of(column, values)
        items = items_of(column)
        if values.unit:
            return items.view(column.target.dtype)
        # No index holds halves.
        return items.astype(np.float32) if items.dtype == np.float16 else items

    def finish(self) -> Any:
        """Return the categorical."""
        places = [at for at, each in enumerate(self._dictionaries) if each is not None]
        parts = [self._dictionaries[at] for at in places]
        if not parts:
            parts = [self._values_of(empty_column(self.plan.field.node, self.plan.target))]
        if self._units is not None:
            parts = _in_one_unit(parts)
        mappings, categories = _unified(parts)
        self._widen(len(categories))
        for at, mapping in zip(places, mappings, strict=False):
            self._recode(self._codes[self.spans[at]], mapping)
        if self.plan.timezone is not None:
            categories = with_timezone(np.asarray(categories), self.plan.timezone)
        index = pd.Index(categories, copy=False, tupleize_cols=False)
        return pd.Categorical.from_codes(
            self._codes,
            dtype=pd.CategoricalDtype(index, ordered=self.plan.ordered),
            validate=False,
        )

    def _recode(self, codes: _Array, mapping: _Array) -> None:
        """Replace a dictionary's codes by those of all dictionaries, in place."""
        if np.array_equal(mapping, np.arange(len(mapping))):
            return
        table = np.empty(len(mapping) + 1, codes.dtype)
        table[:-1] = mapping
        # The code of a null, -1, wraps around to the last.
        table[-1] = -1
        codes[:] = table.take(codes, mode="wrap")


def _text_values(column: ColumnData, values: LeafType) -> Any:
    dtype = default_text_dtype()
    if not isinstance(dtype, pd.StringDtype):
        return objects_of(column, values)
    if dtype.storage == "pyarrow":
        return text_array(pyarrow().chunked_array([arrow_strings(column)]), dtype)
    return text_array(objects_of(column, values, missing=dtype.na_value), dtype)


def _in_one_unit(parts: list[Any]) -> list[Any]:
    levels = [UNITS.index(unit_of(part.dtype)) for part in parts]
    level = max(levels)
    results = []
    for part, finer in zip(parts, levels, strict=True):
        counts = part.view(np.int64).copy()
        coarsen(counts, 1000 ** (level - finer))
        results.append(counts.view(f"M8[{UNITS[level]}]"))
    return results


def _unified(parts: list[Any]) -> tuple[list[_Array], Any]:
    """Return the code of each item of each part among all different items, and those."""
    first = parts[0]
    if all(_same(part, first) for part in parts[1:]):
        codes, categories = pd.factorize(first)
        return [codes] * len(parts), categories
    # Series of all kinds of arrays can be joined and factorised.
    joined = pd.concat([pd.Series(part, copy=False) for part in parts], ignore_index=True)
    codes, categories = pd.factorize(joined.array)
    return np.split(codes, np.cumsum([len(part) for part in parts])[:-1]), categories


def _same(left: Any, right: Any) -> bool:
    if len(left) != len(right):
        return False
    if isinstance(left, np.ndarray):
        return bool(np.array_equal(left, right))
    return bool(left.equals(right))


def categorical_of_parts(codes: Sequence[int], categories: Any, spans: RowSpans) -> pd.Categorical:
    """Return a categorical in which all rows of a row group are the same: a partition's value.

    Parameters
    ----------
    codes
        For each row group, the index of its value in `categories`; -1 for none.
    categories
        The different values.
    spans
        The rows of each row group.
    """
    index = pd.Index(categories, copy=False, tupleize_cols=False)
    narrow = np.asarray(codes, np.int64).astype(code_dtype(len(index)))
    return pd.Categorical.from_codes(
        np.repeat(narrow, spans.counts), dtype=pd.CategoricalDtype(index), validate=False
    )
