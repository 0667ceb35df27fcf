"""Tasks in processes of their own, in a real cluster."""

from __future__ import annotations

import os
import threading
import time

import pytest

from hocket.client import Client, get_client
from hocket.core.errors import TaskTimedOut, WorkerDied
from hocket.core.worker_view import current_worker
from hocket.deploy import LocalCluster


@pytest.fixture(scope="module")
def client():
    with LocalCluster(1, 2, resources={"GPU": 2}) as cluster, Client(cluster) as one:
        yield one


@pytest.mark.slow
def test_values_go_from_threads_to_processes_and_back(client):
    numpy = pytest.importorskip("numpy")
    big = client.submit(lambda: __import__("numpy").arange(200_000))
    doubled = client.submit(lambda values: (values * 2, os.getpid()), big, executor="processes")
    total = client.submit(lambda pair: (int(pair[0].sum()), os.getpid()), doubled)
    values, inner = doubled.result(timeout=50)
    assert numpy.array_equal(values, numpy.arange(200_000) * 2)
    assert total.result(timeout=50) == (199_999 * 200_000, worker_pid(client))
    assert inner not in (worker_pid(client), os.getpid())


def worker_pid(client):
    (pid,) = client.run(os.getpid).values()
    return pid


@pytest.mark.slow
def test_a_task_that_asks_for_a_device_sees_that_one(client):
    def seen():
        return os.environ.get("CUDA_VISIBLE_DEVICES"), current_worker().devices["GPU"]

    futures = [
        client.submit(seen, resources={"GPU": amount}, executor="processes", pure=False)
        for amount in (1, 0.5, 0.5, 2)
    ]
    for future, count in zip(futures, (1, 1, 1, 2), strict=True):
        variable, names = future.result(timeout=50)
        assert variable == ",".join(names)
        assert len(names) == count


@pytest.mark.slow
def test_a_task_there_may_use_the_cluster(client):
    def outer(numbers):
        return sum(get_client().gather(get_client().map(abs, numbers)))

    # More of them than may run at once: whoever waits gives up its slot.
    futures = client.map(outer, [[-1, -2, -number] for number in range(4)], executor="processes")
    assert client.gather(futures) == [3, 4, 5, 6]


def test_a_process_that_dies_leaves_its_worker_alone(client):
    before = worker_pid(client)
    with pytest.raises(WorkerDied, match="exit code 7"):
        client.submit(os._exit, 7, executor="processes").result(timeout=50)
    assert worker_pid(client) == before
    assert client.submit(threading.active_count, executor="processes").result(timeout=50)


def test_what_is_printed_there_is_in_the_workers_logs(client):
    client.submit(print, "said in a process", executor="processes").result(timeout=50)
    (lines,) = client.get_worker_logs(10).values()
    assert "said in a process" in [line.text for line in lines]


@pytest.mark.slow
def test_what_runs_there_is_ended_when_it_is_cancelled(client):
    """Not even a call that waits in the system holds up the slot."""
    endless = [client.submit(time.sleep, 1000, key=key, executor="processes") for key in "ab"]
    deadline_s = time.monotonic() + 30
    while sum(map(len, client.processing().values())) < 2:
        assert time.monotonic() < deadline_s
    client.cancel(endless, timeout=20)
    assert client.submit(os.getpid, executor="processes", pure=False).result(timeout=30)
    with pytest.raises(TaskTimedOut, match="it was interrupted"):
        client.submit(time.sleep, 1000, key="c", executor="processes", timeout=1).result(timeout=30)
