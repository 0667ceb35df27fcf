"""The scheduler machine, one promise at a time. Every message that it sends is accounted for."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest
from scheduler_house import CLIENT, House

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
    ReleaseKeys,
    ReplicasStored,
    RequestRefused,
    RunEverywhere,
    RunHere,
    RunTasks,
    ScatterAccepted,
    ScatterPlanned,
    TasksBegun,
    TasksCancelled,
    TasksDone,
    TasksErred,
    TasksFailed,
    TasksRescheduled,
    TasksReturned,
    TasksStored,
    WaitForWorkers,
    WorkerJoined,
    WorkerLeaving,
    WorkersReady,
)
from hocket.scheduler.invariants import check
from hocket.scheduler.moves import TRANSITIONS


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
