"""Shredded Variants: values put together from typed columns, by the rules of what is there."""

from datetime import date
from decimal import Decimal

import pytest

from hocket.parquet.errors import CorruptFile, UnsupportedFeature
from hocket.parquet.metadata.schema import (
    LogicalKind,
    LogicalType,
    PhysicalType,
    Repetition,
    SchemaNode,
)
from hocket.parquet.variant import MISSING, VariantReader, reconstruct

NAMES = b"\x01\x05\x00\x01\x02\x03\x04\x05abcde"
NULL = b"\x00"
PLAIN = LogicalType(LogicalKind.NONE)


def text(value):
    return bytes([len(value) << 2 | 1]) + value.encode()


def fields(**values):
    """Encode an object whose names are single letters of the dictionary."""
    raw = [values[name] for name in sorted(values)]
    ids = bytes("abcde".index(name) for name in sorted(values))
    ends = [sum(map(len, raw[:count])) for count in range(len(raw) + 1)]
    return bytes([2, len(raw)]) + ids + bytes(ends) + b"".join(raw)


def node(name, *children, physical=None, logical=PLAIN, repetition=Repetition.OPTIONAL):
    made = SchemaNode(
        name, None, repetition, None, logical, None, physical, 0, 1, 0, 0, 0, tuple(children)
    )
    for child in children:
        child.parent = made
    return made


def leaf(name, physical=PhysicalType.BYTE_ARRAY, logical=PLAIN):
    return node(name, physical=physical, logical=logical)


def typed(physical=PhysicalType.BYTE_ARRAY, **logical):
    return leaf("typed_value", physical, LogicalType(**{"kind": LogicalKind.NONE, **logical}))


def typed_object(*members):
    return node("typed_value", *members)


def member(name, typed_value=None, *, value=True):
    children = [leaf("value")] if value else []
    children += [typed_value] if typed_value else []
    return node(name, *children, repetition=Repetition.REQUIRED)


def typed_list(typed_value=None, *, value=True):
    element = member("element", typed_value, value=value)
    repeated = node("list", element, repetition=Repetition.REPEATED)
    return node("typed_value", repeated, logical=LogicalType(LogicalKind.LIST))


STRING = {"kind": LogicalKind.STRING}
INT32 = PhysicalType.INT32


def both(value=None, typed_value=None):
    return {"value": value, "typed_value": typed_value}


@pytest.mark.parametrize(
    ("value", "typed_value", "expected"),
    [(None, 34, 34), (NULL, None, None), (text("n/a"), None, "n/a"), (None, None, MISSING)],
)
def test_a_value_is_in_one_of_two_places_or_in_none(value, typed_value, expected):
    assert reconstruct(NAMES, value, typed_value, typed(INT32)) == expected
    # As a whole row, what is missing is null.
    group = node("var", leaf("metadata"), leaf("value"), typed(INT32))
    row = {"metadata": NAMES, **both(value, typed_value)}
    assert VariantReader(group).value(row) == (None if expected is MISSING else expected)


def test_a_row_may_be_null_and_have_fewer_columns():
    group = node("var", leaf("metadata"), leaf("value"))
    assert VariantReader(group).value(None) is None
    assert VariantReader(group).value({"metadata": NAMES, "value": text("x")}) == "x"
    group = node("var", typed(INT32), leaf("metadata"))
    assert VariantReader(group).value({"typed_value": 0, "metadata": NAMES}) == 0
    with pytest.raises(CorruptFile, match="no metadata"):
        VariantReader(group).value({"typed_value": 0, "metadata": None})


def test_lists_have_elements_in_either_form_and_nulls_for_missing_ones():
    schema = typed_list(typed(**STRING))
    rows = [both(None, "comedy"), both(NULL), both(text("x")), both(), both(None, "")]
    assert reconstruct(NAMES, None, rows, schema) == ["comedy", None, "x", None, ""]
    assert reconstruct(NAMES, None, [], schema) == []
    assert reconstruct(NAMES, text("no list"), None, schema) == "no list"
    assert reconstruct(NAMES, None, [{"value": NULL}], typed_list()) == [None]
    only_typed = typed_list(typed(**STRING), value=False)
    assert reconstruct(NAMES, None, [{"typed_value": "x"}], only_typed) == ["x"]
    nested = typed_list(typed_list(typed(**STRING)))
    rows = [both(None, [both(None, "x")]), both(None, []), both(text("y"))]
    assert reconstruct(NAMES, None, rows, nested) == [["x"], [], "y"]


def test_objects_are_put_together_from_columns_and_the_rest():
    schema = typed_object(member("a", typed(INT32)), member("b", typed(**STRING)))
    there = {"a": both(None, 1), "b": both(NULL)}
    assert reconstruct(NAMES, None, there, schema) == {"a": 1, "b": None}
    there = {"a": both(text("odd")), "b": both()}
    assert reconstruct(NAMES, None, there, schema) == {"a": "odd"}
    assert reconstruct(NAMES, fields(c=NULL), there, schema) == {"a": "odd", "c": None}
    nothing = {"a": both(), "b": both()}
    assert reconstruct(NAMES, None, nothing, schema) == {}
    assert reconstruct(NAMES, fields(), nothing, schema) == {}
    assert reconstruct(NAMES, text("no object"), None, schema) == "no object"
    assert reconstruct(NAMES, None, None, schema) is MISSING
    # Some writers made the groups of fields optional.
    assert reconstruct(NAMES, None, {"a": None, "b": both(None, "x")}, schema) == {"b": "x"}


def test_objects_in_objects_and_lists():
    inner = typed_object(member("a", typed(INT32)), member("b", value=True))
    schema = typed_object(member("c", inner), member("d", typed_list(inner)))
    there = {
        "c": both(fields(e=text("rest")), {"a": both(None, 34), "b": {"value": text("x")}}),
        "d": both(None, [both(None, {"a": both(None, 1), "b": {"value": None}}), both(NULL)]),
    }
    assert reconstruct(NAMES, None, there, schema) == {
        "c": {"a": 34, "b": "x", "e": "rest"},
        "d": [{"a": 1}, None],
    }


def test_values_that_contradict_are_errors():
    with pytest.raises(CorruptFile, match="contradict"):
        reconstruct(NAMES, NULL, 34, typed(INT32))
    with pytest.raises(CorruptFile, match="contradict"):
        reconstruct(NAMES, None, [both(NULL, "x")], typed_list(typed(**STRING)))
    with pytest.raises(CorruptFile, match="contradict"):
        reconstruct(NAMES, NULL, [], typed_list(typed(**STRING)))
    schema = typed_object(member("a", typed(INT32)))
    for value in (NULL, text("x"), b"\x03\x00\x00", b""):
        with pytest.raises(CorruptFile, match="its value is no object"):
            reconstruct(NAMES, value, {"a": both()}, schema)


def test_a_shredded_field_counts_more_than_one_in_the_rest():
    schema = typed_object(member("a", typed(INT32)), member("b", typed(**STRING)))
    rest = fields(b=text("rest"), c=NULL)
    there = {"a": both(), "b": both(None, "typed")}
    assert reconstruct(NAMES, rest, there, schema) == {"b": "typed", "c": None}
    assert reconstruct(NAMES, rest, {"a": both(), "b": both()}, schema) == {"c": None}


def test_damage_in_the_binary_part_is_found():
    schema = typed_object(member("a", typed(INT32)))
    with pytest.raises(CorruptFile, match="claims"):
        reconstruct(NAMES, fields(c=NULL)[:-2], {"a": both()}, schema)


@pytest.mark.parametrize(
    ("physical", "logical", "value"),
    [
        (PhysicalType.BOOLEAN, {}, True),
        (INT32, {"kind": LogicalKind.INTEGER, "bit_width": 8}, 1),
        (INT32, {"kind": LogicalKind.DATE}, date(2024, 1, 30)),
        (INT32, {"kind": LogicalKind.DECIMAL, "precision": 9, "scale": 2}, Decimal("1.23")),
        (PhysicalType.INT64, {}, 1),
        (PhysicalType.INT64, {"kind": LogicalKind.INTEGER, "bit_width": 64}, 1),
        (PhysicalType.INT64, {"kind": LogicalKind.TIME, "unit": "us"}, 1),
        (PhysicalType.INT64, {"kind": LogicalKind.TIMESTAMP, "unit": "ns"}, 1),
        (PhysicalType.INT64, {"kind": LogicalKind.TIMESTAMP, "unit": "us", "is_utc": True}, 1),
        (PhysicalType.FLOAT, {}, 1.5),
        (PhysicalType.DOUBLE, {}, 1.5),
        (PhysicalType.BYTE_ARRAY, {}, b"x"),
        (PhysicalType.FIXED_LEN_BYTE_ARRAY, {"kind": LogicalKind.UUID}, "uuid"),
        (PhysicalType.FIXED_LEN_BYTE_ARRAY, {"kind": LogicalKind.DECIMAL}, Decimal(1)),
    ],
)
def test_columns_of_the_types_that_variants_have(physical, logical, value):
    assert reconstruct(NAMES, None, value, typed(physical, **logical)) == value


@pytest.mark.parametrize(
    "schema",
    [
        typed(INT32, kind=LogicalKind.INTEGER, bit_width=32, is_signed=False),
        typed(PhysicalType.INT64, kind=LogicalKind.TIMESTAMP, unit="ms"),
        typed(INT32, kind=LogicalKind.TIME, unit="ms"),
        typed(PhysicalType.INT96),
        typed(PhysicalType.FIXED_LEN_BYTE_ARRAY),
        typed(kind=LogicalKind.JSON),
        node("typed_value", leaf("x"), logical=LogicalType(LogicalKind.MAP)),
        node("typed_value", leaf("a")),
        node("typed_value", leaf("array"), logical=LogicalType(LogicalKind.LIST)),
        typed_object(member("a", typed(PhysicalType.INT96))),
        typed_list(typed(PhysicalType.INT96)),
        typed_object(node("a", leaf("value", INT32))),
    ],
    ids=range(12),
)
def test_columns_of_other_types_are_refused_by_name(schema):
    group = node("var", leaf("metadata"), leaf("value"), schema)
    node("schema", group)
    with pytest.raises(UnsupportedFeature, match="shredded into") as caught:
        VariantReader(group)
    assert caught.value.column.startswith("var.typed_value")
