"""Columns of any type and depth as Python values."""

from __future__ import annotations

import datetime as dt
import io
import uuid
from decimal import Decimal

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from parquet_slow_decoder import decoded, leaf

from hocket.parquet.assemble import python_scalars as scalars
from hocket.parquet.assemble.arrow_hints import ArrowHint
from hocket.parquet.assemble.values import ValueOptions, ValueReader
from hocket.parquet.decode.column import ColumnData
from hocket.parquet.errors import CorruptFile, InvalidOption
from hocket.parquet.metadata.schema import LogicalKind as Kind
from hocket.parquet.metadata.schema import LogicalType, Repetition, SchemaNode
from hocket.parquet.metadata.schema import PhysicalType as Physical
from hocket.parquet.nesting.fields import field_of

EPOCH = dt.datetime(1970, 1, 1)  # noqa: DTZ001  local times have no zone
MICROSECOND = dt.timedelta(microseconds=1)
PER_SECOND = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}


def read(node, values, *, hint=None, **options):
    reader = ValueReader(field_of(node), hint, ValueOptions(**options))
    (target,) = reader.targets
    return reader.read([decoded(node, target, values)], len(values))


LEAVES = [
    (leaf(Physical.BOOLEAN), [True, None], [True, None]),
    (leaf(Physical.INT64), [2**62, None], [2**62, None]),
    (leaf(Physical.INT32, Kind.INTEGER, bit_width=8, is_signed=False), [255], [255]),
    (leaf(Physical.DOUBLE), [1.5, None], [1.5, None]),
    (leaf(Physical.BYTE_ARRAY), [b"a\0", None, b""], [b"a\0", None, b""]),
    (leaf(Physical.BYTE_ARRAY, Kind.STRING), ["é".encode(), None], ["é", None]),
    (leaf(Physical.FIXED_LEN_BYTE_ARRAY, length=2), [b"a\0", None], [b"a\0", None]),
    (
        leaf(Physical.FIXED_LEN_BYTE_ARRAY, Kind.UUID, length=16),
        [bytes(range(16))],
        [uuid.UUID(bytes=bytes(range(16)))],
    ),
    (
        leaf(Physical.INT64, Kind.DECIMAL, precision=18, scale=3),
        [-1, None, 10**17],
        [Decimal("-0.001"), None, Decimal("1e14")],
    ),
    (
        leaf(Physical.INT32, Kind.DATE),
        [0, None, 2_932_896, 2_932_897, -719_163],
        [
            dt.date(1970, 1, 1),
            None,
            dt.date(9999, 12, 31),
            np.datetime64(2_932_897, "D"),
            np.datetime64(-719_163, "D"),
        ],
    ),
    (
        leaf(Physical.INT32, Kind.TIME, unit="ms"),
        [0, None, 86_399_999, 86_400_000, -1],
        [
            dt.time(0),
            None,
            dt.time(23, 59, 59, 999_000),
            np.timedelta64(86_400_000, "ms"),
            np.timedelta64(-1, "ms"),
        ],
    ),
    (
        leaf(Physical.INT64, Kind.TIME, unit="ns"),
        [1_000, 1_001],
        [dt.time(0, 0, 0, 1), np.timedelta64(1_001, "ns")],
    ),
    (
        leaf(Physical.INT64, Kind.TIMESTAMP, unit="ms"),
        [1, None, 2**62],
        [EPOCH + dt.timedelta(milliseconds=1), None, np.datetime64(2**62, "ms")],
    ),
    (
        leaf(Physical.INT64, Kind.TIMESTAMP, unit="us", is_utc=True),
        [0, -(2**62)],
        [dt.datetime(1970, 1, 1, tzinfo=dt.UTC), np.datetime64(-(2**62), "us")],
    ),
    (
        leaf(Physical.INT64, Kind.TIMESTAMP, unit="ns", is_utc=True),
        [1, None],
        [pd.Timestamp(1, tz="UTC"), None],
    ),
    (
        leaf(Physical.FIXED_LEN_BYTE_ARRAY, Kind.INTERVAL, length=12),
        [b"\xff" * 12, None],
        [(2**32 - 1, 2**32 - 1, (2**32 - 1) * 10**6), None],
    ),
    (leaf(Physical.INT32, Kind.UNKNOWN), [None, None], [None, None]),
    (leaf(Physical.BYTE_ARRAY, Kind.JSON), [b"[1]", None], ["[1]", None]),
]


@pytest.mark.parametrize(("node", "stored", "values"), LEAVES)
def test_leaves(node, stored, values):
    result = read(node, stored)
    assert result == values
    assert [type(each) for each in result] == [
        scalars.Interval if type(each) is tuple else type(each) for each in values
    ]


def test_options():
    node = leaf(Physical.FIXED_LEN_BYTE_ARRAY, Kind.UUID, length=16)
    assert read(node, [bytes(16)], uuids="bytes") == [bytes(16)]
    assert read(leaf(Physical.BYTE_ARRAY, Kind.STRING), [b"\xff"], text=False) == [b"\xff"]
    assert read(leaf(Physical.BYTE_ARRAY, Kind.JSON), [b'{"a": 1}'], decode_json=True) == [{"a": 1}]
    with pytest.raises(InvalidOption, match="maps"):
        ValueOptions(maps="tuples")


def test_hints_of_arrow():
    zone = ArrowHint("x", 10, "us", "Europe/Berlin")
    node = leaf(Physical.INT64, Kind.TIMESTAMP, unit="us", is_utc=True)
    (value,) = read(node, [0], hint=zone)
    assert value.isoformat() == "1970-01-01T01:00:00+01:00"
    assert read(leaf(Physical.INT64), [5, None], hint=ArrowHint("x", 18, "ms")) == [
        dt.timedelta(milliseconds=5),
        None,
    ]


@pytest.mark.parametrize("text", [b"{", b"[" * 100_000, b"NaN!"])
def test_what_is_no_json(text):
    with pytest.raises(CorruptFile, match="not JSON"):
        read(leaf(Physical.BYTE_ARRAY, Kind.JSON), [text], decode_json=True)


@given(st.lists(st.integers(-(2**127), 2**127 - 1)), st.integers(0, 38))
def test_decimals_of_16_bytes(integers, scale):
    raw = b"".join(each.to_bytes(16, "little", signed=True) for each in integers)
    result = scalars.decimal_list(np.frombuffer(raw, "V16"), scale)
    assert [each.as_tuple().exponent for each in result] == [-scale] * len(integers)
    assert [int(each.scaleb(scale, scalars._EXACT)) for each in result] == integers


@given(st.lists(st.integers(-(2**63) + 1, 2**63 - 1)), st.sampled_from(["s", "ms", "us", "ns"]))
def test_no_count_of_a_unit_is_lost(counts, unit):
    array = np.array(counts, np.int64)
    for zone in (None, dt.UTC, dt.timezone(dt.timedelta(hours=-23, minutes=-59))):
        for value, count in zip(scalars.timestamp_list(array, unit, zone), counts, strict=True):
            stamp = value
            if isinstance(value, pd.Timestamp):
                assert value.as_unit("ns").value == count
                continue
            if isinstance(value, dt.datetime):
                assert (value.tzinfo is None) == (zone is None)
                stamp = value.astimezone(dt.UTC).replace(tzinfo=None) if zone else value
            assert np.datetime64(stamp, unit).astype(np.int64) == count
    for function in (scalars.time_list, scalars.timedelta_list):
        for value, count in zip(function(array, unit), counts, strict=True):
            span = value
            if isinstance(value, dt.time):
                span = dt.timedelta(0, value.second, value.microsecond, 0, value.minute, value.hour)
            if isinstance(value, pd.Timedelta):
                assert value.value == count
            elif isinstance(span, dt.timedelta):
                # NumPy itself would let some of these overflow.
                assert span // MICROSECOND == count * 10**6 // PER_SECOND[unit]
            else:
                assert span.astype(np.int64) == count


# -------------------------------------------------------------------------------------- nesting


def group(name, repetition, parent, kind=Kind.NONE):
    """Return a group without children yet."""
    definition, levels, slot = parent.max_definition, parent.max_repetition, parent.slot_definition
    definition += repetition is not Repetition.REQUIRED
    if repetition is Repetition.REPEATED:
        levels, slot = levels + 1, definition
    return SchemaNode(
        name,
        parent,
        repetition,
        None,
        LogicalType(kind),
        None,
        None,
        0,
        definition,
        levels,
        slot,
        -1,
    )


def member(name, parent, index, physical=Physical.INT64, kind=Kind.NONE, *, required=False):
    """Return a leaf in a group."""
    node = group(name, Repetition.REQUIRED if required else Repetition.OPTIONAL, parent)
    node.physical, node.column_index, node.logical = physical, index, LogicalType(kind)
    return node


def entries(node, target, values, definitions, repetitions=None):
    """Return a decoded leaf with levels; values are those of its slots."""
    column = decoded(node, target, values)
    column.definition_levels = np.array(definitions, np.uint8)
    if repetitions is not None:
        column.repetition_levels = np.array(repetitions, np.uint8)
    column.level_count = len(definitions)
    column.row_count = len(definitions) if repetitions is None else repetitions.count(0)
    return column


def map_column():
    root = leaf(Physical.INT64).parent
    outer = group("m", Repetition.OPTIONAL, root, Kind.MAP)
    pairs = group("key_value", Repetition.REPEATED, outer)
    key = member("key", pairs, 0, Physical.BYTE_ARRAY, Kind.STRING, required=True)
    value = member("value", pairs, 1)
    pairs.children, outer.children = (key, value), (pairs,)
    return outer, key, value


def read_map(**options) -> list:
    outer, key, value = map_column()
    reader = ValueReader(field_of(outer), None, ValueOptions(**options))
    of_key, of_value = reader.targets
    # Rows: {a: 1, b: None}, None, {}, {a: 2, a: 3}
    repetitions = [0, 1, 0, 0, 0, 1]
    columns = [
        entries(key, of_key, [b"a", b"b", b"a", b"a"], [2, 2, 0, 1, 2, 2], repetitions),
        entries(value, of_value, [1, None, 2, 3], [3, 2, 0, 1, 3, 3], repetitions),
    ]
    return reader.read(columns, 4)


def test_maps():
    assert read_map() == [{"a": 1, "b": None}, None, {}, {"a": 3}]
    assert read_map(maps="pairs") == [[("a", 1), ("b", None)], None, [], [("a", 2), ("a", 3)]]


def test_structs_and_what_is_missing_in_them():
    root = leaf(Physical.INT64).parent
    outer = group("s", Repetition.OPTIONAL, root)
    left, right = member("a", outer, 0), member("b", outer, 1, required=True)
    outer.children = (left, right)
    reader = ValueReader(field_of(outer))
    of_left, of_right = reader.targets
    columns: list[ColumnData] = [
        entries(left, of_left, [1, None, None], [2, 1, 0]),
        entries(right, of_right, [5, 6, None], [1, 1, 0]),
    ]
    assert reader.read(columns, 3) == [{"a": 1, "b": 5}, {"a": None, "b": 6}, None]


def test_deep_columns_of_a_file():
    pa = pytest.importorskip("pyarrow")
    import pyarrow.parquet as pq  # noqa: PLC0415  only if it is there

    from hocket.parquet import ParquetFile  # noqa: PLC0415

    rows = [
        {"a": [[1, None], None, []], "b": {"c": [{"d": Decimal("1.50"), "e": b"\0"}, None]}},
        None,
        {"a": None, "b": None},
        {"a": [], "b": {"c": []}},
    ]
    kind = pa.struct(
        [
            ("a", pa.list_(pa.list_(pa.int32()))),
            (
                "b",
                pa.struct(
                    [("c", pa.list_(pa.struct([("d", pa.decimal128(5, 2)), ("e", pa.binary())])))]
                ),
            ),
        ]
    )
    file = io.BytesIO()
    table = pa.table(
        {
            "x": pa.array(rows, kind),
            "m": pa.array(
                [[("k", [1])], None, [], [("k", None)]], pa.map_(pa.string(), pa.list_(pa.int8()))
            ),
        }
    )
    pq.write_table(table, file, row_group_size=3)
    result = ParquetFile(file.getvalue()).to_pandas(nested="python")
    assert result["x"].tolist() == rows
    assert result["m"].tolist() == [{"k": [1]}, None, {}, {"k": None}]
    arrow = ParquetFile(file.getvalue()).to_pandas()
    assert [type(each.dtype) for _, each in arrow.items()] == [pd.ArrowDtype] * 2
    assert arrow["x"].array._pa_array.to_pylist() == rows
