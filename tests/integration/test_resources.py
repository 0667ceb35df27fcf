"""What tasks reserve: devices, memory, fractions; and what a user is told where nobody has it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from hocket.client import Client, current_task
from hocket.deploy import LocalCluster


@pytest.fixture(scope="module")
def cluster() -> Iterator[LocalCluster]:
    """One worker that runs four tasks at once, with two devices and some memory."""
    with LocalCluster(1, 4, resources={"GPU": 2, "license": 1}, memory_limit="1 GB") as one:
        yield one


def devices() -> tuple[int, ...]:
    task = current_task()
    assert task is not None
    return tuple(task.devices.get("GPU", ()))


def meet(folder: Path, name: str, count: int) -> tuple[int, ...]:
    """Return the devices once so many tasks run at the same time."""
    (folder / name).touch()
    while len(list(folder.iterdir())) < count:
        time.sleep(0.005)
    return devices()


def run_beside(folder: Path, name: int) -> int:
    """Return how many of these ran at the same time, at most."""
    mine = folder / str(name)
    mine.touch()
    seen = 0
    for _ in range(5):
        seen = max(seen, len(list(folder.iterdir())))
        time.sleep(0.002)
    mine.unlink()
    return seen


def test_tasks_that_run_together_have_devices_of_their_own(client: Client, tmp_path: Path) -> None:
    futures = client.map(meet, [tmp_path] * 2, "ab", [2] * 2, resources={"GPU": 1})
    assert sorted(client.gather(futures, timeout=50)) == [(0,), (1,)]
    assert client.submit(devices, resources={"GPU": 2}).result(timeout=50) == (0, 1)
    assert client.submit(devices).result(timeout=50) == ()


def test_halves_share_a_device(client: Client, tmp_path: Path) -> None:
    futures = client.map(meet, [tmp_path] * 4, "abcd", [4] * 4, resources={"GPU": 0.5})
    indices = client.gather(futures, timeout=50)
    assert sorted(indices) == [(0,), (0,), (1,), (1,)]


def test_never_more_than_there_is(client: Client, tmp_path: Path) -> None:
    futures = client.map(run_beside, [tmp_path] * 12, range(12), resources={"license": 0.5})
    assert max(client.gather(futures, timeout=50)) <= 2


def test_memory_has_units(client: Client, tmp_path: Path) -> None:
    futures = client.map(run_beside, [tmp_path] * 6, range(6), resources={"memory": "600 MB"})
    assert client.gather(futures, timeout=50) == [1] * 6


@pytest.mark.parametrize(
    ("name", "amount"), [("GPU", 3), ("memory", "1 TB"), ("quantum computer", 1)]
)
def test_why_a_task_is_not_run(
    client: Client, cluster: LocalCluster, name: str, amount: float | str
) -> None:
    future = client.submit(devices, resources={name: amount})
    explained = client.why(future)
    assert explained.key == future.key
    assert explained.state == "queued"
    assert set(explained.refusals) == set(cluster.workers)
    assert all(name in reason for reason in explained.refusals.values())
    assert name in str(explained)
    with pytest.raises(TimeoutError):
        future.result(timeout=0.05)
    # It is in nobody's way.
    assert client.submit(pow, 2, 3).result(timeout=50) == 8


def test_why_a_task_waits_and_where_it_is(client: Client, tmp_path: Path) -> None:
    gate = tmp_path / "gate"

    def hold(path: Path) -> int:
        while not path.exists():
            time.sleep(0.005)
        return 5

    first = client.submit(hold, gate)
    second = client.submit(abs, first)
    never = client.submit(abs, -1, workers="nobody")
    unknown, held, waiting, nowhere = client.why(["no such key", first, second, never])
    assert (unknown.state, held.state) == ("", "assigned")
    assert "no such key" in str(unknown)
    # The input's worker may have been given it ahead.
    assert waiting.state in ("waiting", "assigned")
    assert waiting.state == "assigned" or waiting.waits_for == (first.key,)
    assert nowhere.state == "queued"
    gate.touch()
    assert second.result(timeout=50) == 5
    assert client.why(second).state == "stored"
    assert client.why(second).workers
