"""Files of values, and the directory in which they lie."""

from __future__ import annotations

import logging
import os
import stat
import subprocess
import sys
import textwrap
from pathlib import Path

import hypothesis.strategies as st
import pytest
from hypothesis import given, settings

from hocket.core.errors import LimitExceeded, SettingsError
from hocket.worker.errors import FileDamaged
from hocket.worker.shell import spill_directory, spill_files
from hocket.worker.shell.spill_directory import SpillDirectory, parent_directory
from hocket.worker.shell.spill_files import read_file, read_patiently, write_file

buffers = st.lists(st.binary(max_size=200), max_size=5)


def views(parts):
    return [memoryview(part) for part in parts]


# Files.


@given(buffers)
@settings(max_examples=50)
def test_what_is_read_is_what_was_written(tmp_path_factory, parts):
    path = tmp_path_factory.mktemp("files") / "value"
    file = write_file(path, views(parts))
    assert file.nbytes == path.stat().st_size == sum(map(len, parts))
    found = read_file(file)
    assert [bytes(each) for each in found] == parts
    assert not any(each.readonly for each in found)


def test_large_values_are_read_and_written_in_parts(tmp_path):
    part = os.urandom(3 * 2**20 + 17)
    file = write_file(tmp_path / "value", views([b"pickle", part]))
    assert read_file(file) == [b"pickle", part]
    assert stat.S_IMODE((tmp_path / "value").stat().st_mode) == 0o600


@given(st.binary(min_size=1, max_size=50), st.data())
@settings(max_examples=50)
def test_damage_is_noticed(tmp_path_factory, content, data):
    path = tmp_path_factory.mktemp("files") / "value"
    file = write_file(path, views([content]))
    position = data.draw(st.integers(0, len(content) - 1))
    way = data.draw(st.sampled_from(["bit", "cut", "longer", "gone"]))
    if way == "bit":
        damaged = bytearray(content)
        damaged[position] ^= 1 << data.draw(st.integers(0, 7))
        path.write_bytes(damaged)
    elif way == "gone":
        path.unlink()
    else:
        path.write_bytes(content[:position] if way == "cut" else content + b"x")
    with pytest.raises(FileDamaged, match="is damaged") as caught:
        read_file(file)
    assert caught.value.path == str(path)
    assert caught.value.reason


def test_no_file_is_written_over_another_and_none_is_left_half_written(tmp_path):
    path = tmp_path / "value"
    write_file(path, views([b"first"]))
    with pytest.raises(FileExistsError):
        write_file(path, views([b"second"]))
    assert path.read_bytes() == b"first"

    def failing():
        yield memoryview(b"some")
        raise OSError("no space left")

    with pytest.raises(OSError, match="no space"):
        write_file(tmp_path / "other", failing())
    assert not (tmp_path / "other").exists()


def test_what_cannot_be_read_just_now_is_tried_again(tmp_path, monkeypatch):
    file = write_file(tmp_path / "value", views([b"content"]))
    monkeypatch.setattr(spill_files, "_PAUSE_S", 0.0)
    tries = []

    def allocate(sizes):
        tries.append(sizes)
        if len(tries) < 3:
            raise LimitExceeded(what="memory", limit=0, asked=7)
        return [memoryview(bytearray(size)) for size in sizes]

    monkeypatch.setattr(spill_files, "allocate", allocate)
    assert read_patiently(file) == [b"content"]
    tries.clear()
    monkeypatch.setattr(spill_files, "_READS_MAX", 2)
    with pytest.raises(FileDamaged, match="memory"):
        read_patiently(file)


# The directory.


def test_the_directory_is_made_when_it_is_needed_for_its_owner_only(tmp_path):
    directory = SpillDirectory(tmp_path)
    assert list(tmp_path.iterdir()) == []
    path = directory.path()
    assert directory.path() == path
    assert path.parent == tmp_path
    assert stat.S_IMODE(path.stat().st_mode) == 0o700
    (path / "file").write_text("value")
    directory.close()
    directory.close()
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(FileNotFoundError):
        directory.path()


def test_what_dead_workers_left_is_removed_and_nothing_else(tmp_path):
    # A worker that was killed, and cleans up nothing.
    program = f"""
        import os
        from pathlib import Path
        from hocket.worker.shell.spill_directory import SpillDirectory
        path = SpillDirectory(Path({str(tmp_path)!r})).path()
        (path / "1").write_text("value")
        os._exit(1)
    """
    subprocess.run([sys.executable, "-c", textwrap.dedent(program)], check=False)
    (left,) = tmp_path.iterdir()
    assert (left / "1").exists()
    alive = SpillDirectory(tmp_path)
    kept = alive.path()
    (tmp_path / "hocket-spill-file").write_text("of somebody")
    (tmp_path / "other").mkdir()
    (tmp_path / "hocket-spill-link").symlink_to(tmp_path / "other")
    begun = tmp_path / "hocket-spill-begun"
    begun.mkdir()
    old = tmp_path / "hocket-spill-old"
    old.mkdir()
    os.utime(old, (1.0, 1.0))
    assert SpillDirectory(tmp_path).sweep() == 2
    names = {path.name for path in tmp_path.iterdir()}
    assert names == {kept.name, "hocket-spill-file", "other", "hocket-spill-link", begun.name}
    alive.close()


def test_a_directory_that_is_not_there_any_more_is_swept_without_a_word(tmp_path):
    assert SpillDirectory(tmp_path / "gone").sweep() == 0


def test_the_setting_names_the_directory(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    assert parent_directory("~/deep/er") == tmp_path / "deep" / "er"
    assert (tmp_path / "deep" / "er").is_dir()
    file = tmp_path / "file"
    file.write_text("x")
    with pytest.raises(SettingsError, match=r"worker\.local_directory.*cannot be made"):
        parent_directory(str(file / "below"))


def test_without_a_setting_a_disk_is_preferred_to_memory(tmp_path, monkeypatch):
    temporary, disk = tmp_path / "tmp", tmp_path / "disk"
    temporary.mkdir()
    disk.mkdir()
    monkeypatch.setattr(spill_directory.tempfile, "gettempdir", lambda: str(temporary))
    monkeypatch.setattr(spill_directory, "_DISK_DIRECTORY", str(disk))
    monkeypatch.setattr(spill_directory, "_is_in_memory", lambda path: path == temporary)
    assert parent_directory("") == disk
    monkeypatch.setattr(spill_directory, "_is_in_memory", lambda _: False)
    assert parent_directory("") == temporary


def test_files_that_would_lie_in_memory_are_warned_about(tmp_path, monkeypatch, caplog):
    monkeypatch.setattr(spill_directory, "_is_in_memory", lambda _: True)
    directory = SpillDirectory(tmp_path)
    with caplog.at_level(logging.WARNING):
        directory.path()
    assert "set worker.local_directory" in caplog.text
    directory.close()


def test_file_systems_in_memory_are_known(monkeypatch):
    parts = [("/", "ext4"), ("/dev/shm", "tmpfs"), ("/dev", "devtmpfs")]
    made = [type("Part", (), {"mountpoint": point, "fstype": kind}) for point, kind in parts]
    monkeypatch.setattr(spill_directory.psutil, "disk_partitions", lambda **_: made)
    assert spill_directory._is_in_memory(Path("/dev/shm/x"))
    assert not spill_directory._is_in_memory(Path("/srv/x"))
