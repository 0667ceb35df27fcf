"""Cancelling what runs, on real workers: what ends, what goes on, and what is said of it."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from hocket.client import Client, Event, Future, Lock, get_client
from hocket.core.errors import TaskCancelled
from hocket.deploy import LocalCluster

TIMEOUT_S = 20


def say(name: str) -> None:
    """Tell the test that a task has got so far."""
    get_client()
    Event(name).set()


def loop_for_ever(name: str) -> None:
    say(name)
    while True:
        pass


async def wait_for_ever(name: str) -> None:
    async with get_client(asynchronous=True) as client:
        await Event(name, client=client).set()
    await asyncio.Event().wait()


def sleep(name: str, seconds: float) -> None:
    say(name)
    time.sleep(seconds)


def open_pipes(told: str, free: str) -> None:
    """Tell the test by one pipe, and wait for another: in one go, outside of Python."""
    for opened in list(map(os.open, (told, free), (os.O_WRONLY, os.O_RDONLY))):
        os.close(opened)


def gather_for_ever(name: str) -> Any:
    say(name)
    client = get_client()
    return client.gather(client.submit(wait_for_ever, f"{name} inner", executor="loop"))


def hold_lock(name: str) -> None:
    with Lock("held by a task"):
        loop_for_ever(name)


def loop_for_ever_if(is_endless: int) -> str:
    while is_endless:
        pass
    return "done"


def swallow(name: str) -> None:
    try:
        loop_for_ever(name)
    except BaseException:  # noqa: BLE001 - what users do
        time.sleep(1.2)
    loop_for_ever(name)


def negate(number: int) -> int:
    return -number


def begin(client: Client, function: Callable[..., Any], *args: Any, **options: Any) -> Future:
    """Return the future of a task that runs."""
    name = f"{function.__name__} {time.monotonic()}"
    future: Future = client.submit(function, name, *args, **options)
    assert Event(name, client=client).wait(TIMEOUT_S), str(future.exception(0))
    return future


def slots_are_free(client: Client) -> bool:
    """Tell whether all threads of the cluster run tasks."""
    numbers = client.gather(client.map(negate, range(6)), timeout=TIMEOUT_S)
    return bool(numbers == [-number for number in range(6)])


@pytest.mark.parametrize(
    ("function", "options"),
    [
        (loop_for_ever, {}),
        (wait_for_ever, {}),
        (wait_for_ever, {"executor": "loop"}),
        (gather_for_ever, {}),
    ],
)
def test_what_runs_ends_and_its_slot_is_free(
    client: Client, function: Callable[..., Any], options: dict[str, Any]
) -> None:
    futures = [begin(client, function, **options) for _ in range(2)]
    report = client.cancel(futures, timeout=TIMEOUT_S)
    assert set(report.interrupted) == {future.key for future in futures}
    assert [future.status for future in futures] == ["cancelled"] * 2
    with pytest.raises(TaskCancelled):
        futures[0].result()
    assert slots_are_free(client)


def test_without_a_timeout_it_happens_at_once(client: Client) -> None:
    future = begin(client, loop_for_ever)
    began_s = time.monotonic()
    assert client.cancel(future) is None
    assert time.monotonic() - began_s < 1.0
    begin(client, loop_for_ever).cancel()
    assert slots_are_free(client)


@pytest.mark.slow
def test_what_sleeps_in_a_process_is_ended_with_it(fresh: tuple[LocalCluster, Client]) -> None:
    _, client = fresh
    future = begin(client, sleep, 3600, executor="processes")
    assert client.cancel(future, timeout=TIMEOUT_S).interrupted == (future.key,)
    assert client.submit(negate, 1, executor="processes").result(TIMEOUT_S) == -1


@pytest.mark.slow
def test_what_cannot_be_interrupted_says_so_and_keeps_its_slot(
    client: Client, tmp_path: Path
) -> None:
    told, free = tmp_path / "told", tmp_path / "free"
    os.mkfifo(told)
    os.mkfifo(free)
    future = client.submit(open_pipes, str(told), str(free))
    os.close(os.open(told, os.O_RDONLY))
    report = client.cancel(future, timeout=TIMEOUT_S)
    (worker,) = report.running.values()
    assert list(report.running) == [future.key]
    assert "cannot be interrupted where they are" in str(report)
    assert f"still runs on {worker}, and keeps its slot" in str(client.why(future.key))
    # Others run elsewhere, and here again when it has come back.
    bound = client.submit(negate, 1, workers=[worker])
    assert client.submit(negate, 2, pure=False).result(TIMEOUT_S) == -2
    assert not bound.done()
    os.close(os.open(free, os.O_WRONLY))
    assert slots_are_free(client)
    assert bound.result(TIMEOUT_S) == -1


@pytest.mark.slow
def test_one_that_swallows_it_is_interrupted_again(client: Client) -> None:
    future = begin(client, swallow)
    report = client.cancel(future, timeout=TIMEOUT_S)
    assert list(report.running) == [future.key]
    assert slots_are_free(client)


def test_its_locks_are_free(client: Client) -> None:
    future = begin(client, hold_lock)
    client.cancel(future, timeout=TIMEOUT_S)
    with Lock("held by a task", client=client):
        assert slots_are_free(client)


def test_the_same_key_again_is_not_cancelled_too(client: Client) -> None:
    for number in range(20):
        future = client.submit(loop_for_ever_if, 1, key="again", pure=False)
        time.sleep(0.002 * number)
        client.cancel(future)
        future = client.submit(loop_for_ever_if, 0, key="again", pure=False)
        assert future.result(TIMEOUT_S) == "done"
        client.cancel(future)
        del future


def test_by_force_it_ends_for_others_too(cluster: LocalCluster, client: Client) -> None:
    future = begin(client, loop_for_ever)
    with Client(cluster) as other:
        theirs = other.submit(negate, 0)
        theirs = Future(other._session.want(future.key), other._session)
        other.submit(negate, 1).result(TIMEOUT_S)
        assert client.cancel(future, timeout=TIMEOUT_S).needed == (future.key,)
        again = Future(client._session.want(theirs.key), client._session)
        report = client.cancel(again, force=True, timeout=TIMEOUT_S)
        assert report.interrupted == (theirs.key,)
        with pytest.raises(TaskCancelled):
            theirs.result(TIMEOUT_S)
