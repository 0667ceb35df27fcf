"""The scheduler machine, one promise at a time. Every message that it sends is accounted for."""

from __future__ import annotations

import subprocess
import sys
from itertools import pairwise
from typing import Any

import pytest

from hocket.core.errors import InvariantBroken
from hocket.protocol.messages import (
    AbandonTasks,
    CancelTasks,
    ClusterDescribed,
    DescribeCluster,
    DropData,
    DropFunctions,
    EverywhereRan,
    Failure,
    FailureKind,
    ForgetFunctions,
    HereRan,
    InputsMissing,
    KeysLocated,
    KeysLost,
    KeysScattered,
    LocateKeys,
    PlanScatter,
    RecallTasks,
    ReleaseKeys,
    ReplicasStored,
    RequestRefused,
    RetireWorkers,
    RunEverywhere,
    RunHere,
    RunTasks,
    ScatterAccepted,
    ScatterPlanned,
    SubmitTasks,
    TasksBegun,
    TasksCancelled,
    TasksDone,
    TasksErred,
    TasksFailed,
    TasksRejoined,
    TasksRescheduled,
    TasksReturned,
    TasksSeceded,
    TasksStored,
    WaitForWorkers,
    WorkerJoined,
    WorkerLeaving,
    WorkerPaused,
    WorkersReady,
)
from hocket.scheduler import Limits, SchedulerMachine
from hocket.scheduler.invariants import check
from hocket.scheduler.moves import TRANSITIONS, watch

CLIENT = 100


class House:
    """A machine with a client and some workers; every turn is checked."""

    def __init__(self, workers: int = 2, threads: int = 1, **limits: Any) -> None:
        self.machine = SchedulerMachine(Limits(**limits), address="tcp://scheduler")
        self.machine.tables.trace = watch
        self.now_s = 0.0
        self.machine.client_joined(CLIENT, "client")
        for id_ in range(1, workers + 1):
            self.join(id_, threads)

    def join(self, id_: int, threads: int = 1, **more: Any) -> None:
        self.machine.worker_greeted(id_)
        self.say(id_, WorkerJoined(f"w{id_}", f"tcp://w{id_}", f"host{id_}", id_, threads, **more))

    def say(self, id_: int, *messages: Any) -> None:
        assert self.machine.receive(id_, messages, self.now_s) is None
        check(self.machine.tables)

    def turn(self) -> dict[int, list[Any]]:
        out = {
            id_: [message for frame in frames for message in frame]
            for id_, frames in self.machine.turn(self.now_s)
        }
        check(self.machine.tables)
        return out

    def submit(self, keys: list[str], dependencies: Any = (), known: Any = (), **more: Any) -> None:
        count = len(keys)
        more.setdefault("payloads", [b"x"] * count)
        self.say(
            CLIENT,
            SubmitTasks(
                [b"f" * 16],
                ["f"],
                [b"pickle"],
                [*keys, *known],
                [],
                dependencies=list(dependencies),
                ranks=[],
                **more,
            ),
        )

    def done(self, id_: int, key: str, attempt: int, value: bytes | None = None) -> None:
        self.say(id_, TasksDone([key], [attempt], [8], [0.0], [0.01], [value]))

    def state(self, key: str) -> str:
        return self.machine.tables.tasks[key].state


def test_one_task_from_submit_to_value() -> None:
    house = House(workers=1)
    house.submit(["a"])
    out = house.turn()
    assert out == {
        1: [RunTasks([b"f" * 16], ["f"], [b"pickle"], ["a"], [1], [0], [], [b"x"], [], [])]
    }
    house.done(1, "a", 1, b"value")
    assert house.turn() == {CLIENT: [TasksStored(["a"], [8], [b"value"])]}
    house.say(CLIENT, ReleaseKeys(["a"]))
    assert house.turn() == {1: [DropData(["a"], [1])]}
    assert not house.machine.tables.tasks


def test_a_function_is_sent_once_to_each_worker() -> None:
    house = House(workers=1)
    house.submit(["a"])
    house.turn()
    house.submit(["b"])
    (message,) = house.turn()[1]
    assert message.blobs == [None]
    house.say(CLIENT, CancelTasks(["a", "b"]), ForgetFunctions([b"f" * 16]))
    assert house.turn() == {
        1: [AbandonTasks(["a", "b"], [1, 2]), DropFunctions([b"f" * 16])],
        CLIENT: [TasksCancelled(["a", "b"])],
    }


def test_dependents_follow_with_their_inputs() -> None:
    house = House(workers=2)
    house.submit(["a"])
    ((id_, (run,)),) = house.turn().items()
    house.done(id_, "a", 1)
    house.turn()
    house.submit(["b"], [[1]], known=["a"])
    house.say(CLIENT, ReleaseKeys(["a"]))
    (run,) = house.turn()[id_]
    assert run.keys == ["b"]
    assert run.input_keys == ["a"]
    assert run.input_attempts == [1]
    assert run.addresses == [f"tcp://w{id_}"]
    house.done(id_, "b", 2, b"v")
    # The intermediate value goes when the last reader is done.
    assert house.turn() == {
        id_: [DropData(["a"], [1])],
        CLIENT: [TasksStored(["b"], [8], [b"v"])],
    }


def test_a_chain_goes_to_its_worker_in_one_piece() -> None:
    house = House(workers=2)
    house.submit(["a", "b", "c"], [[], [0], [1]], wanted=[2])
    ((id_, (run,)),) = house.turn().items()
    assert run.keys == ["a", "b", "c"]
    assert run.attempts == [1, 2, 3]
    assert run.wanted == [0, 0, 1]
    assert run.inputs == [[], [0], [1]]
    assert run.input_keys == ["a", "b"]
    assert run.input_attempts == [1, 2]
    assert run.input_holders == [[], []]
    house.done(id_, "a", 1)
    assert house.turn() == {}
    house.say(id_, TasksDone(["b", "c"], [2, 3], [8, 8], [0.0] * 2, [0.01] * 2, [None, b"v"]))
    assert house.turn() == {
        id_: [DropData(["a", "b"], [1, 2])],
        CLIENT: [TasksStored(["c"], [8], [b"v"])],
    }


def test_what_went_along_comes_back_with_what_it_waits_for() -> None:
    house = House(workers=2)
    house.submit(["a", "b"], [[], [0]], wanted=[1])
    ((id_, _),) = house.turn().items()
    house.say(id_, TasksReturned(["a", "b"], [1, 2]))
    assert (house.state("a"), house.state("b")) == ("queued", "waiting")
    ((_, (run,)),) = house.turn().items()
    assert run.keys == ["a", "b"]
    assert run.attempts == [3, 4]


def test_a_failure_takes_along_what_went_along() -> None:
    house = House(workers=1)
    house.submit(["a", "b"], [[], [0]], wanted=[1])
    house.turn()
    failure = Failure(FailureKind.RAISED, "a", "no", b"", "w1", 1)
    house.say(1, TasksFailed(["a"], [1], [0.0], [0.0], [failure]))
    out = house.turn()
    assert out[1] == [AbandonTasks(["b"], [2])]
    assert out[CLIENT] == [TasksErred(["b"], [failure])]


def test_siblings_are_made_where_they_are_put_together() -> None:
    house = House(workers=2)
    house.submit(["x"])
    ((id_, _),) = house.turn().items()
    # Their kind is quick and makes much: moving costs more than waiting.
    house.say(id_, TasksDone(["x"], [1], [50_000_000], [0.0], [0.01], []))
    house.say(CLIENT, ReleaseKeys(["x"]))
    house.turn()
    house.submit(["a", "b", "c", "d", "ab", "cd"], [[], [], [], [], [0, 1], [2, 3]], wanted=[4, 5])
    out = house.turn()
    together = sorted(sorted(one.keys) for messages in out.values() for one in messages)
    assert together == [["a", "ab", "b"], ["c", "cd", "d"]]


def test_siblings_are_made_side_by_side_where_little_is_to_be_moved() -> None:
    house = House(workers=2)
    house.submit(["a", "b", "ab"], [[], [], [0, 1]], wanted=[2])
    out = house.turn()
    assert sorted(run.keys for (run,) in out.values()) == [["a"], ["b"]]


def test_many_readers_of_one_value_spread() -> None:
    house = House(workers=2)
    readers = [f"r{one}" for one in range(20)]
    house.submit(["a", *readers], [[], *([0] for _ in readers)])
    ((_, (run,)),) = house.turn().items()
    assert run.keys == ["a"]


def test_a_late_answer_is_dropped_by_its_number() -> None:
    house = House(workers=1)
    house.submit(["a"])
    house.turn()
    house.say(1, TasksReturned(["a"], [1]))
    (run,) = house.turn()[1]
    assert run.attempts == [2]
    house.done(1, "a", 1)
    assert house.state("a") == "assigned"
    assert house.turn() == {1: [DropData(["a"], [1])]}
    house.say(1, TasksFailed(["a"], [1], [0.0], [0.0], [Failure(FailureKind.RAISED, "a", "late")]))
    assert house.state("a") == "assigned"


def test_retries_are_counted() -> None:
    house = House(workers=1)
    house.submit(["a"], retries=1)
    house.turn()
    failure = Failure(FailureKind.RAISED, "a", "boom")
    house.say(1, TasksFailed(["a"], [1], [0.0], [0.0], [failure]))
    (run,) = house.turn()[1]
    assert run.attempts == [2]
    house.say(1, TasksFailed(["a"], [2], [0.0], [0.0], [failure]))
    assert house.turn() == {CLIENT: [TasksErred(["a"], [failure])]}


def test_a_failure_reaches_all_that_depend_on_it() -> None:
    house = House(workers=1)
    house.submit(["a", "b", "c"], [[], [0], [1]])
    house.turn()
    failure = Failure(FailureKind.RAISED, "a", "boom")
    house.say(1, TasksFailed(["a"], [1], [0.0], [0.0], [failure]))
    (erred,) = house.turn()[CLIENT]
    assert sorted(erred.keys) == ["a", "b", "c"]
    assert set(erred.failures) == {failure}


def test_one_key_stands_for_one_task() -> None:
    house = House(workers=1)
    house.submit(["a"])
    house.turn()
    house.submit(["a"], payloads=[b"other"])
    (erred,) = house.turn()[CLIENT]
    assert erred.failures[0].kind is FailureKind.DUPLICATE_KEY
    house.submit(["a"])
    assert house.turn() == {}


def test_an_unknown_dependency_is_named() -> None:
    house = House(workers=1)
    house.submit(["a", "b"], [[2], [0]], known=["ghost"])
    (erred,) = house.turn()[CLIENT]
    assert sorted(erred.keys) == ["a", "b"]
    assert {one.key for one in erred.failures} == {"ghost"}
    house.say(CLIENT, ReleaseKeys(["a", "b"]))
    assert not house.machine.tables.tasks


def test_what_a_dead_worker_held_is_computed_again() -> None:
    house = House(workers=2)
    house.submit(["a", "b"], [[], [0]], wanted=[1])
    ((id_, _),) = house.turn().items()
    house.done(id_, "a", 1)
    house.turn()
    house.done(id_, "b", 2)
    house.turn()
    other = 3 - id_
    house.machine.peer_lost(id_, "killed", house.now_s)
    out = house.turn()
    assert out[CLIENT] == [KeysLost(["b"])]
    (run,) = out[other]
    assert run.keys == ["a", "b"]
    assert run.attempts == [3, 4]


def test_only_tasks_that_ran_are_blamed_for_a_death() -> None:
    house = House(workers=1, allowed_failures_count=2, window_tasks_min=3)
    house.submit(["a", "b", "c"])
    house.turn()
    house.say(1, TasksBegun(["a"], [1]))
    house.machine.peer_lost(1, "killed by signal 9", house.now_s)
    house.join(2)
    (run,) = house.turn()[2]
    house.say(2, TasksBegun(["a"], [run.attempts[0]]))
    house.machine.peer_lost(2, "killed by signal 9", house.now_s)
    (erred,) = house.turn()[CLIENT]
    assert erred.keys == ["a"]
    assert erred.failures[0].kind is FailureKind.WORKER_DIED
    assert erred.failures[0].text == "w1: killed by signal 9\nw2: killed by signal 9"
    assert house.state("b") == house.state("c") == "queued"


def test_who_may_have_run_is_watched_the_next_time() -> None:
    house = House(workers=1, allowed_failures_count=1, window_tasks_min=3)
    house.submit(["a", "b", "c"])
    (run,) = house.turn()[1]
    assert not run.announced
    house.machine.peer_lost(1, "killed by signal 11", house.now_s)
    house.join(2)
    runs = {tuple(one.keys): one.announced for one in house.turn()[2]}
    assert runs == {("a",): True, ("b", "c"): False}
    # This time it had said so before it began, so it cannot have been running.
    house.machine.peer_lost(2, "killed by signal 11", house.now_s)
    house.join(3)
    runs = {tuple(one.keys): one.announced for one in house.turn()[3]}
    assert runs == {("a", "b"): True, ("c",): False}
    house.say(3, TasksBegun(["b"], [8]))
    house.machine.peer_lost(3, "killed by signal 11", house.now_s)
    (erred,) = house.turn()[CLIENT]
    assert erred.keys == ["b"]
    assert house.state("a") == house.state("c") == "queued"


def test_nobody_is_blamed_where_a_worker_was_to_leave() -> None:
    house = House(workers=1, allowed_failures_count=1)
    house.submit(["a"])
    house.turn()
    house.say(1, TasksBegun(["a"], [1]), WorkerLeaving("its time is over"))
    house.machine.peer_lost(1, "gone", house.now_s)
    assert house.state("a") == "queued"


def test_a_retry_rests_and_avoids_the_worker_that_failed() -> None:
    house = House(workers=2)
    house.submit(["a"], retries=2, retry_delay_s=3.0)
    ((first, _),) = house.turn().items()
    failure = Failure(FailureKind.RAISED, "a", "no", b"", "w1", 1)
    house.say(first, TasksFailed(["a"], [1], [0.0], [0.0], [failure]))
    assert house.turn() == {}
    assert house.state("a") == "queued"
    assert house.machine.look_again_s == 3.0
    house.now_s = 2.9
    assert house.turn() == {}
    house.now_s = 3.0
    ((second, _),) = house.turn().items()
    assert second == 3 - first
    house.say(second, TasksFailed(["a"], [2], [0.0], [0.0], [failure]))
    house.now_s = 6.0
    # Both have failed: then any will do.
    assert len(house.turn()) == 1
    house.say(CLIENT, ReleaseKeys(["a"]))
    house.turn()
    assert not house.machine.tables.tasks


def test_what_rests_can_be_cancelled() -> None:
    house = House(workers=1)
    house.submit(["a"], retries=1, retry_delay_s=3.0)
    house.turn()
    failure = Failure(FailureKind.RAISED, "a", "no", b"", "w1", 1)
    house.say(1, TasksFailed(["a"], [1], [0.0], [0.0], [failure]))
    house.say(CLIENT, CancelTasks(["a"]))
    house.now_s = 10.0
    assert house.turn() == {CLIENT: [TasksCancelled(["a"])]}
    assert house.machine.look_again_s is None


def test_a_rescheduled_task_runs_elsewhere_and_is_no_failure() -> None:
    house = House(workers=2)
    house.submit(["a"])
    ((first, _),) = house.turn().items()
    house.say(first, TasksRescheduled(["a"], [1]))
    ((second, (run,)),) = house.turn().items()
    assert second == 3 - first
    assert run.attempts == [2]


def test_a_task_that_seceded_makes_room() -> None:
    house = House(workers=1, window_s=0.0, window_tasks_min=1)
    house.submit(["a", "b"])
    (run,) = house.turn()[1]
    assert run.keys == ["a"]
    house.say(1, TasksSeceded(["a"], [1]))
    (run,) = house.turn()[1]
    assert run.keys == ["b"]
    house.say(1, TasksRejoined(["a"], [1]))
    assert house.turn() == {}
    house.done(1, "a", 1)
    house.done(1, "b", 2)


def test_a_single_task_does_not_wait_for_another_clients_thousands() -> None:
    house = House(workers=2, window_s=0.05, unknown_duration_s=1.0)
    house.submit([f"t{one}" for one in range(1000)])
    running = {id_: run.attempts[0] for id_, (run,) in house.turn().items()}
    house.machine.client_joined(200, "another")
    house.say(
        200,
        SubmitTasks([b"f" * 16], ["f"], [b"pickle"], ["single"], [], [b"x"], [], []),
    )
    # All windows are full, of tasks that come later: it goes all the same, and before them.
    ((id_, (run,)),) = house.turn().items()
    assert run.keys == ["single"]
    tasks = house.machine.tables.tasks
    begun = f"t{running[id_] - 1}"
    waiting = [
        task.priority
        for task in house.machine.tables.workers[id_].assigned
        if task.key not in (begun, "single")
    ]
    assert waiting
    assert all(run.priorities[0] <= priority for priority in waiting)
    assert tasks["single"].priority == run.priorities[0]


def test_long_submissions_count_for_more_than_short_ones() -> None:
    house = House(workers=1)
    house.submit(["a"])
    house.turn()
    house.say(1, TasksDone(["a"], [1], [8], [0.0], [0.5], []))
    house.submit([f"t{one}" for one in range(10)])
    tags = [house.machine.tables.tasks[f"t{one}"].priority for one in range(10)]
    assert {later - earlier for earlier, later in pairwise(tags)} == {500}


def test_a_paused_worker_goes_on_with_one_at_a_time() -> None:
    house = House(workers=1)
    house.say(1, WorkerPaused(True))
    house.submit(["a", "b"])
    (run,) = house.turn()[1]
    assert run.keys == ["a"]
    assert house.turn() == {}
    house.done(1, "a", 1)
    assert house.turn()[1][0].keys == ["b"]


def test_a_paused_worker_gives_back_what_it_has_not_begun() -> None:
    house = House(workers=2)
    house.submit(["a", "b", "c", "d"])
    out = house.turn()
    first = out[1][0]
    house.say(1, TasksBegun(first.keys[:1], first.attempts[:1]), WorkerPaused(True))
    assert house.turn()[1] == [RecallTasks(first.keys[1:], first.attempts[1:])]
    house.say(1, TasksReturned(first.keys[1:], first.attempts[1:]))
    house.say(2, TasksDone(["b", "d"], out[2][0].attempts, [8] * 2, [0.0] * 2, [0.01] * 2, []))
    assert house.turn()[2][-1].keys == first.keys[1:]


def test_tasks_that_only_add_data_are_held_back() -> None:
    house = House(workers=0)
    house.join(1, memory_limit=1000_000)
    house.submit(["a"])
    house.turn()
    # One takes a fifth of the memory.
    house.say(1, TasksDone(["a"], [1], [200_000], [0.0], [0.001], []))
    house.submit([f"t{one}" for one in range(10)])
    (run,) = house.turn()[1]
    assert run.keys == ["t0", "t1"]
    house.say(1, TasksDone(["t0"], [2], [200_000], [0.0], [0.001], []))
    assert house.turn() == {CLIENT: [TasksStored(["t0"], [200_000], [None])]}
    house.say(CLIENT, ReleaseKeys(["a", "t0"]))
    (_, run) = house.turn()[1]
    assert run.keys == ["t2", "t3"][: len(run.keys)]


def test_what_waits_for_memory_lets_others_pass() -> None:
    house = House(workers=0)
    house.join(1, memory_limit=1000_000)
    house.submit(["a"])
    house.turn()
    house.say(1, TasksDone(["a"], [1], [500_000], [0.0], [0.001], []))
    for key in ("running", "small"):
        if key == "small":
            house.submit(["big1", "big2"])
        house.say(CLIENT, SubmitTasks([b"g" * 16], ["g"], [b"pickle"], [key], [], [b"x"], [], []))
        (run,) = (one for one in house.turn()[1] if type(one) is RunTasks)
        assert run.keys == [key]
    assert house.state("big1") == house.state("big2") == "queued"
    # With nothing else to do, somebody goes on.
    house.done(1, "running", 2)
    house.done(1, "small", 3)
    assert house.turn()[1][0].keys == ["big1"]


def test_who_waits_for_what_a_waiting_task_keeps_does_not_count_as_going_on() -> None:
    def submit_large(house: House, key: str) -> list[int]:
        row = [[b"g" * 16], ["g"], [b"pickle"], [key], [], [b"x"], [], []]
        house.say(CLIENT, SubmitTasks(*row))
        (run,) = (one for one in house.turn()[1] if type(one) is RunTasks)
        assert run.keys == [key]
        return run.attempts

    house = House(workers=0)
    house.join(1, 2, memory_limit=1000_000, resources={"GPU": 1.0})
    house.submit(["parent"], resources={"GPU": 1.0})
    house.turn()
    house.say(1, TasksBegun(["parent"], [1]))
    house.submit(["other"], resources={"GPU": 1.0})
    house.turn()
    attempts = submit_large(house, "large")
    house.say(1, TasksDone(["large"], attempts, [900_000], [0.0], [0.001], []))
    # The parent waits for its child, which is large; the other one waits for the parent's device.
    house.say(1, TasksSeceded(["parent"], [1]))
    submit_large(house, "child")


def test_who_must_run_the_children_of_its_tasks_is_not_retired() -> None:
    house = House(workers=1)
    house.submit(["parent"])
    house.turn()
    house.say(1, TasksBegun(["parent"], [1]), TasksSeceded(["parent"], [1]))
    house.say(CLIENT, RetireWorkers(5, ["w1"]))
    house.turn()
    house.submit(["child"])
    out = house.turn()
    out.setdefault(1, house.turn().get(1, []))
    (refused,) = out[CLIENT]
    assert "w1 stays" in refused.reason
    assert [one.keys for one in out[1]] == [["child"]]


def test_eager_mode_gives_out_all_that_is_ready() -> None:
    house = House(workers=2, window_s=float("inf"))
    house.submit([f"t{one}" for one in range(1000)])
    counts = [len(run.keys) for (run,) in house.turn().values()]
    assert counts == [500, 500]


def test_somebody_always_goes_on_however_little_memory_there_is() -> None:
    house = House(workers=0)
    house.join(1, memory_limit=1000)
    house.submit(["a"])
    house.turn()
    house.say(1, TasksDone(["a"], [1], [200_000], [0.0], [0.001], []))
    house.submit(["b", "c"])
    (run,) = house.turn()[1]
    assert run.keys == ["b"]
    house.say(1, TasksDone(["b"], [2], [200_000], [0.0], [0.001], []))
    assert house.turn()[1][0].keys == ["c"]


def test_a_missing_input_is_computed_again() -> None:
    house = House(workers=2)
    house.submit(["a", "b"], [[], [0]], wanted=[1])
    ((id_, _),) = house.turn().items()
    house.done(id_, "a", 1)
    house.turn()
    holder = f"tcp://w{id_}"
    house.say(id_, InputsMissing(["a"], [1], holder, True), TasksReturned(["b"], [2]))
    assert house.state("b") == "waiting"
    runs = [one for each in house.turn().values() for one in each if type(one) is RunTasks]
    assert [one.keys for one in runs] == [["a", "b"]]


def test_an_unreachable_holder_is_given_up_after_a_few_tries() -> None:
    house = House(workers=2)
    house.submit(["a", "b"], [[], [0]], wanted=[1])
    ((id_, _),) = house.turn().items()
    house.done(id_, "a", 1)
    other = 3 - id_
    for _ in range(2):
        house.say(other, InputsMissing(["a"], [1], f"tcp://w{id_}", False))
        assert house.state("a") == "stored"
    house.say(other, InputsMissing(["a"], [1], f"tcp://w{id_}", False))
    assert house.state("a") == "queued"


def test_replicas_are_dropped_with_the_rest() -> None:
    house = House(workers=2)
    house.submit(["a"])
    ((id_, _),) = house.turn().items()
    house.done(id_, "a", 1)
    house.say(3 - id_, ReplicasStored(["a", "unknown"], [1, 7]))
    house.say(CLIENT, LocateKeys(5, ["a", "unknown"]))
    out = house.turn()
    assert out[CLIENT][-1] == KeysLocated(5, [["tcp://w2", "tcp://w1"], []])
    assert out[3 - id_] == [DropData(["unknown"], [7])]
    house.say(CLIENT, ReleaseKeys(["a"]))
    assert house.turn() == {1: [DropData(["a"], [1])], 2: [DropData(["a"], [1])]}


def test_scattered_values_and_their_loss() -> None:
    house = House(workers=1)
    house.say(CLIENT, PlanScatter(1, [10, 20]))
    assert house.turn() == {CLIENT: [ScatterPlanned(1, [["tcp://w1"], ["tcp://w1"]])]}
    house.say(CLIENT, KeysScattered(2, ["d", "e"], [10, 20], [["tcp://w1"], ["tcp://gone"]]))
    out = house.turn()[CLIENT]
    assert out[0] == TasksStored(["d"], [10], [None])
    assert out[1].failures[0].kind is FailureKind.LOST
    assert out[2] == ScatterAccepted(2)
    house.submit(["a"], [[1]], known=["d"])
    house.turn()
    house.machine.peer_lost(1, "killed", house.now_s)
    (erred,) = house.turn()[CLIENT]
    assert sorted(erred.keys) == ["a", "d"]


def test_long_tasks_stay_in_the_queue_and_short_ones_travel_by_the_hundred() -> None:
    house = House(workers=1, window_s=0.1, unknown_duration_s=0.01)
    house.submit([f"t{one}" for one in range(2000)])
    # Nothing is known of their kind, so a few go first.
    (run,) = house.turn()[1]
    count = len(run.keys)
    assert count == 2
    house.say(1, TasksDone(run.keys, run.attempts, [8] * count, [0.0] * count, [1e-4] * count, []))
    (run,) = house.turn()[1]
    assert 500 <= len(run.keys) <= 1000
    slow = TasksDone(
        run.keys,
        run.attempts,
        [8] * len(run.keys),
        [0.0] * len(run.keys),
        [5.0] * len(run.keys),
        [],
    )
    house.say(1, slow)
    (run,) = house.turn()[1]
    assert len(run.keys) == 2


def test_the_end_of_a_queue_is_shared() -> None:
    house = House(workers=2, unknown_duration_s=1e-6)
    house.submit([f"t{one}" for one in range(100)])
    counts = {id_: len(run.keys) for id_, (run,) in house.turn().items()}
    assert sum(counts.values()) < 100
    assert abs(counts[1] - counts[2]) <= 1


def test_restrictions_and_resources() -> None:
    house = House(workers=1)
    house.submit(["here"], workers=["w2"])
    house.submit(["gpu"], resources={"GPU": 1.0})
    assert house.turn() == {}
    house.submit(["anywhere"])
    (run,) = house.turn()[1]
    assert run.keys == ["anywhere"]
    house.join(2, resources={"GPU": 2.0})
    runs = house.turn()[2]
    assert sorted(key for run in runs for key in run.keys) == ["gpu", "here"]
    assert [run.resources for run in runs if run.keys == ["gpu"]] == [{"GPU": 1.0}]


def test_priorities() -> None:
    house = House(workers=0, window_tasks_min=1, window_s=0.0)
    house.submit(["low"], priority=-1)
    house.submit(["usual"])
    house.submit(["high"], priority=1)
    house.join(1)
    (run,) = house.turn()[1]
    assert run.keys == ["high"]
    house.done(1, "high", 1)
    assert [one.keys for one in house.turn()[1]] == [["usual"]]


def test_a_clients_wishes_go_with_it() -> None:
    house = House(workers=1)
    house.submit(["a", "b"], [[], [0]])
    house.turn()
    house.machine.peer_lost(CLIENT, "gone", house.now_s)
    assert house.turn() == {1: [AbandonTasks(["b", "a"], [2, 1]), DropFunctions([b"f" * 16])]}
    assert not house.machine.tables.tasks
    assert not house.machine.tables.kinds


def test_requests() -> None:
    house = House(workers=0)
    house.say(CLIENT, PlanScatter(1, [1]), RunEverywhere(2, b"f", b"p"), WaitForWorkers(3, 2))
    first, second = house.turn()[CLIENT]
    assert isinstance(first, RequestRefused)
    assert isinstance(second, RequestRefused)
    house.join(1)
    house.join(2)
    assert house.turn() == {CLIENT: [WorkersReady(3, 2)]}
    house.say(CLIENT, RunEverywhere(4, b"f", b"p"), DescribeCluster(5))
    out = house.turn()
    assert out[1] == out[2] == [RunHere(1, b"f", b"p")]
    (described,) = out[CLIENT]
    assert isinstance(described, ClusterDescribed)
    assert [one.name for one in described.workers] == ["w1", "w2"]
    house.say(1, HereRan(1, b"v", None))
    house.machine.peer_lost(2, "killed", house.now_s)
    (ran,) = house.turn()[CLIENT]
    assert isinstance(ran, EverywhereRan)
    assert ran.values == [b"v", None]
    assert ran.failures[1] is not None
    assert "killed" in ran.failures[1].text


@pytest.mark.parametrize(
    ("id_", "message"),
    [
        (1, ReleaseKeys(["a"])),
        (CLIENT, TasksDone([], [], [], [], [], [])),
        (9, WorkerJoined("x", "tcp://x", "h", 1, 1)),
        (1, WorkerJoined("x", "tcp://x", "h", 1, 1)),
    ],
)
def test_out_of_turn_is_refused_with_a_reason(id_: int, message: Any) -> None:
    house = House(workers=1)
    reason = house.machine.receive(id_, [message], 0.0)
    assert reason is not None
    assert type(message).__name__ in reason
    check(house.machine.tables)


def test_a_second_worker_of_one_name_is_refused() -> None:
    house = House(workers=1)
    house.machine.worker_greeted(2)
    reason = house.machine.receive(2, [WorkerJoined("w1", "tcp://new", "h", 1, 1)], 0.0)
    assert reason is not None
    assert "w1" in reason


def test_the_table_names_each_move_once() -> None:
    moves = [(one.source, one.target) for one in TRANSITIONS]
    assert len(set(moves)) == len(moves)
    house = House(workers=1)
    house.submit(["a"])
    with pytest.raises(InvariantBroken, match="queued -> stored"):
        house.machine.tables.move(house.machine.tables.tasks["a"], "stored")


def test_the_machine_pulls_in_no_io() -> None:
    code = (
        "import sys, hocket.scheduler;"
        "bad = {'asyncio', 'socket', 'ssl', 'multiprocessing', 'subprocess'};"
        "sys.exit(', '.join(sorted(bad & set(sys.modules))) or 0)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_an_idle_worker_gets_what_another_has_not_begun() -> None:
    house = House(workers=1, window_tasks_min=6, unknown_duration_s=1.0)
    house.submit([f"t{one}" for one in range(6)])
    (run,) = house.turn()[1]
    assert len(run.keys) == 6
    house.join(2)
    # Five have not begun; two workers share them.
    assert house.turn() == {1: [RecallTasks(["t5", "t4", "t3"], [6, 5, 4])]}
    # Of one the worker says nothing: it has begun.
    house.say(1, TasksReturned(["t5", "t4"], [6, 5]))
    (again,) = house.turn()[2]
    assert sorted(again.keys) == ["t4", "t5"]
    house.done(1, "t3", 4)
    assert house.state("t3") == "stored"


def test_a_worker_that_is_silent_too_long_counts_as_loaded() -> None:
    house = House(workers=2, window_tasks_min=4)
    # The class is thought to be quick.
    house.submit([f"q{one}" for one in range(4)])
    for id_, (run,) in house.turn().items():
        count = len(run.keys)
        house.say(
            id_, TasksDone(run.keys, run.attempts, [8] * count, [0.0] * count, [1e-5] * count, [])
        )
    house.submit(["long"])
    ((busy, _),) = [(id_, out) for id_, out in house.turn().items() if id_ != CLIENT]
    house.now_s += 0.3
    house.submit(["a", "b"])
    out = house.turn()
    assert {id_ for id_ in out if id_ != CLIENT} == {3 - busy}


def test_nothing_is_recalled_for_ever() -> None:
    house = House(workers=2, window_s=10.0, unknown_duration_s=1.0, window_tasks_min=10)
    house.submit(["a", "b", "c"], workers=["w1"])
    house.turn()
    house.now_s += 5
    assert house.turn() == {}
    house.submit(["d", "e", "f"], workers=["w1"], allow_other_workers=True)
    house.submit([f"t{one}" for one in range(3)])
    for _ in range(20):
        house.now_s += 1
        for id_, messages in house.turn().items():
            for one in messages:
                if type(one) is RecallTasks:
                    house.say(id_, TasksReturned(one.keys, one.attempts))
    assert all(count <= 2 for count in house.machine.tables.recalls.values())
    assert house.turn() == {}
