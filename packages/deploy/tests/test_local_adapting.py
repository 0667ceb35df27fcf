"""Adaptive scaling on this machine: the loop that all share never waits for a cluster."""

from __future__ import annotations

import gc
import os
import threading
import time

import pytest

from hocket.deploy import LocalCluster
from hocket.transport.loop import shared_loop


class Watched(LocalCluster):
    """Notes whether it is asked on the loop, which its workers need to come and to go."""

    def __init__(self, *args, **options):
        self.is_on_loop = []
        self.asked = threading.Event()
        self.left = threading.Event()
        super().__init__(*args, **options)

    @property
    def workers(self):
        self.is_on_loop.append(shared_loop().is_here)
        self.asked.set()
        return super().workers

    def let_go(self, name):
        self.is_on_loop.append(shared_loop().is_here)
        return super().let_go(name)

    def keep(self, name):
        self.is_on_loop.append(shared_loop().is_here)
        super().keep(name)

    def gone(self, name):
        self.is_on_loop.append(shared_loop().is_here)
        super().gone(name)
        self.left.set()


def test_a_cluster_is_never_asked_on_the_loop_that_its_workers_need():
    with Watched(1, 1, processes=False) as cluster:
        cluster.adapt(0, 1, idle_timeout=0)
        assert cluster.asked.wait(10)
        assert cluster.left.wait(10)
    assert not any(cluster.is_on_loop)


def test_the_loop_goes_on_while_workers_are_added():
    with Watched(1, 1, processes=False) as cluster:
        cluster.adapt(1, 1)
        assert cluster.asked.wait(10)
        with cluster._lock:
            cluster.asked.clear()
            assert cluster.asked.wait(10)
            # It is being asked, and waits for the lock.
            assert shared_loop().run(_answer(), 10) == "here"


@pytest.mark.slow
def test_one_that_nobody_has_any_more_ends_although_it_adapts():
    cluster = LocalCluster(1, 1)
    cluster.adapt(1, 1)
    pid = cluster.scheduler_pid
    del cluster
    deadline_s = time.monotonic() + 20
    while is_alive(pid):
        assert time.monotonic() < deadline_s, "it did not end in time"
        # (It may be looking at its cluster just now.)
        time.sleep(0.05)
        gc.collect()


def is_alive(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


async def _answer():
    return "here"
