"""Cancelling: what is said to workers, what clients hear, and what a stuck worker gets."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from hocket.protocol.messages import (
    AbandonTasks,
    CancelAnswered,
    CancelOutcome,
    CancelTasks,
    ExplainKeys,
    FailureKind,
    KeysExplained,
    RecallTasks,
    RequestRefused,
    RunTasks,
    TasksErred,
    TasksInterrupted,
    TasksReturned,
    TasksSeceded,
    WantKeys,
)

CLIENT, OTHER = 1000, 1001
NOT_BEGUN, INTERRUPTED, ENDED, GOES_ON, NEEDED = CancelOutcome

Make = Callable[..., Any]


def of(out: dict[int, list[Any]], kind: type) -> list[Any]:
    return [one for messages in out.values() for one in messages if type(one) is kind]


def cancel(it: Any, *keys: str, request: int = 9, **more: Any) -> dict[int, list[Any]]:
    it.say(CLIENT, CancelTasks(list(keys), interrupt=True, request=request, **more))
    out: dict[int, list[Any]] = it.turn()
    return out


def answers(out: dict[int, list[Any]]) -> list[dict[str, tuple[CancelOutcome, str]]]:
    return [
        dict(zip(one.keys, zip(one.outcomes, one.workers, strict=True), strict=True))
        for one in of(out, CancelAnswered)
    ]


def attempts_of(out: dict[int, list[Any]]) -> dict[str, int]:
    return {
        key: attempt
        for run in of(out, RunTasks)
        for key, attempt in zip(run.keys, run.attempts, strict=True)
    }


def name(it: Any, worker: int) -> str:
    found: str = it.machine.tables.workers[worker].name
    return found


def test_what_runs_is_interrupted_and_the_client_hears_of_it(house: Make) -> None:
    it = house(workers=1)
    it.submit(["a"])
    attempt = attempts_of(it.turn())["a"]
    out = cancel(it, "a")
    (abandon,) = of(out, AbandonTasks)
    assert (abandon.keys, abandon.attempts, abandon.interrupt) == (["a"], [attempt], True)
    assert answers(out) == []
    it.say(1, TasksInterrupted(["a"], [attempt], [INTERRUPTED]))
    assert answers(it.turn()) == [{"a": (INTERRUPTED, name(it, 1))}]
    assert not it.machine.tables.workers[1].stopping


def test_who_does_not_ask_hears_nothing(house: Make) -> None:
    it = house(workers=1)
    it.submit(["a"])
    attempt = attempts_of(it.turn())["a"]
    assert answers(cancel(it, "a", request=0)) == []
    it.say(1, TasksInterrupted(["a"], [attempt], [INTERRUPTED]))
    assert answers(it.turn()) == []


def test_what_is_merely_dropped_is_not_interrupted(house: Make) -> None:
    it = house(workers=1)
    it.submit(["a"])
    it.turn()
    it.say(CLIENT, CancelTasks(["a"]))
    (abandon,) = of(it.turn(), AbandonTasks)
    assert abandon.interrupt is False
    assert not it.machine.tables.workers[1].stopping


def test_what_has_no_worker_or_is_over_is_known_at_once(house: Make) -> None:
    it = house(workers=0)
    it.submit(["a", "b"])
    it.turn()
    # (Those that had not begun are not named.)
    assert answers(cancel(it, "a", "unknown")) == [{"unknown": (ENDED, "")}]


def test_what_runs_for_it_alone_is_interrupted_with_it(house: Make) -> None:
    it = house(workers=1)
    it.submit(["a", "b"], [[], [0]], wanted=[1])
    attempts = attempts_of(it.turn())
    out = cancel(it, "b")
    asked = {
        key: attempt
        for one in of(out, AbandonTasks)
        for key, attempt in zip(one.keys, one.attempts, strict=True)
    }
    assert asked == attempts
    for key, attempt in asked.items():
        it.say(1, TasksInterrupted([key], [attempt], [INTERRUPTED if key == "a" else NOT_BEGUN]))
    (answer,) = answers(it.turn())
    assert answer["a"] == (INTERRUPTED, name(it, 1))
    assert "b" not in answer or answer["b"][0] is NOT_BEGUN


def test_what_others_need_goes_on(house: Make) -> None:
    it = house(workers=1)
    it.submit(["a", "b"], [[], [0]])
    it.turn()
    out = cancel(it, "a")
    assert answers(out) == [{"a": (NEEDED, "")}]
    assert of(out, AbandonTasks) == []
    assert it.tables.tasks["a"].state == "assigned"


def test_by_force_it_ends_for_all(house: Make) -> None:
    it = house(workers=1)
    it.join_client(OTHER)
    it.submit(["a", "b"], [[], [0]])
    attempts = attempts_of(it.turn())
    it.say(OTHER, WantKeys(["a"]))
    out = cancel(it, "a", force=True)
    assert {key for one in of(out, AbandonTasks) for key in one.keys} == set(attempts)
    erred = [one for one in out[OTHER] if type(one) is TasksErred]
    assert [one.keys for one in erred] == [["a"]]
    assert erred[0].failures[0].kind is FailureKind.CANCELLED
    assert "b" in [key for one in out[CLIENT] if type(one) is TasksErred for key in one.keys]
    for key, attempt in attempts.items():
        it.say(1, TasksInterrupted([key], [attempt], [INTERRUPTED]))
    (answer,) = answers(it.turn())
    assert answer["a"][0] is INTERRUPTED


def test_the_same_key_submitted_again_is_another_attempt(house: Make) -> None:
    it = house(workers=1)
    it.submit(["a"])
    first = attempts_of(it.turn())["a"]
    it.say(CLIENT, CancelTasks(["a"], interrupt=True, request=9))
    it.submit(["a"])
    out = it.turn()
    second = attempts_of(out)["a"]
    assert second != first
    assert [one.attempts for one in of(out, AbandonTasks)] == [[first]]
    it.say(1, TasksInterrupted(["a"], [first], [INTERRUPTED]))
    assert answers(it.turn()) == [{"a": (INTERRUPTED, name(it, 1))}]
    assert it.tables.tasks["a"].state == "assigned"
    it.done(1, RunTasks([], [], [], ["a"], [second], [0], [], [], [], []))
    assert it.tables.tasks["a"].state == "stored"


def stuck(house: Make, workers: int = 1) -> tuple[Any, int, int]:
    """Return a house whose first worker, with one thread, runs what cannot be interrupted."""
    it = house(workers=workers)
    it.submit(["a"], workers=[name(it, 1)])
    attempt = attempts_of(it.turn())["a"]
    cancel(it, "a")
    it.say(1, TasksInterrupted(["a"], [attempt], [GOES_ON]))
    return it, attempt, 1


def test_what_cannot_be_interrupted_is_told_once(house: Make) -> None:
    it, attempt, worker = stuck(house)
    assert answers(it.turn()) == [{"a": (GOES_ON, name(it, 1))}]
    it.say(worker, TasksInterrupted(["a"], [attempt], [ENDED]))
    assert answers(it.turn()) == []
    assert not it.machine.tables.workers[worker].stuck


def test_its_slot_is_not_given_to_others(house: Make) -> None:
    it, attempt, worker = stuck(house)
    it.turn()
    it.submit(["b"])
    assert attempts_of(it.turn()) == {}
    it.say(CLIENT, ExplainKeys(3, ["b", "a"]))
    (explained,) = of(it.turn(), KeysExplained)
    of_b, of_a = explained.explanations
    assert "cannot be interrupted where they are: 'a'" in of_b.refusals[0]
    assert "keeps its slot" in of_a.text
    it.say(worker, TasksInterrupted(["a"], [attempt], [INTERRUPTED]))
    assert "b" in attempts_of(it.turn())


def test_what_stood_behind_it_is_asked_back(house: Make) -> None:
    it = house(workers=1)
    it.submit(["a", "b"])
    attempts = attempts_of(it.turn())
    cancel(it, "a")
    it.say(1, TasksInterrupted(["a"], [attempts["a"]], [GOES_ON]))
    out = it.turn()
    assert [one.keys for one in of(out, RecallTasks)] == [["b"]]
    it.join(2)
    it.say(1, TasksReturned(["b"], [attempts["b"]]))
    out = it.turn()
    assert [one.keys for one in out[2] if type(one) is RunTasks] == [["b"]]


def test_one_that_has_seceded_keeps_no_thread(house: Make) -> None:
    it = house(workers=1)
    it.submit(["a"])
    attempt = attempts_of(it.turn())["a"]
    it.say(1, TasksSeceded(["a"], [attempt]))
    cancel(it, "a")
    it.say(1, TasksInterrupted(["a"], [attempt], [GOES_ON]))
    it.submit(["b"])
    assert "b" in attempts_of(it.turn())


@pytest.mark.parametrize("outcome", [None, GOES_ON])
def test_with_its_worker_it_ends(house: Make, outcome: CancelOutcome | None) -> None:
    it = house(workers=1)
    it.submit(["a"])
    attempt = attempts_of(it.turn())["a"]
    worker = name(it, 1)
    cancel(it, "a")
    if outcome is not None:
        it.say(1, TasksInterrupted(["a"], [attempt], [outcome]))
    it.lose(1)
    assert answers(it.turn()) == [{"a": (outcome or INTERRUPTED, worker)}]


def test_clients_that_are_gone_hear_nothing(house: Make) -> None:
    it = house(workers=1)
    it.submit(["a"])
    attempt = attempts_of(it.turn())["a"]
    cancel(it, "a")
    it.lose(CLIENT)
    it.say(1, TasksInterrupted(["a"], [attempt], [INTERRUPTED]))
    assert answers(it.turn()) == []
    assert not it.machine.cancelling.is_waiting


def test_what_a_worker_was_not_asked_is_passed_over(house: Make) -> None:
    it = house(workers=1)
    it.say(1, TasksInterrupted(["a"], [7], [GOES_ON]))
    assert not it.machine.tables.workers[1].stuck


def test_an_answer_that_is_too_long_is_refused(house: Make) -> None:
    it = house(workers=1, answer_nbytes_max=100)
    keys = [f"{number:050}" for number in range(5)]
    (refused,) = of(cancel(it, *keys), RequestRefused)
    assert refused.request == 9
    assert "5 of them" in refused.reason
