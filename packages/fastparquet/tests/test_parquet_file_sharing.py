"""One opened file used by threads, by other processes, after interrupts, and while it changes."""

import pickle
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import hocket.parquet as hp

pa = pytest.importorskip("pyarrow")
pq = pytest.importorskip("pyarrow.parquet")

ROWS = 6000
_CHILD = """
import pickle, sys
for opened in pickle.load(sys.stdin.buffer):
    frame = opened.to_pandas(filters=[("i", ">=", 5990)])
    print(len(opened), frame["i"].tolist(), frame["s"].tolist())
"""


def table() -> pa.Table:
    rng = np.random.default_rng(7)
    columns = {f"f{n}": rng.normal(size=ROWS) for n in range(6)}
    columns |= {
        "i": np.arange(ROWS),
        "s": [f"text {n % 100}" if n % 7 else None for n in range(ROWS)],
        "l": [list(range(n % 4)) for n in range(ROWS)],
        "d": pa.array([f"kind {n % 5}" for n in range(ROWS)]).dictionary_encode(),
    }
    return pa.table(columns)


@pytest.fixture
def path(tmp_path) -> Path:
    pq.write_table(table(), tmp_path / "a.parquet", row_group_size=700)
    return tmp_path / "a.parquet"


# ----------------------------------------------------------------------------------- threads


@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize("remote", [False, True])
def test_eight_threads_read_different_columns_of_one_file(path, threads, remote):
    place: str | Path = path
    if remote:
        store = pytest.importorskip("fsspec").filesystem("memory")
        store.pipe_file("/hocket-shared/a.parquet", path.read_bytes())
        place = "memory://hocket-shared/a.parquet"
    expected = hp.ParquetFile(path, threads=1).to_pandas()
    opened = hp.ParquetFile(place, threads=threads)
    start = threading.Barrier(8)

    def read(number: int) -> list:
        start.wait()
        found = []
        for turn in range(4):
            column = expected.columns[(number + turn) % expected.shape[1]]
            found.append((column, opened.to_pandas(columns=[column])))
            low = 100 * number
            some = opened.to_pandas(columns=[column], filters=[("i", ">=", low)])
            found.append((column, some.set_axis(range(low, ROWS))))
        return found

    try:
        with ThreadPoolExecutor(8) as pool:
            for found in pool.map(read, range(8)):
                for column, frame in found:
                    pd.testing.assert_frame_equal(frame, expected.loc[frame.index, [column]])
    finally:
        if remote:
            store.rm("/hocket-shared", recursive=True)


def test_threads_ask_for_the_same_things_at_once(path):
    opened = hp.ParquetFile(path)
    start = threading.Barrier(8)

    def look(_: int) -> tuple:
        start.wait()
        frame = opened.to_pandas(categories=["s"])
        return (
            opened.dtypes,
            opened.statistics["max"]["i"],
            opened.fmd.num_rows,
            opened.count([("s", "==", "text 8")]),
            frame["s"].tolist(),
        )

    with ThreadPoolExecutor(8) as pool:
        first, *others = pool.map(look, range(8))
    assert first[2] == ROWS
    assert all(str(other) == str(first) for other in others)


# --------------------------------------------------------------------------------- processes


def test_other_processes_read_what_was_pickled(path, tmp_path):
    (tmp_path / "d" / "p=1").mkdir(parents=True)
    (tmp_path / "d" / "p=2").mkdir()
    for value in (1, 2):
        pq.write_table(table(), tmp_path / "d" / f"p={value}" / "x.parquet", row_group_size=3000)
    whole = hp.ParquetFile(path)
    opened = [
        whole,
        whole[-1:],
        hp.ParquetFile(path.read_bytes()),
        hp.ParquetFile(tmp_path / "d")[1:2],
    ]
    # What was read before, and threads that it was read with, do not go along.
    whole.to_pandas()
    done = subprocess.run(
        [sys.executable, "-c", _CHILD],
        input=pickle.dumps(opened),
        capture_output=True,
        check=False,
    )
    assert done.stderr.decode() == ""
    expected = [whole.to_pandas(filters=[("i", ">=", 5990)])] * 4
    assert done.stdout.decode().splitlines() == [
        f"{len(each)} {frame['i'].tolist()} {frame['s'].tolist()}"
        for each, frame in zip(opened, expected, strict=True)
    ]


def test_a_file_that_was_closed_can_be_pickled(path):
    opened = hp.ParquetFile(path)
    opened.close()
    assert pickle.loads(pickle.dumps(opened)).to_pandas(columns=["i"])["i"].tolist()[-1] == ROWS - 1


# ------------------------------------------------------------------------- files that change


def test_a_file_that_is_replaced_stays_readable_where_it_is_open(path, tmp_path):
    opened = hp.ParquetFile(path)
    pq.write_table(pa.table({"other": [1]}), tmp_path / "new.parquet")
    (tmp_path / "new.parquet").replace(path)
    assert opened.to_pandas(columns=["i"])["i"].tolist() == list(range(ROWS))
    assert hp.ParquetFile(path).columns == ["other"]


def test_a_file_that_was_replaced_before_a_pickle_is_used(path):
    stored = pickle.dumps(hp.ParquetFile(path))
    assert pickle.loads(stored).count() == ROWS
    raw = path.read_bytes()
    # Of another size; of the same size, with a footer of its own; gone.
    for other in (raw + raw[-100:], _with_another_footer(raw)):
        path.write_bytes(other)
        with pytest.raises(hp.CorruptFile, match=r"a\.parquet: .*replaced meanwhile; open it anew"):
            pickle.loads(stored).to_pandas()
    path.write_bytes(raw)
    assert pickle.loads(stored).to_pandas(columns=["i"]).shape == (ROWS, 1)
    path.unlink()
    with pytest.raises(FileNotFoundError, match=r"a\.parquet"):
        pickle.loads(stored).to_pandas()


def _with_another_footer(raw: bytes) -> bytes:
    at = raw.rindex(b"parquet-cpp")
    return raw[:at] + b"PARQUET" + raw[at + 7 :]


def test_a_file_that_became_shorter(path):
    opened = hp.ParquetFile(path)
    path.write_bytes(path.read_bytes()[:2000])
    with pytest.raises(hp.CorruptFile, match=r"a\.parquet.* became shorter while it was read"):
        opened.to_pandas()


def test_a_file_that_is_overwritten_in_place(path):
    opened = hp.ParquetFile(path)
    nbytes = path.stat().st_size
    with path.open("r+b") as file:
        file.write(bytes(nbytes))
    with pytest.raises(hp.CorruptFile, match=r"a\.parquet, row group \d, column '"):
        opened.to_pandas()


# -------------------------------------------------------------------------------- interrupts


@pytest.mark.parametrize("threads", [1, 4])
@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit, RuntimeError])
def test_an_interrupt_ends_the_read_and_nothing_else(path, threads, error):
    opened = hp.ParquetFile(path, threads=threads)
    before = threading.active_count()

    def interrupt(_: object) -> None:
        raise error("stop")

    for _ in range(3):
        with pytest.raises(error, match="stop"):
            opened.to_pandas(progress=interrupt)
        assert threading.active_count() == before
    frame = opened.to_pandas()
    assert frame["i"].tolist() == list(range(ROWS))
