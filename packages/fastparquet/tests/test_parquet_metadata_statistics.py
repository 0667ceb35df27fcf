"""Statistics: which bounds are believed, what values they are, and values as bytes."""

from __future__ import annotations

import datetime as dt
import math
import struct
import uuid
from decimal import Decimal

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hocket.parquet.errors import CorruptFile
from hocket.parquet.metadata.footer import parse_footer
from hocket.parquet.metadata.generated import ttypes
from hocket.parquet.metadata.objects import bytes_of_object
from hocket.parquet.metadata.scanning import padded
from hocket.parquet.metadata.schema import (
    LogicalKind,
    LogicalType,
    PhysicalType,
    Repetition,
    SchemaNode,
)
from hocket.parquet.metadata.statistics import (
    BoundingBox,
    ColumnOrder,
    parse_geospatial_statistics,
    parse_size_statistics,
    parse_statistics,
)
from hocket.parquet.metadata.values import (
    bound_of_plain_bytes,
    plain_bytes_of_value,
    value_of_plain_bytes,
)

NONE = LogicalType(LogicalKind.NONE)
TEXT = LogicalType(LogicalKind.STRING)
DATE = LogicalType(LogicalKind.DATE)
UINT32 = LogicalType(LogicalKind.INTEGER, bit_width=32, is_signed=False)
DECIMAL = LogicalType(LogicalKind.DECIMAL, precision=9, scale=2)
FLOAT16 = LogicalType(LogicalKind.FLOAT16)


def stamp(unit):
    return LogicalType(LogicalKind.TIMESTAMP, unit=unit)


def time(unit):
    return LogicalType(LogicalKind.TIME, unit=unit)


def node(physical, logical=NONE, length=0, definition=1, repetition=0):
    return SchemaNode(
        "x",
        None,
        Repetition.OPTIONAL,
        None,
        logical,
        None,
        PhysicalType[physical],
        length,
        definition,
        repetition,
        0,
        0,
    )


def told(where, order=ColumnOrder.OF_TYPE, num_values=None, **fields):
    raw = bytes_of_object(ttypes.Statistics(**fields))
    return parse_statistics(padded(raw), 0, where, order, num_values)


def i32(value):
    return struct.pack("<i", value)


# ------------------------------------------------------------------------------------ bounds


def test_all_that_is_told():
    found = told(
        node("INT32"),
        min_value=i32(-5),
        max_value=i32(7),
        null_count=3,
        distinct_count=4,
        is_min_value_exact=True,
        is_max_value_exact=False,
    )
    assert (found.min_bytes, found.max_bytes) == (i32(-5), i32(7))
    assert (found.min_value, found.max_value) == (-5, 7)
    assert (found.min_is_exact, found.max_is_exact) == (True, False)
    assert (found.null_count, found.distinct_count, found.nan_count) == (3, 4, None)


def test_nothing_told_is_not_zero():
    found = told(node("INT32"))
    assert found.null_count is None
    assert found.min_value is None
    assert found.max_value is None
    assert found.min_is_exact is None


@pytest.mark.parametrize(
    ("physical", "logical", "order", "believed"),
    [
        ("INT32", NONE, 1, True),
        ("INT32", NONE, 0, True),
        ("INT32", NONE, 2, False),
        ("INT32", NONE, 9, False),
        ("INT32", UINT32, 1, True),
        ("INT32", UINT32, 0, False),
        ("BYTE_ARRAY", TEXT, 1, True),
        ("BYTE_ARRAY", TEXT, 0, False),
        ("BYTE_ARRAY", NONE, 1, True),
        ("FLOAT", NONE, 1, True),
        ("FLOAT", NONE, 2, True),
        ("BYTE_ARRAY", LogicalType(LogicalKind.GEOMETRY), 1, False),
        ("INT32", LogicalType(LogicalKind.UNKNOWN), 1, False),
    ],
)
def test_bounds_need_an_order(physical, logical, order, believed):
    raw = b"\x00\x00\x00\x3f"
    found = told(node(physical, logical), order, min_value=raw, max_value=raw)
    assert (found.min_bytes == raw) is believed
    assert (found.max_bytes == raw) is believed


@pytest.mark.parametrize(
    ("physical", "logical", "believed"),
    [
        ("INT32", NONE, True),
        ("INT32", DATE, True),
        ("INT32", DECIMAL, True),
        ("INT32", UINT32, False),
        ("BYTE_ARRAY", TEXT, False),
        ("BYTE_ARRAY", DECIMAL, False),
    ],
)
def test_the_older_bounds_are_signed(physical, logical, believed):
    found = told(node(physical, logical), 0, min=i32(1), max=i32(2))
    assert (found.min_bytes is not None) is believed
    assert found.min_is_exact is None


def test_newer_bounds_count_more():
    found = told(node("INT32"), min=i32(1), max=i32(2), min_value=i32(3), max_value=i32(4))
    assert (found.min_value, found.max_value) == (3, 4)


def test_int96_needs_its_own_order():
    early, late = struct.pack("<qi", 5, 2440588), struct.pack("<qi", 0, 2440589)
    where = node("INT96")
    assert told(where, ColumnOrder.OF_TYPE, min_value=early, max_value=late).min_bytes is None
    assert told(where, ColumnOrder.OF_TYPE, min=early, max=late).min_bytes is None
    found = told(where, ColumnOrder.INT96_TIME, min_value=early, max_value=late)
    assert found.min_value == np.datetime64("1970-01-01T00:00:00.000000005")
    assert found.max_value == np.datetime64("1970-01-02")


def test_nan_bounds_nothing():
    nan, one = struct.pack("<d", math.nan), struct.pack("<d", 1.0)
    found = told(node("DOUBLE"), min_value=one, max_value=nan, nan_count=2)
    assert (found.min_value, found.max_value, found.nan_count) == (1.0, None, 2)
    found = told(
        node("FIXED_LEN_BYTE_ARRAY", FLOAT16, 2), min_value=b"\x00\x7e", max_value=b"\x00\x3c"
    )
    assert (found.min_value, found.max_value) == (None, 1.0)


def test_bounds_in_the_wrong_order_are_none():
    found = told(node("INT32"), min_value=i32(2), max_value=i32(1), null_count=1)
    assert (found.min_bytes, found.max_bytes, found.null_count) == (None, None, 1)


@pytest.mark.parametrize("raw", [b"", b"abc", b"abcde"])
def test_bounds_of_other_lengths_are_none(raw):
    assert told(node("INT32"), min_value=raw, max_value=i32(1)).min_bytes is None


@pytest.mark.parametrize(("count", "believed"), [(0, 0), (10, 10), (11, None), (-1, None)])
def test_counts_that_cannot_be_are_none(count, believed):
    found = told(
        node("DOUBLE"), num_values=10, null_count=count, distinct_count=count, nan_count=count
    )
    assert (found.null_count, found.distinct_count, found.nan_count) == (believed,) * 3


def test_unsigned_bounds():
    found = told(node("INT32", UINT32), min_value=i32(1), max_value=i32(-1))
    assert (found.min_value, found.max_value) == (1, (1 << 32) - 1)


def test_decimals_of_bytes_are_signed():
    where = node("FIXED_LEN_BYTE_ARRAY", DECIMAL, 3)
    found = told(where, min_value=b"\xff\xff\x38", max_value=b"\x00\x00\xc8")
    assert (found.min_value, found.max_value) == (Decimal("-2.00"), Decimal("2.00"))
    # A decimal that was cut off is another decimal.
    assert told(where, min_value=b"\xff\xff").min_bytes is None


@pytest.mark.parametrize(
    ("raw", "low", "high"),
    [
        (b"abc", "abc", "abc"),
        ("ä".encode(), "ä", "ä"),
        (b"ab\xc3", "ab", "ab\U0010ffff"),
        (b"\xf4\x8f", "", None),
        (b"ab\xff", "ab", None),
    ],
)
def test_text_that_was_cut_off_still_bounds(raw, low, high):
    where = node("BYTE_ARRAY", TEXT)
    assert bound_of_plain_bytes(where, raw, is_upper=False) == low
    assert bound_of_plain_bytes(where, raw, is_upper=True) == high


@given(text=st.text(max_size=6), cut=st.integers(0, 20), other=st.text(max_size=6))
def test_cut_bounds_are_never_too_tight(text, cut, other):
    where = node("BYTE_ARRAY", TEXT)
    raw = text.encode()[:cut]
    low = bound_of_plain_bytes(where, raw, is_upper=False)
    high = bound_of_plain_bytes(where, raw, is_upper=True)
    if raw <= other.encode():
        assert low <= other
    if other.encode() <= raw and high is not None:
        assert other <= high


def test_statistics_of_a_file_say_where_they_are_wrong():
    meta = ttypes.ColumnMetaData(1, [0], ["x"], 0, 10, 1, 1, None, 4)
    meta.statistics = ttypes.Statistics(null_count=1)
    elements = [
        ttypes.SchemaElement(name="s", num_children=1),
        ttypes.SchemaElement(name="x", type=1),
    ]
    group = ttypes.RowGroup([ttypes.ColumnChunk(meta_data=meta)], 1, 10)
    raw = bytes_of_object(ttypes.FileMetaData(1, elements, 10, [group]))
    assert parse_footer(padded(raw)).statistics(0, 0).null_count == 1
    at = raw.index(b"\x36\x02\x00")
    changed = parse_footer(padded(raw[:at] + b"\x38\x00\x00" + raw[at + 3 :]))
    with pytest.raises(CorruptFile, match=r"row group 0, column 'x': .* 3 of Statistics"):
        changed.statistics(0, 0)


# ------------------------------------------------------------------------------------ values


@pytest.mark.parametrize(
    ("where", "raw", "value"),
    [
        (node("BOOLEAN"), b"\x01", True),
        (node("INT64"), b"\xff" * 8, -1),
        (node("FLOAT"), struct.pack("<f", 0.5), 0.5),
        (node("INT32", DATE), i32(-1), np.datetime64("1969-12-31")),
        (node("INT64", stamp("ms")), struct.pack("<q", 1), np.datetime64(1, "ms")),
        (node("INT64", stamp("ns")), struct.pack("<q", -(1 << 63)), None),
        (node("INT32", time("ms")), i32(5), np.timedelta64(5, "ms")),
        (node("INT64", time("ns")), struct.pack("<q", -(1 << 63)), None),
        (node("INT64", DECIMAL), struct.pack("<q", -(1 << 63)), Decimal("-92233720368547758.08")),
        (node("BYTE_ARRAY", DECIMAL), b"\x80" + bytes(19), Decimal(f"{-(1 << 159)}e-2")),
        (node("BYTE_ARRAY", DECIMAL), b"", None),
        (node("BYTE_ARRAY", TEXT), b"\xff", None),
        (node("BYTE_ARRAY"), b"\xff", b"\xff"),
        (node("FIXED_LEN_BYTE_ARRAY", FLOAT16, 2), b"\x00\xc0", -2.0),
        (node("FIXED_LEN_BYTE_ARRAY", FLOAT16, 2), b"\x00", None),
        (node("FIXED_LEN_BYTE_ARRAY", NONE, 3), b"abc", b"abc"),
        (
            node("INT96"),
            struct.pack("<qi", 0, 2440588 + 200_000_000),
            np.datetime64(200_000_000, "D"),
        ),
        (
            node("INT96"),
            struct.pack("<qi", 7, 2440588 - 1),
            np.datetime64(7 - 86_400 * 10**9, "ns"),
        ),
        (node("INT96"), b"123", None),
        (node("DOUBLE"), b"1234", None),
    ],
)
def test_values_of_bytes(where, raw, value):
    found = value_of_plain_bytes(where, raw)
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize(
    ("where", "value", "raw"),
    [
        (node("INT32"), 5, i32(5)),
        (node("INT32"), np.int64(5), i32(5)),
        (node("INT32"), 5.0, i32(5)),
        (node("INT32"), 5.5, None),
        (node("INT32"), math.inf, None),
        (node("INT32"), math.nan, None),
        (node("INT32"), True, None),
        (node("INT32"), "5", None),
        (node("INT32"), 1 << 31, None),
        (node("INT32", UINT32), (1 << 32) - 1, b"\xff" * 4),
        (node("INT32", UINT32), -1, None),
        (node("DOUBLE"), 1, struct.pack("<d", 1.0)),
        (node("FLOAT"), 0.1, struct.pack("<f", 0.1)),
        (node("FLOAT"), 1e300, None),
        (node("DOUBLE"), math.nan, None),
        (node("DOUBLE"), "1", None),
        (node("BYTE_ARRAY", TEXT), "ä", "ä".encode()),
        (node("BYTE_ARRAY", TEXT), "\ud800", None),
        (node("BYTE_ARRAY", TEXT), b"a", None),
        (node("BYTE_ARRAY"), b"a", b"a"),
        (node("BYTE_ARRAY"), "a", None),
        (node("FIXED_LEN_BYTE_ARRAY", NONE, 2), b"ab", b"ab"),
        (node("FIXED_LEN_BYTE_ARRAY", NONE, 2), b"abc", None),
        (
            node("FIXED_LEN_BYTE_ARRAY", LogicalType(LogicalKind.UUID), 16),
            uuid.UUID(int=1),
            bytes(15) + b"\x01",
        ),
        (node("FIXED_LEN_BYTE_ARRAY", DECIMAL, 3), Decimal(-2), b"\xff\xff\x38"),
        (node("FIXED_LEN_BYTE_ARRAY", DECIMAL, 1), Decimal(2), None),
        (node("BYTE_ARRAY", DECIMAL), Decimal(2), None),
        (node("INT32", DECIMAL), Decimal("1.23"), i32(123)),
        (node("INT32", DECIMAL), Decimal("1.234"), None),
        (node("INT32", DECIMAL), Decimal("Infinity"), None),
        (node("INT32", DECIMAL), Decimal("1e900"), None),
        (node("INT32", DECIMAL), 1.5, None),
        (node("INT32", DATE), dt.date(1970, 1, 2), i32(1)),
        (node("INT32", DATE), pd.Timestamp("1970-01-02"), i32(1)),
        (node("INT32", DATE), pd.Timestamp("1970-01-02 01:00"), None),
        (node("INT32", DATE), "1970-01-02", None),
        (node("INT32", DATE), pd.NaT, None),
        (
            node("INT64", stamp("ms")),
            dt.datetime.fromisoformat("1970-01-01T00:00:01"),
            struct.pack("<q", 1000),
        ),
        (
            node("INT64", stamp("ms")),
            dt.datetime(1970, 1, 1, 1, tzinfo=dt.timezone(dt.timedelta(hours=1))),
            struct.pack("<q", 0),
        ),
        (node("INT64", stamp("ms")), np.datetime64(1, "us"), None),
        (node("INT64", stamp("ns")), np.datetime64("9999-01-01"), None),
        (node("INT64", stamp("us")), np.datetime64("NaT"), None),
        (node("INT32", time("ms")), dt.time(0, 0, 1), i32(1000)),
        (node("INT32", time("ms")), dt.time(0, 0, 0, 5), None),
        (node("INT64", time("us")), pd.Timedelta("1s"), struct.pack("<q", 10**6)),
        (node("INT64", time("ns")), np.timedelta64(3, "ns"), struct.pack("<q", 3)),
        (node("INT64", time("ns")), 3, None),
        (node("BOOLEAN"), True, None),
        (node("INT96"), np.datetime64(0, "ns"), None),
    ],
)
def test_bytes_of_values(where, value, raw):
    assert plain_bytes_of_value(where, value) == raw


WHERES = [
    node("INT32"),
    node("INT64"),
    node("INT32", UINT32),
    node("INT32", DATE),
    node("FLOAT"),
    node("DOUBLE"),
    node("INT64", DECIMAL),
    node("FIXED_LEN_BYTE_ARRAY", DECIMAL, 7),
    node("BYTE_ARRAY", TEXT),
    node("BYTE_ARRAY"),
    *(node("INT64", stamp(u)) for u in ("ms", "us", "ns")),
    node("INT32", time("ms")),
    node("INT64", time("us")),
]


@given(where=st.sampled_from(WHERES), raw=st.binary(min_size=8, max_size=8))
def test_bytes_to_values_and_back(where, raw):
    widths = {"INT32": 4, "FLOAT": 4, "FIXED_LEN_BYTE_ARRAY": 7}
    raw = raw[: widths.get(where.physical.name, 8)]
    value = value_of_plain_bytes(where, raw)
    if value is not None and not pd.isna(value):
        assert plain_bytes_of_value(where, value) == raw


# ------------------------------------------------------------------------- other statistics


def test_size_statistics():
    where = node("BYTE_ARRAY", TEXT, definition=2, repetition=1)

    def size(*arguments):
        return parse_size_statistics(
            padded(bytes_of_object(ttypes.SizeStatistics(*arguments))), 0, where
        )

    found = size(55, [3, 4], [1, 2, 3])
    assert found.unencoded_nbytes == 55
    assert found.repetition_levels.tolist() == [3, 4]
    assert found.definition_levels.tolist() == [1, 2, 3]
    found = size(-1, [3], [1, -2, 3])
    assert (found.unencoded_nbytes, found.repetition_levels, found.definition_levels) == (None,) * 3
    found = size()
    assert (found.unencoded_nbytes, found.repetition_levels) == (None, None)


def test_geospatial_statistics():
    def geospatial(*arguments):
        raw = bytes_of_object(ttypes.GeospatialStatistics(*arguments))
        return parse_geospatial_statistics(padded(raw), 0)

    found = geospatial(ttypes.BoundingBox(1.0, 2.0, 3.0, 4.0, None, None, 5.0, 6.0), [1, 1003])
    assert found.bounding_box == BoundingBox(1.0, 2.0, 3.0, 4.0, None, None, 5.0, 6.0)
    assert found.geospatial_types == (1, 1003)
    assert geospatial().bounding_box is None
    with pytest.raises(CorruptFile, match="4 of BoundingBox"):
        geospatial(ttypes.BoundingBox(1.0, 2.0, 3.0))
