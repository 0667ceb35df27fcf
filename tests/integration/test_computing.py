"""A client, a scheduler and workers, for real: what users do all day."""

from __future__ import annotations

import operator
import os
import sys
import threading
import time
import traceback
from pathlib import Path
from typing import Any

import pytest

from hocket.client import Client, as_completed, wait
from hocket.core.errors import DuplicateKey, SerializationError, TaskCancelled, TaskFailed
from hocket.graph import Graph, Ref, Task


def inc(x: int) -> int:
    return x + 1


def add(x: int, y: int) -> int:
    return x + y


def test_submit(client: Client) -> None:
    assert client.submit(operator.add, 1, 2).result(timeout=10) == 3


def test_map_and_gather(client: Client) -> None:
    futures = client.map(operator.neg, range(3000))
    assert client.gather(futures) == [-one for one in range(3000)]


def test_lambda_with_closure(client: Client) -> None:
    offset = 5
    futures = client.map(lambda x, y: x + y + offset, range(10), range(10))
    assert client.gather(futures) == [2 * one + 5 for one in range(10)]


def test_futures_as_arguments_however_deep(client: Client) -> None:
    a = client.submit(operator.add, 1, 1)
    b = client.submit(operator.add, a, 1)
    total = client.submit(
        lambda box, scale: scale * sum(box["values"][0]), {"values": [(a, b)]}, scale=b
    )
    assert total.result(timeout=10) == 15


def test_chain_with_released_middle(client: Client) -> None:
    future = client.submit(operator.add, 0, 1)
    for _ in range(100):
        future = client.submit(operator.add, future, 1)
    assert future.result(timeout=20) == 101


def test_tree_reduction(client: Client) -> None:
    layer = client.map(operator.abs, range(64))
    while len(layer) > 1:
        layer = [
            client.submit(operator.add, *layer[one : one + 2]) for one in range(0, len(layer), 2)
        ]
    assert layer[0].result(timeout=20) == sum(range(64))


def test_graph_with_nested_keys(client: Client) -> None:
    graph = Graph(
        {
            "one": 1,
            "two": Task(operator.add, (Ref("one"), 1)),
            ("t", 0): Task(operator.mul, (Ref("two"), Ref("two"))),
            "alias": Ref(("t", 0)),
        }
    )
    assert client.get(graph, [["two", ("t", 0)], "alias"]) == [[2, 4], 4]


def test_old_dask_graph(client: Client) -> None:
    graph = {"x": 1, "y": (operator.add, "x", 10), "z": (sum, ["x", "y"])}
    assert client.get(graph, "z") == 12


def test_scatter(client: Client) -> None:
    data = set(range(1_000))
    future = client.scatter(data)
    assert client.submit(sum, future).result(timeout=20) == sum(data)
    many = client.scatter(list(range(5_000)))
    assert client.submit(sum, many).result(timeout=20) == sum(range(5_000))
    pieces = client.scatter([b"a" * 1000, b"b" * 2000])
    assert client.gather(pieces) == [b"a" * 1000, b"b" * 2000]
    named = client.scatter({"x": 1, "y": 2})
    assert client.submit(operator.add, named["x"], named["y"]).result(timeout=10) == 3


def test_large_argument_and_large_result(client: Client) -> None:
    block = os.urandom(3 << 20)
    future = client.submit(lambda data: data[::-1], block)
    assert future.result(timeout=30) == block[::-1]


def test_numpy_travels_both_ways(client: Client) -> None:
    np = pytest.importorskip("numpy")
    array = np.arange(1_000_000, dtype="float64")
    future = client.submit(lambda a: a * 2, array)
    assert np.array_equal(future.result(timeout=30), array * 2)
    result = client.submit(lambda a: float(a.sum()), future).result(timeout=30)
    assert result == float((array * 2).sum())


def fail(x: int) -> float:
    return 1 / x


def test_an_error_is_the_users_own(client: Client) -> None:
    future = client.submit(fail, 0)
    with pytest.raises(ZeroDivisionError) as caught:
        future.result(timeout=10)
    frames = traceback.extract_tb(caught.value.__traceback__)
    ours = [one for one in frames if "hocket" in one.filename and "tests" not in one.filename]
    assert frames[-1].name == "fail"
    assert len(ours) <= 1
    assert future.status == "error"
    assert isinstance(future.exception(), ZeroDivisionError)


def test_errors_reach_dependents(client: Client) -> None:
    bad = client.submit(fail, 0)
    after = client.submit(inc, client.submit(inc, bad))
    with pytest.raises(ZeroDivisionError):
        after.result(timeout=10)
    good = client.submit(operator.add, 1, 1)
    assert client.gather([good, bad, after], errors="skip") == [2]


def test_a_task_cannot_end_the_program_that_asks_for_its_result(client: Client) -> None:
    with pytest.raises(TaskFailed, match="SystemExit"):
        client.submit(sys.exit, 3).result(timeout=10)


def test_retries(client: Client, tmp_path: Any) -> None:
    def flaky(path: Path) -> int:
        with path.open("a") as file:
            file.write("x")
        if path.stat().st_size < 3:
            raise OSError("not yet")
        return 3

    future = client.submit(flaky, tmp_path / "count", retries=5)
    assert future.result(timeout=10) == 3


def test_cancel_what_has_not_begun(client: Client, tmp_path: Any) -> None:
    gate = tmp_path / "gate"

    def hold(path: Path, _number: int) -> None:
        while not path.exists():
            time.sleep(0.005)

    blockers = [client.submit(hold, gate, one) for one in range(2)]
    victims = client.map(operator.neg, range(50), priority=-1)
    client.cancel(victims)
    for one in victims:
        with pytest.raises(TaskCancelled):
            one.result(timeout=10)
    assert victims[0].status == "cancelled"
    gate.touch()
    wait(blockers, timeout=20)


def test_unpicklable_argument_is_named_at_submit(client: Client) -> None:
    with pytest.raises(SerializationError, match="argument 2"):
        client.submit(operator.add, 1, threading.Lock())
    with pytest.raises(SerializationError, match="'lock'"):
        client.submit(print, lock=threading.Lock())


def test_unpicklable_result_names_the_task(client: Client) -> None:
    future = client.submit(threading.Lock)
    with pytest.raises(SerializationError, match="lock"):
        future.result(timeout=10)


def test_unpicklable_exception_is_told(client: Client) -> None:
    def raise_it() -> None:
        error = ValueError("the reason")
        error.lock = threading.Lock()  # type: ignore[attr-defined]
        raise error

    with pytest.raises(Exception, match="the reason"):
        client.submit(raise_it).result(timeout=10)


def test_as_completed_and_wait(client: Client) -> None:
    futures = client.map(operator.neg, range(20))
    assert sorted(one.result() for one in as_completed(futures)) == sorted(-n for n in range(20))
    done = wait(futures, timeout=10)
    assert len(done.done) == 20


def test_explicit_keys(client: Client) -> None:
    one = client.submit(operator.add, 1, 1, key="my-key")
    assert one.result(timeout=10) == 2
    assert client.submit(operator.add, 1, 1, key="my-key").result(timeout=10) == 2
    with pytest.raises(DuplicateKey):
        client.submit(operator.add, 1, 2, key="my-key").result(timeout=10)


def test_pure_tasks_run_once(client: Client) -> None:
    first = client.submit(operator.add, 20, 2, pure=True)
    second = client.submit(operator.add, 20, 2, pure=True)
    assert first.key == second.key
    assert first.result(timeout=10) == second.result(timeout=10) == 22


def test_run_everywhere(client: Client) -> None:
    answers = client.run(os.getpid)
    assert len(answers) == 2
    assert set(answers) == set(client.scheduler_info()["workers"])


def test_workers_by_name(client: Client) -> None:
    address = min(client.scheduler_info()["workers"])
    futures = [client.submit(os.getpid, workers=[address], key=f"pid-{n}") for n in range(4)]
    assert len(set(client.gather(futures))) == 1


def test_priority(client: Client) -> None:
    assert client.submit(operator.add, 1, 1, priority=10).result(timeout=10) == 2


def test_two_clients_share_a_key(cluster: Any, client: Client) -> None:
    with Client(cluster) as other:
        mine = client.submit(operator.add, 30, 3, pure=True)
        theirs = other.submit(operator.add, 30, 3, pure=True)
        assert mine.key == theirs.key
        assert mine.result(timeout=10) == theirs.result(timeout=10) == 33
    assert client.submit(operator.add, mine, 1).result(timeout=10) == 34
