"""What pandas and Arrow wrote beside their data, and what anybody can write there."""

from __future__ import annotations

import base64
import json
import struct

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hocket.parquet.assemble.arrow_hints import parse_arrow_schema
from hocket.parquet.assemble.pandas_labels import frame_labels, parse_label
from hocket.parquet.assemble.pandas_metadata import (
    PandasMetadata,
    RangeMetadata,
    parse_pandas_metadata,
)
from hocket.parquet.assemble.timezones import timezone_of
from hocket.parquet.assemble.value_kinds import NO_HINT, column_hint

ABOUT = {
    "index_columns": ["x", "__index_level_1__"],
    "column_indexes": [
        {"name": "level", "pandas_type": "int64", "numpy_type": "int64", "metadata": None}
    ],
    "columns": [
        {
            "name": "1",
            "field_name": "1",
            "pandas_type": "int64",
            "numpy_type": "Int64",
            "metadata": None,
        },
        {
            "name": "2",
            "field_name": "2",
            "pandas_type": "categorical",
            "numpy_type": "int8",
            "metadata": {"num_categories": 1, "ordered": True},
        },
        {
            "name": "x",
            "field_name": "x",
            "pandas_type": "datetimetz",
            "metadata": {"timezone": "UTC"},
        },
        {"name": None, "field_name": "__index_level_1__", "numpy_type": "timedelta64[us]"},
    ],
    "attributes": {"made": "here"},
}


def test_what_pandas_says():
    found = parse_pandas_metadata(json.dumps(ABOUT))
    assert found.index_columns == ("x", "__index_level_1__")
    assert [found.index_name(each) for each in found.index_columns] == ["x", None]
    assert found.columns["2"].is_categorical
    assert found.columns["2"].ordered
    assert found.columns["x"].timezone == "UTC"
    assert found.attributes == {"made": "here"}
    assert column_hint(found.columns["1"], None).numpy_type == "Int64"
    assert column_hint(found.columns["__index_level_1__"], None).duration_unit == "us"
    assert column_hint(found.columns["2"], None).is_categorical
    assert column_hint(None, None) is NO_HINT


def test_ranges():
    span = {"kind": "range", "name": "r", "start": 3, "stop": 9, "step": 2}
    found = parse_pandas_metadata(json.dumps({"index_columns": [span]}))
    assert found.index == (RangeMetadata("r", 3, 9, 2),)
    assert list(found.index[0].range) == [3, 5, 7]
    for wrong in ({"step": 0}, {"stop": 1 << 70}, {"start": "3"}, {"start": True}, {"kind": "x"}):
        found = parse_pandas_metadata(json.dumps({"index_columns": [span | wrong]}))
        assert found.index == ()
    assert parse_pandas_metadata(json.dumps({"index_columns": [span, "x"]})).index == ()


def test_the_first_writers_named_index_columns_by_their_labels():
    about = {"index_columns": ["k"], "columns": [{"name": "k", "field_name": "__index_level_0__"}]}
    assert parse_pandas_metadata(json.dumps(about)).index_columns == ("__index_level_0__",)


@pytest.mark.parametrize(
    "text",
    [None, "", "{", "[]", "null", "[" * 100_000, b"\xff", '{"columns": 5, "index_columns": "x"}'],
)
def test_what_is_not_of_pandas(text):
    found = parse_pandas_metadata(text)
    assert found is None or found == PandasMetadata()


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
)


@given(
    st.fixed_dictionaries(
        {},
        optional={
            key: json_values
            | st.lists(
                st.fixed_dictionaries(
                    {},
                    optional=dict.fromkeys(
                        ("name", "field_name", "numpy_type", "metadata"), json_values
                    ),
                ),
                max_size=3,
            )
            for key in ("index_columns", "columns", "column_indexes", "attributes")
        },
    )
)
def test_any_json_makes_metadata_and_labels(document):
    found = parse_pandas_metadata(json.dumps(document))
    assert isinstance(found, PandasMetadata)
    names = ["a", "1", "('a', 1)", *found.columns]
    assert len(frame_labels(names, found)) == len(names)
    for about in found.columns.values():
        hint = column_hint(about, None)
        assert hint.duration_unit in (None, "s", "ms", "us", "ns")


# -------------------------------------------------------------------------------------- labels

_scalars = (
    st.text(max_size=6)
    | st.integers(-(10**17), 10**17)
    | st.floats(allow_nan=False, allow_infinity=False, min_value=-1e6, max_value=1e6).map(
        lambda x: round(x, 3)
    )
    | st.none()
    | st.booleans()
)


@given(st.lists(_scalars, min_size=1, max_size=4).map(tuple))
def test_labels_of_several_levels_are_read_as_they_are_printed(label):
    parsed = parse_label(repr(label))
    if not any(
        isinstance(each, float) and "e" in repr(each) and "." not in repr(each) for each in label
    ):
        assert parsed == label


@pytest.mark.parametrize(
    "name",
    [
        "a",
        "()",
        "(",
        "('a'",
        "('a' 'b')",
        "('a', 'b')x",
        "('a', open('x'))",
        "(__import__('os'),)",
        "([1], 2)",
    ],
)
def test_names_that_are_no_such_labels(name):
    assert parse_label(name) is None


def labels(frame_or_index):
    columns = frame_or_index if isinstance(frame_or_index, pd.Index) else frame_or_index.columns
    levels = [columns.get_level_values(at) for at in range(columns.nlevels)]
    about = {
        "column_indexes": [
            {
                "name": level.name,
                "numpy_type": str(level.dtype),
                "metadata": {"timezone": str(level.tz)} if getattr(level, "tz", None) else None,
            }
            for level in levels
        ]
    }
    names = [str(tuple(map(str, each)) if columns.nlevels > 1 else each) for each in columns]
    return frame_labels(names, parse_pandas_metadata(json.dumps(about)))


@pytest.mark.parametrize(
    "columns",
    [
        pd.Index([1, 2, 300]),
        pd.Index([1, 2], dtype="uint8", name="n"),
        pd.Index([1.5, 2.0]),
        pd.Index(["a", "b"], name="n"),
        pd.to_datetime(["2020-01-01", "2020-01-02"]).rename("when"),
        pd.to_datetime(["2020-01-01", "2020-07-02"]).tz_localize("Europe/Berlin"),
        pd.MultiIndex.from_tuples([("a", 1), ("b", 2)], names=["x", None]),
        pd.Index([], dtype="int64"),
    ],
)
def test_labels_get_their_types_back(columns):
    pd.testing.assert_index_equal(labels(columns), columns, exact="equiv", check_names=True)


def test_labels_that_do_not_fit_stay_text():
    about = parse_pandas_metadata(json.dumps({"column_indexes": [{"numpy_type": "int64"}]}))
    assert list(frame_labels(["1", "b"], about)) == ["1", "b"]
    about = parse_pandas_metadata(
        json.dumps({"column_indexes": [{"numpy_type": "datetime64[ns]"}]})
    )
    assert list(frame_labels(["1", "b"], about)) == ["1", "b"]
    about = parse_pandas_metadata(json.dumps({"column_indexes": [{"numpy_type": "int8"}]}))
    assert list(frame_labels(["1", "1000"], about)) == ["1", "1000"]


# --------------------------------------------------------------------------------------- Arrow


class _Flat:
    """Writes a Flatbuffers message of one schema, as plainly as can be: tables before vectors."""

    def __init__(self):
        self.raw = bytearray()

    def table(self, fields):
        """Append a table of scalars and offsets; return where it is, and where each field."""
        layout = len(self.raw)
        places = {}
        body = bytearray(4)
        offsets = []
        for field in range(max(fields) + 1 if fields else 0):
            if field in fields:
                offsets.append(len(body))
                places[field] = len(body)
                body += fields[field]
            else:
                offsets.append(0)
        self.raw += struct.pack(f"<HH{len(offsets)}H", 4 + 2 * len(offsets), len(body), *offsets)
        at = len(self.raw)
        body[:4] = struct.pack("<i", at - layout)
        self.raw += body
        return at, {field: at + offset for field, offset in places.items()}

    def point(self, at, to):
        struct.pack_into("<I", self.raw, at, to - at)

    def text(self, value):
        at = len(self.raw)
        self.raw += struct.pack("<I", len(value.encode())) + value.encode() + b"\0"
        return at


def message(fields):
    """Return what ARROW:schema holds for fields: (name, type, unit, zone, ordered or None)."""
    flat = _Flat()
    flat.raw += bytes(4)
    head, places = flat.table({1: b"\1", 2: bytes(4)})
    flat.point(0, head)
    schema, inside = flat.table({1: bytes(4)})
    flat.point(places[2], schema)
    vector = len(flat.raw)
    flat.raw += struct.pack("<I", len(fields)) + bytes(4 * len(fields))
    flat.point(inside[1], vector)
    for index, (name, type_id, unit, zone, ordered) in enumerate(fields):
        body = {0: bytes(4), 2: bytes([type_id]), 3: bytes(4)}
        if ordered is not None:
            body[4] = bytes(4)
        at, parts = flat.table(body)
        flat.point(vector + 4 + 4 * index, at)
        flat.point(parts[0], flat.text(name))
        described, of_type = flat.table(
            {0: struct.pack("<h", unit), **({1: bytes(4)} if zone else {})}
        )
        flat.point(parts[3], described)
        if zone:
            flat.point(of_type[1], flat.text(zone))
        if ordered is not None:
            encoding, _ = flat.table({2: bytes([ordered])})
            flat.point(parts[4], encoding)
    raw = b"\xff\xff\xff\xff" + struct.pack("<i", len(flat.raw)) + bytes(flat.raw)
    return base64.b64encode(raw)


FIELDS = [
    ("d", 18, 3, None, None),
    ("t", 10, 2, "Europe/Berlin", None),
    ("c", 5, 0, None, True),
    ("u", 5, 0, None, False),
]


def test_what_arrow_says():
    found = parse_arrow_schema(message(FIELDS))
    assert found["d"].duration_unit == "ns"
    assert found["t"].timezone == "Europe/Berlin"
    assert found["t"].unit == "us"
    assert found["t"].duration_unit is None
    assert (found["c"].is_dictionary, found["c"].ordered) == (True, True)
    assert (found["u"].is_dictionary, found["u"].ordered) == (True, False)
    hint = column_hint(None, found["c"])
    assert hint.is_categorical
    assert hint.ordered


def test_names_that_occur_twice_hint_at_nothing():
    found = parse_arrow_schema(message([*FIELDS, FIELDS[0]]))
    assert set(found) == {"t", "c", "u"}


@given(st.binary(max_size=200))
def test_any_bytes_are_no_more_than_no_hint(raw):
    assert isinstance(parse_arrow_schema(base64.b64encode(raw)), dict)
    assert isinstance(parse_arrow_schema(raw), dict)


@given(st.lists(st.tuples(st.integers(0, 10_000), st.integers(0, 255)), max_size=4))
def test_damaged_messages_are_no_more_than_no_hint(changes):
    raw = bytearray(base64.b64decode(message(FIELDS)))
    for at, byte in changes:
        raw[at % len(raw)] = byte
    assert isinstance(parse_arrow_schema(base64.b64encode(raw)), dict)


def test_a_message_of_pyarrow():
    pa = pytest.importorskip("pyarrow")
    schema = pa.schema(
        [
            ("d", pa.duration("ms")),
            ("c", pa.dictionary(pa.int8(), pa.string(), ordered=True)),
            ("l", pa.list_(pa.struct([("t", pa.timestamp("ns", "Asia/Tokyo"))]))),
        ]
    )
    found = parse_arrow_schema(base64.b64encode(schema.serialize().to_pybytes()))
    assert found["d"].duration_unit == "ms"
    assert found["c"].ordered
    assert found["l"].children[0].children[0].timezone == "Asia/Tokyo"


@pytest.mark.parametrize(
    ("name", "seconds"), [("+05:30", 19_800), ("-0200", -7_200), ("UTC+01:00", 3_600)]
)
def test_offsets_are_time_zones(name, seconds):
    assert timezone_of(name).utcoffset(None).total_seconds() == seconds


def test_time_zones_by_name():
    assert timezone_of("Europe/Berlin") == "Europe/Berlin"
    assert timezone_of("+00:00") == "UTC"
    assert timezone_of("+99:99") == "UTC"
