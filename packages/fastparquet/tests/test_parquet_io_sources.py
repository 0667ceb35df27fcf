"""What can be read from, and what reading gives: local files, file objects, memory."""

import io
import mmap
import os
import pickle
import tempfile
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from hocket.parquet.errors import CorruptFile, InvalidOption, LimitExceeded
from hocket.parquet.io.buffers import PADDING_NBYTES, padded, padded_copy
from hocket.parquet.io.file_object import FileObject
from hocket.parquet.io.local import LocalFile
from hocket.parquet.io.memory import MemorySource
from hocket.parquet.io.opening import open_source
from hocket.parquet.io.paths import is_url

DATA = np.random.default_rng(7).integers(0, 256, 100_000).astype(np.uint8).tobytes()


class Dribbling(io.RawIOBase):
    """Gives at most a thousand bytes at a time, as sockets and archives do."""

    def __init__(self, data):
        self.inner = io.BytesIO(data)

    def readable(self):
        return True

    def seekable(self):
        return True

    def seek(self, offset, whence=0):
        return self.inner.seek(offset, whence)

    def tell(self):
        return self.inner.tell()

    def readinto(self, buffer):
        return self.inner.readinto(memoryview(buffer)[:1000])


class ReadOnly:
    """As little of a file object as there can be."""

    def __init__(self, data):
        self.inner = io.BytesIO(data)

    def seek(self, offset, whence=0):
        return self.inner.seek(offset, whence)

    def tell(self):
        return self.inner.tell()

    def read(self, nbytes):
        return self.inner.read(min(nbytes, 777))


@pytest.fixture
def path(tmp_path):
    place = tmp_path / "data.bin"
    place.write_bytes(DATA)
    return place


def assert_padded(array):
    """Look at what lies behind the end of an array."""
    whole = np.lib.stride_tricks.as_strided(array, (array.size + PADDING_NBYTES,))
    assert not whole[array.size :].any()


KINDS = (
    "str path url open unbuffered bytesio dribbling readonly temporary bytes bytearray memoryview "
    "array mmap source open_with"
)


@pytest.mark.parametrize("kind", KINDS.split())
def test_every_kind_of_source_reads_the_same(kind, path):
    with path.open("rb") as buffered, path.open("rb", buffering=0) as raw:
        temporary = tempfile.TemporaryFile()  # noqa: SIM115  has no name
        temporary.write(DATA)
        place = {
            "str": lambda: str(path),
            "path": lambda: path,
            "url": lambda: f"file://{path}",
            "open": lambda: buffered,
            "unbuffered": lambda: raw,
            "bytesio": lambda: io.BytesIO(DATA),
            "dribbling": lambda: Dribbling(DATA),
            "readonly": lambda: ReadOnly(DATA),
            "temporary": lambda: temporary,
            "bytes": lambda: DATA,
            "bytearray": lambda: bytearray(DATA),
            "memoryview": lambda: memoryview(DATA),
            "array": lambda: np.frombuffer(DATA, "<i4"),
            "mmap": lambda: mmap.mmap(buffered.fileno(), 0, access=mmap.ACCESS_READ),
            "source": lambda: MemorySource(DATA),
            "open_with": lambda: str(path),
        }[kind]()
        opener = (lambda name, mode: open(name, mode, buffering=0)) if kind == "open_with" else None  # noqa: PTH123, SIM115
        with open_source(place, open_with=opener) as source:
            assert source.nbytes == len(DATA)
            for offset, nbytes in [(0, 0), (0, 5), (99_990, 10), (100_000, 0), (17, 12_345)]:
                array = source.read(offset, nbytes)
                assert array.tobytes() == DATA[offset : offset + nbytes]
                assert array.flags.writeable
                assert_padded(array)
            whole, middle = source.read_many([(0, len(DATA)), (50, 7)])
            assert whole.tobytes() == DATA
            assert middle.tobytes() == DATA[50:57]
            assert_padded(middle)
            destination = np.zeros(30, np.uint8)
            source.read_into(9, destination[10:20])
            assert destination.tobytes() == bytes(10) + DATA[9:19] + bytes(10)
            for offset, nbytes in [
                (-1, 5),
                (0, 100_001),
                (100_000, 1),
                (5, -1),
                (1 << 62, 1 << 62),
            ]:
                with pytest.raises(CorruptFile, match="damaged or cut short") as caught:
                    source.read(offset, nbytes)
                assert caught.value.offset == offset
            with pytest.raises(CorruptFile):
                source.read_into(99_999, destination)
        temporary.close()


def test_padded_arrays_end_in_zeros_and_too_big_ones_are_refused():
    assert_padded(padded(1000))
    assert_padded(padded_copy(b""))
    assert padded_copy(bytearray(b"abc")).tobytes() == b"abc"
    with pytest.raises(LimitExceeded, match="bytes of memory"):
        padded(1 << 60)


def test_local_files_are_read_by_many_threads_at_once(path):
    source = open_source(path)
    places = [(at * 37, 1000 + at) for at in range(2000)]
    with ThreadPoolExecutor(8) as pool:
        arrays = list(pool.map(lambda place: source.read(*place), places))
    for (offset, nbytes), array in zip(places, arrays, strict=True):
        assert array.tobytes() == DATA[offset : offset + nbytes]


def test_file_objects_are_read_by_many_threads_at_once():
    source = open_source(Dribbling(DATA))
    assert isinstance(source, FileObject)
    places = [(at * 37, 1000 + at) for at in range(500)]
    with ThreadPoolExecutor(8) as pool:
        arrays = list(pool.map(lambda place: source.read(*place), places))
    for (offset, nbytes), array in zip(places, arrays, strict=True):
        assert array.tobytes() == DATA[offset : offset + nbytes]


def test_closing_waits_for_nobody_and_reading_then_is_an_error(path):
    source = open_source(path)
    source.close()
    source.close()
    with pytest.raises(InvalidOption, match="closed"):
        source.read(0, 1)
    source = open_source(Dribbling(DATA))
    source.close()
    with pytest.raises(InvalidOption, match="closed"):
        source.read(0, 1)


def test_a_descriptor_closes_with_its_last_reader(path):
    source = LocalFile(str(path))
    number = source._descriptor.number
    reader = source._descriptor
    source.close()
    os.fstat(number)
    del reader
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(number)


def test_a_closed_file_object_is_refused_at_once_and_later(path):
    file = io.BytesIO(DATA)
    file.close()
    with pytest.raises(InvalidOption, match="closed already"):
        open_source(file)
    file = Dribbling(DATA)
    source = open_source(file)
    file.close()
    with pytest.raises(InvalidOption, match="keep it open"):
        source.read(0, 1)


def test_the_callers_file_stays_open_and_where_it_was(path):
    with path.open("rb") as file:
        file.seek(123)
        source = open_source(file)
        assert isinstance(source, LocalFile)
        source.read(0, 50)
        source.close()
        assert file.tell() == 123
        assert file.read(2) == DATA[123:125]
    # It may even be closed first.
    with path.open("rb") as file:
        source = open_source(file)
    assert source.read(1, 4).tobytes() == DATA[1:5]


def test_text_pipes_and_other_things_are_refused_with_a_remedy(path, tmp_path):
    with path.open(encoding="latin-1") as file, pytest.raises(InvalidOption, match="'rb'"):
        open_source(file)
    with pytest.raises(InvalidOption, match="directory as a dataset"):
        open_source(tmp_path)
    os.mkfifo(tmp_path / "pipe")
    keeper = os.open(tmp_path / "pipe", os.O_RDWR)
    with pytest.raises(InvalidOption, match="no ordinary file"):
        open_source(tmp_path / "pipe")
    os.close(keeper)
    reading, writing = os.pipe()
    with os.fdopen(reading, "rb") as file, pytest.raises(InvalidOption, match="cannot seek"):
        open_source(file)
    os.close(writing)
    with pytest.raises(InvalidOption, match="int is nothing"):
        open_source(3)
    with pytest.raises(InvalidOption, match="None"):
        open_source(None)
    with pytest.raises(InvalidOption, match="zero byte"):
        open_source("a\0b")
    with pytest.raises(InvalidOption, match="one piece"):
        open_source(np.arange(10)[::2])
    with pytest.raises(FileNotFoundError):
        open_source(tmp_path / "nothing")


def test_a_file_object_that_gives_text_or_too_much_is_an_error():
    class Texts(ReadOnly):
        def read(self, nbytes):
            return "a" * nbytes

    class Generous(ReadOnly):
        def read(self, nbytes):
            return b"a" * (nbytes + 1)

    with pytest.raises(InvalidOption, match="not bytes"):
        open_source(Texts(DATA)).read(0, 10)
    with pytest.raises(InvalidOption, match="gave 11 bytes when asked for 10"):
        open_source(Generous(DATA)).read(0, 10)


def test_a_file_that_shrinks_while_it_is_read_is_an_error_that_says_where(path):
    source = open_source(path)
    os.truncate(path, 60_000)
    with pytest.raises(CorruptFile, match="20,000 bytes were wanted and 10,000 came") as caught:
        source.read(50_000, 20_000)
    assert caught.value.offset == 60_000
    assert caught.value.file == str(path)
    shrunk = Dribbling(DATA)
    source = open_source(shrunk)
    shrunk.inner.truncate(60_000)
    with pytest.raises(CorruptFile, match="shorter while"):
        source.read(50_000, 20_000)


def test_sources_travel_between_processes_if_they_can(path, monkeypatch):
    monkeypatch.chdir(path.parent)
    source = open_source(path.name)
    monkeypatch.chdir("/")
    copy = pickle.loads(pickle.dumps(source))
    assert copy.read(5, 10).tobytes() == DATA[5:15]
    copy = pickle.loads(pickle.dumps(open_source(DATA)))
    assert copy.read(5, 10).tobytes() == DATA[5:15]
    with pytest.raises(TypeError, match="by its path or URL"):
        pickle.dumps(open_source(Dribbling(DATA)))
    sent = pickle.dumps(source)
    os.truncate(path, 500)
    with pytest.raises(CorruptFile, match="was replaced meanwhile"):
        pickle.loads(sent)


def test_what_open_with_opened_is_closed_and_opened_again(path):
    opened = []

    def opener(name, mode):
        assert mode == "rb"
        opened.append(Dribbling(Path(name).read_bytes()))
        return opened[-1]

    source = open_source(str(path), open_with=opener)
    rebuild, arguments = source.__reduce__()
    copy = rebuild(*arguments)
    assert copy.read(7, 3).tobytes() == DATA[7:10]
    source.close()
    assert opened[0].closed
    assert not opened[1].closed
    copy.close()
    assert opened[1].closed


def test_files_beside_are_found_for_files_only(path):
    (path.parent / "key.data.bin").write_bytes(b"abc")
    beside = open_source(path).beside(lambda name: f"key.{name}")
    assert beside.read(0, 3).tobytes() == b"abc"
    with pytest.raises(InvalidOption, match="not opened by a path"):
        open_source(DATA).beside(str)


def test_what_a_url_is():
    assert is_url("s3://bucket/key")
    assert is_url("simplecache::s3://bucket/key")
    assert is_url("https://host/file?x=1")
    assert not is_url("/data/a::b")
    assert not is_url("data/s3.parquet")
    assert not is_url("C:/data/file")


def test_a_memory_source_does_not_hand_out_the_callers_memory():
    data = bytearray(DATA)
    source = open_source(data)
    array = source.read(0, 10)
    data[0] ^= 255
    assert array.tobytes() == DATA[:10]
    array[:] = 0
    assert data[1:10] == DATA[1:10]


def test_threads_may_close_while_others_read(path):
    source = open_source(path)
    wrong = []
    ready = threading.Barrier(4)

    def read():
        ready.wait()
        try:
            for at in range(2000):
                wrong.extend({source.read(at, 100).tobytes()} - {DATA[at : at + 100]})
        except InvalidOption:
            pass

    threads = [threading.Thread(target=read) for _ in range(3)]
    for thread in threads:
        thread.start()
    ready.wait()
    source.close()
    # New files take the number of the closed one, and must not be read in its place.
    others = [tempfile.TemporaryFile() for _ in range(5)]  # noqa: SIM115
    for thread in threads:
        thread.join()
    for other in others:
        other.close()
    assert not wrong
