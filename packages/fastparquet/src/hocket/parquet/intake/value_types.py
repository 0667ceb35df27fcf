"""What the values of a column are before they are written, and the field that stores them.

The table is the mirror of the reader's: ``docs/parquet-types.md``, second half.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from typing import Final

from hocket.parquet.arrays.write_field import NO_LOGICAL, Storing, WriteField, WriteKind
from hocket.parquet.metadata.logical import LogicalKind, LogicalType, PhysicalType
from hocket.parquet.records import dataclass, replace

__all__ = ["DIGITS_MAX", "UNITS_PER_SECOND", "TypeKind", "ValueType", "decimal_nbytes", "field_of"]

UNITS_PER_SECOND: Final = {"s": 1, "ms": 1_000, "us": 1_000_000, "ns": 1_000_000_000}
#: Decimals of more digits are bytes of any length; no reader is known that takes more than this.
DIGITS_MAX: Final = 1000
_WORD_DIGITS_MAX: Final = 76


class TypeKind(StrEnum):
    """What values are; what their arrays are like is said in brackets."""

    NULL = "null"  # NULL
    BOOLEAN = "boolean"  # FIXED bool, or BITS
    INTEGER = "integer"  # FIXED
    FLOAT = "float"  # FIXED; of 16 bits V2
    TEXT = "text"  # STRINGS
    ENUM = "enum"
    JSON = "json"
    BSON = "bson"
    BYTES = "bytes"  # STRINGS; of a fixed length FIXED V{n}
    UUID = "uuid"  # FIXED V16
    DECIMAL = "decimal"  # FIXED i4, i8, V16, V32; of more than 76 digits STRINGS, big-endian
    DATE = "date"  # FIXED i4, days
    TIME = "time"  # FIXED i4 (milliseconds) or i8, of `unit`
    TIMESTAMP = "timestamp"  # FIXED i8, of `unit`
    DURATION = "duration"  # FIXED i8, of `unit`
    INTERVAL = "interval"  # FIXED V12
    GEOMETRY = "geometry"  # STRINGS
    GEOGRAPHY = "geography"
    VARIANT = "variant"  # STRUCT of two STRINGS
    LIST = "list"  # LIST
    MAP = "map"  # LIST of STRUCT
    STRUCT = "struct"  # STRUCT


@dataclass(frozen=True, slots=True)
class ValueType:
    """What values are.

    Parameters
    ----------
    kind
        The kind; the rest tells more of some.
    bits, is_signed
        Of INTEGER and FLOAT.
    nbytes
        Of BYTES: how many bytes each has; 0 if that differs.
    precision, scale
        Of DECIMAL.
    unit
        What arrays count: "s", "ms", "us" or "ns".
    stored_unit
        Of TIMESTAMP: what the file counts, "ms", "us", "ns" or "int96"; "" for `unit` or the
        next finer that Parquet has.
    is_lossy
        Of TIMESTAMP: whether digits below the stored unit may be dropped.
    timezone
        Of TIMESTAMP: the name of the zone that instants are told in; None for times without one.
    crs, algorithm
        Of GEOMETRY and GEOGRAPHY.
    encodes_text
        Of JSON: whether texts are values to be encoded, too, rather than documents.
    names, children
        Of STRUCT; LIST has one child, MAP two.
    """

    kind: TypeKind
    bits: int = 0
    is_signed: bool = True
    nbytes: int = 0
    precision: int = 0
    scale: int = 0
    unit: str = ""
    stored_unit: str = ""
    is_lossy: bool = False
    timezone: str | None = None
    crs: str | None = None
    algorithm: str | None = None
    encodes_text: bool = False
    names: tuple[str, ...] = ()
    children: tuple[ValueType, ...] = ()

    def __str__(self) -> str:
        return _TEXTS.get(self.kind, _plain_text)(self)


def _plain_text(values: ValueType) -> str:
    return str(values.kind)


def _number_text(values: ValueType) -> str:
    letter = "" if values.is_signed else "u"
    return f"{letter}{'int' if values.kind is TypeKind.INTEGER else 'float'}{values.bits}"


def _timestamp_text(values: ValueType) -> str:
    zone = "" if values.timezone is None else f", {values.timezone}"
    return f"timestamp({values.stored_unit or values.unit}{zone})"


def _struct_text(values: ValueType) -> str:
    members = zip(values.names, values.children, strict=True)
    return f"struct<{', '.join(f'{name}: {member}' for name, member in members)}>"


_TEXTS: Final[dict[TypeKind, Callable[[ValueType], str]]] = {
    TypeKind.INTEGER: _number_text,
    TypeKind.FLOAT: _number_text,
    TypeKind.BYTES: lambda values: f"binary({values.nbytes})" if values.nbytes else "binary",
    TypeKind.DECIMAL: lambda values: f"decimal({values.precision}, {values.scale})",
    TypeKind.TIME: lambda values: f"time({values.unit})",
    TypeKind.DURATION: lambda values: f"duration({values.unit})",
    TypeKind.TIMESTAMP: _timestamp_text,
    TypeKind.LIST: lambda values: f"list<{values.children[0]}>",
    TypeKind.MAP: lambda values: f"map<{values.children[0]}, {values.children[1]}>",
    TypeKind.STRUCT: _struct_text,
}


def field_of(
    name: str, values: ValueType, *, nullable: bool = True, field_id: int | None = None
) -> WriteField:
    """Return the field that stores values of a type.

    Parameters
    ----------
    name
        The name of the field.
    values
        What the values are.
    nullable
        Whether some can be missing.
    field_id
        The number that table formats give it.
    """
    made = _MAKERS[values.kind](name, values)
    return replace(made, nullable=nullable or values.kind is TypeKind.NULL, field_id=field_id)


def decimal_nbytes(precision: int) -> int:
    """Return the length of two's complement that holds so many digits."""
    return int((10**precision - 1).bit_length() // 8 + 1)


_Maker = Callable[[str, ValueType], WriteField]


def _leaf(
    physical: PhysicalType, logical: LogicalType = NO_LOGICAL, type_length: int = 0
) -> _Maker:
    def make(name: str, _values: ValueType) -> WriteField:
        return WriteField(
            name, WriteKind.LEAF, physical=physical, logical=logical, type_length=type_length
        )

    return make


def _bytes_meaning(kind: LogicalKind) -> _Maker:
    return _leaf(PhysicalType.BYTE_ARRAY, LogicalType(kind))


def _integer(name: str, values: ValueType) -> WriteField:
    bits, is_signed = values.bits, values.is_signed
    physical = PhysicalType.INT64 if bits == 64 else PhysicalType.INT32
    logical = NO_LOGICAL
    if bits < 32 or not is_signed:
        logical = LogicalType(LogicalKind.INTEGER, bit_width=bits, is_signed=is_signed)
    return _leaf(physical, logical)(name, values)


def _float(name: str, values: ValueType) -> WriteField:
    if values.bits == 16:
        half = LogicalType(LogicalKind.FLOAT16)
        return _leaf(PhysicalType.FIXED_LEN_BYTE_ARRAY, half, 2)(name, values)
    physical = PhysicalType.FLOAT if values.bits == 32 else PhysicalType.DOUBLE
    return _leaf(physical)(name, values)


def _bytes(name: str, values: ValueType) -> WriteField:
    if not values.nbytes:
        return _leaf(PhysicalType.BYTE_ARRAY)(name, values)
    fixed = PhysicalType.FIXED_LEN_BYTE_ARRAY
    return _leaf(fixed, type_length=values.nbytes)(name, values)


def _decimal(name: str, values: ValueType) -> WriteField:
    precision = values.precision
    logical = LogicalType(LogicalKind.DECIMAL, precision=precision, scale=values.scale)
    if precision > _WORD_DIGITS_MAX:
        return _leaf(PhysicalType.BYTE_ARRAY, logical)(name, values)
    physical, length = PhysicalType.FIXED_LEN_BYTE_ARRAY, decimal_nbytes(precision)
    if precision <= 18:
        physical, length = PhysicalType.INT32 if precision <= 9 else PhysicalType.INT64, 0
    return replace(_leaf(physical, logical, length)(name, values), storing=Storing.DECIMAL)


def _time(name: str, values: ValueType) -> WriteField:
    physical = PhysicalType.INT32 if values.unit == "ms" else PhysicalType.INT64
    return _leaf(physical, LogicalType(LogicalKind.TIME, unit=values.unit))(name, values)


def _timestamp(name: str, values: ValueType) -> WriteField:
    stored = values.stored_unit or ("ms" if values.unit == "s" else values.unit)
    if stored == "int96":
        made = _leaf(PhysicalType.INT96)(name, values)
        return replace(made, storing=Storing.INT96)
    logical = LogicalType(LogicalKind.TIMESTAMP, unit=stored, is_utc=values.timezone is not None)
    made = _leaf(PhysicalType.INT64, logical)(name, values)
    mine, theirs = UNITS_PER_SECOND[values.unit], UNITS_PER_SECOND[stored]
    if theirs > mine:
        return replace(made, storing=Storing.TIMES, factor=theirs // mine)
    if theirs < mine:
        factor = mine // theirs
        return replace(made, storing=Storing.DIVIDED, factor=factor, is_lossy=values.is_lossy)
    return made


def _geography(name: str, values: ValueType) -> WriteField:
    kind = LogicalKind.GEOMETRY
    if values.kind is TypeKind.GEOGRAPHY:
        kind = LogicalKind.GEOGRAPHY
    logical = LogicalType(kind, crs=values.crs, algorithm=values.algorithm)
    return _leaf(PhysicalType.BYTE_ARRAY, logical)(name, values)


def _variant(name: str, values: ValueType) -> WriteField:
    plain = _leaf(PhysicalType.BYTE_ARRAY)
    members = tuple(
        replace(plain(member, values), nullable=False) for member in ("metadata", "value")
    )
    logical = LogicalType(LogicalKind.VARIANT, version=1)
    return WriteField(name, WriteKind.STRUCT, logical=logical, children=members)


def _list(name: str, values: ValueType) -> WriteField:
    element = field_of("element", values.children[0])
    return WriteField(name, WriteKind.LIST, children=(element,))


def _map(name: str, values: ValueType) -> WriteField:
    key, value = values.children
    entries = (field_of("key", key, nullable=False), field_of("value", value))
    return WriteField(name, WriteKind.MAP, children=entries)


def _struct(name: str, values: ValueType) -> WriteField:
    members = tuple(map(field_of, values.names, values.children))
    return WriteField(name, WriteKind.STRUCT, children=members)


_MAKERS: Final[dict[TypeKind, _Maker]] = {
    TypeKind.NULL: _leaf(PhysicalType.INT32, LogicalType(LogicalKind.UNKNOWN)),
    TypeKind.BOOLEAN: _leaf(PhysicalType.BOOLEAN),
    TypeKind.INTEGER: _integer,
    TypeKind.FLOAT: _float,
    TypeKind.TEXT: _bytes_meaning(LogicalKind.STRING),
    TypeKind.ENUM: _bytes_meaning(LogicalKind.ENUM),
    TypeKind.JSON: _bytes_meaning(LogicalKind.JSON),
    TypeKind.BSON: _bytes_meaning(LogicalKind.BSON),
    TypeKind.BYTES: _bytes,
    TypeKind.UUID: _leaf(PhysicalType.FIXED_LEN_BYTE_ARRAY, LogicalType(LogicalKind.UUID), 16),
    TypeKind.DECIMAL: _decimal,
    TypeKind.DATE: _leaf(PhysicalType.INT32, LogicalType(LogicalKind.DATE)),
    TypeKind.TIME: _time,
    TypeKind.TIMESTAMP: _timestamp,
    TypeKind.DURATION: _leaf(PhysicalType.INT64),
    TypeKind.INTERVAL: _leaf(
        PhysicalType.FIXED_LEN_BYTE_ARRAY, LogicalType(LogicalKind.INTERVAL), 12
    ),
    TypeKind.GEOMETRY: _geography,
    TypeKind.GEOGRAPHY: _geography,
    TypeKind.VARIANT: _variant,
    TypeKind.LIST: _list,
    TypeKind.MAP: _map,
    TypeKind.STRUCT: _struct,
}
