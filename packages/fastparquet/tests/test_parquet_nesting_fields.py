"""What schemas mean: all layouts of lists and maps, and parts of columns by their paths."""

from __future__ import annotations

import re

import pytest

from hocket.parquet.errors import ColumnMissing
from hocket.parquet.metadata.schema import (
    LogicalKind,
    LogicalType,
    PhysicalType,
    Repetition,
    Schema,
    SchemaNode,
)
from hocket.parquet.nesting.fields import Field, FieldKind, field_of, fields_of
from hocket.parquet.nesting.projection import project, pruned

PHYSICAL = {
    "int32": PhysicalType.INT32,
    "int64": PhysicalType.INT64,
    "binary": PhysicalType.BYTE_ARRAY,
}

KEY = "required binary key;"
VALUE = "optional int32 value;"


def schema_of(text: str) -> Schema:
    """Build a schema from the notation of the format's documents."""
    words = re.findall(r"[\w.]+|[{};()]", text)
    root = SchemaNode(
        "root",
        None,
        Repetition.REQUIRED,
        None,
        LogicalType(LogicalKind.NONE),
        None,
        None,
        0,
        0,
        0,
        0,
        -1,
    )
    leaves: list[SchemaNode] = []

    def members(parent: SchemaNode) -> tuple[SchemaNode, ...]:
        found = []
        while words and words[0] != "}":
            found.append(member(parent))
        return tuple(found)

    def member(parent: SchemaNode) -> SchemaNode:
        repetition, kind, name = Repetition[words.pop(0).upper()], words.pop(0), words.pop(0)
        logical = LogicalKind.NONE
        if words[0] == "(":
            logical = LogicalKind[words[1]]
            del words[:3]
        definition = parent.max_definition + (repetition is not Repetition.REQUIRED)
        is_repeated = repetition is Repetition.REPEATED
        node = SchemaNode(
            name,
            parent,
            repetition,
            None,
            LogicalType(logical),
            None,
            PHYSICAL.get(kind),
            0,
            definition,
            parent.max_repetition + is_repeated,
            definition if is_repeated else parent.slot_definition,
            -1 if kind == "group" else len(leaves),
        )
        if kind == "group":
            assert words.pop(0) == "{"
            node.children = members(node)
            assert words.pop(0) == "}"
        else:
            leaves.append(node)
            assert words.pop(0) == ";"
        return node

    root.children = members(root)
    assert not words
    return Schema(root, tuple(leaves))


def told(field: Field) -> str:
    """Describe a field: ``?`` where it can be missing."""
    mark = "?" if field.nullable else ""
    if field.kind is FieldKind.LEAF:
        return f"{field.node.physical.name.lower()}{mark}"
    if field.kind is FieldKind.LIST:
        return f"list<{told(field.children[0])}>{mark}"
    if field.kind is FieldKind.MAP:
        return f"map<{', '.join(map(told, field.children))}>{mark}"
    inside = ", ".join(f"{child.name}: {told(child)}" for child in field.children)
    return f"{field.kind}<{inside}>{mark}"


@pytest.mark.parametrize(
    ("text", "meaning"),
    [
        ("required int32 a;", "int32"),
        ("optional int64 a;", "int64?"),
        ("repeated int32 num;", "list<int32>"),
        (
            "repeated group l { required int32 num; optional binary str (STRING); }",
            "list<struct<num: int32, str: byte_array?>>",
        ),
        (
            "required group l (LIST) { repeated group list { optional binary element; } }",
            "list<byte_array?>",
        ),
        (
            "optional group l (LIST) { repeated group list { required binary element; } }",
            "list<byte_array>?",
        ),
        (
            """optional group l (LIST) { repeated group list {
               required group element (LIST) { repeated group list { required int32 element; } }
               } }""",
            "list<list<int32>>?",
        ),
        (
            "optional group l (LIST) { repeated group element { required binary str; } }",
            "list<byte_array>?",
        ),
        ("optional group l (LIST) { repeated int32 element; }", "list<int32>?"),
        (
            """optional group l (LIST) { repeated group element {
               required binary str (STRING); required int32 num; } }""",
            "list<struct<str: byte_array, num: int32>>?",
        ),
        (
            "optional group l (LIST) { repeated group array (LIST) { repeated int32 array; } }",
            "list<list<int32>>?",
        ),
        (
            "optional group l (LIST) { repeated group array { required binary str; } }",
            "list<struct<str: byte_array>>?",
        ),
        (
            "optional group my (LIST) { repeated group my_tuple { required binary str; } }",
            "list<struct<str: byte_array>>?",
        ),
        (
            "optional group l (LIST) { repeated group other_tuple { required binary str; } }",
            "list<byte_array>?",
        ),
        (
            "optional group l (LIST) { repeated group element { optional binary str; } }",
            "list<byte_array?>?",
        ),
        (
            "optional group l (LIST) { repeated group bag { repeated int32 x; } }",
            "list<struct<x: list<int32>>>?",
        ),
        # Repeated, and a list itself.
        (
            "repeated group l (LIST) { repeated group list { optional int32 element; } }",
            "list<list<int32?>>",
        ),
        (
            f"required group m (MAP) {{ repeated group key_value {{ {KEY} {VALUE} }} }}",
            "map<byte_array, int32?>",
        ),
        (
            f"optional group m (MAP) {{ repeated group map {{ {KEY} required int32 num; }} }}",
            "map<byte_array, int32>?",
        ),
        (
            f"optional group m (MAP_KEY_VALUE) {{ repeated group map {{ {KEY} {VALUE} }} }}",
            "map<byte_array, int32?>?",
        ),
        (
            f"optional group m (MAP) {{ repeated group map (MAP_KEY_VALUE) {{ {KEY} {VALUE} }} }}",
            "map<byte_array, int32?>?",
        ),
        # Keys that the schema lets be missing, as some writers declare them.
        (
            f"optional group m (MAP) {{ repeated group kv {{ optional binary key; {VALUE} }} }}",
            "map<byte_array?, int32?>?",
        ),
        (
            f"optional group m (MAP) {{ repeated group key_value {{ {KEY} }} }}",
            "list<byte_array>?",
        ),
        (
            """required group m (MAP) { repeated group key_value { required group key {
               required int32 a; optional int32 b; } required int64 value; } }""",
            "map<struct<a: int32, b: int32?>, int64>",
        ),
        # Annotations that do not fit what they stand at.
        (
            f"optional group m (MAP) {{ repeated group kv {{ {KEY} {VALUE} {KEY} }} }}",
            "list<struct<key: byte_array, value: int32?, key: byte_array>>?",
        ),
        (
            f"optional group m (MAP) {{ repeated group kv {{ {KEY} repeated int32 value; }} }}",
            "list<struct<key: byte_array, value: list<int32>>>?",
        ),
        ("optional group m (MAP) { repeated int32 key; }", "list<int32>?"),
        ("optional group l (LIST) { optional int32 a; }", "struct<a: int32?>?"),
        (
            "optional group l (LIST) { repeated int32 a; repeated int32 b; }",
            "struct<a: list<int32>, b: list<int32>>?",
        ),
        (
            "optional group f (FILE) { optional binary path; optional int64 size; }",
            "struct<path: byte_array?, size: int64?>?",
        ),
        (
            "optional group u (UNRECOGNISED) { optional binary path; }",
            "struct<path: byte_array?>?",
        ),
        (
            "required group s { required group t { required int32 a; } }",
            "struct<t: struct<a: int32>>",
        ),
        (
            "optional group v (VARIANT) { required binary metadata; required binary value; }",
            "variant<metadata: byte_array, value: byte_array>?",
        ),
        (
            """required group v (VARIANT) { required binary metadata; optional binary value;
               repeated int64 typed_value; }""",
            "variant<metadata: byte_array, value: byte_array?, typed_value: list<int64>>",
        ),
        ("optional group v (VARIANT) { optional int64 metadata; }", "struct<metadata: int64?>?"),
    ],
)
def test_a_schema_means(text, meaning):
    (field,) = fields_of(schema_of(text))
    assert told(field) == meaning


def levels(field: Field) -> list[tuple[int, ...]]:
    """Return of a field and all below: slot, definition, repetition, and element level."""
    own = (field.slot_definition, field.definition, field.repetition, field.element_definition)
    return [own, *(each for child in field.children for each in levels(child))]


def test_levels_of_a_list_of_structs():
    text = """optional group l (LIST) { repeated group list { optional group element {
              required int32 a; optional int32 b; } } }"""
    (field,) = fields_of(schema_of(text))
    assert levels(field) == [(0, 1, 0, 2), (2, 3, 1, 0), (2, 3, 1, 0), (2, 4, 1, 0)]


def test_levels_of_lists_without_groups_of_their_own():
    (field,) = fields_of(schema_of("optional group s { repeated group l { repeated int32 x; } }"))
    assert levels(field) == [(0, 1, 0, 0), (0, 1, 0, 2), (2, 2, 1, 0), (2, 2, 1, 3), (3, 3, 2, 0)]
    assert [leaf.name for leaf in field.leaves] == ["x"]


def test_levels_of_a_map():
    text = "optional group m (MAP) { repeated group kv { required int32 k; optional int32 v; } }"
    (field,) = fields_of(schema_of(text))
    assert levels(field) == [(0, 1, 0, 2), (2, 2, 1, 0), (2, 3, 1, 0)]


def test_the_leaf_with_the_fewest_entries_represents():
    text = """optional group s { repeated int32 many; optional group t { repeated int32 x;
              optional int32 few; } optional int32 also; }"""
    (field,) = fields_of(schema_of(text))
    assert field.representative.dotted == "s.t.few"
    assert not field.is_flat
    assert fields_of(schema_of("optional int32 a;"))[0].is_flat
    assert not fields_of(schema_of("repeated int32 a;"))[0].is_flat


def test_groups_without_columns_are_left_out():
    schema = schema_of(
        """optional group nothing { } optional group s { required int32 a; optional group none { } }
           optional group l (LIST) { repeated group list { } }"""
    )
    assert [told(field) for field in fields_of(schema)] == ["struct<a: int32>?"]


def test_sixty_levels_deep():
    text = "optional int32 x;"
    for _ in range(60):
        text = f"repeated group x {{ {text} }}"
    field = field_of(schema_of(text).root.children[0])
    assert told(field).startswith("list<struct<x: list<struct<x: ")
    assert field.leaves[0].max_repetition == 60


NESTED = """
    required int64 id;
    optional group li (LIST) { repeated group list { optional int64 element; } }
    optional group ls (LIST) { repeated group list { optional group element {
        optional int32 a; optional group in.ner { optional int64 b.c; optional int64 d; } } } }
    optional group m (MAP) { repeated group key_value { required binary key;
        optional group value { optional int32 p; optional int32 q; } } }
    optional group old (LIST) { repeated group array { required int32 list; required int32 y; } }
    repeated group bare { optional int32 g; optional int32 h; }
    required int64 s.t;
    optional group s { optional int64 t; optional int64 u; }
    optional group v (VARIANT) { required binary metadata; optional binary value; }
    optional group ll (LIST) { repeated group list { optional group element (LIST) {
        repeated group list { optional group element { optional int32 z; optional int32 w; } } } } }
"""


@pytest.mark.parametrize(
    ("names", "leaves"),
    [
        (["id"], ["id"]),
        (["s", "id"], ["s.t", "s.u", "id"]),
        (["li"], ["li.list.element"]),
        (["li.list.element"], ["li.list.element"]),
        (["li.element"], ["li.list.element"]),
        (["ls.a"], ["ls.list.element.a"]),
        (["ls.list.element.a"], ["ls.list.element.a"]),
        (["ls.list.item.a"], ["ls.list.element.a"]),
        (["ls.element.in.ner.b.c"], ["ls.list.element.in.ner.b.c"]),
        (["ls.in.ner"], ["ls.list.element.in.ner.b.c", "ls.list.element.in.ner.d"]),
        ([("ls", "in.ner", "d")], ["ls.list.element.in.ner.d"]),
        (["m.value.q"], ["m.key_value.key", "m.key_value.value.q"]),
        (["m.key_value.value.p"], ["m.key_value.key", "m.key_value.value.p"]),
        (["m.key"], ["m.key_value.key"]),
        (
            ["m.key_value"],
            ["m.key_value.key", "m.key_value.value.p", "m.key_value.value.q"],
        ),
        (["old.list"], ["old.array.list"]),
        (["old.array.list"], ["old.array.list"]),
        (["old.element.list"], ["old.array.list"]),
        (["old.y"], ["old.array.y"]),
        (["bare.h"], ["bare.h"]),
        (["s.u", "id", "s.t"], ["s.u", "id", "s.t"]),
        ([("s", "t")], ["s.t"]),
        (["v.value"], ["v.value"]),
        (["ll.w"], ["ll.list.element.list.element.w"]),
        (["ll.list.element.list.element.z"], ["ll.list.element.list.element.z"]),
        (["id", "id"], ["id"]),
    ],
)
def test_parts_by_their_paths(names, leaves):
    found = project(fields_of(schema_of(NESTED)), names)
    assert [leaf.dotted for field in found for leaf in field.leaves] == leaves


def test_parts_of_one_column_come_together_in_the_order_of_the_schema():
    fields = fields_of(schema_of(NESTED))
    (field,) = project(fields, ["ls.in.ner.d", "ls.a"])
    assert told(field) == "list<struct<a: int32?, in.ner: struct<d: int64?>?>?>?"
    assert project(fields, ["ls.a", "ls"]) == project(fields, ["ls"]) == (fields[2],)


def test_what_is_left_of_maps_and_variants():
    fields = fields_of(schema_of(NESTED))
    (part,) = project(fields, ["m.value.q"])
    assert told(part) == "map<byte_array, struct<q: int32?>?>?"
    (keys,) = project(fields, ["m.key"])
    assert told(keys) == "list<byte_array>?"
    (value,) = project(fields, ["v.value"])
    assert told(value) == "struct<value: byte_array?>?"
    variant = fields[8]
    assert pruned(variant, {leaf.column_index for leaf in variant.leaves}) == variant


def test_a_name_that_two_columns_have_means_both():
    schema = schema_of("optional int32 a; optional int64 b; optional int64 a;")
    assert [told(field) for field in project(fields_of(schema), ["a"])] == ["int32?", "int64?"]


@pytest.mark.parametrize(
    "name", ["nope", "ls.nope", "id.x", "li.list.element.x", ("s.t", "u"), "", "."]
)
def test_paths_that_lead_nowhere(name):
    with pytest.raises(ColumnMissing, match="there is no column"):
        project(fields_of(schema_of(NESTED)), [name])


def test_close_names_are_told():
    with pytest.raises(ColumnMissing, match=r"did you mean 'ls\.list\.element\.a'"):
        project(fields_of(schema_of(NESTED)), ["ls.list.elemnt.a"])
