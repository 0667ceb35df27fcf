"""Copies that a worker is told to make, although no task of it needs them."""

from __future__ import annotations

import pytest

from hocket.core.settings import WorkerSettings
from hocket.protocol.messages import (
    AbandonTasks,
    CopiesFailed,
    CopyData,
    DropData,
    FailureKind,
    InputsMissing,
    RecallTasks,
    ReplicasStored,
    RunTasks,
    TasksBegun,
    TasksDone,
    TasksReturned,
    WorkerPaused,
)
from hocket.worker.invariants import check
from hocket.worker.machine import Answer, WorkerMachine

A, B, C, OWN = "tcp://a:1", "tcp://b:1", "tcp://c:1", "tcp://own:1"
NOW_S = 5.0
LIMIT = 1000


@pytest.fixture
def machine():
    return make()


def make(memory_limit=0, threads=4, **settings):
    return WorkerMachine(
        name="w",
        address=OWN,
        settings=WorkerSettings(**settings),
        threads=threads,
        memory_limit=memory_limit,
    )


def run_tasks(*rows, inputs=()):
    """Return a message; rows: (key, attempt, [indices]); inputs: (key, attempt, size, *holders)."""
    addresses = [A, B, C, OWN]
    return RunTasks(
        functions=[b"f" * 16],
        labels=["f"],
        blobs=[b"blob"],
        keys=[row[0] for row in rows],
        attempts=[row[1] for row in rows],
        priorities=list(range(len(rows))),
        function_of=[],
        payloads=[b""] * len(rows),
        wanted=[],
        inputs=[row[2] for row in rows],
        input_keys=[each[0] for each in inputs],
        input_attempts=[each[1] for each in inputs],
        input_nbytes=[each[2] for each in inputs],
        input_holders=[[addresses.index(one) for one in each[3:]] for each in inputs],
        addresses=addresses,
    )


def copy(*rows):
    """Return a message; rows: (key, attempt, *holders)."""
    addresses = [A, B, C, OWN]
    return CopyData(
        [row[0] for row in rows],
        [row[1] for row in rows],
        [10] * len(rows),
        [[addresses.index(one) for one in row[2:]] for row in rows],
        addresses,
    )


def handle(machine, *messages, now_s=NOW_S):
    machine.handle(messages, now_s)
    check(machine)


def fetches(machine):
    return [(fetch.address, fetch.keys) for fetch in machine.take_commands()]


def fetch_of(machine):
    (fetch,) = machine.take_commands()
    return fetch


def give(machine, fetch):
    answers = [Answer(datum.attempt, 10, f"value of {datum.key}") for datum in fetch.data]
    machine.fetched(fetch, answers, NOW_S)
    check(machine)


def tick(machine, now_s):
    machine.tick(now_s)
    check(machine)


def run_one(machine):
    task = machine.take()
    machine.executed(task, "value", 10, 1.0, 0.5)
    check(machine)
    return task


def pause(machine):
    machine.memory_sampled(LIMIT)
    check(machine)
    reports = machine.take_outbox()
    assert WorkerPaused(paused=True) in reports
    return [each for each in reports if each != WorkerPaused(paused=True)]


def test_a_copy_is_fetched_kept_and_reported(machine):
    handle(machine, copy(("x", 7, A, B)))
    give(machine, fetch_of(machine))
    assert machine.take_outbox() == [ReplicasStored(["x"], [7])]
    assert machine.held(["x"])[0].value == "value of x"
    # It is here already.
    handle(machine, copy(("x", 7, B)))
    assert machine.take_outbox() == [ReplicasStored(["x"], [7])]
    assert fetches(machine) == []


def test_a_copy_that_nobody_has_is_reported(machine):
    handle(machine, copy(("x", 7, A, B), ("y", 8), ("z", 9, OWN)))
    assert machine.take_outbox() == [
        InputsMissing(["z"], [9], OWN, True),
        CopiesFailed(["y", "z"], [8, 9]),
    ]
    machine.fetched(fetch_of(machine), [Answer(-1)], NOW_S)
    machine.fetched(fetch_of(machine), [Answer(6, 1, "another attempt")], NOW_S)
    check(machine)
    assert machine.take_outbox()[-1] == CopiesFailed(["x"], [7])
    assert machine.tables.wanted == {}


def test_a_copy_that_cannot_be_read_is_reported(machine):
    handle(machine, copy(("x", 7, A)), run_tasks(("a", 1, [0]), inputs=[("x", 7, 10)]))
    machine.fetched(fetch_of(machine), [Answer(7, error="no pickle")], NOW_S)
    check(machine)
    failed, copies = machine.take_outbox()
    assert failed.failures[0].kind is FailureKind.SERIALIZATION
    assert copies == CopiesFailed(["x"], [7])


def test_a_copy_serves_tasks_and_is_reported_once(machine):
    handle(machine, copy(("x", 7, A)))
    fetch = fetch_of(machine)
    handle(machine, run_tasks(("a", 1, [0]), inputs=[("x", 7, 10, B)]), copy(("x", 7, B)))
    assert fetches(machine) == []
    give(machine, fetch)
    assert machine.take_outbox() == [ReplicasStored(["x"], [7])]
    assert machine.take().key == "a"


def test_inputs_of_tasks_are_fetched_before_copies():
    machine = make(fetch_connections_max=1)
    handle(machine, copy(("w", 5, A)))
    first = fetch_of(machine)
    handle(machine, copy(("x", 7, A)), run_tasks(("a", 1, [0]), inputs=[("y", 8, 10, B)]))
    give(machine, first)
    assert fetches(machine) == [(B, ["y"])]


def test_a_copy_outlives_the_tasks_that_waited_for_it(machine):
    handle(machine, run_tasks(("a", 1, [0]), inputs=[("x", 7, 10, A)]), copy(("x", 7)))
    handle(machine, RecallTasks(["a"], [1]))
    give(machine, fetch_of(machine))
    assert machine.take_outbox() == [ReplicasStored(["x"], [7]), TasksReturned(["a"], [1])]


def test_a_copy_of_what_is_made_here_is_reported_when_it_is_made(machine):
    handle(machine, run_tasks(("x", 7, [])), copy(("x", 7, A)))
    assert fetches(machine) == []
    run_one(machine)
    stored, done = machine.take_outbox()
    assert stored == ReplicasStored(["x"], [7])
    assert isinstance(done, TasksDone)
    # And sought elsewhere if it is not made.
    handle(machine, run_tasks(("y", 8, [])), copy(("y", 8, A)), RecallTasks(["y"], [8]))
    assert fetches(machine) == [(A, ["y"])]


def test_a_dropped_copy_is_cancelled_silently():
    machine = make(fetch_connections_max=1)
    handle(machine, copy(("x", 7, A), ("y", 8, B)))
    fetch = fetch_of(machine)
    handle(machine, DropData(["x", "y", "y"], [7, 7, 8]))
    give(machine, fetch)
    assert machine.take_outbox() == []
    assert fetches(machine) == []
    assert machine.held(["x", "y"]) == [None, None]
    assert machine.take_discarded() == ["value of x"]
    assert machine.tables.wanted == {}


def test_a_newer_attempt_cancels_a_copy_silently(machine):
    handle(machine, copy(("x", 7, A), ("y", 7, A), ("z", 7, A)))
    fetch = fetch_of(machine)
    handle(machine, copy(("x", 9, B)), run_tasks(("y", 9, [])))
    assert fetches(machine) == [(B, ["x"])]
    give(machine, fetch)
    assert machine.take_outbox() == [ReplicasStored(["z"], [7])]
    assert machine.held(["x", "y"]) == [None, None]


def test_a_newer_value_cancels_a_copy_silently(machine):
    handle(machine, run_tasks(("x", 9, [])))
    task = machine.take()
    handle(machine, AbandonTasks(["x"], [9]))
    handle(machine, copy(("x", 7, A)))
    fetch = fetch_of(machine)
    machine.executed(task, "dropped", 10, 1.0, 0.5)
    check(machine)
    assert "x" in machine.tables.copies
    handle(machine, run_tasks(("b", 3, [0]), inputs=[("x", 10, 10, B)]))
    give(machine, fetch_of(machine))
    give(machine, fetch)
    assert machine.held(["x"])[0].attempt == 10
    assert machine.take_outbox() == [ReplicasStored(["x"], [10])]


def test_a_copy_older_than_what_is_here_fails(machine):
    handle(machine, run_tasks(("x", 9, [])))
    run_one(machine)
    machine.take_outbox()
    handle(machine, copy(("x", 7, A)))
    handle(machine, copy(("y", 9, A)), copy(("y", 8, B)))
    assert machine.take_outbox() == [CopiesFailed(["x", "y"], [7, 8])]
    assert fetches(machine) == [(A, ["y"])]


def test_what_a_client_puts_here_is_a_copy_too(machine):
    handle(machine, copy(("x", 0, A)))
    machine.put("x", "value", 8)
    check(machine)
    assert machine.take_outbox() == [ReplicasStored(["x"], [0])]


def test_a_worker_short_of_memory_copies_nothing_more():
    machine = make(LIMIT, fetch_connections_max=1)
    inputs = [("y", 8, 10, B)]
    handle(machine, copy(("x", 7, A)))
    handle(machine, copy(("y", 8, B), ("z", 9, C)), run_tasks(("a", 1, [0]), inputs=inputs))
    fetch = fetch_of(machine)
    assert pause(machine) == [CopiesFailed(["y", "z"], [8, 9])]
    handle(machine, copy(("w", 5, A)), copy(("y", 8, B)))
    assert machine.take_outbox() == [CopiesFailed(["w", "y"], [5, 8])]
    # What is on its way comes, and the task gets its input.
    give(machine, fetch)
    assert machine.take_outbox() == [ReplicasStored(["x"], [7])]
    give(machine, fetch_of(machine))
    run_one(machine)
    assert not any(isinstance(each, TasksBegun) for each in machine.take_outbox())


def test_a_copy_is_asked_for_from_whom_the_scheduler_names_later():
    machine = make(fetch_nbytes_max=1)
    handle(machine, copy(("x", 7, A), ("y", 8, A)))
    assert fetches(machine) == [(A, ["x"])]
    handle(machine, copy(("y", 8, B)))
    assert fetches(machine) == [(B, ["y"])]
