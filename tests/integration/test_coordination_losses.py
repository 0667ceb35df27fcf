"""Locks, queues and their kin when those who use them are killed, or stall."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
import time
from typing import Any

import pytest

from hocket.client import (
    Barrier,
    BarrierBroken,
    Client,
    Lock,
    LockLost,
    MultiLock,
    Queue,
    Semaphore,
    Variable,
)
from hocket.deploy import LocalCluster


def hold_and_tell(address: str, secret: str, pipe: Any) -> None:
    with Client(address, secret=secret) as client:
        lock = Lock("held", client)
        lock.acquire()
        pipe.send(lock.fencing_token)
        pipe.recv()
        try:
            lock.check()
        except LockLost as lost:
            pipe.send(lost.reason)


@pytest.fixture
def holder(fresh: tuple[LocalCluster, Client]) -> Any:
    """A process of another client, that holds a lock."""
    ours, theirs = multiprocessing.Pipe()
    context = multiprocessing.get_context("spawn")
    cluster = fresh[0]
    arguments = (cluster.address, cluster.secret, theirs)
    process = context.Process(target=hold_and_tell, args=arguments)
    process.start()
    yield process, ours
    process.kill()
    process.join(10)


@pytest.mark.slow
def test_a_client_that_is_killed_leaves_no_lock_behind(
    fresh: tuple[LocalCluster, Client], holder: Any
) -> None:
    process, pipe = holder
    assert pipe.poll(30)
    token = pipe.recv()
    lock = Lock("held", fresh[1])
    assert not lock.acquire(timeout=0.01)
    process.kill()
    assert lock.acquire(timeout=20)
    assert lock.fencing_token > token


def hold_in_task(name: str) -> int:
    with Lock(name) as lock:
        if Variable("pid").is_set():
            return lock.fencing_token
        Variable("pid").set(os.getpid())
        time.sleep(60)
    return 0


@pytest.mark.slow
def test_a_worker_that_is_killed_leaves_no_lock_behind(fresh: tuple[LocalCluster, Client]) -> None:
    client = fresh[1]
    future = client.submit(hold_in_task, "w", retries=3)
    os.kill(Variable("pid", client).get(timeout=30), signal.SIGKILL)
    # The next attempt gets it.
    assert future.result(timeout=30) > 0
    assert not Lock("w", client).locked()


@pytest.mark.slow
def test_who_waits_at_a_barrier_is_told_when_another_is_killed(
    fresh: tuple[LocalCluster, Client],
) -> None:
    cluster, client = fresh
    barrier = Barrier("b", 3, client)
    with Client(cluster) as other:
        waiting = threading.Thread(target=wait_quietly, args=(other,))
        waiting.start()
        while not barrier.n_waiting():
            time.sleep(0.01)
    with pytest.raises(BarrierBroken, match="was lost"):
        barrier.wait(timeout=20)
    waiting.join(20)
    barrier.reset()
    assert not barrier.broken()


def wait_quietly(client: Client) -> None:
    with pytest.raises(ConnectionError):
        Barrier("b", 3, client).wait()


STALLED = {
    "session.local_grace_s": 0.2,
    "session.keepalive_s": 0.1,
    "session.silent_s": 0.5,
}


class Storage:
    """What a lock protects: it refuses tokens less than the greatest that it has seen."""

    def __init__(self) -> None:
        self.token = 0
        self.lines: list[str] = []

    def write(self, token: int, line: str) -> bool:
        if token < self.token:
            return False
        self.token = token
        self.lines.append(line)
        return True


def write_on(address: str, secret: str, settings: Any, pipe: Any) -> None:
    with Client(address, secret=secret, settings=settings) as client:
        lock = Lock("stalled", client)
        lock.acquire()
        token = lock.fencing_token
        for _ in range(3):
            pipe.send((token, "stalled"))
        # Here it is stopped for longer than its session lives, and goes on as if nothing were.
        pipe.recv()
        for _ in range(17):
            pipe.send((token, "stalled"))
        try:
            lock.release()
        except LockLost as lost:
            pipe.send((0, lost.reason))


@pytest.mark.slow
def test_a_holder_that_stalls_does_no_harm_and_is_told() -> None:
    with LocalCluster(1, 1, settings=STALLED) as cluster, Client(cluster) as client:
        ours, theirs = multiprocessing.Pipe()
        context = multiprocessing.get_context("spawn")
        arguments = (cluster.address, cluster.secret, client.settings, theirs)
        process = context.Process(target=write_on, args=arguments)
        process.start()
        storage = Storage()
        for _ in range(3):
            assert ours.poll(30)
            assert storage.write(*ours.recv())
        os.kill(process.pid, signal.SIGSTOP)
        with Lock("stalled", client) as lock:
            assert storage.write(lock.fencing_token, "ours")
            os.kill(process.pid, signal.SIGCONT)
            ours.send(None)
            answers = []
            for _ in range(17):
                assert ours.poll(30)
                answers.append(storage.write(*ours.recv()))
            assert answers == [False] * 17
            assert ours.poll(30)
            token, reason = ours.recv()
            assert not token
            assert "session" in reason
        process.join(20)
        assert storage.lines == ["stalled"] * 3 + ["ours"]


def use_everything(address: str, secret: str, number: int) -> None:
    """Use locks, leases and a queue until killed."""
    names = ["x", "y", "z"]
    with Client(address, secret=secret) as client:
        queue = Queue("numbers", client)
        for turn in range(1_000_000):
            name = names[(number + turn) % 3]
            with Lock(name, client), Semaphore(2, "leases", client=client):
                queue.put((number, turn))
            with MultiLock(names, client):
                queue.get()


@pytest.mark.slow
def test_clients_killed_at_any_moment_leave_nothing_stuck(
    fresh: tuple[LocalCluster, Client],
) -> None:
    cluster, client = fresh
    context = multiprocessing.get_context("spawn")
    arguments = cluster.address, cluster.secret
    processes = [
        context.Process(target=use_everything, args=(*arguments, number)) for number in range(4)
    ]
    for process in processes:
        process.start()
    for turn, process in enumerate(processes):
        # (Each is in the middle of something else.)
        for _ in range(3 + turn):
            with MultiLock(["x", "y", "z"], client) as locks:
                assert locks.check()
        process.kill()
        process.join(10)
    both = Semaphore(2, "leases", client=client)
    assert both.acquire(timeout=20, n=2)
    assert MultiLock(["x", "y", "z"], client).acquire(timeout=20)
    left = Queue("numbers", client).get(batch=True)
    assert len(left) == len(set(left))
