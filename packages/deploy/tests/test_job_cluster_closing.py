"""Clusters of jobs that close: whoever closes them waits, and nobody waits for them for ever."""

from __future__ import annotations

import asyncio
import os
import threading

import pytest

from hocket.deploy.errors import ClusterClosed
from hocket.deploy.job_cluster import JobCluster
from hocket.deploy.job_door import JobDoor
from hocket.deploy.job_spec import JobSpec

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="a scheduler needs a fork server")


class Door(JobDoor):
    """Takes jobs that never begin; to end them takes as long as it is told."""

    def __init__(self):
        self.taken = threading.Event()
        self.asked = threading.Event()
        self.may_end = threading.Event()
        self.cancelled = []

    def script(self, group, job):
        return f"{group} {job}"

    async def submit(self, group, job):
        self.taken.set()
        return job

    async def look(self, ids, fresh, staying):
        return {}

    async def cancel(self, ids):
        self.asked.set()
        await asyncio.to_thread(self.may_end.wait, 20)
        self.cancelled += ids

    async def close(self):
        pass

    def cancel_at_exit(self, ids):
        raise AssertionError(ids)


class DoorCluster(JobCluster):
    def _open_door(self, files, specs):
        return Door()


@pytest.fixture
def cluster(tmp_path):
    settings = {"scheduler.host": "127.0.0.1", "diagnostics.enabled": False}
    cluster = DoorCluster(
        {"workers": JobSpec()}, jobs=1, directory=tmp_path / "jobs", settings=settings
    )
    assert cluster._door.taken.wait(20)
    yield cluster
    cluster._door.may_end.set()
    cluster.close()


def test_whoever_closes_a_cluster_waits_until_its_jobs_are_ended(cluster):
    first = cluster._loop.start(cluster._close())
    assert cluster._door.asked.wait(20)
    second = cluster._loop.start(cluster._close())
    cluster._loop.run(asyncio.sleep(0))
    assert not first.done()
    assert not second.done()
    cluster._door.may_end.set()
    second.result(20)
    assert cluster._door.cancelled == ["workers-1"]
    assert not list(cluster.files.directory.parent.rglob("scheduler.json"))


def test_nobody_waits_for_the_workers_of_a_cluster_that_is_closed(cluster):
    waiting = cluster._loop.start(cluster._wait(None, ["workers"], None))
    cluster._loop.run(asyncio.sleep(0))
    cluster._door.may_end.set()
    cluster.close()
    with pytest.raises(ClusterClosed, match="is closed; make another"):
        waiting.result(20)
    asks = (
        cluster.wait,
        lambda: cluster.scale(2),
        lambda: cluster.adapt(maximum=2),
        cluster.replace_secret,
    )
    for ask in asks:
        with pytest.raises(ClusterClosed, match=f"the cluster at {cluster.address} is closed"):
            ask()


def test_one_that_was_not_started_says_so(tmp_path):
    cluster = DoorCluster({"workers": JobSpec()}, directory=tmp_path, asynchronous=True)

    async def use():
        with pytest.raises(ClusterClosed, match="not started: use `async with`"):
            await cluster.scale(1)

    asyncio.run(use())
