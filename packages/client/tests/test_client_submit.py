"""Submitting against a small scheduler: arguments, batches, options, keys."""

from __future__ import annotations

import functools
import gc
import operator
import threading
from typing import Any

import pytest

from hocket.client import (
    Client,
)
from hocket.core.errors import (
    DuplicateKey,
    LimitExceeded,
    SerializationError,
    SettingsError,
)
from hocket.core.settings import ClientSettings, Settings, TransportSettings
from hocket.protocol.messages import (
    ForgetFunctions,
    ReleaseKeys,
    SubmitTasks,
)
from hocket.protocol.serialize import identity


def increment(x: int) -> int:
    return x + 1


def divide(x: int, y: int) -> float:
    return x / y


class Box:
    def __init__(self, content: Any) -> None:
        self.content = content


# ---------------------------------------------------------------------- submit and map


def test_submit_and_result(client: Client) -> None:
    future = client.submit(divide, 6, y=3)
    assert future.result(5) == 2
    assert (future.status, future.done(), future.cancelled()) == ("finished", True, False)
    assert future.exception(5) is None
    assert future.traceback(5) is None
    assert future.key in repr(future)
    assert future.key.startswith("divide-")


def test_keys_are_unique(client: Client) -> None:
    futures = [client.submit(increment, 1) for _ in range(5)]
    futures += client.map(increment, [1] * 5)
    assert len({future.key for future in futures}) == 10


def test_map_sends_batches(scheduler: Any) -> None:
    settings = Settings(client=ClientSettings(submit_batch_tasks=10))
    with Client(scheduler.address, settings=settings) as client:
        futures = client.map(increment, range(35))
        assert client.gather(futures) == list(range(1, 36))
    sizes = [len(message.payloads) for message in scheduler.of(SubmitTasks)]
    assert sizes == [10, 10, 10, 5]
    blobs = [message.blobs[0] is None for message in scheduler.of(SubmitTasks)]
    assert blobs == [False, True, True, True]


def test_map_ends_with_the_shortest(client: Client) -> None:
    assert client.gather(client.map(operator.add, [1, 2, 3], iter([10, 20]))) == [11, 22]
    assert client.map(increment, []) == []
    assert client.gather(client.map(increment, (n for n in range(3)))) == [1, 2, 3]


def test_map_binds_keyword_arguments_once(client: Client, scheduler: Any) -> None:
    assert client.gather(client.map(divide, [2, 4], y=2)) == [1, 2]
    (message,) = scheduler.of(SubmitTasks)
    assert message.labels == ["divide"]
    assert all(b"'y'" not in payload and b"\x01y" not in payload for payload in message.payloads)


def test_futures_are_arguments_however_deep(client: Client, scheduler: Any) -> None:
    one = client.submit(increment, 0)
    nested = client.submit(lambda box, **more: (box["x"][0].content, more), {"x": [Box(one)]})
    assert nested.result(5) == (1, {})
    assert client.submit(divide, 4, y=one).result(5) == 4
    assert client.gather(client.map(divide, [one, one], y=one)) == [1, 1]
    assert client.gather(client.map(operator.add, [one, 5], [1, one])) == [2, 6]
    last = scheduler.of(SubmitTasks)[-1]
    assert last.keys[2:] == [one.key]
    assert last.dependencies == [[2], [2]]


def test_functions_may_hold_futures(client: Client) -> None:
    one = client.submit(increment, 0)
    assert client.submit(lambda x: x + one, 5).result(5) == 6
    assert client.submit(functools.partial(divide, y=one), 3).result(5) == 3
    assert client.gather(client.map(lambda x, y=0: x + one + y, [1, 2], y=one)) == [3, 4]


def test_arguments_that_are_futures_of_nobody_else_live_long_enough(
    client: Client, scheduler: Any
) -> None:
    futures = client.map(increment, (client.submit(increment, n) for n in range(20)))
    assert client.gather(futures) == list(range(2, 22))
    kinds = [type(m) for m in scheduler.seen if isinstance(m, SubmitTasks | ReleaseKeys)]
    assert kinds.index(SubmitTasks) == 0
    last = max(i for i, kind in enumerate(kinds) if kind is SubmitTasks)
    assert ReleaseKeys not in kinds[:last]


def test_options_reach_the_scheduler(client: Client, scheduler: Any) -> None:
    options: dict[str, Any] = {
        "priority": -5,
        "retries": 2,
        "workers": "w1",
        "allow_other_workers": True,
        "resources": {"GPU": 1, "memory": "2 MB"},
        "retry_delay": "2 s",
        "executor": "loop",
    }
    client.submit(increment, 1, **options)
    client.map(increment, [1], **options)
    client.get({"x": (increment, 1)}, "x", **options)
    messages = scheduler.of(SubmitTasks)
    assert len(messages) == 3
    for message in messages:
        assert message.priority == -5
        assert message.retries == 2
        assert message.workers == ["w1"]
        assert message.allow_other_workers
        assert message.resources == {"GPU": 1.0, "memory": 2e6}
        assert message.retry_delay_s == 2.0
        assert message.executor == "loop"


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("priority", 40_000),
        ("priority", "high"),
        ("retries", -1),
        ("workers", 5),
        ("workers", [5]),
        ("workers", ["x" * 2000]),
        ("allow_other_workers", True),
        ("resources", {"GPU": -1}),
        ("resources", {"GPU": "many"}),
        ("resources", {1: 1}),
        ("retry_delay", "soon"),
        ("executor", ""),
        ("key", "x" * 5000),
        ("key", "\ud800"),
        ("key", object()),
    ],
)
def test_wrong_options_are_named(client: Client, option: str, value: Any) -> None:
    with pytest.raises((SettingsError, TypeError), match=option):
        client.submit(increment, 1, **{option: value})
    assert client.submit(increment, 1).result(5) == 2


def test_what_cannot_be_called(client: Client) -> None:
    with pytest.raises(TypeError, match="5 of type int"):
        client.submit(5)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="'abc'"):
        client.map("abc", [1])  # type: ignore[arg-type]
    with pytest.raises(TypeError):
        client.run(None)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="iterable"):
        client.map(increment)
    with pytest.raises(TypeError, match="number 1 is 5, of type int"):
        client.map(increment, 5)  # type: ignore[arg-type]


def test_an_unpicklable_argument_is_named_at_submit(client: Client, scheduler: Any) -> None:
    lock = threading.Lock()
    with pytest.raises(SerializationError, match=r"argument 'y'.*lock"):
        client.submit(divide, 1, y=lock)
    with pytest.raises(SerializationError, match=r"argument 1 of call 2 of the map"):
        client.map(increment, [1, 2, lock])
    with pytest.raises(SerializationError, match=r"the function"):
        client.submit(lambda: lock)
    assert not scheduler.of(SubmitTasks)


def test_calls_that_fit_in_no_frame(scheduler: Any) -> None:
    transport = TransportSettings(frame_nbytes_max=64 * 1024)
    inline = ClientSettings(inline_argument_nbytes_max=10_000)
    settings = Settings(transport=transport, client=inline)
    with Client(scheduler.address, settings=settings) as client:
        big = [client.submit(increment, 1), b"x" * 100_000]
        with pytest.raises(LimitExceeded, match="'identity'"):
            client.submit(identity, big)
        with pytest.raises(LimitExceeded, match="'identity'"):
            client.map(identity, [1, big])
        data = b"x" * 100_000
        with pytest.raises(LimitExceeded):
            client.submit(lambda: data)
        assert client.submit(increment, 1).result(5) == 2


# ---------------------------------------------------------------------- keys


def test_explicit_keys(client: Client, scheduler: Any) -> None:
    future = client.submit(increment, 1, key="mine")
    assert future.key == "mine"
    again = client.submit(increment, 1, key="mine")
    assert again.record is future.record
    with pytest.raises(DuplicateKey, match="'mine'"):
        client.submit(increment, 2, key="mine")
    assert again.result(5) == 2
    assert len(scheduler.of(SubmitTasks)) == 1
    assert client.submit(increment, 1, key=("x", 0)).key == "('x', 0)"
    del future
    gc.collect()
    assert again.result(5) == 2


def test_a_key_may_be_used_again_when_its_futures_are_gone(client: Client) -> None:
    assert client.submit(increment, 1, key="mine").result(5) == 2
    assert client.submit(increment, 2, key="mine").result(5) == 3


def test_keys_of_a_map(client: Client) -> None:
    futures = client.map(increment, [1, 2], key=["a", ("b", 1)])
    assert [future.key for future in futures] == ["a", "('b', 1)"]
    first, second = client.map(increment, [1, 2], key="step")
    assert first.key.startswith("step-")
    assert first.key != second.key
    with pytest.raises(SettingsError, match="as many keys"):
        client.map(increment, [1, 2, 3], key=["c", "d"])
    with pytest.raises(SettingsError, match="key"):
        client.map(increment, [1], key=5)
    with pytest.raises(DuplicateKey):
        client.map(increment, [1, 2], key=["e", "e"])


def test_pure_calls_are_made_once(client: Client, scheduler: Any) -> None:
    first = client.submit(increment, 1, pure=True)
    assert client.submit(increment, 1, pure=True).key == first.key
    other = client.submit(increment, 2, pure=True)
    assert other.key != first.key
    futures = client.map(increment, [1, 3, 3, 2], pure=True)
    assert [future.key == first.key for future in futures] == [True, False, False, False]
    assert futures[1].record is futures[2].record
    assert client.gather(futures) == [2, 4, 4, 3]
    tasks = sum(len(message.payloads) for message in scheduler.of(SubmitTasks))
    assert tasks == 3


def test_functions_are_sent_once_and_forgotten_when_there_are_many(scheduler: Any) -> None:
    settings = Settings(client=ClientSettings(functions_known_max=2))
    with Client(scheduler.address, settings=settings) as client:
        for function in (operator.add, operator.mul, operator.add, operator.sub, operator.add):
            client.submit(function, 1, 2).result(5)
    sent = [message.blobs[0] is not None for message in scheduler.of(SubmitTasks)]
    assert sent == [True, True, False, True, False]
    (forgotten,) = scheduler.of(ForgetFunctions)
    assert forgotten.digests == [scheduler.of(SubmitTasks)[1].functions[0]]
