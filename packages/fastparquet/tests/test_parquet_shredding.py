"""Arrays of any shape, taken apart, against levels made by the book."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from parquet_plain_values import Absent, levels_of, value_at, values_of

from hocket.parquet.arrays.value_array import ArrayKind, Nulls, ValueArray
from hocket.parquet.arrays.write_field import WriteField, WriteKind
from hocket.parquet.errors import SchemaMismatch, ValueOutOfRange
from hocket.parquet.metadata.schema import PhysicalType
from hocket.parquet.nesting.shredding import shred
from hocket.parquet.writing.schema import schema_elements, schema_of

LEAF, LIST, MAP, STRUCT = WriteKind.LEAF, WriteKind.LIST, WriteKind.MAP, WriteKind.STRUCT


def leaf(name="x", nullable=True):
    return WriteField(name, LEAF, nullable, PhysicalType.INT64)


def node_of(field):
    return schema_of(schema_elements([field])).fields[0]


@st.composite
def fields(draw, name="x", depth=3):
    # Mostly nullable: what cannot be missing ends most examples with an error.
    nullable = draw(st.integers(0, 5)) > 0
    kinds = [LEAF, LIST, LIST, STRUCT, MAP] if depth else [LEAF]
    kind = draw(st.sampled_from(kinds))
    if kind is LEAF:
        return leaf(name, nullable)
    if kind is LIST:
        children = (draw(fields("element", depth - 1)),)
    elif kind is MAP:
        children = (draw(fields("key", 0)), draw(fields("value", depth - 1)))
    else:
        count = draw(st.integers(1, 2))
        children = tuple(draw(fields(f"m{index}", depth - 1)) for index in range(count))
    return WriteField(name, kind, nullable, children=children)


@st.composite
def nulls(draw, length):
    missing = draw(st.lists(st.booleans(), min_size=length, max_size=length))
    if draw(st.booleans()):
        return Nulls(np.array(missing, np.uint8) * draw(st.sampled_from([1, 255])), False)
    offset = draw(st.integers(0, 9))
    bits = [draw(st.booleans())] * offset + [not each for each in missing]
    return Nulls(np.packbits(np.array(bits, np.bool_), bitorder="little"), True, offset)


@st.composite
def arrays(draw, field, length, *, is_map_entry=False, most=3):
    """Arrays for a field, with anything below what is missing and between lists."""
    form = draw(st.sampled_from(["plain"] * 6 + ["codes", "all missing"]))
    if form == "all missing" and not is_map_entry:
        return ValueArray(ArrayKind.NULL, length)
    if form == "codes" and not is_map_entry:
        values = draw(arrays(field, draw(st.integers(1, 4)), most=2))
        codes = draw(st.lists(st.integers(0, values.length - 1), min_size=length, max_size=length))
        dtype = draw(st.sampled_from([np.int8, np.uint16, np.int64]))
        missing = draw(st.none() | nulls(length))
        return ValueArray(
            ArrayKind.DICTIONARY, length, missing, np.array(codes, dtype), dictionary=values
        )
    missing = draw(nulls(length)) if field.nullable or draw(st.integers(0, 9)) == 0 else None
    if field.kind is LEAF:
        return ValueArray(ArrayKind.FIXED, length, missing, np.arange(length) + 100)
    if field.kind is STRUCT:
        children = tuple(draw(arrays(child, length, most=most)) for child in field.children)
        return ValueArray(ArrayKind.STRUCT, length, missing, children=children)
    sizes = draw(st.lists(st.integers(0, most), min_size=length + 1, max_size=length + 1))
    dtype = draw(st.sampled_from([np.int32, np.int64]))
    offsets = np.cumsum(sizes).astype(dtype)
    count = int(offsets[-1]) + draw(st.integers(0, 2))
    if field.kind is MAP:
        pair = WriteField("key_value", STRUCT, nullable=False, children=field.children)
        child = draw(arrays(pair, count, is_map_entry=True, most=2))
    else:
        child = draw(arrays(field.children[0], count, most=2))
    return ValueArray(ArrayKind.LIST, length, missing, offsets=offsets, children=(child,))


@st.composite
def columns(draw):
    field = draw(fields())
    length = draw(st.integers(0, 6))
    array = draw(arrays(field, length))
    start = draw(st.integers(0, length))
    return field, array.slice(start, draw(st.integers(start, length)))


def entries_of(entries):
    """Return entries as levels and values, and check what they say of themselves."""
    node = entries.node
    definition = entries.definition
    if definition is None:
        definition = np.full(entries.entry_count, node.max_definition)
    repetition = entries.repetition
    assert (repetition is None) == (node.max_repetition == 0)
    if repetition is None:
        repetition = np.zeros(entries.entry_count)
    assert len(definition) == len(repetition) == entries.entry_count
    assert entries.row_count == (repetition == 0).sum()
    there = definition == node.max_definition
    assert entries.value_count == there.sum()
    if entries.slots is None:
        values = [each for each in values_of(entries.array) if each is not None]
    else:
        assert entries.slots.dtype == np.int64
        values = [value_at(entries.array, slot) for slot in entries.slots]
    assert len(values) == entries.value_count
    left = iter(values)
    return [
        (int(repeat), int(level), next(left) if is_there else None)
        for repeat, level, is_there in zip(repetition, definition, there, strict=True)
    ]


@settings(max_examples=300)
@given(columns())
def test_levels_and_values_are_those_of_the_book(column):
    field, array = column
    node = node_of(field)
    try:
        expected = levels_of(field, node, values_of(array))
    except Absent:
        with pytest.raises(ValueOutOfRange, match="in row"):
            shred(field, node, array)
        return
    found = shred(field, node, array)
    assert [each.node for each in found] == [leaf for leaf, _ in expected]
    assert [each.field.name for each in found if each.node.name not in ("key", "value")] == [
        leaf.name for leaf, _ in expected if leaf.name not in ("key", "value")
    ]
    for entries, (_, levels) in zip(found, expected, strict=True):
        assert entries_of(entries) == levels


def numbers(count, missing=None):
    told = None if missing is None else Nulls(np.array(missing, np.uint8), False)
    return ValueArray(ArrayKind.FIXED, count, told, np.arange(count))


def lists(offsets, child, missing=None):
    told = None if missing is None else Nulls(np.array(missing, np.uint8), False)
    made = np.array(offsets, np.int32)
    return ValueArray(ArrayKind.LIST, len(made) - 1, told, offsets=made, children=(child,))


def list_of(element, name="x", nullable=True):
    return WriteField(name, LIST, nullable, children=(element,))


def test_slots_that_follow_each_other_stay_in_their_array():
    field = list_of(leaf())
    (entries,) = shred(field, node_of(field), lists([2, 4, 4, 7], numbers(9)))
    assert entries.slots is None
    assert entries.array.values.tolist() == [2, 3, 4, 5, 6]
    assert entries.repetition.tolist() == [0, 1, 0, 0, 1, 1]
    assert entries.definition.tolist() == [3, 3, 1, 3, 3, 3]


def test_where_all_is_there_no_definition_levels_are_made():
    field = list_of(leaf())
    (entries,) = shred(field, node_of(field), lists([0, 2, 3], numbers(3)))
    assert entries.definition is None
    assert entries.value_count == 3


def test_lists_below_missing_ones_are_not_written():
    field = list_of(leaf())
    (entries,) = shred(field, node_of(field), lists([0, 2, 4, 5], numbers(5), [0, 1, 0]))
    assert entries.slots.tolist() == [0, 1, 4]
    assert entries.definition.tolist() == [3, 3, 0, 3]


def test_a_dictionary_is_kept_where_its_values_are_all_there():
    codes = np.array([1, 0, 1], np.int8)
    array = ValueArray(ArrayKind.DICTIONARY, 3, None, codes, dictionary=numbers(2))
    (entries,) = shred(leaf(), node_of(leaf()), array)
    assert entries.array is array
    assert entries.slots is None


def test_a_dictionary_with_missing_values_is_looked_up():
    codes = np.array([1, 0, 1, 77], np.int8)
    missing = Nulls(np.array([0, 0, 0, 1], np.uint8), False)
    array = ValueArray(ArrayKind.DICTIONARY, 4, missing, codes, dictionary=numbers(2, [1, 0]))
    (entries,) = shred(leaf(), node_of(leaf()), array)
    assert entries.array.kind is ArrayKind.FIXED
    assert entries.slots.tolist() == [1, 1]
    assert entries.definition.tolist() == [1, 0, 1, 0]


def test_codes_outside_of_their_dictionary_are_an_error():
    codes = np.array([0, 2], np.int8)
    array = ValueArray(ArrayKind.DICTIONARY, 2, None, codes, dictionary=numbers(2, [0, 1]))
    with pytest.raises(ValueOutOfRange, match="code 2 in slot 1"):
        shred(leaf(), node_of(leaf()), array)


@pytest.mark.parametrize("offsets", [[0, 3, 1], [0, 2, 6], [-1, 2, 3]])
def test_offsets_that_make_no_sense_are_an_error(offsets):
    field = list_of(leaf())
    with pytest.raises(SchemaMismatch, match=r"column 'x': the offsets of its lists"):
        shred(field, node_of(field), lists(offsets, numbers(5)))


def test_a_missing_value_is_told_with_its_row():
    field = list_of(leaf(nullable=False))
    array = lists([0, 2, 2, 4], numbers(4, [0, 0, 1, 1]))
    with pytest.raises(ValueOutOfRange, match=r"x\.list\.element.*row 2, the first of 2"):
        shred(field, node_of(field), array)


def test_keys_of_maps_have_to_be_there():
    field = WriteField("x", MAP, children=(leaf("key"), leaf("value")))
    pairs = ValueArray(ArrayKind.STRUCT, 2, children=(numbers(2, [0, 1]), numbers(2)))
    with pytest.raises(ValueOutOfRange, match="an entry of a map has no key in row 1"):
        shred(field, node_of(field), lists([0, 1, 2], pairs))


def test_an_array_of_another_shape_is_an_error():
    with pytest.raises(SchemaMismatch, match="kind 'list', which a leaf cannot have"):
        shred(leaf(), node_of(leaf()), lists([0, 1], numbers(1)))
    field = WriteField("x", STRUCT, children=(leaf("a"), leaf("b")))
    short = ValueArray(ArrayKind.STRUCT, 2, children=(numbers(2), numbers(1)))
    with pytest.raises(SchemaMismatch, match="has 1 slots"):
        shred(field, node_of(field), short)
    with pytest.raises(SchemaMismatch, match="have 1 members, and 2 in the schema"):
        shred(field, node_of(field), ValueArray(ArrayKind.STRUCT, 2, children=(numbers(2),)))


def test_thirty_layers_of_lists():
    field, array = leaf(), numbers(2_000)
    for _ in range(30):
        field = list_of(field, nullable=False)
        array = lists(np.arange(array.length + 1), array)
    (entries,) = shred(field, node_of(field), array)
    assert entries.entry_count == entries.value_count == 2_000
    assert entries.slots is None
    assert not entries.repetition.any()
