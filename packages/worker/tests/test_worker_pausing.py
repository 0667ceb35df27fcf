"""A worker that is short of memory, and one that leaves."""

from __future__ import annotations

from hocket.core.settings import WorkerSettings
from hocket.protocol.messages import (
    LeaveCluster,
    RunTasks,
    WorkerLeaving,
    WorkerPaused,
)
from hocket.worker.invariants import check
from hocket.worker.machine import WorkerMachine
from hocket.worker.state import Leave

OWN = "tcp://own:1"
GIB = 2**30


def make(threads=1, **options):
    return WorkerMachine(
        name="w", address=OWN, settings=WorkerSettings(), **{"threads": threads} | options
    )


def run(machine, *rows, resources=None, executor="threads", announced=False):
    """Give the machine tasks; rows: (key, attempt, priority)."""
    message = RunTasks(
        functions=[b"f" * 16],
        labels=["f"],
        blobs=[b"blob"],
        keys=[row[0] for row in rows],
        attempts=[row[1] for row in rows],
        priorities=[row[2] if len(row) > 2 else 0 for row in rows],
        function_of=[],
        payloads=[b""] * len(rows),
        wanted=[],
        inputs=[],
        resources=resources or {},
        executor=executor,
        announced=announced,
    )
    handle(machine, message)


def handle(machine, *messages):
    machine.handle(messages, 5.0)
    check(machine)


def take(machine, executor="threads"):
    task = machine.take(executor)
    check(machine)
    return task


def done(machine, task):
    machine.executed(task, "value", 8, 1.0, 0.5)
    check(machine)


def paused(threads=2, **options):
    machine = make(threads, memory_limit=GIB, **options)
    machine.memory_sampled(GIB)
    assert machine.paused
    assert machine.take_outbox() == [WorkerPaused(paused=True)]
    return machine


def test_a_worker_pauses_and_goes_on_and_says_so():
    machine = make(memory_limit=1000)
    machine.memory_sampled(800)
    assert not machine.paused
    machine.memory_sampled(801)
    machine.memory_sampled(900)
    assert machine.paused
    assert machine.take_outbox() == [WorkerPaused(paused=True)]
    machine.memory_sampled(720)
    assert machine.paused
    machine.memory_sampled(719)
    assert not machine.paused
    machine.memory_sampled(1000)
    # Both changes were made before a word was sent.
    assert machine.take_outbox() == []
    machine.memory_sampled(0)
    assert machine.take_outbox() == [WorkerPaused(paused=False)]


def test_without_a_limit_nothing_pauses():
    machine = make()
    machine.memory_sampled(2**60)
    assert not machine.paused


def test_a_paused_worker_runs_one_task_at_a_time():
    machine = paused(executors={"threads": 2, "loop": 2})
    run(machine, ("a", 1), ("b", 2))
    run(machine, ("c", 3), executor="loop")
    assert (machine.startable("threads"), machine.startable("loop")) == (1, 0)
    first = take(machine)
    assert first.key == "a"
    assert take(machine) is None
    assert take(machine, "loop") is None
    done(machine, first)
    second = take(machine)
    machine.memory_sampled(0)
    assert machine.startable("loop") == 1
    assert take(machine, "loop").key == "c"
    done(machine, second)


def test_the_best_task_of_all_executors_runs_while_the_worker_is_paused():
    machine = paused(executors={"threads": 1, "loop": 1})
    run(machine, ("later", 1, 5))
    run(machine, ("sooner", 2, 1), executor="loop")
    assert take(machine) is None
    assert machine.startable("loop") == 1
    done(machine, take(machine, "loop"))
    assert take(machine).key == "later"


def test_what_runs_when_the_worker_pauses_runs_on():
    machine = make(3, memory_limit=GIB)
    run(machine, ("a", 1), ("b", 2), ("c", 3))
    first, second = take(machine), take(machine)
    machine.memory_sampled(GIB)
    check(machine)
    assert machine.startable_count == 0
    done(machine, first)
    assert take(machine) is None
    done(machine, second)
    assert take(machine).key == "c"


def test_a_paused_worker_runs_the_tasks_that_a_seceded_one_waits_for():
    machine = paused(1)
    run(machine, ("a", 1), ("b", 2), ("c", 3))
    waiting = take(machine)
    machine.secede(waiting)
    check(machine)
    inner = take(machine)
    assert inner.key == "b"
    assert not machine.rejoin(waiting)
    done(machine, inner)
    assert machine.take_granted() == [waiting]
    assert take(machine) is None
    done(machine, waiting)
    assert take(machine).key == "c"


def test_only_one_comes_back_while_the_worker_is_paused():
    machine = make(executors={"threads": 2, "loop": 1}, memory_limit=GIB)
    run(machine, ("a", 1, 7), ("b", 2, 8))
    run(machine, ("c", 3, 5), executor="loop")
    tasks = [take(machine), take(machine), take(machine, "loop")]
    for task in tasks:
        machine.secede(task)
    machine.memory_sampled(GIB)
    assert [machine.rejoin(task) for task in tasks] == [True, False, False]
    check(machine)
    done(machine, tasks[0])
    # The better one of the two, in whichever executor.
    assert machine.take_granted() == [tasks[2]]
    machine.memory_sampled(0)
    check(machine)
    assert machine.take_granted() == [tasks[1]]


# Leaving.


def test_the_worker_says_once_that_it_leaves_and_is_told_when_it_may():
    machine = make()
    machine.leave("it was told to end")
    machine.leave("again")
    assert machine.leaving
    assert machine.take_outbox() == [WorkerLeaving("it was told to end")]
    handle(machine, LeaveCluster("nothing is needed"))
    assert machine.pending
    (command,) = machine.take_commands()
    assert isinstance(command, Leave)
    assert command.reason == "nothing is needed"
    assert repr(command) == "<Leave because nothing is needed>"
