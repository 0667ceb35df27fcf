"""Looking on at a running cluster: task stream, profile, recordings, topics, metadata."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from hocket.client import Client, MemorySampler, get_worker
from hocket.client.recording import read_recording
from hocket.core.errors import SettingsError
from hocket.deploy import LocalCluster
from hocket.protocol.messages import Events, Snapshot
from hocket.protocol.messages.feed import TaskEnded


def square(x: int) -> int:
    return x * x


def fail(x: int) -> int:
    raise ValueError(f"not {x}")


def busy(seconds: float) -> int:
    count = 0
    end_s = time.perf_counter() + seconds
    while time.perf_counter() < end_s:
        count += 1
    return count


def say(x: int) -> int:
    get_worker().log_event("news", {"x": x})
    return x


def test_the_task_stream_has_each_execution(client: Client, tmp_path: Path) -> None:
    path = tmp_path / "trace.json"
    with client.get_task_stream(path) as stream:
        futures = client.map(square, range(100))
        total = client.submit(sum, futures)
        assert total.result() == sum(x * x for x in range(100))
        with pytest.raises(ValueError, match="not 3"):
            client.submit(fail, 3).result()
    rows = stream.data
    assert stream.dropped == 0
    assert sorted(row["key"] for row in rows if row["name"] == "square") == sorted(
        future.key for future in futures
    )
    (failed,) = [row for row in rows if row["name"] == "fail"]
    assert failed["status"] == "error"
    assert "not 3" in failed["error"]
    assert {row["worker"] for row in rows} <= {"worker-0", "worker-1"}
    assert {row["thread"] for row in rows} == {0}
    assert all(abs(row["startstops"][-1]["stop"] - time.time()) < 60 for row in rows)
    trace = json.loads(path.read_bytes())
    assert sum(row.get("cat") == "task" for row in trace["traceEvents"]) == len(rows) == 102
    # Nobody looks on any more.
    with client.get_task_stream() as stream:
        pass
    assert len(stream) == 0


def test_what_ran_before_somebody_looked(client: Client) -> None:
    future = client.submit(square, 7, key="before")
    assert future.result() == 49
    with client.get_task_stream(past=True) as stream:
        pass
    assert "before" in [row["key"] for row in stream.data]


def test_a_profile_names_what_takes_time(client: Client, tmp_path: Path) -> None:
    with client.profile(tmp_path / "folded.txt") as profile:
        client.gather(client.map(busy, [0.3, 0.31]))
    assert profile.tree.samples > 5
    assert profile.data["children"][0]["name"] == "busy"
    assert "busy" in profile.text()
    assert "busy" in (tmp_path / "folded.txt").read_text()


def test_memory_is_sampled(client: Client) -> None:
    sampler = MemorySampler()
    with sampler.sample("squares", client=client):
        client.gather(client.map(square, range(10)))
    with sampler.sample(measure="managed"):
        future = client.submit(bytes, 1_000_000)
        future.result()
    times = [time_s for time_s, _ in sampler.samples["squares"]]
    assert times == sorted(times)
    assert len(times) >= 3
    assert min(nbytes for _, nbytes in sampler.samples["squares"][1:]) > 10_000_000
    assert sampler.samples["sample 2"][-1][1] >= 1_000_000
    with pytest.raises(SettingsError, match="'process'"):
        sampler.sample(measure="all")  # type: ignore[arg-type]


def test_where_a_task_is(client: Client) -> None:
    future = client.submit(busy, 0.5)
    stacks: dict[str, Any] = {}
    while not stacks:
        stacks = client.call_stack(future)
    ((key, lines),) = next(iter(stacks.values())).items()
    assert key == future.key
    assert lines[-1].endswith("in busy")
    assert client.call_stack(keys=["nothing"]) == {}


def test_a_recording_comes_back(client: Client, tmp_path: Path) -> None:
    path = tmp_path / "feed.bin"
    with client.record_feed(path) as recording:
        client.gather(client.map(square, range(50)))
    messages = list(read_recording(path))
    assert isinstance(messages[0], Snapshot)
    assert len(messages[0].workers) == 2
    events = [one for batch in messages if isinstance(batch, Events) for one in batch.events]
    assert len(events) == recording.events_count
    ended = [one for one in events if isinstance(one, TaskEnded) and one.group == "square"]
    assert len(ended) == 50
    torn = path.read_bytes()[:-3]
    path.write_bytes(torn)
    assert list(read_recording(path)) == messages[: len(list(read_recording(path)))]
    with pytest.raises(OSError, match="no"), client.record_feed(tmp_path / "no" / "feed.bin"):
        pass


def test_topics(client: Client) -> None:
    heard: list[Any] = []
    all_here = threading.Event()

    def hear(event: Any) -> None:
        heard.append(event)
        if len(heard) == 4:
            all_here.set()

    client.subscribe_topic("news", hear)
    client.gather(client.map(say, range(3)))
    client.log_event("news", "hello")
    assert all_here.wait(10)
    client.unsubscribe_topic("news")
    messages = [message for _, message in heard]
    assert sorted(one["x"] for one in messages[:3]) == [0, 1, 2]
    assert messages[3] == "hello"
    assert [message for _, message in client.get_events("news")][-4:] == messages


def test_metadata_is_shared(cluster: LocalCluster, client: Client) -> None:
    client.set_metadata(["run", "rate"], 0.5)
    with Client(cluster) as other:
        assert other.get_metadata("run") == {"rate": 0.5}
    with pytest.raises(KeyError):
        client.get_metadata("nothing")


def test_a_client_that_is_closed_meanwhile(cluster: LocalCluster) -> None:
    with Client(cluster) as client, client.get_task_stream() as stream:
        client.submit(square, 3).result()
        client.close()
    assert stream.dropped == 0


def test_all_of_it_asynchronously(cluster: LocalCluster) -> None:
    async def look() -> None:
        async with Client(cluster, asynchronous=True) as client:
            async with client.get_task_stream() as stream:
                await client.gather(client.map(square, range(10)))
            assert len(stream) == 10
            await client.set_metadata("a", 1)
            assert await client.get_metadata("a") == 1
            await client.log_event("x", 1)
            assert len(await client.get_events("x")) >= 1

    asyncio.run(look())
