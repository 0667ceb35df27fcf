"""Later data in the columns of the first: what fits, what is converted, and what is refused."""

import io
from datetime import date, datetime
from decimal import Decimal

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from parquet_round_trips import AS_OBJECTS, read, read_by_pyarrow, written

import hocket.parquet as hp
from hocket.parquet.errors import InvalidOption, SchemaMismatch
from hocket.parquet.intake.columns import columns_of
from hocket.parquet.intake.options import IntakeOptions


def objects_of_both(first, later, **options) -> list:
    file = written(iter([{"x": first}, {"x": later}]), **options)
    frame = read(file, dtypes={"x": object}, **AS_OBJECTS)
    return [None if value is pd.NaT or value is pd.NA else value for value in frame["x"]]


def mismatch(first, later, **options) -> SchemaMismatch:
    with pytest.raises(SchemaMismatch) as caught:
        list(columns_of(iter([first, later]), IntakeOptions(**options)).batches)
    return caught.value


_I8, _U8 = np.array([1, -2], "i1"), np.array([1, 200], "u1")


@pytest.mark.parametrize(
    ("first", "later", "expected"),
    [
        (np.array([1], "i8"), _I8, [1, 1, -2]),
        (np.array([1], "i8"), np.array([3], "u4"), [1, 3]),
        (np.array([1], "i4"), np.array([3], "i8"), [1, 3]),
        (np.array([1], "u1"), np.array([255], "i8"), [1, 255]),
        (np.array([1.5]), np.array([3], "i4"), [1.5, 3.0]),
        (np.array([1], "i8"), pd.Series([2.0, np.nan]), [1, 2, None]),
        (np.array([1.5], "f4"), np.array([0.25]), [1.5, 0.25]),
        (np.array([1.5], "f2"), np.array([2], "i1"), [1.5, 2.0]),
        (pd.Series(["a"]), pd.Series(["b", None], dtype="category"), ["a", "b", None]),
        (pd.Series(["a"], dtype="category"), pd.Series(["b", None]), ["a", "b", None]),
        (pd.Series(["a"], dtype="category"), ["c"], ["a", "c"]),
        (["a"], [None, None], ["a", None, None]),
        (pd.Series([[1]]), pd.Series([None, None], dtype=object), [[1], None, None]),
        ([None], pd.Series([np.nan]), [None, None]),
        ([b"ab"], np.array([b"xyz"], "V3"), [b"ab", b"xyz"]),
        (np.array([b"abc"], "V3"), [b"xyz", None], [b"abc", b"xyz", None]),
        ([Decimal("1.25")], [Decimal("3.5"), None], [Decimal("1.25"), Decimal("3.50"), None]),
        ([Decimal("12.50")], [Decimal("3.500")], [Decimal("12.50"), Decimal("3.50")]),
        (np.array([1], "M8[us]"), np.array(["1970-01-02"], "M8[D]"), [1, 86_400_000_000]),
        (np.array([1], "M8[us]"), np.array([5000, "NaT"], "M8[ns]"), [1, 5, None]),
        (np.array([1], "M8[ns]"), np.array([5], "M8[s]"), [1, 5_000_000_000]),
        (np.array([1], "m8[us]"), np.array([5], "m8[ms]"), [1, 5000]),
        (pd.Series([[1]]), pd.Series([np.array([2], "i1"), []]), [[1], [2], []]),
        (
            [{"a": 1, "b": "x"}],
            [{"b": "y", "a": 2.0}, {"b": None, "a": None}, None],
            [{"a": 1, "b": "x"}, {"a": 2, "b": "y"}, {"a": None, "b": None}, None],
        ),
        ([{"a": 1, "b": "x"}], [{"a": 3}], [{"a": 1, "b": "x"}, {"a": 3, "b": None}]),
        ([{"a": {"b": 1}}], [{"a": {}}, {"a": {"b": 2.0}}], None),
    ],
)
def test_later_data_becomes_what_the_first_is(first, later, expected):
    found = objects_of_both(first, later)
    if expected is None:
        assert found == [{"a": {"b": 1}}, {"a": {"b": None}}, {"a": {"b": 2}}]
        return
    if isinstance(first, np.ndarray) and first.dtype.kind in "Mm":
        unit = np.datetime_data(first.dtype)[0]
        kind = first.dtype.kind
        expected = [None if e is None else np.array(e, f"{kind}8[{unit}]") for e in expected]
        found = [
            None
            if f is None
            else np.array(
                pd.Series([f]).array[0].asm8 if hasattr(f, "asm8") else f, f"{kind}8[{unit}]"
            )
            for f in found
        ]
    assert found == expected


def test_maps_fit_too():
    options = {"types": {"x": "map<string, int64>"}}
    assert objects_of_both([{"a": 1}], [{"b": 2}, None], **options) == [{"a": 1}, {"b": 2}, None]
    table = pa.table({"x": pa.array([[("k", 7)]], pa.map_(pa.large_string(), pa.int16()))})
    file = written(iter([{"x": [{"a": 1}]}, table]), **options)
    assert [dict(each) for each in read_by_pyarrow(file)["x"]] == [{"a": 1}, {"k": 7}]


@given(st.lists(st.integers(-(1 << 63), (1 << 64) - 1), min_size=1, max_size=4), st.data())
def test_numbers_fit_or_are_refused(numbers, data):
    dtypes = [
        np.dtype(text) for text in ["i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "f4", "f8"]
    ]
    first = data.draw(st.sampled_from(dtypes))
    fitting = [
        dtype
        for dtype in dtypes
        if dtype.kind in "iu"
        and all(np.iinfo(dtype).min <= number <= np.iinfo(dtype).max for number in numbers)
    ]
    if not fitting:
        return
    later = np.array(numbers, data.draw(st.sampled_from(fitting)))
    exact = [int(first.type(number)) if first.kind == "f" else number for number in numbers]
    fits = exact == numbers and (first.kind == "f" or first in fitting)
    parts = iter([{"x": np.zeros(1, first)}, {"x": later}])
    if fits:
        _, (array,) = columns_of(parts).batches
        wide = array.values.astype(first)  # noqa: PD011 - no frame
        assert [int(number) for number in wide] == numbers
    else:
        with pytest.raises(SchemaMismatch, match="of later data"):
            list(columns_of(parts).batches)


@pytest.mark.parametrize(
    ("first", "later", "reason"),
    [
        ([1], ["a"], "it is string in later data, and int64 in the first"),
        (["a"], [b"a"], "it is binary in later data, and string in the first"),
        ([True], [1], "it is int64 in later data, and bool in the first"),
        ([1], [[1]], "it is list<int64> in later data, and int64 in the first"),
        ([{"a": 1}], [[1]], "it is list<int64> in later data, and struct<a: int64> in the first"),
        (
            np.array([1], "i1"),
            np.array([5, 300]),
            "row 1 of later data: 300 (int) does not fit int8",
        ),
        (np.array([1]), np.array([2, 0.5]), "row 1 of later data: 0.5 (float) does not fit int64"),
        (np.array([1], "f4"), np.array([0.1]), "row 0 of later data: 0.1 is no float32"),
        ([None], ["a"], "say what it is to hold, with types={'x': 'string'}"),
        (np.array([1], "M8[us]"), np.array([0, 1], "M8[ns]"), "row 1 of later data: the time 1"),
        (np.array([1], "M8[ns]"), np.array([1 << 60], "M8[s]"), "row 0 of later data: the time"),
        ([Decimal("1.5")], [Decimal("1.25")], "ask for a wider one, with types={...}"),
        ([Decimal("1.5")], [Decimal(1000)], "does not fit decimal(2, 1)"),
        (np.array([b"abc"], "V3"), [b"ab"], "it is not 3 bytes long"),
        (
            [date(2020, 1, 1)],
            [datetime.fromisoformat("2020-01-01")],
            "it is timestamp(us) in later data",
        ),
    ],
)
def test_what_is_refused(first, later, reason):
    error = mismatch({"x": first}, {"x": later})
    assert reason in error.reason
    assert error.column == "x"


def test_zones_and_none_do_not_mix():
    zoned = pd.DataFrame({"x": pd.to_datetime(["2020"]).tz_localize("UTC")})
    error = mismatch(zoned, zoned.assign(x=zoned.x.dt.tz_localize(None)))
    assert "use tz_localize or tz_convert" in error.reason
    other = zoned.assign(x=zoned.x.dt.tz_convert("Asia/Tokyo"))
    assert read(written(iter([zoned, other])))["x"].tolist() == zoned["x"].tolist() * 2


def test_columns_come_in_any_order_and_all_of_them():
    first, later = {"a": [1], "b": ["x"]}, {"b": ["y"], "a": [2]}
    frame = read(written(iter([first, later])))
    assert frame.to_dict("list") == {"a": [1, 2], "b": ["x", "y"]}
    assert mismatch(first, {"a": [1]}).column == "b"
    assert "the column is missing in later data" in mismatch(first, {"a": [1]}).reason
    error = mismatch({"a": [1]}, first)
    assert (error.column, error.reason[:34]) == ("b", "the column is only in later data; ")


def test_members_in_structs():
    assert mismatch({"x": [{"a": 1}]}, {"x": [{"a": 1, "b": 2}]}).column == "x.b"
    error = mismatch({"x": [{"a": [1]}]}, {"x": [{"a": ["t"]}]})
    assert error.column == "x.a.element"


def test_any_data_can_follow_any():
    polars = pytest.importorskip("polars")
    parts = [
        pd.DataFrame({"n": [1], "t": ["a"]}),
        {"n": np.array([2], "i4"), "t": ["b"]},
        pa.table({"n": pa.array([3], pa.int16()), "t": pa.array(["c"]).dictionary_encode()}),
        polars.DataFrame({"t": ["d", None], "n": [4, None]}),
        hp.ParquetFile(written({"n": [5], "t": ["e"]})),
    ]
    frame = read(written(iter(parts)))
    assert frame["n"].tolist() == [1, 2, 3, 4, pd.NA, 5]
    assert frame["t"].tolist()[:4] == ["a", "b", "c", "d"]


def test_a_writer_takes_later_data_too():
    file = io.BytesIO()
    with hp.ParquetWriter(file) as writer:
        writer.write(pd.DataFrame({"x": [1]}))
        writer.write(pd.DataFrame({"x": [2.0, np.nan]}))
        with pytest.raises(SchemaMismatch, match="string"):
            columns_of({"x": ["a"]}).fitted(*_first({"x": [1]}))
    frame = read(file)
    assert frame["x"].tolist() == [1, 2, pd.NA]
    assert len(frame.index) == 3


def _first(data):
    columns = columns_of(data)
    return columns.fields, columns.types


@pytest.mark.parametrize(
    ("starts", "expected"), [((0, 2), range(4)), ((0, 0), range(4)), ((5, 7), range(5, 9))]
)
def test_a_range_goes_on_over_all_frames(starts, expected):
    frames = [pd.DataFrame({"x": [1, 2]}, index=range(at, at + 2)) for at in starts]
    file = written(iter(frames))
    for back in (read(file), read_by_pyarrow(file)):
        assert isinstance(back.index, pd.RangeIndex)
        assert list(back.index) == list(expected)


def test_nothing_at_all():
    with pytest.raises(InvalidOption, match="the iterable to be written is empty"):
        columns_of(iter([]))
