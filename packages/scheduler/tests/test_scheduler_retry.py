"""Failed tasks run again when a client wants that, with those that they failed for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hocket.protocol.messages import (
    Failure,
    FailureKind,
    RetryTasks,
    RunTasks,
    TasksErred,
    TasksFailed,
    TasksStored,
)

CLIENT = 1000

Make = Callable[..., Any]


def run_of(out: dict[int, list[Any]]) -> RunTasks:
    (run,) = [one for messages in out.values() for one in messages if type(one) is RunTasks]
    return run


def fail(it: Any, run: RunTasks) -> None:
    failures = [Failure(FailureKind.RAISED, key, "no") for key in run.keys]
    zeros = [0.0] * len(run.keys)
    it.say(1, TasksFailed(run.keys, run.attempts, zeros, zeros, failures))


def failed_chain(house: Make, **more: Any) -> Any:
    """Return a house where b failed, since a did; the client wants only b."""
    it = house(workers=1)
    it.submit(["a", "b"], [[], [0]], wanted=[1], **more)
    fail(it, run_of(it.turn()))
    (erred,) = [one for one in it.turn()[CLIENT] if type(one) is TasksErred]
    assert (erred.keys, erred.failures[0].key) == (["b"], "a")
    return it


def test_what_it_failed_for_runs_again(house: Make) -> None:
    it = failed_chain(house)
    it.ask(RetryTasks(["b"]))
    run = run_of(it.turn())
    assert run.keys[0] == "a"
    it.done(1, RunTasks([], [], [], run.keys[:1], run.attempts[:1], [0], [], [], [], []))
    out = it.turn()
    if len(run.keys) == 1:
        run = run_of(out)
    it.done(1, RunTasks([], [], [], ["b"], run.attempts[-1:], [0], [], [], [], []))
    (stored,) = [one for one in it.turn()[CLIENT] if type(one) is TasksStored]
    assert stored.keys == ["b"]


def test_retries_are_given_anew(house: Make) -> None:
    it = house(workers=1)
    it.submit(["a"], retries=1)
    for _ in range(2):
        # It runs, is retried once, and fails.
        fail(it, run_of(it.turn()))
        fail(it, run_of(it.turn()))
        assert it.tables.tasks["a"].state == "failed"
        assert [type(one) for one in it.turn()[CLIENT]] == [TasksErred]
        it.ask(RetryTasks(["a"]))
    assert run_of(it.turn()).keys == ["a"]


def test_what_has_not_failed_is_told_as_it_is(house: Make) -> None:
    it = house(workers=1)
    it.submit(["a"])
    run = run_of(it.turn())
    it.ask(RetryTasks(["a", "ghost"]))
    (erred,) = it.turn()[CLIENT]
    assert isinstance(erred, TasksErred)
    assert (erred.keys, erred.failures[0].kind) == (["ghost"], FailureKind.UNKNOWN_KEY)
    it.done(1, run)
    it.turn()
    it.ask(RetryTasks(["a"]))
    assert [type(one) for one in it.turn()[CLIENT]] == [TasksStored]


def test_nobody_retries_for_others(house: Make) -> None:
    it = failed_chain(house)
    it.join_client(2000)
    it.say(2000, RetryTasks(["b"]))
    out = it.turn()
    assert [type(one) for one in out[2000]] == [TasksErred]
    assert it.tables.tasks["b"].state == "failed"
