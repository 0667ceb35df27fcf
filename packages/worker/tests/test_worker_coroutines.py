"""The executor of coroutines, without the worker's own event loop."""

from __future__ import annotations

import asyncio
import contextvars
import threading

import pytest

from hocket.core.errors import Reschedule
from hocket.core.task_context import current_task, rejoin, secede
from hocket.protocol.messages import (
    TasksBegun,
    TasksDone,
    TasksFailed,
    TasksRejoined,
    TasksRescheduled,
    TasksSeceded,
)
from hocket.worker.invariants import check
from hocket.worker.shell.desk import LOOP

TIMEOUT_S = 20


class Gate:
    """An event of the executor's loop, that the test sees entered and opens."""

    def __init__(self):
        self.entered = threading.Semaphore(0)
        self.opened = asyncio.Event()
        self.loop = None

    async def pass_through(self):
        self.loop = asyncio.get_running_loop()
        self.entered.release()
        await self.opened.wait()

    def wait_entered(self):
        assert self.entered.acquire(timeout=TIMEOUT_S)

    def open(self):
        self.loop.call_soon_threadsafe(self.opened.set)


GATES = {}


@pytest.fixture
def gates():
    GATES.update({number: Gate() for number in range(8)})
    yield GATES
    GATES.clear()


async def pass_gate(number):
    await GATES[number].pass_through()
    return number, threading.current_thread().name


def test_coroutines_run_at_once_in_one_thread(bench, gates):
    made = bench(1)
    made.run(pass_gate, 5, executor=LOOP)
    for number in range(3):
        gates[number].wait_entered()
    with made.lock:
        check(made.machine)
        # As many as it has slots.
        assert (made.machine.running_count, made.machine.ready_count) == (3, 2)
    gates[1].open()
    gates[3].wait_entered()
    for number in (0, 2, 3):
        gates[number].open()
    gates[4].wait_entered()
    gates[4].open()
    assert set(made.collect(5).values()) == {TasksDone}
    data = made.machine.held([f"k{number}" for number in range(5)])
    assert [datum.value for datum in data] == [(number, "w loop") for number in range(5)]


def square(x):
    return x * x


def test_a_plain_function_runs_there_as_well(bench):
    made = bench(1)
    made.run(square, 100, executor=LOOP)
    assert set(made.collect(100).values()) == {TasksDone}


def get_future(x):
    future = asyncio.get_running_loop().create_future()
    future.get_loop().call_soon(future.set_result, x)
    return future


def test_whatever_can_be_awaited_is(bench):
    made = bench(1)
    made.run(get_future, 3, 5, executor=LOOP)
    made.collect(3)
    data = made.machine.held(["k5", "k6", "k7"])
    assert [datum.value for datum in data] == [5, 6, 7]


def test_what_ends_in_one_executor_makes_room_in_the_other(bench):
    made = bench(2, {"GPU": 1})
    made.run(square, 50, executor=LOOP, resources={"GPU": 1})
    made.run(square, 50, 50, resources={"GPU": 1})
    made.run(square, 50, 100, executor=LOOP, resources={"GPU": 1})
    assert len(made.collect(150)) == 150


ERRORS = [SystemExit, KeyboardInterrupt, GeneratorExit, asyncio.CancelledError, ValueError]


async def raise_one(number):
    await asyncio.sleep(0)
    raise ERRORS[number]


def test_no_error_ends_the_loop(bench):
    made = bench(1)
    made.run(raise_one, len(ERRORS), executor=LOOP)
    assert set(made.collect(len(ERRORS)).values()) == {TasksFailed}
    made.run(square, 1, 100, executor=LOOP)
    assert made.collect(1) == {"k100": TasksDone}


async def exit_beside():
    raise SystemExit


async def leave_one_that_exits(_number):
    beside = asyncio.create_task(exit_beside())
    await asyncio.wait([beside])
    beside.exception()


def test_a_task_beside_that_exits_does_not_end_the_loop(bench, caplog):
    made = bench(1)
    made.run(leave_one_that_exits, 1, executor=LOOP)
    assert made.collect(1) == {"k0": TasksDone}
    assert "tried to end it" in caplog.text
    made.run(square, 1, 100, executor=LOOP)
    assert made.collect(1) == {"k100": TasksDone}


async def ask_to_run_again(_number):
    raise Reschedule


def test_coroutines_may_ask_to_be_run_again(bench):
    made = bench(1)
    made.run(ask_to_run_again, 2, executor=LOOP)
    assert set(made.collect(2).values()) == {TasksRescheduled}


NOTE = contextvars.ContextVar("note", default="")


async def describe_me(number):
    former = NOTE.get()
    NOTE.set(f"{number}")
    await asyncio.sleep(0)
    task = current_task()
    assert current_task() is task
    return task.key, task.worker, former, NOTE.get()


def test_each_knows_itself_and_nothing_of_the_others(bench):
    made = bench(1)
    made.run(describe_me, 3, executor=LOOP)
    made.collect(3)
    data = made.machine.held(["k0", "k1", "k2"])
    assert [datum.value for datum in data] == [(f"k{n}", "w", "", str(n)) for n in range(3)]


async def secede_and_pass_gate(number):
    secede()
    await GATES[number].pass_through()
    rejoin()


def test_others_take_the_slots_of_those_that_secede(bench, gates):
    made = bench(1)
    made.run(secede_and_pass_gate, 6, executor=LOOP)
    for number in range(6):
        gates[number].wait_entered()
    made.collect(0, *[(TasksSeceded, f"k{number}") for number in range(6)])
    for number in range(6):
        gates[number].open()
    assert set(made.collect(6).values()) == {TasksDone}


async def come_back(number):
    task = current_task()
    secede()
    await GATES[number].pass_through()
    task.rejoin()
    task.rejoin()
    await GATES[number + 4].pass_through()
    return task


def test_who_comes_back_goes_on_while_it_stands_in_line(bench, gates):
    made = bench(1)
    made.run(come_back, 1, executor=LOOP)
    gates[0].wait_entered()
    made.collect(0, (TasksSeceded, "k0"))
    made.run(pass_gate, 3, 1, executor=LOOP)
    for number in (1, 2, 3):
        gates[number].wait_entered()
    gates[0].open()
    gates[4].wait_entered()
    with made.lock:
        check(made.machine)
        assert list(made.desk._rejoining)
    gates[1].open()
    ends, said = made.collect(1, (TasksRejoined, "k0"))
    assert (ends, said[-1]) == ({"k1": TasksDone}, (TasksRejoined, "k0"))
    for number in (2, 3, 4):
        gates[number].open()
    made.collect(3)
    (datum,) = made.machine.held(["k0"])
    # What is over neither secedes nor comes back.
    assert not datum.value.secede()
    datum.value.rejoin()
    with made.lock:
        assert not made.desk._rejoining


async def come_back_and_go(number):
    secede()
    await GATES[number].pass_through()
    task = current_task()
    assert not task.secede()
    task.rejoin()  # In line, for some have its slot.
    assert task.secede()
    assert not task.secede()
    await GATES[number + 3].pass_through()
    task.rejoin()
    return number


def test_who_goes_away_again_lets_the_next_have_the_slot(bench, gates):
    made = bench(1)
    made.run(come_back_and_go, 3, executor=LOOP)
    for number in range(3):
        gates[number].wait_entered()
    gates.update({number: Gate() for number in range(10, 14)})
    made.run(pass_gate, 4, 10, executor=LOOP)
    for number in (10, 11, 12):
        gates[number].wait_entered()
    # They come back in line, and leave again.
    for number in range(3):
        gates[number].open()
    for number in range(3):
        gates[number + 3].wait_entered()
    with made.lock:
        check(made.machine)
        assert len(made.desk._rejoining) == 3
    # The slot goes past them all.
    gates[10].open()
    gates[13].wait_entered()
    for number in (3, 4, 5, 11, 12, 13):
        gates[number].open()
    assert set(made.collect(7).values()) == {TasksDone}
    with made.lock:
        assert made.machine.running_count == 0
        assert not made.desk._rejoining


async def come_and_go(number):
    for _ in range(number % 7):
        secede()
        await asyncio.sleep(0)
        rejoin()
    return number


def test_many_that_come_and_go(bench):
    made = bench(1)
    made.run(come_and_go, 2000, executor=LOOP)
    assert set(made.collect(2000).values()) == {TasksDone}
    with made.lock:
        check(made.machine)
        assert not made.desk._rejoining


def test_what_is_announced_begins_when_that_is_sent(bench, gates):
    made = bench(1)
    made.run(pass_gate, 1, executor=LOOP, announced=True)
    made.until(lambda: made.desk._unsent)
    assert not gates[0].entered.acquire(blocking=False)
    (begun,) = made.flush()
    assert (type(begun), begun.keys) == (TasksBegun, ["k0"])
    gates[0].wait_entered()
    gates[0].open()
    assert made.collect(1) == {"k0": TasksDone}


def test_what_could_not_be_announced_does_not_begin(bench, gates):
    made = bench(1)
    made.run(pass_gate, 1, executor=LOOP, announced=True)
    made.until(lambda: made.desk._unsent)
    assert made.close()
    assert not gates[0].entered.acquire(blocking=False)


CAUGHT = []


async def note_end(number):
    try:
        await GATES[number].pass_through()
    except asyncio.CancelledError:
        CAUGHT.append(number)
        raise


def test_close_cancels_what_runs_and_reports_nothing(bench, gates):
    CAUGHT.clear()
    made = bench(1)
    made.run(note_end, 3, executor=LOOP)
    for number in range(3):
        gates[number].wait_entered()
    assert made.close()
    assert sorted(CAUGHT) == [0, 1, 2]
    assert made.machine.running_count == 3


def test_a_bug_of_ours_is_told(bench, monkeypatch, caplog):
    made = bench(1)
    monkeypatch.setattr(made.machine, "executed", lambda *_: 1 / 0)
    made.run(square, 1, executor=LOOP)
    assert made.wakeups.get(timeout=TIMEOUT_S) == "broken"
    assert "the executor of coroutines of 'w' failed" in caplog.text


def test_a_bug_of_ours_in_taking_is_told(bench, monkeypatch, caplog):
    made = bench(1)
    monkeypatch.setattr(made.machine, "take", lambda *_: 1 / 0)
    made.run(square, 1, executor=LOOP)
    assert made.wakeups.get(timeout=TIMEOUT_S) == "broken"
    assert "ZeroDivisionError" in caplog.text


def refuse(_thread):
    raise RuntimeError("no more")


def test_the_system_has_no_more_threads(bench, caplog):
    made = bench(1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(threading.Thread, "start", refuse)
        made.run(square, 1, executor=LOOP)
    assert "cannot run coroutines: no more" in caplog.text
    made.run(square, 1, 1, executor=LOOP)
    assert set(made.collect(2)) == {"k0", "k1"}
