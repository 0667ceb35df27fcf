"""Rows by the values of their keys: numbers for each different value, without a loop over rows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from hocket.parquet.arrays.value_array import ValueArray
from hocket.parquet.arrays.write_field import WriteField, WriteKind
from hocket.parquet.dataset.edit.dense_keys import plain_values
from hocket.parquet.dataset.edit.directories import text_of_value
from hocket.parquet.encode.dictionary import build_dictionary
from hocket.parquet.encode.storing import dense_values
from hocket.parquet.errors import InvalidOption
from hocket.parquet.metadata.logical import PhysicalType
from hocket.parquet.metadata.schema import SchemaNode
from hocket.parquet.metadata.values import value_of_plain_bytes
from hocket.parquet.nesting.shredding import shred
from hocket.parquet.records import dataclass
from hocket.parquet.writing.schema import schema_elements, schema_of

__all__ = ["KeyCodes", "RowsOfKey", "codes_of_key", "rows_by_keys"]

_Array = np.ndarray[Any, Any]

_EVERY: int = 1 << 31


@dataclass(frozen=True, slots=True)
class KeyCodes:
    """A column as numbers of its different values.

    Parameters
    ----------
    codes
        int64, one for each row; -1 for missing values.
    texts
        What each number stands for.
    """

    codes: _Array
    texts: list[str]


@dataclass(frozen=True, slots=True)
class RowsOfKey:
    """Rows that have the same keys.

    Parameters
    ----------
    texts
        The keys; None for missing ones.
    start, stop
        Where they are in `order`.
    """

    texts: tuple[str | None, ...]
    start: int
    stop: int


def codes_of_key(field: WriteField, array: ValueArray, unit: str = "") -> KeyCodes:
    """Number the different values of a column.

    Parameters
    ----------
    field
        The column.
    array
        Its values.
    unit
        If they are durations, of which Parquet has no type: in what.
    """
    if field.kind is not WriteKind.LEAF:
        raise InvalidOption(
            "it has several values a row, and rows are partitioned by single ones",
            column=field.name,
        )
    node = schema_of(schema_elements([field])).fields[0]
    (entries,) = shred(field, node, array)
    values = dense_values(entries)
    if values.node.physical is PhysicalType.BOOLEAN:
        dense, raws = values.values.astype(np.int64), [b"\0", b"\1"]
    else:
        coded = build_dictionary(values, most_nbytes=1 << 62, most_count=_EVERY)
        dense = np.empty(0, np.int64) if coded is None else coded.codes.astype(np.int64)  # type: ignore[union-attr]
        raws = [] if coded is None else plain_values(coded)
    made = [_value(node, raw, unit) for raw in raws]
    # What is no number is no key either.
    renumbered, texts = _joined(
        [None if _is_nan(each) else text_of_value(each, field.name) for each in made]
    )
    dense = renumbered[dense] if len(dense) else dense
    if entries.definition is None:
        return KeyCodes(dense, texts)
    codes = np.full(entries.row_count, -1, np.int64)
    codes[entries.definition == node.max_definition] = dense
    return KeyCodes(codes, texts)


def _value(node: SchemaNode, raw: bytes, unit: str) -> Any:
    value = value_of_plain_bytes(node, raw)
    return np.timedelta64(value, unit) if unit and isinstance(value, int) else value  # type: ignore[call-overload]


def _is_nan(value: Any) -> bool:
    return value is None or (isinstance(value, float) and value != value)  # noqa: PLR0124 - NaN


def _joined(texts: Sequence[str | None]) -> tuple[_Array, list[str]]:
    """Give values of one text, as 0.0 and -0.0 may be, one number; None gets -1."""
    numbers: dict[str, int] = {}
    codes = [-1 if text is None else numbers.setdefault(text, len(numbers)) for text in texts]
    return np.array(codes, np.int64), list(numbers)


def rows_by_keys(keys: Sequence[KeyCodes]) -> tuple[_Array | None, list[RowsOfKey]]:
    """Return rows in the order of their keys, and which of them have which.

    Parameters
    ----------
    keys
        Of the same rows; those that have the same ones keep their order.

    Returns
    -------
    order : int64 array or None
        The rows; None if they are in order already.
    parts : list of RowsOfKey
        In `order`.
    """
    combined = keys[0].codes + 1
    for key in keys[1:]:
        # Numbers are made small again, so that products do not overflow.
        _, combined = np.unique(combined, return_inverse=True)
        combined = combined * (len(key.texts) + 1) + (key.codes + 1)
    order: _Array | None = None
    if len(combined) and (combined[1:] < combined[:-1]).any():
        # Numbers of 16 bits are sorted by counting them, many times faster.
        is_small = int(combined.max()) < 1 << 16
        small = combined.astype(np.uint16) if is_small else combined
        order = np.argsort(small, kind="stable")
        combined = combined[order]
    edges = np.flatnonzero(np.diff(combined)) + 1
    starts = [0, *edges.tolist()] if len(combined) else []
    stops = [*edges.tolist(), len(combined)] if len(combined) else []
    parts = []
    for start, stop in zip(starts, stops, strict=True):
        row = start if order is None else int(order[start])
        codes = [int(key.codes[row]) for key in keys]
        texts = tuple(
            None if code < 0 else key.texts[code] for code, key in zip(codes, keys, strict=True)
        )
        parts.append(RowsOfKey(texts, start, stop))
    return order, parts
