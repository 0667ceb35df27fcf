"""Dask data frames that are written: what is stored, and that it is there as a whole or not."""

from decimal import Decimal
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import hocket.parquet as hp

pytest.importorskip("pyarrow")
dask = pytest.importorskip("dask")
dd = pytest.importorskip("dask.dataframe")
hpd = pytest.importorskip("hocket.parquet.dask")

ROWS = 200


@pytest.fixture(autouse=True)
def threads():
    with dask.config.set({"scheduler": "threads", "dataframe.convert-string": False}):
        yield


def frame(index: pd.Index | None = None) -> pd.DataFrame:
    numbers = np.arange(ROWS)
    return pd.DataFrame(
        {
            "i": numbers,
            "n": pd.array([n if n % 3 else None for n in numbers.tolist()], "Int64"),
            "s": [f"text {n % 5}" for n in numbers],
            "c": pd.Categorical([f"kind {n // 50}" for n in numbers]),
            "t": pd.date_range("2026-01-01", periods=ROWS, freq="h", tz="Europe/Berlin"),
        },
        index=index,
    )


def same(found: pd.DataFrame, expected: pd.DataFrame) -> None:
    pd.testing.assert_frame_equal(found, expected, check_freq=False, check_index_type=False)


@pytest.mark.parametrize(
    "index",
    [
        None,
        pd.Index(np.arange(ROWS) * 2, name="x"),
        pd.date_range("2026-01-01", periods=ROWS, freq="min", name="x"),
    ],
    ids=["numbers", "named", "times"],
)
def test_what_is_written_is_read(tmp_path, index):
    expected = frame(index)
    hpd.to_parquet(dd.from_pandas(expected, npartitions=4), tmp_path / "d")
    names = {f"part.{number}.parquet" for number in range(4)} | {"_metadata", "_common_metadata"}
    assert {path.name for path in (tmp_path / "d").iterdir()} == names
    same(hp.read(tmp_path / "d"), expected)
    read = hpd.read_parquet(tmp_path / "d", rows=0)
    assert read.npartitions == 4
    assert read.known_divisions
    assert read.divisions[0] == expected.index[0]
    same(read.compute().astype({"c": expected["c"].dtype}), expected)


def test_an_index_that_means_nothing_is_not_stored(tmp_path):
    parts = [frame(pd.RangeIndex(ROWS)) for _ in range(2)]
    found = dd.from_map(lambda part: part, parts, meta=parts[0][:0])
    hpd.to_parquet(found, tmp_path / "d")
    assert hp.ParquetFile(tmp_path / "d").columns == ["i", "n", "s", "c", "t"]
    hpd.to_parquet(found, tmp_path / "d", write_index=True)
    assert "__index_level_0__" in hp.ParquetFile(tmp_path / "d").columns


def test_partitions_appending_and_options(tmp_path):
    found = dd.from_pandas(frame(), npartitions=3)
    options = {"partition_on": ["s"], "compression": "snappy"}
    hpd.to_parquet(found, tmp_path / "d", **options)
    opened = hp.ParquetFile(tmp_path / "d")
    assert (opened.file_scheme, len(opened), opened.count()) == ("hive", 15, ROWS)
    hpd.to_parquet(found, tmp_path / "d", append=True, **options)
    assert hp.ParquetFile(tmp_path / "d").count() == 2 * ROWS
    some = found[found["s"] == "text 1"]
    hpd.to_parquet(some, tmp_path / "d", append="overwrite", **options)
    assert hp.ParquetFile(tmp_path / "d").count() == 2 * ROWS - ROWS // 5


def test_a_dataset_can_be_read_and_replaced_at_once(tmp_path):
    hpd.to_parquet(dd.from_pandas(frame(), npartitions=3), tmp_path / "d")
    read = hpd.read_parquet(tmp_path / "d", rows=0)
    hpd.to_parquet(read[read["i"] >= 150], tmp_path / "d")
    assert hp.read(tmp_path / "d")["i"].tolist() == list(range(150, ROWS))


def _broken(part: pd.DataFrame) -> pd.DataFrame:
    if 120 in part["i"].to_numpy():
        raise ZeroDivisionError("no")
    return part


def test_a_partition_that_fails_leaves_what_was_there(tmp_path):
    hpd.to_parquet(dd.from_pandas(frame()[:10], npartitions=1), tmp_path / "d")
    before = sorted(path.name for path in tmp_path.rglob("*"))
    found = dd.from_pandas(frame(), npartitions=4).map_partitions(_broken, meta=frame()[:0])
    with pytest.raises(ZeroDivisionError):
        hpd.to_parquet(found, tmp_path / "d")
    assert sorted(path.name for path in tmp_path.rglob("*")) == before
    assert hp.ParquetFile(tmp_path / "d").count() == 10


def test_partitions_without_rows(tmp_path):
    found = dd.from_pandas(frame(), npartitions=4)
    hpd.to_parquet(found[found["i"] < 20], tmp_path / "some")
    assert hp.read(tmp_path / "some")["i"].tolist() == list(range(20))
    hpd.to_parquet(found[found["i"] < 0], tmp_path / "none")
    nothing = hp.ParquetFile(tmp_path / "none")
    assert (nothing.columns[:2], nothing.count()) == (["i", "n"], 0)


def test_objects_are_told_of_by_an_example(tmp_path: Path):
    one = pd.DataFrame({"d": [Decimal("1.50"), None]}, dtype=object)
    other = pd.DataFrame({"d": [None, None]}, dtype=object)
    found = dd.from_map(lambda part: part, [one, other], meta=one[:0])
    with pytest.raises(hp.SchemaMismatch):
        hpd.to_parquet(found, tmp_path / "d")
    hpd.to_parquet(found, tmp_path / "d", like=one)
    assert hp.read(tmp_path / "d", decimals="python")["d"].tolist() == [
        Decimal("1.50"),
        *[None] * 3,
    ]
    hpd.to_parquet(found, tmp_path / "d", types={"d": "decimal(10, 2)"})
    assert hp.ParquetFile(tmp_path / "d").count() == 4


@pytest.mark.slow
def test_dask_processes_write(tmp_path):
    found = dd.from_pandas(frame(), npartitions=3)
    hpd.to_parquet(found, tmp_path / "d", scheduler="processes", partition_on="c")
    assert sorted(hp.read(tmp_path / "d")["i"].tolist()) == list(range(ROWS))
