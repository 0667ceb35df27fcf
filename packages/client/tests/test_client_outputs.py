"""Several named results of a call: what is submitted for them, and under which names."""

from __future__ import annotations

from typing import Any

import pytest

from hocket.client import Client
from hocket.core.errors import DuplicateKey
from hocket.protocol.messages import ReleaseKeys, SubmitTasks


def stats(*values: float) -> tuple[float, float]:
    return sum(values) / len(values), max(values) - min(values)


_NAMES = ("mean", "spread")


def submitted(scheduler: Any) -> list[SubmitTasks]:
    messages: list[SubmitTasks] = scheduler.of(SubmitTasks)
    return messages


def test_what_picks_asks_for_nothing(client: Client, scheduler: Any) -> None:
    options: dict[str, Any] = {"resources": {"GPU": 1}, "workers": "w0", "retries": 2}
    parts = client.submit(stats, 1, 3, outputs=_NAMES, priority=4, timeout=5, **options)
    assert client.gather(parts) == {"mean": 2, "spread": 2}
    whole, picks = submitted(scheduler)
    assert (whole.resources, whole.retries, whole.timeout_s) == ({"GPU": 1}, 2, 5)
    assert (picks.resources, picks.workers, picks.retries, picks.timeout_s) == ({}, [], 0, 0)
    assert (whole.priority, picks.priority) == (4, 4)
    (key,) = whole.keys
    assert picks.keys == [f"{key}[mean]", f"{key}[spread]", key]
    assert picks.labels == ["stats[mean]", "stats[spread]"]


def test_the_whole_is_let_go_of_at_once(client: Client, scheduler: Any) -> None:
    scheduler.held = True
    parts = client.submit(stats, 1, 3, outputs=_NAMES)
    released = scheduler.await_message(ReleaseKeys)
    assert released.keys == submitted(scheduler)[0].keys
    assert [one.status for one in parts.values()] == ["pending"] * 2


def test_a_map_goes_in_batches(client: Client, scheduler: Any) -> None:
    rows = client.map(stats, range(1500), range(1500), outputs=_NAMES)
    values = client.gather(rows)
    assert values == [{"mean": n, "spread": 0} for n in range(1500)]
    picks = [one for one in submitted(scheduler) if one.labels[0] == "stats[mean]"]
    assert len(picks) == 3
    # (Each function is pickled once, and sent once.)
    assert sum(blob is not None for one in picks for blob in one.blobs) == 2
    assert rows[1499]["spread"].key.endswith("[spread]")


def test_a_key_stands_for_one_thing(client: Client, scheduler: Any) -> None:
    parts = client.submit(stats, 1, 2, key="one", outputs=_NAMES)
    again = client.submit(stats, 1, 2, key="one", outputs=_NAMES)
    assert [future.key for future in again.values()] == ["one[mean]", "one[spread]"]
    assert client.gather(parts) == client.gather(again)
    # The whole is not made again, since all of it is there.
    assert len([one for one in submitted(scheduler) if "one" in one.keys[:1]]) == 1
    with pytest.raises(DuplicateKey):
        client.submit(stats, 1, 3, key="one", outputs=_NAMES)


def test_generator_functions_belong_elsewhere(client: Client) -> None:
    def numbers() -> Any:
        yield 1

    async def waited() -> Any:
        yield 1

    for function in (numbers, waited):
        with pytest.raises(TypeError, match=r"client\.stream"):
            client.submit(function)
        with pytest.raises(TypeError, match=r"client\.stream"):
            client.map(function, [1])
