"""What cannot be written is told by a `ParquetError` that names it, and nothing is left behind."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

import hocket.parquet as hp

SELF: list = []
SELF.append(SELF)
KNOT: dict = {}
KNOT["again"] = [KNOT]
DEEP: list = [1]
for _ in range(3000):
    DEEP = [DEEP]

TWINS = pa.StructArray.from_arrays([pa.array([1]), pa.array([2])], ["x", "x"])


def objects(*values) -> np.ndarray:
    return np.fromiter(values, object, count=len(values))


@pytest.mark.parametrize(
    ("values", "words"),
    [
        (objects([], SELF), ["row 1", "holds itself"]),
        (objects({"again": None}, KNOT), ["row 1", "holds itself"]),
        (objects([], None, DEEP), ["row 2", "levels deep"]),
        (objects(None, np.ma.masked), ["row 1", "without axes"]),
        (objects([1], np.array(3)), ["row 1", "without axes"]),
        (objects(None, np.zeros(1, "i4,i4")[0]), ["row 1", "record"]),
    ],
)
@pytest.mark.parametrize("is_frame", [True, False])
def test_odd_objects(tmp_path, values, words, is_frame):
    data = pd.DataFrame({"col": pd.Series(values)}) if is_frame else {"col": values}
    with pytest.raises(hp.ParquetError) as caught:
        hp.write(tmp_path / "x.parquet", data)
    assert all(word in str(caught.value) for word in ["column 'col'", *words])
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "data",
    [
        {"half \ud800": np.arange(3)},
        {"fine": [{"half \ud800": 1}]},
    ],
)
def test_names_that_are_no_text(tmp_path, data):
    with pytest.raises(hp.ParquetError, match="surrogate"):
        hp.write(tmp_path / "x.parquet", data)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("options", "word"),
    [
        ({"custom_metadata": {"k": "half \ud800"}}, "surrogate"),
        ({"custom_metadata": {"half \ud800": "v"}}, "surrogate"),
        ({"fs": "s3"}, "fsspec"),
        ({"write_index": "no"}, "write_index is 'no'"),
        ({"nan_is_missing": "maybe"}, "nan_is_missing is 'maybe'"),
        ({"allow_truncated_timestamps": None}, "allow_truncated_timestamps is None"),
        ({"write_metadata": "always"}, "write_metadata is 'always'"),
        ({"write_index": np.array([1, 0])}, "write_index is array"),
        ({"write_metadata": pd.NA}, "write_metadata is <NA>"),
        ({"page_index": np.array([1, 0])}, "page_index is array"),
        ({"append": np.array([1, 0])}, "append is array"),
    ],
)
def test_odd_options(tmp_path, options, word):
    with pytest.raises(hp.ParquetError, match=word):
        hp.write(str(tmp_path / "x.parquet"), {"a": np.arange(3)}, **options)
    assert list(tmp_path.iterdir()) == []


def test_no_path():
    for function in (hp.read, lambda path: hp.write(path, {"a": np.arange(3)})):
        with pytest.raises(hp.ParquetError, match="the path is empty"):
            function("")


@pytest.mark.parametrize(
    ("data", "name"),
    [
        (pa.table([[1], [2]], ["a", "a"]), "'a'"),
        (pa.table({"s": TWINS}), "'s.x'"),
        (pa.table({"l": pa.ListArray.from_arrays([0, 1], TWINS)}), "'l.+x'"),
    ],
)
def test_two_of_one_name(tmp_path, data, name):
    with pytest.raises(hp.ParquetError, match=f"two columns are called {name}; rename one"):
        hp.write(tmp_path / "x.parquet", data)
    assert list(tmp_path.iterdir()) == []


def test_rows_of_later_batches(tmp_path):
    """They are counted in their batch, and where that begins is told."""
    required = pa.schema([pa.field("x", pa.int64(), nullable=False)])
    column = pa.chunked_array([pa.array([1, 2]), pa.array([3, None])])
    words = r"column 'x': there is no value in row 1, .* \(counted from row 2 of the row group\)"
    with pytest.raises(hp.ParquetError, match=words):
        hp.write(tmp_path / "x.parquet", pa.table({"x": column}, schema=required))
    times = [{"x": np.array([0, 1000], "M8[ns]")}, {"x": np.array([0, 1], "M8[ns]")}]
    words = r"column 'x': slot 1: 1 cannot .* \(counted from row 2 of the row group\)"
    with pytest.raises(hp.ParquetError, match=words):
        hp.write(tmp_path / "x.parquet", iter(times), coerce_timestamps="us")
    assert list(tmp_path.iterdir()) == []
