"""Pieces of a dataset: what they read, what they weigh, and that any process reads them."""

import pickle
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

import hocket.parquet as hp
from hocket.parquet.dataset import parts as cutting
from hocket.parquet.dataset import references

pa = pytest.importorskip("pyarrow")
pq = pytest.importorskip("pyarrow.parquet")

ROWS = 1000


def table(start: int = 0) -> pa.Table:
    numbers = np.arange(start, start + ROWS)
    return pa.table(
        {
            "i": numbers,
            # With nulls in the second half only.
            "n": pa.array([int(n) if n < 500 or n % 3 else None for n in numbers]),
            "s": [f"text {n % 10}" for n in numbers],
            "l": [[int(n)] * (n % 3) for n in numbers],
        }
    )


@pytest.fixture
def path(tmp_path) -> Path:
    pq.write_table(table(), tmp_path / "a.parquet", row_group_size=100)
    return tmp_path / "a.parquet"


@pytest.fixture
def hive(tmp_path) -> Path:
    for number, name in enumerate(["x", "y", "z"]):
        (tmp_path / "d" / f"p={name}").mkdir(parents=True)
        file = tmp_path / "d" / f"p={name}" / "part.parquet"
        pq.write_table(table(number * ROWS), file, row_group_size=250)
    return tmp_path / "d"


def together(parts: list, **options) -> pd.DataFrame:
    frames = [pickle.loads(pickle.dumps(part)).to_pandas(**options) for part in parts]
    return pd.concat(frames, ignore_index=True)


# --------------------------------------------------------------------------------- what they are


def test_parts_are_the_row_groups(path):
    opened = hp.ParquetFile(path)
    parts = opened.parts()
    assert [part.rows for part in parts] == [100] * 10
    assert [part.file.fn for part in parts] == [str(path)] * 10
    assert parts[3].to_pandas()["i"].tolist() == list(range(300, 400))
    assert parts[3].paths == [str(path)]
    assert repr(parts[3]) == f"<ParquetPart: 100 rows in 1 row groups, {parts[3].nbytes:,} bytes>"
    pd.testing.assert_frame_equal(together(parts), opened.to_pandas())


@pytest.mark.parametrize(
    ("sizes", "expected"),
    [
        ({"rows": 1000}, [1000]),
        ({"rows": 350}, [300, 300, 300, 100]),
        ({"rows": 50}, [100] * 10),
        ({"rows": 0}, [100] * 10),
        ({"nbytes": 0}, [100] * 10),
        ({"nbytes": 1 << 30}, [1000]),
        ({"rows": 600, "nbytes": 1 << 30}, [600, 400]),
    ],
)
def test_row_groups_are_joined_up_to_a_size(path, sizes, expected):
    parts = hp.ParquetFile(path).parts(**sizes)
    assert [part.rows for part in parts] == expected
    assert together(parts)["i"].tolist() == list(range(ROWS))


def test_bytes_are_those_of_the_columns_that_are_read(path):
    opened = hp.ParquetFile(path)
    numbers, texts = opened.parts(["i"]), opened.parts(["s"])
    both = opened.parts(["i", "s"])
    assert [part.nbytes for part in both] == [
        one.nbytes + two.nbytes for one, two in zip(numbers, texts, strict=True)
    ]
    assert numbers[0].nbytes >= 800
    joined = opened.parts(["i"], nbytes=2 * numbers[0].nbytes)
    assert [part.rows for part in joined] == [200] * 5
    assert joined[0].nbytes == 2 * numbers[0].nbytes


def test_columns_and_filters_are_pushed_down_and_pruned_parts_left_out(hive):
    opened = hp.ParquetFile(hive)
    filters = [("i", ">=", 1400), ("p", "!=", "z"), ("s", "==", "text 4")]
    parts = opened.parts(["s", "p", "i"], filters)
    assert len(parts) == 3
    assert {part.file.file_scheme for part in parts} == {"hive"}
    expected = opened.to_pandas(["s", "p", "i"], filters=filters)
    found = together(parts)
    pd.testing.assert_frame_equal(found, expected)
    assert found["p"].dtype.categories.tolist() == ["x", "y", "z"]
    assert sum(part.count() for part in parts) == len(expected)
    # The whole row groups, as far as filters are concerned.
    assert len(together(opened.parts(filters=filters, row_filter=False))) == 750
    assert opened.parts(filters=[("i", "<", 0)]) == []
    assert [part.rows for part in opened[2:4].parts(filters=[("p", "==", "x")])] == [250, 250]


def test_options_of_the_frame_are_kept_and_can_be_changed(path):
    opened = hp.ParquetFile(path)
    part = opened.parts(index="i", categories=["s"], dtypes={"n": "float32"}, nested="python")[7]
    frame = pickle.loads(pickle.dumps(part)).to_pandas()
    expected = opened[7].to_pandas(
        index="i", categories=["s"], dtypes={"n": "float32"}, nested="python"
    )
    pd.testing.assert_frame_equal(frame, expected)
    assert part.to_pandas(["n"], index=False).columns.tolist() == ["n"]
    assert part.to_pandas(filters=[("i", ">", 797)]).index.tolist() == [798, 799]


def test_all_parts_have_the_dtypes_of_the_whole(path):
    opened = hp.ParquetFile(path)
    dtypes = opened.to_pandas().dtypes
    assert str(dtypes["n"]) == "Int64"
    # By itself, a row group without nulls has integers without a mask.
    assert str(opened[0].to_pandas().dtypes["n"]) == "int64"
    for part in opened.parts():
        pd.testing.assert_series_equal(part.to_pandas().dtypes, dtypes)
    for part in hp.ParquetFile(path, pandas_nulls=False).parts(["n"]):
        assert str(part.to_pandas().dtypes["n"]) == "float64"
    assert {str(part.to_pandas().dtypes["n"]) for part in opened[:5].parts()} == {"int64"}
    wanted = opened.parts(dtypes={"n": "float64"})
    assert {str(part.to_pandas().dtypes["n"]) for part in wanted} == {"float64"}


def test_arrow_and_numpy(path):
    part = pickle.loads(pickle.dumps(hp.ParquetFile(path).parts(["i"], [("i", "<", 205)])[2]))
    assert pa.table(part.to_arrow()).to_pydict() == {"i": [200, 201, 202, 203, 204]}
    assert pa.table(part).to_pydict() == {"i": [200, 201, 202, 203, 204]}
    assert part.to_numpy()["i"].tolist() == [200, 201, 202, 203, 204]
    assert list(part.to_numpy(["s"])) == ["s"]
    assert part.to_arrow(["s"], filters=[("i", "==", 207)]).num_rows == 1


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"columns": ["x"]}, "no column 'x'"),
        ({"filters": [("x", "==", 1)]}, "'x'"),
        ({"rows": -1}, "rows is -1"),
        ({"nbytes": 1.5}, "nbytes is 1.5"),
        ({"row_filter": np.ones(ROWS, bool)}, "parts takes no array as row_filter"),
        ({"no_such": 1}, "no option 'no_such'"),
        ({"index": "x"}, "'x'"),
    ],
)
def test_mistakes_are_told_before_anything_is_sent(path, arguments, says):
    with pytest.raises(hp.ParquetError, match=says):
        hp.ParquetFile(path).parts(**arguments)


def test_row_groups_without_rows_are_in_no_part(tmp_path):
    with pq.ParquetWriter(tmp_path / "e.parquet", table().schema) as writer:
        for rows in (10, 0, 5):
            writer.write_table(table().slice(0, rows))
    assert [part.rows for part in hp.ParquetFile(tmp_path / "e.parquet").parts()] == [10, 5]


@given(
    sizes=st.lists(st.tuples(st.integers(1, 50), st.integers(0, 50)), max_size=30),
    most_rows=st.none() | st.integers(0, 120),
    most_nbytes=st.none() | st.integers(0, 120),
)
def test_row_groups_are_joined_as_far_as_the_limits_allow(sizes, most_rows, most_nbytes):
    rows, nbytes = [each for each, _ in sizes], np.array([each for _, each in sizes], np.int64)
    spans = list(cutting._joined(rows, nbytes, most_rows, most_nbytes))
    assert [at for first, stop in spans for at in range(first, stop)] == list(range(len(sizes)))

    def fits(first: int, stop: int) -> bool:
        return (most_rows is None or sum(rows[first:stop]) <= most_rows) and (
            most_nbytes is None or nbytes[first:stop].sum() <= most_nbytes
        )

    if most_rows is None and most_nbytes is None:
        assert len(spans) == len(sizes)
        return
    for first, stop in spans:
        assert fits(first, stop) or stop == first + 1
        assert stop == len(sizes) or not fits(first, stop + 1)


# ------------------------------------------------------------------------------ what they weigh


def test_a_part_of_a_wide_file_is_small_and_its_footer_is_parsed_once(tmp_path, monkeypatch):
    wide = pa.table({f"column {n}": [1, 2, 3, 4] for n in range(300)})
    pq.write_table(wide, tmp_path / "w.parquet", row_group_size=1)
    sent = [pickle.dumps(part) for part in hp.ParquetFile(tmp_path / "w.parquet").parts()]
    assert max(map(len, sent)) < 1000
    read = []
    known = references.read_file

    def counted(*arguments):
        read.append(arguments)
        return known(*arguments)

    monkeypatch.setattr(references, "read_file", counted)
    parts = [pickle.loads(each) for each in sent]
    assert read == []  # Nothing is opened before something is read.
    assert [part.count() for part in parts] == [1] * 4
    assert len(read) == 1
    assert parts[0].file._collection is parts[1].file._collection


def test_parts_of_a_dataset_name_only_their_own_files(hive):
    parts = hp.ParquetFile(hive).parts(["i"])
    assert len(parts) == 12
    sent = pickle.dumps(parts[5])
    assert b"p=y" in sent
    assert b"p=z" not in sent
    assert pickle.loads(sent).to_pandas()["i"].tolist() == list(range(1250, 1500))


def test_small_footers_of_remote_files_go_along(path):
    store = pytest.importorskip("fsspec").filesystem("memory")
    store.pipe_file("/hocket-parts/a.parquet", path.read_bytes())
    try:
        (part, *_) = hp.ParquetFile("memory://hocket-parts/a.parquet").parts(["i"])
        restored = pickle.loads(pickle.dumps(part))
        assert restored.to_pandas()["i"].tolist() == list(range(100))
        store.pipe_file("/hocket-parts/a.parquet", path.read_bytes()[:-100] + bytes(100))
        # The footer in the store is not read again; what it describes is.
        assert pickle.loads(pickle.dumps(part)).to_pandas()["i"].tolist() == list(range(100))
    finally:
        store.rm("/hocket-parts", recursive=True)


def test_what_was_not_opened_by_path_goes_along_whole(path):
    part = hp.ParquetFile(path.read_bytes()).parts(["i"])[4]
    assert pickle.loads(pickle.dumps(part)).to_pandas()["i"].tolist() == list(range(400, 500))
