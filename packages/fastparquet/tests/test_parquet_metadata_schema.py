"""The schema: the tree, its levels, and what the two kinds of logical types mean."""

from __future__ import annotations

import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hocket.parquet.errors import ColumnMissing, CorruptFile, UnsupportedFeature
from hocket.parquet.metadata.footer import parse_footer
from hocket.parquet.metadata.generated import ttypes
from hocket.parquet.metadata.objects import bytes_of_object
from hocket.parquet.metadata.scanning import padded
from hocket.parquet.metadata.schema import LogicalKind, LogicalType, PhysicalType, Repetition

Element = ttypes.SchemaElement
Logical = ttypes.LogicalType


def schema_of(*elements, count=None):
    root = Element(name="schema", num_children=len(elements) if count is None else count)
    thing = ttypes.FileMetaData(version=1, schema=[root, *elements], num_rows=0, row_groups=[])
    return parse_footer(padded(bytes_of_object(thing))).schema


def only(**told):
    told = {"name": "x", "repetition_type": 1, **told}
    return schema_of(Element(**told)).root.children[0]


NESTED = (
    Element(name="a", type=1, repetition_type=0),
    Element(name="l", num_children=1, repetition_type=1, converted_type=3),
    Element(name="list", num_children=1, repetition_type=2),
    Element(name="e", num_children=2, repetition_type=1),
    Element(name="x", type=6, repetition_type=1, converted_type=0),
    Element(name="y", type=5, repetition_type=2, field_id=9),
    Element(name="d.o.t", num_children=1, repetition_type=0),
    Element(name="z.w", type=0, repetition_type=1),
)


def nested():
    return schema_of(*NESTED, count=3)


def test_levels_paths_and_slots():
    schema = nested()
    told = [
        (n.dotted, n.max_definition, n.max_repetition, n.slot_definition, n.column_index)
        for n in schema.leaves
    ]
    assert told == [
        ("a", 0, 0, 0, 0),
        ("l.list.e.x", 4, 1, 2, 1),
        ("l.list.e.y", 4, 2, 4, 2),
        ("d.o.t.z.w", 1, 0, 0, 3),
    ]
    assert schema.leaves[2].path == ("l", "list", "e", "y")
    assert schema.leaves[2].field_id == 9
    assert schema.leaves[0].field_id is None
    assert schema.leaves[1].repetition is Repetition.OPTIONAL
    assert [n.name for n in schema.fields] == ["a", "l", "d.o.t"]
    assert schema.fields[1].column_index == -1
    assert not schema.fields[1].is_leaf
    assert schema.leaves[0].parent is schema.root
    assert schema.leaves[0].physical is PhysicalType.INT32
    assert schema.leaves_under(schema.fields[1]) == schema.leaves[1:3]
    assert schema.leaves_under(schema.leaves[0]) == schema.leaves[:1]


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("a", "a"),
        ("l.list.e.x", "x"),
        (("l", "list"), "list"),
        (["l", "list", "e", "y"], "y"),
        ("d.o.t", "d.o.t"),
        ("d.o.t.z.w", "z.w"),
        (("d.o.t", "z.w"), "z.w"),
    ],
)
def test_fields_are_found_by_their_paths(path, name):
    assert nested().find(path).name == name


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("l.list.e.q", "did you mean .*'l.list.e.x'"),
        ("aa", "did you mean 'a'"),
        ("something", "there are 'a', 'l', 'd.o.t'$"),
        (("a", "b"), "no column 'a.b'"),
        ((), "no column ''"),
        ("", "no column ''"),
    ],
)
def test_what_is_not_there_is_told_with_what_is(path, words):
    with pytest.raises(ColumnMissing, match=words):
        nested().find(path)


def test_many_columns_are_not_all_named():
    schema = schema_of(*(Element(name=f"c{i}", type=1) for i in range(30)))
    with pytest.raises(ColumnMissing, match="'c9' and 20 more"):
        schema.find("zzzz")


def test_of_equal_names_the_first_is_found():
    schema = schema_of(Element(name="x", type=1), Element(name="x", type=2))
    assert schema.find("x").column_index == 0


def test_text():
    assert nested().text.splitlines() == [
        "- schema: ",
        "| - a: INT32, REQUIRED",
        "| - l: LIST, OPTIONAL",
        "| | - list: REPEATED",
        "| | | - e: OPTIONAL",
        "| | | | - x: BYTE_ARRAY, STRING, OPTIONAL",
        "| | | | - y: DOUBLE, REPEATED, id 9",
        "| - d.o.t: REQUIRED",
        "| | - z.w: BOOLEAN, OPTIONAL",
    ]
    assert repr(nested()).startswith("<Schema of 4 columns>\n- schema")
    assert repr(nested().leaves[0]) == "<SchemaNode 'a': INT32, REQUIRED>"


def test_equality_is_that_of_the_fields():
    assert nested() == nested()
    assert nested() != schema_of(*NESTED[:1])
    assert nested() != schema_of(NESTED[0], *NESTED[1:-1], Element(name="z", type=0), count=3)
    assert nested() != "schema"


def test_pickles():
    again = pickle.loads(pickle.dumps(nested()))
    assert again == nested()
    assert again.leaves[1].parent.name == "e"


def test_names_that_are_not_text():
    raw = bytes_of_object(
        ttypes.FileMetaData(
            version=1,
            schema=[Element(name="s", num_children=1), Element(name="\x01\x02", type=1)],
            num_rows=0,
            row_groups=[],
        )
    )
    schema = parse_footer(padded(raw.replace(b"\x01\x02", b"\xff\xfe"))).schema
    assert schema.leaves[0].name == "\\xff\\xfe"


# ------------------------------------------------------------------------------ logical types

ALIKE = [
    (LogicalType(LogicalKind.STRING), 6, 0, Logical(STRING=ttypes.StringType())),
    (LogicalType(LogicalKind.ENUM), 6, 4, Logical(ENUM=ttypes.EnumType())),
    (LogicalType(LogicalKind.DATE), 1, 6, Logical(DATE=ttypes.DateType())),
    (LogicalType(LogicalKind.JSON), 6, 19, Logical(JSON=ttypes.JsonType())),
    (LogicalType(LogicalKind.BSON), 6, 20, Logical(BSON=ttypes.BsonType())),
    *(
        (
            LogicalType(LogicalKind.INTEGER, bit_width=bits, is_signed=signed),
            2 if bits == 64 else 1,
            (15 if signed else 11) + index,
            Logical(INTEGER=ttypes.IntType(bits, signed)),
        )
        for signed in (True, False)
        for index, bits in enumerate((8, 16, 32, 64))
    ),
]


@pytest.mark.parametrize(("logical", "physical", "converted", "union"), ALIKE)
def test_both_kinds_of_types(logical, physical, converted, union):
    assert only(type=physical, converted_type=converted).logical == logical
    assert only(type=physical, converted_type=converted).converted_type == converted
    assert only(type=physical, logicalType=union).logical == logical
    assert only(type=physical, logicalType=union).converted_type is None


UNITS = {
    "ms": ttypes.TimeUnit(MILLIS=ttypes.MilliSeconds()),
    "us": ttypes.TimeUnit(MICROS=ttypes.MicroSeconds()),
    "ns": ttypes.TimeUnit(NANOS=ttypes.NanoSeconds()),
}


@pytest.mark.parametrize("unit", UNITS)
@pytest.mark.parametrize("utc", [True, False])
def test_times(unit, utc):
    stamp = Logical(TIMESTAMP=ttypes.TimestampType(utc, UNITS[unit]))
    time = Logical(TIME=ttypes.TimeType(utc, UNITS[unit]))
    assert only(type=2, logicalType=stamp).logical == LogicalType(
        LogicalKind.TIMESTAMP, unit=unit, is_utc=utc
    )
    right, wrong = (1, 2) if unit == "ms" else (2, 1)
    assert only(type=right, logicalType=time).logical == LogicalType(
        LogicalKind.TIME, unit=unit, is_utc=utc
    )
    assert only(type=wrong, logicalType=time).logical.kind is LogicalKind.UNRECOGNISED


@pytest.mark.parametrize(
    ("converted", "kind", "unit", "physical"),
    [
        (7, "TIME", "ms", 1),
        (8, "TIME", "us", 2),
        (9, "TIMESTAMP", "ms", 2),
        (10, "TIMESTAMP", "us", 2),
    ],
)
def test_older_times_are_local(converted, kind, unit, physical):
    found = only(type=physical, converted_type=converted).logical
    assert found == LogicalType(LogicalKind(kind), unit=unit, is_utc=False)


@pytest.mark.parametrize(
    ("told", "logical"),
    [
        (
            {"type": 7, "type_length": 16, "logicalType": Logical(UUID=ttypes.UUIDType())},
            LogicalType(LogicalKind.UUID),
        ),
        (
            {"type": 7, "type_length": 2, "logicalType": Logical(FLOAT16=ttypes.Float16Type())},
            LogicalType(LogicalKind.FLOAT16),
        ),
        ({"type": 7, "type_length": 12, "converted_type": 21}, LogicalType(LogicalKind.INTERVAL)),
        (
            {"type": 3, "logicalType": Logical(UNKNOWN=ttypes.NullType())},
            LogicalType(LogicalKind.UNKNOWN),
        ),
        (
            {"type": 6, "logicalType": Logical(GEOMETRY=ttypes.GeometryType("EPSG:1"))},
            LogicalType(LogicalKind.GEOMETRY, crs="EPSG:1"),
        ),
        (
            {"type": 6, "logicalType": Logical(GEOMETRY=ttypes.GeometryType())},
            LogicalType(LogicalKind.GEOMETRY),
        ),
        (
            {"type": 6, "logicalType": Logical(GEOGRAPHY=ttypes.GeographyType("c", 4))},
            LogicalType(LogicalKind.GEOGRAPHY, crs="c", algorithm="karney"),
        ),
        (
            {"type": 6, "logicalType": Logical(GEOGRAPHY=ttypes.GeographyType(None, 77))},
            LogicalType(LogicalKind.GEOGRAPHY, algorithm="algorithm 77"),
        ),
        (
            {"type": 6, "logicalType": Logical(GEOGRAPHY=ttypes.GeographyType())},
            LogicalType(LogicalKind.GEOGRAPHY, algorithm="spherical"),
        ),
        (
            {"type": 2, "logicalType": Logical(DECIMAL=ttypes.DecimalType(2, 18))},
            LogicalType(LogicalKind.DECIMAL, precision=18, scale=2),
        ),
        (
            {"type": 7, "type_length": 5, "converted_type": 5, "scale": 3, "precision": 10},
            LogicalType(LogicalKind.DECIMAL, precision=10, scale=3),
        ),
        # The union counts; where it says nothing that makes sense, the older type does.
        (
            {
                "type": 1,
                "converted_type": 6,
                "logicalType": Logical(INTEGER=ttypes.IntType(8, True)),
            },
            LogicalType(LogicalKind.INTEGER, bit_width=8),
        ),
        ({"type": 1, "converted_type": 6, "logicalType": Logical()}, LogicalType(LogicalKind.DATE)),
        (
            {"type": 1, "converted_type": 6, "logicalType": Logical(UUID=ttypes.UUIDType())},
            LogicalType(LogicalKind.DATE),
        ),
        ({"type": 1}, LogicalType(LogicalKind.NONE)),
        ({"type": 1, "logicalType": Logical()}, LogicalType(LogicalKind.NONE)),
    ],
)
def test_what_types_mean(told, logical):
    assert only(**told).logical == logical


@pytest.mark.parametrize(
    "told",
    [
        {"type": 1, "converted_type": 0},
        {"type": 7, "type_length": 3, "converted_type": 0},
        {"type": 7, "type_length": 15, "logicalType": Logical(UUID=ttypes.UUIDType())},
        {"type": 7, "type_length": 4, "logicalType": Logical(FLOAT16=ttypes.Float16Type())},
        {"type": 1, "converted_type": 5, "scale": 3, "precision": 2},
        {"type": 1, "converted_type": 5, "scale": -1, "precision": 2},
        {"type": 1, "converted_type": 5},
        {"type": 5, "converted_type": 5, "precision": 3},
        {"type": 6, "converted_type": 5, "precision": 2_000_000_000},
        {"type": 1, "logicalType": Logical(INTEGER=ttypes.IntType(7, True))},
        {"type": 2, "logicalType": Logical(INTEGER=ttypes.IntType(8, True))},
        {"type": 1, "converted_type": 18},
        {
            "type": 2,
            "logicalType": Logical(TIMESTAMP=ttypes.TimestampType(True, ttypes.TimeUnit())),
        },
        {"type": 2, "logicalType": Logical(TIMESTAMP=ttypes.TimestampType(True))},
        {"type": 6, "converted_type": 3},
        {"type": 6, "converted_type": 99},
        {"type": 6, "logicalType": Logical(VARIANT=ttypes.VariantType())},
        {"num_children": 0, "converted_type": 0},
        {"num_children": 0, "logicalType": Logical(DATE=ttypes.DateType())},
    ],
)
def test_types_that_cannot_be_are_not_recognised(told):
    assert only(**told).logical == LogicalType(LogicalKind.UNRECOGNISED)


def test_members_of_the_future():
    raw = bytes_of_object(
        ttypes.FileMetaData(
            version=1,
            schema=[
                Element(name="s", num_children=1),
                Element(
                    name="x", type=1, logicalType=Logical(GEOGRAPHY=ttypes.GeographyType("abc"))
                ),
            ],
            num_rows=0,
            row_groups=[],
        )
    )
    # The header of a struct in the long form, with the number 18; make it number 55.
    changed = raw.replace(b"\x0c\x24", b"\x0c\x6e")
    assert changed != raw
    assert parse_footer(padded(changed)).schema.leaves[0].logical.kind is LogicalKind.UNRECOGNISED


def test_groups():
    told = Logical(VARIANT=ttypes.VariantType(1))
    schema = schema_of(
        Element(name="v", num_children=1, repetition_type=1, logicalType=told),
        Element(name="metadata", type=6, repetition_type=0),
        Element(name="f", num_children=2, logicalType=Logical(FILE=ttypes.FileType())),
        Element(name="path", type=6, repetition_type=0),
        Element(name="size", type=2, repetition_type=1),
        Element(name="g", num_children=1, logicalType=Logical(FILE=ttypes.FileType())),
        Element(name="other", type=6, repetition_type=0),
        Element(name="m", num_children=0, converted_type=2),
        count=4,
    )
    kinds = [(node.logical.kind, node.logical.version) for node in schema.fields]
    assert kinds == [
        (LogicalKind.VARIANT, 1),
        (LogicalKind.FILE, None),
        (LogicalKind.UNRECOGNISED, None),
        (LogicalKind.MAP_KEY_VALUE, None),
    ]


@pytest.mark.parametrize(
    ("logical", "text"),
    [
        (LogicalType(LogicalKind.DECIMAL, precision=9, scale=2), "DECIMAL(9, 2)"),
        (LogicalType(LogicalKind.INTEGER, bit_width=8, is_signed=False), "UINT8"),
        (LogicalType(LogicalKind.TIMESTAMP, unit="ns", is_utc=True), "TIMESTAMP(ns, UTC)"),
        (LogicalType(LogicalKind.TIME, unit="ms"), "TIME(ms)"),
        (LogicalType(LogicalKind.GEOGRAPHY, crs="x", algorithm="thomas"), "GEOGRAPHY(x, thomas)"),
        (LogicalType(LogicalKind.STRING), "STRING"),
    ],
)
def test_types_as_text(logical, text):
    assert str(logical) == text


# ------------------------------------------------------------------------- what is not so


@pytest.mark.parametrize(
    ("told", "error", "words"),
    [
        ({"type": 7}, CorruptFile, "fixed length of 0 bytes"),
        ({"type": 7, "type_length": -4}, CorruptFile, "fixed length of -4 bytes"),
        ({"type": 8}, UnsupportedFeature, "physical type 8"),
        ({"type": 1, "repetition_type": 3}, UnsupportedFeature, "repetition 3"),
        ({"type": -1}, CorruptFile, "physical type is negative"),
    ],
)
def test_what_cannot_be_is_an_error(told, error, words):
    with pytest.raises(error, match=words):
        only(**told)


def test_fields_that_do_not_say_how_often_they_are_there_are_required():
    assert only(type=1, repetition_type=None).repetition is Repetition.REQUIRED


def test_a_group_may_have_a_type_too():
    schema = schema_of(
        Element(name="g", type=6, num_children=1, repetition_type=1),
        Element(name="x", type=1),
        count=1,
    )
    assert [leaf.dotted for leaf in schema.leaves] == ["g.x"]


TREES = st.recursive(
    st.none(), lambda inner: st.lists(inner, min_size=1, max_size=4), max_leaves=12
)


@given(tree=st.lists(TREES, max_size=4), data=st.data())
def test_trees_are_as_they_were(tree, data):
    elements, expected = [], []

    def add(node, definition, repetition, path):
        how = data.draw(st.integers(0, 2))
        path = (*path, f"n{len(elements)}")
        definition, repetition = definition + (how > 0), repetition + (how == 2)
        count = None if node is None else len(node)
        elements.append(
            Element(
                name=path[-1],
                num_children=count,
                type=1 if node is None else None,
                repetition_type=how,
            )
        )
        if node is None:
            expected.append((path, definition, repetition))
        for child in node or ():
            add(child, definition, repetition, path)

    for node in tree:
        add(node, 0, 0, ())
    schema = schema_of(*elements, count=len(tree))
    assert [(n.path, n.max_definition, n.max_repetition) for n in schema.leaves] == expected
    for index, leaf in enumerate(schema.leaves):
        assert leaf.column_index == index
        assert schema.find(leaf.path) is leaf
        assert schema.find(leaf.dotted) is leaf
    assert [n.name for n in schema.nodes()][1:] == [e.name for e in elements]
