"""LocalCluster: starting, scaling, replacing, ending."""

from __future__ import annotations

import os
import select
import signal
from pathlib import Path

import pytest

from hocket.client import Client
from hocket.core.errors import ConnectFailed, SettingsError, UserError
from hocket.deploy import LocalCluster
from hocket.deploy.forkserver import cause_of_death
from hocket.deploy.local import layout


def until_gone(pid: int, timeout_s: float = 15.0) -> bool:
    """Wait for the end of a process that may not be our child."""
    try:
        fd = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    try:
        poller = select.poll()
        poller.register(fd, select.POLLIN)
        return bool(poller.poll(timeout_s * 1000))
    finally:
        os.close(fd)


def test_processes_come_and_go() -> None:
    cluster = LocalCluster(2, 1)
    pids = [cluster.scheduler_pid, *cluster.worker_pids.values()]
    assert len(set(pids)) == 3
    assert os.getpid() not in pids
    assert "2 workers" in repr(cluster)
    cluster.close()
    cluster.close()
    assert repr(cluster) == "<LocalCluster closed>"
    assert not any(Path(f"/proc/{pid}").exists() for pid in pids)
    with pytest.raises(UserError, match="closed"):
        cluster.scale(1)


def test_threads_of_this_process() -> None:
    with LocalCluster(2, 1, processes=False) as cluster, Client(cluster) as client:
        assert set(client.run(os.getpid).values()) == {os.getpid()}
        assert cluster.address.startswith("inproc://")


@pytest.mark.parametrize("processes", [True, False])
def test_scaling(processes: bool) -> None:
    with LocalCluster(1, 1, processes=processes) as cluster, Client(cluster) as client:
        cluster.scale(3)
        assert len(cluster.workers) == 3
        client.wait_for_workers(3, timeout=20)
        assert client.gather(client.map(abs, range(-50, 0))) == list(range(50, 0, -1))
        cluster.scale(1)
        assert len(cluster.workers) == 1
        assert client.submit(abs, -1).result(timeout=20) == 1
    with pytest.raises(ValueError, match="-1 workers"), LocalCluster(-1):
        pass


def test_a_killed_worker_is_replaced() -> None:
    settings = {"session.local_grace_s": 0.1}
    with LocalCluster(1, 1, settings=settings) as cluster, Client(cluster) as client:
        (pid,) = cluster.worker_pids.values()
        assert set(client.run(os.getpid).values()) == {pid}
        os.kill(pid, signal.SIGKILL)
        assert until_gone(pid)
        assert client.submit(abs, -1, workers=["worker-1"]).result(timeout=30) == 1


def test_a_killed_fork_server_takes_all_with_it() -> None:
    cluster = LocalCluster(1, 1)
    pids = [cluster.scheduler_pid, *cluster.worker_pids.values()]
    parent = int(Path(f"/proc/{pids[0]}/stat").read_text().rpartition(")")[2].split()[1])
    os.kill(parent, signal.SIGKILL)
    assert all(until_gone(pid) for pid in pids)
    cluster.close()


def test_a_cluster_that_cannot_start_says_why() -> None:
    with pytest.raises(ConnectFailed, match="start_timeout_s"):
        LocalCluster(1, 1, settings={"local.start_timeout_s": 0.001})
    with pytest.raises(SettingsError, match="scheduler"):
        LocalCluster(1, 1, settings={"sheduler.window_s": 1})


@pytest.mark.parametrize(
    ("asked", "cores", "expected"),
    [
        ((None, None), 2, (2, 1)),
        ((None, None), 64, (8, 8)),
        ((None, 4), 8, (2, 4)),
        ((3, None), 8, (3, 2)),
        ((5, 7), 2, (5, 7)),
    ],
)
def test_layout(
    asked: tuple[int | None, int | None], cores: int, expected: tuple[int, int]
) -> None:
    assert layout(*asked, cores) == expected
    with pytest.raises(ValueError, match="threads_per_worker"):
        layout(1, 0, cores)


def test_causes_of_death_are_words() -> None:
    assert cause_of_death(9) == "killed by signal 9 (SIGKILL)"
    assert cause_of_death(3 << 8) == "exit code 3"
