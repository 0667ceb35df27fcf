"""LocalCluster has what all clusters have: it adapts, waits, logs, and lives on event loops."""

from __future__ import annotations

import asyncio
import inspect
import logging
import os
import shlex
import subprocess
import time

import pytest

from hocket.client import Client
from hocket.core.errors import SettingsError, UserError
from hocket.deploy import LocalCluster, SSHCluster
from hocket.deploy.cluster import Cluster
from hocket.deploy.job_cluster import JobCluster


def wait_until(is_so, timeout_s=20.0):
    deadline_s = time.monotonic() + timeout_s
    while not is_so():
        assert time.monotonic() < deadline_s, "it did not happen in time"
        # What is waited for is other threads', and tells nobody.
        time.sleep(0.01)


@pytest.mark.parametrize("name", ["scale", "adapt", "wait"])
def test_what_all_clusters_do_alike_is_written_once(name):
    for kind in (LocalCluster, JobCluster, SSHCluster):
        assert getattr(kind, name) is getattr(Cluster, name)


@pytest.mark.parametrize("name", ["logs", "job_script"])
def test_what_each_does_in_its_way_is_asked_alike(name):
    asked = inspect.signature(getattr(Cluster, name)).parameters
    for kind in (LocalCluster, JobCluster):
        assert inspect.signature(getattr(kind, name)).parameters == asked


def test_scaling_in_other_units():
    with LocalCluster(0, 2, memory_limit="256 MiB", processes=False) as cluster:
        cluster.scale(cores=3)
        assert len(cluster.workers) == 2
        cluster.scale(memory="768 MiB")
        assert len(cluster.workers) == 3
        cluster.scale(jobs=1, group="workers")
        assert len(cluster.workers) == 1
        with pytest.raises(SettingsError, match="it must be one of workers"):
            cluster.scale(1, group="gpu")
        with pytest.raises(SettingsError, match="say how many workers"):
            cluster.scale()


def test_waiting():
    with LocalCluster(2, 1, processes=False) as cluster:
        cluster.wait()
        cluster.wait(1, timeout=5)
        with pytest.raises(SettingsError, match="2 are wanted, and no more will come; scale first"):
            cluster.wait(3)
        with pytest.raises(SettingsError, match=r"minimum.*3.*more than the maximum, 2"):
            cluster.adapt(3, 2)
        cluster.adapt(0, 4)
        with pytest.raises(TimeoutError, match=r"of 3 workers are there after 0\.1 s"):
            cluster.wait(3, timeout=0.1)
    for ask in (cluster.wait, cluster.replace_secret):
        with pytest.raises(UserError, match="is closed; make another"):
            ask()


@pytest.mark.slow
@pytest.mark.parametrize("processes", [False, True])
def test_as_many_workers_as_there_is_work_for(processes):
    with LocalCluster(0, 1, processes=processes) as cluster, Client(cluster) as client:
        cluster.adapt(minimum=0, maximum=3, idle_timeout=0.3, target_duration=0.1)
        futures = client.map(lambda number: time.sleep(0.2) or number, range(12))
        assert client.gather(futures, timeout=30) == list(range(12))
        assert 1 < len(cluster.jobs) <= 3
        held = client.gather(futures)
        # Nobody has anything to do any more, but somebody must keep what they made.
        wait_until(lambda: len(cluster.workers) == 1)
        assert client.gather(futures) == held
        del futures
        wait_until(lambda: not cluster.workers)
        assert client.submit(os.getpid).result(timeout=30)
        cluster.scale(2)
        assert len(cluster.workers) == 2


def test_a_minimum_is_there_at_once():
    with LocalCluster(0, 1, processes=False) as cluster:
        cluster.adapt(minimum=2, maximum=2)
        assert len(cluster.workers) == 2
        cluster.wait(2, timeout=5)


def test_adaptive_scaling_ends_in_silence_with_the_cluster(caplog):
    with LocalCluster(1, 1, processes=False) as cluster:
        cluster.adapt()
    assert not [one for one in caplog.records if one.levelno >= logging.WARNING]


@pytest.mark.slow
def test_what_workers_log():
    with LocalCluster(2, 1) as cluster, Client(cluster) as client:
        client.submit(print, "from a task", workers="worker-1").result(timeout=20)
        logs = cluster.logs()
        assert set(logs) == {"worker-0", "worker-1"}
        assert logs["worker-1"].endswith("STDOUT from a task")
        assert "from a task" not in logs["worker-0"]
        pid = cluster.worker_pids["worker-1"]
        assert cluster.logs(str(pid), lines=1) == cluster.logs("worker-1", lines=1)
        assert cluster.logs("worker-7") == {}
        with pytest.raises(SettingsError, match="lines"):
            cluster.logs(lines=-1)


@pytest.mark.slow
def test_the_command_that_it_tells_starts_another_worker():
    with LocalCluster(1, 1) as cluster, Client(cluster) as client:
        script = cluster.job_script()
        assert cluster.secret not in script
        environment = {**os.environ, "HOCKET_SECURITY__SECRET": cluster.secret}
        worker = subprocess.Popen(
            shlex.split(script), env=environment, stderr=subprocess.DEVNULL, stdout=subprocess.PIPE
        )
        try:
            client.wait_for_workers(2, timeout=30)
            pid = client.submit(os.getpid, workers="another-1").result(timeout=20)
            assert pid == worker.pid
        finally:
            worker.terminate()
            worker.communicate(timeout=20)


def test_threads_have_no_command():
    text = "threads of this process, which no command starts"
    with LocalCluster(0, 1, processes=False) as cluster, pytest.raises(UserError, match=text):
        cluster.job_script()


@pytest.mark.parametrize("processes", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_on_the_callers_event_loop(processes):
    async def use():
        cluster = LocalCluster(1, 1, processes=processes, asynchronous=True)
        assert (cluster.status, cluster.address) == ("closed", "")
        with pytest.raises(UserError, match="not started"):
            await cluster.scale(1)
        async with cluster, Client(cluster, asynchronous=True) as client:
            assert await client.submit(abs, -1) == 1
            await cluster.scale(2)
            await cluster.wait(2, timeout=20)
            assert len(cluster.workers) == 2
            await cluster.adapt(maximum=2)
            assert set(await cluster.logs()) == {"worker-0", "worker-1"}
        assert cluster.status == "closed"
        with pytest.raises(TypeError, match="async with"):
            cluster.__enter__()
        other = await LocalCluster(0, 1, processes=False, asynchronous=True)
        assert other.status == "running"
        await other.close()
        # One that is not asynchronous may be used so as well.
        async with LocalCluster(0, 1, processes=False) as third:
            assert third.status == "running"
        assert third.status == "closed"

    asyncio.run(use())
