"""Dask data frames: what is read, what dask is told beforehand, and what it never asks for."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import hocket.parquet as hp

pytest.importorskip("pyarrow")
dask = pytest.importorskip("dask")
hpd = pytest.importorskip("hocket.parquet.dask")

ROWS = 400


def frame() -> pd.DataFrame:
    numbers = np.arange(ROWS)
    return pd.DataFrame(
        {
            "i": numbers,
            # With nulls in the last row group only.
            "n": pd.array([n if n < 350 else None for n in numbers.tolist()], "Int64"),
            "f": numbers / 7,
            "s": [f"text {n % 5}" for n in numbers],
            "c": pd.Categorical([f"kind {n // 100}" for n in numbers]),
            "t": pd.date_range("2026-01-01", periods=ROWS, freq="h", tz="Europe/Berlin"),
        }
    )


@pytest.fixture(autouse=True)
def threads():
    # Strings as pandas has them, so that frames can be compared.
    with dask.config.set({"scheduler": "synchronous", "dataframe.convert-string": False}):
        yield


@pytest.fixture
def path(tmp_path) -> Path:
    frame().to_parquet(tmp_path / "a.parquet", row_group_size=100)
    return tmp_path / "a.parquet"


def check(found: object, expected: pd.DataFrame) -> None:
    """Compare a frame, and what dask was told of its partitions with what they are."""
    meta = found._meta
    for partition in dask.compute(*found.to_delayed()):
        assert partition.columns.tolist() == meta.columns.tolist()
        for name, dtype in meta.dtypes.items():
            is_category = isinstance(dtype, pd.CategoricalDtype)
            assert partition.dtypes[name] == ("category" if is_category else dtype)
        assert partition.index.dtype == meta.index.dtype
        assert partition.index.name == meta.index.name
    read = found.compute()
    if "c" in expected:
        # The categories of one partition are not those of the others.
        read, expected = read.astype({"c": "str"}), expected.astype({"c": "str"})
    pd.testing.assert_frame_equal(read, expected, check_index_type=False, check_freq=False)


def test_a_partition_is_some_row_groups(path):
    expected = frame()
    expected.index = [*range(100)] * 4
    each = hpd.read_parquet(path, rows=0)
    assert each.npartitions == 4
    check(each, expected)
    assert hpd.read_parquet(path).npartitions == 1
    two = hpd.read_parquet(hp.ParquetFile(path), rows=250)
    assert two.npartitions == 2
    assert len(two) == ROWS


def test_columns_that_are_chosen_later_are_all_that_is_read(path, monkeypatch):
    asked = []
    known = hp.ParquetPart.to_pandas

    def to_pandas(self, columns=None, **options):
        asked.append(columns)
        return known(self, columns, **options)

    monkeypatch.setattr(hp.ParquetPart, "to_pandas", to_pandas)
    found = hpd.read_parquet(path, rows=0)
    assert asked == []
    assert found["f"].sum().compute() == pytest.approx(frame()["f"].sum())
    assert found[found["i"] > 390][["s"]].compute().shape == (9, 1)
    most = found.groupby("s")["i"].max().compute()
    assert most.to_dict() == {f"text {n}": 395 + n for n in range(5)}
    assert asked == [["f"]] * 4 + [["i", "s"]] * 8


def test_columns_can_be_chosen_at_once(path):
    check(hpd.read_parquet(path, ["f", "i"], rows=1000), frame()[["f", "i"]])
    series = hpd.read_parquet(path, "f", rows=0)
    assert series.compute().tolist() == frame()["f"].tolist()
    assert len(hpd.read_parquet(path, [])) == ROWS


def test_filters_leave_out_partitions_and_rows(path):
    found = hpd.read_parquet(path, filters=[("i", ">=", 150), ("s", "==", "text 1")], rows=0)
    assert found.npartitions == 3
    expected = frame().query("i >= 150 and s == 'text 1'")
    assert found.compute()["i"].tolist() == expected["i"].tolist()
    nothing = hpd.read_parquet(path, filters=[("i", "<", 0)])
    assert nothing.npartitions == 1
    check(nothing, frame()[:0])
    assert len(nothing[["f"]]) == 0


@pytest.mark.parametrize(
    "index",
    [
        pd.RangeIndex(ROWS, name="x"),
        pd.Index(np.arange(ROWS) * 3, name="x"),
        pd.Index(np.arange(ROWS) / 8, name="x"),
        pd.Index([f"{n:04}" for n in range(ROWS)], name="x"),
        pd.date_range("2026-01-01", periods=ROWS, freq="min", name="x"),
        pd.date_range("2026-01-01", periods=ROWS, freq="min", tz="America/New_York", name="x"),
        pd.timedelta_range("1 h", periods=ROWS, freq="min", name="x"),
        pd.Index(np.arange(ROWS)),
    ],
    ids=lambda index: str(index.dtype),
)
def test_divisions_are_told_where_the_index_is_in_order(tmp_path, index):
    expected = frame().set_index(index)
    expected.to_parquet(tmp_path / "x.parquet", row_group_size=100, index=True)
    found = hpd.read_parquet(tmp_path / "x.parquet", rows=0)
    assert found.known_divisions
    assert list(found.divisions) == [*index[::100], index[-1]]
    check(found, expected)
    some = found.loc[index[120] : index[130]]
    assert some.optimize().npartitions == 1
    assert some.compute()["i"].tolist() == list(range(120, 131))
    assert not hpd.read_parquet(tmp_path / "x.parquet", calculate_divisions=False).known_divisions


@pytest.mark.parametrize(
    "index",
    [
        pd.Index(np.arange(ROWS)[::-1], name="x"),
        pd.Index([*range(100), *range(99, 399)], name="x"),
        pd.Index([None, *map(float, range(1, ROWS))], name="x"),
        pd.Index([f"{n:04}".encode() for n in range(ROWS)], name="x"),
        pd.MultiIndex.from_product([range(4), range(100)], names=["x", "y"]),
    ],
    ids=["falling", "meeting", "nulls", "objects", "levels"],
)
def test_divisions_are_not_told_where_they_are_not_known(tmp_path, index):
    expected = frame().set_index(index)
    expected.to_parquet(tmp_path / "x.parquet", row_group_size=100)
    found = hpd.read_parquet(tmp_path / "x.parquet", rows=0)
    assert found.npartitions == 4
    assert not found.known_divisions
    whole = hp.read(tmp_path / "x.parquet").index
    pd.testing.assert_index_equal(found.compute().index, whole, exact="equiv")


def test_any_column_can_be_the_index(path):
    found = hpd.read_parquet(path, ["f"], index="i", rows=0)
    assert found.divisions == (0, 100, 200, 300, 399)
    check(found, frame().set_index("i")[["f"]])
    assert not hpd.read_parquet(path, index=False).known_divisions
    with pytest.raises(hp.ParquetError, match="'no'"):
        hpd.read_parquet(path, index="no")


def test_partitions_of_a_dataset_are_known_categories(tmp_path):
    for name in ("x", "y"):
        (tmp_path / f"p={name}").mkdir()
        frame().to_parquet(tmp_path / f"p={name}" / "a.parquet", row_group_size=200)
    found = hpd.read_parquet(tmp_path, ["p", "i", "c"], filters=[("i", ">", 250)], rows=0)
    assert found.npartitions == 2
    assert found["p"].cat.known
    assert not found["c"].cat.known
    counts = found.groupby("p", observed=False)["i"].count().compute()
    assert counts.to_dict() == {"x": 149, "y": 149}


def test_labels_that_are_no_names_are_read_whole(tmp_path):
    pd.DataFrame({0: [1, 2], 1: [3, 4]}).to_parquet(tmp_path / "n.parquet")
    found = hpd.read_parquet(tmp_path / "n.parquet")
    assert found.columns.tolist() == [0, 1]
    assert found[1].sum().compute() == 7


def test_equal_reads_are_equal_tasks(path):
    first, second = hpd.read_parquet(path), hpd.read_parquet(hp.ParquetFile(path))
    assert first._name == second._name
    assert hpd.read_parquet(path, filters=[("i", ">", 1)])._name != first._name


@pytest.mark.slow
def test_dask_processes_read(path):
    code = (
        "import sys, hocket.parquet.dask as hpd\n"
        "if __name__ == '__main__':\n"
        "    found = hpd.read_parquet(sys.argv[1], rows=0)\n"
        "    print(found['i'].sum().compute(scheduler='processes', num_workers=2))\n"
    )
    script = path.with_name("script.py")
    script.write_text(code)
    ran = subprocess.run(
        [sys.executable, script, path], capture_output=True, text=True, check=False
    )
    assert (ran.stdout, ran.returncode) == (f"{sum(range(ROWS))}\n", 0), ran.stderr


def test_nothing_else_of_the_library_imports_dask():
    code = (
        "import sys, hocket.parquet as hp, hocket.parquet.api, hocket.parquet.engine\n"
        "assert 'dask' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
