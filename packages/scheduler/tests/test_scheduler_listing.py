"""Listing: which tasks are on workers, as values, given to them, or running."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hocket.protocol.messages import (
    ListTasks,
    RequestRefused,
    RunTasks,
    TaskPlace,
    TasksBegun,
    TasksListed,
)

CLIENT = 1000

Make = Callable[..., Any]


def listed(it: Any, place: TaskPlace, *more: Any) -> dict[str, list[str]]:
    it.ask(ListTasks(3, place, *more))
    (answer,) = [one for one in it.turn()[CLIENT] if type(one) is TasksListed]
    assert answer.request == 3
    return dict(zip(answer.addresses, answer.keys, strict=True))


def test_a_task_is_given_then_runs_then_is_held(house: Make) -> None:
    it = house(workers=2, window_tasks_min=1, window_s=0.0)
    it.submit(["a", "b"])
    given = {id_: one for id_, out in it.turn().items() for one in out if isinstance(one, RunTasks)}
    assert listed(it, TaskPlace.ASSIGNED) == {"tcp://w1": ["a"], "tcp://w2": ["b"]}
    assert listed(it, TaskPlace.RUNNING) == {"tcp://w1": [], "tcp://w2": []}
    it.say(1, TasksBegun(["a"], given[1].attempts))
    assert listed(it, TaskPlace.RUNNING) == {"tcp://w1": ["a"], "tcp://w2": []}
    it.done(1, given[1])
    assert listed(it, TaskPlace.ASSIGNED) == {"tcp://w1": [], "tcp://w2": ["b"]}
    assert listed(it, TaskPlace.RUNNING) == {"tcp://w1": [], "tcp://w2": []}
    assert listed(it, TaskPlace.HELD) == {"tcp://w1": ["a"], "tcp://w2": []}


def test_only_some_workers_and_some_keys(house: Make) -> None:
    it = house(workers=2)
    it.put({"a": 1, "b": 1}, 1, 2)
    assert listed(it, TaskPlace.HELD, ["w2"]) == {"tcp://w2": ["a", "b"]}
    assert listed(it, TaskPlace.HELD, ["host1"], ["b", "ghost"]) == {"tcp://w1": ["b"]}


def test_nobody(house: Make) -> None:
    it = house(workers=0)
    assert listed(it, TaskPlace.HELD) == {}
    it.ask(ListTasks(4, TaskPlace.HELD, ["ghost"]))
    (answer,) = it.turn()[CLIENT]
    assert isinstance(answer, RequestRefused)
    assert "ghost" in answer.reason


def test_what_fits_no_message_is_refused(house: Make) -> None:
    it = house(workers=1, answer_nbytes_max=10)
    it.put({"a" * 11: 1}, 1)
    it.ask(ListTasks(4, TaskPlace.HELD))
    (answer,) = it.turn()[CLIENT]
    assert isinstance(answer, RequestRefused)
    assert "fewer workers" in answer.reason
