"""Single values, as statistics, page indexes and Bloom filters hold them: bytes to Python and back.

Statistics hold values as PLAIN encodes them, byte strings without their lengths.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from datetime import UTC, date, datetime, time
from decimal import Context, Decimal, InvalidOperation
from typing import Any, Final

import numpy as np

from hocket.parquet.metadata.logical import LogicalKind, PhysicalType
from hocket.parquet.metadata.schema import SchemaNode

__all__ = ["bound_of_plain_bytes", "plain_bytes_of_value", "value_of_plain_bytes"]

#: Julian day of 1970-01-01.
_EPOCH_DAY: Final = 2440588
_DAY_NANOSECONDS: Final = 86_400_000_000_000

#: The smallest integer stands for "not a time" in NumPy.
_NOT_A_TIME: Final = -(1 << 63)

#: NumPy's own declarations want units that are known beforehand.
_DATETIME: Final[Any] = np.datetime64
_TIMEDELTA: Final[Any] = np.timedelta64

_TEXT: Final = {LogicalKind.STRING, LogicalKind.ENUM, LogicalKind.JSON}
_TIME_UNITS: Final = ("ns", "us", "ms", "s")

#: As many digits as a value has; nothing is rounded.
_EXACT: Final = Context(prec=3000, traps=[InvalidOperation])

_WIDTHS: Final = {
    PhysicalType.BOOLEAN: 1,
    PhysicalType.INT32: 4,
    PhysicalType.INT64: 8,
    PhysicalType.INT96: 12,
    PhysicalType.FLOAT: 4,
    PhysicalType.DOUBLE: 8,
}


def value_of_plain_bytes(node: SchemaNode, raw: bytes) -> Any:
    """Return the value that bytes stand for, None if they cannot stand for any.

    Dates are ``datetime64[D]``, timestamps ``datetime64`` of their unit (those in UTC, too), times
    ``timedelta64`` since midnight, decimals `Decimal`, text str; the rest bool, int, float, bytes.

    Parameters
    ----------
    node
        The column.
    raw
        The value's bytes.
    """
    physical = node.physical
    if physical is None or len(raw) != _WIDTHS.get(physical, len(raw)):
        return None
    return _MAKERS[physical](node, raw)


def _of_boolean(_node: SchemaNode, raw: bytes) -> bool:
    return bool(raw[0] & 1)


def _of_float(_node: SchemaNode, raw: bytes) -> float:
    value: float = struct.unpack("<f" if len(raw) == 4 else "<d", raw)[0]
    return value


def _of_integer(node: SchemaNode, raw: bytes) -> Any:
    logical = node.logical
    signed = not (logical.kind is LogicalKind.INTEGER and not logical.is_signed)
    value = int.from_bytes(raw, "little", signed=signed)
    result: Any = value
    if logical.kind is LogicalKind.DATE:
        result = _DATETIME(value, "D")
    elif logical.kind is LogicalKind.TIMESTAMP:
        result = None if value == _NOT_A_TIME else _DATETIME(value, logical.unit)
    elif logical.kind is LogicalKind.TIME:
        result = None if value == _NOT_A_TIME else _TIMEDELTA(value, logical.unit)
    elif logical.kind is LogicalKind.DECIMAL:
        result = Decimal(value).scaleb(-logical.scale, _EXACT)
    return result


def _of_bytes(node: SchemaNode, raw: bytes) -> Any:
    kind = node.logical.kind
    result: Any = None
    if kind in _TEXT:
        try:
            result = raw.decode()
        except UnicodeDecodeError:
            return None
    elif kind is LogicalKind.DECIMAL:
        is_fixed = node.physical is PhysicalType.FIXED_LEN_BYTE_ARRAY
        # Longer ones than all digits that are allowed take are no decimals.
        if 0 < len(raw) <= 1024 and (not is_fixed or len(raw) == node.type_length):
            unscaled = int.from_bytes(raw, "big", signed=True)
            result = Decimal(unscaled).scaleb(-node.logical.scale, _EXACT)
    elif kind is LogicalKind.FLOAT16:
        result = struct.unpack("<e", raw)[0] if len(raw) == 2 else None
    elif kind is LogicalKind.TIMESTAMP:
        ticks = int.from_bytes(raw, "little", signed=True) if len(raw) == node.type_length else None
        result = None if ticks is None else _timestamp_of(ticks, node.logical.unit)
    else:
        result = bytes(raw)
    return result


def _of_int96(_node: SchemaNode, raw: bytes) -> Any:
    """Return a timestamp in the finest unit that can hold it."""
    nanoseconds, day = struct.unpack("<qi", raw)
    return _timestamp_of((day - _EPOCH_DAY) * _DAY_NANOSECONDS + nanoseconds, "ns")


def _timestamp_of(ticks: int, own_unit: str) -> Any:
    for unit in _TIME_UNITS[_TIME_UNITS.index(own_unit) :]:
        if _NOT_A_TIME < ticks < -_NOT_A_TIME:
            return _DATETIME(ticks, unit)
        ticks //= 1000
    return None


_MAKERS: Final[dict[PhysicalType, Callable[[SchemaNode, bytes], Any]]] = {
    PhysicalType.BOOLEAN: _of_boolean,
    PhysicalType.INT32: _of_integer,
    PhysicalType.INT64: _of_integer,
    PhysicalType.INT96: _of_int96,
    PhysicalType.FLOAT: _of_float,
    PhysicalType.DOUBLE: _of_float,
    PhysicalType.BYTE_ARRAY: _of_bytes,
    PhysicalType.FIXED_LEN_BYTE_ARRAY: _of_bytes,
}


def bound_of_plain_bytes(node: SchemaNode, raw: bytes, *, is_upper: bool) -> Any:
    """Return a bound as a value, None if the bytes bound nothing.

    Writers may cut text after any byte; what is returned bounds the same values.

    Parameters
    ----------
    node
        The column.
    raw
        The bound's bytes.
    is_upper
        Whether all values are at most this, rather than at least.
    """
    if node.logical.kind in _TEXT:
        try:
            return raw.decode()
        except UnicodeDecodeError as error:
            whole = raw[: error.start].decode()
            if not is_upper:
                return whole
            # What follows is at most the last character, unless no character begins like that.
            return f"{whole}\U0010ffff" if raw[error.start] < 0xF4 else None
    value = value_of_plain_bytes(node, raw)
    if isinstance(value, float) and value != value:  # noqa: PLR0124
        return None
    return value


# ------------------------------------------------------------------------------- values to bytes


def plain_bytes_of_value(node: SchemaNode, value: Any) -> bytes | None:
    """Return the bytes that a value is stored as in a column.

    None if that is not for sure: the value is none of the column's, or has several forms there.

    Parameters
    ----------
    node
        The column.
    value
        A value in terms of Python, NumPy or pandas.
    """
    physical, kind = node.physical, node.logical.kind
    if isinstance(value, np.generic) and not isinstance(value, (np.datetime64, np.timedelta64)):
        value = value.item()
    if physical is PhysicalType.INT32 or physical is PhysicalType.INT64:
        integer = _integer_of(node, value)
        if integer is None:
            return None
        width = 4 if physical is PhysicalType.INT32 else 8
        unsigned = kind is LogicalKind.INTEGER and not node.logical.is_signed
        try:
            return integer.to_bytes(width, "little", signed=not unsigned)
        except OverflowError:
            return None
    if physical is PhysicalType.FLOAT or physical is PhysicalType.DOUBLE:
        return _bytes_of_float(physical, value)
    if physical is PhysicalType.BYTE_ARRAY or physical is PhysicalType.FIXED_LEN_BYTE_ARRAY:
        return _bytes_of_bytes(node, value)
    return None


def _bytes_of_float(physical: PhysicalType, value: Any) -> bytes | None:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    try:
        raw = struct.pack("<f" if physical is PhysicalType.FLOAT else "<d", value)
    except OverflowError:
        return None
    # NaN has many forms.
    return None if value != value else raw  # noqa: PLR0124


def _bytes_of_bytes(node: SchemaNode, value: Any) -> bytes | None:
    kind = node.logical.kind
    raw: bytes | None = None
    if isinstance(value, str) and kind in _TEXT:
        try:
            raw = value.encode()
        except UnicodeEncodeError:
            return None
    elif isinstance(value, (bytes, bytearray, memoryview)) and kind not in _TEXT:
        raw = bytes(value)
    elif kind is LogicalKind.UUID and isinstance(getattr(value, "bytes", None), bytes):
        raw = value.bytes
    elif kind is LogicalKind.DECIMAL and node.physical is PhysicalType.FIXED_LEN_BYTE_ARRAY:
        unscaled = _unscaled_of(node, value)
        if unscaled is not None and unscaled.bit_length() < node.type_length * 8:
            raw = unscaled.to_bytes(node.type_length, "big", signed=True)
    if node.physical is PhysicalType.FIXED_LEN_BYTE_ARRAY and raw is not None:
        return raw if len(raw) == node.type_length else None
    return raw


def _unscaled_of(node: SchemaNode, value: Any) -> int | None:
    if isinstance(value, bool) or not isinstance(value, (int, Decimal)):
        return None
    number = Decimal(value)
    if not number.is_finite():
        return None
    shifted = number.scaleb(node.logical.scale, _EXACT)
    whole = int(shifted) if shifted.adjusted() < 1200 else 0
    return whole if whole == shifted else None


def _integer_of(node: SchemaNode, value: Any) -> int | None:
    """Return the integer that a column of integers stores for a value."""
    kind = node.logical.kind
    make = _INTEGERS.get(kind)
    if make is not None:
        return make(node, value)
    if isinstance(value, bool) or not isinstance(value, (int, float, Decimal)):
        return None
    if value != value or value in {float("inf"), float("-inf")}:  # noqa: PLR0124
        return None
    return int(value) if int(value) == value else None


def _days_of(_node: SchemaNode, value: Any) -> int | None:
    return _ticks_of(_moment_of(value), "D")


def _stamp_of(node: SchemaNode, value: Any) -> int | None:
    return _ticks_of(_moment_of(value), node.logical.unit)


def _time_of(node: SchemaNode, value: Any) -> int | None:
    span: Any = None
    if isinstance(value, time) and value.tzinfo is None:
        seconds = (value.hour * 60 + value.minute) * 60 + value.second
        span = np.timedelta64(seconds * 1_000_000 + value.microsecond, "us")
    elif isinstance(value, np.timedelta64):
        span = value
    elif hasattr(value, "to_timedelta64"):
        span = value.to_timedelta64()
    return _ticks_of(span, node.logical.unit)


def _moment_of(value: Any) -> Any:
    """Return a date or time as NumPy has it, in UTC; None if it is none."""
    moment: Any = None
    if isinstance(value, np.datetime64):
        moment = value
    elif hasattr(value, "to_datetime64"):
        moment = value.to_datetime64()
    elif isinstance(value, datetime):
        if value.tzinfo is not None:
            value = value.astimezone(UTC).replace(tzinfo=None)
        moment = np.datetime64(value, "us")
    elif isinstance(value, date):
        moment = np.datetime64(value, "D")
    return moment


def _ticks_of(moment: Any, unit: str) -> int | None:
    """Return how many units there are since 1970, or in a span; None if that is no whole number."""
    if moment is None or np.isnat(moment):
        return None
    if np.datetime_data(moment.dtype)[0] in {"Y", "M"} and isinstance(moment, np.datetime64):
        moment = moment.astype("datetime64[D]")
    own, size = np.datetime_data(moment.dtype)
    if own not in _ATTOSECONDS:
        return None
    # Casts of NumPy's own would wrap around where the other unit cannot hold the value.
    ticks, rest = divmod(
        int(moment.astype(np.int64)) * size * _ATTOSECONDS[own], _ATTOSECONDS[unit]
    )
    return None if rest else ticks


#: How long NumPy's units are.
_ATTOSECONDS: Final = {
    "as": 1,
    "fs": 10**3,
    "ps": 10**6,
    "ns": 10**9,
    "us": 10**12,
    "ms": 10**15,
    "s": 10**18,
    "m": 60 * 10**18,
    "h": 3600 * 10**18,
    "D": 86400 * 10**18,
    "W": 7 * 86400 * 10**18,
}

_INTEGERS: Final[dict[LogicalKind, Callable[[SchemaNode, Any], int | None]]] = {
    LogicalKind.DATE: _days_of,
    LogicalKind.TIMESTAMP: _stamp_of,
    LogicalKind.TIME: _time_of,
    LogicalKind.DECIMAL: _unscaled_of,
}
