"""Streams on real clusters: order, room, errors, ends, and workers that are killed."""

from __future__ import annotations

import asyncio
import os
import pickle
import signal
import threading
import time
import traceback
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from hocket.client import Client, current_task, get_client
from hocket.core.errors import PeerLost, SerializationError, SettingsError, TaskTimedOut
from hocket.deploy import LocalCluster


def count(end: int, start: int = 0) -> Iterator[int]:
    yield from range(start, end)


async def count_later(end: int) -> AsyncIterator[int]:
    for number in range(end):
        await asyncio.sleep(0)
        yield number


def until(holds: Callable[[], object]) -> None:
    end_s = time.monotonic() + 10
    while not holds():
        assert time.monotonic() < end_s
        time.sleep(0.01)


def test_items_come_in_order(client: Client) -> None:
    assert list(client.stream(count, 5000).values()) == list(range(5000))
    assert list(client.stream(count_later, 300).values()) == list(range(300))
    assert list(client.stream(range, 3).values()) == [0, 1, 2]
    assert list(client.stream(count, 0).values()) == []


def test_futures_of_items_are_futures(client: Client) -> None:
    start = client.submit(abs, -5)
    futures = list(client.stream(count, 12, start=start))
    assert [one.result() for one in futures] == list(range(5, 12))
    assert client.submit(sum, futures).result() == sum(range(5, 12))
    assert futures[0].key.startswith("count-")
    assert futures[0].key.endswith("[0]")


def test_both_take_from_the_same_stream(client: Client) -> None:
    with client.stream(count, 100, key="mine") as stream:
        values = stream.values()
        assert [next(stream).result(), next(values), next(values)] == [0, 1, 2]
        assert next(stream).result() == 3
        assert list(values) == list(range(4, 100))
        assert list(stream) == []
        assert stream.key.startswith("mine-")
        assert "closed" in repr(stream)


def test_none_is_an_item(client: Client) -> None:
    assert list(client.stream(lambda: iter([None, 1, None])).values()) == [None, 1, None]


def count_in(folder: Path, end: int) -> Iterator[int]:
    for number in range(end):
        (folder / str(number)).touch()
        yield number


def test_the_generator_waits_for_room(client: Client, tmp_path: Path) -> None:
    with client.stream(count_in, tmp_path, 100, ahead=3) as stream:
        values = stream.values()
        assert next(values) == 0
        until(lambda: len(list(tmp_path.iterdir())) >= 2)
        # (Others run meanwhile, so there is a slot.)
        client.gather(client.map(abs, range(20)))
        assert len(list(tmp_path.iterdir())) <= 4
        assert [next(values) for _ in range(50)] == list(range(1, 51))
        assert len(list(tmp_path.iterdir())) <= 54


def slowly(folder: Path) -> Iterator[int]:
    yield 0
    yield 1
    until((folder / "go").exists)
    yield 2


def test_items_come_while_the_next_is_made(client: Client, tmp_path: Path) -> None:
    values = client.stream(slowly, tmp_path).values()
    assert [next(values), next(values)] == [0, 1]
    (tmp_path / "go").touch()
    assert list(values) == [2]


def fail_after(items_count: int) -> Iterator[int]:
    yield from range(items_count)
    raise LookupError("there are no more of these")


def test_an_error_comes_after_the_items_before_it(client: Client) -> None:
    for items_count in (7, 0):
        stream = client.stream(fail_after, items_count)
        values = stream.values()
        assert [next(values) for _ in range(items_count)] == list(range(items_count))
        with pytest.raises(LookupError, match="no more of these") as caught:
            next(values)
        assert traceback.extract_tb(caught.value.__traceback__)[-1].name == "fail_after"
        assert list(stream) == []
    stream = client.stream(fail_after, 7)
    futures = [next(stream) for _ in range(7)]
    with pytest.raises(LookupError):
        next(stream)
    assert client.gather(futures) == list(range(7))


def fail_once(folder: Path) -> Iterator[int]:
    yield from range(5)
    if not (folder / "failed").exists():
        (folder / "failed").touch()
        raise LookupError("once")
    yield 5


def test_retries(client: Client, tmp_path: Path) -> None:
    assert list(client.stream(fail_once, tmp_path, retries=1).values()) == [0, 1, 2, 3, 4, 5]


def careful(folder: Path) -> Iterator[int]:
    (folder / "begun").touch()
    try:
        number = 0
        while True:
            yield number
            number += 1
    finally:
        (folder / "ended").touch()


def test_one_that_is_closed_runs_its_finally(client: Client, tmp_path: Path) -> None:
    with client.stream(careful, tmp_path, ahead=5) as stream:
        assert next(stream.values()) == 0
        assert not (tmp_path / "ended").exists()
    until((tmp_path / "ended").exists)
    assert list(stream.values()) == []


def test_one_that_is_dropped_runs_its_finally(client: Client, tmp_path: Path) -> None:
    for value in client.stream(careful, tmp_path, ahead=5).values():
        if value == 20:
            break
    until((tmp_path / "ended").exists)


def stuck(folder: Path) -> Iterator[int]:
    yield 1
    try:
        while True:
            time.sleep(0.01)
    finally:
        (folder / "ended").touch()


def test_one_that_computes_is_interrupted(client: Client, tmp_path: Path) -> None:
    with client.stream(stuck, tmp_path) as stream:
        assert next(stream.values()) == 1
        time.sleep(0.05)
    until((tmp_path / "ended").exists)
    late = client.stream(stuck, tmp_path, timeout=0.1).values()
    (tmp_path / "ended").unlink()
    assert next(late) == 1
    with pytest.raises(TaskTimedOut):
        next(late)
    until((tmp_path / "ended").exists)


def test_a_lost_client_closes_its_streams(cluster: LocalCluster, tmp_path: Path) -> None:
    with Client(cluster) as client:
        stream = client.stream(careful, tmp_path, ahead=5)
        assert next(stream.values()) == 0
    with pytest.raises(PeerLost):
        client.stream(count, 1)
    until((tmp_path / "ended").exists)


def test_a_worker_that_ends_closes_its_generators(tmp_path: Path) -> None:
    with LocalCluster(1, 1, processes=False) as cluster, Client(cluster) as client:
        stream = client.stream(careful, tmp_path, ahead=5)
        assert next(stream.values()) == 0
        cluster.close()
        until((tmp_path / "ended").exists)


def arrays(items_count: int, length: int) -> Iterator[npt.NDArray[np.float64]]:
    for number in range(items_count):
        yield np.full(length, number, float)


def test_large_items_stay_where_they_are(client: Client) -> None:
    futures = list(client.stream(arrays, 6, 1 << 17, ahead=4))
    places = {holder for key in client.who_has(futures).values() for holder in key}
    assert len(places) == 1
    assert all(one.record.value is None for one in futures)
    sums = client.map(np.sum, futures)
    assert client.gather(sums) == [number * (1 << 17) for number in range(6)]
    assert [int(one[0]) for one in client.stream(arrays, 4, 1 << 17).values()] == [0, 1, 2, 3]


def test_what_is_asked_for_wrongly(client: Client) -> None:
    with pytest.raises(TypeError, match="must be a function"):
        client.stream([1, 2])  # type: ignore[arg-type]
    with pytest.raises(SettingsError, match="ahead"):
        client.stream(count, 1, ahead=0)
    with pytest.raises(TypeError, match="returned a int"):
        next(client.stream(abs, -1))
    stream = client.stream(count, 1)
    with pytest.raises(TypeError, match="stays with its client"):
        pickle.dumps(stream)
    with pytest.raises(SerializationError, match="stays with its client"):
        client.submit(list, stream)
    with pytest.raises(SerializationError, match=r"client\.stream"):
        client.submit(lambda: count(1)).result()


def test_an_asynchronous_client(cluster: LocalCluster) -> None:
    async def run() -> None:
        async with Client(cluster, asynchronous=True) as client:
            assert [value async for value in client.stream(count, 500).values()] == [*range(500)]
            assert [await one async for one in client.stream(count, 5)] == [0, 1, 2, 3, 4]
            async with client.stream(fail_after, 2) as stream:
                with pytest.raises(LookupError):
                    assert [value async for value in stream.values()] == []

    asyncio.run(run())


# ---------------------------------------------------------------------- one slot for all


@pytest.fixture(scope="module")
def narrow() -> Iterator[Client]:
    with LocalCluster(1, 1) as cluster, Client(cluster) as client:
        yield client


def test_streams_share_a_slot(narrow: Client) -> None:
    streams = [narrow.stream(count, 60, ahead=2).values() for _ in range(5)]
    for numbers in zip(*streams, strict=True):
        assert len(set(numbers)) == 1
    assert numbers[0] == 59


def doubled(items_count: int) -> Iterator[int]:
    client = get_client()
    for number in range(items_count):
        yield client.submit(count_of, number).result() * 2


def count_of(number: int) -> int:
    return sum(1 for _ in get_client().stream(count, number).values())


def test_generators_that_wait_for_tasks_that_wait_for_streams(narrow: Client) -> None:
    assert list(narrow.stream(doubled, 6).values()) == [0, 2, 4, 6, 8, 10]


def where_i_am() -> Iterator[tuple[int, str]]:
    while True:
        task = current_task()
        assert task is not None
        yield threading.get_ident(), task.key


def test_all_of_a_generator_runs_in_one_thread(narrow: Client) -> None:
    with narrow.stream(where_i_am, ahead=2) as stream:
        values = stream.values()
        got = [next(values) for _ in range(40)]
        assert len({thread for thread, _ in got}) == 1
        assert all(key.startswith(f"{stream.key}[") for _, key in got)


# ---------------------------------------------------------------------- workers that are killed


def squares(folder: Path) -> Iterator[tuple[int, int]]:
    for number in range(60):
        (folder / f"{number}-{os.getpid()}").touch()
        yield number * number, os.getpid()


@pytest.mark.slow
def test_a_killed_worker_is_survived(fresh: tuple[LocalCluster, Client], tmp_path: Path) -> None:
    _, client = fresh
    stream = client.stream(squares, tmp_path, ahead=8)
    futures = [next(stream) for _ in range(10)]
    _, pid = futures[9].result(timeout=20)
    os.kill(pid, signal.SIGKILL)
    # What was taken, what was made and not taken, and what comes: it is all there.
    futures += stream
    got = client.gather(futures, timeout=60)
    assert [value for value, _ in got] == [number * number for number in range(60)]
    assert {where for _, where in got} != {pid}
