"""Where values lie: copied, moved, and saved from workers that are retired."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from hocket.client import Client, wait
from hocket.core.errors import NoCapacity
from hocket.deploy import LocalCluster


@pytest.fixture(params=["processes", "threads"])
def cluster(request: pytest.FixtureRequest) -> Iterator[LocalCluster]:
    with LocalCluster(3, 1, processes=request.param == "processes") as one:
        yield one


def make(number: int, log: Path | None = None) -> bytes:
    if log is not None:
        with log.open("a") as file:
            file.write("x")
    return bytes([number]) * 100_000


def holders(client: Client, futures: list[Any]) -> list[set[str]]:
    held = client.who_has(futures)
    return [set(held[future.key]) for future in futures]


def address_of(client: Client, name: str) -> str:
    workers = client.scheduler_info()["workers"]
    return next(address for address, facts in workers.items() if facts["name"] == name)


def test_replicate(client: Client) -> None:
    futures = client.map(make, range(6))
    assert client.replicate(futures, 2) == {future.key: 2 for future in futures}
    assert all(len(one) >= 2 for one in holders(client, futures))
    assert set(client.replicate(futures[:2]).values()) == {3}
    assert [len(one) for one in holders(client, futures[:2])] == [3, 3]
    # More than there are.
    assert set(client.replicate(futures[:1], 7).values()) == {3}
    assert client.gather(futures) == [make(number) for number in range(6)]


def test_replicate_to_some(client: Client, cluster: LocalCluster) -> None:
    source, target = cluster.workers[:2]
    future = client.submit(make, 1, workers=source)
    assert client.replicate(future, workers=target) == {future.key: 1}
    assert address_of(client, target) in holders(client, [future])[0]
    with pytest.raises(NoCapacity, match="nobody"):
        client.replicate(future, workers="nobody")


def test_rebalance(client: Client, cluster: LocalCluster) -> None:
    futures = client.map(make, range(30), workers=cluster.workers[0])
    wait(futures, timeout=50)
    full = address_of(client, cluster.workers[0])
    assert holders(client, futures) == [{full}] * 30
    moved = client.rebalance(futures)
    assert moved.moved >= 10
    assert moved.nbytes >= 10 * 100_000
    counts: dict[str, int] = {}
    for (address,) in holders(client, futures):
        counts[address] = counts.get(address, 0) + 1
    assert len(counts) == 3
    assert max(counts.values()) <= 20
    assert client.gather(futures) == [make(number) for number in range(30)]


def test_what_only_the_retired_hold_survives(
    client: Client, cluster: LocalCluster, tmp_path: Path
) -> None:
    leaving = cluster.workers[0]
    log = tmp_path / "log"
    futures = client.map(make, range(20), [log] * 20, workers=leaving, allow_other_workers=True)
    client.gather(futures)
    address = address_of(client, leaving)
    assert client.retire_workers(leaving) == [leaving]
    assert address not in client.scheduler_info()["workers"]
    assert all(one and address not in one for one in holders(client, futures))
    assert client.gather(futures) == [make(number) for number in range(20)]
    assert client.submit(len, futures[0]).result(timeout=50) == 100_000
    # None was computed again.
    assert log.stat().st_size == 20


def test_two_are_retired_at_once_by_address(client: Client, cluster: LocalCluster) -> None:
    futures = client.map(make, range(12))
    wait(futures, timeout=50)
    leaving = cluster.workers[:2]
    addresses = [address_of(client, name) for name in leaving]
    assert sorted(client.retire_workers(addresses)) == sorted(leaving)
    stays = address_of(client, cluster.workers[2]) if cluster.workers[2:] else ""
    assert client.gather(futures) == [make(number) for number in range(12)]
    assert all(not stays or stays in one for one in holders(client, futures))


def test_the_last_worker_is_not_retired_with_what_it_holds(
    client: Client, cluster: LocalCluster
) -> None:
    future = client.submit(make, 1)
    wait(future, timeout=50)
    with pytest.raises(NoCapacity):
        client.retire_workers(cluster.workers)
    assert future.result(timeout=50) == make(1)
    with pytest.raises(NoCapacity, match="nobody"):
        client.retire_workers("nobody")
