"""Workers that are restarted, and clusters that are shut down, from a client."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from hocket.client import Client
from hocket.core.errors import NoCapacity, PeerLost, SettingsError, TaskCancelled
from hocket.deploy import LocalCluster

pytestmark = pytest.mark.slow


def increment(x: int) -> int:
    return x + 1


def block_for_ever() -> None:
    threading.Event().wait()


def read_mark() -> str | None:
    return os.environ.get("HOCKET_MARK")


class Mark:
    name = "mark"

    def setup(self, worker: object) -> None:
        os.environ["HOCKET_MARK"] = "set"


@pytest.fixture
def processes() -> Iterator[LocalCluster]:
    with LocalCluster(2, 1) as one:
        yield one


def test_all_workers_come_back_empty(processes: LocalCluster) -> None:
    with Client(processes) as client, Client(processes) as other:
        client.register_plugin(Mark())
        kept = other.submit(increment, 1)
        assert kept.result(20) == 2
        stuck = [client.submit(block_for_ever) for _ in range(4)]
        done = client.submit(increment, 10)
        pids = set(client.run(os.getpid).values())
        outcomes = client.restart(timeout=30)
        assert outcomes == {"worker-0": "restarted", "worker-1": "restarted"}
        assert pids.isdisjoint(client.run(os.getpid).values())
        assert {future.status for future in [*stuck, done]} == {"cancelled"}
        with pytest.raises(TaskCancelled):
            stuck[0].result()
        assert client.submit(increment, 1).result(20) == 2
        assert client.submit(read_mark).result(20) == "set"
        assert other.submit(increment, kept).result(20) == 3


def test_some_workers_come_back(processes: LocalCluster) -> None:
    with Client(processes) as client:
        pids = client.run(os.getpid)
        first = next(iter(pids))
        assert list(client.restart_workers(first, 30).values()) == ["restarted"]
        assert len(set(client.run(os.getpid).values()) & set(pids.values())) == 1
        with pytest.raises(NoCapacity, match="nobody"):
            client.restart_workers(["nobody"], 30)
        assert client.restart_workers([]) == {}


def test_nobody_starts_them_again() -> None:
    settings = {"local.restart_workers": False}
    text = "worker-0: ended, and nobody has started another"
    with (
        LocalCluster(1, 1, settings=settings) as cluster,
        Client(cluster) as client,
        pytest.raises(TimeoutError, match=text),
    ):
        client.restart(timeout=0.5)


def test_threads_of_another_process_stay() -> None:
    with LocalCluster(1, 1, processes=False) as cluster, Client(cluster) as client:
        with pytest.raises(TimeoutError, match="does other things as well"):
            client.restart(timeout=5)
        assert client.restart(wait_for_workers=False)["worker-0"].startswith("not restarted")
        assert client.submit(increment, 1).result(20) == 2


def test_a_cluster_is_shut_down() -> None:
    settings = {"scheduler.clients_may_end": False}
    cluster = LocalCluster(1, 1, processes=False, settings=settings)
    with Client(cluster) as client, Client(cluster.address, secret=cluster.secret) as other:
        for drain in (False, True):
            with pytest.raises(SettingsError, match=r"clients_may_end.*where it was started"):
                other.shutdown(drain=drain)
        assert other.status == "running"
        client.shutdown()
        assert client.status == "closed"
        with pytest.raises(PeerLost):
            other.submit(increment, 1).result(20)
    assert "closed" in repr(cluster)


@pytest.mark.parametrize("processes", [True, False])
def test_a_cluster_is_shut_down_by_its_address(processes: bool, caplog: Any) -> None:
    cluster = LocalCluster(2, 1, processes=processes)
    place = {"address_or_cluster": cluster.address, "secret": cluster.secret}
    with Client(cluster) as client, Client(**place, name="the end") as other:
        future = client.submit(increment, 1)
        assert future.result(20) == 2
        pending = client.submit(increment, 1, resources={"nothing": 1})
        other.shutdown()
        assert other.status == "closed"
        with pytest.raises(PeerLost, match="client the end ended the cluster"):
            pending.result(20)
    # The object notices, closes itself, and starts nothing in the place of what has ended.
    while cluster.status != "closed":
        time.sleep(0.01)
    cluster.close()
    assert not [one for one in caplog.records if one.levelname in ("WARNING", "ERROR")]


def test_what_runs_may_end_first(tmp_path: Path) -> None:
    path = tmp_path / "written"
    cluster = LocalCluster(1, 1)
    with Client(cluster.address, secret=cluster.secret) as client:
        futures = [client.submit(write_late, path, tmp_path / "begun")]
        futures += client.map(increment, range(100))
        while not (tmp_path / "begun").exists():
            time.sleep(0.01)
        client.shutdown(drain=True, timeout=20)
        assert path.read_text() == "done"
        assert futures[-1].status == "lost"
    cluster.close()
    cluster = LocalCluster(1, 1)
    with Client(cluster.address, secret=cluster.secret) as client:
        futures = [client.submit(time.sleep, 1)]
        client.wait_for_workers(1)
        client.shutdown(drain=True, timeout=0.2)
    cluster.close()


def write_late(path: Path, begun: Path) -> None:
    begun.touch()
    time.sleep(0.3)
    path.write_text("done")
