"""Lifetimes: nobody is given a task that is not expected to end before its worker leaves.

The machine is the real one. What a test knows of how long the tasks of a function run it tells as
a worker would, by ending one of them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hocket.protocol.messages import (
    ClusterDescribed,
    DescribeCluster,
    ExplainKeys,
    KeysExplained,
    RecallTasks,
    RunTasks,
    SubmitTasks,
    TasksBegun,
    TasksDone,
    WorkerJoined,
    WorkerLeaving,
)
from hocket.scheduler import Limits, SchedulerMachine
from hocket.scheduler.invariants import check
from hocket.scheduler.policy.lifetimes import length_of, needed_s, outlasts
from hocket.scheduler.state.worker import ENDLESS_S

Make = Callable[..., Any]
CLIENT = 1000


def digest(function: str) -> bytes:
    return function.encode().ljust(16, b".")


def submit(it: Any, function: str, keys: list[str], **more: Any) -> None:
    payloads = [b"x"] * len(keys)
    parts = [digest(function)], [function], [b"pickle"], keys, [], payloads, [], []
    it.ask(SubmitTasks(*parts, **more))


def end(it: Any, id_: int, key: str, duration_s: float) -> None:
    """Let a worker end a task after so long."""
    it.now_s += duration_s
    attempt = it.tables.tasks[key].attempt
    it.say(id_, TasksDone([key], [attempt], [8], [0.0], [duration_s], []))


def teach(it: Any, id_: int, function: str, duration_s: float) -> None:
    """Let it be known how long the tasks of a function run."""
    submit(it, function, [f"{function}-known"], workers=[f"w{id_}"])
    it.turn()
    assert it.tables.tasks[f"{function}-known"].worker.id == id_
    end(it, id_, f"{function}-known", duration_s)
    it.turn()


def given_to(it: Any, out: dict[int, list[Any]]) -> dict[str, int]:
    return {
        key: id_
        for id_, messages in out.items()
        for one in messages
        if type(one) is RunTasks
        for key in one.keys
    }


def why(it: Any, key: str) -> Any:
    it.ask(ExplainKeys(3, [key]))
    (answer,) = [one for one in it.turn()[CLIENT] if type(one) is KeysExplained]
    return answer.explanations[0]


def test_a_task_goes_where_it_can_end(house: Make) -> None:
    it = house(workers=0)
    it.join(1, leaves_in_s=200.0)
    it.join(2, leaves_in_s=3600.0)
    teach(it, 1, "long", 100.0)
    submit(it, "long", ["a"])
    # Of its 200 s the first one has 100 left, less what this took: it would just do.
    assert given_to(it, it.turn()) == {"a": 1}
    submit(it, "long", ["b"])
    it.now_s += 0.001
    # Behind that one there is no time for another.
    assert given_to(it, it.turn()) == {"b": 2}


def test_the_time_that_is_left_counts_and_not_the_time_told(house: Make) -> None:
    it = house(workers=0)
    it.join(1, leaves_in_s=200.0)
    it.join(2, leaves_in_s=3600.0)
    teach(it, 1, "long", 100.0)
    it.now_s += 1.0
    submit(it, "long", ["a", "b"])
    assert given_to(it, it.turn()) == {"a": 2, "b": 2}


def test_what_is_too_long_for_all_waits_and_keeps_nobody_waiting(house: Make) -> None:
    it = house(workers=0)
    it.join(1, leaves_in_s=1000.0)
    teach(it, 1, "long", 600.0)
    teach(it, 1, "short", 0.5)
    submit(it, "long", [f"l{one}" for one in range(500)])
    submit(it, "short", ["s"])
    assert given_to(it, it.turn()) == {"s": 1}
    end(it, 1, "s", 0.5)
    submit(it, "short", ["t"])
    assert given_to(it, it.turn()) == {"t": 1}
    # Somebody comes who lasts.
    it.join(2, leaves_in_s=10_000.0)
    assert set(given_to(it, it.turn()).values()) == {2}


def test_more_than_are_sorted_in_one_turn(house: Make) -> None:
    it = house(workers=0)
    it.join(1, leaves_in_s=1000.0)
    teach(it, 1, "long", 600.0)
    teach(it, 1, "short", 0.5)
    submit(it, "long", [f"l{one}" for one in range(2500)])
    submit(it, "short", ["s"])
    outs = [given_to(it, it.turn()) for _ in range(3)]
    assert outs == [{}, {}, {"s": 1}]


def test_what_a_worker_got_before_its_length_was_known_counts_too(house: Make) -> None:
    it = house(workers=0)
    it.join(1, leaves_in_s=50.0)
    submit(it, "f", ["a", "b", "c"])
    assert given_to(it, it.turn()) == {"a": 1, "b": 1}
    end(it, 1, "a", 20.0)
    # 30 s are left, and the second one takes 20.
    assert given_to(it, it.turn()) == {}
    assert "it has other work for about 20 s" in why(it, "c").refusals[0]


def test_what_has_run_already_need_not_be_waited_for(house: Make) -> None:
    it = house(workers=0)
    it.join(1, leaves_in_s=1000.0)
    teach(it, 1, "long", 300.0)
    submit(it, "long", ["a"])
    it.turn()
    it.say(1, TasksBegun(["a"], [it.tables.tasks["a"].attempt]))
    it.now_s += 290.0
    # 410 s are left: ten for that, and 300 for this.
    submit(it, "long", ["b"])
    assert given_to(it, it.turn()) == {"b": 1}


def test_a_thread_that_is_free_begins_at_once(house: Make) -> None:
    it = house(workers=0)
    it.join(1, threads=2, leaves_in_s=1000.0)
    teach(it, 1, "long", 400.0)
    submit(it, "long", ["a", "b"])
    assert given_to(it, it.turn()) == {"a": 1, "b": 1}


def test_why_says_who_would_not_last(house: Make) -> None:
    it = house(workers=0)
    it.join(1, leaves_in_s=1000.0)
    teach(it, 1, "long", 600.0)
    submit(it, "long", ["a"])
    it.turn()
    told = why(it, "a")
    assert told.state == "queued"
    assert "it waits for a worker that lasts longer" in told.text
    assert "tasks of its kind (long) run for about 10 min" in told.text
    (refusal,) = told.refusals
    assert "it leaves in 6.67 min" in refusal


def test_why_says_what_other_work_is_before_it(house: Make) -> None:
    it = house(workers=0)
    it.join(1, leaves_in_s=1000.0)
    teach(it, 1, "long", 300.0)
    submit(it, "long", ["a", "b", "c"])
    assert given_to(it, it.turn()) == {"a": 1, "b": 1}
    told = why(it, "c")
    assert "it waits for room" in told.text
    assert "it has other work for about 10 min" in told.refusals[0]


def test_what_is_not_known_to_be_long_may_go(house: Make) -> None:
    it = house(workers=0)
    it.join(1, leaves_in_s=10.0)
    submit(it, "f", ["a"])
    assert given_to(it, it.turn()) == {"a": 1}


def test_nothing_goes_where_the_time_is_over(house: Make) -> None:
    it = house(workers=0)
    it.join(1, leaves_in_s=10.0)
    it.now_s = 10.5
    submit(it, "f", ["a"])
    assert given_to(it, it.turn()) == {}
    assert "it leaves in 0" in why(it, "a").refusals[0]


def test_a_time_out_is_the_most_that_a_task_can_need(house: Make) -> None:
    it = house(workers=0)
    it.join(1, leaves_in_s=1000.0)
    it.join(2, leaves_in_s=9000.0)
    teach(it, 2, "long", 600.0)
    submit(it, "long", ["a"], timeout_s=50.0, workers=["w1"])
    assert given_to(it, it.turn()) == {"a": 1}
    # Nothing is known of this one but its time-out: it goes where it has so much time.
    submit(it, "new", ["b"], timeout_s=600.0)
    assert given_to(it, it.turn()) == {"b": 2}
    # Nobody has that much, and it may need much less.
    it.join(3, leaves_in_s=100.0)
    submit(it, "newer", ["c"], timeout_s=90_000.0, workers=["w3"])
    assert given_to(it, it.turn()) == {"c": 3}


def test_what_seems_longer_than_any_life_may_try_on_a_fresh_worker(house: Make) -> None:
    it = house(workers=0)
    it.join(1, leaves_in_s=10_000.0)
    teach(it, 1, "long", 1500.0)
    it.lose(1)
    it.now_s += 1.0
    it.join(2, leaves_in_s=1000.0)
    submit(it, "long", ["a"])
    assert given_to(it, it.turn()) == {"a": 2}
    # What seems to be many times as long does not.
    it.lose(2)
    it.join(3, leaves_in_s=500.0)
    assert given_to(it, it.turn()) == {}


def test_a_task_that_was_cut_short_goes_where_it_is_not(house: Make) -> None:
    it = house(workers=0)
    it.join(1, leaves_in_s=100.0)
    submit(it, "f", ["a"])
    it.turn()
    it.say(1, TasksBegun(["a"], [it.tables.tasks["a"].attempt]))
    it.now_s += 100.0
    it.say(1, WorkerLeaving("its time is over"))
    it.now_s += 20.0
    it.lose(1)
    it.join(2, leaves_in_s=100.0)
    assert given_to(it, it.turn()) == {}
    assert "it ran for 2 min where the worker had to end" in why(it, "a").text
    it.join(3, leaves_in_s=151.0)
    assert given_to(it, it.turn()) == {"a": 3}


def test_a_death_before_the_time_is_no_cutting_short(house: Make) -> None:
    it = house(workers=0)
    it.join(1, leaves_in_s=1000.0)
    submit(it, "f", ["a"])
    it.turn()
    it.say(1, TasksBegun(["a"], [it.tables.tasks["a"].attempt]))
    it.now_s += 900.0
    it.lose(1)
    it.join(2, leaves_in_s=100.0)
    assert given_to(it, it.turn()) == {"a": 2}


def test_the_end_of_a_life_is_nobodys_fault(house: Make) -> None:
    it = house(workers=0)
    submit(it, "f", ["a"])
    for id_ in range(1, 10):
        it.join(id_, leaves_in_s=100.0 * 2**id_)
        assert given_to(it, it.turn()) == {"a": id_}
        it.say(id_, TasksBegun(["a"], [it.tables.tasks["a"].attempt]))
        it.now_s += 101.0 * 2**id_
        # (Killed before it could say that it leaves.)
        it.lose(id_)
        assert it.tables.tasks["a"].state == "queued"


def test_nothing_is_taken_back_for_somebody_who_leaves_soon(house: Make) -> None:
    it = house(workers=1)
    teach(it, 1, "long", 60.0)
    submit(it, "long", ["a", "b"])
    assert given_to(it, it.turn()) == {"a": 1, "b": 1}
    it.join(2, leaves_in_s=50.0)
    it.now_s += 1.0
    assert not any(type(one) is RecallTasks for one in it.turn().get(1, ()))
    it.join(3, leaves_in_s=5000.0)
    it.now_s += 1.0
    assert any(type(one) is RecallTasks for one in it.turn().get(1, ()))


def test_followers_stay_behind_where_there_is_no_time_for_them(house: Make) -> None:
    it = house(workers=0)
    it.join(1, leaves_in_s=10_000.0)
    it.join(2, leaves_in_s=10_000.0)
    teach(it, 1, "second", 800.0)
    it.lose(2)
    it.now_s = 9500.0
    parts = [digest("first"), digest("second")], ["first", "second"], [b"p", b"q"]
    it.ask(SubmitTasks(*parts, ["a", "b"], [0, 1], [b"x", b"y"], [[], [0]], []))
    assert given_to(it, it.turn()) == {"a": 1}
    end(it, 1, "a", 1.0)
    assert given_to(it, it.turn()) == {}
    it.join(3, leaves_in_s=10_000.0)
    assert given_to(it, it.turn()) == {"b": 3}


def test_actors_rather_live_where_no_end_is_known(house: Make) -> None:
    it = house(workers=0)
    slots = {"actors": 4}
    it.join(1, leaves_in_s=10_000.0, executors=slots)
    it.join(2, executors=slots)
    submit(it, "Counter", ["a", "b", "c"], executor="actors")
    assert set(given_to(it, it.turn()).values()) == {2}


def test_who_knows_of_an_end_is_described_so(house: Make) -> None:
    it = house(workers=1)
    it.join(2, leaves_in_s=100.0)
    it.now_s += 40.0
    it.ask(DescribeCluster(1))
    (told,) = [one for one in it.turn()[CLIENT] if type(one) is ClusterDescribed]
    assert [worker.leaves_in_s for worker in told.workers] == [None, 60.0]


@pytest.mark.parametrize("needed", [0.0, 0.99, 1.0, 1.99, 2.0, 1000.0])
def test_lengths_double(house: Make, needed: float) -> None:
    it = house(workers=1)
    submit(it, "f", ["a"], timeout_s=needed)
    task = it.tables.tasks["a"]
    assert needed_s(it.tables, task) == needed
    length = length_of(it.tables, task)
    assert length == 0 if needed < 1 else 2 ** (length - 1) <= needed < 2**length


class Model:
    """Workers with ends that run what they are given, one after the other, exactly so long."""

    def __init__(self, lives_s: list[float], durations_s: list[float]) -> None:
        self.machine = SchedulerMachine(Limits(window_s=30.0))
        self.tables = self.machine.tables
        self.now_s = 0.0
        self.ends_s: dict[int, float] = {}
        self.todo: dict[int, list[tuple[str, int]]] = {}
        self.durations_s = durations_s
        self.machine.client_joined(CLIENT, "client")
        for id_, life_s in enumerate(lives_s, 1):
            self.join(id_, life_s)

    def join(self, id_: int, life_s: float) -> None:
        self.machine.worker_greeted(id_)
        leaves_in_s = None if life_s == ENDLESS_S else life_s
        joined = WorkerJoined(f"w{id_}", f"tcp://w{id_}", "h", id_, 1, leaves_in_s=leaves_in_s)
        self.say(id_, joined)
        self.ends_s[id_] = self.now_s + life_s
        self.todo[id_] = []

    def say(self, id_: int, message: Any) -> None:
        assert self.machine.receive(id_, [message], self.now_s) is None
        check(self.tables)

    def turn(self) -> None:
        for id_, frames in self.machine.turn(self.now_s):
            for message in (one for frame in frames for one in frame):
                if type(message) is RunTasks:
                    self.todo[id_] += zip(message.keys, message.attempts, strict=True)
        check(self.tables)

    def submit(self) -> None:
        functions = [f"f{one}" for one in range(len(self.durations_s))]
        keys = [f"{function}-{number}" for number in range(6) for function in functions]
        kinds = [index for _ in range(6) for index in range(len(functions))]
        parts = [digest(one) for one in functions], functions, [b"p"] * len(functions)
        self.say(CLIENT, SubmitTasks(*parts, keys, kinds, [b"x"] * len(keys), [], []))

    def step(self) -> bool:
        """Let whoever is first end its task; return whether there was one."""
        self.turn()
        busy = [(self._duration_s(todo[0][0]), id_) for id_, todo in self.todo.items() if todo]
        if not busy:
            return False
        duration_s, id_ = min(busy)
        key, attempt = self.todo[id_].pop(0)
        self.now_s += duration_s
        self.say(id_, TasksDone([key], [attempt], [8], [0.0], [duration_s], []))
        return True

    def _duration_s(self, key: str) -> float:
        return self.durations_s[int(key.split("-", maxsplit=1)[0][1:])]


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.sampled_from([5.0, 60.0, 600.0, ENDLESS_S]), min_size=1, max_size=4),
    st.lists(st.sampled_from([0.01, 1.5, 20.0, 100.0]), min_size=1, max_size=3),
)
def test_no_known_task_is_given_to_who_would_not_end_it(
    lives_s: list[float], durations_s: list[float]
) -> None:
    it = Model(lives_s, durations_s)
    known = it.machine.tables

    def see(task: Any, _source: str, target: str) -> None:
        if target == "assigned":
            assert outlasts(known, task.worker, task)

    it.tables.trace = see
    it.submit()
    while it.step():
        pass
    # Whatever is left waits for time, and is done when somebody has enough.
    it.join(99, ENDLESS_S)
    while it.step():
        pass
    assert {task.state for task in it.tables.tasks.values()} == {"stored"}
