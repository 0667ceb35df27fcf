"""Workers set up from afar, those that are there and others: plugins, files, versions, logs."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from hocket.client import Client, WorkerPlugin, WorkerView, get_worker
from hocket.core.errors import NoCapacity, SerializationError
from hocket.deploy import LocalCluster


@pytest.fixture(params=["processes", "threads"])
def cluster(request: pytest.FixtureRequest) -> Iterator[LocalCluster]:
    with LocalCluster(1, 1, processes=request.param == "processes") as one:
        yield one


class Model(WorkerPlugin):
    """Loads something large once for each worker."""

    name = "model"

    def __init__(self, factor: int) -> None:
        self.factor = factor

    def setup(self, worker: WorkerView) -> None:
        if self.factor < 0:
            raise ValueError("a model of less than nothing")
        worker.storage["model"] = self.factor

    def teardown(self, worker: WorkerView) -> None:
        del worker.storage["model"]


def predict(number: int) -> int:
    return number * int(get_worker().storage["model"])


@pytest.mark.slow
def test_a_plugin_is_on_all_workers_before_their_tasks(
    client: Client, cluster: LocalCluster
) -> None:
    assert len(client.register_plugin(Model(3))) == 1
    assert client.submit(predict, 2).result(timeout=10) == 6
    cluster.scale(3)
    names = cluster.workers
    futures = [client.submit(predict, 5, workers=name) for name in names]
    assert client.gather(futures, timeout=20) == [15] * 3
    # Another in its place, everywhere.
    client.register_plugin(Model(4))
    assert client.gather([client.submit(predict, 5, workers=name) for name in names]) == [20] * 3
    with pytest.raises(ValueError, match="less than nothing"):
        client.register_plugin(Model(-1), name="other")
    assert list(client.unregister_worker_plugin("model").values()) == [True] * 3
    with pytest.raises(KeyError):
        client.submit(predict, 2).result(timeout=10)
    with pytest.raises(NoCapacity, match="model"):
        client.unregister_worker_plugin("model")
    with pytest.raises(TypeError, match="setup"):
        client.register_plugin(Model)


def test_a_file_is_importable_everywhere(
    client: Client, cluster: LocalCluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "hocket_uploaded.py"
    path.write_text("def answer(x): return x + 1\n")
    monkeypatch.syspath_prepend(tmp_path)
    import hocket_uploaded  # type: ignore[import-not-found] # noqa: PLC0415 - just written

    if len(set(cluster.worker_pids.values()) - {0}) and cluster.worker_pids:
        future = client.submit(hocket_uploaded.answer, 1)
        error = future.exception(timeout=10)
        if error is not None:
            assert isinstance(error, SerializationError)
            assert "hocket_uploaded" in str(error)
            assert "upload_file" in str(error)
    assert len(client.upload_file(path)) == 1
    assert client.submit(hocket_uploaded.answer, 1).result(timeout=10) == 2
    cluster.scale(2)
    futures = [client.submit(hocket_uploaded.answer, 2, workers=one) for one in cluster.workers]
    assert client.gather(futures, timeout=20) == [3, 3]
    with pytest.raises(FileNotFoundError):
        client.upload_file(tmp_path / "ghost.py")
    sys.modules.pop("hocket_uploaded")


def name_of(hocket_worker: WorkerView) -> str:
    return hocket_worker.name


def divide(divisor: int) -> float:
    return 1 / divisor


def test_functions_on_workers(client: Client, cluster: LocalCluster) -> None:
    (address,) = client.scheduler_info()["workers"]
    assert client.run(name_of) == {address: cluster.workers[0]}
    assert client.run(name_of, workers=cluster.workers) == {address: cluster.workers[0]}
    with pytest.raises(ZeroDivisionError):
        client.run(divide, 0)
    assert isinstance(client.run(divide, 0, on_error="return")[address], ZeroDivisionError)
    assert client.run(divide, 0, on_error="ignore") == {}


def test_versions(client: Client) -> None:
    found = client.get_versions(check=True, packages=["pytest", "no-such-package"])
    assert found.client["pytest"]
    assert found.client["no-such-package"] == ""
    assert list(found.workers.values()) == [found.client]


def say_something(word: str) -> None:
    print("printed", word)  # noqa: T201 - it is what this is about
    logging.getLogger("mine").warning("logged %s", word)


def test_what_tasks_said(client: Client, cluster: LocalCluster) -> None:
    future = client.submit(say_something, "hello")
    future.result(timeout=10)
    (lines,) = client.get_worker_logs().values()
    if not cluster.worker_pids or "processes" not in repr(cluster):
        return
    mine: Any = [line for line in lines if line.task == future.key]
    assert [(line.level, line.logger, line.text) for line in mine] == [
        ("STDOUT", "", "printed hello"),
        ("WARNING", "mine", "logged hello"),
    ]
    assert [line.text for line in client.get_worker_logs(n=1)[next(iter(client.nthreads()))]] == [
        "logged hello"
    ]
