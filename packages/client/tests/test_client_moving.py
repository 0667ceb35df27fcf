"""Explaining tasks, copying and moving values, emptying workers: against a scripted scheduler."""

from __future__ import annotations

from typing import Any

import pytest

from hocket.client import Client, Explained
from hocket.core.errors import (
    InvalidGraph,
    NoCapacity,
    PeerLost,
    RemoteProtocolError,
    SettingsError,
)
from hocket.protocol.messages import (
    ExplainKeys,
    Explanation,
    KeysExplained,
    KeysRebalanced,
    KeysReplicated,
    RebalanceKeys,
    ReplicateKeys,
    RetireWorkers,
    SubmitTasks,
    WorkersRetired,
)


def increment(x: int) -> int:
    return x + 1


def divide(x: int, y: int) -> float:
    return x / y


@pytest.fixture
def scheduler(scheduler: Any) -> Any:
    scheduler.answers = {
        ExplainKeys: lambda message: KeysExplained(
            message.request, [Explanation(key, "queued", f"why {key}") for key in message.keys]
        ),
        ReplicateKeys: lambda message: KeysReplicated(
            message.request, [message.count for _ in message.keys]
        ),
        RebalanceKeys: lambda message: KeysRebalanced(message.request, 3, 1000),
        RetireWorkers: lambda message: WorkersRetired(message.request, message.workers[:1]),
    }
    return scheduler


def test_why(client: Client, scheduler: Any) -> None:
    scheduler.held = True
    future = client.submit(increment, 1)
    explained = client.why(future)
    assert explained == Explained(future.key, "queued", f"why {future.key}")
    assert str(explained) == f"{future.key!r} is queued: why {future.key}"
    assert [one.key for one in client.why([future, "x", ("y", 1)])] == [future.key, "x", "('y', 1)"]
    assert client.why(("y", 1)).key == "('y', 1)"
    # it is asked after what it is about
    assert [type(one) for one in scheduler.seen[:2]] == [SubmitTasks, ExplainKeys]
    asked = len(scheduler.of(ExplainKeys))
    assert client.why([]) == []
    with pytest.raises(InvalidGraph):
        client.why({"a": future})
    assert len(scheduler.of(ExplainKeys)) == asked


def test_why_of_very_many(client: Client, scheduler: Any) -> None:
    keys = [f"k{number}" for number in range(1050)]
    assert [one.key for one in client.why(keys)] == keys
    asked = [message.keys for message in scheduler.of(ExplainKeys)]
    assert max(map(len, asked)) <= 100
    assert [key for some in asked for key in some] == keys


def test_why_of_an_answer_about_something_else(client: Client, scheduler: Any) -> None:
    scheduler.answers[ExplainKeys] = lambda message: KeysExplained(message.request, [])
    with pytest.raises(RemoteProtocolError, match="KeysExplained"):
        client.why("x")


def test_replicate(client: Client, scheduler: Any) -> None:
    one, two = client.map(increment, [1, 2])
    assert client.replicate([one, {"x": two}, one], 2) == {one.key: 2, two.key: 2}
    assert client.replicate(one) == {one.key: 2}
    assert client.replicate(one, workers="w0") == {one.key: 1}
    assert client.replicate(one, 2, workers=["w0", "w1", "w2"]) == {one.key: 2}
    assert [(m.keys, m.count, m.workers) for m in scheduler.of(ReplicateKeys)] == [
        ([one.key, two.key], 2, []),
        ([one.key], len(scheduler.workers), []),
        ([one.key], 1, ["w0"]),
        ([one.key], 2, ["w0", "w1", "w2"]),
    ]
    assert client.replicate([]) == {}
    assert len(scheduler.of(ReplicateKeys)) == 4
    scheduler.answers[ReplicateKeys] = lambda message: KeysReplicated(message.request, [])
    with pytest.raises(RemoteProtocolError, match="KeysReplicated"):
        client.replicate(one, 2)


@pytest.mark.parametrize("n", [0, -1, 1.5, "2", True])
def test_replicate_on_no_number_of_workers(client: Client, n: Any) -> None:
    with pytest.raises(SettingsError, match="from 1"):
        client.replicate(client.submit(increment, 1), n)


def test_what_has_no_value_is_not_moved(client: Client, scheduler: Any) -> None:
    good, bad = client.submit(increment, 1), client.submit(divide, 1, 0)
    for move in (client.replicate, client.rebalance):
        with pytest.raises(ZeroDivisionError):
            move([good, bad])
    assert not scheduler.of(ReplicateKeys)
    assert not scheduler.of(RebalanceKeys)


def test_rebalance(client: Client, scheduler: Any) -> None:
    one = client.submit(increment, 1)
    assert client.rebalance() == (3, 1000)
    moved = client.rebalance(one, workers=["w0", "w1"])
    assert (moved.moved, moved.nbytes) == (3, 1000)
    # no futures are not all of them
    assert client.rebalance([]) == (0, 0)
    assert [(m.keys, m.workers) for m in scheduler.of(RebalanceKeys)] == [
        ([], []),
        ([one.key], ["w0", "w1"]),
    ]


def test_retire_workers(client: Client, scheduler: Any) -> None:
    assert client.retire_workers(["w0", "w1"]) == ["w0"]
    assert client.retire_workers("w1") == ["w1"]
    assert client.retire_workers([]) == []
    assert [message.workers for message in scheduler.of(RetireWorkers)] == [["w0", "w1"], ["w1"]]


def test_what_the_scheduler_refuses_says_why(client: Client, scheduler: Any) -> None:
    one = client.submit(increment, 1)
    scheduler.answers = {}
    scheduler.refuse = "nobody could take what they hold"
    for call in (
        lambda: client.retire_workers("w0"),
        lambda: client.replicate(one, 1, workers="w0"),
        lambda: client.rebalance(one, workers="w0"),
    ):
        with pytest.raises(NoCapacity, match=r"workers=w0; nobody could take"):
            call()


def test_a_closed_client_moves_nothing(client: Client) -> None:
    client.close()
    for call in (
        lambda: client.why("x"),
        client.rebalance,
        lambda: client.retire_workers("w0"),
    ):
        with pytest.raises(PeerLost, match="closed"):
            call()
