"""Shredded Variants as if they were not: the binary value of each slot, from the typed columns."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import pairwise
from typing import Any, Final

import numpy as np

from hocket.parquet.assemble.python_scalars import bytes_list
from hocket.parquet.decode.column import ColumnData
from hocket.parquet.metadata.schema import LogicalKind, PhysicalType
from hocket.parquet.nesting.assembly import FieldData
from hocket.parquet.nesting.fields import FieldKind
from hocket.parquet.variant import VariantReader

__all__ = ["variant_bytes"]

_TRUE: Final = b"\x04"
_FALSE: Final = b"\x08"
_OF_WIDTH: Final = {1: 3, 2: 4, 4: 5, 8: 6}
_FLOAT: Final = {4: 14, 8: 7}
_DATE: Final = 11
_TIME: Final = 17
_UUID: Final = 20
#: By unit; the next number is that of local timestamps.
_TIMESTAMPS: Final = {"us": 12, "ns": 18}
_DECIMALS: Final = {PhysicalType.INT32: (8, 4), PhysicalType.INT64: (9, 8)}
_LONG_DECIMAL: Final = (10, 16)
_BINARY: Final = 15
_STRING: Final = 16
_SHORT_NBYTES: Final = 63


def variant_bytes(data: FieldData) -> list[bytes]:
    """Return the binary value of each slot of a Variant; nothing where there is no Variant.

    Parameters
    ----------
    data
        A field of Variants, its leaves decoded to natural targets.
    """
    reader = VariantReader(data.field.node)
    rows = _groups(data, {**_MEMBERS, "metadata": _binary})
    return [reader.encoded(row) or b"" for row in rows]


def _groups(data: FieldData, known: Mapping[str, Callable[[FieldData], list[Any]]]) -> list[Any]:
    """Return a dict of what a Variant, or a part of one, is stored as, for each slot."""
    names: list[str] = []
    members: list[list[Any]] = []
    for child in data.children:
        # Others do not belong to it, and can be anything.
        if child.field.name in known:
            names.append(child.field.name)
            members.append(known[child.field.name](child))
    return _dicts(names, members, data)


def _typed(data: FieldData) -> list[Any]:
    """Return what a typed column holds: bytes, lists of parts, or dicts of parts."""
    if data.column is not None:
        return _with_nulls(_encoded(data.column), data)
    parts = [_groups(child, _MEMBERS) for child in data.children]
    if data.field.kind is FieldKind.LIST:
        assert data.offsets is not None
        (elements,) = parts
        bounds = pairwise(data.offsets.tolist())
        return _with_nulls([elements[start:stop] for start, stop in bounds], data)
    return _dicts([child.field.name for child in data.children], parts, data)


def _dicts(names: list[str], members: list[list[Any]], data: FieldData) -> list[Any]:
    if not members:
        return _with_nulls([{} for _ in range(data.length)], data)
    rows = [dict(zip(names, row, strict=True)) for row in zip(*members, strict=True)]
    return _with_nulls(rows, data)


def _with_nulls(items: list[Any], data: FieldData) -> list[Any]:
    if data.valid is not None and data.null_count:
        for index in np.flatnonzero(~data.valid).tolist():
            items[index] = None
    return items


def _binary(data: FieldData) -> list[Any]:
    assert data.column is not None
    return _with_nulls(_plain(data.column), data)


_MEMBERS: Final = {"value": _binary, "typed_value": _typed}


def _plain(column: ColumnData) -> list[bytes]:
    assert column.offsets is not None
    assert column.data is not None
    return bytes_list(column.offsets, column.data)


def _encoded(column: ColumnData) -> list[bytes]:
    """Return the values of a typed column in binary."""
    leaf = column.leaf
    kind = leaf.logical.kind
    if kind is LogicalKind.DECIMAL:
        return _decimals(column)
    if column.values is None:
        return _strings(_plain(column), is_text=kind is LogicalKind.STRING)
    values = column.values
    if values.dtype.kind == "b":
        return [_TRUE if value else _FALSE for value in values.tolist()]
    number = (_FLOAT if values.dtype.kind == "f" else _OF_WIDTH).get(values.itemsize, _UUID)
    if kind is LogicalKind.DATE:
        number = _DATE
    elif kind is LogicalKind.TIME:
        number = _TIME
    elif kind is LogicalKind.TIMESTAMP:
        number = _TIMESTAMPS[leaf.logical.unit] + (not leaf.logical.is_utc)
    return _fixed(values, bytes([number << 2]), values.itemsize)


def _decimals(column: ColumnData) -> list[bytes]:
    leaf, values = column.leaf, column.values
    assert values is not None
    number, width = _DECIMALS.get(leaf.physical or PhysicalType.BYTE_ARRAY, _LONG_DECIMAL)
    return _fixed(values, bytes([number << 2, leaf.logical.scale]), width)


def _fixed(values: np.ndarray[Any, Any], head: bytes, width: int) -> list[bytes]:
    """Return the lowest bytes of each item behind what says what they are."""
    raw, size = values.tobytes(), values.itemsize
    return [head + raw[at : at + width] for at in range(0, len(raw), size)]


def _strings(raws: list[bytes], *, is_text: bool) -> list[bytes]:
    number = bytes([(_STRING if is_text else _BINARY) << 2])
    return [
        bytes([len(raw) << 2 | 1]) + raw
        if is_text and len(raw) <= _SHORT_NBYTES
        else number + len(raw).to_bytes(4, "little") + raw
        for raw in raws
    ]
