"""Datasets by reference: opened once in a process, shared by its threads, and the same files."""

import pickle
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import hocket.parquet as hp
from hocket.parquet.dataset import references
from hocket.parquet.dataset.handle import reduced
from hocket.parquet.engine import reducers

pa = pytest.importorskip("pyarrow")
pq = pytest.importorskip("pyarrow.parquet")

_CHILD = """
import pickle, sys
for part in pickle.load(sys.stdin.buffer):
    print(part.rows, part.to_pandas()["i"].sum())
"""


@pytest.fixture(autouse=True)
def nothing_open():
    """Begin each test like a new process."""
    references._forget()
    yield
    references._forget()


@pytest.fixture
def path(tmp_path) -> Path:
    pq.write_table(pa.table({"i": np.arange(1000)}), tmp_path / "a.parquet", row_group_size=100)
    return tmp_path / "a.parquet"


def sent(opened: hp.ParquetFile) -> hp.ParquetFile:
    """Return what another process gets."""
    make, arguments = reduced(opened)
    return make(*pickle.loads(pickle.dumps(arguments)))


def test_a_handle_is_the_same_elsewhere(path):
    opened = hp.ParquetFile(path, threads=1, pandas_nulls=False, dtypes={"i": "float32"})[2:4]
    other = sent(opened)
    assert repr(other) == repr(opened)
    assert other.fn == str(path)
    pd.testing.assert_frame_equal(other.to_pandas(), opened.to_pandas())
    assert other.to_pandas().dtypes["i"] == "float32"
    # And from there on again, before it is opened and after.
    assert sent(sent(opened)).count() == sent(other).count() == 200
    assert other[1].to_pandas()["i"].tolist() == list(range(300, 400))


def test_the_protocol_is_told_of_opened_files():
    assert reducers() == {hp.ParquetFile: reduced}


def test_other_processes_in_other_directories_read_parts(path, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    parts = hp.ParquetFile("a.parquet").parts(rows=300)
    done = subprocess.run(
        [sys.executable, "-c", _CHILD],
        input=pickle.dumps(parts),
        capture_output=True,
        check=False,
        cwd="/",
    )
    assert done.stderr.decode() == ""
    sums = [part.to_pandas()["i"].sum() for part in parts]
    assert done.stdout.decode().split("\n")[:-1] == [
        f"{part.rows} {total}" for part, total in zip(parts, sums, strict=True)
    ]


def _count(part: hp.ParquetPart) -> int:
    return part.count()


def test_a_forked_process_reads_parts(path):
    parts = [pickle.loads(pickle.dumps(part)) for part in hp.ParquetFile(path).parts()]
    assert parts[0].count() == 100
    # As if a thread that the child does not have were opening a dataset.
    with references._lock, get_context("fork").Pool(1) as pool:
        assert pool.map(_count, parts) == [100] * 10


def test_threads_open_one_dataset_once(path, monkeypatch):
    stored = pickle.dumps(hp.ParquetFile(path).parts())
    read = []
    known = references.read_file

    def counted(*arguments):
        read.append(arguments)
        return known(*arguments)

    monkeypatch.setattr(references, "read_file", counted)
    with ThreadPoolExecutor(8) as pool:
        every = pool.map(lambda _: sum(part.count() for part in pickle.loads(stored)), range(16))
        assert set(every) == {1000}
    assert len(read) == 1


def test_closing_one_handle_leaves_others_open(path):
    first, second = sent(hp.ParquetFile(path)), sent(hp.ParquetFile(path))
    with first:
        assert first.count() == 1000
    assert second.to_pandas().shape == (1000, 1)
    with pytest.raises(hp.InvalidOption, match="the file was closed; open it again"):
        first.to_pandas()
    never_opened = sent(hp.ParquetFile(path))
    never_opened.close()
    with pytest.raises(hp.InvalidOption, match="the file was closed; open it again"):
        never_opened.count()


def test_what_has_no_such_attribute_says_so(path):
    with pytest.raises(AttributeError, match="'ParquetFile' object has no attribute 'x'"):
        sent(hp.ParquetFile(path)).x  # noqa: B018


@pytest.mark.parametrize("change", ["content", "footer", "gone"])
def test_files_that_are_not_the_same_any_more_are_refused(path, change):
    (part, *_) = hp.ParquetFile(path).parts()
    stored = pickle.dumps(part)
    raw = path.read_bytes()
    if change == "content":
        path.write_bytes(raw[:4] + b"more" + raw[4:])
    elif change == "footer":
        at = raw.rindex(b"parquet-cpp")
        path.write_bytes(raw[:at] + b"PARQUET" + raw[at + 7 :])
    else:
        path.unlink()
    expected = FileNotFoundError if change == "gone" else hp.CorruptFile
    with pytest.raises(expected, match=r"a\.parquet") as told:
        pickle.loads(stored).to_pandas()
    assert change == "gone" or "replaced meanwhile; open it anew" in str(told.value)
    # Nothing of the failure is kept.
    path.write_bytes(raw)
    assert pickle.loads(stored).to_pandas()["i"].tolist() == list(range(100))


def test_new_files_of_the_same_name_are_new_datasets(path):
    old = pickle.dumps(hp.ParquetFile(path).parts()[0])
    assert pickle.loads(old).count() == 100
    pq.write_table(pa.table({"i": [7]}), path)
    new = pickle.dumps(hp.ParquetFile(path).parts()[0])
    assert pickle.loads(new).to_pandas()["i"].tolist() == [7]


def test_what_was_not_used_for_long_is_let_go(tmp_path, monkeypatch):
    monkeypatch.setattr(references, "_KEPT_MAX", 3)
    handles = []
    for number in range(6):
        pq.write_table(pa.table({"i": [number]}), tmp_path / f"{number}.parquet")
        handles.append(sent(hp.ParquetFile(tmp_path / f"{number}.parquet")))
        handles[-1].count()
    assert len(references._entries) == 3
    assert [handle.to_pandas()["i"][0] for handle in handles] == list(range(6))
    monkeypatch.setattr(references, "_KEPT_NBYTES_MAX", 0)
    handles[0]._reference.opened()
    assert len(references._entries) == 1


# -------------------------------------------------------------------------------------- datasets


def dataset(folder: Path, *, values: int = 3, summary: bool = False) -> Path:
    collector: list = []
    for number in range(values):
        (folder / f"p=k{number}").mkdir(parents=True)
        file = folder / f"p=k{number}" / "x.parquet"
        frame = pd.DataFrame({"i": [10 * number, 10 * number + 1]})
        pq.write_table(pa.Table.from_pandas(frame), file, metadata_collector=collector)
        collector[-1].set_file_path(f"p=k{number}/x.parquet")
    if summary:
        pq.write_metadata(pa.schema([("i", "int64")]), folder / "_metadata", collector)
    return folder


@pytest.mark.parametrize("summary", [False, True])
def test_partitions_and_summaries(tmp_path, summary):
    opened = hp.ParquetFile(dataset(tmp_path / "d", summary=summary))
    expected = opened.to_pandas()
    for chosen in (opened, opened[1:], opened[:0], opened[2]):
        other = sent(chosen)
        assert (other.columns, other.cats, other.info) == (chosen.columns, chosen.cats, chosen.info)
        pd.testing.assert_frame_equal(other.to_pandas(), chosen.to_pandas())
        # Some files of some files.
        pd.testing.assert_frame_equal(sent(sent(other)[1:]).to_pandas(), chosen[1:].to_pandas())
    frames = [pickle.loads(pickle.dumps(part)).to_pandas() for part in opened.parts()]
    pd.testing.assert_frame_equal(pd.concat(frames, ignore_index=True), expected)


def test_many_values_of_a_partition_stay_behind(tmp_path, monkeypatch):
    monkeypatch.setattr(references, "_VALUES_MAX", 2)
    opened = hp.ParquetFile(dataset(tmp_path / "d"))
    part = pickle.loads(pickle.dumps(opened.parts()[1]))
    assert part.to_pandas()["p"].tolist() == ["k1", "k1"]
    assert part.to_pandas()["p"].dtype.categories.tolist() == ["k1"]
    assert part.to_pandas(filters=[("p", "==", "k0")]).empty
    assert sent(opened).to_pandas()["p"].dtype.categories.tolist() == ["k0", "k1", "k2"]


def test_files_with_different_schemas(tmp_path):
    pq.write_table(pa.table({"a": [1], "b": ["x"]}), tmp_path / "1.parquet")
    pq.write_table(pa.table({"c": [0.5], "a": pa.array([2], "int32")}), tmp_path / "2.parquet")
    opened = hp.ParquetFile([tmp_path / "1.parquet", tmp_path / "2.parquet"])
    for number in (0, 1):
        other = sent(opened[number])
        assert other.columns == opened.columns
        pd.testing.assert_frame_equal(other.to_pandas(), opened[number].to_pandas())
    parts = [pickle.loads(pickle.dumps(part)) for part in opened.parts()]
    assert [part.nbytes > 0 for part in parts] == [True, True]
    together = pd.concat([part.to_pandas() for part in parts], ignore_index=True)
    pd.testing.assert_frame_equal(together, opened.to_pandas())


def test_an_index_that_was_a_range_is_that_of_a_file_alone(tmp_path):
    for number in (1, 2):
        frame = pd.DataFrame({"i": [1, 2]}, index=pd.RangeIndex(10, 12))
        frame.to_parquet(tmp_path / f"{number}.parquet")
    alone = hp.ParquetFile(tmp_path / "1.parquet")
    assert sent(alone).to_pandas().index.tolist() == [10, 11]
    several = hp.ParquetFile(tmp_path)
    expected = [several[at].to_pandas().index.tolist() for at in (0, 1)]
    assert (
        [sent(several[at]).to_pandas().index.tolist() for at in (0, 1)] == expected == [[0, 1]] * 2
    )


def test_datasets_that_were_opened_one_by_one(tmp_path):
    for number in (1, 2):
        pq.write_table(pa.table({"i": [number] * 4}), tmp_path / f"{number}.parquet")
    several = hp.ParquetFile([hp.ParquetFile(tmp_path / f"{number}.parquet") for number in (1, 2)])
    assert sent(several[1:]).to_pandas()["i"].tolist() == [2] * 4


def test_files_of_a_function_that_opens(path):
    opened = hp.ParquetFile(str(path), open_with=open)
    assert sent(opened).count() == 1000
