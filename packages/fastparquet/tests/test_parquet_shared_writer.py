"""Datasets that many processes write: whole or not there, whoever fails and whatever runs twice."""

import os
import pickle
import signal
import subprocess
import sys
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import hocket.parquet as hp

ROWS = 30


def frame(number: int) -> pd.DataFrame:
    values = np.arange(ROWS) + ROWS * number
    return pd.DataFrame({"k": values % 3, "v": values, "s": [f"text {n % 4}" for n in values]})


def files_in(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def values_in(folder: Path) -> list[int]:
    return sorted(hp.read(folder)["v"].tolist())


@pytest.fixture
def there(tmp_path) -> Path:
    """A dataset that is there before: 30 rows."""
    hp.write(tmp_path / "d", frame(0), file_scheme="hive", partition_on="k")
    return tmp_path / "d"


def test_pieces_of_many_processes_are_one_dataset(tmp_path):
    with (
        ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool,
        hp.SharedWriter(tmp_path / "d", file_scheme="hive", partition_on="k") as writer,
    ):
        pieces = list(pool.map(writer.write, map(frame, range(4))))
        assert [piece.rows for piece in pieces] == [ROWS] * 4
        # Nothing is there before the commit.
        with pytest.raises(FileNotFoundError):
            hp.ParquetFile(tmp_path / "d")
        writer.commit(pieces)
    opened = hp.ParquetFile(tmp_path / "d")
    assert opened.file_scheme == "hive"
    assert opened.fn.endswith("/_metadata")
    assert len(opened) == 12
    assert values_in(tmp_path / "d") == list(range(4 * ROWS))
    # Files are in the order of the pieces.
    read = opened.to_pandas(filters=[("k", "==", 1)])["v"].tolist()
    assert read == sorted(read)
    expected = {f"k={key}/part.{number}.parquet" for key in range(3) for number in range(4)}
    assert files_in(tmp_path / "d") == expected | {"_metadata", "_common_metadata"}


def test_without_partitions_each_piece_is_a_file(tmp_path):
    with hp.SharedWriter(tmp_path / "d", compression="snappy", row_group_rows=10) as writer:
        writer.commit([writer.write(frame(number)) for number in range(3)])
    opened = hp.ParquetFile(tmp_path / "d")
    assert (opened.file_scheme, len(opened)) == ("flat", 9)
    assert opened.to_pandas()["v"].tolist() == list(range(3 * ROWS))


@pytest.mark.parametrize(
    ("append", "expected"),
    [(False, [3, 4]), (True, [0, 3, 4]), ("overwrite", [3, 4])],
)
def test_what_becomes_of_what_was_there(there, append, expected):
    with hp.SharedWriter(there, partition_on="k", append=append) as writer:
        writer.commit([writer.write(frame(3)), writer.write(frame(4))])
    assert values_in(there) == [n for at in expected for n in range(at * ROWS, (at + 1) * ROWS)]


def test_what_is_not_committed_leaves_nothing(there):
    before = files_in(there)
    with hp.SharedWriter(there, partition_on="k", append=True) as writer:
        lost = pickle.loads(pickle.dumps(writer)).write(frame(1))
        assert lost.rows == ROWS
        kept = writer.write(frame(2))
        # As if a worker had been lost, and its task run again elsewhere.
        again = writer.write(frame(1))
        assert {name for name, _, _ in lost.files}.isdisjoint(name for name, _, _ in again.files)
        writer.commit([again, kept])
    assert values_in(there) == list(range(3 * ROWS))
    assert len(files_in(there)) == len(before) + 6

    before = files_in(there)
    with (  # noqa: PT012 - the error comes from within
        pytest.raises(ZeroDivisionError),
        hp.SharedWriter(there, partition_on="k") as writer,
    ):
        writer.write(frame(5))
        raise ZeroDivisionError
    assert files_in(there) == before


_CHILD = """
import sys, os, signal, numpy as np, pandas as pd, hocket.parquet as hp
with hp.SharedWriter(sys.argv[1], partition_on="k", append=True) as writer:
    writer.write(pd.DataFrame({"k": [1], "v": [-1], "s": ["x"]}))
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_writer_that_is_killed_leaves_the_dataset_as_it_was(there):
    before = files_in(there)
    ran = subprocess.run([sys.executable, "-c", _CHILD, there], check=False)
    assert ran.returncode == -signal.SIGKILL
    assert values_in(there) == list(range(ROWS))
    # What it left the next writer removes.
    assert files_in(there) > before
    with hp.SharedWriter(there, partition_on="k", append=True) as writer:
        writer.commit([])
    assert files_in(there) == before


def test_all_pieces_get_the_columns_of_an_example(tmp_path):
    like = frame(0)[:0].astype({"v": "float64"})
    with hp.SharedWriter(tmp_path / "d", like, partition_on="k") as writer:
        whole = frame(0).assign(s=None)
        writer.commit([writer.write(whole), writer.write(frame(1))])
    read = hp.read(tmp_path / "d")
    assert read.dtypes["v"] == "float64"
    assert read["s"].isna().sum() == ROWS
    with hp.SharedWriter(tmp_path / "d", like, partition_on="k") as writer:
        with pytest.raises(hp.SchemaMismatch, match="'s'"):
            writer.write(frame(0).drop(columns="s"))
        writer.commit([])
    assert hp.ParquetFile(tmp_path / "d").columns == ["v", "s"]
    assert hp.ParquetFile(tmp_path / "d").count() == 0


def test_pieces_with_other_columns_are_refused_together(there):
    with (
        pytest.raises(hp.SchemaMismatch),
        hp.SharedWriter(there, partition_on="k") as writer,
    ):
        writer.commit([writer.write(frame(0)), writer.write(frame(1).drop(columns="s"))])
    with (
        pytest.raises(hp.SchemaMismatch, match="missing: 's'"),
        hp.SharedWriter(there, partition_on="k", append=True) as writer,
    ):
        writer.write(frame(1).drop(columns="s"))
    assert values_in(there) == list(range(ROWS))


def test_mistakes(there, tmp_path):
    writer = hp.SharedWriter(there, partition_on="k")
    with pytest.raises(hp.InvalidOption, match="before or behind the writer's context"):
        writer.write(frame(0))
    with writer:
        copy = pickle.loads(pickle.dumps(writer))
        with pytest.raises(hp.InvalidOption, match="a writer can commit where it was opened"):
            copy.commit([])
        writer.commit([copy.write(frame(1))])
        with pytest.raises(hp.InvalidOption, match="and once"):
            writer.commit([])
        with pytest.raises(hp.InvalidOption, match="behind the writer's context"):
            writer.write(frame(0))
    with (
        pytest.raises(hp.InvalidOption, match="tell by like"),
        hp.SharedWriter(tmp_path / "new") as writer,
    ):
        writer.commit([])
    with pytest.raises(hp.InvalidOption, match="one process has to write"):
        hp.SharedWriter(there, file_scheme="simple")
    with pytest.raises(hp.SchemaMismatch, match="directories"):
        hp.SharedWriter(there, partition_on="s", append=True)
    with pytest.raises(hp.InvalidOption, match="compress"):
        hp.SharedWriter(there, compress="zstd")
    assert values_in(there) == list(range(ROWS, 2 * ROWS))


def test_a_store(tmp_path):
    store = pytest.importorskip("fsspec").filesystem("memory")
    try:
        with hp.SharedWriter("memory://hocket-shared-writer/d", partition_on="k") as writer:
            writer.commit([writer.write(frame(number)) for number in range(2)])
        opened = hp.ParquetFile("memory://hocket-shared-writer/d")
        assert sorted(opened.to_pandas()["v"].tolist()) == list(range(2 * ROWS))
    finally:
        store.rm("/hocket-shared-writer", recursive=True)


def test_a_relative_path_means_the_same_in_other_directories(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with hp.SharedWriter("d") as writer:
        stored = pickle.dumps(writer)
        (tmp_path / "elsewhere").mkdir()
        os.chdir(tmp_path / "elsewhere")
        piece = pickle.loads(stored).write(frame(0))
        writer.commit([piece])
    assert values_in(tmp_path / "d") == list(range(ROWS))
