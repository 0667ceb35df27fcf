"""The footer's Arrow schema, as we write it: pyarrow reads from it what it would have written."""

from __future__ import annotations

import base64

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from parquet_arrow_data import OTHER_LEAVES, PLAIN_LEAVES, typed

from hocket.parquet.assemble.arrow_hints import parse_arrow_schema
from hocket.parquet.intake.arrow_capsules import arrow_type_of
from hocket.parquet.intake.arrow_schema import arrow_schema_value, needs_arrow_schema
from hocket.parquet.intake.arrow_type import ArrowType
from hocket.parquet.intake.flatbuffer import Scalar, Table, flatbuffer

#: Types that are something else once they have been stored.
BECOME = {
    pa.date64(): pa.date32(),
    pa.time32("s"): pa.time32("ms"),
    pa.timestamp("s"): pa.timestamp("ms"),
    pa.timestamp("s", "Asia/Tokyo"): pa.timestamp("ms", "Asia/Tokyo"),
    pa.binary(0): pa.binary(),
    pa.string_view(): pa.string(),
    pa.binary_view(): pa.binary(),
    pa.month_day_nano_interval(): pa.binary(12),
    pa.list_view(pa.int8()): pa.list_(pa.int8()),
    pa.large_list_view(pa.int8()): pa.large_list(pa.int8()),
    pa.run_end_encoded(pa.int16(), pa.string()): pa.string(),
    pa.dictionary(pa.int8(), pa.bool_()): pa.bool_(),
}

NEEDED = [
    pa.large_string(),
    pa.large_binary(),
    pa.timestamp("us", "Europe/Berlin"),
    pa.duration("s"),
    pa.duration("ns"),
    pa.decimal32(5, 2),
    pa.decimal64(5, 2),
    pa.decimal256(5, 2),
    pa.large_list(pa.int8()),
    pa.list_(pa.int8(), 3),
    pa.map_(pa.string(), pa.int8(), keys_sorted=True),
    pa.dictionary(pa.int8(), pa.string()),
    pa.dictionary(pa.uint32(), pa.int64(), ordered=True),
    pa.list_(pa.dictionary(pa.int32(), pa.string())),
    pa.struct([pa.field("a", pa.duration("ms"), metadata={"k": "v"})]),
    pa.fixed_shape_tensor(pa.float32(), (2, 2)),
]
NEEDLESS = [
    pa.null(),
    pa.int8(),
    pa.uint64(),
    pa.float16(),
    pa.bool_(),
    pa.string(),
    pa.binary(),
    pa.binary(4),
    pa.date32(),
    pa.time64("ns"),
    pa.timestamp("ns"),
    pa.timestamp("ms", "UTC"),
    pa.decimal128(20, 2),
    pa.decimal256(50, 2),
    pa.list_(pa.string()),
    pa.struct([("a", pa.int8())]),
    pa.map_(pa.string(), pa.list_(pa.int8())),
    pa.uuid(),
    pa.json_(),
    pa.bool8(),
    *BECOME,
]


def ours(schema):
    return arrow_type_of(schema).children


def read(value):
    return pa.ipc.read_schema(pa.BufferReader(base64.b64decode(value)))


@pytest.mark.parametrize("kind", NEEDED, ids=str)
def test_what_parquet_cannot_say_is_told(kind):
    schema = pa.schema(
        [pa.field("wörter", kind, metadata={"k": "v"}), pa.field("", kind, nullable=False)]
    )
    assert read(arrow_schema_value(ours(schema))).equals(schema, check_metadata=True)
    assert needs_arrow_schema(ours(pa.schema([pa.field("x", kind)])))


@pytest.mark.parametrize("kind", NEEDLESS, ids=str)
def test_what_parquet_says_needs_no_more(kind):
    schema = pa.schema([pa.field("x", kind, metadata={"PARQUET:field_id": "3"})])
    needs = kind in {pa.timestamp("s", "Asia/Tokyo"), pa.large_list_view(pa.int8())}
    assert needs_arrow_schema(ours(schema)) == needs
    told = read(arrow_schema_value(ours(schema))).field("x")
    assert told.type == {**BECOME, pa.bool8(): pa.bool_()}.get(kind, kind)


@given(st.lists(typed(PLAIN_LEAVES + OTHER_LEAVES, 3), max_size=4))
def test_schemas_of_any_shape(drawn):
    schema = pa.schema([pa.field(f"x{index}", kind) for index, (kind, _) in enumerate(drawn)])
    types = ours(schema)
    value = arrow_schema_value(types)
    # What is stored is told again without a change.
    stored = read(value)
    assert read(arrow_schema_value(ours(stored))) == stored
    hints = parse_arrow_schema(value)
    assert list(hints) == schema.names
    for name, hint in hints.items():
        field = stored.field(name)
        assert hint.is_dictionary == pa.types.is_dictionary(field.type)
        assert len(hint.children) == field.type.num_fields


def test_our_reader_finds_units_zones_and_extensions():
    extension = {"ARROW:extension:name": b"a.b", "ARROW:extension:metadata": b"c"}
    types = [
        ArrowType("t", "tsu:Asia/Tokyo"),
        ArrowType("d", "tDm"),
        ArrowType("c", "i", dictionary=ArrowType("", "u"), is_ordered=True),
        ArrowType("e", "l", metadata=extension),
    ]
    hints = parse_arrow_schema(arrow_schema_value(types))
    assert (hints["t"].unit, hints["t"].timezone) == ("us", "Asia/Tokyo")
    assert hints["d"].duration_unit == "ms"
    assert (hints["c"].is_dictionary, hints["c"].ordered) == (True, True)
    assert hints["e"].extension == ("a.b", "c")


def test_tables_lie_where_their_numbers_want_to():
    raw = flatbuffer(Table({0: "text", 2: Scalar("q", -2), 3: Scalar("B", 7), 4: None}))
    (root,) = memoryview(raw[:4]).cast("I")
    description = root - int.from_bytes(raw[root : root + 4], "little", signed=True)
    # Four fields, of which the second is not there; the long one on a multiple of 8.
    size, _, *places = memoryview(raw[description : description + 12]).cast("H")
    assert size == 12
    assert places[1] == 0
    long = root + places[2]
    assert long % 8 == 0
    assert int.from_bytes(raw[long : long + 8], "little", signed=True) == -2
    assert raw[root + places[3]] == 7
