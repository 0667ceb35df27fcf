"""Remote stores: which requests are made, how many bytes are under way, what odd servers send."""

import asyncio
import pickle
import threading
import zipfile

import fsspec
import numpy as np
import pytest
from fsspec.asyn import AsyncFileSystem
from fsspec.implementations.memory import MemoryFileSystem
from hypothesis import given
from hypothesis import strategies as st

from hocket.parquet.errors import CorruptFile, InvalidOption, UnsupportedFeature
from hocket.parquet.io.buffers import PADDING_NBYTES
from hocket.parquet.io.local import LocalFile
from hocket.parquet.io.opening import open_source
from hocket.parquet.io.ranges import RangePolicy, deliver, plan_requests
from hocket.parquet.io.remote import RemoteFile

DATA = np.random.default_rng(3).integers(0, 256, 50_000).astype(np.uint8).tobytes()


class Store(AsyncFileSystem):
    """A store that counts what it is asked for, and may send something else."""

    protocol = "store"
    cachable = False

    def __init__(self, answer=None, size=50_000, **options):
        super().__init__(**options)
        self.answer = answer
        self.size_told = size
        self.requests = []
        self.under_way = 0
        self.most_under_way = 0

    async def _info(self, path, **_):
        if path.endswith("folder"):
            return {"name": path, "type": "directory", "size": 0}
        if path.endswith("nothing"):
            raise FileNotFoundError(path)
        return {"name": path, "type": "file", "size": self.size_told}

    async def _cat_file(self, path, start=None, end=None, **_):
        self.requests.append((start, end))
        self.under_way += end - start
        self.most_under_way = max(self.most_under_way, self.under_way)
        await asyncio.sleep(0)
        self.under_way -= end - start
        if self.answer is not None:
            return self.answer(start, end)
        return DATA[start:end]


ranges_lists = st.lists(
    st.tuples(st.integers(0, len(DATA)), st.integers(0, 3000)).map(
        lambda pair: (pair[0], min(pair[1], len(DATA) - pair[0]))
    ),
    max_size=20,
)
policies = st.builds(
    RangePolicy,
    gap_nbytes=st.integers(0, 2000),
    part_nbytes=st.integers(1, 4000).map(lambda n: max(n, 40)),
    in_flight_nbytes=st.integers(100, 10_000),
)


@given(ranges_lists, policies)
def test_requests_bring_every_byte_that_is_wanted_once(ranges, policy):
    requests = plan_requests(ranges, policy)
    destinations = [np.full(nbytes, 7, np.uint8) for _, nbytes in ranges]
    end = -1
    for request in requests:
        assert request.offset >= end
        assert 0 < request.nbytes <= policy.part_nbytes
        end = request.offset + request.nbytes
        piece = np.frombuffer(DATA[request.offset : end], np.uint8)
        deliver(request, piece, ranges, destinations)
    for (offset, nbytes), destination in zip(ranges, destinations, strict=True):
        assert destination.tobytes() == DATA[offset : offset + nbytes]
    wanted = np.zeros(len(DATA) + 1, bool)
    for offset, nbytes in ranges:
        wanted[offset : offset + nbytes] = True
    # What is fetched and not wanted lies in gaps that are small enough.
    starts = np.flatnonzero(np.diff(np.concatenate([[0], wanted])) != 0)
    gaps = [stop - start for start, stop in zip(starts[1::2], starts[2::2], strict=False)]
    fetched = sum(request.nbytes for request in requests)
    assert fetched <= wanted.sum() + sum(gap for gap in gaps if gap <= policy.gap_nbytes)


@given(ranges_lists, policies)
def test_remote_ranges_arrive_in_order_within_the_budget(ranges, policy):
    store = Store()
    source = RemoteFile(store, "store://bucket/file", policy=policy)
    arrays = source.read_many(ranges)
    for (offset, nbytes), array in zip(ranges, arrays, strict=True):
        assert array.tobytes() == DATA[offset : offset + nbytes]
        padded = np.lib.stride_tricks.as_strided(array, (nbytes + PADDING_NBYTES,))
        assert not padded[nbytes:].any()
    assert store.most_under_way <= max(policy.in_flight_nbytes, policy.part_nbytes)


def test_neighbours_are_fetched_together_and_giants_in_parts():
    store = Store()
    policy = RangePolicy(gap_nbytes=100, part_nbytes=10_000, in_flight_nbytes=1 << 20)
    source = RemoteFile(store, "file", policy=policy)
    source.read_many([(0, 50), (120, 30), (1000, 10)])
    assert store.requests == [(0, 150), (1000, 1010)]
    store.requests.clear()
    source.read(1, 25_000)
    assert store.requests == [(1, 10_001), (10_001, 20_001), (20_001, 25_001)]
    store.requests.clear()
    assert source.read(5, 0).size == 0
    assert source.read_many([]) == []
    assert store.requests == []


def test_threads_share_one_budget():
    store = Store()
    policy = RangePolicy(gap_nbytes=0, part_nbytes=1000, in_flight_nbytes=2000)
    source = RemoteFile(store, "file", policy=policy)
    wrong = []

    def read(first):
        for at in range(first, 40_000, 4000):
            wrong.extend({source.read(at, 1500).tobytes()} - {DATA[at : at + 1500]})

    threads = [threading.Thread(target=read, args=(first,)) for first in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
    assert store.most_under_way <= 2000


@pytest.mark.parametrize("wide", [False, True])
def test_ranges_outside_the_file_are_never_asked_for(wide):
    store = Store()
    source = RemoteFile(store, "file")
    with pytest.raises(CorruptFile, match="cut short"):
        source.read_many([(0, 10), (len(DATA) - 5, 6)]) if wide else source.read(len(DATA), 1)
    assert store.requests == []


def test_a_server_without_ranges_sends_it_all_and_is_understood():
    source = RemoteFile(Store(lambda *_: DATA), "file")
    assert source.read(100, 50).tobytes() == DATA[100:150]


def test_too_few_or_too_many_bytes_are_errors():
    source = RemoteFile(Store(lambda start, end: DATA[start : end - 1]), "file")
    with pytest.raises(CorruptFile, match="50 bytes were wanted and 49 came"):
        source.read(100, 50)
    source = RemoteFile(Store(lambda start, end: DATA[start : end + 1]), "file")
    with pytest.raises(CorruptFile, match="sent 51 bytes for a range of 50"):
        source.read(100, 50)


def test_errors_of_the_store_come_through_also_from_one_of_many():
    def answer(start, end):
        if start:
            raise PermissionError("not yours")
        return DATA[start:end]

    source = RemoteFile(Store(answer), "file", policy=RangePolicy(gap_nbytes=0))
    assert source.read(0, 10).tobytes() == DATA[:10]
    with pytest.raises(PermissionError):
        source.read(5, 10)
    with pytest.raises(PermissionError):
        source.read_many([(0, 10), (100, 10)])


def test_what_is_no_file_is_refused():
    with pytest.raises(InvalidOption, match="directory"):
        RemoteFile(Store(), "a/folder")
    with pytest.raises(FileNotFoundError):
        RemoteFile(Store(), "a/nothing")
    with pytest.raises(UnsupportedFeature, match="download it first"):
        RemoteFile(Store(size=None), "file")


def test_urls_are_opened_by_their_protocol_and_travel():
    files = MemoryFileSystem()
    files.pipe("/folder/data", DATA)
    files.pipe("/folder/key.data", b"abc")
    source = open_source("memory://folder/data")
    assert isinstance(source, RemoteFile)
    assert source.name == "memory:///folder/data"
    copy = pickle.loads(pickle.dumps(source))
    assert copy.read(5, 1000).tobytes() == DATA[5:1005]
    assert open_source("/folder/data", fs=files).read(5, 10).tobytes() == DATA[5:15]
    assert open_source(fsspec.open("memory://folder/data")).read(5, 10).tobytes() == DATA[5:15]
    assert source.beside(lambda name: f"key.{name}").read(0, 3).tobytes() == b"abc"
    source.close()
    with pytest.raises(InvalidOption, match="closed"):
        source.read(0, 1)
    files.rm("/folder", recursive=True)


def test_chained_urls_work(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("data", DATA)
    source = open_source(f"zip://data::file://{tmp_path}/a.zip")
    first, second = source.read_many([(0, 10), (40_000, 10)])
    assert (first.tobytes(), second.tobytes()) == (DATA[:10], DATA[40_000:40_010])


def test_a_local_file_system_is_read_as_local_files(tmp_path):
    (tmp_path / "data").write_bytes(DATA)
    files = fsspec.filesystem("file")
    assert isinstance(open_source(str(tmp_path / "data"), fs=files), LocalFile)
    assert isinstance(open_source(f"file://{tmp_path}/data", fs=files), LocalFile)


def test_file_systems_of_pyarrow_are_taken(tmp_path):
    fs = pytest.importorskip("pyarrow.fs")
    (tmp_path / "data").write_bytes(DATA)
    source = open_source(str(tmp_path / "data"), fs=fs.LocalFileSystem())
    assert source.read(5, 1000).tobytes() == DATA[5:1005]


def test_names_tell_no_secrets():
    class Web(Store):
        protocol = "https"

        @classmethod
        def _strip_protocol(cls, path):
            return path

    source = RemoteFile(Web(), "https://user:secret@host/file?signature=secret")
    assert source.name == "https://host/file"
    assert "secret" not in repr(source)
