"""Who is given what, and when: windows, company, fairness, memory, and what is asked back."""

from __future__ import annotations

from itertools import pairwise

from scheduler_house import CLIENT, House

from hocket.protocol.messages import (
    AbandonTasks,
    DropData,
    Failure,
    FailureKind,
    RecallTasks,
    ReleaseKeys,
    RetireWorkers,
    RunTasks,
    SubmitTasks,
    TasksBegun,
    TasksDone,
    TasksErred,
    TasksFailed,
    TasksRejoined,
    TasksReturned,
    TasksSeceded,
    TasksStored,
    WorkerPaused,
)


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
