"""Shredded Variants: parts of the values lie in typed columns and are put together again.

Where a Variant may lie there is a group of up to two fields. ``value`` holds it in binary;
``typed_value`` holds it as a column's value, as a list of such groups, or as a group of them, one a
field of an object, whose remaining fields ``value`` holds. If there is nothing in either, the field
does not exist, which is not the same as null.
"""

from __future__ import annotations

import enum
import functools
from dataclasses import dataclass
from typing import Any, Final

from hocket.parquet.errors import CorruptFile, UnsupportedFeature
from hocket.parquet.metadata.schema import LogicalKind, PhysicalType, Repetition, SchemaNode
from hocket.parquet.variant.decoding import decode_value, is_object
from hocket.parquet.variant.names import Names, names_of

__all__ = ["MISSING", "Missing", "VariantReader", "reconstruct"]


class Missing(enum.Enum):
    """What is there where nothing is: a field that an object does not have."""

    MISSING = "missing"


MISSING: Final = Missing.MISSING


@dataclass(frozen=True, slots=True)
class _Typed:
    """What a ``typed_value`` is: an object, an array, or (neither of the two) a value."""

    fields: dict[str, _Typed | None] | None = None
    element: _Typed | None = None
    is_array: bool = False


class VariantReader:
    """Puts the rows of a Variant column together.

    Parameters
    ----------
    group
        The field with the logical type VARIANT.
    """

    def __init__(self, group: SchemaNode) -> None:
        self._typed = _typed_of_group(group)

    def value(self, row: dict[str, Any] | None) -> Any:
        """Return the value of a row, whose ``metadata``, ``value`` and ``typed_value`` are given.

        A null row is None, as is one whose value is null.
        """
        if row is None:
            return None
        metadata = row.get("metadata")
        if metadata is None:
            raise CorruptFile("a Variant has no metadata")
        found = _rebuild(names_of(metadata), row.get("value"), row.get("typed_value"), self._typed)
        return None if found is MISSING else found


def reconstruct(
    metadata: bytes, value: bytes | None, typed_value: Any, typed_schema: SchemaNode | None
) -> Any:
    """Put one Variant together.

    Parameters
    ----------
    metadata
        The bytes of the column ``metadata``.
    value
        The bytes of ``value``, or None.
    typed_value
        What ``typed_value`` holds: a Python value, a list of dicts, or a dict of dicts by the
        names of fields; each inner dict has ``value``, ``typed_value`` or both.
    typed_schema
        The field ``typed_value`` in the schema; None if there is none.

    Returns
    -------
    object
        The value, or `MISSING`.
    """
    typed = None if typed_schema is None else _typed_of(typed_schema)
    return _rebuild(names_of(metadata), value, typed_value, typed)


def _rebuild(names: Names, value: bytes | None, typed_value: Any, typed: _Typed | None) -> Any:
    if typed_value is None or typed is None:
        return MISSING if value is None else decode_value(names, value)
    if typed.fields is not None:
        return _rebuild_object(names, value, typed_value, typed.fields)
    if value is not None:
        raise CorruptFile("a shredded Variant has a value and a typed_value that contradict")
    if not typed.is_array:
        return typed_value
    elements = []
    for element in typed_value:
        found = _rebuild_group(names, element, typed.element)
        elements.append(None if found is MISSING else found)
    return elements


def _rebuild_object(
    names: Names, value: bytes | None, typed_value: Any, fields: dict[str, _Typed | None]
) -> dict[str, Any]:
    result: dict[str, Any] = {}
    for name, typed in fields.items():
        found = _rebuild_group(names, typed_value.get(name), typed)
        if found is not MISSING:
            result[name] = found
    if value is not None:
        if not is_object(value):
            raise CorruptFile(
                "a shredded Variant has fields in typed_value, and its value is no object"
            )
        # Writers must not put a shredded field there; if one did, the typed column counts.
        rest = decode_value(names, value)
        result |= {name: each for name, each in rest.items() if name not in fields}
    return result


def _rebuild_group(names: Names, group: dict[str, Any] | None, typed: _Typed | None) -> Any:
    if group is None:
        return MISSING
    return _rebuild(names, group.get("value"), group.get("typed_value"), typed)


# -------------------------------------------------------------------------------------- schema


def _typed_of_group(group: SchemaNode) -> _Typed | None:
    """Return what the ``typed_value`` of a group is, if it has one."""
    for child in group.children:
        if child.name == "value" and child.physical is not PhysicalType.BYTE_ARRAY:
            raise _unsupported(child)
    typed = [child for child in group.children if child.name == "typed_value"]
    return _typed_of(typed[0]) if typed else None


@functools.lru_cache(maxsize=64)
def _typed_of(node: SchemaNode) -> _Typed:
    if node.repetition is Repetition.REPEATED:
        raise _unsupported(node)
    if node.is_leaf:
        if not _is_variant_type(node):
            raise _unsupported(node)
        return _Typed()
    if node.logical.kind is LogicalKind.LIST:
        return _Typed(element=_typed_of_group(_element_of(node)), is_array=True)
    if node.logical.kind is not LogicalKind.NONE:
        raise _unsupported(node)
    fields: dict[str, _Typed | None] = {}
    for field in node.children:
        if field.is_leaf or field.repetition is Repetition.REPEATED:
            raise _unsupported(field)
        fields[field.name] = _typed_of_group(field)
    return _Typed(fields=fields)


def _element_of(node: SchemaNode) -> SchemaNode:
    if len(node.children) == 1 and node.children[0].repetition is Repetition.REPEATED:
        inner = node.children[0].children
        if len(inner) == 1 and not inner[0].is_leaf:
            return inner[0]
    raise _unsupported(node)


def _is_variant_type(leaf: SchemaNode) -> bool:
    """Tell whether a column has one of the types that Variant has, too."""
    logical = leaf.logical
    kind = logical.kind
    match leaf.physical:
        case PhysicalType.BOOLEAN | PhysicalType.FLOAT | PhysicalType.DOUBLE:
            return kind is LogicalKind.NONE
        case PhysicalType.INT32:
            return kind in (LogicalKind.NONE, LogicalKind.DATE, LogicalKind.DECIMAL) or (
                kind is LogicalKind.INTEGER and logical.is_signed
            )
        case PhysicalType.INT64:
            return (
                kind in (LogicalKind.NONE, LogicalKind.DECIMAL)
                or (kind is LogicalKind.INTEGER and logical.is_signed)
                or (kind is LogicalKind.TIME and logical.unit == "us")
                or (kind is LogicalKind.TIMESTAMP and logical.unit in ("us", "ns"))
            )
        case PhysicalType.BYTE_ARRAY:
            return kind in (LogicalKind.NONE, LogicalKind.STRING, LogicalKind.DECIMAL)
        case PhysicalType.FIXED_LEN_BYTE_ARRAY:
            return kind in (LogicalKind.UUID, LogicalKind.DECIMAL)
        case _:
            return False


def _unsupported(node: SchemaNode) -> UnsupportedFeature:
    return UnsupportedFeature(
        f"a Variant is shredded into {node.description or 'a group'}, a type that it cannot have",
        column=node.dotted,
    )
