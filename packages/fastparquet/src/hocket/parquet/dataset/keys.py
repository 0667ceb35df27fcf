"""Values of filters and of statistics as keys: numbers or bytes that order as the column does.

A date, a decimal and a time are integers in the file; what they are compared with becomes an
integer of the same unit here, once, so that millions of values can be compared as they are stored.
A value that lies between two integers keeps the lower one and the note that it is not exact.
"""

from __future__ import annotations

import datetime as dt
import decimal
import math
import numbers
import struct
import uuid
from collections.abc import Callable
from enum import StrEnum
from fractions import Fraction
from typing import Any, Final

import numpy as np

from hocket.parquet.metadata.schema import LogicalKind, PhysicalType, SchemaNode
from hocket.parquet.records import dataclass

__all__ = ["Family", "Key", "KeyDomain", "domain_of_leaf"]

#: A number or bytes.
Key = Any


class Family(StrEnum):
    """How the values of a column compare."""

    BOOLEAN = "booleans"
    INTEGER = "integers"
    DECIMAL = "decimals"
    FLOAT = "floating-point numbers"
    DATE = "dates"
    TIME = "times of day"
    TIMESTAMP = "timestamps"
    DURATION = "durations"
    TEXT = "text"
    UUID = "UUIDs"
    BYTES = "bytes"
    NONE = "values that do not compare"


_TICKS: Final = {
    "D": Fraction(86400),
    "s": Fraction(1),
    "ms": Fraction(1, 10**3),
    "us": Fraction(1, 10**6),
    "ns": Fraction(1, 10**9),
}
_FINER: Final = {"ps": Fraction(1, 10**12), "fs": Fraction(1, 10**15), "as": Fraction(1, 10**18)}
_JULIAN_DAY_OF_1970: Final = 2440588
_FLOATS: Final = {2: ("<e", np.float16), 4: ("<f", np.float32), 8: ("<d", np.float64)}


@dataclass(frozen=True, slots=True)
class KeyDomain:
    """The keys of one column.

    Parameters
    ----------
    family
        What is compared.
    unit
        Of times: ``D``, ``s``, ``ms``, ``us`` or ``ns``.
    is_utc
        Whether timestamps are points in time, and not local ones.
    scale
        Digits after the point, of decimals.
    width
        Bytes of a floating-point number.
    is_signed
        Whether integers are.
    lenient
        Whether text is taken for the number that it spells (partitions).
    storage
        How PLAIN stores integers: ``little`` or ``big`` endian, or ``julian`` (INT96).
    """

    family: Family
    unit: str = ""
    is_utc: bool = False
    scale: int = 0
    width: int = 8
    is_signed: bool = True
    lenient: bool = False
    storage: str = "little"

    def key(self, value: Any) -> tuple[Key, bool]:
        """Return the key of a value, or the one below it, and whether it is exact.

        Raises
        ------
        TypeError, ValueError
            The value does not compare with those of the column.
        """
        return _KEYS[self.family](self, value)

    def key_of_plain(self, raw: bytes) -> Key | None:
        """Return the key of a value as PLAIN stores it; None if it is malformed."""
        special = _PLAIN.get(self.family)
        if special is not None:
            return special(self, raw)
        if self.storage == "julian":
            return _key_of_int96(raw)
        if not raw:
            return None
        return int.from_bytes(
            raw, "big" if self.storage == "big" else "little", signed=self.is_signed
        )


def _key_of_float(domain: KeyDomain, raw: bytes) -> Key | None:
    if len(raw) != domain.width:
        return None
    number = struct.unpack(_FLOATS[domain.width][0], raw)[0]
    return None if math.isnan(number) else number


_PLAIN: Final[dict[Family, Callable[[KeyDomain, bytes], Key | None]]] = {
    Family.FLOAT: _key_of_float,
    Family.TEXT: lambda _, raw: raw,
    Family.BYTES: lambda _, raw: raw,
    Family.UUID: lambda _, raw: raw if len(raw) == 16 else None,
    Family.BOOLEAN: lambda _, raw: raw[0] & 1 if len(raw) == 1 else None,
    Family.NONE: lambda _, raw: None,  # noqa: ARG005
}


def _key_of_int96(raw: bytes) -> Key | None:
    if len(raw) != 12:
        return None
    nanos, day = struct.unpack("<qi", raw)
    return (day - _JULIAN_DAY_OF_1970) * 86400 * 10**9 + nanos


def domain_of_leaf(leaf: SchemaNode) -> KeyDomain:
    """Return how the values of a column compare."""
    physical, logical = leaf.physical, leaf.logical
    kind = logical.kind
    if kind in _OF_KINDS:
        return KeyDomain(_OF_KINDS[kind])
    if physical in _OF_TYPES:
        return _OF_TYPES[physical]
    if kind is LogicalKind.FLOAT16 and leaf.type_length == 2:
        return KeyDomain(Family.FLOAT, width=2)
    if kind is LogicalKind.DECIMAL:
        integers = physical in (PhysicalType.INT32, PhysicalType.INT64)
        storage = "little" if integers else "big"
        return KeyDomain(Family.DECIMAL, scale=logical.scale, storage=storage)
    if physical in (PhysicalType.INT32, PhysicalType.INT64) or kind is LogicalKind.TIMESTAMP:
        return _integer_domain(leaf)
    return KeyDomain(Family.BYTES)


_OF_KINDS: Final = {
    LogicalKind.UNKNOWN: Family.NONE,
    LogicalKind.INTERVAL: Family.NONE,
    LogicalKind.GEOMETRY: Family.NONE,
    LogicalKind.GEOGRAPHY: Family.NONE,
    LogicalKind.VARIANT: Family.NONE,
    LogicalKind.UUID: Family.UUID,
    LogicalKind.STRING: Family.TEXT,
    LogicalKind.ENUM: Family.TEXT,
    LogicalKind.JSON: Family.TEXT,
}


_OF_TYPES: Final = {
    PhysicalType.BOOLEAN: KeyDomain(Family.BOOLEAN),
    PhysicalType.FLOAT: KeyDomain(Family.FLOAT, width=4),
    PhysicalType.DOUBLE: KeyDomain(Family.FLOAT, width=8),
    PhysicalType.INT96: KeyDomain(Family.TIMESTAMP, unit="ns", storage="julian"),
}


def _integer_domain(leaf: SchemaNode) -> KeyDomain:
    logical = leaf.logical
    if logical.kind is LogicalKind.DATE:
        return KeyDomain(Family.DATE, unit="D")
    if logical.kind is LogicalKind.TIME and logical.unit in _TICKS:
        return KeyDomain(Family.TIME, unit=logical.unit)
    if logical.kind is LogicalKind.TIMESTAMP and logical.unit in _TICKS:
        return KeyDomain(Family.TIMESTAMP, unit=logical.unit, is_utc=logical.is_utc)
    unsigned = logical.kind is LogicalKind.INTEGER and not logical.is_signed
    return KeyDomain(Family.INTEGER, is_signed=not unsigned)


# -------------------------------------------------------------------------- one family each


def _floor(value: Any) -> tuple[Key, bool]:
    """Return the integer at or below a number; infinities and NaN stay what they are."""
    if isinstance(value, (float, decimal.Decimal)) and not math.isfinite(value):
        return float(value), True
    low = math.floor(value)
    return low, bool(low == value)


def _number(domain: KeyDomain, value: Any) -> Any:
    if isinstance(value, np.generic):
        value = value.item()
    if domain.lenient and isinstance(value, str):
        return _spelled(value)
    if isinstance(value, (numbers.Rational, decimal.Decimal, float)):
        return value
    raise TypeError("it is no number")


def _spelled(text: str) -> decimal.Decimal:
    try:
        return decimal.Decimal(text)
    except decimal.InvalidOperation:
        raise ValueError("it spells no number") from None


def _integer_key(domain: KeyDomain, value: Any) -> tuple[Key, bool]:
    return _floor(_number(domain, value))


def _float_key(domain: KeyDomain, value: Any) -> tuple[Key, bool]:
    number = float(_number(domain, value))
    with np.errstate(over="ignore"):
        rounded: Any = _FLOATS[domain.width][1]
        return float(rounded(number)), True


def _decimal_key(domain: KeyDomain, value: Any) -> tuple[Key, bool]:
    if isinstance(value, str):
        value = _spelled(value)
    value = _number(domain, value)
    if isinstance(value, float):
        # As it is written: 0.1 means one tenth.
        value = decimal.Decimal(repr(value))
    if isinstance(value, decimal.Decimal) and not value.is_finite():
        return float(value), True
    return _floor(Fraction(value) * 10**domain.scale)


def _boolean_key(domain: KeyDomain, value: Any) -> tuple[Key, bool]:
    if domain.lenient and isinstance(value, str) and value.lower() in {"true", "false"}:
        return int(value.lower() == "true"), True
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, (bool, int)) and value in (0, 1):
        return int(value), True
    raise TypeError("it is neither true nor false")


def _bytes_key(domain: KeyDomain, value: Any) -> tuple[Key, bool]:
    if isinstance(value, str):
        return str(value).encode(), True
    if isinstance(value, (bytes, bytearray, memoryview)):
        return bytes(value), True
    if domain.lenient:
        return str(value).encode(), True
    raise TypeError("it is neither text nor bytes")


def _uuid_key(domain: KeyDomain, value: Any) -> tuple[Key, bool]:
    if isinstance(value, uuid.UUID):
        return value.bytes, True
    if isinstance(value, str):
        return uuid.UUID(value).bytes, True
    return _bytes_key(domain, value)


def _ticks(domain: KeyDomain, count: int, unit: str) -> tuple[Key, bool]:
    """Return a count of a unit in that of the domain."""
    size = _TICKS[unit] if unit in _TICKS else _FINER[unit]
    return _floor(Fraction(count) * size / _TICKS[domain.unit])


def _ticks_of_numpy(domain: KeyDomain, value: np.datetime64 | np.timedelta64) -> tuple[Key, bool]:
    if np.isnat(value):
        raise ValueError("it is no time")
    unit = np.datetime_data(value.dtype)[0]
    if unit not in _TICKS and unit not in _FINER:
        kind = "datetime64[s]" if isinstance(value, np.datetime64) else "timedelta64[s]"
        value, unit = value.astype(kind), "s"
    count, step = int(value.astype(np.int64)), np.datetime_data(value.dtype)[1]
    return _ticks(domain, count * step, unit)


def _timestamp_key(domain: KeyDomain, value: Any) -> tuple[Key, bool]:
    if isinstance(value, np.datetime64):
        return _ticks_of_numpy(domain, value)
    if isinstance(value, str) or hasattr(value, "asm8"):
        import pandas as pd  # noqa: PLC0415 - not needed for numbers

        value = pd.Timestamp(value)
        if value is pd.NaT:
            raise ValueError("it is no time")
    elif isinstance(value, dt.date):
        if not isinstance(value, dt.datetime):
            value = dt.datetime(value.year, value.month, value.day)  # noqa: DTZ001
    else:
        raise TypeError("it is no date or time")
    if value.tzinfo is not None:
        if not domain.is_utc:
            raise ValueError("it has a time zone, and the column has none")
        value = value.astimezone(dt.UTC).replace(tzinfo=None)
    if hasattr(value, "asm8"):
        return _ticks_of_numpy(domain, value.asm8)
    since = value - dt.datetime(1970, 1, 1)  # noqa: DTZ001
    return _ticks(domain, _micros(since), "us")


def _micros(span: dt.timedelta) -> int:
    return (span.days * 86400 + span.seconds) * 10**6 + span.microseconds


def _time_key(domain: KeyDomain, value: Any) -> tuple[Key, bool]:
    if isinstance(value, str):
        value = dt.time.fromisoformat(value)
    if isinstance(value, dt.time):
        if value.tzinfo is not None:
            raise ValueError("it has a time zone, and the column has none")
        seconds = value.hour * 3600 + value.minute * 60 + value.second
        return _ticks(domain, seconds * 10**6 + value.microsecond, "us")
    return _duration_key(domain, value)


def _duration_key(domain: KeyDomain, value: Any) -> tuple[Key, bool]:
    if isinstance(value, np.timedelta64):
        return _ticks_of_numpy(domain, value)
    if isinstance(value, str):
        import pandas as pd  # noqa: PLC0415 - the same

        value = pd.Timedelta(value)
    if hasattr(value, "asm8"):
        return _ticks_of_numpy(domain, value.asm8)
    if isinstance(value, dt.timedelta):
        return _ticks(domain, _micros(value), "us")
    raise TypeError("it is no time")


def _no_key(domain: KeyDomain, value: Any) -> tuple[Key, bool]:
    del domain, value
    raise TypeError("values of the column do not compare; only 'is null' and 'is not null' do")


_KEYS: Final = {
    Family.BOOLEAN: _boolean_key,
    Family.INTEGER: _integer_key,
    Family.DECIMAL: _decimal_key,
    Family.FLOAT: _float_key,
    Family.DATE: _timestamp_key,
    Family.TIME: _time_key,
    Family.TIMESTAMP: _timestamp_key,
    Family.DURATION: _duration_key,
    Family.TEXT: _bytes_key,
    Family.UUID: _uuid_key,
    Family.BYTES: _bytes_key,
    Family.NONE: _no_key,
}
