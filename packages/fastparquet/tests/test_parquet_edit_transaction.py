"""Edits of datasets: all or nothing, wherever a writer dies, and one writer after the other."""

from __future__ import annotations

import json
import os
import threading
from contextlib import suppress

import fsspec
import pytest
from parquet_dying_folder import Death, DyingLocalFolder, DyingRemoteFolder

from hocket.parquet.dataset.commit import RECORD, STAGING
from hocket.parquet.dataset.discovery import discover
from hocket.parquet.dataset.edit import lock_file, remote_folder
from hocket.parquet.dataset.edit.local_folder import LocalFolder
from hocket.parquet.dataset.edit.lock_file import LOCK
from hocket.parquet.dataset.edit.remote_folder import RemoteFolder
from hocket.parquet.dataset.edit.transaction import Changes, Edit
from hocket.parquet.dataset.edit.writers import is_gone, writer_name
from hocket.parquet.errors import CorruptFile, EditConflict, InvalidOption

_BEFORE = {
    "part.0.parquet": b"zero",
    "part.1.parquet": b"one",
    "k=1/part.2.parquet": b"two",
}
_AFTER = {
    "part.1.parquet": b"new one",
    "k=2/part.3.parquet": b"three",
    "k=2/part.4.parquet": b"four",
}
_REMOVED = ["part.0.parquet", "k=1/part.2.parquet"]


@pytest.fixture(params=["local", "memory"])
def place(request, tmp_path, monkeypatch):
    """Functions that make folders of one dataset, and tell what a reader finds."""
    if request.param == "local":
        root = str(tmp_path / "set")
        yield _Place(lambda: DyingLocalFolder(root), root, None)
        return
    filesystem = fsspec.filesystem("memory")
    root = f"/edits-{os.getpid()}-{tmp_path.name}"
    # All writers are of this process, which lives; the dead have to look it.
    for module in (lock_file, remote_folder):
        monkeypatch.setattr(module, "writer_name", _name_of_the_dead)
    yield _Place(lambda: DyingRemoteFolder(root, filesystem), root, filesystem)
    filesystem.rm(root, recursive=True)


def _name_of_the_dead():
    since, _, host, number = writer_name().split("-")
    return f"{since}-999999999999-{host}-{number}"


class _Place:
    def __init__(self, make, root, filesystem):
        self.make = make
        self.root = root
        self.filesystem = filesystem

    def fill(self, contents):
        folder = self.make()
        for name, data in contents.items():
            folder.write(name, data)
        folder.changes = 0
        return folder

    def seen(self):
        found = discover(self.root, filesystem=self.filesystem)
        folder = self.make()
        skipped = len(folder.place(""))
        return {
            name: folder.read(at[skipped:], 1000)
            for name, at in zip(found.names, found.places, strict=True)
        }

    def clear(self):
        folder = self.make()
        for name in folder.names():
            folder.remove(name)


def _edit(folder, after=_AFTER, removed=_REMOVED):
    with Edit(folder, timeout_s=0) as edit:
        changes = Changes(removals=list(removed))
        for name, data in after.items():
            staged = edit.stage()
            folder.write(staged, data)
            changes.renames[staged] = name
        edit.commit(lambda: changes)


def test_a_writer_may_die_at_any_step(place):
    seen = set()
    for dies_at in range(1000):
        folder = place.fill(_BEFORE)
        folder.dies_at = dies_at
        try:
            _edit(folder)
        except Death:
            alive = False
        else:
            alive = True
        now = place.seen()
        assert now in (_BEFORE, _AFTER), dies_at
        seen.add(len(now.get("part.1.parquet")))
        _edit(place.make(), {"part.9.parquet": b"nine"}, [])
        assert place.seen() == now | {"part.9.parquet": b"nine"}, dies_at
        assert set(place.make().names()) == {*now, "part.9.parquet"}, dies_at
        place.clear()
        if alive:
            break
    else:
        pytest.fail("it never came to an end")
    assert seen == {3, 7}
    assert dies_at > 20


def test_a_writer_that_helps_may_die_too(place):
    whole = place.fill(_BEFORE)
    whole.dies_at = 0
    for first in range(8, 40, 2):
        place.clear()
        folder = place.fill(_BEFORE)
        folder.dies_at = first
        with pytest.raises(Death):
            _edit(folder)
        if place.seen() == _AFTER:
            break
    assert place.make().read(RECORD, 10) is not None
    for second in range(60):
        helper = place.make()
        helper.dies_at = second
        try:
            _edit(helper, {"part.9.parquet": b"nine"}, [])
        except Death:
            assert place.seen() in (_AFTER, _AFTER | {"part.9.parquet": b"nine"})
        else:
            break
    assert place.seen() == _AFTER | {"part.9.parquet": b"nine"}


def test_what_is_not_committed_leaves_nothing(place):
    folder = place.fill(_BEFORE)
    with suppress(KeyError), Edit(folder) as edit:
        folder.write(edit.stage(), b"x")
        raise KeyError
    assert set(folder.names()) == set(_BEFORE)


def test_an_edit_that_fails_behind_its_record_is_finished_by_the_next(place):
    folder = place.fill(_BEFORE)
    rename = folder.rename

    def fail(source, target):
        if target == "k=2/part.4.parquet":
            raise OSError(28, "No space left on device")
        rename(source, target)

    folder.rename = fail
    with pytest.raises(OSError, match="space"):
        _edit(folder)
    assert place.seen() == _AFTER
    _edit(place.make(), {"part.9.parquet": b"nine"}, [])
    assert place.seen() == _AFTER | {"part.9.parquet": b"nine"}


def test_what_another_writer_changed_is_not_overwritten(place):
    folder = place.fill(_BEFORE)
    with Edit(folder) as edit:
        edit.watch(["part.1.parquet"])
        staged = edit.stage()
        folder.write(staged, b"mine")
        _edit(place.make(), {"part.1.parquet": b"theirs, longer"}, [])
        with pytest.raises(EditConflict, match=r"part\.1"):
            edit.commit(lambda: Changes({staged: "part.1.parquet"}))
    assert place.seen()["part.1.parquet"] == b"theirs, longer"


def test_files_of_a_writer_at_work_stay(tmp_path):
    folder = LocalFolder(str(tmp_path))
    with Edit(folder) as edit:
        staged = edit.stage()
        folder.write(staged, b"mine")
        _edit(LocalFolder(str(tmp_path)), {"part.1.parquet": b"theirs"}, [])
        edit.commit(lambda: Changes({staged: "part.2.parquet"}))
    assert sorted(folder.names()) == ["part.1.parquet", "part.2.parquet"]
    assert not (tmp_path / STAGING).exists()


def test_staged_files_that_are_gone_are_not_committed(place):
    folder = place.fill(_BEFORE)
    with Edit(folder) as edit:
        staged = edit.stage()
        folder.write(staged, b"mine")
        folder.remove(staged)
        with pytest.raises(EditConflict, match="gone"):
            edit.commit(lambda: Changes({staged: "part.5.parquet"}, ["part.0.parquet"]))
    assert place.seen() == _BEFORE


def test_writers_wait_for_each_other_and_not_for_ever(place):
    folder = place.fill(_BEFORE)
    with (
        folder.lock(0),
        pytest.raises(EditConflict, match="another writer"),
        place.make().lock(0.05) if place.filesystem is None else _lock_of_the_living(place),
    ):
        pytest.fail("both got in")


def _lock_of_the_living(place):
    folder = place.make()
    folder.remove(LOCK)
    folder.create(LOCK, writer_name().encode())
    return folder.lock(0.05)


def test_many_threads_add_files(tmp_path):
    def add(number):
        for step in range(5):
            _edit_waiting(str(tmp_path), f"part.{number}-{step}.parquet")

    threads = [threading.Thread(target=add, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(discover(str(tmp_path)).names) == 20
    assert len(list(tmp_path.iterdir())) == 20


def _edit_waiting(root, name):
    folder = LocalFolder(root)
    with Edit(folder) as edit:
        first, second = edit.stage(), edit.stage()
        folder.write(first, b"data")
        folder.write(second, b"")
        edit.commit(lambda: Changes({first: name, second: "_metadata.old"}, ["x"]))
        edit.commit(lambda: Changes({}, ["_metadata.old"]))


def test_records_of_strangers_are_refused(tmp_path):
    (tmp_path / "part.0.parquet").write_bytes(b"x")
    outside = tmp_path.parent / f"{tmp_path.name}-outside"
    outside.write_bytes(b"precious")
    document = {"version": 1, "rename": [], "remove": [f"../{outside.name}"]}
    (tmp_path / RECORD).write_text(json.dumps(document))
    with pytest.raises(CorruptFile, match="outside"):
        discover(str(tmp_path))
    with pytest.raises(CorruptFile, match="outside"):
        _edit(LocalFolder(str(tmp_path)))
    assert outside.read_bytes() == b"precious"


def test_links_out_of_the_dataset_are_not_followed_by_edits(tmp_path):
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "precious").write_bytes(b"x")
    root = tmp_path / "set"
    root.mkdir()
    (root / "k=1").symlink_to(outside)
    document = {"version": 1, "rename": [], "remove": ["k=1/precious"]}
    (root / RECORD).write_text(json.dumps(document))
    with pytest.raises(InvalidOption, match="link"):
        _edit(LocalFolder(str(root)), {}, [])
    assert (outside / "precious").exists()


def test_a_record_whose_files_are_lost_is_told(place):
    folder = place.fill(_BEFORE)
    document = {
        "version": 1,
        "rename": [[f"{STAGING}/a/1", "part.7.parquet"]],
        "remove": ["part.0.parquet"],
    }
    folder.write(RECORD, json.dumps(document).encode())
    with pytest.raises(CorruptFile, match=r"part\.7.*gone"):
        _edit(folder, {}, [])


def test_who_is_gone():
    assert not is_gone(writer_name(), 0)
    assert is_gone(_name_of_the_dead(), 0)
    elsewhere = "1000-5-otherhost-ab"
    assert not is_gone(elsewhere, 2000)
    assert is_gone(elsewhere, 1000 + 8 * 24 * 3600)
    assert not is_gone("anything", 1e12)


def test_a_lock_file_of_the_dead_is_broken_once(place, monkeypatch):
    if place.filesystem is None:
        pytest.skip("this machine's locks are no files")
    monkeypatch.undo()
    folder = RemoteFolder(place.root, place.filesystem)
    dead = _name_of_the_dead()
    folder.write(LOCK, dead.encode())
    with folder.lock(0.0):
        assert folder.read(LOCK, 200) != dead.encode()
    assert folder.names() == []
    # Another one broke it and died: nobody can tell how far that went.
    folder.write(LOCK, dead.encode())
    folder.write(f"{LOCK}-{dead}", b"")
    with pytest.raises(EditConflict, match="remove the file"), folder.lock(0.0):
        pass
