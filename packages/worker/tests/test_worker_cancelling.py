"""Cancelled tasks on a worker: what the machine interrupts, and what it says of it."""

from __future__ import annotations

import asyncio
import threading

import pytest

from hocket.core.settings import WorkerSettings
from hocket.protocol.messages import (
    AbandonTasks,
    CancelOutcome,
    Failure,
    FailureKind,
    RunTasks,
    TasksDone,
    TasksFailed,
    TasksInterrupted,
)
from hocket.protocol.serialize import ArgumentPickler
from hocket.worker.invariants import check
from hocket.worker.machine import WorkerMachine
from hocket.worker.shell.desk import LOOP
from hocket.worker.state import Interrupt

TIMEOUT_S = 20
NOW_S = 1.7e9
NOT_BEGUN, INTERRUPTED, ENDED, GOES_ON, _ = CancelOutcome


@pytest.fixture
def machine():
    return WorkerMachine(
        name="w", address="tcp://own:1", settings=WorkerSettings(), resources={"GPU": 1.0}
    )


def run_tasks(*names, timeout_s=0.0, resources=None, executor="threads"):
    keys, attempts = zip(*names, strict=True)
    return RunTasks(
        functions=[b"f" * 16],
        labels=["f"],
        blobs=[b"blob"],
        keys=list(keys),
        attempts=list(attempts),
        priorities=list(range(len(keys))),
        function_of=[],
        payloads=[ArgumentPickler().dumps((), {})] * len(keys),
        wanted=[],
        inputs=[],
        executor=executor,
        resources=resources or {},
        timeout_s=timeout_s,
    )


def cancel(machine, *names, now_s=NOW_S):
    keys, attempts = zip(*names, strict=True)
    machine.handle([AbandonTasks(list(keys), list(attempts), interrupt=True)], now_s)
    check(machine)


def said(machine):
    """Return what is said of what was cancelled; nothing is said of its end beside that."""
    rows = []
    for message in machine.take_outbox():
        if isinstance(message, TasksInterrupted):
            rows += zip(message.keys, message.attempts, message.outcomes, strict=True)
        assert not isinstance(message, TasksDone | TasksFailed)
    return rows


def interrupted(machine):
    return [one.task.attempt for one in machine.take_commands() if isinstance(one, Interrupt)]


def failed(machine, task):
    raised = Failure(FailureKind.RAISED, task.key, "TaskInterrupted", b"", "w", task.attempt)
    machine.failed(task, raised, NOW_S, 0.1)
    check(machine)


def test_what_has_not_begun_never_does(machine):
    machine.handle([run_tasks(("a", 1), ("b", 2))], NOW_S)
    task = machine.take()
    cancel(machine, ("b", 2), ("never", 7))
    assert said(machine) == [("b", 2, NOT_BEGUN), ("never", 7, ENDED)]
    assert interrupted(machine) == []
    machine.executed(task, 1, 8, NOW_S, 0.1)
    assert machine.take() is None


@pytest.mark.parametrize("timeout_s", [0.0, 100.0])
def test_what_runs_is_interrupted_and_its_slot_comes_back(machine, timeout_s):
    machine.handle([run_tasks(("a", 1), ("b", 2), resources={"GPU": 1.0}, timeout_s=timeout_s)], 1)
    task = machine.take()
    cancel(machine, ("a", 1))
    assert (interrupted(machine), said(machine)) == ([1], [])
    assert machine.take() is None
    failed(machine, task)
    assert said(machine) == [("a", 1, INTERRUPTED)]
    assert machine.take().key == "b"
    assert machine.wake_s is None or timeout_s


def test_one_that_ends_by_itself_meanwhile(machine):
    machine.handle([run_tasks(("a", 1))], NOW_S)
    task = machine.take()
    cancel(machine, ("a", 1))
    machine.executed(task, 1, 8, NOW_S, 0.1)
    assert said(machine) == [("a", 1, ENDED)]
    assert machine.held_nbytes == 0
    check(machine)


def test_one_that_had_ended_before(machine):
    machine.handle([run_tasks(("a", 1))], NOW_S)
    machine.executed(machine.take(), 1, 8, NOW_S, 0.1)
    machine.take_outbox()
    cancel(machine, ("a", 1))
    assert said(machine) == [("a", 1, ENDED)]


def test_one_that_cannot_be_interrupted_is_reported_once_and_tried_again(machine):
    machine.handle([run_tasks(("a", 1), ("b", 2))], NOW_S)
    task = machine.take()
    cancel(machine, ("a", 1))
    assert interrupted(machine) == [1]
    machine.tick(NOW_S + 0.9)
    assert (interrupted(machine), said(machine)) == ([], [])
    assert machine.wake_s == NOW_S + 1
    machine.tick(NOW_S + 1)
    assert (interrupted(machine), said(machine)) == ([1], [("a", 1, GOES_ON)])
    machine.tick(NOW_S + 10)
    assert (interrupted(machine), said(machine)) == ([1], [])
    # It keeps its slot.
    assert (machine.take(), machine.running_count) == (None, 1)
    failed(machine, task)
    assert said(machine) == [("a", 1, INTERRUPTED)]
    assert machine.take().key == "b"
    assert machine.wake_s is None


def test_a_later_attempt_of_the_same_key_is_not_hit(machine):
    machine.handle([run_tasks(("a", 1))], NOW_S)
    first = machine.take()
    abandon = AbandonTasks(["a"], [1], interrupt=True)
    machine.handle([abandon, run_tasks(("a", 2))], NOW_S)
    assert interrupted(machine) == [1]
    failed(machine, first)
    second = machine.take()
    assert second.attempt == 2
    # What comes late is about the first.
    machine.handle([abandon], NOW_S)
    machine.tick(NOW_S + 5)
    assert interrupted(machine) == []
    machine.executed(second, 1, 8, NOW_S, 0.1)
    messages = machine.take_outbox()
    assert [one.attempts for one in messages if isinstance(one, TasksDone)] == [[2]]
    check(machine)


def test_what_is_merely_dropped_runs_on(machine):
    machine.handle([run_tasks(("a", 1))], NOW_S)
    task = machine.take()
    machine.handle([AbandonTasks(["a"], [1])], NOW_S)
    machine.tick(NOW_S + 100)
    assert interrupted(machine) == []
    machine.executed(task, 1, 8, NOW_S, 0.1)
    assert said(machine) == []


def test_one_that_has_seceded_is_interrupted_too(machine):
    machine.handle([run_tasks(("a", 1))], NOW_S)
    task = machine.take()
    assert machine.secede(task)
    machine.take_outbox()
    cancel(machine, ("a", 1))
    assert interrupted(machine) == [1]
    failed(machine, task)
    assert said(machine) == [("a", 1, INTERRUPTED)]


# ---------------------------------------------------------------------- executors


BEGUN = threading.Semaphore(0)


def loop_for_ever(number):
    del number
    BEGUN.release()
    while True:
        pass


def swallow_once(number):
    try:
        loop_for_ever(number)
    except BaseException:  # noqa: BLE001 - what users do
        BEGUN.release()
    while True:
        pass


async def wait_for_ever(number):
    del number
    BEGUN.release()
    await asyncio.Event().wait()


def double(number):
    return 2 * number


def interrupt(made, now_s):
    with made.lock:
        made.machine.tick(now_s)
        commands = made.machine.take_commands()
    for command in commands:
        made.executor.interrupt(command.task)
        made.coroutines.interrupt(command.task)


@pytest.mark.parametrize(
    ("function", "executor"),
    [
        (loop_for_ever, "threads"),
        (wait_for_ever, "threads"),
        (wait_for_ever, LOOP),
        (swallow_once, "threads"),
    ],
)
def test_executors_interrupt_and_go_on(bench, function, executor):
    made = bench(1)
    made.run(function, 1, executor=executor)
    assert BEGUN.acquire(timeout=TIMEOUT_S)
    (attempt,) = (task.attempt for task in made.machine.tables.running)
    with made.lock:
        made.machine.handle([AbandonTasks(["k0"], [attempt], interrupt=True)], NOW_S)
    interrupt(made, NOW_S)
    if function is swallow_once:
        assert BEGUN.acquire(timeout=TIMEOUT_S)
        interrupt(made, NOW_S + 1)
    made.run(double, 3, first=1, executor=executor)
    assert made.collect(3) == dict.fromkeys(["k1", "k2", "k3"], TasksDone)
    assert made.machine.running_count == 0


def test_what_runs_at_the_end_is_interrupted(bench):
    made = bench(2)
    made.run(loop_for_ever, 2)
    for _ in range(2):
        assert BEGUN.acquire(timeout=TIMEOUT_S)
    assert made.close(0.01)


async def compute_for_ever(number):
    await asyncio.sleep(0)
    loop_for_ever(number)


async def swallow_and_compute(number):
    try:
        await compute_for_ever(number)
    finally:
        BEGUN.release()


async def answer(number):
    await asyncio.sleep(0)
    return 2 * number


@pytest.mark.parametrize("function", [compute_for_ever, swallow_and_compute])
def test_one_that_holds_up_the_loop_frees_it(bench, function):
    made = bench(1)
    made.run(function, 1, executor=LOOP)
    assert BEGUN.acquire(timeout=TIMEOUT_S)
    made.run(answer, 3, first=1, executor=LOOP)
    (attempt,) = (task.attempt for task in made.machine.tables.running)
    with made.lock:
        made.machine.handle([AbandonTasks(["k0"], [attempt], interrupt=True)], NOW_S)
    interrupt(made, NOW_S)
    assert made.collect(3) == dict.fromkeys(["k1", "k2", "k3"], TasksDone)
