"""Values on their way to files where something goes wrong on the way."""

from __future__ import annotations

import errno
import os
import shutil
import threading
from types import SimpleNamespace

import pytest

from hocket.core.settings import WorkerSettings
from hocket.worker.errors import FileDamaged
from hocket.worker.shell import packed, spill_directory, spill_files, spiller
from hocket.worker.shell.packed import pack_datum
from hocket.worker.shell.spill_directory import SpillDirectory
from hocket.worker.shell.spill_files import write_file
from hocket.worker.shell.spiller import Spiller, is_on_device
from hocket.worker.state import Datum, DropFile, Spill


class Answers:
    """Stands for what the machine is told; keeps it."""

    def __init__(self):
        self.heard = []
        self.came = threading.Semaphore(0)

    def __getattr__(self, name):
        def hear(*arguments):
            self.heard.append((name, *arguments[1:2]))
            self.came.release()

        return hear

    def next(self):
        """Wait for an answer, and return its name and its reason."""
        assert self.came.acquire(timeout=30)
        return self.heard.pop(0)


@pytest.fixture
def answers():
    return Answers()


@pytest.fixture
def made(tmp_path, answers):
    """Return a spiller that answers there."""
    desk = SimpleNamespace(
        machine=SimpleNamespace(disk=answers, name="w"), lock=threading.Lock(), closing=True
    )
    found = Spiller(desk, WorkerSettings(local_directory=str(tmp_path), spill_free_nbytes_min=0))
    yield found
    assert found.close(30)
    assert list(tmp_path.iterdir()) == []


def spill(value):
    return Spill(Datum("k", 1, 10, value))


class Greedy:
    def __reduce__(self):
        raise MemoryError


def test_a_value_that_cannot_be_pickled_for_lack_of_memory_is_tried_again(made, answers):
    made.obey(spill(Greedy()))
    name, reason = answers.next()
    assert name == "is_full"
    assert "no memory" in reason


def test_the_machine_gets_an_answer_whatever_happens(made, answers, monkeypatch, caplog):
    def break_down(*_arguments):
        raise ValueError("a bug")

    monkeypatch.setattr(spiller, "write_file", break_down)
    made.obey(spill(b"x"))
    assert answers.next() == ("cannot_spill", "ValueError: a bug")
    assert "a bug" in caplog.text
    monkeypatch.undo()
    made.obey(spill(b"x"))
    name, file = answers.next()
    assert name == "spilled"
    made.obey(DropFile(file))


def test_where_there_are_no_more_threads_it_is_tried_again(made, answers, monkeypatch):
    def refuse(_thread):
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", refuse)
        made.obey(spill(b"x"))
    made.obey(spill(b"y"))
    assert [answers.next()[0], answers.next()[0]] == ["spilled", "spilled"]


def test_a_dict_that_changes_while_it_is_looked_at_does_no_harm(monkeypatch):
    def change(*_arguments):
        raise RuntimeError("dictionary changed size during iteration")

    monkeypatch.setattr(spiller, "islice", change)
    assert not is_on_device({"a": 1})


def test_a_file_that_fails_as_it_is_closed_is_not_left(tmp_path, monkeypatch):
    close = os.close

    def fail(number):
        close(number)
        raise OSError(errno.EDQUOT, "quota exceeded")

    monkeypatch.setattr(spill_files.os, "close", fail)
    with pytest.raises(OSError, match="quota"):
        write_file(tmp_path / "value", [memoryview(b"abc")])
    monkeypatch.undo()
    assert list(tmp_path.iterdir()) == []


def test_a_directory_that_cannot_be_locked_in_is_not_left(tmp_path, monkeypatch):
    directory = SpillDirectory(tmp_path)

    def fail(*_arguments):
        raise OSError(errno.EMFILE, "too many open files")

    monkeypatch.setattr(spill_directory.os, "open", fail)
    # (Removing it takes descriptors as well.)
    monkeypatch.setattr(spill_directory.shutil, "rmtree", lambda path, **_: path.rmdir())
    with pytest.raises(OSError, match="too many"):
        directory.path()
    monkeypatch.undo()
    assert list(tmp_path.iterdir()) == []
    assert directory.path().is_dir()
    directory.close()


def test_a_directory_that_somebody_removed_is_made_anew(tmp_path, caplog):
    directory = SpillDirectory(tmp_path)
    first = directory.path()
    shutil.rmtree(first)
    second = directory.path()
    assert second != first
    assert (second / "lock").exists()
    assert str(first) in caplog.text
    assert directory.path() == second
    directory.close()
    assert list(tmp_path.iterdir()) == []


def test_a_value_that_went_to_another_file_meanwhile_is_read_from_that(tmp_path, monkeypatch):
    first = write_file(tmp_path / "first", [memoryview(b"a")])
    second = write_file(tmp_path / "second", [memoryview(b"b")])
    datum = Datum("k", 1, 1, first)
    read = packed.read_patiently

    def read_late(file):
        if file is first:
            datum.value = second
            raise FileDamaged(path="first", reason="it is gone")
        return read(file)

    monkeypatch.setattr(packed, "read_patiently", read_late)
    assert pack_datum(datum) == [b"b"]
