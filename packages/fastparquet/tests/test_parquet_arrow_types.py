"""Arrow types and buffers of every kind of leaf, without anything that reads Arrow."""

from __future__ import annotations

import base64
import json

import numpy as np
import pytest

from hocket.parquet.assemble.arrow_arrays import arrow_array, column_array
from hocket.parquet.assemble.arrow_hints import ArrowHint
from hocket.parquet.assemble.arrow_types import ArrowOptions, arrow_field, arrow_schema
from hocket.parquet.decode.column import ColumnData
from hocket.parquet.decode.target import Conversion
from hocket.parquet.errors import CorruptFile, InvalidOption, LimitExceeded
from hocket.parquet.metadata.schema import (
    LogicalKind,
    LogicalType,
    PhysicalType,
    Repetition,
    SchemaNode,
)
from hocket.parquet.nesting.assembly import FieldData, assemble_field
from hocket.parquet.nesting.fields import field_of

Kind, Physical = LogicalKind, PhysicalType
PLAIN = LogicalType(Kind.NONE)


def node_of(
    name="x",
    physical=Physical.INT64,
    logical=PLAIN,
    repetition=Repetition.OPTIONAL,
    *,
    parent=None,
    length=0,
    children=(),
    field_id=None,
):
    """Build a node; children are functions of their parent."""
    root = SchemaNode("root", None, Repetition.REQUIRED, None, PLAIN, None, None, 0, 0, 0, 0, -1)
    parent = parent or root
    definition = parent.max_definition + (repetition is not Repetition.REQUIRED)
    is_repeated = repetition is Repetition.REPEATED
    node = SchemaNode(
        name,
        parent,
        repetition,
        field_id,
        logical,
        None,
        physical,
        length,
        definition,
        parent.max_repetition + is_repeated,
        definition if is_repeated else parent.slot_definition,
        0 if physical is not None else -1,
    )
    node.children = tuple(make(node) for make in children)
    return node


def member(*args, **options):
    return lambda parent: node_of(*args, parent=parent, **options)


def group(*children, logical=PLAIN, name="x", repetition=Repetition.OPTIONAL):
    return node_of(name, None, logical, repetition, children=children)


def field_for(node, *, hint=None, key_value=None, **options):
    return arrow_field(
        field_of(node), hint=hint, key_value=key_value, options=ArrowOptions(**options)
    )


def logical(kind, **parameters):
    return LogicalType(kind, **parameters)


def decimal(precision, scale):
    return logical(Kind.DECIMAL, precision=precision, scale=scale)


TIMESTAMP_US = logical(Kind.TIMESTAMP, unit="us")
FIXED = Physical.FIXED_LEN_BYTE_ARRAY
BYTES = Physical.BYTE_ARRAY


@pytest.mark.parametrize(
    ("physical", "meaning", "length", "layout", "conversion"),
    [
        (Physical.BOOLEAN, PLAIN, 0, "b", Conversion.BOOLEAN_BYTES),
        (Physical.INT32, PLAIN, 0, "i", Conversion.COPY),
        (Physical.INT32, logical(Kind.INTEGER, bit_width=8), 0, "c", Conversion.NARROW_8),
        (
            Physical.INT32,
            logical(Kind.INTEGER, bit_width=16, is_signed=False),
            0,
            "S",
            Conversion.NARROW_16,
        ),
        (
            Physical.INT64,
            logical(Kind.INTEGER, bit_width=64, is_signed=False),
            0,
            "L",
            Conversion.COPY,
        ),
        (Physical.INT64, PLAIN, 0, "l", Conversion.COPY),
        (Physical.INT96, PLAIN, 0, "tsn:", Conversion.INT96_TO_NANOS),
        (Physical.FLOAT, PLAIN, 0, "f", Conversion.COPY),
        (Physical.DOUBLE, PLAIN, 0, "g", Conversion.COPY),
        (BYTES, PLAIN, 0, "Z", Conversion.COPY),
        (BYTES, logical(Kind.STRING), 0, "U", Conversion.COPY),
        (BYTES, logical(Kind.ENUM), 0, "U", Conversion.COPY),
        (BYTES, logical(Kind.JSON), 0, "U", Conversion.COPY),
        (BYTES, logical(Kind.BSON), 0, "Z", Conversion.COPY),
        (FIXED, PLAIN, 5, "w:5", Conversion.COPY),
        (FIXED, logical(Kind.FLOAT16), 2, "e", Conversion.COPY),
        (FIXED, logical(Kind.UUID), 16, "w:16", Conversion.COPY),
        (FIXED, logical(Kind.INTERVAL), 12, "tin", Conversion.COPY),
        (Physical.INT32, logical(Kind.DATE), 0, "tdD", Conversion.COPY),
        (Physical.INT32, logical(Kind.TIME, unit="ms"), 0, "ttm", Conversion.COPY),
        (Physical.INT64, logical(Kind.TIME, unit="ns"), 0, "ttn", Conversion.COPY),
        (Physical.INT64, TIMESTAMP_US, 0, "tsu:", Conversion.COPY),
        (
            Physical.INT64,
            logical(Kind.TIMESTAMP, unit="ms", is_utc=True),
            0,
            "tsm:UTC",
            Conversion.COPY,
        ),
        (Physical.INT32, decimal(5, 2), 0, "d:5,2", Conversion.WIDEN_128),
        (Physical.INT64, decimal(18, 0), 0, "d:18,0", Conversion.WIDEN_128),
        (Physical.INT64, decimal(60, 0), 0, "d:38,0", Conversion.WIDEN_128),
        (FIXED, decimal(38, 9), 16, "d:38,9", Conversion.BIG_ENDIAN_128),
        (FIXED, decimal(38, 9), 20, "d:38,9", Conversion.BIG_ENDIAN_128),
        (BYTES, decimal(39, 9), 0, "d:39,9,256", Conversion.BIG_ENDIAN_256),
        (BYTES, decimal(77, 9), 0, "Z", Conversion.COPY),
        (FIXED, decimal(90, 9), 40, "w:40", Conversion.COPY),
        (Physical.INT32, logical(Kind.UNKNOWN), 0, "n", Conversion.COPY),
        (Physical.INT96, logical(Kind.UNKNOWN), 0, "n", Conversion.INT96_TO_NANOS),
        (Physical.INT64, logical(Kind.UNRECOGNISED), 0, "l", Conversion.COPY),
    ],
)
def test_a_leaf_is(physical, meaning, length, layout, conversion):
    made = field_for(node_of("x", physical, meaning, length=length))
    assert made.format == layout
    assert made.target.conversion is conversion
    assert made.nullable


def test_what_is_required_cannot_be_null_unless_it_always_is():
    assert not field_for(node_of(repetition=Repetition.REQUIRED)).nullable
    unknown = node_of("x", Physical.INT32, logical(Kind.UNKNOWN), Repetition.REQUIRED)
    assert field_for(unknown).nullable


def test_the_unit_of_int96_is_chosen():
    node = node_of("x", Physical.INT96)
    made = field_for(node, int96_unit="us")
    assert made.format == "tsu:"
    assert made.target.conversion is Conversion.INT96_TO_MICROS
    with pytest.raises(InvalidOption, match="int96_unit is 'days'"):
        ArrowOptions(int96_unit="days")


@pytest.mark.parametrize(
    ("zone", "told"),
    [
        ("Europe/Berlin", "Europe/Berlin"),
        ("+05:30", "+05:30"),
        (None, "UTC"),
        ("", "UTC"),
        ("a\0b", "UTC"),
        ("é", "UTC"),
        ("x" * 101, "UTC"),
    ],
)
def test_time_zones_come_from_hints(zone, told):
    node = node_of("x", Physical.INT64, logical(Kind.TIMESTAMP, unit="us", is_utc=True))
    assert field_for(node, hint=ArrowHint("x", 10, "us", zone)).format == f"tsu:{told}"
    local = node_of("x", Physical.INT64, TIMESTAMP_US)
    assert field_for(local, hint=ArrowHint("x", 10, "us", zone)).format == "tsu:"


def test_durations_come_from_hints():
    hint = ArrowHint("x", 18, "ms")
    assert field_for(node_of(), hint=hint).format == "tDm"
    assert field_for(node_of(), hint=ArrowHint("x", 18, "")).format == "l"
    assert field_for(node_of("x", Physical.INT32), hint=hint).format == "i"
    counted = node_of("x", Physical.INT64, logical(Kind.INTEGER, bit_width=64))
    assert field_for(counted, hint=hint).format == "l"


def test_dictionaries_come_from_hints_or_are_named():
    text = node_of("x", BYTES, logical(Kind.STRING))
    hint = ArrowHint("x", 5, is_dictionary=True, ordered=True)
    made = field_for(text, hint=hint)
    assert (made.format, made.dictionary.format) == ("i", "U")
    assert made.is_ordered
    assert made.target.keep_dictionary
    assert not made.dictionary.target.keep_dictionary
    assert field_for(text, hint=hint, dictionaries=()).dictionary is None
    assert field_for(text, dictionaries=["x"]).dictionary is not None
    truth = node_of("x", Physical.BOOLEAN)
    assert field_for(truth, dictionaries=["x"]).dictionary is None


EXTENSION = ("ARROW:extension:name", "ARROW:extension:metadata")


def extension_of(made):
    return tuple(made.metadata.get(key) for key in EXTENSION)


def test_extension_types_and_field_ids():
    uuid = node_of("x", FIXED, logical(Kind.UUID), length=16, field_id=7)
    assert field_for(uuid).metadata == {
        "PARQUET:field_id": "7",
        EXTENSION[0]: "arrow.uuid",
        EXTENSION[1]: "",
    }
    assert field_for(uuid, extension_types=False).metadata == {"PARQUET:field_id": "7"}
    document = node_of("x", BYTES, logical(Kind.JSON))
    assert extension_of(field_for(document)) == ("arrow.json", "")
    variant = group(
        member("metadata", BYTES), member("value", BYTES), logical=logical(Kind.VARIANT)
    )
    assert extension_of(field_for(variant)) == ("arrow.parquet.variant", "")
    assert extension_of(field_for(variant, extension_types=False)) == (None, None)
    members = (member("metadata", BYTES), member("value", BYTES), member("typed_value"))
    shredded = group(*members, logical=logical(Kind.VARIANT))
    whole = field_for(shredded)
    assert extension_of(whole) == ("arrow.parquet.variant", "")
    assert [child.name for child in whole.children] == ["metadata", "value"]
    assert len(list(whole.targets())) == 3
    assert extension_of(field_for(shredded, variants="stored")) == (None, None)


@pytest.mark.parametrize(
    ("crs", "described"),
    [
        (None, {"crs": "OGC:CRS84", "crs_type": "authority_code"}),
        ("EPSG:5070", {"crs": "EPSG:5070", "crs_type": "authority_code"}),
        ("srid:5070", {"crs": "5070", "crs_type": "srid"}),
        ("projjson:here", {"crs": {"name": "here"}, "crs_type": "projjson"}),
        ("projjson:not here", {"crs": "projjson:not here"}),
        ('{"name": "there"}', {"crs": {"name": "there"}, "crs_type": "projjson"}),
        ("{" * 100_000, {"crs": "{" * 100_000}),
        ('{"a":' * 100_000, {"crs": '{"a":' * 100_000}),
        ("any words", {"crs": "any words"}),
    ],
)
def test_geometries(crs, described):
    node = node_of("x", BYTES, logical(Kind.GEOMETRY, crs=crs))
    made = field_for(node, key_value={"here": '{"name": "here"}'})
    name, text = extension_of(made)
    assert (made.format, name) == ("Z", "geoarrow.wkb")
    assert json.loads(text) == described


def test_geographies_have_edges():
    node = node_of("x", BYTES, logical(Kind.GEOGRAPHY, algorithm="karney"))
    assert json.loads(extension_of(field_for(node))[1])["edges"] == "karney"


@pytest.mark.parametrize(
    ("name", "layout", "is_kept"),
    [
        ("pandas.period", Physical.INT64, True),
        ("mine", BYTES, False),
        ("geoarrow.wkt", BYTES, True),
        ("arrow.py_extension_type", Physical.INT64, False),
    ],
)
def test_extension_types_of_hints(name, layout, is_kept):
    hint = ArrowHint("x", 2, extension=(name, "told"))
    made = field_for(node_of("x", layout), hint=hint)
    assert extension_of(made) == ((name, "told") if is_kept else (None, None))
    assert extension_of(field_for(node_of(), hint=hint, extension_types=False)) == (None, None)


def test_hints_reach_what_is_nested():
    stamp = logical(Kind.TIMESTAMP, unit="us", is_utc=True)
    inner = ArrowHint("t", 10, "us", "Asia/Tokyo")
    node = group(
        member(
            "list",
            None,
            repetition=Repetition.REPEATED,
            children=(member("element", None, children=(member("t", Physical.INT64, stamp),)),),
        ),
        logical=logical(Kind.LIST),
    )
    hint = ArrowHint("x", 12, children=(ArrowHint("element", 13, children=(inner,)),))
    made = field_for(node, hint=hint)
    assert made.format == "+l"
    assert made.children[0].children[0].format == "tsu:Asia/Tokyo"
    assert field_for(node, wide_offsets=True).format == "+L"
    assert [leaf.dotted for leaf, _ in made.targets()] == ["x.list.element.t"]


def map_node():
    members = (member("k", repetition=Repetition.OPTIONAL), member("v"))
    entries = member("kv", None, repetition=Repetition.REPEATED, children=members)
    return group(entries, logical=logical(Kind.MAP))


def test_a_map_has_entries_and_keys_that_are_there():
    hints = (ArrowHint("a", 2), ArrowHint("b", 18, "s"))
    hint = ArrowHint("x", 17, children=(ArrowHint("e", 13, children=hints),))
    made = field_for(map_node(), hint=hint)
    (entries,) = made.children
    assert (made.format, entries.format, entries.name) == ("+m", "+s", "entries")
    assert [(each.name, each.nullable, each.format) for each in entries.children] == [
        ("key", False, "l"),
        ("value", True, "tDs"),
    ]


def test_a_schema_has_the_metadata_of_the_file_but_for_arrows_own():
    fields = [field_of(node_of("a")), field_of(node_of("b", BYTES))]
    key_value = {"ARROW:schema": base64.b64encode(b"x"), "pandas": "{}"}
    made = arrow_schema(fields, hints={"a": ArrowHint("a", 18, "ns")}, key_value=key_value)
    assert made.names == ["a", "b"]
    assert [each.format for each in made.fields] == ["tDn", "Z"]
    assert made.metadata == {"pandas": "{}"}


# ------------------------------------------------------------------------------------- buffers


def column_of(node, made, valid=None, **arrays):
    first = next(iter(arrays.values()))
    count = len(first) - ("offsets" in arrays)
    valid = None if valid is None else np.array(valid)
    nulls = 0 if valid is None else int((~valid).sum())
    return ColumnData(node, made.target, count, nulls, valid=valid, **arrays)


def test_numbers_are_shared_and_validity_becomes_bits():
    node = node_of()
    made = field_for(node)
    values = np.arange(10)
    array = column_array(made, column_of(node, made, [True] * 9 + [False], values=values))
    assert (array.length, array.null_count) == (10, 1)
    assert array.buffers[1] is values
    assert array.buffers[0].tolist() == [255, 1, 0, 0, 0, 0, 0, 0]
    assert array.nbytes == 88
    assert column_array(made, column_of(node, made, values=values)).buffers[0] is None


def test_what_is_required_has_no_bits_where_its_parent_is_missing():
    node = group(member("a", repetition=Repetition.REQUIRED))
    made = field_for(node)
    leaf = node.children[0]
    column = column_of(leaf, made.children[0], [True, False], values=np.array([1, 0]))
    column.definition_levels = np.array([1, 0], np.uint8)
    column.level_count = 2
    array = arrow_array(made, assemble_field(field_of(node), {0: column}, 2))
    assert array.buffers[0].tolist() == [1, 0, 0, 0, 0, 0, 0, 0]
    assert array.children[0].buffers[0] is None
    assert array.children[0].null_count == 0


def test_booleans_become_bits():
    node = node_of("x", Physical.BOOLEAN)
    made = field_for(node)
    array = column_array(made, column_of(node, made, values=np.array([True, False, True])))
    assert array.buffers[1].tolist() == [5, 0, 0, 0, 0, 0, 0, 0]


def test_intervals_get_nanoseconds():
    node = node_of("x", FIXED, logical(Kind.INTERVAL), length=12)
    made = field_for(node)
    values = np.array([(1, 2, 3), (0, 0, 0xFFFFFFFF)], "<u4,<u4,<u4").view("V12")
    array = column_array(made, column_of(node, made, values=values))
    assert array.buffers[1].tolist() == [(1, 2, 3_000_000), (0, 0, 0xFFFFFFFF * 1_000_000)]
    values = np.array([(1 << 31, 0, 0)], "<u4,<u4,<u4").view("V12")
    with pytest.raises(CorruptFile, match="2147483648 months or days"):
        column_array(made, column_of(node, made, values=values))


def test_nulls_have_no_buffers():
    node = node_of("x", Physical.INT32, logical(Kind.UNKNOWN))
    made = field_for(node)
    column = column_of(node, made, [False] * 3, values=np.zeros(3, "i4"))
    array = column_array(made, column)
    assert (array.length, array.null_count, array.buffers) == (3, 3, ())


def words(node, made, texts):
    data = np.frombuffer(b"".join(texts), np.uint8)
    return column_of(node, made, offsets=np.cumsum([0, *map(len, texts)]), data=data)


def test_codes_of_missing_values_are_no_longer_negative():
    node = node_of("x", BYTES, logical(Kind.STRING))
    made = field_for(node, dictionaries=["x"])
    codes = np.array([1, -1, 0], np.int32)
    column = column_of(node, made, [True, False, True], codes=codes)
    column.dictionary = words(node, made, [b"a", b"bc"])
    array = column_array(made, column)
    assert array.buffers[1].tolist() == [1, 0, 0]
    assert codes.tolist() == [1, -1, 0]
    assert (array.null_count, array.dictionary.length) == (1, 2)
    assert array.nbytes == 8 + 12 + 24 + 3


def test_too_many_values_for_a_dictionary_are_one_each():
    node = node_of("x", BYTES, logical(Kind.STRING))
    made = field_for(node, dictionaries=["x"])
    column = words(node, made, [b"a", b"a", b""])
    column.valid, column.null_count = np.array([True, True, False]), 1
    array = column_array(made, column)
    assert array.buffers[1].tolist() == [0, 1, 2]
    assert array.buffers[0][0] == 3
    assert (array.dictionary.length, array.dictionary.null_count) == (3, 0)
    plain = field_for(node)
    column = column_of(node, plain, codes=np.zeros(1, np.int32))
    with pytest.raises(TypeError, match="decoded to codes"):
        column_array(plain, column)


def test_a_key_that_is_missing():
    node = map_node()
    made = field_for(node)
    field = field_of(node)
    leaves = node.children[0].children
    keys = column_of(leaves[0], made, [True, False], values=np.array([1, 0]))
    values = column_of(leaves[1], made, values=np.array([1, 2]))
    parts = tuple(
        FieldData(child, 2, column.null_count, column.valid, column=column)
        for child, column in zip(field.children, (keys, values), strict=True)
    )
    data = FieldData(field, 1, 0, offsets=np.array([0, 2], np.int32), children=parts)
    with pytest.raises(CorruptFile, match="1 keys of a map are missing"):
        arrow_array(made, data)


def test_more_entries_than_a_map_can_have():
    node = map_node()
    data = FieldData(field_of(node), 1, 0, offsets=np.array([0, 1 << 31]))
    with pytest.raises(LimitExceeded, match="2147483648 entries"):
        arrow_array(field_for(node), data)
