"""Gathering and scattering against a small scheduler: values here and on workers."""

from __future__ import annotations

import gc
import operator
import threading
from typing import Any

import numpy as np
import pytest

from hocket.client import (
    Client,
    Future,
    wait,
)
from hocket.core.errors import (
    KeyLost,
    NoCapacity,
    SerializationError,
)
from hocket.protocol.messages import (
    KeysLost,
    KeysScattered,
    LocateKeys,
    ReportMissing,
    SubmitTasks,
    TasksStored,
)
from hocket.protocol.serialize import dump_value


def increment(x: int) -> int:
    return x + 1


def divide(x: int, y: int) -> float:
    return x / y


# ---------------------------------------------------------------------- gather


def test_gather_keeps_containers(client: Client) -> None:
    one, two = client.map(increment, [0, 1])
    assert client.gather(one) == 1
    assert client.gather((one, [two], {"x": one, "y": 5})) == (1, [2], {"x": 1, "y": 5})
    assert client.gather({one, two}) == {1, 2}
    assert client.gather([]) == []
    assert client.gather([1, "text"]) == [1, "text"]
    assert client.gather([one, two, one]) == [1, 2, 1]


def test_gather_raises_or_skips(client: Client) -> None:
    good, bad = client.submit(increment, 1), client.submit(divide, 1, 0)
    with pytest.raises(ZeroDivisionError):
        client.gather([good, [bad]])
    assert client.gather([good, [bad, good]], errors="skip") == [2, [2]]
    assert client.gather({"a": bad, "b": good}, errors="skip") == {"b": 2}
    with pytest.raises(ValueError, match="'raise' or 'skip'"):
        client.gather([good], errors="ignore")  # type: ignore[arg-type]


def test_the_first_error_ends_the_gathering(client: Client, scheduler: Any) -> None:
    bad = client.submit(divide, 1, 0)
    wait(bad, 5)
    scheduler.held = True
    pending = client.submit(increment, 1)
    with pytest.raises(ZeroDivisionError):
        client.gather([pending, bad])
    with pytest.raises(ZeroDivisionError):
        client.gather([bad, pending])
    scheduler.let_go()
    assert client.gather([pending]) == [2]


def test_big_values_are_fetched_from_workers(client: Client, scheduler: Any) -> None:
    big = client.submit(np.zeros, 50_000)
    small = client.submit(increment, 1)
    array, number, again = client.gather([big, small, big])
    assert array.shape == (50_000,)
    assert number == 2
    assert again is array
    assert big.result(5).sum() == 0
    assert client.submit(np.sum, big).result(5) == 0
    many = client.map(np.full, [20_000] * 10, range(10))
    assert [array[0] for array in client.gather(many)] == list(range(10))


def test_another_holder_is_tried_and_the_first_reported(client: Client, scheduler: Any) -> None:
    big = client.submit(np.zeros, 50_000)
    wait(big, 5)
    first = next(iter(scheduler.workers))
    scheduler.workers[first].add(big.key)
    assert big.result(5).shape == (50_000,)
    (report,) = scheduler.of(ReportMissing)
    assert report == ReportMissing([big.key], first, gone=True)


def test_busy_workers_are_asked_again_and_not_reported(client: Client, scheduler: Any) -> None:
    big = client.submit(np.zeros, 50_000)
    wait(big, 5)
    scheduler.busy = dict.fromkeys(scheduler.workers, 2)
    assert big.result(5).shape == (50_000,)
    assert sorted(scheduler.busy.values()) in ([0, 1], [0, 0])
    assert not scheduler.of(ReportMissing)


def test_a_busy_worker_names_another(client: Client, scheduler: Any) -> None:
    big = client.submit(np.zeros, 50_000)
    wait(big, 5)
    first, second = scheduler.workers
    del scheduler.workers[second]  # the scheduler does not know that it has it
    scheduler.busy = {first: 1000}
    scheduler.named = [second]
    assert big.result(5).shape == (50_000,)
    assert not scheduler.of(ReportMissing)


def test_a_lost_value_is_waited_for(client: Client, scheduler: Any) -> None:
    big = client.submit(np.zeros, 50_000)
    wait(big, 5)
    for missing in scheduler.workers.values():
        missing.add(big.key)

    def on_report(message: ReportMissing) -> None:
        if len(scheduler.of(ReportMissing)) == 2:
            # the second report: nobody is left
            del scheduler.values[big.key]
            scheduler.channels[-1].send([KeysLost([big.key])])
            for keys in scheduler.workers.values():
                keys.clear()
            scheduler.channels[-1].send([TasksStored([big.key], [8], [dump_value(8.0)])])

    scheduler.on_report = on_report
    assert big.result(5) == 8.0


def test_a_value_that_nobody_gives_is_lost(client: Client, scheduler: Any) -> None:
    big = client.submit(np.zeros, 50_000)
    wait(big, 5)
    for missing in scheduler.workers.values():
        missing.add(big.key)
    with pytest.raises(KeyLost, match="located 10 times"):
        big.result(5)
    assert len(scheduler.of(LocateKeys)) == 10


def test_lost_keys_are_pending_again(client: Client, scheduler: Any) -> None:
    big = client.submit(np.zeros, 50_000, key="big")
    small = client.submit(increment, 1, key="small")
    wait([big, small], 5)
    scheduler.lose("big")
    scheduler.lose("small")
    with pytest.raises(TimeoutError, match="'big'"):
        big.result(0.01)
    # that value came along and is still there
    assert small.result(5) == 2
    scheduler.recover("big", 5)
    assert big.result(5) == 5


def test_a_value_whose_class_is_missing_here(client: Client, scheduler: Any) -> None:
    scheduler.held = True
    future = client.submit(increment, 1)
    scheduler.await_message(SubmitTasks)
    scheduler.send(TasksStored([future.key], [1], [b"cno_such_module\nname\n."]))
    with pytest.raises(SerializationError, match=rf"{future.key}.*no_such_module"):
        future.result(5)


# ---------------------------------------------------------------------- scatter


def test_scatter(client: Client, scheduler: Any) -> None:
    single = client.scatter({"content": "of a dict"}["content"])
    assert isinstance(single, Future)
    assert single.result(5) == "of a dict"
    pair = client.scatter([np.arange(10_000), 5])
    assert client.submit(np.sum, pair[0]).result(5) == np.arange(10_000).sum()
    named = client.scatter({"a": 1, "b": 2})
    assert client.gather(named) == {"a": 1, "b": 2}
    assert client.gather(client.scatter((1, 2))) == (1, 2)
    assert client.scatter([]) == []


def test_equal_data_has_one_key(client: Client, scheduler: Any) -> None:
    first = client.scatter(np.arange(10))
    again = client.scatter(np.arange(10))
    assert first.key == again.key
    assert len(scheduler.of(KeysScattered)) == 1
    other = client.scatter(np.arange(10), hash=False)
    assert other.key != first.key
    one, two = client.scatter([7, 7])
    assert one.record is two.record
    assert one.record.references == 2


def test_scatter_to_all(client: Client, scheduler: Any) -> None:
    client.scatter(5, broadcast=True)
    (message,) = scheduler.of(KeysScattered)
    assert message.addresses == [list(scheduler.workers)]


def test_scatter_without_workers(client: Client, scheduler: Any) -> None:
    scheduler.refuse = "there are none yet"
    with pytest.raises(NoCapacity, match="there are none yet"):
        client.scatter(5)
    with pytest.raises(SerializationError, match="value 2"):
        client.scatter([1, threading.Lock()])


def test_big_arguments_are_scattered_once(client: Client, scheduler: Any) -> None:
    data = np.zeros(100_000)
    total = client.submit(np.sum, data)
    assert total.result(5) == 0
    assert client.gather(client.map(operator.add, [1, 2], [data, data]))[0][0] == 1
    assert client.submit(sum, [data[:10], b"x" * 200_000, 5][2:], 5).result(5) == 10
    assert len(scheduler.of(KeysScattered)) == 1
    assert max(len(p) for m in scheduler.of(SubmitTasks) for p in m.payloads) < 1000


def test_what_a_big_argument_was_scattered_as_lives_with_the_result(
    client: Client, scheduler: Any
) -> None:
    future = client.submit(len, b"x" * 200_000)
    assert future.result(5) == 200_000
    (message,) = scheduler.of(KeysScattered)
    assert message.keys[0] in future.session.machine.states
    del future
    gc.collect()
    scheduler.await_released(message.keys)


def test_many_arguments_that_are_big_together(client: Client, scheduler: Any) -> None:
    lengths = client.submit(lambda *parts: sum(map(len, parts)), *[b"x" * 60_000] * 5)
    assert lengths.result(5) == 300_000
    assert max(len(p) for m in scheduler.of(SubmitTasks) for p in m.payloads) <= 130_000


def test_big_keyword_arguments_of_a_map(client: Client, scheduler: Any) -> None:
    futures = client.map(lambda x, data: x + len(data), [1, 2], data=b"x" * 200_000)
    assert client.gather(futures) == [200_001, 200_002]
    assert max(len(m.blobs[0] or b"") for m in scheduler.of(SubmitTasks)) < 10_000


def test_a_big_argument_that_holds_a_future_travels(client: Client) -> None:
    one = client.submit(increment, 0)
    assert client.submit(lambda pair: len(pair[1]) + pair[0], [one, b"x" * 200_000]).result(5) == (
        200_001
    )
