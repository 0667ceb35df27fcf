"""The values of a leaf as Python objects; what a dictionary has once is made once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import numpy as np

from hocket.parquet.assemble.python_scalars import (
    bytes_list,
    date_list,
    decimal_list,
    decimals_of_bytes,
    fixed_bytes_list,
    interval_list,
    json_list,
    text_list,
    time_list,
    timedelta_list,
    timestamp_list,
    uuid_list,
)
from hocket.parquet.assemble.timezones import tzinfo_of
from hocket.parquet.assemble.value_kinds import LeafType, ValueKind
from hocket.parquet.decode.column import ColumnData

__all__ = ["objects_of", "valid_of"]

_Array = np.ndarray[Any, Any]
_SECONDS_PER_DAY: Final = 86_400
_OF_ITEMS: Final[dict[ValueKind, Callable[[_Array], list[Any]]]] = {
    ValueKind.UUID: uuid_list,
    ValueKind.INTERVAL: interval_list,
    ValueKind.BYTES: fixed_bytes_list,
}


def valid_of(column: ColumnData) -> _Array | None:
    """Return which slots hold values; None if all do."""
    if not column.null_count:
        return None
    if column.valid is not None:
        return column.valid
    assert column.codes is not None
    valid: _Array = column.codes >= 0
    return valid


def objects_of(
    column: ColumnData,
    values: LeafType,
    *,
    missing: Any = None,
    timezone: Any = None,
    decode_json: bool = False,
) -> _Array:
    """Return a column's values as an array of objects.

    Parameters
    ----------
    column
        The column.
    values
        What the values are, and the target they were decoded to (a dictionary is welcome).
    missing
        What stands for a null.
    timezone
        The time zone of timestamps.
    decode_json
        Whether to return what JSON documents describe; else text.
    """
    if values.kind is ValueKind.NULL:
        return _filled(column.count, missing)
    if column.codes is not None:
        assert column.dictionary is not None
        if decode_json and values.kind is ValueKind.JSON:
            # Each row gets objects of its own, for these can change.
            texts = objects_of(column.dictionary, values, missing="")
            return _json_objects(_looked_up(texts, column.codes, ""), valid_of(column), missing)
        objects = objects_of(column.dictionary, values, timezone=timezone)
        return _looked_up(objects, column.codes, missing)
    valid = valid_of(column)
    if decode_json and values.kind is ValueKind.JSON:
        return _json_objects(_object_array(_leaf_list(column, values)), valid, missing)
    objects = _object_array(_leaf_list(column, values, timezone))
    if valid is not None:
        objects[~valid] = missing
    return objects


def _filled(count: int, missing: Any) -> _Array:
    objects = np.empty(count, object)
    objects.fill(missing)
    return objects


def _looked_up(objects: _Array, codes: _Array, missing: Any) -> _Array:
    # The code of a null, -1, finds the last object.
    table = np.empty(len(objects) + 1, object)
    table[:-1] = objects
    table[-1] = missing
    looked_up: _Array = table[codes]
    return looked_up


def _json_objects(texts: _Array, valid: _Array | None, missing: Any) -> _Array:
    objects = _object_array(json_list(texts.tolist(), valid))
    if valid is not None and missing is not None:
        objects[~valid] = missing
    return objects


def _object_array(items: list[Any]) -> _Array:
    # Assigning a list would look into items that are lists themselves.
    return np.fromiter(items, dtype=object, count=len(items))


def _leaf_list(column: ColumnData, values: LeafType, timezone: Any = None) -> list[Any]:
    """Return all slots' values; those of nulls are anything."""
    if column.offsets is not None:
        return _byte_string_list(column, values)
    items = column.values
    assert items is not None
    if values.kind is ValueKind.DECIMAL:
        if values.is_wide:
            return decimals_of_bytes(fixed_bytes_list(items), values.scale)
        return decimal_list(items, values.scale)
    if values.unit:
        return _time_list(column, values, timezone)
    plain: list[Any] = _OF_ITEMS.get(values.kind, np.ndarray.tolist)(items)
    return plain


def _byte_string_list(column: ColumnData, values: LeafType) -> list[Any]:
    assert column.offsets is not None
    assert column.data is not None
    if values.kind in (ValueKind.TEXT, ValueKind.JSON):
        return text_list(column.offsets, column.data)
    raws = bytes_list(column.offsets, column.data)
    if values.kind is ValueKind.DECIMAL:
        return decimals_of_bytes(raws, values.scale)
    return raws


def _time_list(column: ColumnData, values: LeafType, timezone: Any) -> list[Any]:
    assert column.values is not None
    counts = column.values.view(np.int64)
    # INT96 may have had to be decoded to a coarser unit than the one planned.
    dtype = column.target.dtype
    unit = values.unit if dtype is None or dtype.kind not in "mM" else np.datetime_data(dtype)[0]
    if values.kind is ValueKind.TIME:
        return time_list(counts, unit)
    if values.kind is ValueKind.DURATION:
        return timedelta_list(counts, unit)
    if values.kind is ValueKind.DATE:
        return date_list(counts // _SECONDS_PER_DAY)
    zone = timezone
    if isinstance(zone, str):
        zone = tzinfo_of(zone)
    return timestamp_list(counts, unit, zone)
