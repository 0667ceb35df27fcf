"""What values are in Arrow's terms: what the key ``ARROW:schema`` tells of them."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Final

from hocket.parquet.intake.arrow_type import EXTENSION_METADATA, EXTENSION_NAME, ArrowType
from hocket.parquet.intake.value_types import TypeKind, ValueType
from hocket.parquet.records import replace

__all__ = ["arrow_of_values", "dictionary_type"]

_UNITS: Final = {"s": "s", "ms": "m", "us": "u", "ns": "n"}
_INTEGERS: Final = {8: "c", 16: "s", 32: "i", 64: "l"}
_FLOATS: Final = {16: "e", 32: "f", 64: "g"}
_PLAIN: Final = {
    TypeKind.NULL: "n",
    TypeKind.BOOLEAN: "b",
    TypeKind.TEXT: "u",
    TypeKind.ENUM: "u",
    TypeKind.JSON: "u",
    TypeKind.BSON: "z",
    TypeKind.UUID: "w:16",
    TypeKind.DATE: "tdD",
    TypeKind.INTERVAL: "tin",
    TypeKind.GEOMETRY: "z",
    TypeKind.GEOGRAPHY: "z",
}
_EXTENSIONS: Final = {TypeKind.UUID: "arrow.uuid", TypeKind.JSON: "arrow.json"}


def arrow_of_values(name: str, values: ValueType, *, nullable: bool = True) -> ArrowType:
    """Return the Arrow type of values.

    Parameters
    ----------
    name
        The name of the field.
    values
        What they are.
    nullable
        Whether some can be missing.
    """
    make = _MAKERS.get(values.kind)
    made = ArrowType(name, _PLAIN[values.kind]) if make is None else make(name, values)
    return replace(made, nullable=nullable, metadata=made.metadata or _metadata(values))


def dictionary_type(codes: str, values: ArrowType, *, ordered: bool) -> ArrowType:
    """Return the type of codes (a NumPy type, "i1" to "i8") for values."""
    layout = _INTEGERS[8 * int(codes[1])]
    return ArrowType(
        values.name, layout, nullable=values.nullable, dictionary=values, is_ordered=ordered
    )


def _metadata(values: ValueType) -> dict[str, bytes]:
    extension, told = _EXTENSIONS.get(values.kind), b""
    if values.kind in (TypeKind.GEOMETRY, TypeKind.GEOGRAPHY):
        extension = "geoarrow.wkb"
        crs = {"crs": values.crs or "OGC:CRS84"}
        edges = {"edges": values.algorithm or "spherical"}
        told = json.dumps(crs | edges if values.kind is TypeKind.GEOGRAPHY else crs).encode()
    if extension is None:
        return {}
    return {EXTENSION_NAME: extension.encode(), EXTENSION_METADATA: told}


def _integer(name: str, values: ValueType) -> ArrowType:
    letter = _INTEGERS[values.bits]
    return ArrowType(name, letter if values.is_signed else letter.upper())


def _float(name: str, values: ValueType) -> ArrowType:
    return ArrowType(name, _FLOATS[values.bits])


def _bytes(name: str, values: ValueType) -> ArrowType:
    return ArrowType(name, f"w:{values.nbytes}" if values.nbytes else "z")


def _decimal(name: str, values: ValueType) -> ArrowType:
    if values.precision > 76:
        return ArrowType(name, "z")
    width = ",256" if values.precision > 38 else ""
    return ArrowType(name, f"d:{values.precision},{values.scale}{width}")


def _time(name: str, values: ValueType) -> ArrowType:
    return ArrowType(name, f"tt{_UNITS[values.unit]}")


def _timestamp(name: str, values: ValueType) -> ArrowType:
    return ArrowType(name, f"ts{_UNITS[values.unit]}:{values.timezone or ''}")


def _duration(name: str, values: ValueType) -> ArrowType:
    return ArrowType(name, f"tD{_UNITS[values.unit]}")


def _variant(name: str, _values: ValueType) -> ArrowType:
    children = tuple(ArrowType(each, "z", nullable=False) for each in ("metadata", "value"))
    metadata = {EXTENSION_NAME: b"arrow.parquet.variant", EXTENSION_METADATA: b""}
    return ArrowType(name, "+s", children=children, metadata=metadata)


def _list(name: str, values: ValueType) -> ArrowType:
    return ArrowType(name, "+l", children=(arrow_of_values("element", values.children[0]),))


def _map(name: str, values: ValueType) -> ArrowType:
    key, value = values.children
    members = (arrow_of_values("key", key, nullable=False), arrow_of_values("value", value))
    entries = ArrowType("entries", "+s", nullable=False, children=members)
    return ArrowType(name, "+m", children=(entries,))


def _struct(name: str, values: ValueType) -> ArrowType:
    members = tuple(map(arrow_of_values, values.names, values.children))
    return ArrowType(name, "+s", children=members)


_MAKERS: Final[dict[TypeKind, Callable[[str, ValueType], ArrowType]]] = {
    TypeKind.INTEGER: _integer,
    TypeKind.FLOAT: _float,
    TypeKind.BYTES: _bytes,
    TypeKind.DECIMAL: _decimal,
    TypeKind.TIME: _time,
    TypeKind.TIMESTAMP: _timestamp,
    TypeKind.DURATION: _duration,
    TypeKind.VARIANT: _variant,
    TypeKind.LIST: _list,
    TypeKind.MAP: _map,
    TypeKind.STRUCT: _struct,
}
