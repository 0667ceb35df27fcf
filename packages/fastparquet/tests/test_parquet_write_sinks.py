"""Where files are written to: they appear as a whole, or what was there before stays."""

from __future__ import annotations

import errno
import io
import os
import signal
import stat
import subprocess
import sys
import textwrap
from pathlib import Path

import fsspec
import numpy as np
import pytest

import hocket.parquet as hp
from hocket.parquet.io.sink_opening import open_sink

DATA = {"a": np.arange(1000)}


@pytest.fixture
def place(tmp_path):
    """A file that is there already."""
    path = tmp_path / "t.parquet"
    hp.write(path, {"a": np.array([7])})
    return path


def is_as_before(path) -> bool:
    """Whether the earlier file is there, and nothing beside it."""
    return hp.read(path)["a"].tolist() == [7] and list(path.parent.iterdir()) == [path]


def failing():
    """Rows, and then an error."""
    yield DATA
    raise RuntimeError("the source broke")


def test_a_file_appears_when_it_is_whole(place):
    with hp.ParquetWriter(place, row_group_rows=100) as writer:
        writer.write(DATA)
        assert hp.read(place)["a"].tolist() == [7]
    assert len(hp.read(place)) == 1000
    assert list(place.parent.iterdir()) == [place]


def test_what_goes_wrong_leaves_the_earlier_file(place):
    with pytest.raises(RuntimeError, match="the source broke"):
        hp.write(place, failing(), row_group_rows=10)
    assert is_as_before(place)
    with pytest.raises(hp.InvalidOption), hp.ParquetWriter(place) as writer:
        writer.write(17)
    assert is_as_before(place)
    writer = hp.ParquetWriter(place)
    writer.write(DATA)
    with pytest.warns(ResourceWarning, match="dropped without close"):
        del writer
    assert is_as_before(place)


def test_a_killed_writer_leaves_the_earlier_file(place):
    """Only what it had written under another name stays, which no dataset looks at."""
    program = f"""
        import os, signal
        import numpy as np
        import hocket.parquet as hp
        writer = hp.ParquetWriter({str(place)!r}, row_group_rows=10)
        writer.write({{"a": np.arange(1000)}})
        os.kill(os.getpid(), signal.SIGKILL)
    """
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(program)], check=False)
    assert done.returncode == -signal.SIGKILL
    assert hp.read(place)["a"].tolist() == [7]
    left = {each.name for each in place.parent.iterdir()} - {place.name}
    assert all(name.startswith(".") and name.endswith(".tmp") for name in left)
    assert len(hp.ParquetFile(str(place.parent)).to_pandas()) == 1


def test_the_disk_is_full(place, monkeypatch):
    """The error names the file, and the space is given back."""

    def writev(_descriptor, _parts):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "writev", writev)
    with pytest.raises(OSError, match="No space left") as caught:
        hp.write(place, DATA)
    assert caught.value.errno == errno.ENOSPC
    assert caught.value.filename == str(place)
    monkeypatch.undo()
    assert is_as_before(place)


def test_the_disk_takes_little_at_a_time(tmp_path, monkeypatch):
    whole = os.writev

    def writev(descriptor, parts):
        return whole(descriptor, [bytes(parts[0])[:7]])

    monkeypatch.setattr(os, "writev", writev)
    hp.write(tmp_path / "t.parquet", DATA)
    assert len(hp.read(tmp_path / "t.parquet")) == 1000


def test_the_folder_vanishes(tmp_path):
    folder = tmp_path / "gone"
    folder.mkdir()
    writer = hp.ParquetWriter(folder / "t.parquet")
    writer.write(DATA)
    for each in folder.iterdir():
        each.unlink()
    folder.rmdir()
    with pytest.raises(FileNotFoundError) as caught:
        writer.close()
    assert caught.value.filename == str(folder / "t.parquet")


def test_there_is_no_such_folder(tmp_path):
    path = tmp_path / "none" / "t.parquet"
    with pytest.raises(FileNotFoundError) as caught:
        hp.write(path, DATA)
    assert caught.value.filename == str(path)


def test_a_directory_is_no_file(tmp_path):
    with pytest.raises(hp.InvalidOption, match="this is a directory"):
        hp.write(tmp_path, DATA)
    fsspec.filesystem("memory").mkdir("/folder")
    with pytest.raises(hp.InvalidOption, match="this is a directory"):
        hp.write("memory://folder", DATA)


def test_a_protected_file_stays(place, monkeypatch):
    """Renaming would replace it all the same."""
    monkeypatch.setattr(os, "access", lambda _path, _mode: False)
    with pytest.raises(PermissionError) as caught:
        hp.write(place, DATA)
    assert caught.value.filename == str(place)
    assert is_as_before(place)


def test_permissions(place, tmp_path):
    """New files get what the process gives, and replaced ones keep what they had."""
    place.chmod(0o640)
    hp.write(place, DATA)
    assert stat.S_IMODE(place.stat().st_mode) == 0o640
    before = os.umask(0o027)
    try:
        hp.write(tmp_path / "new.parquet", DATA)
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "new.parquet").stat().st_mode) == 0o640


def test_links_are_followed(place, tmp_path):
    link = tmp_path / "link.parquet"
    link.symlink_to(place)
    hp.write(link, DATA)
    assert link.is_symlink()
    assert len(hp.read(place)) == 1000


def test_what_is_no_ordinary_file_is_written_to():
    """Pipes and devices have nothing that could be replaced."""
    hp.write("/dev/null", DATA)
    assert Path("/dev/null").is_char_device()


def test_fsync(tmp_path, monkeypatch):
    """The file first, and after it has its name the folder."""
    synced = []
    monkeypatch.setattr(os, "fsync", lambda number: synced.append(os.fstat(number).st_mode))
    hp.write(tmp_path / "t.parquet", DATA)
    assert synced == []
    hp.write(tmp_path / "t.parquet", DATA, fsync=True)
    assert [stat.S_ISREG(mode) for mode in synced] == [True, False]


def test_long_names(tmp_path):
    path = tmp_path / f"{'n' * 240}.parquet"
    hp.write(path, DATA)
    assert len(hp.read(path)) == 1000


# ---------------------------------------------------------------------------------- file objects


class Slow(io.RawIOBase):
    """Takes ten bytes at a time."""

    def __init__(self):
        self.data = bytearray()

    def writable(self):
        return True

    def write(self, data):
        self.data += bytes(data[:10])
        return min(10, len(data))


def test_file_objects():
    file = Slow()
    hp.write(file, DATA)
    assert not file.closed
    assert len(hp.read(bytes(file.data))) == 1000


@pytest.mark.parametrize(
    ("file", "match"),
    [
        (io.StringIO(), "binary mode"),
        (io.BufferedReader(io.BytesIO(b"")), "not open for writing"),
        (17, "nothing that can be written to"),
        (b"path", "nothing that can be written to"),
        ("a\0b", "zero byte"),
    ],
)
def test_what_cannot_be_written_to(file, match):
    with pytest.raises(hp.InvalidOption, match=match):
        hp.write(file, DATA)


def test_nothing_is_left_of_a_longer_file(tmp_path):
    path = tmp_path / "x.parquet"
    path.write_bytes(b"x" * 100_000)
    with path.open("r+b") as file:
        hp.write(file, {"a": np.arange(3)})
    assert hp.read(path)["a"].tolist() == [0, 1, 2]
    # But what is before and behind a file in the middle of another is somebody's.
    whole = io.BytesIO(b"x" * 100_000)
    whole.seek(10)
    hp.write(whole, {"a": np.arange(3)})
    assert len(whole.getvalue()) == 100_000


def test_a_closed_file_object():
    file = io.BytesIO()
    file.close()
    with pytest.raises(hp.InvalidOption, match="closed already"):
        hp.write(file, DATA)


def test_files_that_a_function_opens(tmp_path):
    opened = []

    def open_with(path, mode):
        opened.append(open(path, mode))  # noqa: SIM115, PTH123
        return opened[-1]

    hp.write(str(tmp_path / "t.parquet"), DATA, open_with=open_with)
    assert opened[0].closed
    assert len(hp.read(tmp_path / "t.parquet")) == 1000


# --------------------------------------------------------------------------------- remote stores


def test_a_store_that_renames():
    store = fsspec.filesystem("memory")
    hp.write("memory://writes/t.parquet", {"a": np.array([7])})
    with pytest.raises(RuntimeError):
        hp.write("memory://writes/t.parquet", failing(), row_group_rows=10)
    assert hp.read("memory://writes/t.parquet")["a"].tolist() == [7]
    assert [each.rsplit("/", 1)[-1] for each in store.ls("/writes", detail=False)] == ["t.parquet"]
    hp.write("t.parquet", DATA, fs=fsspec.filesystem("dir", path="/writes", fs=store))
    assert len(hp.read("memory://writes/t.parquet")) == 1000


def test_a_local_file_system_and_url(tmp_path):
    hp.write(f"file://{tmp_path}/u.parquet", DATA)
    hp.write(str(tmp_path / "v.parquet"), DATA, fs=fsspec.filesystem("file"))
    assert len(hp.read(tmp_path / "u.parquet")) == len(hp.read(tmp_path / "v.parquet")) == 1000


class Upload(io.BytesIO):
    """What an object store gives: it appears when it is closed, unless it is discarded."""

    def __init__(self, objects, path):
        super().__init__()
        self.objects, self.path, self.is_discarded = objects, path, False

    def close(self):
        if not self.closed and not self.is_discarded:
            self.objects[self.path] = self.getvalue()
        super().close()

    def discard(self):
        self.is_discarded = True


class Store:
    """An object store with the little that is asked of one."""

    protocol = ("s3", "s3a")

    def __init__(self):
        self.objects = {}

    def _strip_protocol(self, path):
        return path.removeprefix("s3://")

    def unstrip_protocol(self, path):
        return f"s3://{path}"

    def open(self, path, mode):
        assert mode == "wb"
        return Upload(self.objects, path)


def test_an_object_store():
    """Nothing is renamed there, and an upload that fails is not ended."""
    store = Store()
    hp.write("bucket/t.parquet", {"a": np.array([7])}, fs=store)
    with pytest.raises(RuntimeError):
        hp.write("bucket/t.parquet", failing(), fs=store, row_group_rows=10)
    assert list(store.objects) == ["bucket/t.parquet"]
    assert hp.read(store.objects["bucket/t.parquet"])["a"].tolist() == [7]


def test_a_sink_is_used_once(tmp_path):
    sink = open_sink(tmp_path / "t.bin")
    sink.write([b"ab", memoryview(b"c")])
    assert sink.position == 3
    sink.commit()
    sink.discard()
    assert (tmp_path / "t.bin").read_bytes() == b"abc"
    for act in (sink.commit, lambda: sink.write([b"d"])):
        with pytest.raises(hp.InvalidOption, match="closed"):
            act()
