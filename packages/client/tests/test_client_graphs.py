"""Graphs against a small scheduler, and the errors of tasks."""

from __future__ import annotations

import operator
import threading
import traceback
from typing import Any

import pytest

from hocket.client import (
    Client,
)
from hocket.core.errors import (
    DuplicateKey,
    GraphCycle,
    KeyLost,
    SerializationError,
    UnknownKey,
    WorkerDied,
)
from hocket.core.settings import ClientSettings, Settings
from hocket.graph import Graph, Literal, Ref, Task
from hocket.protocol.messages import (
    Failure,
    FailureKind,
    ReleaseKeys,
    SubmitTasks,
    TasksErred,
)
from hocket.protocol.serialize import identity


def increment(x: int) -> int:
    return x + 1


def divide(x: int, y: int) -> float:
    return x / y


# ---------------------------------------------------------------------- graphs


def test_graphs(client: Client, scheduler: Any) -> None:
    graph = {
        "a": 1,
        ("b", 0): (increment, "a"),
        "c": (operator.add, "a", ("b", 0)),
        "alias": "c",
        "list": [("b", 0), "c"],
    }
    assert client.get(graph, "c") == 3
    assert client.get(graph, ["c", [("b", 0), "alias"]]) == [3, [2, 3]]
    assert client.get(graph, "list") == [2, 3]
    assert client.get(graph, []) == []
    ours = Graph(
        {
            "x": Task(increment, (1,)),
            "nested": Task(operator.add, (Task(increment, (Ref("x"),)), Ref("x"))),
            "data": Literal([Ref]),
            "kw": Task(divide, (6,), {"y": Ref("x")}),
        }
    )
    assert client.get(ours, ["nested", "kw"]) == [5, 3]
    assert client.get(ours, "data") == [Ref]
    futures = client.get(ours, ["x", ["kw"]], sync=False)
    assert client.gather(futures) == [2, [3]]


def test_graphs_may_hold_futures_lambdas_and_literals(client: Client) -> None:
    one = client.submit(increment, 0)
    graph = {
        "f": one,
        "g": (lambda x, y: (x, y), "f", one),
        "h": Task(identity, (Literal(("g", [1])),)),
    }
    assert client.get(graph, ["f", "g", "h"]) == [1, (1, 1), ("g", [1])]


def test_graphs_in_several_batches(scheduler: Any) -> None:
    settings = Settings(client=ClientSettings(submit_batch_tasks=3))
    graph: dict[str, Any] = {f"x{n}": (increment, n) for n in range(10)}
    graph["sum"] = (sum, list(graph))
    with Client(scheduler.address, settings=settings) as client:
        assert client.get(graph, "sum") == 55
        messages = scheduler.of(SubmitTasks)
        assert [len(message.payloads) for message in messages] == [3, 3, 3, 2]
        # what only later batches use must be wanted until these are there
        assert [message.wanted for message in messages] == [[0, 1, 2]] * 3 + [[1]]
        assert [rank for message in messages for rank in message.ranks] == list(range(11))
        scheduler.await_released(
            message.keys[row] for message in messages for row in message.wanted
        )
    released = [key for message in scheduler.of(ReleaseKeys) for key in message.keys]
    assert len(set(released)) == len(released) == 10


def test_two_graphs_may_use_the_same_keys(client: Client) -> None:
    first = client.get({"x": (increment, 1)}, "x", sync=False)
    second = client.get({"x": (increment, 2)}, "x", sync=False)
    assert client.gather([first, second]) == [2, 3]


def test_a_text_that_spells_a_tuple_is_another_key(client: Client) -> None:
    graph = {"('x', 0)": (increment, 1), ("x", 0): (increment, 2)}
    assert client.get(graph, ["('x', 0)", ("x", 0)]) == [2, 3]


def test_graphs_that_cannot_be_computed(client: Client, scheduler: Any) -> None:
    with pytest.raises(GraphCycle, match=r"a.* -> .*b"):
        client.get({"a": (increment, "b"), "b": (increment, "a")}, "a")
    with pytest.raises(UnknownKey, match="nowhere"):
        client.get({"a": Task(increment, (Ref("nowhere"),))}, "a")
    with pytest.raises(UnknownKey, match="'b'"):
        client.get({"a": 1}, "b")
    with pytest.raises(SerializationError, match="lock"):
        client.get({"a": (identity, threading.Lock())}, "a")
    with pytest.raises(ZeroDivisionError):
        client.get({"a": (divide, 1, 0), "b": (increment, "a")}, "b")
    scheduler.held = True
    with pytest.raises(TimeoutError):
        client.get({"a": (increment, 1)}, "a", timeout=0.01)


# ---------------------------------------------------------------------- errors


def fail_deep(x: int) -> float:
    return divide(x, 0)


def test_an_error_is_the_users_own_with_its_traceback(client: Client) -> None:
    future = client.submit(fail_deep, 1)
    with pytest.raises(ZeroDivisionError) as caught:
        future.result(5)
    files = [frame.filename for frame in traceback.extract_tb(caught.tb)]
    names = [frame.name for frame in traceback.extract_tb(caught.tb)]
    assert names[-2:] == ["fail_deep", "divide"]
    assert sum("/hocket/" in file and "/tests/" not in file for file in files) == 1
    assert future.status == "error"
    (note,) = caught.value.__notes__
    assert future.key in note
    assert "w0" in note
    assert "attempt 1" in note
    assert isinstance(future.exception(), ZeroDivisionError)
    names = [frame.name for frame in traceback.extract_tb(future.traceback())]
    assert names[-2:] == ["fail_deep", "divide"]


def test_errors_of_inputs_come_through(client: Client) -> None:
    bad = client.submit(divide, 1, 0)
    dependent = client.submit(increment, bad)
    with pytest.raises(ZeroDivisionError) as caught:
        dependent.result(5)
    assert f"{dependent.key!r} depends on it" in caught.value.__notes__[0]


@pytest.mark.parametrize(
    ("kind", "error", "match"),
    [
        (FailureKind.SERIALIZATION, SerializationError, "it was odd"),
        (FailureKind.WORKER_DIED, WorkerDied, "it was odd"),
        (FailureKind.INPUT_FAILED, Exception, "it was odd"),
        (FailureKind.UNKNOWN_KEY, UnknownKey, "key"),
        (FailureKind.DUPLICATE_KEY, DuplicateKey, "key"),
        (FailureKind.LOST, KeyLost, "it was odd"),
        (FailureKind.RAISED, Exception, "it was odd"),
    ],
)
def test_kinds_of_failures(
    client: Client, scheduler: Any, kind: FailureKind, error: type, match: str
) -> None:
    scheduler.held = True
    future = client.submit(increment, 1, key="key")
    scheduler.await_message(SubmitTasks)
    scheduler.send(TasksErred(["key"], [Failure(kind, "key", "it was odd", worker="w7")]))
    with pytest.raises(error, match=match) as caught:
        future.result(5)
    assert "w7" in caught.value.__notes__[0]
