"""Columns of any shape, taken apart into levels by a plain shredder, come back as they were."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hocket.parquet.dataset.nested_rows import take_nested_rows
from hocket.parquet.decode.column import ColumnData
from hocket.parquet.decode.target import natural_target
from hocket.parquet.errors import CorruptFile, LimitExceeded
from hocket.parquet.metadata.schema import (
    LogicalKind,
    LogicalType,
    PhysicalType,
    Repetition,
    SchemaNode,
)
from hocket.parquet.nesting import assembly
from hocket.parquet.nesting.assembly import FieldData, assemble_field, needs_levels
from hocket.parquet.nesting.fields import Field, FieldKind, field_of

REQUIRED, OPTIONAL, REPEATED = Repetition
NONE, LIST, MAP = LogicalKind.NONE, LogicalKind.LIST, LogicalKind.MAP

# A shape is (name, repetition, annotation, members); the members of a leaf are None.


def shape(name, repetition, annotation=NONE, members=None):
    return (name, repetition, annotation, members)


def tree(described, parent=None, counter=None) -> SchemaNode:
    """Build the node of a shape."""
    counter = [0] if counter is None else counter
    name, repetition, annotation, members = described
    definition = parent.max_definition if parent else 0
    levels = parent.max_repetition if parent else 0
    slot = parent.slot_definition if parent else 0
    definition += repetition is not REQUIRED
    if repetition is REPEATED:
        levels, slot = levels + 1, definition
    if parent is None:
        parent = SchemaNode(
            "root", None, REQUIRED, None, LogicalType(NONE), None, None, 0, 0, 0, 0, -1
        )
    node = SchemaNode(
        name=name,
        parent=parent,
        repetition=repetition,
        field_id=None,
        logical=LogicalType(annotation),
        converted_type=None,
        physical=PhysicalType.INT64 if members is None else None,
        type_length=0,
        max_definition=definition,
        max_repetition=levels,
        slot_definition=slot,
        column_index=-1,
    )
    if members is None:
        node.column_index = counter[0]
        counter[0] += 1
    else:
        node.children = tuple(tree(each, node, counter) for each in members)
    return node


def shred(node: SchemaNode, rows: list[Any]) -> dict[int, list[tuple[int, int, Any]]]:
    """Return for each leaf its entries: repetition level, definition level, value."""
    entries: dict[int, list[tuple[int, int, Any]]] = {
        leaf.column_index: [] for leaf in leaves_of(node)
    }

    def missing(node, repetition, definition):
        for leaf in leaves_of(node):
            entries[leaf.column_index].append((repetition, definition, None))

    def one(node, value, repetition, definition):
        if node.is_leaf:
            entries[node.column_index].append((repetition, definition, value))
        for child in node.children:
            occurrences(child, value[child.name], repetition, definition)

    def occurrences(node, value, repetition, definition):
        if node.repetition is REQUIRED:
            one(node, value, repetition, definition)
        elif value is None or value == []:
            missing(node, repetition, definition)
        elif node.repetition is OPTIONAL:
            one(node, value, repetition, definition + 1)
        else:
            for index, each in enumerate(value):
                again = node.max_repetition if index else repetition
                one(node, each, again, definition + 1)

    for row in rows:
        occurrences(node, row, 0, 0)
    return entries


def leaves_of(node: SchemaNode) -> list[SchemaNode]:
    if node.is_leaf:
        return [node]
    return [leaf for child in node.children for leaf in leaves_of(child)]


def column_of(leaf: SchemaNode, entries: list[tuple[int, int, Any]]) -> ColumnData:
    slots = [each for each in entries if each[1] >= leaf.slot_definition]
    valid = np.array([definition == leaf.max_definition for _, definition, _ in slots], bool)
    column = ColumnData(
        leaf,
        natural_target(leaf),
        count=len(slots),
        null_count=int((~valid).sum()),
        values=np.array([value or 0 for _, _, value in slots], np.int64),
        valid=None if valid.all() else valid,
        level_count=len(entries),
    )
    if leaf.max_definition:
        column.definition_levels = np.array([each[1] for each in entries], np.uint8)
    if leaf.max_repetition:
        column.repetition_levels = np.array([each[0] for each in entries], np.uint8)
    return column


def columns_of(node: SchemaNode, rows: list[Any]) -> dict[int, ColumnData]:
    entries = shred(node, rows)
    return {
        leaf.column_index: column_of(leaf, entries[leaf.column_index]) for leaf in leaves_of(node)
    }


def meant(field: Field, value: Any) -> Any:
    """Return what a field makes of a value as its nodes have it."""
    if value is None or field.kind is FieldKind.LEAF:
        return value
    if field.kind is FieldKind.STRUCT:
        return {child.name: meant(child, value[child.node.name]) for child in field.children}
    repeated = field.node
    if field.children[0].node is not field.node:
        repeated = field.node.children[0]
        value = value[repeated.name]
    if field.kind is FieldKind.MAP:
        return [tuple(meant(child, each[child.name]) for child in field.children) for each in value]
    (element,) = field.children
    if element.node is repeated:
        return [meant(element, each) for each in value]
    return [meant(element, each[element.name]) for each in value]


def listed(data: FieldData) -> list[Any]:
    """Return nested data as Python values."""
    kind = data.field.kind
    if kind is FieldKind.LEAF:
        values = data.column.values.tolist()
    elif kind is FieldKind.STRUCT:
        members = [listed(child) for child in data.children]
        names = [child.field.name for child in data.children]
        values = [dict(zip(names, each, strict=True)) for each in zip(*members, strict=True)]
    else:
        parts = [listed(child) for child in data.children]
        elements = parts[0] if kind is FieldKind.LIST else list(zip(*parts, strict=True))
        offsets = data.offsets.tolist()
        assert offsets[0] == 0
        assert offsets[-1] == len(elements)
        values = [elements[offsets[i] : offsets[i + 1]] for i in range(data.length)]
    assert len(values) == data.length
    if data.valid is None:
        assert data.null_count == 0
        return values
    assert data.null_count == int((~data.valid).sum())
    return [value if valid else None for value, valid in zip(values, data.valid, strict=True)]


def values_for(node_or_shape, *, inside: bool = False):
    """Return a strategy for values as the nodes have them."""
    _, repetition, _, members = node_or_shape
    if members is None:
        one = st.integers(1, 99)
    else:
        one = st.fixed_dictionaries({each[0]: values_for(each) for each in members})
    if inside or repetition is REQUIRED:
        return one
    if repetition is OPTIONAL:
        return st.none() | one
    return st.lists(one, max_size=4)


leaf_shapes = st.builds(shape, st.just("x"), st.sampled_from(Repetition))


@st.composite
def group_shapes(draw, members):
    count = draw(st.integers(1, 3))
    chosen = [draw(members) for _ in range(count)]
    named = [(f"{'abc'[i]}", *each[1:]) for i, each in enumerate(chosen)]
    if draw(st.booleans()):
        named = [("list", REPEATED, *named[0][2:])]
    return shape(
        draw(st.sampled_from(["x", "array"])),
        draw(st.sampled_from(Repetition)),
        draw(st.sampled_from([NONE, LIST, MAP])),
        tuple(named),
    )


shapes = st.recursive(leaf_shapes, group_shapes, max_leaves=6)


@st.composite
def tables(draw):
    described = draw(shapes)
    return described, draw(st.lists(values_for(described), max_size=12))


@settings(max_examples=200)
@given(tables(), st.booleans())
def test_what_was_taken_apart_comes_back(table, wide):
    described, rows = table
    node = tree(described)
    field = field_of(node)
    columns = columns_of(node, rows)
    data = assemble_field(field, columns, len(rows), wide_offsets=wide)
    assert listed(data) == [meant(field, row) for row in rows]


@settings(max_examples=100)
@given(tables(), st.data())
def test_some_rows(table, data):
    described, rows = table
    node = tree(described)
    numbers = sorted(data.draw(st.sets(st.integers(0, len(rows) - 1)))) if rows else []
    chosen = np.array(numbers, np.int64)
    columns = {
        index: take_nested_rows(column, chosen) for index, column in columns_of(node, rows).items()
    }
    field = field_of(node)
    found = assemble_field(field, columns, len(numbers))
    assert listed(found) == [meant(field, rows[number]) for number in numbers]
    for column in columns.values():
        assert column.row_count == len(numbers)


@settings(max_examples=100)
@given(tables(), st.data())
def test_levels_that_were_changed_give_an_error_or_a_sound_column(table, data):
    described, rows = table
    node = tree(described)
    columns = columns_of(node, rows)
    changeable = [c for c in columns.values() if c.level_count and c.leaf.max_definition]
    if not changeable:
        return
    column = data.draw(st.sampled_from(changeable))
    at = data.draw(st.integers(0, column.level_count - 1))
    if column.leaf.max_repetition and at and data.draw(st.booleans()):
        column.repetition_levels[at] = data.draw(st.integers(0, column.leaf.max_repetition))
    else:
        column.definition_levels[at] = data.draw(st.integers(0, column.leaf.max_definition))
    try:
        found = assemble_field(field_of(node), columns, len(rows))
    except CorruptFile:
        return
    listed(found)


THREE_LEVELS = shape(
    "l", OPTIONAL, LIST, (shape("list", REPEATED, NONE, (shape("element", OPTIONAL),)),)
)


def test_a_list_of_one_leaf_by_hand():
    node = tree(THREE_LEVELS)
    leaf = leaves_of(node)[0]
    # [1, None], [], None, [4]
    column = ColumnData(
        leaf,
        natural_target(leaf),
        3,
        1,
        values=np.array([1, 0, 4]),
        valid=np.array([True, False, True]),
        definition_levels=np.array([3, 2, 1, 0, 3], np.uint8),
        repetition_levels=np.array([0, 1, 0, 0, 0], np.uint8),
        level_count=5,
    )
    data = assemble_field(field_of(node), {0: column}, 4)
    assert data.offsets.dtype == np.int32
    assert data.offsets.tolist() == [0, 2, 2, 2, 3]
    assert data.valid.tolist() == [True, True, False, True]
    assert data.null_count == 1
    assert data.children[0].column.definition_levels is None
    assert data.nbytes == 5 * 4 + 4 + 3 * 8 + 3


@pytest.mark.parametrize(
    ("definition", "repetition", "why"),
    [
        ([3, 1, 3], [0, 1, 0], "levels"),  # continues the list with no element
        ([0, 3, 3], [0, 1, 0], "levels"),  # continues a list that is missing
        ([3, 3, 3], [1, 0, 0], "first repetition level"),
        ([3, 3, 3], [0, 0, 0], "3 rows"),
        ([3, 3, 1], [0, 1, 0], "places"),  # fewer elements than values
    ],
)
def test_levels_that_are_no_list(definition, repetition, why):
    node = tree(THREE_LEVELS)
    leaf = leaves_of(node)[0]
    column = ColumnData(
        leaf,
        natural_target(leaf),
        3,
        0,
        values=np.zeros(3, np.int64),
        definition_levels=np.array(definition, np.uint8),
        repetition_levels=np.array(repetition, np.uint8),
        level_count=3,
    )
    with pytest.raises(CorruptFile, match=why) as caught:
        assemble_field(field_of(node), {0: column}, 2)
    assert caught.value.column == "l.list.element"


def test_leaves_of_one_map_that_disagree():
    described = shape(
        "m",
        OPTIONAL,
        MAP,
        (shape("key_value", REPEATED, NONE, (shape("key", REQUIRED), shape("value", OPTIONAL))),),
    )
    node = tree(described)
    rows = [{"key_value": [{"key": 1, "value": None}] * count} for count in range(9)]
    others = [{"key_value": [{"key": 1, "value": None}] * count} for count in (1, 0, *range(2, 9))]
    columns = columns_of(node, rows)
    columns[1] = columns_of(node, others)[1]
    with pytest.raises(CorruptFile, match="do not agree") as caught:
        assemble_field(field_of(node), columns, len(rows))
    assert caught.value.column == "m.key_value.value"


def test_struct_members_of_different_depth_that_disagree():
    described = shape(
        "s", OPTIONAL, NONE, (shape("a", OPTIONAL), shape("b", REPEATED), shape("c", REQUIRED))
    )
    node = tree(described)
    rows = [None, {"a": 1, "b": [1, 2, 3], "c": 1}, {"a": None, "b": [], "c": 2}, None]
    other_rows = [*rows[:2], None, rows[2]]
    for index in range(3):
        columns = columns_of(node, rows)
        assert listed(assemble_field(field_of(node), columns, 4)) == rows
        columns[index] = columns_of(node, other_rows)[index]
        with pytest.raises(CorruptFile, match="do not agree"):
            assemble_field(field_of(node), columns, 4)


def test_a_leaf_that_is_shorter_than_its_levels():
    described = shape("s", OPTIONAL, NONE, (shape("a", OPTIONAL), shape("b", OPTIONAL)))
    node = tree(described)
    columns = columns_of(node, [{"a": 1, "b": 2}, None])
    columns[1].count = 1
    columns[1].values = columns[1].values[:1]
    with pytest.raises(CorruptFile, match="1 values where its levels have 2 places") as caught:
        assemble_field(field_of(node), columns, 2)
    assert caught.value.column == "s.b"


def test_levels_that_were_left_out_say_that_all_is_there():
    described = shape("s", OPTIONAL, NONE, (shape("a", OPTIONAL), shape("b", OPTIONAL)))
    node = tree(described)
    columns = columns_of(node, [{"a": 1, "b": 2}, {"a": 3, "b": 4}])
    columns[0].definition_levels = None
    data = assemble_field(field_of(node), columns, 2)
    assert data.valid is None
    assert listed(data) == [{"a": 1, "b": 2}, {"a": 3, "b": 4}]


def test_more_elements_than_offsets_can_count(monkeypatch):
    monkeypatch.setattr(assembly, "_MOST_INT32", 2)
    node = tree(THREE_LEVELS)
    rows = [{"list": [{"element": 1}] * 3}]
    columns = columns_of(node, rows)
    with pytest.raises(LimitExceeded, match="3 elements"):
        assemble_field(field_of(node), columns, 1)
    data = assemble_field(field_of(node), columns, 1, wide_offsets=True)
    assert data.offsets.dtype == np.int64


def test_only_what_is_nested_needs_levels():
    assert not needs_levels(field_of(tree(shape("x", OPTIONAL))))
    assert needs_levels(field_of(tree(shape("x", REPEATED))))
    assert needs_levels(field_of(tree(THREE_LEVELS)))
    plain = shape("s", REQUIRED, NONE, (shape("a", REQUIRED),))
    assert not needs_levels(field_of(tree(plain)))
