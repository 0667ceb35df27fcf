"""Coordination within the whole machine: attempts that end, and futures in queues."""

from __future__ import annotations

from typing import Any

import pytest

from hocket.protocol.messages import (
    AcquireLocks,
    Denial,
    Failure,
    FailureKind,
    GrantGiven,
    GrantsRevoked,
    ItemsGiven,
    ItemsReceived,
    KeysScattered,
    PutItem,
    ReleaseKeys,
    RequestDenied,
    RequestDone,
    SetVariable,
    TakeItems,
    TasksFailed,
    WantKeys,
)
from hocket.scheduler.coordination.invariants import check

CODE = 2000


@pytest.fixture
def running(house: Any) -> Any:
    """A machine with a task "t" that runs on w1 and has acquired the lock "a"."""
    place = house(workers=1)
    # What code inside of tasks talks by.
    place.join_client(CODE)
    place.submit(["t"], retries=1)
    (run,) = place.turn()[1]
    place.run = run
    place.say(CODE, AcquireLocks(1, ["a"], 1, "t", run.attempts[0]))
    place.ask(AcquireLocks(7, ["a"], 1))
    assert type(place.turn()[CODE][0]) is GrantGiven
    return place


def ends(place: Any) -> None:
    """Check that the lock is taken back from the task, and goes to who waits."""
    out = place.turn()
    assert [type(one) for one in out[CODE]] == [GrantsRevoked]
    assert any(type(one) is GrantGiven for one in out[place.CLIENT])
    check(place.machine.coordination)


def test_a_task_that_ends_holding_a_lock_loses_it(running: Any) -> None:
    running.done(1, running.run)
    ends(running)


def test_a_task_that_fails_loses_its_lock(running: Any) -> None:
    run = running.run
    failure = Failure(FailureKind.RAISED, "t", "ValueError")
    running.say(1, TasksFailed(run.keys, run.attempts, [0.0], [0.1], [failure]))
    ends(running)


def test_a_worker_that_dies_takes_no_lock_along(running: Any) -> None:
    running.lose(1)
    ends(running)


def test_a_task_that_nobody_wants_any_more_loses_its_lock(running: Any) -> None:
    running.ask(ReleaseKeys(["t"]))
    ends(running)


def test_a_late_request_of_an_attempt_that_is_over_is_denied(running: Any) -> None:
    attempt = running.run.attempts[0]
    running.done(1, running.run)
    running.say(CODE, AcquireLocks(2, ["b"], 1, "t", attempt))
    denied = running.turn()[CODE][0]
    assert isinstance(denied, RequestDenied)
    assert denied.kind is Denial.TASK_OVER


def test_the_session_of_the_code_in_tasks_holds_too(running: Any) -> None:
    running.lose(CODE)
    assert any(type(one) is GrantGiven for one in running.turn()[running.CLIENT])


def test_a_future_in_a_queue_keeps_its_value(house: Any) -> None:
    place = house(workers=1)
    place.join_client(CODE)
    place.put({"x": 8}, 1)
    place.ask(PutItem(1, "q", b"v", ["x"]))
    place.ask(ReleaseKeys(["x"]))
    place.turn()
    assert place.holders("x") == [1]
    place.say(CODE, TakeItems(1, "q", 1, 1))
    (given,) = place.turn()[CODE]
    assert given == ItemsGiven(1, [b"v"], [["x"]])
    place.say(CODE, WantKeys(["x"]), ItemsReceived(1, True))
    place.turn()
    assert place.holders("x") == [1]
    place.say(CODE, ReleaseKeys(["x"]))
    assert not place.tables.tasks


def test_a_future_in_a_variable_is_computed_though_its_client_is_gone(house: Any) -> None:
    place = house(workers=1)
    place.submit(["t"])
    place.ask(SetVariable(1, "v", b"v", ["t"]))
    (run,) = place.turn()[1]
    place.lose(place.CLIENT)
    place.clients.discard(place.CLIENT)
    place.done(1, run)
    place.turn()
    assert place.holders("t") == [1]
    place.join_client(CODE)
    place.say(CODE, SetVariable(2, "v", None))
    place.turn()
    assert not place.tables.tasks


def test_a_future_in_a_queue_that_is_lost_is_computed_again(house: Any) -> None:
    place = house(workers=2)
    place.submit(["t"])
    out = place.turn()
    ((id_, (run,)),) = ((id_, one) for id_, one in out.items() if id_ in (1, 2))
    place.done(id_, run)
    place.ask(PutItem(1, "q", b"v", ["t"]))
    place.ask(ReleaseKeys(["t"]))
    place.lose(id_)
    out = place.turn()
    assert out[3 - id_][0].keys == ["t"]
    assert type(out[place.CLIENT][-1]) is RequestDone
    place.ask(KeysScattered(9, ["y"], [1], [[f"tcp://w{3 - id_}"]]))
    place.ask(SetVariable(2, "v", b"v", ["y"]))
    place.lose(3 - id_)
    place.turn()
    assert place.tables.tasks["y"].state == "failed"
