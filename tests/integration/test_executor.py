"""`concurrent.futures` on a real cluster, also inside tasks."""

from __future__ import annotations

import asyncio
import concurrent.futures
import operator
import time
from pathlib import Path
from typing import Any

import pytest

from hocket.client import Client, get_client


def square_sum(count: int) -> int:
    with get_client().get_executor() as executor:
        return sum(executor.map(pow, range(count), [2] * count))


def hold(gate: Path, started: Path) -> str:
    started.touch()
    while not gate.exists():
        time.sleep(0.005)
    return "done"


def test_what_waits_is_cancelled_and_what_runs_is_not(client: Client, tmp_path: Any) -> None:
    gate = tmp_path / "gate"
    executor = client.get_executor()
    running = [executor.submit(hold, gate, tmp_path / f"started{one}") for one in range(2)]
    while len(list(tmp_path.glob("started*"))) < 2 and not running[0].done():
        time.sleep(0.005)
    while not all(one.running() for one in running):
        time.sleep(0.005)
    waiting = [executor.submit(operator.add, one, 1) for one in range(20)]
    assert not running[0].cancel()
    assert waiting[0].cancel()
    executor.shutdown(wait=False, cancel_futures=True)
    assert all(one.cancelled() for one in waiting)
    gate.touch()
    executor.shutdown()
    assert [one.result(0) for one in running] == ["done", "done"]


def test_in_tasks_of_a_full_cluster(client: Client) -> None:
    with client.get_executor() as executor:
        futures = [executor.submit(square_sum, one) for one in range(6)]
        concurrent.futures.wait(futures, 30)
        assert [one.result(0) for one in futures] == [0, 0, 1, 5, 14, 30]


def test_on_an_event_loop(client: Client) -> None:
    async def run() -> list[int]:
        loop = asyncio.get_running_loop()
        calls = [loop.run_in_executor(executor, operator.neg, one) for one in range(5)]
        return await asyncio.gather(*calls)

    with client.get_executor() as executor:
        assert asyncio.run(run()) == [0, -1, -2, -3, -4]


def test_processing_and_has_what(client: Client, tmp_path: Any) -> None:
    gate, started = tmp_path / "gate", tmp_path / "started"
    future = client.submit(hold, gate, started)
    while not started.exists() and not future.done():
        time.sleep(0.005)
    assert [future.key] in client.processing().values()
    gate.touch()
    assert future.result(timeout=10) == "done"
    held = client.has_what()
    assert set(held) == set(client.scheduler_info()["workers"])
    assert [future.key] in held.values()
    with pytest.raises(Exception, match="nobody"):
        client.has_what("nobody")
