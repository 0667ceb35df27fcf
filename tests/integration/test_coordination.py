"""Locks, queues and their kin between real processes, whatever happens to those who use them."""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import signal
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from hocket.client import (
    Barrier,
    BarrierBroken,
    Client,
    Event,
    Future,
    Lock,
    LockLost,
    MultiLock,
    NotHeld,
    Queue,
    Semaphore,
    Variable,
    get_client,
)
from hocket.deploy import LocalCluster


@dataclass
class Box:
    """Hides a future in data."""

    future: Any
    number: int


def append(path: str, number: int) -> None:
    """Read a file, and write it back with one line more: nothing may come between."""
    with Lock(f"file {path}"):
        text = Path(path).read_text()
        time.sleep(0.001)
        Path(path).write_text(f"{text}{number}\n")


def test_what_a_lock_protects_is_touched_by_one_at_a_time(client: Client, tmp_path: Path) -> None:
    path = tmp_path / "lines"
    path.write_text("")
    client.gather(client.map(append, [str(path)] * 40, range(40)), timeout=50)
    assert sorted(map(int, path.read_text().split())) == list(range(40))


def test_a_lock_between_clients(cluster: LocalCluster, client: Client) -> None:
    with Client(cluster) as other:
        mine, its = Lock("l", client), Lock("l", other)
        assert mine.acquire()
        token = mine.fencing_token
        assert mine.check() == token
        assert its.locked()
        assert not its.acquire(blocking=False)
        assert not its.acquire(timeout=0.01)
        with pytest.raises(NotHeld):
            its.release()
        waiting = threading.Thread(target=its.acquire)
        waiting.start()
        mine.release()
        waiting.join(20)
        assert its.fencing_token > token
        assert not mine.acquire(timeout=0)
    # It was closed with the lock held.
    with mine:
        assert mine.fencing_token > token + 1


def test_values_of_all_kinds_go_through_queues_and_variables(
    cluster: LocalCluster, client: Client
) -> None:
    future = client.submit(pow, 2, 10)
    with Client(cluster) as other:
        queue = Queue("q", 2, client)
        queue.put([1, future, {"deep": (future,)}])
        queue.put(Box(future, 3))
        Variable("v", client).set([future])
        del future
        with pytest.raises(TimeoutError, match="no room"):
            queue.put(None, timeout=0.01)
        first, box = Queue("q", client=other).get(batch=2)
        assert first[0] == 1
        assert first[1].result(timeout=20) == 1024
        assert first[2]["deep"][0].result(timeout=20) == 1024
        assert isinstance(box, Box)
        assert isinstance(box.future, Future)
        (kept,) = Variable("v", other).get(timeout=20)
        assert kept.result(timeout=20) == 1024
        with pytest.raises(TimeoutError):
            queue.get(timeout=0.01)
        assert queue.get(batch=True) == []
        queue.close()
        Variable("v", other).delete()


def first_to_last(name: str, number: int, parties: int) -> int:
    Barrier(name, parties).wait(timeout=20)
    with Semaphore(f"{name} s", 2):
        Queue(f"{name} q").put(number)
    return int(Semaphore(f"{name} s", 2).get_value() <= 2)


def test_tasks_meet_though_there_are_more_than_slots(client: Client, cluster: Any) -> None:
    name = f"meeting {id(cluster)}"
    futures = client.map(first_to_last, [name] * 6, range(6), [6] * 6)
    assert client.gather(futures, timeout=50) == [1] * 6
    assert sorted(Queue(f"{name} q", client=client).get(batch=True)) == list(range(6))


def work_with_lock(name: str, number: int) -> int:
    with Lock(name):
        # What this waits for needs a slot, while all others wait for the lock.
        return int(get_client().submit(abs, -number).result())


def test_a_cluster_full_of_tasks_that_wait_for_a_lock_does_not_stand_still(client: Client) -> None:
    futures = client.map(work_with_lock, ["full"] * 12, range(12))
    assert client.gather(futures, timeout=50) == list(range(12))


def keep(name: str) -> str:
    Lock(name).acquire()
    return name


def test_a_task_that_ends_with_a_lock_loses_it(client: Client) -> None:
    futures = client.map(keep, ["kept"] * 4, key=[f"keep-{one}" for one in range(4)])
    assert client.gather(futures, timeout=20) == ["kept"] * 4
    assert not Lock("kept", client).locked()


def test_events_and_several_locks(client: Client, cluster: LocalCluster) -> None:
    event = Event("go", client)
    assert not event.wait(timeout=0.01)
    with MultiLock(["a", "b"], client) as both, Client(cluster) as other:
        assert not Lock("a", other).acquire(blocking=False)
        assert not MultiLock(["b", "c"], other).acquire(timeout=0.01)
        some = MultiLock(["b", "c"], other)
        assert some.acquire(num_locks=1)
        event.set(fence=both)
    event.clear()
    with pytest.raises(NotHeld):
        event.set(fence=both)
    assert not event.is_set()


def test_coroutines_wait_too(client: Client) -> None:
    async def main() -> list[Any]:
        lock = Lock("c", client, asynchronous=True)
        async with lock:
            late = await Lock("c", client, asynchronous=True).acquire(timeout=0.01)
        queue = Queue("cq", client=client, asynchronous=True)
        getting = asyncio.ensure_future(queue.get())
        given_up = asyncio.ensure_future(queue.get())
        await asyncio.sleep(0)
        await queue.put("x")
        first = await getting
        given_up.cancel()
        await asyncio.gather(given_up, return_exceptions=True)
        await queue.put("y")
        return [late, first, await queue.get(timeout=20), await lock.locked()]

    assert asyncio.run(main()) == [False, "x", "y", False]


def hold_and_tell(address: str, pipe: Any) -> None:
    with Client(address) as client:
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
    process = context.Process(target=hold_and_tell, args=(fresh[0].address, theirs))
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


def write_on(address: str, settings: Any, pipe: Any) -> None:
    with Client(address, settings=settings) as client:
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
        arguments = (cluster.address, client.settings, theirs)
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
