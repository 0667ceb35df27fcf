"""Options about the data that is written: nulls, types, times, numbers of fields."""

from decimal import Decimal

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from parquet_round_trips import arrow_table, objects, read, written

import hocket.parquet as hp
from hocket.parquet.errors import (
    ColumnMissing,
    InvalidOption,
    ParquetError,
    SchemaMismatch,
    ValueOutOfRange,
    ValueUnstorable,
)
from hocket.parquet.intake.columns import columns_of
from hocket.parquet.intake.options import IntakeOptions
from hocket.parquet.metadata.schema import Repetition


def nullable(frame, **options) -> dict[str, bool]:
    root = hp.ParquetFile(written(frame, **options)).schema.root
    return {node.name: node.repetition is Repetition.OPTIONAL for node in root.children}


_FRAME = pd.DataFrame(
    {
        "i": [1, 2],
        "f": [1.5, np.nan],
        "d": pd.to_timedelta([1, None], unit="ms"),
        "t": pd.to_datetime(["2020", None]),
        "o": pd.Series(["a", None], dtype=object),
        "s": ["a", None],
    }
)


@pytest.mark.parametrize(
    ("told", "expected"),
    [(True, "ifdtos"), ("infer", "os"), (None, "os"), (["i", "o", "s"], "ios")],
)
def test_which_columns_can_have_missing_values(told, expected):
    found = nullable(_FRAME, has_nulls=told)
    assert "".join(name for name, can in found.items() if can) == expected
    back = read(written(_FRAME, has_nulls=told))
    pd.testing.assert_frame_equal(back, _FRAME.assign(o=_FRAME["s"]), check_dtype=False)


def test_missing_values_where_there_can_be_none():
    with pytest.raises(ParquetError, match="row 1") as caught:
        written(_FRAME[["s"]], has_nulls=False)
    assert caught.value.column == "s"
    numbers = _FRAME[["i", "f"]]
    pd.testing.assert_frame_equal(read(written(numbers, has_nulls=False)), numbers)


def test_nan_is_missing_in_what_comes_from_pandas():
    assert arrow_table(written(_FRAME))["f"].null_count == 1
    assert arrow_table(written(_FRAME, nan_is_missing=False))["f"].null_count == 0
    masked = pd.DataFrame(
        {"x": pd.arrays.FloatingArray(np.array([np.nan, 1.0]), np.array([False, True]))}
    )
    values = arrow_table(written(masked))["x"].to_pylist()
    assert np.isnan(values[0])
    assert values[1] is None


def test_arrow_says_itself_what_can_be_missing():
    schema = pa.schema([pa.field("a", pa.int8(), nullable=False), pa.field("b", pa.int8())])
    table = pa.table([[1], [2]], schema=schema)
    assert nullable(table) == {"a": False, "b": True}
    assert nullable(table, has_nulls=False) == {"a": False, "b": False}
    assert nullable(table, has_nulls=["a"]) == {"a": False, "b": False}


@pytest.mark.parametrize(
    ("values", "wanted", "expected"),
    [
        (np.array([1, 2]), "int8", [1, 2]),
        (np.array([1.0, 2.0]), "int32", [1, 2]),
        (np.array([1, 0]), "bool", [True, False]),
        (np.array([1, 2]), "float32", [1.0, 2.0]),
        (np.array([0.1, 2.0]), "decimal(12, 2)", [Decimal("0.10"), Decimal("2.00")]),
        (np.array([3]), "decimal", [Decimal(3)]),
        (np.array(["2020-01-01"], "M8[ns]"), "date", None),
        (["a", None], "enum", ["a", None]),
        ([b"ab"], "binary(2)", [b"ab"]),
        (["6ba7b810-9dad-11d1-80b4-00c04fd430c8"], "uuid", None),
        ([[1], None], "list<float64>", [[1.0], None]),
        ([{"b": 1}], "struct<a: string, b: int8>", [{"a": None, "b": 1}]),
        ([None], "string", [None]),
        (pd.Series([1.5], dtype="Float64"), "float32", [1.5]),
    ],
)
def test_types_that_are_asked_for(values, wanted, expected):
    file = written({"x": values}, types={"x": wanted})
    if expected is not None:
        assert objects(file) == expected
    again = columns_of(hp.ParquetFile(file))
    told = columns_of({"x": values}, IntakeOptions(types={"x": wanted}))
    assert again.fields[0].physical == told.fields[0].physical
    assert again.fields[0].type_length == told.fields[0].type_length


@pytest.mark.parametrize(
    ("values", "wanted", "reason"),
    [
        (np.array([1, 300]), "int8", "row 1: 300 (int) does not fit int8"),
        (np.array([1, -1]), "uint64", "row 1: -1 (int) does not fit uint64"),
        (np.array([1.5]), "int64", "row 0: 1.5 (float) does not fit int64"),
        (np.array([np.nan, 2.0**63]), "int64", "row 0: nan (float) does not fit int64"),
        (np.array([0.125]), "decimal(5, 2)", "has more than the 2 digits after the point"),
        (np.array([1e6]), "decimal(5, 2)", "has more than the 3 digits before the point"),
        (["a"], "int64", "'a' (str) is no number"),
        ([1], "list<int64>", "1 (int) is no list"),
        ([1], "struct<a: int64>", "1 (int) is no dict"),
        ([{"c": 1}], "struct<a: int64>", "has the member 'c', which struct<a: int64> does not"),
        ([b"abc"], "binary(2)", "has 3 bytes, and binary(2) is asked for"),
        (["x"], "uuid", "is no UUID"),
        ([1], "null", "no value is asked for"),
        (["2020"], "date", "'2020' (str) is no date"),
    ],
)
def test_types_that_do_not_fit(values, wanted, reason):
    with pytest.raises(ValueUnstorable) as caught:
        columns_of({"x": values}, IntakeOptions(types={"x": wanted}))
    assert reason in caught.value.reason
    assert caught.value.column == "x"


def test_types_of_frames():
    frame = pd.DataFrame(
        {
            "price": [1.1, None],
            "s": ["a", "b"],
            "c": pd.Categorical(["1", "2"]),
            "z": pd.to_datetime(["2020", "2021"]).tz_localize("Asia/Tokyo"),
            "a": pd.array([1, None], dtype="int64[pyarrow]"),
        }
    )
    types = {
        "price": "decimal(12,2)",
        "s": "enum",
        "z": "timestamp(ms, UTC)",
        "a": "int8",
    }
    schema = hp.ParquetFile(written(frame, types=types)).schema
    found = {node.name: str(node.logical) for node in schema.root.children}
    assert found["price"] == "DECIMAL(12, 2)"
    assert found["s"] == "ENUM"
    assert found["z"] == "TIMESTAMP(ms, UTC)"
    assert found["a"] == "INT8"
    assert read(written(frame, types=types), decimals="python")["price"][0] == Decimal("1.10")


def test_types_of_arrow_data():
    table = pa.table({"x": pa.array([1, None]), "t": pa.array(["a", "b"])})
    file = written(table, types={"x": "int8"})
    assert str(arrow_table(file).schema.field("x").type) == "int8"
    with pytest.raises(InvalidOption, match="column 't': types asks for what the column cannot"):
        columns_of(table, IntakeOptions(types={"t": "int8"}))
    wide = pa.table({"x": [1, 300]})
    with pytest.raises(SchemaMismatch, match=r"row 1 .* 300 \(int\) does not fit int8"):
        list(columns_of(wide, IntakeOptions(types={"x": "int8"})).batches)


def test_types_of_columns_that_are_not_there():
    for options in ({"types": {"y": "int8"}}, {"variants": ["y"]}, {"geometry": {"y": None}}):
        with pytest.raises(ColumnMissing, match="'y'"):
            columns_of({"x": [1]}, IntakeOptions(**options))


def test_units_of_timestamps():
    frame = pd.DataFrame({"t": pd.to_datetime(["2020-01-01 00:00:00.123456"]), "l": [[None]]})
    frame["l"] = [[pd.Timestamp("2020-01-01 00:00:00.5")]]
    assert read(written(frame, coerce_timestamps="ns"))["t"].dtype == "M8[ns]"
    with pytest.raises(ValueOutOfRange):
        written(frame, coerce_timestamps="ms")
    back = read(written(frame, coerce_timestamps="ms", allow_truncated_timestamps=True))
    assert back["t"][0] == pd.Timestamp("2020-01-01 00:00:00.123")
    assert str(back["l"].dtype) == "list<element: timestamp[ms]>[pyarrow]"


def test_timestamps_of_96_bits():
    stamps = pd.to_datetime(["2020-01-01 00:00:00.123456", None])
    frame = pd.DataFrame({"us": stamps, "s": stamps.as_unit("s"), "c": pd.Categorical(stamps)})
    frame["l"] = [[stamps[0]], None]
    frame["z"] = stamps.tz_localize("Asia/Tokyo")
    file = written(frame, times="int96")
    leaves = hp.ParquetFile(file).schema.leaves
    assert {leaf.physical.name for leaf in leaves} == {"INT96"}
    back = read(file)
    for name in ("us", "s", "z"):
        assert back[name][0] == frame[name][0]
    assert arrow_table(file)["l"].to_pylist()[0] == [stamps[0]]
    with pytest.raises(ValueOutOfRange, match="does not fit the nanoseconds"):
        written({"x": np.array(["2500"], "M8[s]")}, times="int96")


def test_numbers_of_fields():
    data = {"a": [{"b": [1]}], "m": [{"k": 1}]}
    ids = {"a": 1, "a.b": 2, "a.b.element": 3, "m.key": 4}
    file = written(data, field_ids=ids, types={"m": "map"})
    schema = hp.ParquetFile(file).schema
    assert schema.find("a").field_id == 1
    assert [leaf.field_id for leaf in schema.leaves] == [3, 4, None]
    with pytest.raises(ColumnMissing, match=r"field_ids names 'a\.c'"):
        columns_of(data, IntakeOptions(field_ids={"a.c": 1}))


def test_texts_of_a_fixed_length():
    frame = pd.DataFrame({"t": ["π"] * 3, "b": [b"a"] * 3, "c": [b"ab", None, b"cd"]})
    file = written(frame, fixed_text={"t": 2, "b": 1, "c": 2})
    lengths = {leaf.name: leaf.type_length for leaf in hp.ParquetFile(file).schema.leaves}
    assert lengths == {"t": 0, "b": 1, "c": 2}
    assert read(file).to_dict("list") == frame.to_dict("list") | {"c": [b"ab", None, b"cd"]}
    with pytest.raises(ValueUnstorable, match="row 0: it takes 2 bytes, and fixed_text allows 1"):
        columns_of(frame, IntakeOptions(fixed_text={"t": 1}))


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"has_nulls": "some"}, "has_nulls is 'some'"),
        ({"has_nulls": 5}, "has_nulls is 5"),
        ({"object_encoding": "utf16"}, "object_encoding is 'utf16'; it has to be one of infer"),
        ({"object_encoding": {"x": "y"}}, "object_encoding is 'y'"),
        ({"fixed_text": {"x": 0}}, "fixed_text['x'] is 0"),
        ({"times": "int32"}, "times is 'int32'"),
        ({"coerce_timestamps": "s"}, "coerce_timestamps is 's'"),
        ({"coerce_timestamps": "us", "times": "int96"}, "coerce_timestamps has nothing to say"),
        ({"types": {"x": "in64"}}, "'in64' is no type"),
        ({"types": "int64"}, "types is 'int64'; it has to be a dict"),
        ({"variants": "x"}, "variants is 'x'"),
        ({"field_ids": {"x": "1"}}, "field_ids['x'] is '1'"),
        ({"field_ids": {"x": 1 << 31}}, "has to be a number of 32 bits"),
    ],
)
def test_options_that_make_no_sense(options, reason):
    with pytest.raises(InvalidOption) as caught:
        IntakeOptions(**options)
    assert reason in caught.value.reason
