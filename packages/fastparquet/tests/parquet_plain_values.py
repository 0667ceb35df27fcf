"""What arrays hold, as Python values, slot by slot; and levels by the book."""

from __future__ import annotations

from typing import Any

from hocket.parquet.arrays.value_array import ArrayKind, ValueArray
from hocket.parquet.arrays.write_field import WriteField, WriteKind
from hocket.parquet.metadata.schema import Repetition, SchemaNode


def is_missing(array: ValueArray, slot: int) -> bool:
    """Whether a slot has no value."""
    if array.kind is ArrayKind.NULL:
        return True
    nulls = array.nulls
    if nulls is None:
        return False
    if nulls.is_bitmap:
        bit = nulls.bit_offset + slot
        return not int(nulls.buffer[bit >> 3]) >> (bit & 7) & 1
    return bool(nulls.buffer[slot])


def value_at(array: ValueArray, slot: int) -> Any:
    """Return a value: lists as lists, structs as tuples, byte strings as bytes."""
    if is_missing(array, slot):
        return None
    return _READERS[array.kind](array, slot)


def _fixed(array: ValueArray, slot: int) -> Any:
    item = array.values[slot]
    return item.tobytes() if array.values.dtype.kind == "V" else item.item()


def _bit(array: ValueArray, slot: int) -> bool:
    bit = array.bit_offset + slot
    return bool(int(array.values[bit >> 3]) >> (bit & 7) & 1)


def _list(array: ValueArray, slot: int) -> list[Any]:
    elements = range(int(array.offsets[slot]), int(array.offsets[slot + 1]))
    return [value_at(array.children[0], element) for element in elements]


_READERS = {
    ArrayKind.FIXED: _fixed,
    ArrayKind.BITS: _bit,
    ArrayKind.STRINGS: lambda array, slot: array.values[
        int(array.offsets[slot]) : int(array.offsets[slot + 1])
    ].tobytes(),
    ArrayKind.DICTIONARY: lambda array, slot: value_at(array.dictionary, int(array.values[slot])),
    ArrayKind.STRUCT: lambda array, slot: tuple(value_at(each, slot) for each in array.children),
    ArrayKind.LIST: _list,
}


def values_of(array: ValueArray) -> list[Any]:
    """Return the values of all slots."""
    return [value_at(array, slot) for slot in range(array.length)]


class Absent(Exception):
    """A value is missing where one has to be, in this row."""


class _Entries:
    """Entries by leaf, made value by value."""

    def __init__(self) -> None:
        self.by_leaf: dict[int, list[tuple[int, int, Any]]] = {}
        self.row = 0

    def add(self, leaf: SchemaNode, repetition: int, definition: int, value: Any) -> None:
        self.by_leaf.setdefault(leaf.column_index, []).append((repetition, definition, value))

    def one(self, field, node, value, repetition, definition) -> None:
        if value is None:
            if node.repetition is not Repetition.OPTIONAL:
                raise Absent(self.row)
            self.ended(node, repetition, definition)
            return
        definition += node.repetition is Repetition.OPTIONAL
        if field.kind is WriteKind.LEAF:
            self.add(node, repetition, definition, value)
        elif field.kind is WriteKind.STRUCT:
            self.members(field, node, value, repetition, definition)
        else:
            self.elements(field, node.children[0], value, repetition, definition)

    def ended(self, node, repetition, definition) -> None:
        for leaf in _leaves(node):
            self.add(leaf, repetition, definition, None)

    def members(self, field, node, values, repetition, definition) -> None:
        for child, below, each in zip(field.children, node.children, values, strict=True):
            self.one(child, below, each, repetition, definition)

    def elements(self, field, repeated, values, repetition, definition) -> None:
        if not values:
            self.ended(repeated, repetition, definition)
        for index, each in enumerate(values):
            if field.kind is WriteKind.MAP and each is None:
                raise Absent(self.row)
            parts = (each,) if field.kind is WriteKind.LIST else each
            again = repeated.max_repetition if index else repetition
            self.members(field, repeated, parts, again, definition + 1)


def levels_of(
    field: WriteField, node: SchemaNode, rows: list[Any]
) -> list[tuple[SchemaNode, list[tuple[int, int, Any]]]]:
    """Return for each leaf its entries: repetition level, definition level, value."""
    entries = _Entries()
    for row, value in enumerate(rows):
        entries.row = row
        entries.one(field, node, value, 0, 0)
    return [(leaf, entries.by_leaf.get(leaf.column_index, [])) for leaf in _leaves(node)]


def _leaves(node: SchemaNode) -> list[SchemaNode]:
    if node.is_leaf:
        return [node]
    return [leaf for child in node.children for leaf in _leaves(child)]
