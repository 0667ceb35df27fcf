"""Streams against a small scheduler: what is asked for, handed out, and let go of."""

from __future__ import annotations

import asyncio
import gc
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest

from hocket.client import Client, GeneratorChanged
from hocket.client.stream_flow import AHEAD_MAX
from hocket.core.errors import PeerLost, SettingsError, TaskCancelled
from hocket.protocol.messages import CancelTasks, SubmitTasks
from hocket.transport.live_generators import Slice

_WAIT_S = 10.0


def count(end: int) -> Iterator[int]:
    yield from range(end)


async def count_later(end: int) -> AsyncIterator[int]:
    for number in range(end):
        yield number


def fail_after(items_count: int) -> Iterator[int]:
    yield from range(items_count)
    raise LookupError("no more")


def slices(scheduler: Any) -> list[SubmitTasks]:
    return [one for one in scheduler.of(SubmitTasks) if one.keys[0].endswith(":]")]


def test_futures_and_values(client: Client) -> None:
    assert [one.result(5) for one in client.stream(count, 40)] == list(range(40))
    assert list(client.stream(count, 400).values()) == list(range(400))
    assert list(client.stream(count_later, 40).values()) == list(range(40))


def test_slices_run_where_the_generator_is(client: Client, scheduler: Any) -> None:
    options: dict[str, Any] = {"resources": {"GPU": 1}, "priority": 2, "retries": 1, "timeout": 60}
    assert list(client.stream(count, 9, **options).values()) == list(range(9))
    begun, *taken = [one for one in scheduler.of(SubmitTasks) if one.labels == ["count"]]
    assert (begun.timeout_s, begun.retries, begun.resources) == (0, 1, {"GPU": 1})
    for one in taken:
        assert (one.timeout_s, one.retries, one.resources, one.priority) == (60, 1, {"GPU": 1}, 2)
    news = [one for one in scheduler.of(SubmitTasks) if one.labels == ["tell_news"]]
    assert len(news) == len(taken)
    assert all((one.resources, one.timeout_s, one.priority) == ({}, 0, 2) for one in news)


@pytest.mark.parametrize(
    ("workers", "is_other", "then"),
    [
        ((), False, (["w7"], True)),
        (("a", "b"), True, (["w7"], True)),
        # (It may be no other, whatever it costs.)
        (("a", "b"), False, (["a", "b"], False)),
    ],
)
def test_where_slices_may_run(
    client: Client, scheduler: Any, workers: tuple[str, ...], *, is_other: bool, then: object
) -> None:
    stream = client.stream(on_w7, workers=workers, allow_other_workers=is_other, ahead=1)
    values = stream.values()
    assert [next(values) for _ in range(3)] == [0, 0, 0]
    last = slices(scheduler)[-1]
    assert (list(last.workers), last.allow_other_workers) == then


def on_w7() -> Iterator[int]:
    while True:
        yield 0


@pytest.fixture(autouse=True)
def _tasks_of_w7(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let slices say that they are made on worker w7."""
    from hocket.core.task_context import TaskContext  # noqa: PLC0415
    from hocket.transport import live_generators  # noqa: PLC0415

    monkeypatch.setattr(live_generators, "current_task", lambda: TaskContext("k", 1, "w7"))


def test_the_next_slice_is_asked_for_by_itself(client: Client, scheduler: Any) -> None:
    stream = client.stream(count, 100, ahead=8)
    # Nobody takes anything: one item, and then four, which leaves no room.
    scheduler.await_message(SubmitTasks, 5)
    assert [one.keys[0][-4:] for one in slices(scheduler)] == ["[0:]", "[1:]"]
    assert len(list(stream.values())) == 100


def test_an_error_is_raised_once(client: Client) -> None:
    values = client.stream(fail_after, 6).values()
    assert [next(values) for _ in range(6)] == list(range(6))
    with pytest.raises(LookupError, match="no more"):
        next(values)
    assert list(values) == []


def test_news_that_did_not_come_along_is_brought(client: Client, scheduler: Any) -> None:
    scheduler.inline_nbytes_max = 0
    assert list(client.stream(count, 30).values()) == list(range(30))
    assert [one.result(5) for one in client.stream(count, 5)] == list(range(5))
    with pytest.raises(LookupError):
        list(client.stream(fail_after, 0).values())


def test_a_slice_that_is_made_again_may_be_longer_but_not_shorter(
    client: Client, scheduler: Any
) -> None:
    scheduler.inline_nbytes_max = 0
    for change, expected in ((lambda items: [*items, "more"], 0), (lambda _: [], None)):
        stream = client.stream(count, 5)
        key = f"{stream.key}[0:]"
        scheduler.await_message(SubmitTasks)
        until(lambda key=key: key in scheduler.values)
        whole: Slice = scheduler.values[key]
        scheduler.values[key] = whole._replace(items=change(whole.items))
        values = stream.values()
        if expected is None:
            with pytest.raises(GeneratorChanged, match="item 0 is missing"):
                next(values)
            assert list(values) == []
        else:
            assert list(values) == [0, 1, 2, 3, 4]


def until(holds: Callable[[], bool]) -> None:
    pause = threading.Event()
    for _ in range(1000):
        if holds():
            return
        pause.wait(0.01)
    raise AssertionError


#: Set when the generator of this number is closed.
_gone: dict[int, threading.Event] = {}


def watched(number: int) -> Iterator[int]:
    try:
        while True:
            yield 1
    finally:
        _gone[number].set()


def test_closing_lets_go_of_all(client: Client, scheduler: Any) -> None:
    gone = _gone[1] = threading.Event()
    with client.stream(watched, 1, ahead=4) as stream:
        kept = next(stream)
        values = stream.values()
        assert next(values) == 1
    assert gone.wait(_WAIT_S)
    assert list(stream) == list(values) == []
    until(lambda: set(scheduler.values) == {kept.key})
    stream.close()


def test_letting_go_closes(client: Client, scheduler: Any) -> None:
    gone = _gone[2] = threading.Event()
    values = client.stream(watched, 2, ahead=4).values()
    gc.collect()
    assert next(values) == 1
    assert not gone.is_set()
    del values
    assert gone.wait(_WAIT_S)
    until(lambda: not scheduler.values)


def test_a_slice_under_way_is_cancelled(client: Client, scheduler: Any) -> None:
    scheduler.held = True
    stream = client.stream(count, 5)
    stream.close()
    keys = {key for one in [scheduler.await_message(CancelTasks)] for key in one.keys}
    assert keys == {f"{stream.key}[0:]", f"{stream.key}[0:] news"}
    assert list(stream.values()) == []


def test_who_waits_when_the_client_ends_is_told(client: Client, scheduler: Any) -> None:
    scheduler.held = True
    stream = client.stream(count, 5)
    errors: list[BaseException] = []

    def wait() -> None:
        try:
            next(stream.values())
        except BaseException as error:  # noqa: BLE001 - whatever it is
            errors.append(error)

    waiting = threading.Thread(target=wait)
    waiting.start()
    client.close()
    waiting.join(_WAIT_S)
    assert [type(error) for error in errors] == [TaskCancelled]
    assert list(stream) == []
    with pytest.raises(PeerLost):
        client.stream(count, 5)


def test_a_lost_scheduler_ends_it(client: Client, scheduler: Any) -> None:
    values = client.stream(on_w7, ahead=2).values()
    assert next(values) == 0
    scheduler.abort()
    with pytest.raises(PeerLost):
        list(values)


def test_an_asynchronous_client(scheduler: Any) -> None:
    async def run() -> None:
        client = Client(
            scheduler.address, settings=scheduler.settings, asynchronous=True, timeout_s=5
        )
        async with client:
            assert [one async for one in client.stream(count, 50).values()] == [*range(50)]
            assert [await one async for one in client.stream(count, 5)] == [0, 1, 2, 3, 4]
            async with client.stream(fail_after, 1) as stream:
                values = stream.values()
                assert await anext(values) == 0
                with pytest.raises(LookupError):
                    await anext(values)
            await stream.close()

    asyncio.run(run())


def test_what_cannot_be_is_refused_at_once(client: Client) -> None:
    with pytest.raises(TypeError, match="must be a function"):
        client.stream(5)  # type: ignore[arg-type]
    with pytest.raises(SettingsError, match="ahead"):
        client.stream(count, 5, ahead=AHEAD_MAX + 1)
    with pytest.raises(SettingsError, match="key"):
        client.stream(count, 5, key="x" * 100_000)
    with pytest.raises(TypeError, match=r"functools\.partial"):
        client.stream(lambda ahead: iter([ahead]), ahead=5)
