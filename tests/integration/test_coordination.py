"""Locks, queues and their kin between real processes, whatever happens to those who use them."""

from __future__ import annotations

import asyncio
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from hocket.client import (
    Barrier,
    Client,
    Event,
    Future,
    Lock,
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
        queue = Queue("q", client, 2)
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
    with Semaphore(2, f"{name} s"):
        Queue(f"{name} q").put(number)
    return int(Semaphore(2, f"{name} s").get_value() <= 2)


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
