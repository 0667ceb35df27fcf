"""Rows in the order of some columns."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from hocket.parquet.arrays.joining import joined
from hocket.parquet.arrays.taking import take
from hocket.parquet.arrays.value_array import ValueArray
from hocket.parquet.arrays.write_field import WriteField, WriteKind
from hocket.parquet.dataset.edit.dense_keys import plain_values
from hocket.parquet.encode.dictionary import build_dictionary
from hocket.parquet.encode.storing import dense_values
from hocket.parquet.errors import ColumnMissing, InvalidOption
from hocket.parquet.intake.columns import Columns
from hocket.parquet.metadata.logical import LogicalKind, PhysicalType
from hocket.parquet.metadata.values import value_of_plain_bytes
from hocket.parquet.nesting.shredding import shred
from hocket.parquet.records import replace
from hocket.parquet.writing.schema import schema_elements, schema_of

__all__ = ["SortKey", "sort_keys", "sorted_columns"]

_Array = np.ndarray[Any, Any]
_NUMBERS = (
    PhysicalType.BOOLEAN,
    PhysicalType.INT32,
    PhysicalType.INT64,
    PhysicalType.FLOAT,
    PhysicalType.DOUBLE,
)

SortKey = tuple[str, bool]


def sort_keys(told: Any) -> list[SortKey]:
    """Return names of columns, and whether each is descending.

    Parameters
    ----------
    told
        A name, or a list of names and of tuples (name, descending).
    """
    if told is None:
        return []
    keys = []
    for each in [told] if isinstance(told, str) else told:
        name, descending = (each, False) if isinstance(each, str) else tuple(each)
        if not isinstance(name, str) or not isinstance(descending, bool):
            raise InvalidOption(
                f"sort_by has {each!r}; it has to be names, or tuples of a name and whether it is "
                "descending"
            )
        keys.append((name, descending))
    return keys


def sorted_columns(columns: Columns, keys: Sequence[SortKey]) -> Columns:
    """Return columns whose rows are sorted, missing values last; all are held in memory for that.

    Parameters
    ----------
    columns
        The columns.
    keys
        By what.
    """
    names = [field.name for field in columns.fields]
    for name, _ in keys:
        if name not in names:
            raise ColumnMissing(
                f"sort_by names {name!r}, and there is no such column; there are "
                f"{', '.join(map(repr, names[:20]))}"
            )
    return replace(columns, batches=_sorted(columns, [(names.index(n), d) for n, d in keys]))


def _sorted(columns: Columns, keys: Sequence[tuple[int, bool]]) -> Iterator[list[ValueArray]]:
    batches = list(columns.batches)
    if not batches:
        return
    arrays = [joined(parts) for parts in zip(*batches, strict=True)]
    del batches
    order = np.arange(arrays[0].length, dtype=np.int64)
    for at, descending in reversed(keys):
        ranks, missing = _ranks(columns.fields[at], arrays[at])
        ranks = ranks[order]
        if descending:
            ranks = -ranks if ranks.dtype.kind == "f" else ~ranks
        order = order[np.argsort(ranks, kind="stable")]
        if missing is not None:
            last = missing[order]
            order = np.concatenate([order[~last], order[last]])
    yield [take(array, order) for array in arrays]


def _ranks(field: WriteField, array: ValueArray) -> tuple[_Array, _Array | None]:
    """Return a number for each row, larger ones for larger values, and which rows are missing."""
    if field.kind is not WriteKind.LEAF:
        raise InvalidOption(
            "it has several values a row, and rows are sorted by single ones", column=field.name
        )
    node = schema_of(schema_elements([field])).fields[0]
    (entries,) = shred(field, node, array)
    values = dense_values(entries)
    if node.physical in _NUMBERS and values.codes is None:
        ranks = values.values
        if node.logical.kind is LogicalKind.INTEGER and not node.logical.is_signed:
            ranks = ranks.view(f"u{ranks.itemsize}")
    else:
        coded = build_dictionary(values, most_nbytes=1 << 62, most_count=1 << 31)
        if coded is None or coded.codes is None:
            ranks = np.empty(0, np.int64)
        else:
            raws = plain_values(coded)
            made = [_comparable(value_of_plain_bytes(node, raw), raw) for raw in raws]
            by_value = sorted(range(len(made)), key=made.__getitem__)
            rank_of = np.empty(len(made), np.int64)
            rank_of[by_value] = np.arange(len(made))
            ranks = rank_of[coded.codes]
    if entries.definition is None:
        return ranks, None
    is_there = entries.definition == node.max_definition
    every = np.zeros(entries.row_count, ranks.dtype)
    every[is_there] = ranks
    return every, ~is_there


def _comparable(value: Any, raw: bytes) -> Any:
    """Return what sorts as the format says that values do: texts by their bytes."""
    return raw if value is None or isinstance(value, str) else value
