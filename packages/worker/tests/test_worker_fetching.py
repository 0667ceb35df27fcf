"""Whom a worker asks for data, when, and for how much."""

from __future__ import annotations

import pytest

from hocket.core.settings import WorkerSettings
from hocket.protocol.messages import (
    AbandonTasks,
    InputsMissing,
    RunTasks,
    TasksReturned,
    WorkerPaused,
)
from hocket.worker.invariants import check
from hocket.worker.machine import Answer, WorkerMachine
from hocket.worker.policy.backoff import REST_S_MAX, REST_S_MIN

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


def fail(machine, fetch, now_s=NOW_S):
    machine.fetch_failed(fetch, now_s)
    check(machine)


def be_busy(machine, fetch, addresses=(), now_s=NOW_S):
    machine.fetch_busy(fetch, addresses, now_s)
    check(machine)


def tick(machine, now_s):
    machine.tick(now_s)
    check(machine)


def run_one(machine):
    task = machine.take()
    machine.executed(task, "value", 10, 1.0, 0.5)
    check(machine)
    return task


# Busy peers.


def test_a_busy_peer_is_left_alone_and_asked_again(machine):
    handle(machine, run_tasks(("a", 1, [0]), inputs=[("x", 7, 10, A)]))
    assert machine.wake_s is None
    be_busy(machine, fetch_of(machine))
    assert machine.wake_s == NOW_S + REST_S_MIN
    tick(machine, NOW_S + REST_S_MIN / 2)
    assert fetches(machine) == []
    tick(machine, machine.wake_s)
    assert machine.wake_s is None
    give(machine, fetch_of(machine))
    assert machine.take().key == "a"
    assert machine.tables.backoff.peers == {}


def test_a_busy_peer_rests_longer_each_time_until_it_answers(machine):
    handle(machine, run_tasks(("a", 1, [0]), inputs=[("x", 7, 10, A)]))
    rests = []
    now_s = NOW_S
    for _ in range(9):
        be_busy(machine, fetch_of(machine), now_s=now_s)
        rests.append(round(machine.wake_s - now_s, 6))
        now_s = machine.wake_s
        tick(machine, now_s)
    assert rests == [0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, REST_S_MAX, REST_S_MAX]
    give(machine, fetch_of(machine))
    handle(machine, run_tasks(("b", 2, [0]), inputs=[("y", 8, 10, A)]))
    be_busy(machine, fetch_of(machine))
    assert machine.wake_s == NOW_S + REST_S_MIN


def test_those_whom_a_busy_peer_names_are_asked_at_once(machine):
    handle(machine, run_tasks(("a", 1, [0, 1]), inputs=[("x", 7, 10, A), ("y", 8, 10, A)]))
    be_busy(machine, fetch_of(machine), [[OWN, B], [], ["tcp://far:1"]])
    fetch = fetch_of(machine)
    assert (fetch.address, fetch.keys) == (B, ["x"])
    # Whom it named is asked no more when it has it not; the busy one still is.
    machine.fetched(fetch, [Answer(-1)], NOW_S)
    check(machine)
    assert machine.take_outbox() == [InputsMissing(["x"], [7], B, True)]
    tick(machine, machine.wake_s)
    assert fetches(machine) == [(A, ["x", "y"])]


def test_other_holders_are_asked_while_a_busy_peer_rests():
    machine = make(fetch_nbytes_max=1)
    inputs = [("x", 7, 10, A, B), ("y", 8, 10, A), ("z", 9, 10, A, C)]
    handle(machine, run_tasks(("a", 1, [0, 1, 2]), inputs=inputs))
    first, second = machine.take_commands()
    assert (first.address, second.address) == (A, C)
    be_busy(machine, first)
    assert fetches(machine) == [(B, ["x"])]


def test_a_busy_peer_names_few(machine):
    handle(machine, run_tasks(("a", 1, [0]), inputs=[("x", 7, 10, A)]))
    fetch = fetch_of(machine)
    be_busy(machine, fetch, [[f"tcp://far{number}:1" for number in range(1000)]])
    assert len(fetch.data[0].want.holders) <= 16


def test_who_rests_is_not_asked_for_anything_new(machine):
    handle(machine, run_tasks(("a", 1, [0]), inputs=[("x", 7, 10, A)]))
    be_busy(machine, fetch_of(machine))
    handle(machine, run_tasks(("b", 2, [0]), inputs=[("y", 8, 10, A)]))
    assert fetches(machine) == []
    # Time goes on with any event that knows it.
    handle(machine, run_tasks(("c", 3, [])), now_s=NOW_S + 1)
    assert fetches(machine) == [(A, ["x", "y"])]


def test_a_rest_is_over_when_nobody_wants_anything(machine):
    handle(machine, run_tasks(("a", 1, [0]), inputs=[("x", 7, 10, A)]))
    be_busy(machine, fetch_of(machine))
    handle(machine, AbandonTasks(["a"], [1]))
    tick(machine, machine.wake_s)
    assert machine.wake_s is None
    assert machine.tables.backoff.peers == {}


def test_a_clock_that_is_set_back_makes_no_rest_longer(machine):
    handle(machine, run_tasks(("a", 1, [0]), inputs=[("x", 7, 10, A)]))
    be_busy(machine, fetch_of(machine))
    tick(machine, NOW_S - 3600)
    assert fetches(machine) == [(A, ["x"])]


# Failing peers.


def test_the_only_holder_is_tried_three_times(machine):
    handle(machine, run_tasks(("a", 1, [0]), inputs=[("x", 7, 10, A)]))
    now_s = NOW_S
    for _ in range(2):
        fail(machine, fetch_of(machine), now_s)
        assert machine.take_outbox() == []
        now_s = machine.wake_s
        tick(machine, now_s)
    fail(machine, fetch_of(machine), now_s)
    assert machine.take_outbox() == [
        InputsMissing(["x"], [7], A, False),
        TasksReturned(["a"], [1]),
    ]
    tick(machine, machine.wake_s)
    assert machine.tables.backoff.peers == {}


def test_an_answer_ends_the_row_of_failures(machine):
    handle(machine, run_tasks(("a", 1, [0]), inputs=[("x", 7, 10, A)]))
    for _ in range(2):
        fail(machine, fetch_of(machine))
        tick(machine, machine.wake_s)
    be_busy(machine, fetch_of(machine))
    for _ in range(2):
        tick(machine, machine.wake_s)
        fail(machine, fetch_of(machine))
    assert machine.take_outbox() == []


def test_a_peer_that_fails_is_no_holder_where_there_is_another(machine):
    inputs = [("x", 7, 10, A), ("y", 8, 10, A, B)]
    handle(machine, run_tasks(("a", 1, [0, 1]), inputs=inputs))
    fail(machine, fetch_of(machine))
    assert machine.take_outbox() == [InputsMissing(["y"], [8], A, False)]
    assert fetches(machine) == [(B, ["y"])]


def test_what_stands_in_the_queue_of_a_lost_peer_goes_with_it():
    machine = make(fetch_nbytes_max=1)
    inputs = [("x", 7, 10, A), ("y", 8, 10, A), ("z", 9, 10, A, B)]
    handle(machine, run_tasks(("a", 1, [0]), ("b", 2, [1]), ("c", 3, [2]), inputs=inputs))
    first, second = machine.take_commands()
    assert (second.address, second.keys) == (B, ["z"])
    for _ in range(2):
        fail(machine, first)
        tick(machine, machine.wake_s)
        first = fetch_of(machine)
    fail(machine, first)
    missing, returned = machine.take_outbox()
    assert missing == InputsMissing(["x", "y"], [7, 8], A, False)
    assert sorted(returned.keys) == ["a", "b"]
    # When the scheduler names it again, it is asked again after its rest.
    handle(machine, run_tasks(("a", 11, [0]), inputs=inputs[:1]))
    assert fetches(machine) == []
    tick(machine, machine.wake_s)
    assert fetches(machine) == [(A, ["x"])]


def test_answers_to_what_is_over_change_nothing(machine):
    handle(machine, run_tasks(("a", 1, [0]), inputs=[("x", 7, 10, A)]))
    fetch = fetch_of(machine)
    give(machine, fetch)
    machine.take_outbox()
    be_busy(machine, fetch, [[B]])
    fail(machine, fetch)
    give(machine, fetch)
    assert machine.take_outbox() == []
    assert machine.wake_s is None
    assert machine.take().key == "a"


@pytest.mark.parametrize("answer", [be_busy, fail, give])
def test_what_was_put_here_meanwhile_is_not_asked_for_again(machine, answer):
    handle(machine, run_tasks(("a", 1, [0]), inputs=[("x", 0, 10, A)]))
    fetch = fetch_of(machine)
    machine.put("x", "value", 10)
    answer(machine, fetch)
    assert machine.held(["x"])[0].value == "value"
    assert machine.take().key == "a"
    while machine.wake_s is not None:
        tick(machine, machine.wake_s)
    assert fetches(machine) == []


# Limits.


def test_bytes_on_their_way_are_limited_and_the_urgent_are_not_overtaken():
    machine = make(fetch_nbytes_max=60, fetch_nbytes_in_flight_max=100)
    inputs = [("x", 7, 60, A), ("y", 8, 60, B), ("z", 9, 10, C)]
    handle(machine, run_tasks(("a", 1, [0]), ("b", 2, [1]), ("c", 3, [2]), inputs=inputs))
    fetch = fetch_of(machine)
    assert fetch.address == A
    give(machine, fetch)
    assert fetches(machine) == [(B, ["y"]), (C, ["z"])]


def test_one_request_is_always_allowed():
    machine = make(fetch_nbytes_in_flight_max=1)
    inputs = [("x", 7, 60, A), ("y", 8, 60, B)]
    handle(machine, run_tasks(("a", 1, [0]), ("b", 2, [1]), inputs=inputs))
    fetch = fetch_of(machine)
    assert fetch.nbytes == 60
    # What is known of a size may change meanwhile.
    machine.put("x", "other", 999)
    fail(machine, fetch)
    assert fetches(machine) == [(B, ["y"])]


def test_a_request_is_not_larger_than_the_room_that_is_left():
    machine = make(fetch_nbytes_in_flight_max=100)
    inputs = [("x", 7, 60, A), ("y", 8, 30, B), ("z", 9, 30, B)]
    handle(machine, run_tasks(("a", 1, [0]), ("b", 2, [1]), ("c", 3, [2]), inputs=inputs))
    assert fetches(machine) == [(A, ["x"]), (B, ["y"])]


# Short of memory.


def pause(machine):
    machine.memory_sampled(LIMIT)
    check(machine)
    reports = machine.take_outbox()
    assert WorkerPaused(paused=True) in reports
    return [each for each in reports if each != WorkerPaused(paused=True)]


def test_a_paused_worker_fetches_for_one_task_when_it_has_nothing_to_run():
    machine = make(LIMIT)
    pause(machine)
    inputs = [("x", 7, 10, A), ("y", 8, 10, B), ("z", 9, 10, C), ("w", 6, 10, A)]
    handle(machine, run_tasks(("a", 1, [])))
    handle(machine, run_tasks(("b", 2, [0, 1, 3]), ("c", 3, [2]), inputs=inputs))
    assert fetches(machine) == []
    task = machine.take()
    assert fetches(machine) == []
    machine.executed(task, "value", 10, 1.0, 0.5)
    check(machine)
    first, second = machine.take_commands()
    assert (first.keys, second.keys) == (["x"], ["y"])
    give(machine, first)
    give(machine, second)
    give(machine, fetch_of(machine))
    assert fetches(machine) == []
    assert run_one(machine).key == "b"
    assert fetches(machine) == [(C, ["z"])]


def test_a_paused_worker_fetches_for_who_a_seceded_task_waits_for():
    machine = make(LIMIT, threads=1)
    handle(machine, run_tasks(("a", 1, [])))
    outer = machine.take()
    pause(machine)
    handle(machine, run_tasks(("b", 2, [0]), inputs=[("x", 7, 10, A)]))
    assert fetches(machine) == []
    assert machine.secede(outer)
    check(machine)
    give(machine, fetch_of(machine))
    assert run_one(machine).key == "b"


def test_limits_hold_while_the_worker_is_paused():
    machine = make(LIMIT, fetch_connections_max=1)
    pause(machine)
    inputs = [("x", 7, 10, A), ("y", 8, 10, B)]
    handle(machine, run_tasks(("a", 1, [0, 1]), inputs=inputs))
    fetch = fetch_of(machine)
    give(machine, fetch)
    assert fetches(machine) == [(B, ["y"])]


def test_when_the_worker_goes_on_it_fetches_the_rest():
    machine = make(LIMIT)
    pause(machine)
    inputs = [("x", 7, 10, A), ("y", 8, 10, B)]
    handle(machine, run_tasks(("a", 1, [0]), ("b", 2, [1]), inputs=inputs))
    assert fetches(machine) == [(A, ["x"])]
    machine.memory_sampled(0)
    check(machine)
    assert fetches(machine) == [(B, ["y"])]
