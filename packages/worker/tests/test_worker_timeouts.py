"""Time-outs of tasks: what the machine decides, and what executors can interrupt."""

from __future__ import annotations

import asyncio
import threading

import pytest

from hocket.core.settings import WorkerSettings
from hocket.protocol.codec import decoder_for, encode
from hocket.protocol.messages import (
    AbandonTasks,
    Failure,
    FailureKind,
    RunTasks,
    TasksDone,
    TasksFailed,
    TasksRescheduled,
)
from hocket.protocol.roles import Role
from hocket.protocol.serialize import ArgumentPickler
from hocket.worker.invariants import check
from hocket.worker.machine import WorkerMachine
from hocket.worker.shell.desk import LOOP
from hocket.worker.state import Interrupt

TIMEOUT_S = 20
NOW_S = 1000.0


@pytest.fixture
def machine():
    return WorkerMachine(
        name="w",
        address="tcp://own:1",
        settings=WorkerSettings(),
        resources={"GPU": 1.0},
        threads=1,
    )


def run_tasks(*keys, timeout_s=5.0, executor="threads", function=b"blob", resources=None):
    return RunTasks(
        functions=[b"f" * 16],
        labels=["f"],
        blobs=[function],
        keys=list(keys),
        attempts=list(range(1, len(keys) + 1)),
        priorities=list(range(len(keys))),
        function_of=[],
        payloads=[ArgumentPickler().dumps((), {})] * len(keys),
        wanted=[],
        inputs=[],
        executor=executor,
        resources=resources or {},
        timeout_s=timeout_s,
    )


def interrupts(machine):
    return [one.task.key for one in machine.take_commands() if isinstance(one, Interrupt)]


def failures(machine):
    """Return what failed, and why; nothing else is said."""
    found = []
    for message in machine.take_outbox():
        if isinstance(message, TasksFailed):
            found += zip(message.keys, message.failures, strict=True)
        else:
            assert not isinstance(message, TasksDone)
    return [(key, failure.kind, *failure.text.split("\n")) for key, failure in found]


def begin(machine, *keys, **options):
    machine.handle([run_tasks(*keys, **options)], NOW_S)
    task = machine.take()
    assert machine.wake_s == 0.0
    machine.tick(NOW_S)
    check(machine)
    return task


def test_a_task_within_its_limit(machine):
    task = begin(machine, "a")
    assert machine.wake_s == NOW_S + 5
    machine.tick(NOW_S + 4.9)
    assert interrupts(machine) == []
    machine.executed(task, 1, 8, NOW_S, 5.0)
    check(machine)
    assert machine.wake_s is None
    assert any(isinstance(one, TasksDone) for one in machine.take_outbox())


def test_one_that_ends_when_it_is_interrupted(machine):
    task = begin(machine, "a", "b", resources={"GPU": 1.0})
    machine.tick(NOW_S + 5)
    assert interrupts(machine) == ["a"]
    assert failures(machine) == []
    raised = Failure(FailureKind.RAISED, "a", "TaskInterrupted", b"", "w", 1)
    machine.failed(task, raised, NOW_S, 5.01)
    check(machine)
    assert failures(machine) == [("a", FailureKind.TIMED_OUT, "5.0", "it was interrupted")]
    # Its slot and what it reserved are free.
    assert machine.take().key == "b"


def test_one_that_cannot_be_interrupted(machine):
    task = begin(machine, "a", "b")
    machine.tick(NOW_S + 5)
    assert interrupts(machine) == ["a"]
    assert machine.wake_s == NOW_S + 6
    machine.tick(NOW_S + 6)
    check(machine)
    ((key, kind, limit, outcome),) = failures(machine)
    assert (key, kind, limit) == ("a", FailureKind.TIMED_OUT, "5.0")
    assert "cannot be interrupted" in outcome
    assert "keeps its slot on 'w'" in outcome
    assert (machine.take(), machine.running_count) == (None, 1)
    # It is tried again, ever more seldom.
    assert (interrupts(machine), machine.wake_s) == (["a"], NOW_S + 7)
    machine.tick(NOW_S + 30)
    assert (interrupts(machine), machine.wake_s) == (["a"], NOW_S + 55)
    # What it returns in the end is dropped.
    machine.executed(task, 1, 8, NOW_S, 60.0)
    check(machine)
    assert failures(machine) == []
    assert (machine.take().key, machine.held_nbytes) == ("b", 0)


def test_what_was_too_late_has_failed_even_if_nobody_looked(machine):
    task = begin(machine, "a")
    machine.executed(task, 1, 8, NOW_S, 5.1)
    ((_, kind, _, outcome),) = failures(machine)
    assert (kind, outcome) == (
        FailureKind.TIMED_OUT,
        "it was not interrupted before it ended by itself",
    )
    check(machine)


def test_a_value_that_comes_with_the_interrupt_does_not_count(machine):
    task = begin(machine, "a")
    machine.tick(NOW_S + 5)
    machine.executed(task, 1, 8, NOW_S, 4.99)
    assert failures(machine) == [("a", FailureKind.TIMED_OUT, "5.0", "it was interrupted")]
    assert machine.held_nbytes == 0


def test_one_that_asks_to_be_run_elsewhere_is_run_elsewhere(machine):
    task = begin(machine, "a")
    machine.tick(NOW_S + 5)
    machine.rescheduled(task, NOW_S, 5.0)
    check(machine)
    assert machine.wake_s is None
    assert any(isinstance(one, TasksRescheduled) for one in machine.take_outbox())


def test_nobody_hears_of_one_that_was_abandoned(machine):
    task = begin(machine, "a")
    machine.handle([AbandonTasks(["a"], [1])], NOW_S + 1)
    machine.tick(NOW_S + 5)
    # It is of no use to anybody, and in the way.
    assert interrupts(machine) == ["a"]
    machine.tick(NOW_S + 6)
    machine.failed(task, Failure(FailureKind.RAISED, "a", "", b"", "w", 1), NOW_S, 7.0)
    assert failures(machine) == []
    check(machine)


def test_without_slots_time_goes_on(machine):
    task = begin(machine, "a")
    assert machine.secede(task)
    machine.tick(NOW_S + 5)
    assert interrupts(machine) == ["a"]


def test_many_begin_before_the_clock_is_looked_at():
    machine = WorkerMachine(
        name="w", address="tcp://own:1", settings=WorkerSettings(), resources={}, threads=3
    )
    machine.handle([run_tasks("a", timeout_s=1.0), run_tasks("b", timeout_s=0.0)], NOW_S)
    tasks = [machine.take(), machine.take()]
    machine.executed(tasks[0], 1, 8, NOW_S, 0.1)
    machine.tick(NOW_S)
    assert (machine.wake_s, machine.tables.deadlines.tasks) == (None, [])
    check(machine)


def test_only_times_are_limits():
    decoder = decoder_for(Role.SCHEDULER, Role.WORKER)
    for wrong in (-1.0, float("inf"), float("nan")):
        with pytest.raises(Exception, match="timeout_s"):
            decoder.decode(encode([run_tasks("a", timeout_s=wrong)]))


# ---------------------------------------------------------------------- executors


def loop_for_ever(number):
    del number
    BEGUN.release()
    while True:
        pass


def wait_in_a_call(number):
    del number
    BEGUN.release()
    OPEN.acquire()


async def wait_for_ever(number):
    del number
    BEGUN.release()
    await asyncio.Event().wait()


def double(number):
    return 2 * number


BEGUN = threading.Semaphore(0)
#: (What is no Python code is not left half done.)
OPEN = threading.Lock()
OPEN.acquire()


def let_time_pass(made, executors):
    """Have the machine believe that the limits are over, and do what it commands."""
    with made.lock:
        made.machine.tick(NOW_S)
        made.machine.tick(NOW_S + 100)
        commands = made.machine.take_commands()
    for command in commands:
        for executor in executors:
            executor.interrupt(command.task)


@pytest.mark.parametrize(
    ("function", "executor"), [(loop_for_ever, "threads"), (wait_for_ever, LOOP)]
)
def test_executors_interrupt_and_go_on(bench, function, executor):
    made = bench(1)
    made.run(function, 1, executor=executor, timeout_s=50.0)
    assert BEGUN.acquire(timeout=TIMEOUT_S)
    let_time_pass(made, [made.executor, made.coroutines])
    assert made.collect(1) == {"k0": TasksFailed}
    made.run(double, 3, first=1, executor=executor, timeout_s=50.0)
    assert made.collect(3) == dict.fromkeys(["k1", "k2", "k3"], TasksDone)


def test_what_cannot_be_interrupted_keeps_its_thread(bench):
    made = bench(1)
    made.run(wait_in_a_call, 1, timeout_s=50.0)
    assert BEGUN.acquire(timeout=TIMEOUT_S)
    let_time_pass(made, [made.executor])
    with made.lock:
        made.machine.tick(NOW_S + 200)
    assert made.collect(1) == {"k0": TasksFailed}
    with made.lock:
        assert made.machine.running_count == 1
    OPEN.release()
    made.run(double, 1, first=1)
    assert made.collect(1) == {"k1": TasksDone}


def test_only_the_task_that_is_meant_is_interrupted(bench):
    made = bench(1)
    made.run(wait_in_a_call, 1, timeout_s=50.0)
    assert BEGUN.acquire(timeout=TIMEOUT_S)
    made.machine.tick(NOW_S)
    made.machine.tick(NOW_S + 100)
    (command,) = made.machine.take_commands()
    OPEN.release()
    assert made.collect(1) == {"k0": TasksFailed}
    made.run(double, 200, first=1, timeout_s=1e6)
    for _ in range(100):
        made.executor.interrupt(command.task)
    assert set(made.collect(200).values()) == {TasksDone}
