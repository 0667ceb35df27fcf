"""Arrays by name, structured and masked arrays, rows, and columns of pandas alone."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from parquet_round_trips import arrow_table, objects, read, written

import hocket.parquet as hp
from hocket.parquet.errors import InvalidOption, ValueUnstorable
from hocket.parquet.intake.columns import columns_of


def arrays(data, **options) -> dict:
    file = written(data, **options)
    file.seek(0)
    return hp.ParquetFile(file).to_numpy()


_DTYPES = [
    "?",
    "i1",
    "i2",
    "i4",
    "i8",
    "u1",
    "u2",
    "u4",
    "u8",
    "f2",
    "f4",
    "f8",
    "M8[D]",
    "M8[ms]",
    "M8[us]",
    "M8[ns]",
    "m8[s]",
    "m8[ms]",
    "m8[ns]",
    "V3",
    ">i4",
    ">f8",
    ">M8[us]",
]


@settings(max_examples=100)
@given(st.data())
def test_arrays_come_back(data):
    count = data.draw(st.integers(0, 6))
    given_arrays = {}
    for name in data.draw(st.lists(st.sampled_from("abc"), min_size=1, unique=True)):
        dtype = np.dtype(data.draw(st.sampled_from(_DTYPES)))
        nbytes = count * dtype.itemsize
        raw = data.draw(st.binary(min_size=nbytes, max_size=nbytes))
        values = np.frombuffer(raw, "u1" if dtype == "?" else dtype)
        values = values % 2 == 1 if dtype == "?" else values
        if dtype == "M8[D]":
            values = (values.view("i8") % (1 << 31)).view("M8[D]")
        given_arrays[name] = values
    back = arrays(given_arrays, has_nulls=False)
    assert list(back) == list(given_arrays)
    for name, values in given_arrays.items():
        assert back[name].dtype == values.dtype.newbyteorder("=")
        np.testing.assert_array_equal(back[name], values)


def test_nothing_is_copied():
    given_arrays = {"a": np.arange(5), "b": np.ones(5), "c": np.zeros(5, "M8[us]")}
    (batch,) = columns_of(given_arrays).batches
    for array, values in zip(batch, given_arrays.values(), strict=True):
        assert np.shares_memory(array.values, values)


def test_nan_is_a_value_and_nat_is_none():
    table = arrow_table(written({"a": np.array([np.nan, 1]), "b": np.array(["NaT"] * 2, "M8[us]")}))
    assert table["a"].null_count == 0
    assert table["b"].null_count == 2
    assert arrow_table(written({"a": np.array([np.nan])}, nan_is_missing=True))["a"].null_count


def test_units_that_parquet_does_not_have():
    back = arrays(
        {
            "hours": np.array([1], "M8[h]"),
            "tens": np.array([3], "M8[10s]"),
            "months": np.array(["2020-02", "NaT"], "M8[M]"),
            "fine": np.array([7000, 0], "m8[ps]")[:2],
            "minutes": np.array([2, 1], "m8[m]"),
        }
        | {"hours": np.array([1, 2], "M8[h]"), "tens": np.array([3, 1], "M8[10s]")}
    )
    assert back["hours"].tolist() == np.array([1, 2], "M8[h]").astype("M8[ms]").tolist()
    assert back["tens"][0] == np.datetime64(30, "s")
    assert back["months"][0] == np.datetime64("2020-02-01")
    assert np.isnat(back["months"][1])
    assert back["fine"][0] == np.timedelta64(7, "ns")
    assert back["minutes"][0] == np.timedelta64(2, "m")


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        (np.array([1j]), "row 0: the dtype complex128 has no Parquet type"),
        (np.array([1], "m8[Y]"), "has no unit of a fixed length"),
        (np.array([1, 1 << 40], "M8[Y]"), "row 1: "),
        (np.array([1000, 1], "m8[ps]"), "row 1: np.timedelta64(1,'ps')"),
        (np.array([0, 1 << 60], "M8[h]"), "row 1: "),
    ],
)
def test_arrays_that_cannot_be_stored(values, reason):
    with pytest.raises(ValueUnstorable) as caught:
        columns_of({"x": values})
    assert caught.value.reason.startswith(reason) or reason in caught.value.reason
    assert caught.value.column == "x"


def test_long_doubles_only_if_nothing_is_lost():
    assert objects(written({"x": np.array([0.5, np.nan], np.longdouble)}))[0] == 0.5
    if np.finfo(np.longdouble).nmant > 52:
        with pytest.raises(ValueUnstorable, match="more digits than 64 bits"):
            columns_of({"x": np.array([1, 1 + np.finfo(np.longdouble).eps])})


@given(st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=5)))
def test_texts_of_a_fixed_width(texts):
    assert objects(written({"x": np.array(texts, "U5")})) == texts


def test_byte_strings_and_texts_of_numpy():
    assert objects(written({"x": np.array([b"ab", b"", b"c"])})) == [b"ab", b"", b"c"]
    assert objects(written({"x": np.array(["", ""])})) == ["", ""]
    assert objects(written({"x": np.array([b""], "S")})) == [b""]
    if hasattr(np.dtypes, "StringDType"):
        texts = np.array(["a", "long enough to be elsewhere"], np.dtypes.StringDType())
        assert objects(written({"x": texts})) == texts.tolist()


def test_further_axes_are_lists():
    cube = np.arange(24).reshape(2, 3, 4)
    assert objects(written({"x": cube})) == cube.tolist()
    assert objects(written({"x": cube.transpose(1, 0, 2)})) == cube.transpose(1, 0, 2).tolist()
    assert objects(written({"x": np.zeros((2, 0))})) == [[], []]


def test_structured_arrays_are_columns_and_structs():
    records = np.array(
        [(1, (2.5, "a"), [1, 2]), (3, (4.5, "b"), [3, 4])],
        [("n", "i4"), ("inner", [("f", "f8"), ("t", "U3")]), ("two", "i2", 2)],
    )
    for data in (records, records.view(np.recarray)):
        frame = read(written(data), nested="python")
        assert frame["n"].tolist() == [1, 3]
        assert frame["inner"].tolist() == [{"f": 2.5, "t": "a"}, {"f": 4.5, "t": "b"}]
        assert frame["two"].tolist() == [[1, 2], [3, 4]]


def test_masks_are_missing_values():
    values = np.ma.MaskedArray([1, 2, 3], [False, True, False])
    assert objects(written({"x": values})) == [1, None, 3]
    times = np.ma.MaskedArray(np.array([1, "NaT", 3], "M8[us]"), [True, False, False])
    assert [each is None for each in objects(written({"x": times}))] == [True, True, False]
    texts = np.ma.MaskedArray(np.array(["a", "b"], object), [True, False])
    assert objects(written({"x": texts})) == [None, "b"]
    both = np.ma.MaskedArray(np.array([(1, 2.0)], "i4,f8"), [(True, True)])
    assert objects(written({"x": both})) == [None]


def test_rows_are_dicts():
    rows = [{"a": 1, "b": [1]}, {"a": None}, {"c": "x"}]
    frame = read(written(rows), nested="python", dtypes={"a": object})
    assert frame["a"].tolist() == [1, None, None]
    assert frame["b"].tolist() == [[1], None, None]
    assert frame["c"].tolist()[2] == "x"


def test_columns_of_pandas_among_arrays():
    data = {"a": pd.Series([1, None], dtype="Int8"), "b": pd.Index(["x", "y"]), "c": [1.5, None]}
    frame = read(written(data))
    assert frame["a"].tolist() == [1, pd.NA]
    assert frame["b"].tolist() == ["x", "y"]
    assert frame["c"][0] == 1.5


def test_a_column_of_pandas_alone():
    assert read(written(pd.Series([1, 2], name="n")))["n"].tolist() == [1, 2]
    assert read(written(pd.Series([1, 2])))["0"].tolist() == [1, 2]
    assert read(written(pd.Index([3, 4], name="i")))["i"].tolist() == [3, 4]


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        ({"a": np.arange(2), "b": np.arange(3)}, "'b' has 3 rows, and 'a' has 2"),
        ({1: np.arange(2)}, "1 is the name of a column, and has to be a text"),
        ({"a": 5}, "the column 'a' is 5 (int), and no array"),
        ({"a": np.array(5)}, "the column 'a' is 5 (int), and no array"),
        ({"a": "text"}, "'text' (str), and no array or list"),
        (np.zeros((2, 2)), "has no columns with names"),
        (5, "data of type int cannot be written"),
        ("frame.csv", "data of type str cannot be written"),
        ([], "there is no data"),
        (iter([5]), "data of type int cannot be written"),
    ],
)
def test_what_cannot_be_written(data, reason):
    with pytest.raises(InvalidOption) as caught:
        columns_of(data)
    assert reason in caught.value.reason


def test_a_plan_of_polars_is_told_to_collect():
    class LazyFrame:
        def collect(self): ...

        def collect_schema(self): ...

    with pytest.raises(InvalidOption, match="collect"):
        columns_of(LazyFrame())
