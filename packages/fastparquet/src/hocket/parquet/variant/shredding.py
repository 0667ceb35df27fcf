"""Shredded Variants: parts of the values lie in typed columns and are put together again.

Where a Variant may lie there is a group of up to two fields. ``value`` holds it in binary;
``typed_value`` holds it as a column's value, as a list of such groups, or as a group of them, one a
field of an object, whose remaining fields ``value`` holds. If there is nothing in either, the field
does not exist, which is not the same as null.
"""

from __future__ import annotations

import enum
import functools
from collections.abc import Container
from typing import Any, Final, Protocol

from hocket.parquet.errors import CorruptFile, UnsupportedFeature
from hocket.parquet.metadata.schema import LogicalKind, PhysicalType, Repetition, SchemaNode
from hocket.parquet.records import dataclass
from hocket.parquet.variant.decoding import decode_value, is_object
from hocket.parquet.variant.encoding import NULL, array_of, fields_of, object_of
from hocket.parquet.variant.names import Names, names_of

__all__ = ["MISSING", "Missing", "VariantReader", "reconstruct"]


class Missing(enum.Enum):
    """What is there where nothing is: a field that an object does not have."""

    MISSING = "missing"


MISSING: Final = Missing.MISSING

#: Decimals of Variants have no more digits than this.
_DIGITS_MAX: Final = 38


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
        found = self._found(row, _Decoded)
        return None if found is MISSING else found

    def encoded(self, row: dict[str, Any] | None) -> bytes | None:
        """Return the value of a row in binary, as it is where nothing is shredded.

        Values of the row's typed columns have to be given in binary, too. A null row is None.
        """
        if row is None:
            return None
        found: bytes | Missing = self._found(row, _Encoded)
        return NULL if found is MISSING else found

    def _found(self, row: dict[str, Any] | None, form: type[_Form]) -> Any:
        if row is None:
            return MISSING
        metadata = row.get("metadata")
        if metadata is None:
            raise CorruptFile("a Variant has no metadata")
        names = names_of(metadata)
        return _rebuild(form(names), row.get("value"), row.get("typed_value"), self._typed)


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
    return _rebuild(_Decoded(names_of(metadata)), value, typed_value, typed)


class _Form(Protocol):
    """What values that are put together become."""

    def __init__(self, names: Names) -> None: ...

    def stored(self, value: bytes) -> Any:
        """Return a value that is stored in binary."""

    def array(self, elements: list[Any]) -> Any:
        """Return an array."""

    def object(self, fields: dict[str, Any], rest: bytes | None, shredded: Container[str]) -> Any:
        """Return an object of fields, and of those in binary that are not shredded.

        Writers must not put a shredded field there; if one did, the typed column counts.
        """


class _Decoded:
    """Python values."""

    def __init__(self, names: Names) -> None:
        self._names = names

    def stored(self, value: bytes) -> Any:
        return decode_value(self._names, value)

    def array(self, elements: list[Any]) -> Any:
        return [None if element is MISSING else element for element in elements]

    def object(self, fields: dict[str, Any], rest: bytes | None, shredded: Container[str]) -> Any:
        if rest is not None:
            others = decode_value(self._names, rest)
            fields |= {name: each for name, each in others.items() if name not in shredded}
        return fields


class _Encoded:
    """Bytes."""

    def __init__(self, names: Names) -> None:
        self._names = names

    def stored(self, value: bytes) -> Any:
        if not value:
            raise CorruptFile("a value in a Variant has no bytes")
        return value

    def array(self, elements: list[Any]) -> Any:
        return array_of([NULL if element is MISSING else element for element in elements])

    def object(self, fields: dict[str, Any], rest: bytes | None, shredded: Container[str]) -> Any:
        if rest is not None:
            others = fields_of(self._names, rest)
            fields |= {name: each for name, each in others.items() if name not in shredded}
        return object_of(self._names, fields)


def _rebuild(form: _Form, value: bytes | None, typed_value: Any, typed: _Typed | None) -> Any:
    if typed_value is None or typed is None:
        return MISSING if value is None else form.stored(value)
    if typed.fields is not None:
        return _rebuild_object(form, value, typed_value, typed.fields)
    if value is not None:
        raise CorruptFile("a shredded Variant has a value and a typed_value that contradict")
    if not typed.is_array:
        return typed_value
    return form.array([_rebuild_group(form, element, typed.element) for element in typed_value])


def _rebuild_object(
    form: _Form, value: bytes | None, typed_value: Any, fields: dict[str, _Typed | None]
) -> Any:
    result: dict[str, Any] = {}
    for name, typed in fields.items():
        found = _rebuild_group(form, typed_value.get(name), typed)
        if found is not MISSING:
            result[name] = found
    if value is not None and not is_object(value):
        raise CorruptFile(
            "a shredded Variant has fields in typed_value, and its value is no object"
        )
    return form.object(result, value, fields)


def _rebuild_group(form: _Form, group: dict[str, Any] | None, typed: _Typed | None) -> Any:
    if group is None:
        return MISSING
    return _rebuild(form, group.get("value"), group.get("typed_value"), typed)


# -------------------------------------------------------------------------------------- schema


def _typed_of_group(group: SchemaNode) -> _Typed | None:
    """Return what the ``typed_value`` of a group is, if it has one."""
    children = _by_name(group)
    for name in ("metadata", "value"):
        child = children.get(name)
        if child is not None and (
            child.physical is not PhysicalType.BYTE_ARRAY
            or child.repetition is Repetition.REPEATED
            or child.logical.kind is not LogicalKind.NONE
        ):
            raise _unsupported(child)
    typed = children.get("typed_value")
    return None if typed is None else _typed_of(typed)


def _by_name(group: SchemaNode) -> dict[str, SchemaNode]:
    """Return the fields of a group, in which no two may have one name."""
    children = {child.name: child for child in group.children}
    if len(children) != len(group.children):
        raise CorruptFile("a Variant has two fields of one name", column=group.dotted)
    return children


@functools.lru_cache(maxsize=64)
def _typed_of(node: SchemaNode) -> _Typed:
    if node.repetition is Repetition.REPEATED:
        raise _unsupported(node)
    if node.is_leaf:
        if not _is_variant_type(node) or node.logical.precision > _DIGITS_MAX:
            raise _unsupported(node)
        return _Typed()
    if node.logical.kind is LogicalKind.LIST:
        return _Typed(element=_typed_of_group(_element_of(node)), is_array=True)
    if node.logical.kind is not LogicalKind.NONE:
        raise _unsupported(node)
    fields: dict[str, _Typed | None] = {}
    for field in _by_name(node).values():
        if not _is_group(field):
            raise _unsupported(field)
        fields[field.name] = _typed_of_group(field)
    return _Typed(fields=fields)


def _element_of(node: SchemaNode) -> SchemaNode:
    if len(node.children) == 1 and node.children[0].repetition is Repetition.REPEATED:
        repeated = node.children[0]
        inner = repeated.children
        # Of lists in older layouts the repeated group itself is the element.
        is_older = repeated.name in ("array", f"{node.name}_tuple")
        if len(inner) == 1 and not is_older and _is_group(inner[0]):
            return inner[0]
    raise _unsupported(node)


def _is_group(node: SchemaNode) -> bool:
    return not node.is_leaf and node.repetition is not Repetition.REPEATED


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
