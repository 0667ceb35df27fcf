"""Arrays of Python objects: what they are is found out from all of them, and they become arrays.

A column has one type. Where its objects have several, the error names the first row that differs
from those before; types that can be asked for (``IntakeOptions.types``) decide otherwise.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

import numpy as np
import pandas as pd

from hocket.parquet.arrays.value_array import ValueArray
from hocket.parquet.intake.made_arrays import missing_array, spread
from hocket.parquet.intake.object_bytes import (
    bson_of,
    bytes_of,
    geometries_of,
    json_of,
    text_of,
    uuids_of,
)
from hocket.parquet.intake.object_decimals import decimals_of
from hocket.parquet.intake.object_nested import (
    Make,
    is_list,
    is_struct,
    lists_of,
    maps_of,
    structs_of,
)
from hocket.parquet.intake.object_numbers import booleans_of, floats_of, integers_of
from hocket.parquet.intake.object_text import text_by_pyarrow
from hocket.parquet.intake.object_times import (
    dates_of,
    durations_of,
    intervals_of,
    is_interval,
    times_of,
    timestamps_of,
)
from hocket.parquet.intake.object_variants import variants_of
from hocket.parquet.intake.slot_errors import SlotError, described
from hocket.parquet.intake.value_types import TypeKind, ValueType

__all__ = ["array_of_objects", "array_of_present"]

_Array = np.ndarray[Any, Any]
_Built = tuple[ValueType, ValueArray]

_EXACT: Final[dict[type, TypeKind]] = {
    str: TypeKind.TEXT,
    bytes: TypeKind.BYTES,
    bool: TypeKind.BOOLEAN,
    int: TypeKind.INTEGER,
    float: TypeKind.FLOAT,
    Decimal: TypeKind.DECIMAL,
    datetime: TypeKind.TIMESTAMP,
    date: TypeKind.DATE,
    time: TypeKind.TIME,
    timedelta: TypeKind.DURATION,
    UUID: TypeKind.UUID,
    list: TypeKind.LIST,
    dict: TypeKind.STRUCT,
}
#: What other types are subclasses of.
_BASES: Final[tuple[tuple[tuple[type, ...], TypeKind], ...]] = (
    ((str,), TypeKind.TEXT),
    ((bytes, bytearray, memoryview, np.void), TypeKind.BYTES),
    ((bool, np.bool_), TypeKind.BOOLEAN),
    ((np.timedelta64, timedelta), TypeKind.DURATION),
    ((int, np.integer), TypeKind.INTEGER),
    ((float, np.floating), TypeKind.FLOAT),
    ((Decimal,), TypeKind.DECIMAL),
    ((datetime, np.datetime64), TypeKind.TIMESTAMP),
    ((date,), TypeKind.DATE),
    ((time,), TypeKind.TIME),
    ((UUID,), TypeKind.UUID),
)
_NUMBERS: Final = {TypeKind.INTEGER, TypeKind.FLOAT}
#: Kinds that may be mixed, and what becomes of them.
_MIXED: Final = (
    (_NUMBERS, TypeKind.FLOAT),
    ({TypeKind.INTEGER, TypeKind.DECIMAL}, TypeKind.DECIMAL),
)


def array_of_objects(
    values: _Array, wanted: ValueType | None, make: Make, *, nan_is_missing: bool
) -> _Built:
    """Return the type and the array of objects.

    Parameters
    ----------
    values
        A one-dimensional array of objects.
    wanted
        The type to have; None to find out.
    make
        What makes arrays of the elements and members of nested values.
    nan_is_missing
        Whether NaN among numbers stands for a missing value; elsewhere it always does.
    """
    if wanted is None or wanted.kind in (TypeKind.TEXT, TypeKind.ENUM):
        text = text_by_pyarrow(values)
        if text is not None:
            return wanted or ValueType(TypeKind.TEXT), text
    missing: _Array | None = pd.isna(values)
    assert missing is not None
    if not missing.any():
        missing = None
    elif not nan_is_missing:
        missing = _without_nan(values, missing)
    if missing is None:
        return array_of_present(values.tolist(), wanted, make)
    there = ~missing
    try:
        found, array = array_of_present(values[there].tolist(), wanted, make)
    except SlotError as error:
        raise error.moved(np.flatnonzero(there)) from None
    return found, spread(array, missing)


def _without_nan(values: _Array, missing: _Array) -> _Array | None:
    """Return what is missing if NaN is a value among numbers."""
    kinds = {_kind(each, values) for each in set(map(type, values[~missing].tolist()))}
    if not kinds <= _NUMBERS:
        return missing
    is_nan = [isinstance(value, (float, np.floating)) for value in values[missing].tolist()]
    missing = missing.copy()
    missing[np.flatnonzero(missing)[is_nan]] = False
    return missing if missing.any() else None


def array_of_present(values: list[Any], wanted: ValueType | None, make: Make) -> _Built:
    """Return the type and the array of objects of which none is missing."""
    kind = _common_kind(values) if wanted is None else wanted.kind
    if kind is TypeKind.NULL:
        if values:
            raise SlotError(0, f"{described(values[0])} is there, and no value is asked for")
        return ValueType(TypeKind.NULL), missing_array(0)
    nested = _NESTED.get(kind)
    if nested is not None:
        return nested(values, wanted, make)
    return _SCALARS[kind](values, wanted)


def _common_kind(values: list[Any]) -> TypeKind:
    """Return what all values are."""
    types = set(map(type, values))
    kinds = {_kind(each, values) for each in types}
    if len(kinds) == 1:
        (kind,) = kinds
        if kind is not None:
            return kind
    if not kinds:
        return TypeKind.NULL
    for mixture, result in _MIXED:
        if kinds == mixture:
            return result
    raise _mixed(values)


def _kind(each: type, values: list[Any] | _Array) -> TypeKind | None:
    """Return what values of a Python type are; None if nothing that can be stored."""
    found = _EXACT.get(each)
    if found is not None:
        return found
    if issubclass(each, np.datetime64):
        stamps = [value for value in values if isinstance(value, np.datetime64)]
        is_days = all(np.datetime_data(value.dtype)[0] in "YMWD" for value in stamps)
        return TypeKind.DATE if is_days else TypeKind.TIMESTAMP
    return next((kind for is_such, kind in _TESTS if is_such(each)), None)


def _is_geometry(each: type) -> bool:
    """Whether objects of a type are shapely's, or like those."""
    return hasattr(each, "wkb") and hasattr(each, "geom_type")


def _is_a(bases: tuple[type, ...]) -> Callable[[type], bool]:
    return lambda each: issubclass(each, bases)


#: What types are that are not known exactly; the first test that is passed counts.
_TESTS: Final[tuple[tuple[Callable[[type], bool], TypeKind], ...]] = (
    *((_is_a(bases), kind) for bases, kind in _BASES),
    (is_interval, TypeKind.INTERVAL),
    (is_struct, TypeKind.STRUCT),
    (_is_geometry, TypeKind.GEOMETRY),
    (is_list, TypeKind.LIST),
)


def _mixed(values: list[Any]) -> SlotError:
    """Return the error about the first value that does not fit to those before, or to anything."""
    seen: set[TypeKind] = set()
    for slot, value in enumerate(values):
        kind = _kind(type(value), [value])
        if kind is None:
            return SlotError(
                slot,
                f"{described(value)} has no Parquet type; make numbers, text, times, lists or "
                "dicts of such values first",
            )
        together = seen | {kind}
        if len(together) > 1 and not any(together <= mixture for mixture, _ in _MIXED):
            return SlotError(
                slot,
                f"{described(value)} does not fit to {described(values[0])} and others before "
                "it: a column has one type; make them alike, or ask for types={...: 'variant'} or "
                "'json'",
            )
        seen = together
    raise AssertionError("all values fit together")


_Scalar = Callable[[list[Any], ValueType | None], _Built]
_SCALARS: Final[dict[TypeKind, _Scalar]] = {
    TypeKind.BOOLEAN: booleans_of,
    TypeKind.INTEGER: integers_of,
    TypeKind.FLOAT: floats_of,
    TypeKind.TEXT: text_of,
    TypeKind.ENUM: text_of,
    TypeKind.JSON: json_of,
    TypeKind.BSON: bson_of,
    TypeKind.BYTES: bytes_of,
    TypeKind.UUID: uuids_of,
    TypeKind.DECIMAL: decimals_of,
    TypeKind.DATE: dates_of,
    TypeKind.TIME: times_of,
    TypeKind.TIMESTAMP: timestamps_of,
    TypeKind.DURATION: durations_of,
    TypeKind.INTERVAL: intervals_of,
    TypeKind.GEOMETRY: geometries_of,
    TypeKind.GEOGRAPHY: geometries_of,
    TypeKind.VARIANT: variants_of,
}
_Nested = Callable[[list[Any], ValueType | None, Make], _Built]
_NESTED: Final[dict[TypeKind, _Nested]] = {
    TypeKind.LIST: lists_of,
    TypeKind.MAP: maps_of,
    TypeKind.STRUCT: structs_of,
}
