"""Columns of Python objects: what they become, and what is said of those that cannot be stored."""

from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from typing import NamedTuple
from uuid import UUID
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from parquet_round_trips import arrow_table, objects, read, written

from hocket.parquet.errors import ValueUnstorable
from hocket.parquet.intake.columns import columns_of
from hocket.parquet.intake.options import IntakeOptions

#: Without a time zone, as most are.
LOCAL = datetime.fromisoformat("2020-01-01")


class Point(NamedTuple):
    x: int
    y: int


class Span(NamedTuple):
    months: int
    days: int
    nanoseconds: int


def column(values, **options):
    return columns_of(frame_of(values), IntakeOptions(**options))


def frame_of(values) -> pd.DataFrame:
    return pd.DataFrame({"x": pd.Series(values, dtype=object)})


def error_of(values, **options) -> str:
    with pytest.raises(ValueUnstorable) as caught:
        column(values, **options)
    assert caught.value.column == "x"
    return caught.value.reason


#: Python's time spans are longer than 64 bits of microseconds hold.
_LONGEST = timedelta(microseconds=(1 << 63) - 1)
_BY_HOUR = st.integers(-14, 14).map(lambda hours: timezone(timedelta(hours=hours)))
_SCALARS = {
    "int64": st.integers(-(1 << 63), (1 << 63) - 1),
    "text": st.text(st.characters(codec="utf-8"), max_size=9),
    "bytes": st.binary(max_size=9),
    "float": st.floats(allow_nan=False),
    "bool": st.booleans(),
    "decimal": st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**30), places=7),
    "date": st.dates(),
    "time": st.times(),
    "datetime": st.datetimes(),
    "instant": st.datetimes(timezones=st.just(UTC)),
    "timedelta": st.timedeltas(-_LONGEST, _LONGEST),
    "uuid": st.uuids(),
}


def _kind(draw, depth: int) -> st.SearchStrategy:
    """Return what draws values of one type, which may be nested."""
    chosen = draw(st.sampled_from([*_SCALARS, *(["list", "struct"] * 4 if depth else [])]))
    if chosen == "list":
        return st.lists(st.none() | _kind(draw, depth - 1), max_size=3)
    if chosen == "struct":
        members = {"a": st.none() | _kind(draw, depth - 1), "b": _kind(draw, depth - 1)}
        return st.fixed_dictionaries(members)
    return _SCALARS[chosen]


@st.composite
def _columns(draw) -> list:
    return draw(st.lists(st.none() | _kind(draw, 3), min_size=1, max_size=6))


@settings(max_examples=150)
@given(_columns())
def test_whatever_it_is_it_comes_back(values):
    assert objects(written(frame_of(values))) == values


@pytest.mark.parametrize(
    ("values", "told"),
    [
        (["a", None, float("nan")], "string"),
        ([b"a", bytearray(b"b"), memoryview(b"c")], "binary"),
        ([1, np.int8(2), None], "int64"),
        ([1 << 63, 1], "uint64"),
        ([1, 2.5], "double"),
        ([True, np.bool_(False), None], "bool"),
        ([Decimal("1.5"), 200], "decimal128(4, 1)"),
        ([Decimal("1E+3")], "decimal128(4, 0)"),
        ([Decimal(10) ** 40], "decimal256(41, 0)"),
        ([date(2020, 1, 1), None], "date32[day]"),
        ([time(1, 2)], "time64[us]"),
        ([LOCAL], "timestamp[us]"),
        ([pd.Timestamp("2020-01-01 00:00:00.000000001")], "timestamp[ns]"),
        ([datetime(2020, 1, 1, tzinfo=ZoneInfo("Asia/Tokyo"))], "timestamp[us, tz=Asia/Tokyo]"),
        (
            [datetime(2020, 1, 1, tzinfo=UTC), pd.Timestamp(0, tz="Asia/Tokyo")],
            "timestamp[us, tz=UTC]",
        ),
        ([timedelta(1), pd.Timedelta(1, "ns")], "duration[ns]"),
        ([np.datetime64("5000000-01-01", "D"), date(1, 1, 1)], "date32[day]"),
        ([UUID(int=1)], "extension<arrow.uuid>"),
        ([[1], (2,), np.array([3]), {4}], "list<element: int64>"),
        ([np.zeros((2, 2))], "list<element: list<element: double>>"),
        ([{"a": 1}, Point(1, 2), {"b": None}], "struct<a: int64, x: int64, y: int64, b: null>"),
        ([None, None], "null"),
        ([[], None], "list<element: null>"),
        ([Span(1, 2, 3_000_000)], "month_day_nano_interval"),
    ],
)
def test_types_that_are_found(values, told):
    table = arrow_table(written(frame_of(values)))
    found = str(table.schema.field("x").type)
    if told == "month_day_nano_interval":
        # pyarrow does not know Parquet's intervals.
        assert found == "fixed_size_binary[12]"
    else:
        assert found.replace(" not null", "") == told


def test_decimals_of_more_digits_than_arrow_has():
    values = [Decimal(10) ** 99 + 1, -(Decimal(10) ** 80), Decimal("0.5"), None]
    assert objects(written(frame_of(values))) == values


def test_members_and_lists_of_missing_values():
    values = [{"a": [1, None], "b": {"c": "x"}}, None, {"b": {}}, {"a": []}]
    expected = [
        {"a": [1, None], "b": {"c": "x"}},
        None,
        {"a": None, "b": {"c": None}},
        {"a": [], "b": None},
    ]
    assert objects(written(frame_of(values))) == expected


def test_arrays_of_numbers_are_lists_of_their_width():
    values = [np.array([1, 2], "i2"), None, np.array([], "i2")]
    columns = column(values)
    (element,) = columns.fields[0].children
    assert str(element.logical) == "INT16"
    assert objects(written(frame_of(values))) == [[1, 2], None, []]


def test_nan_in_lists_is_a_number():
    file = written(frame_of([[1.0, float("nan"), None]]))
    one, nan, missing = objects(file)[0]
    assert one == 1.0
    assert np.isnan(nan)
    assert missing is None


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ([1, "a"], "row 1: 'a' (str) does not fit to 1 (int) and others before it"),
        ([None, "a", None, b"b"], "row 3: b'b' (bytes) does not fit to 'a' (str)"),
        ([1, 1 << 70], "does not fit 64 bits; ask for a decimal"),
        ([-1, 1 << 63], "row 0: -1 (int) is negative, and other values are beyond 2**63"),
        ([1.5, (1 << 53) + 1], "row 1: 9007199254740993 (int) is among floats"),
        (["a", "\ud800"], "row 1: '\\ud800' (str) has half a surrogate pair"),
        ([object], "row 0: <class 'object'> (type) has no Parquet type"),
        ([1, 2j], "row 1: 2j (complex) has no Parquet type"),
        ([{}], "has no members, nor has any other value"),
        ([{1: 2}], "has the key 1 (int)"),
        ([[1], [2, "a"]], "row 1: (element 1) 'a' (str) does not fit to 1 (int)"),
        ([{"a": {"b": 1}}, {"a": {"b": "x"}}], "row 1: (member 'a') (member 'b') 'x' (str)"),
        ([Decimal("Infinity")], "row 0: Decimal('Infinity') (Decimal) is no decimal"),
        ([LOCAL, datetime(2020, 1, 1, tzinfo=UTC)], "some have a time zone"),
        ([time(1, tzinfo=UTC)], "has a time zone, which Parquet's times cannot have"),
        ([date(2020, 1, 1), LOCAL], "row 1: datetime.datetime(2020, 1, 1, 0, 0)"),
        ([Span(1, 2, 3)], "is no interval of Parquet"),
        ([np.datetime64("292277026596-12-04", "D")], "does not fit the 32 bits of a date"),
    ],
)
def test_errors_name_row_value_and_remedy(values, reason):
    assert reason in error_of(values)


def test_the_remedies_help():
    mixed = [1, "a", None, [True]]
    assert objects(written(frame_of(mixed), types={"x": "variant"})) == mixed
    assert objects(written(frame_of(mixed), types={"x": "json"})) == ["1", '"a"', None, "[true]"]
    assert objects(written(frame_of([1 << 70, 1]), types={"x": "decimal(38, 0)"})) == [1 << 70, 1]
    keys = [{1: 2}, None, {}]
    assert objects(written(frame_of(keys), types={"x": "map"})) == keys


def test_maps_of_dicts_and_of_pairs():
    values = [{"a": 1, "b": None}, [("c", 3)], None]
    file = written(frame_of(values), types={"x": "map<string, int32>"})
    assert objects(file) == [{"a": 1, "b": None}, {"c": 3}, None]
    assert str(arrow_table(file).schema.field("x").type) == "map<string, int32 ('x')>"
    assert "a key of a map is missing" in error_of([{None: 1}], types={"x": "map"})


@pytest.mark.parametrize(
    ("encoding", "values", "told"),
    [
        ("utf8", ["a", None], "string"),
        ("bytes", [b"a", None], "binary"),
        ("json", [{"a": 1}, "b"], "extension<arrow.json>"),
        ("bool", [True, None, 0], "bool"),
        ("int", [1, None, 2.0], "int64"),
        ("int32", [1, None], "int32"),
        ("float", [1, None, Decimal("0.5")], "double"),
        ("decimal", [1, None, "0.25", 0.5], "decimal128(3, 2)"),
        ("bson", [b"\5\0\0\0\0"], "binary"),
    ],
)
def test_object_encodings_of_fastparquet(encoding, values, told):
    file = written(frame_of(values), object_encoding=encoding)
    assert str(arrow_table(file).schema.field("x").type) == told
    assert written(frame_of(values), object_encoding={"x": encoding}).getvalue()


def test_json_is_encoded_once_or_told_to_be():
    documents = ['{"a": 1}', "2"]
    assert objects(written(frame_of(documents), types={"x": "json"})) == documents
    assert objects(written(frame_of(documents), object_encoding="json")) == [
        '"{\\"a\\": 1}"',
        '"2"',
    ]
    assert "does not become JSON" in error_of(["{"], types={"x": "json"})


def test_wanted_encodings_that_do_not_fit():
    assert "row 1: b'a' (bytes) is no text" in error_of(["a", b"a"], object_encoding="utf8")
    assert "1.5 (float) is no whole number" in error_of([1.5], object_encoding="int")
    assert "does not fit int32" in error_of([1 << 31], object_encoding="int32")
    assert "'a' (str) is no boolean" in error_of(["a"], object_encoding="bool")
    assert "'a' (str) is no number" in error_of(["a"], object_encoding="float")
    assert "'a' (str) is no decimal" in error_of(["a"], object_encoding="decimal")


class _Shape:
    geom_type = "Point"

    def __init__(self, wkb: bytes) -> None:
        self._wkb = wkb

    @property
    def wkb(self) -> bytes:
        return self._wkb


def test_geometries_of_objects_and_of_bytes():
    wkb = bytes.fromhex("0101000000000000000000f03f0000000000000040")
    assert objects(written(frame_of([_Shape(wkb), None]))) == [wkb, None]
    columns = column([wkb], geometry={"x": "EPSG:3857"})
    assert str(columns.fields[0].logical) == "GEOMETRY(EPSG:3857)"
    columns = column([wkb], types={"x": "geography(OGC:CRS84, karney)"})
    assert str(columns.fields[0].logical) == "GEOGRAPHY(OGC:CRS84, karney)"
    assert "is no geometry" in error_of([b"abc"], geometry={"x": None})


@pytest.mark.parametrize("values", [["a", None, "bé", ""], ["", None], ["x", "\x00y"]])
def test_text_without_pyarrow(values, monkeypatch):
    with_it = written(frame_of(values)).getvalue()
    monkeypatch.setattr("hocket.parquet.intake.object_text.has_pyarrow", lambda: False)
    assert written(frame_of(values)).getvalue() == with_it
    assert objects(written(frame_of(values))) == values


@given(st.lists(st.none() | st.text(max_size=5), max_size=8))
def test_text_is_the_same_by_both_ways(values):
    frame = frame_of(values)
    outcomes = []
    for has in (True, False):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("hocket.parquet.intake.object_text.has_pyarrow", lambda has=has: has)
            try:
                outcomes.append(written(frame).getvalue())
            except ValueUnstorable as error:
                outcomes.append(str(error))
    assert outcomes[0] == outcomes[1]


def test_rows_without_any_value_read_as_none():
    assert read(written(frame_of([None, np.nan, pd.NA])))["x"].tolist() == [None] * 3
