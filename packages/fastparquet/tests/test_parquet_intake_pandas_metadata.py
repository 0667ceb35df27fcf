"""What the footer tells of a frame: index, labels, attrs; read back by us and by pyarrow."""

import json
import warnings
from datetime import timedelta, timezone

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from parquet_round_trips import read, read_by_pyarrow, written

import hocket.parquet as hp
from hocket.parquet.errors import InvalidOption
from hocket.parquet.intake.columns import columns_of
from hocket.parquet.intake.options import IntakeOptions
from hocket.parquet.intake.pandas_metadata import extended
from hocket.parquet.intake.zone_names import zone_name


def comes_back(frame: pd.DataFrame, **options) -> None:
    file = written(frame, **options)
    for back in (read(file), read_by_pyarrow(file)):
        pd.testing.assert_frame_equal(back, frame, check_freq=False)
        assert back.attrs == frame.attrs


_FRAME = pd.DataFrame({"a": [1, 2, 3], "b": ["x", None, "z"]})
_NAMES = st.text(st.characters(codec="utf-8"), max_size=4)
_INDEXES = {
    "range": pd.RangeIndex(3),
    "steps": pd.RangeIndex(10, 4, -2, name="down"),
    "text": pd.Index(["p", "q", "r"], name="key"),
    "unnamed": pd.Index([5, 6, 7]),
    "times": pd.date_range("2020", periods=3, tz="Asia/Tokyo", name="when", unit="us"),
    "spans": pd.to_timedelta([1, 2, 3], unit="s").as_unit("ms"),
    "floats": pd.Index([0.5, np.nan, 1.5], name="f"),
    "levels": pd.MultiIndex.from_tuples([("a", 1), ("a", 2), ("b", 1)], names=["letter", None]),
    "categories": pd.CategoricalIndex(["u", "v", "u"], name="c"),
    "like a column": pd.Index([9, 8, 7], name="a"),
}


@pytest.mark.parametrize("name", _INDEXES)
def test_indexes_come_back(name):
    frame = _FRAME.set_index(_INDEXES[name])
    if name == "like a column":
        # It cannot be called so in the file, and comes back without its name from there.
        back = read(written(frame))
        assert back.index.tolist() == [9, 8, 7]
        return
    comes_back(frame)


def test_whether_the_index_is_written():
    frame = _FRAME.set_index(pd.Index(["p", "q", "r"], name="key"))
    assert "key" not in hp.ParquetFile(written(frame, write_index=False)).columns
    assert read(written(frame, write_index=False)).index.tolist() == [0, 1, 2]
    stored = hp.ParquetFile(written(_FRAME, write_index=True))
    assert "__index_level_0__" in stored.schema.root.children[-1].name
    assert read(written(_FRAME, write_index=True)).index.tolist() == [0, 1, 2]


@given(
    st.one_of(
        st.lists(st.integers(-9, 9), min_size=2, max_size=2, unique=True),
        st.lists(st.floats(allow_nan=False), min_size=2, max_size=2, unique=True),
        st.lists(st.tuples(_NAMES, st.integers(0, 9)), min_size=2, max_size=2, unique=True),
        st.lists(_NAMES, min_size=2, max_size=2, unique=True),
    )
)
def test_labels_come_back(labels):
    columns = pd.MultiIndex.from_tuples(labels) if isinstance(labels[0], tuple) else labels
    frame = pd.DataFrame([[1, 2], [3, 4]], columns=columns)
    back = read(written(frame))
    assert list(back.columns) == list(frame.columns)


def test_labels_of_times_and_names_of_levels():
    frame = pd.DataFrame([[1, 2]], columns=pd.date_range("2020", periods=2, name="day"))
    file = written(frame)
    assert list(read(file).columns) == list(frame.columns)
    levels = pd.MultiIndex.from_product([["a", "b"], [1, 2]], names=["letter", "number"])
    comes_back(pd.DataFrame([[1, 2, 3, 4]], columns=levels))


def test_labels_that_are_one_name_in_the_file():
    with pytest.raises(InvalidOption, match=r"'1' in the file: '1' and 1; rename one"):
        columns_of(pd.DataFrame([[1, 2]], columns=["1", 1]))
    with pytest.raises(InvalidOption, match=r"'a' in the file: 'a' \(twice\)"):
        columns_of(pd.DataFrame([[1, 2]], columns=["a", "a"]))


def test_attrs_are_kept_if_they_are_json():
    frame = _FRAME.copy()
    frame.attrs = {"source": "x", "n": [1, 2]}
    comes_back(frame)
    frame.attrs = {"source": object()}
    with pytest.warns(UserWarning, match="attrs are left out"):
        columns_of(frame)


def test_what_is_told_of_columns():
    frame = pd.DataFrame(
        {
            "c": pd.Categorical(["a"], ordered=True),
            "t": pd.to_datetime(["2020"]).tz_localize("Europe/Paris"),
            "s": pd.arrays.SparseArray([1.5]),
            "p": pd.period_range("2020", periods=1, freq="D"),
        }
    )
    (text,) = (columns_of(frame).key_value["pandas"],)
    told = {each["name"]: each for each in json.loads(text)["columns"]}
    assert told["c"]["metadata"] == {"num_categories": 1, "ordered": True}
    assert told["t"]["metadata"] == {"timezone": "Europe/Paris"}
    assert (told["s"]["numpy_type"], told["p"]["numpy_type"]) == ("float64", "period[D]")


def test_periods_intervals_and_sparse_values():
    frame = pd.DataFrame(
        {
            "p": pd.arrays.PeriodArray._from_sequence(["2020-01", None], dtype="period[M]"),
            "i": pd.arrays.IntervalArray.from_tuples([(0, 1.5), None], closed="left"),
            "s": pd.arrays.SparseArray([0, 2]),
            "c": pd.cut([1, 5], [0, 3, 6]),
        }
    )
    theirs = read_by_pyarrow(written(frame))
    pd.testing.assert_series_equal(theirs["p"], frame["p"])
    pd.testing.assert_series_equal(theirs["i"], frame["i"])
    back = read(written(frame), nested="python")
    assert back["s"].tolist() == [0, 2]
    assert back["i"].tolist() == [{"left": 0.0, "right": 1.5}, None]
    assert back["p"].tolist() == [frame["p"][0].ordinal, pd.NA]
    assert back["c"].tolist() == [{"left": 0, "right": 3}, {"left": 3, "right": 6}]


def test_a_frame_without_columns_or_rows():
    comes_back(_FRAME.iloc[:0])
    empty = pd.DataFrame(index=pd.RangeIndex(0))
    assert read(written(empty)).shape == (0, 0)


def test_extended_metadata_only_counts_rows():
    frame = _FRAME.set_index(_INDEXES["text"])
    text = columns_of(frame).key_value["pandas"]
    assert json.loads(extended(text, 99)) == json.loads(text)
    text = columns_of(_FRAME).key_value["pandas"]
    assert json.loads(extended(text, 99))["index_columns"][0]["stop"] == 99


def test_pyarrow_gives_its_metadata_the_same_shape():
    frame = _FRAME.assign(f=[1.5, 2.5, 3.5], m=pd.array([1, 2, None], "Int8")).set_index(
        _INDEXES["levels"]
    )
    mine = json.loads(columns_of(frame).key_value["pandas"])
    theirs = json.loads(pa.Table.from_pandas(frame).schema.metadata[b"pandas"])
    assert mine.keys() == theirs.keys()
    assert mine["index_columns"] == theirs["index_columns"]
    assert mine["column_indexes"] == theirs["column_indexes"]
    for one, other in zip(mine["columns"], theirs["columns"], strict=True):
        assert one.keys() == other.keys()
        assert {**one, "pandas_type": ""} == {**other, "pandas_type": ""}


def test_names_of_zones():
    assert zone_name(timezone(timedelta(hours=-3, minutes=-30))) == "-03:30"
    assert zone_name(timezone(timedelta(0))) == "UTC"
    assert zone_name(timezone(timedelta(seconds=1))) is None
    dateutil = pytest.importorskip("dateutil.tz")
    assert zone_name(dateutil.tzoffset(None, 3600)) == "+01:00"
    assert zone_name(dateutil.tzutc()) == "UTC"
    assert zone_name(dateutil.gettz("Europe/Paris")) == "Europe/Paris"


def test_no_warnings_for_names_that_are_no_text():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        columns_of(pd.DataFrame([[1, 2]], columns=[("a", 1), 5]), IntakeOptions())
