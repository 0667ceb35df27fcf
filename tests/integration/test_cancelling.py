"""Cancelling what runs, on real workers: what ends, what goes on, and what is said of it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any

import pytest

from hocket.client import Client, Event, Future, Lock, get_client
from hocket.core.errors import TaskCancelled

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
    await asyncio.to_thread(lambda: None)
    client = get_client(asynchronous=True)
    async with client:
        await Event(name, client=client).set()
    await asyncio.Event().wait()


def sleep(name: str, seconds: float) -> None:
    say(name)
    time.sleep(seconds)


def gather_for_ever(name: str) -> Any:
    say(name)
    client = get_client()
    return client.gather(client.submit(wait_for_ever, f"{name} inner"))


def hold_lock(name: str) -> None:
    with Lock(f"lock of {name}"):
        loop_for_ever(name)


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
    """Tell whether both threads of the cluster run tasks (they meet)."""
    return client.gather(client.map(negate, range(6)), timeout=TIMEOUT_S) == [
        -number for number in range(6)
    ]


@pytest.mark.parametrize(
    ("function", "options"),
    [
        (loop_for_ever, {}),
        (gather_for_ever, {}),
        (hold_lock, {}),
    ],
)
def test_what_runs_ends_and_its_slot_is_free(
    client: Client, function: Callable[..., Any], options: dict[str, Any]
) -> None:
    futures = [begin(client, function, **options) for _ in range(2)]
    report = client.cancel(futures, timeout=TIMEOUT_S)
    assert set(report.interrupted) >= {future.key for future in futures}
    assert not report.running
    assert [future.status for future in futures] == ["cancelled"] * 2
    with pytest.raises(TaskCancelled):
        futures[0].result()
    assert slots_are_free(client)
