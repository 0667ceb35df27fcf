"""What a leaf's values are, whatever they are stored as: the first column of the table of types."""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from typing import Final

import numpy as np

from hocket.parquet.assemble.arrow_hints import ArrowHint
from hocket.parquet.assemble.pandas_metadata import ColumnMetadata
from hocket.parquet.decode.target import (
    NAT,
    Conversion,
    Target,
    byte_string_target,
    natural_target,
    time_units,
)
from hocket.parquet.metadata.schema import LogicalKind, PhysicalType, SchemaNode
from hocket.parquet.records import dataclass, replace

__all__ = ["ColumnHint", "LeafType", "ValueKind", "column_hint", "leaf_type"]


class ValueKind(StrEnum):
    """What values are."""

    BOOLEAN = "boolean"
    INTEGER = "integer"
    FLOAT = "float"
    TEXT = "text"
    JSON = "json"
    BYTES = "bytes"
    UUID = "uuid"
    DECIMAL = "decimal"
    DATE = "date"
    TIMESTAMP = "timestamp"
    TIME = "time"
    DURATION = "duration"
    INTERVAL = "interval"
    NULL = "null"


@dataclass(frozen=True, slots=True)
class ColumnHint:
    """What pandas' and Arrow's own metadata say about a column.

    Parameters
    ----------
    numpy_type
        The dtype that the column had in pandas; "" if not known.
    timezone
        The name of the time zone that instants were told in.
    duration_unit
        The unit, if the column holds durations.
    is_categorical, ordered
        Whether it was a categorical or a dictionary, and whether its categories had an order.
    arrow
        The hint of the Arrow schema, for what is below nested columns.
    """

    numpy_type: str = ""
    timezone: str | None = None
    duration_unit: str | None = None
    is_categorical: bool = False
    ordered: bool = False
    arrow: ArrowHint | None = None


NO_HINT: Final = ColumnHint()


def column_hint(pandas: ColumnMetadata | None, arrow: ArrowHint | None) -> ColumnHint:
    """Return both kinds of metadata in one."""
    if pandas is None and arrow is None:
        return NO_HINT
    hint = NO_HINT
    if arrow is not None:
        hint = ColumnHint(
            timezone=arrow.timezone,
            duration_unit=arrow.duration_unit,
            is_categorical=arrow.is_dictionary,
            ordered=arrow.ordered,
            arrow=arrow,
        )
    if pandas is not None:
        unit = hint.duration_unit
        if unit is None and arrow is None and pandas.numpy_type.startswith("timedelta64["):
            unit = pandas.numpy_type[12:-1]
        hint = replace(
            hint,
            numpy_type=pandas.numpy_type,
            timezone=pandas.timezone or hint.timezone,
            duration_unit=unit if unit in _PER_SECOND else None,
            is_categorical=hint.is_categorical or pandas.is_categorical,
            ordered=hint.ordered or pandas.ordered,
        )
    return hint


@dataclass(frozen=True, slots=True)
class LeafType:
    """What a leaf's values are, and the target that keeps all of each.

    Parameters
    ----------
    kind
        What values are.
    target
        Numbers in their own width, dates as seconds, decimals as two's complement, INT96 as
        nanoseconds, byte strings as they are.
    unit
        Of dates, times, timestamps and durations.
    is_utc
        Of timestamps: whether they are instants.
    scale
        Of decimals.
    is_wide
        Of decimals: whether they are longer than 32 bytes, and so left big-endian.
    """

    kind: ValueKind
    target: Target
    unit: str = ""
    is_utc: bool = False
    scale: int = 0
    is_wide: bool = False


_PER_SECOND: Final = {"s": 1, "ms": 1_000, "us": 1_000_000, "ns": 1_000_000_000}


def leaf_type(leaf: SchemaNode, hint: ColumnHint = NO_HINT) -> LeafType:
    """Return what a leaf's values are."""
    make = _OF_LOGICAL.get(leaf.logical.kind, _by_storage)
    return make(leaf, hint)


def _null(leaf: SchemaNode, _hint: ColumnHint) -> LeafType:
    return LeafType(ValueKind.NULL, natural_target(leaf))


def _date(_leaf: SchemaNode, _hint: ColumnHint) -> LeafType:
    return LeafType(ValueKind.DATE, _counts("M8[s]", Conversion.DAYS_TO_SECONDS), unit="s")


def _timestamp(leaf: SchemaNode, _hint: ColumnHint) -> LeafType:
    logical = leaf.logical
    target = _counts(f"M8[{logical.unit}]", natural_target(leaf).conversion)
    return LeafType(ValueKind.TIMESTAMP, target, unit=logical.unit, is_utc=logical.is_utc)


def _time(leaf: SchemaNode, hint: ColumnHint) -> LeafType:
    widening = Conversion.WIDEN_64 if leaf.physical is PhysicalType.INT32 else Conversion.COPY
    unit = leaf.logical.unit
    # fastparquet wrote time spans as times of the day.
    kind = ValueKind.TIME if hint.duration_unit is None else ValueKind.DURATION
    return LeafType(kind, _counts(f"m8[{unit}]", widening), unit=unit)


def _uuid(leaf: SchemaNode, _hint: ColumnHint) -> LeafType:
    return LeafType(ValueKind.UUID, natural_target(leaf))


def _interval(leaf: SchemaNode, _hint: ColumnHint) -> LeafType:
    return LeafType(ValueKind.INTERVAL, natural_target(leaf))


def _text(leaf: SchemaNode, _hint: ColumnHint) -> LeafType:
    return LeafType(ValueKind.TEXT, byte_string_target(leaf))


def _json(leaf: SchemaNode, _hint: ColumnHint) -> LeafType:
    return LeafType(ValueKind.JSON, byte_string_target(leaf))


def _by_storage(leaf: SchemaNode, hint: ColumnHint) -> LeafType:
    """Return what the values are of a leaf whose logical type says nothing more."""
    target = natural_target(leaf)
    if leaf.physical is PhysicalType.BOOLEAN:
        return LeafType(ValueKind.BOOLEAN, target)
    if leaf.physical is PhysicalType.INT96:
        unit, conversion = time_units(leaf)[0]
        return LeafType(ValueKind.TIMESTAMP, _counts(f"M8[{unit}]", conversion), unit=unit)
    if target.dtype is None or target.dtype.kind == "V":
        return LeafType(ValueKind.BYTES, target)
    if target.dtype.kind == "f":
        return LeafType(ValueKind.FLOAT, target)
    if hint.duration_unit is not None and leaf.physical is PhysicalType.INT64:
        unit = hint.duration_unit
        return LeafType(ValueKind.DURATION, _counts(f"m8[{unit}]"), unit=unit)
    return LeafType(ValueKind.INTEGER, target)


def _counts(dtype: str, conversion: Conversion = Conversion.COPY) -> Target:
    return Target(8, np.dtype(dtype), conversion, NAT)


def _decimal(leaf: SchemaNode, _hint: ColumnHint) -> LeafType:
    logical = leaf.logical
    if leaf.physical in (PhysicalType.INT32, PhysicalType.INT64):
        return LeafType(ValueKind.DECIMAL, natural_target(leaf), scale=logical.scale)
    if leaf.physical is PhysicalType.FIXED_LEN_BYTE_ARRAY:
        target = natural_target(leaf)
        is_wide = target.conversion is Conversion.COPY
        return LeafType(ValueKind.DECIMAL, target, scale=logical.scale, is_wide=is_wide)
    words = _words_of(logical.precision)
    # No file of a known writer has more digits than that.
    target, is_wide = (Target(0, None), True) if words is None else (words, False)
    return LeafType(ValueKind.DECIMAL, target, scale=logical.scale, is_wide=is_wide)


def _words_of(precision: int) -> Target | None:
    """Return the target of decimals of any length; None if no integer of ours holds the digits."""
    if precision <= 38:
        return Target(16, np.dtype("V16"), Conversion.BIG_ENDIAN_128)
    if precision <= 76:
        return Target(32, np.dtype("V32"), Conversion.BIG_ENDIAN_256)
    return None


_OF_LOGICAL: Final[dict[LogicalKind, Callable[[SchemaNode, ColumnHint], LeafType]]] = {
    LogicalKind.UNKNOWN: _null,
    LogicalKind.DECIMAL: _decimal,
    LogicalKind.DATE: _date,
    LogicalKind.TIMESTAMP: _timestamp,
    LogicalKind.TIME: _time,
    LogicalKind.UUID: _uuid,
    LogicalKind.INTERVAL: _interval,
    LogicalKind.STRING: _text,
    LogicalKind.ENUM: _text,
    LogicalKind.JSON: _json,
}
