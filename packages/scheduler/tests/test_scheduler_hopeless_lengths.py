"""Lifetimes: what no worker lasts long enough for keeps nobody waiting, of whatever length."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hocket.protocol.messages import RunTasks, SubmitTasks, TasksBegun, TasksDone
from hocket.scheduler.policy.lifetimes import needed_s

Make = Callable[..., Any]


def submit(it: Any, function: str, keys: list[str], **more: Any) -> None:
    digest = function.encode().ljust(16, b".")
    parts = [digest], [function], [b"pickle"], keys, [], [b"x"] * len(keys), [], []
    it.ask(SubmitTasks(*parts, **more))


def begin(it: Any, id_: int, key: str) -> None:
    it.say(id_, TasksBegun([key], [it.tables.tasks[key].attempt]))


def end(it: Any, id_: int, key: str, duration_s: float) -> None:
    it.now_s += duration_s
    it.say(id_, TasksDone([key], [it.tables.tasks[key].attempt], [8], [0.0], [duration_s], []))


def given_to(it: Any) -> dict[str, int]:
    return {
        key: id_
        for id_, messages in it.turn().items()
        for one in messages
        if type(one) is RunTasks
        for key in one.keys
    }


def test_what_was_cut_short_keeps_nobody_waiting_who_has_time(house: Make) -> None:
    it = house(workers=0)
    it.join(1, leaves_in_s=100.0)
    submit(it, "endless", ["a"])
    assert given_to(it) == {"a": 1}
    begin(it, 1, "a")
    it.now_s += 100.0
    it.lose(1)
    it.join(2, leaves_in_s=100.0)
    submit(it, "long", ["known"], workers=["w2"])
    assert given_to(it) == {"known": 2}
    end(it, 2, "known", 80.0)
    submit(it, "long", ["b"])
    # Both are too long for what is left of that one, and about as long as each other.
    assert given_to(it) == {}
    assert needed_s(it.tables, it.tables.tasks["a"]) == 125.0
    it.join(3, leaves_in_s=100.0)
    # The first can never end there; the other can.
    assert given_to(it) == {"b": 3}
    it.join(4, leaves_in_s=200.0)
    assert given_to(it) == {"a": 4}


def test_what_counts_is_how_long_those_last_that_can_run_it(house: Make) -> None:
    it = house(workers=1)
    it.join(2, leaves_in_s=100.0, resources={"GPU": 1.0})
    # Nothing is known of it; its time-out is longer than those live that have GPUs.
    submit(it, "f", ["a"], resources={"GPU": 1.0}, timeout_s=200.0)
    assert given_to(it) == {"a": 2}
