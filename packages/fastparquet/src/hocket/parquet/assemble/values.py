"""Columns of any depth as Python values: dicts for structs, lists for lists, what Variants hold."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from hocket.parquet.assemble.arrow_hints import ArrowHint
from hocket.parquet.assemble.python_objects import objects_of
from hocket.parquet.assemble.timezones import timezone_of
from hocket.parquet.assemble.value_kinds import LeafType, ValueKind, column_hint, leaf_type
from hocket.parquet.decode.column import ColumnData
from hocket.parquet.decode.target import Target
from hocket.parquet.errors import InvalidOption
from hocket.parquet.metadata.schema import SchemaNode
from hocket.parquet.nesting.assembly import FieldData, assemble_field
from hocket.parquet.nesting.fields import Field, FieldKind
from hocket.parquet.records import dataclass, replace
from hocket.parquet.variant import VariantReader

__all__ = ["ValueOptions", "ValueReader"]

_MAP_FORMS = ("dict", "pairs")


@dataclass(frozen=True, slots=True)
class ValueOptions:
    """What Python values shall be.

    Parameters
    ----------
    maps
        "dict", or "pairs" for lists of tuples (key, value), which keep keys that occur twice. Maps
        whose keys no dict can hold (structs, lists) are always pairs.
    uuids
        "uuid" for `uuid.UUID`, or "bytes".
    text
        Whether text is decoded; otherwise it stays bytes.
    decode_json
        Whether JSON becomes what it describes.
    """

    maps: str = "dict"
    uuids: str = "uuid"
    text: bool = True
    decode_json: bool = False

    def __post_init__(self) -> None:
        if self.maps not in _MAP_FORMS:
            raise InvalidOption(f"maps is {self.maps!r}; it has to be one of {_MAP_FORMS}")


@dataclass(frozen=True, slots=True)
class _Leaf:
    values: LeafType
    timezone: Any


class ValueReader:
    """Reads a column into Python values.

    Parameters
    ----------
    field
        The column.
    hint
        What the file's Arrow schema says of it.
    options
        What the values shall be.
    """

    def __init__(
        self, field: Field, hint: ArrowHint | None = None, options: ValueOptions | None = None
    ) -> None:
        self.field = field
        self._options = options or ValueOptions()
        self._leaves: dict[int, _Leaf] = {}
        self._learn(field, hint, in_variant=False)

    def _learn(self, field: Field, hint: ArrowHint | None, *, in_variant: bool) -> None:
        if field.kind is FieldKind.LEAF:
            self._leaves[field.node.column_index] = self._leaf(
                field.node, hint, in_variant=in_variant
            )
            return
        if field.kind is FieldKind.VARIANT:
            # It has types of its own, whatever Arrow's schema says.
            in_variant, hint = True, None
        for child, inner in zip(field.children, _hints_below(field, hint), strict=True):
            self._learn(child, inner, in_variant=in_variant)

    def _leaf(self, node: SchemaNode, hint: ArrowHint | None, *, in_variant: bool) -> _Leaf:
        values = leaf_type(node, column_hint(None, hint))
        if not in_variant:
            if values.kind is ValueKind.UUID and self._options.uuids == "bytes":
                values = replace(values, kind=ValueKind.BYTES)
            if values.kind in (ValueKind.TEXT, ValueKind.JSON) and not self._options.text:
                target = replace(values.target, check_utf8=False)
                values = replace(values, kind=ValueKind.BYTES, target=target)
        if values.kind in _SHARED:
            values = replace(values, target=replace(values.target, keep_dictionary=True))
        zone = None
        if values.kind is ValueKind.TIMESTAMP and (values.is_utc or (hint and hint.timezone)):
            zone = timezone_of((hint and hint.timezone) or "UTC")
        return _Leaf(values, zone)

    @property
    def targets(self) -> tuple[Target, ...]:
        """What to decode each of `Field.leaves` to."""
        return tuple(self._leaves[leaf.column_index].values.target for leaf in self.field.leaves)

    def read(self, columns: Sequence[ColumnData], row_count: int) -> list[Any]:
        """Return the values of all rows.

        Parameters
        ----------
        columns
            The decoded leaves, with levels if `nesting.assembly.needs_levels` says so.
        row_count
            How many rows there have to be.
        """
        by_index = {column.leaf.column_index: column for column in columns}
        data = assemble_field(self.field, by_index, row_count, wide_offsets=True)
        return self._values(data)

    def _values(self, data: FieldData) -> list[Any]:
        kind = data.field.kind
        if kind is FieldKind.LEAF:
            return self._leaf_values(data)
        if kind is FieldKind.LIST:
            (elements,) = map(self._values, data.children)
            return _with_nulls(_cut(elements, data), data)
        if kind is FieldKind.MAP:
            return _with_nulls(self._maps(data), data)
        names = [child.field.name for child in data.children]
        members = [self._values(child) for child in data.children]
        rows: list[Any] = [dict(zip(names, row, strict=True)) for row in zip(*members, strict=True)]
        rows = _with_nulls(rows, data)
        if kind is FieldKind.VARIANT:
            reader = VariantReader(data.field.node)
            return [reader.value(row) for row in rows]
        return rows

    def _leaf_values(self, data: FieldData) -> list[Any]:
        assert data.column is not None
        leaf = self._leaves[data.field.node.column_index]
        values: list[Any] = objects_of(
            data.column,
            leaf.values,
            timezone=leaf.timezone,
            decode_json=self._options.decode_json,
        ).tolist()
        return values

    def _maps(self, data: FieldData) -> list[Any]:
        key_data, value_data = data.children
        keys, values = self._values(key_data), self._values(value_data)
        if self._options.maps == "pairs" or key_data.field.kind is not FieldKind.LEAF:
            return _cut(list(zip(keys, values, strict=True)), data)
        assert data.offsets is not None
        # Of keys that occur twice, the last counts: so the format says.
        return [
            dict(zip(keys[start:stop], values[start:stop], strict=True))
            for start, stop in pairwise(data.offsets.tolist())
        ]


#: Kinds of immutable objects that are worth sharing.
_SHARED = frozenset(
    {
        ValueKind.TEXT,
        ValueKind.BYTES,
        ValueKind.UUID,
        ValueKind.DECIMAL,
        ValueKind.DATE,
        ValueKind.TIMESTAMP,
        ValueKind.TIME,
    }
)


def _hints_below(field: Field, hint: ArrowHint | None) -> Sequence[ArrowHint | None]:
    nothing: list[ArrowHint | None] = [None] * len(field.children)
    if hint is None:
        return nothing
    children: Sequence[ArrowHint] = hint.children
    if field.kind is FieldKind.STRUCT:
        by_name = {child.name: child for child in children}
        return [by_name.get(child.name) for child in field.children]
    if field.kind is FieldKind.MAP and len(children) == 1:
        children = children[0].children
    return children if len(children) == len(field.children) else nothing


def _cut(items: list[Any], data: FieldData) -> list[Any]:
    assert data.offsets is not None
    return [items[start:stop] for start, stop in pairwise(data.offsets.tolist())]


def _with_nulls(items: list[Any], data: FieldData) -> list[Any]:
    if data.valid is not None and data.null_count:
        for index in np.flatnonzero(~data.valid).tolist():
            items[index] = None
    return items
