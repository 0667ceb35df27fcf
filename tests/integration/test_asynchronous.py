"""The asynchronous client on a real cluster."""

from __future__ import annotations

import asyncio
from typing import Any

import numpy as np

from hocket.client import Client, Event, Lock, Queue, as_completed, get_client
from hocket.deploy import LocalCluster


def square(x: int) -> int:
    return x * x


async def total(n: int) -> int:
    async with get_client(asynchronous=True) as client:
        values: list[int] = await client.gather(client.map(square, range(n)))
        return sum(values)


def test_a_day_of_an_asynchronous_client(cluster: LocalCluster) -> None:
    async def main() -> None:
        async with Client(cluster, asynchronous=True) as client:
            await client.wait_for_workers(2)
            futures = client.map(square, range(100))
            assert await client.gather(futures) == [x * x for x in range(100)]
            big = await client.scatter(np.arange(300_000))
            doubled = client.submit(np.multiply, big, 2)
            assert (await doubled)[-1] == 599_998
            assert len([one async for one in as_completed([big, doubled])]) == 2
            await client.replicate(big)
            assert len((await client.who_has(big))[big.key]) == len(cluster.workers)
            assert await client.submit(total, 4, executor="loop") == 14
            assert (await client.why(doubled)).state == "stored"
            await _coordinate(client)
            await client.publish_dataset(big, name="numbers")
            assert await client.list_datasets() == ["numbers"]
            assert (await (await client.get_dataset("numbers")))[1] == 1
            await client.unpublish_dataset("numbers")

    asyncio.run(main())


async def _coordinate(client: Client) -> None:
    queue: Any = Queue(client=client)
    event: Any = Event(client=client)
    getting = asyncio.ensure_future(queue.get(timeout=10))
    await queue.put({"a": client.submit(square, 3)})
    assert await (await getting)["a"] == 9
    waiting = asyncio.ensure_future(event.wait(timeout=10))
    async with Lock("door", client):
        await event.set()
    assert await waiting
    await queue.close()


def test_a_cluster_of_its_own() -> None:
    async def main() -> str:
        async with Client(asynchronous=True) as client:
            assert await client.submit(square, 5) == 25
            return client.address

    assert asyncio.run(main()).startswith("tcp://127.0.0.1:")
