"""Plugins of a worker: set up, replaced, taken down; and files that become modules."""

from __future__ import annotations

import importlib
import sys
import zipfile
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest

from hocket.core.errors import InternalError
from hocket.core.worker_plugins import UploadedFile, WorkerPlugin, install, remove, remove_all
from hocket.core.worker_view import CURRENT_WORKER, WorkerView, current_worker


@pytest.fixture
def worker(tmp_path: Path) -> Iterator[WorkerView]:
    view = WorkerView("w", find_directory=lambda: str(tmp_path))
    token = CURRENT_WORKER.set(view)
    path = list(sys.path)
    yield view
    CURRENT_WORKER.reset(token)
    sys.path[:] = path


class Noted(WorkerPlugin):
    def __init__(self, log: list[str], word: str) -> None:
        self.log, self.word = log, word

    def setup(self, worker: WorkerView) -> None:
        assert worker is current_worker()
        self.log.append(f"+{self.word}")

    def teardown(self, worker: WorkerView) -> None:
        self.log.append(f"-{self.word}")
        if self.word == "bad":
            raise ValueError(self.word)


def test_one_of_each_name(worker: WorkerView) -> None:
    log: list[str] = []
    for name, word in [("a", "one"), ("b", "bad"), ("a", "two"), ("c", "three")]:
        install(name, Noted(log, word))
    assert log == ["+one", "+bad", "-one", "+two", "+three"]
    assert remove("c")
    assert not remove("c")
    log.clear()
    (error,) = remove_all(worker)
    assert isinstance(error, ValueError)
    assert log == ["-two", "-bad"]
    assert worker.plugins == {}


def test_either_method_will_do(worker: WorkerView) -> None:
    class OnlySetup:
        def setup(self, worker: WorkerView) -> None:
            worker.storage["here"] = True

    install("a", OnlySetup())
    install("b", WorkerPlugin())
    assert worker.storage == {"here": True}
    assert remove_all(worker) == []


def test_elsewhere_there_is_none() -> None:
    with pytest.raises(InternalError, match="no worker"):
        install("a", WorkerPlugin())


def test_a_module_and_its_next_version(worker: WorkerView) -> None:
    forgotten: list[int] = []
    worker.forget_functions = lambda: forgotten.append(1)
    for answer in (1, 2, 3):
        install("file", UploadedFile("hocket_test_module.py", f"answer = {answer}".encode()))
        module: Any = importlib.import_module("hocket_test_module")
        assert module.answer == answer
    assert forgotten == [1, 1, 1]
    with pytest.raises(SyntaxError):
        install("file", UploadedFile("hocket_test_module.py", b"answer ="))
    # Nothing is left of the one before.
    assert "hocket_test_module" not in sys.modules


def test_an_archive(worker: WorkerView) -> None:
    data = BytesIO()
    with zipfile.ZipFile(data, "w") as archive:
        archive.writestr("hocket_test_archive/__init__.py", "answer = 3")
    install("file", UploadedFile("some.zip", data.getvalue()))
    module: Any = importlib.import_module("hocket_test_archive")
    assert module.answer == 3
    assert remove("file")
    assert not any(one.endswith("some.zip") for one in sys.path)
    assert not Path(worker.directory, "some.zip").exists()
    del sys.modules["hocket_test_archive"]


def test_any_other_file(worker: WorkerView) -> None:
    install("file", UploadedFile("model.bin", b"\x00data"))
    assert Path(worker.directory, "model.bin").read_bytes() == b"\x00data"
