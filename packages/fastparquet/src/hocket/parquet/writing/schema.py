"""Fields to be written as the elements of a file's schema."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

import numpy as np

from hocket.parquet.arrays.write_field import WriteField, WriteKind
from hocket.parquet.errors import InvalidOption, ParquetError
from hocket.parquet.io.buffers import padded_copy
from hocket.parquet.metadata.compact import StructWriter, structs
from hocket.parquet.metadata.footer import parse_footer
from hocket.parquet.metadata.logical import LogicalKind, LogicalType, PhysicalType, Repetition
from hocket.parquet.metadata.schema import DEPTH_MAX, Schema

__all__ = ["schema_elements", "schema_of"]

_ROOT: Final = "schema"
_UNITS: Final = {"ms": 1, "us": 2, "ns": 3}
_ALGORITHMS: Final = {"spherical": 0, "vincenty": 1, "thomas": 2, "andoyer": 3, "karney": 4}

#: Members of the union LogicalType that have no parameters.
_MEMBERS: Final = {
    LogicalKind.STRING: 1,
    LogicalKind.MAP: 2,
    LogicalKind.LIST: 3,
    LogicalKind.ENUM: 4,
    LogicalKind.DATE: 6,
    LogicalKind.UNKNOWN: 11,
    LogicalKind.JSON: 12,
    LogicalKind.BSON: 13,
    LogicalKind.UUID: 14,
    LogicalKind.FLOAT16: 15,
    LogicalKind.FILE: 19,
}
#: What older readers know.
_CONVERTED: Final = {
    LogicalKind.STRING: 0,
    LogicalKind.MAP: 1,
    LogicalKind.MAP_KEY_VALUE: 2,
    LogicalKind.LIST: 3,
    LogicalKind.ENUM: 4,
    LogicalKind.DECIMAL: 5,
    LogicalKind.DATE: 6,
    LogicalKind.JSON: 19,
    LogicalKind.BSON: 20,
    LogicalKind.INTERVAL: 21,
}
_CONVERTED_TIMES: Final = {
    (LogicalKind.TIME, "ms"): 7,
    (LogicalKind.TIME, "us"): 8,
    (LogicalKind.TIMESTAMP, "ms"): 9,
    (LogicalKind.TIMESTAMP, "us"): 10,
}
_CONVERTED_UNSIGNED: Final = {8: 11, 16: 12, 32: 13, 64: 14}
_CONVERTED_SIGNED: Final = {8: 15, 16: 16, 32: 17, 64: 18}

_LIST_TYPE: Final = LogicalType(LogicalKind.LIST)
_MAP_TYPE: Final = LogicalType(LogicalKind.MAP)
_NO_TYPE: Final = LogicalType(LogicalKind.NONE)


def schema_elements(fields: Sequence[WriteField]) -> list[bytes]:
    """Return the elements of a schema, the root first, each before its children.

    Parameters
    ----------
    fields
        The columns of the file.
    """
    _check_names(fields)
    root = StructWriter().text(4, _ROOT).i32(5, len(fields)).finish()
    try:
        return [root, *(each for field in fields for each in _elements(field, field.name))]
    except UnicodeEncodeError as error:
        raise InvalidOption(
            f"the name {error.object!r} has half a surrogate pair, which no UTF-8 can hold; rename "
            "the column"
        ) from None


def _check_names(fields: Sequence[WriteField], path: str = "") -> None:
    """Make sure that no two fields of a group have one name: readers would find only one."""
    seen: set[str] = set()
    for field in fields:
        where = f"{path}.{field.name}" if path else field.name
        if field.name in seen:
            raise InvalidOption(f"two columns are called {where!r}; rename one", column=where)
        seen.add(field.name)
        # (A list's element and a map's key and value have names of their own in the file.)
        groups = [field.children] if field.kind is WriteKind.STRUCT else zip(field.children)
        for children in groups:
            _check_names(children, where)


def schema_of(elements: Sequence[bytes]) -> Schema:
    """Return the schema that readers will see.

    Parameters
    ----------
    elements
        Those of the file.
    """
    footer = StructWriter().i32(1, 2).listed(2, structs(elements)).i64(3, 0).listed(4, structs([]))
    try:
        return parse_footer(padded_copy(np.frombuffer(footer.finish(), np.uint8))).schema
    except ParquetError as error:
        raise InvalidOption(
            f"the columns make no schema that can be read again: {error.reason} (fields can be "
            f"nested {DEPTH_MAX} levels deep at most)"
        ) from error


def _elements(field: WriteField, name: str, *, is_key: bool = False) -> Iterator[bytes]:
    nullable = field.nullable and not is_key
    repetition = Repetition.OPTIONAL if nullable else Repetition.REQUIRED
    if field.kind is WriteKind.LEAF:
        yield _leaf(field, name, repetition)
        return
    if field.kind is WriteKind.LIST:
        (element,) = field.children
        yield _group(name, repetition, 1, field.logical, _LIST_TYPE, field.field_id)
        yield _group("list", Repetition.REPEATED, 1)
        yield from _elements(element, "element")
        return
    if field.kind is WriteKind.MAP:
        key, value = field.children
        yield _group(name, repetition, 1, field.logical, _MAP_TYPE, field.field_id)
        yield _group("key_value", Repetition.REPEATED, 2)
        yield from _elements(key, "key", is_key=True)
        yield from _elements(value, "value")
        return
    if not field.children:
        raise InvalidOption(
            "it is a struct without fields, which Parquet has no way to store; leave it out, or "
            "give it a field",
            column=name,
        )
    yield _group(name, repetition, len(field.children), field.logical, _NO_TYPE, field.field_id)
    for child in field.children:
        yield from _elements(child, child.name)


def _group(
    name: str,
    repetition: Repetition,
    child_count: int,
    told: LogicalType = _NO_TYPE,
    usual: LogicalType = _NO_TYPE,
    field_id: int | None = None,
) -> bytes:
    logical = usual if told.kind is LogicalKind.NONE else told
    element = StructWriter().i32(3, int(repetition)).text(4, name).i32(5, child_count)
    element.i32(6, _CONVERTED.get(logical.kind)).i32(9, field_id)
    return element.struct(10, _union(logical)).finish()


def _leaf(field: WriteField, name: str, repetition: Repetition) -> bytes:
    physical, logical = field.physical, field.logical
    if physical is None:
        raise TypeError(f"the leaf {name!r} has no physical type")
    element = StructWriter().i32(1, int(physical))
    if physical is PhysicalType.FIXED_LEN_BYTE_ARRAY:
        element.i32(2, field.type_length)
    element.i32(3, int(repetition)).text(4, name).i32(6, _converted(physical, logical))
    if logical.kind is LogicalKind.DECIMAL:
        element.i32(7, logical.scale).i32(8, logical.precision)
    return element.i32(9, field.field_id).struct(10, _union(logical)).finish()


def _converted(physical: PhysicalType, logical: LogicalType) -> int | None:
    kind = logical.kind
    if kind is LogicalKind.INTEGER:
        known = _CONVERTED_SIGNED if logical.is_signed else _CONVERTED_UNSIGNED
        return known.get(logical.bit_width)
    if kind in {LogicalKind.TIME, LogicalKind.TIMESTAMP}:
        # Timestamps wider than 64 bits were not known then.
        is_fixed = physical is PhysicalType.FIXED_LEN_BYTE_ARRAY
        return None if is_fixed else _CONVERTED_TIMES.get((kind, logical.unit))
    return _CONVERTED.get(kind)


def _union(logical: LogicalType) -> bytes | None:
    """Return the union LogicalType, None if there is no member for it."""
    kind = logical.kind
    inner: StructWriter | None = None
    if kind in _MEMBERS:
        member, inner = _MEMBERS[kind], StructWriter()
    elif kind is LogicalKind.DECIMAL:
        member, inner = 5, StructWriter().i32(1, logical.scale).i32(2, logical.precision)
    elif kind in {LogicalKind.TIME, LogicalKind.TIMESTAMP}:
        unit = StructWriter().struct(_UNITS[logical.unit], StructWriter().finish()).finish()
        member = 7 if kind is LogicalKind.TIME else 8
        inner = StructWriter().boolean(1, logical.is_utc).struct(2, unit)
    elif kind is LogicalKind.INTEGER:
        member, inner = 10, StructWriter().byte(1, logical.bit_width).boolean(2, logical.is_signed)
    elif kind is LogicalKind.VARIANT:
        member, inner = (
            16,
            StructWriter().byte(1, 1 if logical.version is None else logical.version),
        )
    elif kind is LogicalKind.GEOMETRY:
        member, inner = 17, StructWriter().text(1, logical.crs)
    elif kind is LogicalKind.GEOGRAPHY:
        algorithm = _ALGORITHMS.get(logical.algorithm or "spherical")
        member, inner = 18, StructWriter().text(1, logical.crs).i32(2, algorithm)
    else:
        return None
    return StructWriter().struct(member, inner.finish()).finish()
