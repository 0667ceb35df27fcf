"""Setting up workers from afar: what is sent, and what is refused at once."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest

from hocket.client import Client, WorkerPlugin
from hocket.core.errors import NoCapacity, SerializationError, SettingsError, VersionsDiffer
from hocket.core.package_versions import package_versions
from hocket.core.worker_plugins import UploadedFile, install, remove
from hocket.protocol.messages import (
    DropSetup,
    EverywhereRan,
    Failure,
    FailureKind,
    KeepSetup,
    ListVariables,
    RequestRefused,
    RetryTasks,
    RunEverywhere,
    VariablesListed,
)
from hocket.protocol.serialize import dump_value, load_arguments, load_function


class Plugin(WorkerPlugin):
    def __init__(self, value: Any = None) -> None:
        self.value = value


def ran(message: Any, *values: Any) -> EverywhereRan:
    names = [f"tcp://w{n}" for n in range(len(values))]
    none = [None] * len(values)
    return EverywhereRan(message.request, names, [dump_value(one) for one in values], none)


@pytest.fixture
def scheduler(scheduler: Any) -> Any:
    scheduler.answers[KeepSetup] = lambda message: ran(message, None, None)
    scheduler.answers[DropSetup] = lambda message: ran(message, True, False)
    return scheduler


def test_a_plugin_is_sent(client: Client, scheduler: Any) -> None:
    assert client.register_plugin(Plugin(3)) == {"tcp://w0": None, "tcp://w1": None}
    message = scheduler.of(KeepSetup)[0]
    assert message.name == "Plugin"
    assert load_function(message.function) is install
    (name, plugin), _ = load_arguments(message.payload)
    assert (name, plugin.value) == ("Plugin", 3)
    client.register_plugin(Plugin(), name="mine")
    assert scheduler.of(KeepSetup)[1].name == "mine"
    assert client.unregister_worker_plugin("mine") == {"tcp://w0": True, "tcp://w1": False}
    message = scheduler.of(DropSetup)[0]
    assert (message.name, load_function(message.function)) == ("mine", remove)


def test_what_is_no_plugin(client: Client) -> None:
    for wrong in (3, object(), Plugin):
        with pytest.raises(TypeError, match="setup"):
            client.register_plugin(wrong)
    with pytest.raises(SerializationError):
        client.register_plugin(Plugin(threading.Lock()))
    with pytest.raises(SettingsError, match="name"):
        client.register_plugin(Plugin(), name="x" * 2000)


def test_errors_of_workers_and_of_the_scheduler(client: Client, scheduler: Any) -> None:
    failure = Failure(FailureKind.WORKER_DIED, "", "worker w1 is gone")
    scheduler.answers[KeepSetup] = lambda message: EverywhereRan(
        message.request, ["tcp://w0", "tcp://w1"], [dump_value(None), None], [None, failure]
    )
    with pytest.raises(Exception, match="gone"):
        client.register_plugin(Plugin())
    scheduler.answers[KeepSetup] = lambda message: RequestRefused(message.request, "too much")
    with pytest.raises(NoCapacity, match="too much"):
        client.register_plugin(Plugin())


def test_a_file_is_sent(client: Client, scheduler: Any, tmp_path: Path) -> None:
    path = tmp_path / "module.py"
    path.write_text("answer = 1")
    assert client.upload_file(path) == ["tcp://w0", "tcp://w1"]
    message = scheduler.of(KeepSetup)[0]
    assert message.name == "upload_file module.py"
    (_, file), _ = load_arguments(message.payload)
    assert isinstance(file, UploadedFile)
    assert (file.file_name, file.data) == ("module.py", b"answer = 1")


def test_versions_are_compared(client: Client, scheduler: Any) -> None:
    other = {**package_versions(["mine"]), "mine": "7"}
    scheduler.answers[RunEverywhere] = lambda message: ran(message, package_versions(), other)
    found = client.get_versions(packages=["mine"])
    assert (found.client["mine"], found.workers["tcp://w1"]["mine"]) == ("", "7")
    with pytest.raises(VersionsDiffer, match="mine"):
        client.get_versions(check=True, packages=["mine"])


def test_logs(client: Client, scheduler: Any) -> None:
    line = (1.5, "INFO", "a", "", "text")
    scheduler.answers[RunEverywhere] = lambda message: ran(message, [line])
    (lines,) = client.get_worker_logs(n=3, workers="w0").values()
    assert (lines[0].level, lines[0].text) == ("INFO", "text")
    assert scheduler.of(RunEverywhere)[-1].workers == ["w0"]
    for wrong in (-1, True, "3"):
        with pytest.raises(SettingsError, match="'n'"):
            client.get_worker_logs(n=wrong)  # type: ignore[arg-type]


def test_names_of_data_sets(client: Client, scheduler: Any) -> None:
    scheduler.answers[ListVariables] = lambda message: VariablesListed(
        message.request, ["dataset a", "dataset b c"]
    )
    assert client.list_datasets() == ["a", "b c"]
    assert scheduler.of(ListVariables)[0].prefix == "dataset "


def test_retrying_makes_a_failed_future_pending(client: Client, scheduler: Any) -> None:
    future = client.submit(divmod, 1, 0)
    fine = client.submit(divmod, 1, 1)
    with pytest.raises(ZeroDivisionError):
        future.result(timeout=10)
    client.retry([future, {"fine": fine}])
    assert future.status == "pending"
    assert scheduler.await_message(RetryTasks).keys == [future.key]
    assert fine.result(timeout=10) == (1, 0)
    client.retry(fine)
    scheduler.call(scheduler.failures.clear)
    scheduler.recover(future.key, 5)
    assert future.result(timeout=10) == 5
    assert len(scheduler.of(RetryTasks)) == 1
