"""Tasks whose time is limited, on real workers."""

from __future__ import annotations

import asyncio
import functools
import time

import pytest

from hocket.client import Client
from hocket.core.errors import TaskTimedOut


def loop_for_ever() -> None:
    while True:
        pass


async def wait_for_ever() -> None:
    await asyncio.Event().wait()


def increment(x: int) -> int:
    return x + 1


def test_what_runs_too_long_is_ended_and_its_slot_is_free(client: Client) -> None:
    # Two workers with a thread each.
    # (Who imports this file takes a while, be it a worker.)
    client.run(increment, 1)
    endless = [client.submit(loop_for_ever, timeout=0.3) for _ in range(3)]
    waiting = client.submit(wait_for_ever, executor="loop", timeout="300 ms")
    dependent = client.submit(increment, endless[0])
    for future in [*endless, waiting]:
        with pytest.raises(TaskTimedOut, match=r"time-out of 0\.3 s; it was interrupted") as caught:
            future.result(20)
        assert (caught.value.key, caught.value.limit_s) == (future.key, 0.3)
    with pytest.raises(TaskTimedOut):
        dependent.result(20)
    assert client.gather(client.map(increment, range(10), timeout=30), timeout=20) == [
        *range(1, 11)
    ]


def test_what_cannot_be_interrupted_says_so(client: Client) -> None:
    future = client.submit(time.sleep, 1.5, timeout=0.05)
    with pytest.raises(TaskTimedOut, match="cannot be interrupted where it is, and keeps its slot"):
        future.result(20)


def test_retries_begin_anew(client: Client, tmp_path_factory: pytest.TempPathFactory) -> None:
    place = tmp_path_factory.mktemp("tries") / "tries"
    assert client.submit(_slow_at_first, str(place), timeout=0.3, retries=2).result(20) == 2


def _slow_at_first(place: str) -> int:
    with open(place, "a", encoding="utf-8") as file:  # noqa: PTH123 - quick to pickle
        file.write("x")
    with open(place, encoding="utf-8") as file:  # noqa: PTH123
        count = len(file.read())
    while count < 2:
        pass
    return count


def _wait(timeout: float) -> float:
    return timeout


def test_whose_timeout_it_is(client: Client) -> None:
    with pytest.raises(TypeError, match=r"functools\.partial"):
        client.submit(_wait, timeout=3)
    assert client.submit(functools.partial(_wait, timeout=3), timeout=20).result(20) == 3
    with pytest.raises(TaskTimedOut):
        client.get({"a": (loop_for_ever,)}, "a", task_timeout=0.1)
