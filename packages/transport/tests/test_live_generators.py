"""Generators that live on workers: slices of them, made once or again, and how they end."""

from __future__ import annotations

import asyncio
import pickle
import threading
import traceback
from collections.abc import AsyncIterator, Iterator
from typing import Any, Self

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hocket.core.task_context import PROVIDER, TaskContext, current_task, rejoin, secede
from hocket.protocol.serialize import nbytes_of
from hocket.transport.live_generators import (
    GeneratorChanged,
    GeneratorFunction,
    LiveGenerator,
    Slice,
    SliceTaker,
    pick_item,
    tell_news,
)

_MUCH = 1 << 30
_WAIT_S = 10.0


def live(function: Any, *args: Any, **kwargs: Any) -> LiveGenerator:
    return GeneratorFunction(function)(*args, **kwargs)


def take(
    generator: LiveGenerator, start: int, count: int, expected: str = "", nbytes_max: int = _MUCH
) -> Slice:
    return SliceTaker("numbers")(generator, start, count, nbytes_max, expected)


def numbers(end: int) -> Iterator[int]:
    yield from range(end)


async def numbers_later(end: int) -> AsyncIterator[int]:
    for number in range(end):
        await asyncio.sleep(0)
        yield number


def rows(end: int) -> list[int]:
    return list(range(end))


@pytest.mark.parametrize("function", [numbers, numbers_later, rows])
def test_slices_follow_each_other(function: Any) -> None:
    generator = live(function, 5)
    first = take(generator, 0, 2)
    assert (first.items, first.start, first.label) == ([0, 1], 0, function.__name__)
    name = first.news.generator
    assert first.news[:4] == (2, nbytes_of(0) + nbytes_of(1), False, name)
    second = take(generator, 2, 3, name)
    assert (second.items, second.news.generator) == ([2, 3, 4], name)
    last = take(generator, 5, 3, name)
    assert (last.items, last.news.is_last) == ([], True)
    assert take(generator, 5, 3, name).news.is_last


def test_the_last_slice_says_so_if_it_can_know() -> None:
    generator = live(numbers, 3)
    part = take(generator, 0, 10)
    assert (part.items, part.news.is_last) == ([0, 1, 2], True)
    assert tell_news(part) is part.news
    assert pick_item(part, 2) == 2
    with pytest.raises(GeneratorChanged, match="item 3 is missing"):
        pick_item(part, 3)


def test_a_slice_ends_where_it_is_large() -> None:
    generator = live(rows_of_bytes, 100)
    assert len(take(generator, 0, 50, nbytes_max=2500).items) == 3
    assert len(take(generator, 3, 50, nbytes_max=1).items) == 1


def rows_of_bytes(count: int) -> Iterator[bytes]:
    for _ in range(count):
        yield bytes(1000)


def test_nothing_runs_ahead_of_what_was_asked_for() -> None:
    made: list[int] = []

    def watched() -> Iterator[int]:
        for number in range(10):
            made.append(number)
            yield number

    generator = live(watched)
    assert made == []
    take(generator, 0, 3)
    take(generator, 3, 1)
    assert made == [0, 1, 2, 3]


@given(st.integers(0, 12), st.lists(st.tuples(st.integers(0, 14), st.integers(1, 5)), max_size=6))
def test_any_slice_is_what_it_would_be_from_the_beginning(
    end: int, asked: list[tuple[int, int]]
) -> None:
    generator = live(numbers, end)
    name = ""
    for start, count in asked:
        if start > end:
            with pytest.raises(GeneratorChanged):
                take(generator, start, count, name)
            continue
        part = take(generator, start, count)
        assert part.items == list(range(end))[start : start + count]
        name = part.news.generator


def test_another_process_begins_anew() -> None:
    generator = live(numbers, 9)
    name = take(generator, 0, 2).news.generator
    again: LiveGenerator = pickle.loads(pickle.dumps(generator))
    part = take(again, 4, 3, name)
    assert part.items == [4, 5, 6]
    assert part.news.generator not in ("", name)
    # What it has passed is made beside it.
    assert take(again, 1, 2).items == [1, 2]
    assert take(again, 7, 2).items == [7, 8]


def test_items_are_not_kept_back() -> None:
    gate = threading.Event()

    def bursts() -> Iterator[str]:
        yield "first"
        yield "second"
        assert gate.wait(_WAIT_S)
        yield "third"

    generator = live(bursts)
    name = take(generator, 0, 1).news.generator
    part = take(generator, 1, 100, name)
    assert part.items == ["second"]
    gate.set()
    rest = take(generator, 2, 100, name)
    assert rest.items[:1] == ["third"]


def test_one_that_is_made_again_is_not_cut_short() -> None:
    again: LiveGenerator = pickle.loads(pickle.dumps(live(slow_in_the_middle)))
    part = take(again, 1, 2, expected="the one that was lost")
    assert part.items == [1, 2]


def slow_in_the_middle() -> Iterator[int]:
    yield 0
    yield 1
    threading.Event().wait(0.1)
    yield 2


def failing(count: int) -> Iterator[int]:
    yield from range(count)
    raise LookupError("no more of these")


def test_an_error_comes_after_what_was_made() -> None:
    generator = live(failing, 2)
    name = take(generator, 0, 1).news.generator
    part = take(generator, 1, 10, name)
    assert (part.items, part.news.is_last) == ([1], False)
    with pytest.raises(LookupError) as caught:
        take(generator, 2, 10, name)
    assert traceback.extract_tb(caught.value.__traceback__)[-1].name == "failing"
    # Who asks again has it run again: retries are worth something.
    assert take(generator, 1, 1, name).items == [1]
    assert take(generator, 0, 1).items == [0]


async def failing_later() -> AsyncIterator[int]:
    yield 0
    await asyncio.sleep(0)
    raise LookupError("later")


def test_errors_of_coroutines_have_no_frames_of_asyncio() -> None:
    generator = live(failing_later)
    take(generator, 0, 1)
    with pytest.raises(LookupError) as caught:
        take(generator, 1, 1)
    files = [frame.filename for frame in traceback.extract_tb(caught.value.__traceback__)]
    assert not any("asyncio" in file for file in files)


def test_one_that_is_let_go_of_is_closed_in_its_own_thread() -> None:
    ended: list[int] = []
    gone = threading.Event()

    def careful() -> Iterator[int]:
        try:
            while True:
                yield threading.get_ident()
        finally:
            ended.append(threading.get_ident())
            gone.set()

    generator = live(careful)
    first = take(generator, 0, 1).items
    second = take(generator, 1, 1).items
    assert not gone.is_set()
    del generator
    assert gone.wait(_WAIT_S)
    assert first == second == ended != [threading.get_ident()]


def test_an_async_one_is_closed_on_its_loop() -> None:
    gone = threading.Event()

    async def careful() -> AsyncIterator[int]:
        try:
            while True:
                yield 1
        finally:
            await asyncio.sleep(0)
            gone.set()

    generator = live(careful)
    take(generator, 0, 1)
    del generator
    assert gone.wait(_WAIT_S)


class Interrupted(BaseException):
    """As the worker raises it in a task."""


@pytest.mark.parametrize("is_async", [False, True])
def test_who_is_interrupted_ends_the_generator(is_async: bool) -> None:
    begun, gone = threading.Event(), threading.Event()

    def endless() -> Iterator[int]:
        begun.set()
        try:
            while True:
                threading.Event().wait(0.01)
        finally:
            gone.set()
        yield 1

    async def endless_later() -> AsyncIterator[int]:
        begun.set()
        try:
            await asyncio.sleep(1000)
        finally:
            gone.set()
        yield 1

    generator = live(endless_later if is_async else endless)
    interrupt_soon(begun)
    with pytest.raises(Interrupted):
        take(generator, 0, 1)
    assert gone.wait(_WAIT_S)


def interrupt_soon(begun: threading.Event) -> None:
    """Raise an exception in this thread, as soon as something has begun."""
    import ctypes  # noqa: PLC0415

    thread_id = threading.get_ident()

    def interrupt() -> None:
        assert begun.wait(_WAIT_S)
        ctypes.pythonapi.PyThreadState_SetAsyncExc(
            ctypes.c_ulong(thread_id), ctypes.py_object(Interrupted)
        )

    threading.Thread(target=interrupt).start()


class FakeTask:
    """What asks for slices, with a slot or without."""

    def __init__(self, key: str) -> None:
        self.log: list[str] = []
        self._context = TaskContext(key, 1, "w0", secede=self._secede, rejoin=self._rejoin)

    def _secede(self) -> bool:
        self.log.append("secede")
        return True

    def _rejoin(self) -> None:
        self.log.append("rejoin")

    def __enter__(self) -> Self:
        self._token = PROVIDER.set(lambda: self._context)
        return self

    def __exit__(self, *_error: object) -> None:
        PROVIDER.reset(self._token)


def test_the_slot_is_given_up_through_whoever_asks() -> None:
    def nested() -> Iterator[str]:
        yield key_here()
        secede()
        yield key_here()
        rejoin()
        yield key_here()

    generator = live(nested)
    with FakeTask("a") as task:
        assert take(generator, 0, 2).items == ["a", "a"]
        assert task.log == ["secede"]
    with FakeTask("b") as task:
        # The generator has no slot, so neither has who asks, until it wants one again.
        part = take(generator, 2, 1)
        assert (part.items, part.news.worker) == (["b"], "w0")
        assert task.log == ["secede", "rejoin"]
    with FakeTask("c") as task:
        assert take(generator, 3, 1).news.is_last
        assert task.log == []


def key_here() -> str:
    task = current_task()
    return "" if task is None else task.key


def test_what_is_no_generator_is_named() -> None:
    with pytest.raises(TypeError, match=r"abs.* returned a int"):
        take(live(abs, -1), 0, 1)


def test_its_size_is_that_of_its_arguments_and_a_thread() -> None:
    assert live(len, bytes(1000)).nbytes > (1 << 20) + 1000
