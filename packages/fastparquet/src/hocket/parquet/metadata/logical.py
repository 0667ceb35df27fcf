"""Physical and logical types: what a column's values are stored as, and what they mean.

A logical type comes from the file's LogicalType union or, in older files, from its ConvertedType.
One that this version does not know, or that cannot annotate what it annotates, becomes
`LogicalKind.UNRECOGNISED`: the column is then read by its physical type.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import IntEnum, StrEnum
from functools import lru_cache
from typing import Final

from hocket.parquet.records import dataclass

__all__ = ["LogicalKind", "LogicalType", "PhysicalType", "Repetition", "logical_type_of"]


class PhysicalType(IntEnum):
    """How single values are stored."""

    BOOLEAN = 0
    INT32 = 1
    INT64 = 2
    INT96 = 3
    FLOAT = 4
    DOUBLE = 5
    BYTE_ARRAY = 6
    FIXED_LEN_BYTE_ARRAY = 7


class Repetition(IntEnum):
    """How often a field is there in its parent."""

    REQUIRED = 0
    OPTIONAL = 1
    REPEATED = 2


class LogicalKind(StrEnum):
    """What values mean."""

    NONE = "NONE"
    STRING = "STRING"
    ENUM = "ENUM"
    JSON = "JSON"
    BSON = "BSON"
    UUID = "UUID"
    DECIMAL = "DECIMAL"
    DATE = "DATE"
    TIME = "TIME"
    TIMESTAMP = "TIMESTAMP"
    INTEGER = "INTEGER"
    UNKNOWN = "UNKNOWN"
    FLOAT16 = "FLOAT16"
    LIST = "LIST"
    MAP = "MAP"
    MAP_KEY_VALUE = "MAP_KEY_VALUE"
    VARIANT = "VARIANT"
    GEOMETRY = "GEOMETRY"
    GEOGRAPHY = "GEOGRAPHY"
    FILE = "FILE"
    INTERVAL = "INTERVAL"
    UNRECOGNISED = "UNRECOGNISED"


@dataclass(frozen=True, slots=True)
class LogicalType:
    """What the values of a column or the fields of a group mean.

    Parameters
    ----------
    kind
        The kind; the rest tells more of some kinds.
    precision, scale
        Of DECIMAL: the number of digits, and how many of them follow the point.
    unit
        Of TIME and TIMESTAMP: ``"ms"``, ``"us"`` or ``"ns"``.
    is_utc
        Of TIME and TIMESTAMP: whether the values are instants, told in UTC. Never so if the type
        comes from a ConvertedType: its writers did not say, and all readers take it for local time.
    bit_width, is_signed
        Of INTEGER.
    crs
        Of GEOMETRY and GEOGRAPHY: the coordinate reference system; None stands for OGC:CRS84.
    algorithm
        Of GEOGRAPHY: how edges run between points.
    version
        Of VARIANT: version of its specification.
    """

    kind: LogicalKind
    precision: int = 0
    scale: int = 0
    unit: str = ""
    is_utc: bool = False
    bit_width: int = 0
    is_signed: bool = True
    crs: str | None = None
    algorithm: str | None = None
    version: int | None = None

    def __str__(self) -> str:
        if self.kind is LogicalKind.DECIMAL:
            return f"DECIMAL({self.precision}, {self.scale})"
        if self.kind is LogicalKind.INTEGER:
            return f"{'INT' if self.is_signed else 'UINT'}{self.bit_width}"
        if self.kind in {LogicalKind.TIME, LogicalKind.TIMESTAMP}:
            return f"{self.kind}({self.unit}{', UTC' if self.is_utc else ''})"
        told = [each for each in (self.crs, self.algorithm) if each is not None]
        return f"{self.kind}({', '.join(told)})" if told else str(self.kind)


#: No logical type.
_NONE: Final = LogicalType(LogicalKind.NONE)
_UNRECOGNISED: Final = LogicalType(LogicalKind.UNRECOGNISED)

#: More digits than that no decimal is believed to have.
_PRECISION_MAX: Final = 1000

_BYTE_ARRAY: Final = int(PhysicalType.BYTE_ARRAY)
_FIXED: Final = int(PhysicalType.FIXED_LEN_BYTE_ARRAY)
_INT32: Final = int(PhysicalType.INT32)
_INT64: Final = int(PhysicalType.INT64)

#: Members of the union LogicalType that have no parameters.
_PLAIN_MEMBERS: Final = {
    1: LogicalKind.STRING,
    2: LogicalKind.MAP,
    3: LogicalKind.LIST,
    4: LogicalKind.ENUM,
    6: LogicalKind.DATE,
    11: LogicalKind.UNKNOWN,
    12: LogicalKind.JSON,
    13: LogicalKind.BSON,
    14: LogicalKind.UUID,
    15: LogicalKind.FLOAT16,
    19: LogicalKind.FILE,
}

#: Members of the enumeration ConvertedType that have no parameters.
_CONVERTED: Final = {
    0: LogicalType(LogicalKind.STRING),
    1: LogicalType(LogicalKind.MAP),
    2: LogicalType(LogicalKind.MAP_KEY_VALUE),
    3: LogicalType(LogicalKind.LIST),
    4: LogicalType(LogicalKind.ENUM),
    6: LogicalType(LogicalKind.DATE),
    7: LogicalType(LogicalKind.TIME, unit="ms"),
    8: LogicalType(LogicalKind.TIME, unit="us"),
    9: LogicalType(LogicalKind.TIMESTAMP, unit="ms"),
    10: LogicalType(LogicalKind.TIMESTAMP, unit="us"),
    11: LogicalType(LogicalKind.INTEGER, bit_width=8, is_signed=False),
    12: LogicalType(LogicalKind.INTEGER, bit_width=16, is_signed=False),
    13: LogicalType(LogicalKind.INTEGER, bit_width=32, is_signed=False),
    14: LogicalType(LogicalKind.INTEGER, bit_width=64, is_signed=False),
    15: LogicalType(LogicalKind.INTEGER, bit_width=8),
    16: LogicalType(LogicalKind.INTEGER, bit_width=16),
    17: LogicalType(LogicalKind.INTEGER, bit_width=32),
    18: LogicalType(LogicalKind.INTEGER, bit_width=64),
    19: LogicalType(LogicalKind.JSON),
    20: LogicalType(LogicalKind.BSON),
    21: LogicalType(LogicalKind.INTERVAL),
}
_CONVERTED_DECIMAL: Final = 5

_UNITS: Final = {1: "ms", 2: "us", 3: "ns"}
_ALGORITHMS: Final = {0: "spherical", 1: "vincenty", 2: "thomas", 3: "andoyer", 4: "karney"}

#: What a leaf must be stored as to have a kind: physical type, and length if it is fixed.
_CARRIERS: Final[dict[LogicalKind, tuple[int, int]]] = {
    LogicalKind.STRING: (_BYTE_ARRAY, 0),
    LogicalKind.ENUM: (_BYTE_ARRAY, 0),
    LogicalKind.JSON: (_BYTE_ARRAY, 0),
    LogicalKind.BSON: (_BYTE_ARRAY, 0),
    LogicalKind.GEOMETRY: (_BYTE_ARRAY, 0),
    LogicalKind.GEOGRAPHY: (_BYTE_ARRAY, 0),
    LogicalKind.UUID: (_FIXED, 16),
    LogicalKind.FLOAT16: (_FIXED, 2),
    LogicalKind.INTERVAL: (_FIXED, 12),
    LogicalKind.DATE: (_INT32, 0),
}

#: What timestamps are stored as if 64 bits do not do.
_WIDE_TICKS: Final = (_FIXED, 12)

_OF_GROUPS: Final = {
    LogicalKind.LIST,
    LogicalKind.MAP,
    LogicalKind.MAP_KEY_VALUE,
    LogicalKind.VARIANT,
    LogicalKind.FILE,
}


@lru_cache(maxsize=4096)
def logical_type_of(
    physical: int,
    type_length: int,
    converted: int,
    decimal: tuple[int, int],
    member: int,
    parameters: tuple[int, int],
    text: str | None,
) -> LogicalType:
    """Return the logical type of a schema element.

    Parameters
    ----------
    physical
        Physical type of a leaf; -1 for a group.
    type_length
        Length of a FIXED_LEN_BYTE_ARRAY.
    converted
        ConvertedType; -1 if there is none.
    decimal
        Scale and precision, as the element itself has them.
    member
        Field of the union LogicalType that is set; 0 if none is, -1 if there is no union.
    parameters
        Values of the first and the second field of that member; of a unit, its own member.
    text
        Coordinate reference system.
    """
    found = _NONE
    if member > 0:
        found = _checked(_of_union(member, parameters, text), physical, type_length)
    if found.kind in {LogicalKind.NONE, LogicalKind.UNRECOGNISED} and converted >= 0:
        if converted == _CONVERTED_DECIMAL:
            older = LogicalType(LogicalKind.DECIMAL, precision=decimal[1], scale=decimal[0])
        else:
            older = _CONVERTED.get(converted, _UNRECOGNISED)
        # The older annotations know timestamps of 64 bits only.
        is_wide = older.kind is LogicalKind.TIMESTAMP and physical != _INT64
        found = _UNRECOGNISED if is_wide else _checked(older, physical, type_length)
    return found


def _of_union(member: int, parameters: tuple[int, int], text: str | None) -> LogicalType:
    first, second = parameters
    if member in _PLAIN_MEMBERS:
        return LogicalType(_PLAIN_MEMBERS[member])
    make = _PARAMETRIC_MEMBERS.get(member)
    return _UNRECOGNISED if make is None else make(first, second, text)


def _decimal(first: int, second: int, _text: str | None) -> LogicalType:
    return LogicalType(LogicalKind.DECIMAL, scale=first, precision=second)


def _time(first: int, second: int, _text: str | None) -> LogicalType:
    return LogicalType(LogicalKind.TIME, is_utc=first == 1, unit=_UNITS.get(second, ""))


def _timestamp(first: int, second: int, _text: str | None) -> LogicalType:
    return LogicalType(LogicalKind.TIMESTAMP, is_utc=first == 1, unit=_UNITS.get(second, ""))


def _integer(first: int, second: int, _text: str | None) -> LogicalType:
    return LogicalType(LogicalKind.INTEGER, bit_width=first, is_signed=second != 0)


def _variant(first: int, _second: int, _text: str | None) -> LogicalType:
    return LogicalType(LogicalKind.VARIANT, version=first if first >= 0 else None)


def _geometry(_first: int, _second: int, text: str | None) -> LogicalType:
    return LogicalType(LogicalKind.GEOMETRY, crs=text)


def _geography(_first: int, second: int, text: str | None) -> LogicalType:
    algorithm = "spherical" if second < 0 else _ALGORITHMS.get(second, f"algorithm {second}")
    return LogicalType(LogicalKind.GEOGRAPHY, crs=text, algorithm=algorithm)


_PARAMETRIC_MEMBERS: Final[dict[int, Callable[[int, int, str | None], LogicalType]]] = {
    5: _decimal,
    7: _time,
    8: _timestamp,
    10: _integer,
    16: _variant,
    17: _geometry,
    18: _geography,
}


def _checked(logical: LogicalType, physical: int, type_length: int) -> LogicalType:
    """Return a logical type if it can annotate such an element, else UNRECOGNISED."""
    kind = logical.kind
    if physical < 0:
        return logical if kind in _OF_GROUPS else _UNRECOGNISED
    if kind in _OF_GROUPS:
        return _UNRECOGNISED
    fits = True
    if kind in _CARRIERS:
        carrier, length = _CARRIERS[kind]
        fits = physical == carrier and length in {0, type_length}
    if kind is LogicalKind.DECIMAL:
        fits = physical in {_INT32, _INT64, _BYTE_ARRAY, _FIXED} and (
            0 <= logical.scale <= logical.precision and 1 <= logical.precision <= _PRECISION_MAX
        )
    elif kind is LogicalKind.INTEGER:
        fits = (physical, logical.bit_width) in {
            (_INT32, 8),
            (_INT32, 16),
            (_INT32, 32),
            (_INT64, 64),
        }
    elif kind is LogicalKind.TIMESTAMP:
        fits = logical.unit != "" and (physical == _INT64 or (physical, type_length) == _WIDE_TICKS)
    elif kind is LogicalKind.TIME:
        fits = (physical, logical.unit) in {(_INT32, "ms"), (_INT64, "us"), (_INT64, "ns")}
    return logical if fits else _UNRECOGNISED
