"""Tasks that have work done themselves, and wait for it, on clusters that have no room to spare."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from hocket.client import (
    Client,
    Future,
    as_completed,
    current_task,
    get_client,
    rejoin,
    secede,
    wait,
)
from hocket.deploy import LocalCluster


@pytest.fixture(scope="module", params=["processes", "threads"])
def cluster(request: pytest.FixtureRequest) -> Iterator[LocalCluster]:
    """One worker with one thread: every task that waits for another needs its place."""
    with LocalCluster(1, 1, processes=request.param == "processes") as one:
        yield one


def fibonacci(n: int) -> int:
    if n < 2:
        return n
    client = get_client()
    first = client.submit(fibonacci, n - 1)
    second = client.submit(fibonacci, n - 2)
    return int(first.result()) + int(second.result())


def test_tasks_submit_tasks_and_wait(client: Client) -> None:
    assert client.submit(fibonacci, 7).result(timeout=50) == 13


def sum_of_squares(n: int) -> int:
    client = get_client()
    return sum(client.gather(client.map(pow, range(n), [2] * n)))


def test_many_tasks_that_gather(client: Client) -> None:
    futures = client.map(sum_of_squares, range(30))
    assert client.gather(futures, timeout=50) == [sum(k * k for k in range(n)) for n in range(30)]


def wait_in_every_way(n: int) -> list[int]:
    client = get_client()
    futures = client.map(abs, [-one for one in range(n)])
    wait(futures[:1], return_when="FIRST_COMPLETED")
    errors = [one.exception() for one in futures]
    assert errors == [None] * n
    seen = sorted(one.result() for one in as_completed(client.map(abs, [-7, -8])))
    total = client.get({"x": (sum, [3, 4])}, "x")
    return [sum(client.gather(futures)), *seen, total]


def test_every_way_to_wait(client: Client) -> None:
    assert client.submit(wait_in_every_way, 5).result(timeout=50) == [10, 7, 8, 7]


def test_an_error_comes_through_two_levels(client: Client) -> None:
    def divide() -> Any:
        return get_client().submit(lambda: 1 / 0).result()

    with pytest.raises(ZeroDivisionError):
        client.submit(divide).result(timeout=50)


def test_a_future_may_be_returned(client: Client) -> None:
    def begin() -> Future:
        return get_client().submit(pow, 2, 10)

    returned = client.submit(begin).result(timeout=50)
    assert isinstance(returned, Future)
    assert returned.result(timeout=50) == 1024


class Box:
    """Hides a future in data, where it stays one."""

    def __init__(self, future: Future) -> None:
        self.future = future


def open_box(box: Box) -> int:
    return int(box.future.result()) + 1


def test_a_future_in_data_is_the_tasks_own(client: Client) -> None:
    inner = client.submit(pow, 2, 5)
    box = client.scatter(Box(inner))
    assert client.submit(open_box, box).result(timeout=50) == 33


def test_the_tasks_of_a_process_share_a_client(client: Client) -> None:
    def identity_of_client(_number: int) -> tuple[int, int]:
        return os.getpid(), id(get_client())

    assert len(set(client.gather(client.map(identity_of_client, range(20)), timeout=50))) == 1


def wait_for_file(path: Path) -> None:
    while not path.exists():
        time.sleep(0.005)


def test_a_task_that_secedes_lets_another_run(client: Client, tmp_path: Path) -> None:
    def listen(folder: Path) -> str:
        secede()
        (folder / "seceded").touch()
        wait_for_file(folder / "spoken")
        rejoin()
        task = current_task()
        assert task is not None
        return task.key

    def speak(folder: Path) -> None:
        wait_for_file(folder / "seceded")
        (folder / "spoken").touch()

    listening = client.submit(listen, tmp_path)
    speaking = client.submit(speak, tmp_path)
    assert listening.result(timeout=50) == listening.key
    assert speaking.result(timeout=50) is None


async def total_of(n: int) -> int:
    client = get_client()
    return sum([await one for one in client.map(abs, range(n))])


async def nest(depth: int) -> int:
    if not depth:
        return 1
    return 1 + await get_client().submit(nest, depth - 1, executor="loop")


def test_coroutines_wait_for_tasks(client: Client) -> None:
    futures = client.map(total_of, [3] * 150, executor="loop")
    assert client.gather(futures, timeout=50) == [3] * 150
    # More than the executor has slots: each waits for the next.
    assert client.submit(nest, 130, executor="loop").result(timeout=50) == 131


async def nest_and_wait(depth: int) -> int:
    client = get_client()
    if not depth:
        return 1
    for number in range(3):
        await client.submit(abs, number)
    return 1 + await client.submit(nest_and_wait, depth - 1, executor="loop")


def test_many_coroutines_that_wait_again_and_again(client: Client) -> None:
    # Far more than there are slots, all on their way between one wait and the next.
    futures = client.map(nest_and_wait, [2] * 600, executor="loop")
    assert client.gather(futures, timeout=40) == [3] * 600


def test_coroutines_on_threads_wait_for_tasks(client: Client) -> None:
    assert client.submit(total_of, 5).result(timeout=50) == 10
