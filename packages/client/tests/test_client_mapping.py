"""The one-line map: the builtin's results, in chunks that fit."""

from __future__ import annotations

import gc
import itertools
import threading
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

import hocket.client
from hocket.client import Client
from hocket.client.mapping import Sizes
from hocket.client.shared_client import shared_client
from hocket.core.errors import SerializationError, SettingsError
from hocket.protocol.messages import CancelTasks, SubmitTasks


def fail_at(number: int, limit: int) -> int:
    if number == limit:
        raise ValueError(number)
    return number


def tasks_count(scheduler: Any) -> int:
    return sum(len(message.payloads) for message in scheduler.of(SubmitTasks))


@pytest.mark.parametrize("chunksize", [None, 1, 3, 100])
def test_results_are_the_builtins(client: Client, chunksize: int | None) -> None:
    results = hocket.client.map(pow, range(40), itertools.repeat(2), chunksize=chunksize)
    assert list(results) == list(map(pow, range(40), itertools.repeat(2)))
    assert list(hocket.client.map(abs, [], chunksize=chunksize)) == []
    assert client.closed is False


def test_the_client_made_last_is_used(client: Client, scheduler: Any) -> None:
    assert shared_client() is client
    assert list(hocket.client.map(abs, [-1])) == [1]
    assert tasks_count(scheduler) == 1


def test_in_a_task_the_tasks_client_is_used(client: Client, make_task: Any) -> None:
    with make_task():
        inner = shared_client()
        assert inner is not client
        assert list(hocket.client.map(abs, [-1])) == [1]


def test_work_begins_at_once_and_stays_ahead_of_endless_iterables(
    client: Client, scheduler: Any
) -> None:
    results = hocket.client.map(abs, itertools.count(), chunksize=1, client=client)
    scheduler.await_message(SubmitTasks)
    assert list(itertools.islice(results, 50)) == list(range(50))
    # Two workers of two threads each, and three chunks for each thread.
    assert tasks_count(scheduler) <= 50 + 4 * 3


def test_an_error_is_raised_in_its_place(client: Client) -> None:
    results = hocket.client.map(fail_at, range(10), itertools.repeat(5), chunksize=4)
    assert [next(results) for _ in range(5)] == [0, 1, 2, 3, 4]
    with pytest.raises(ValueError, match="5") as caught:
        next(results)
    assert caught.traceback[-1].name == "fail_at"
    assert list(results) == []


def test_late_results(client: Client, scheduler: Any) -> None:
    scheduler.held = True
    results = hocket.client.map(abs, range(3), chunksize=1, timeout=0)
    with pytest.raises(TimeoutError, match=r"client\.why\("):
        next(results)
    scheduler.await_message(CancelTasks)


def test_an_iterator_that_is_dropped_cancels(client: Client, scheduler: Any) -> None:
    results = hocket.client.map(abs, itertools.count(), chunksize=1)
    assert next(results) == 0
    del results
    gc.collect()
    scheduler.await_released([])


def test_misuse(client: Client) -> None:
    with pytest.raises(TypeError, match="iterable"):
        hocket.client.map(abs)
    with pytest.raises(TypeError, match="function"):
        hocket.client.map(1, [1])  # type: ignore[arg-type]
    for chunksize in (0, -1, 1.5, True, "2"):
        with pytest.raises(SettingsError, match="chunksize"):
            hocket.client.map(abs, [1], chunksize=chunksize)  # type: ignore[arg-type]
    with pytest.raises(SerializationError):
        hocket.client.map(len, [threading.Lock()])


@given(
    threads=st.integers(1, 64),
    count=st.none() | st.integers(0, 100_000),
    call_s=st.floats(0, 10),
    noise=st.lists(st.floats(0.1, 10), min_size=1, max_size=20),
)
@example(threads=1, count=None, call_s=2.3e-311, noise=[1.0])
def test_sizes_fit(threads: int, count: int | None, call_s: float, noise: list[float]) -> None:
    sizes = Sizes(threads, count, None)
    before = 1
    taken = 0
    for factor in noise * 5:
        size = sizes.take()
        assert 1 <= size <= min(before * 4, 10_000)
        if count is not None:
            # No thread is left with more than a part of its share.
            assert size <= max(1, (count - taken) // threads)
        taken += size
        duration_s = size * call_s * factor
        sizes.measure(size, duration_s)
        before = max(before, size)
        if duration_s > 0:
            assert (sizes.take() - 1) * call_s * factor <= 0.05 * 1.001


def test_sizes_that_were_chosen_stay() -> None:
    sizes = Sizes(2, 100, 7)
    sizes.measure(7, 1e-9)
    assert [sizes.take() for _ in range(3)] == [7, 7, 7]
