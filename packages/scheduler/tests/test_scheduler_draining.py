"""Workers that are to end: by their own wish, or a client's."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hocket.protocol.messages import (
    CopiesFailed,
    CopyData,
    DropData,
    HereRan,
    KeysReplicated,
    KeysScattered,
    LeaveCluster,
    PlanScatter,
    RecallTasks,
    ReleaseKeys,
    ReplicasStored,
    ReplicateKeys,
    RequestRefused,
    RetireWorkers,
    RunEverywhere,
    RunTasks,
    ScatterPlanned,
    TasksBegun,
    TasksReturned,
    TasksSeceded,
    WorkerLeaving,
    WorkerPaused,
    WorkersRetired,
)

CLIENT = 1000
OVERHEAD = 64 * 2**10

Make = Callable[..., Any]


def leaves(out: dict[int, list[Any]]) -> list[int]:
    """Return the workers that are told to leave."""
    return sorted(
        id_ for id_, some in out.items() if any(type(one) is LeaveCluster for one in some)
    )


def test_a_worker_with_nothing_leaves_at_once(house: Make) -> None:
    it = house(workers=2)
    it.say(1, WorkerLeaving("its time is over"))
    assert it.turn() == {1: [LeaveCluster("its time is over")]}
    # It is said once.
    it.say(1, WorkerLeaving("again"))
    assert it.turn() == {}
    it.submit(["a"])
    assert list(it.turn()) == [2]


def test_what_it_alone_holds_moves_first(house: Make) -> None:
    it = house(workers=3)
    it.put({"a": 100, "b": 100}, 1)
    it.put({"c": 100}, 1, 2)
    it.say(1, WorkerLeaving(""))
    out = it.turn()
    assert sorted(key for some in out.values() for key in some[0].keys) == ["a", "b"]
    assert leaves(out) == []
    it.copied(out)
    assert it.turn() == {1: [LeaveCluster("it asked to leave")]}
    it.lose(1, "left")
    assert it.turn() == {}
    assert it.holders("a") + it.holders("b") in ([2, 3], [3, 2])


def test_it_gives_back_what_it_has_not_begun_and_ends_what_it_has(house: Make) -> None:
    it = house(workers=1)
    it.submit(["a", "b"])
    (run,) = it.turn()[1]
    it.say(1, TasksBegun(["a"], run.attempts[:1]))
    it.join(2)
    it.ask(RetireWorkers(7, ["w1"]))
    assert it.turn() == {1: [RecallTasks(["b"], run.attempts[1:])]}
    it.say(1, TasksReturned(["b"], run.attempts[1:]))
    out = it.turn()
    assert out[2][0].keys == ["b"]
    it.done(1, RunTasks([], [], [], ["a"], run.attempts[:1], [0], [], [], [], []), nbytes=50)
    # What it makes while it drains moves as well.
    out = it.turn()
    assert out[2][-1] == CopyData(["a"], run.attempts[:1], [50], [[0]], ["tcp://w1"])
    it.copied(out)
    out = it.turn()
    assert leaves(out) == [1]
    assert CLIENT not in out
    it.lose(1, "left")
    assert it.turn() == {CLIENT: [WorkersRetired(7, ["w1"])]}


def test_what_is_made_during_the_drain_moves_before_all_has_ended(house: Make) -> None:
    it = house(workers=2, threads=2)
    it.submit(["a", "b"], workers=["w1"])
    (run,) = it.turn()[1]
    it.say(1, TasksBegun(run.keys, run.attempts), WorkerLeaving(""))
    it.turn()
    it.done(1, RunTasks([], [], [], ["a"], run.attempts[:1], [0], [], [], [], []))
    assert it.copied(it.turn()) == {2: ["a"]}
    assert leaves(it.turn()) == []


def test_a_task_that_seceded_is_waited_for(house: Make) -> None:
    it = house(workers=2)
    it.submit(["a"])
    ((id_, (run,)),) = it.turn().items()
    it.say(id_, TasksBegun(["a"], run.attempts), TasksSeceded(["a"], run.attempts))
    it.say(id_, WorkerLeaving(""))
    assert it.turn() == {}
    it.done(id_, run)
    out = it.turn()
    assert list(it.copied(out)) == [3 - id_]
    assert leaves(it.turn()) == [id_]


def test_the_last_worker_leaves_although_nobody_takes_what_it_holds(house: Make) -> None:
    it = house(workers=1)
    it.submit(["a"])
    (run,) = it.turn()[1]
    it.done(1, run)
    it.turn()
    it.say(1, WorkerLeaving(""))
    assert leaves(it.turn()) == [1]
    it.lose(1, "left")
    it.join(2)
    # It is made again.
    assert [one.keys for one in it.turn()[2]] == [["a"]]


def test_who_ends_by_its_own_wish_waits_for_memory(house: Make) -> None:
    it = house(workers=1)
    it.join(2, memory_limit=1000)
    it.put({"a": 700}, 1)
    it.put({"b": 500}, 2)
    it.say(1, WorkerLeaving("SIGTERM"))
    assert it.turn() == {}
    it.ask(ReleaseKeys(["b"]))
    assert it.copied(it.turn()) == {2: ["a"]}
    assert leaves(it.turn()) == [1]


def test_it_does_not_wait_for_memory_that_nobody_has(house: Make) -> None:
    it = house(workers=1)
    it.join(2, memory_limit=1000)
    it.put({"a": 900}, 1)
    it.say(1, WorkerLeaving("SIGTERM"))
    assert leaves(it.turn()) == [1]


def test_who_comes_in_time_takes_what_nobody_took(house: Make) -> None:
    it = house(workers=1, threads=2)
    it.put({"data": 10}, 1)
    it.submit(["a"])
    (run,) = it.turn()[1]
    it.say(1, TasksBegun(["a"], run.attempts), WorkerLeaving(""))
    assert it.turn() == {}
    it.join(2)
    it.turn()
    it.done(1, run)
    assert it.copied(it.turn()) == {2: ["a"]}
    assert it.copied(it.turn()) == {2: ["data"]}
    assert leaves(it.turn()) == [1]
    assert it.holders("data") == it.holders("a") == [1, 2]


def test_workers_that_leave_together_do_not_drain_to_each_other(house: Make) -> None:
    it = house(workers=3)
    it.put({"a": 100}, 1)
    it.put({"b": 100}, 2)
    it.put({"c": 100}, 1, 2)
    it.ask(RetireWorkers(7, ["w1", "host2"]))
    out = it.turn()
    assert list(out) == [3]
    assert sorted(it.copied(out)[3]) == ["a", "b", "c"]
    assert leaves(it.turn()) == [1, 2]
    it.lose(1)
    assert it.turn() == {}
    it.lose(2)
    assert it.turn() == {CLIENT: [WorkersRetired(7, ["w1", "w2"])]}


def test_both_leave_by_their_own_wish_and_lose_what_they_hold(house: Make) -> None:
    it = house(workers=2)
    it.put({"a": 100}, 1)
    it.put({"b": 100}, 2)
    it.say(1, WorkerLeaving(""))
    ((target, _),) = it.turn().items()
    assert target == 2
    # The copy on its way to it ends, as it is to end itself.
    it.say(2, WorkerLeaving(""))
    out = it.turn()
    assert DropData(["a"], [0]) in out[2]
    assert leaves(out) == [1, 2]


def test_a_retirement_is_refused_where_nobody_could_take_the_data(house: Make) -> None:
    it = house(workers=2)
    it.put({"a": 100, "b": 20}, 1)
    it.put({"c": 10}, 2)
    it.ask(RetireWorkers(7, ["w1", "w2"]))
    it.ask(RetireWorkers(8, ["w1", "ghost"]))
    it.join(3, memory_limit=1)
    it.say(2, WorkerPaused(True))
    it.ask(RetireWorkers(9, ["w1"]))
    answers = {one.request: one for one in it.turn()[CLIENT]}
    assert answers == {
        7: RequestRefused(
            7,
            "worker w1 alone holds 2 values (120 bytes), and there is no other worker that could"
            " take them",
        ),
        8: RequestRefused(8, "no worker answers to ghost"),
        9: RequestRefused(
            9,
            "worker w1 alone holds 2 values (120 bytes), and the others have room for 0 bytes more"
            " in their memories",
        ),
    }
    assert not it.tables.drains


def test_workers_without_data_may_all_retire(house: Make) -> None:
    it = house(workers=2)
    it.ask(RetireWorkers(7, ["w1", "w2"]))
    it.ask(RetireWorkers(8, []))
    out = it.turn()
    assert leaves(out) == [1, 2]
    assert out[CLIENT] == [WorkersRetired(8, [])]


def test_a_worker_that_turns_out_to_be_needed_stays_and_works_on(house: Make) -> None:
    it = house(workers=2)
    it.put({"a": 100}, 1)
    it.ask(RetireWorkers(7, ["w1"]))
    for _ in range(2):
        assert list(it.turn()) == [2]
        it.say(2, CopiesFailed(["a"], [0]))
    assert it.turn() == {
        CLIENT: [RequestRefused(7, "worker w1 stays: 'a' could not be copied to w2")]
    }
    assert it.tables.workers[1].leaving == ""
    it.submit(["t"], workers=["w1"])
    assert list(it.turn()) == [1]
    it.ask(RetireWorkers(8, ["w1"]))
    assert it.turn()[2] == [CopyData(["a"], [0], [100], [[0]], ["tcp://w1"])]


def test_a_worker_that_must_end_does_so_although_a_client_asked_first(house: Make) -> None:
    it = house(workers=2)
    it.put({"a": 100}, 1)
    it.ask(RetireWorkers(7, ["w1"]))
    it.turn()
    it.lose(2)
    it.say(1, WorkerLeaving("SIGTERM"))
    assert leaves(it.turn()) == [1]
    it.lose(1)
    assert WorkersRetired(7, ["w1"]) in it.turn()[CLIENT]


def test_the_others_of_a_retirement_leave_where_one_stays(house: Make) -> None:
    it = house(workers=3)
    it.put({"a": 100}, 1)
    it.ask(RetireWorkers(7, ["w1", "w2"]))
    out = it.turn()
    assert leaves(out) == [2]
    it.lose(3)
    (refused,) = it.turn()[CLIENT]
    assert refused.reason == (
        "worker w1 stays: no other worker could take 'a' (100 bytes) (and w2 will leave)"
    )


def test_a_worker_that_dies_while_it_drains_is_gone_as_well(house: Make) -> None:
    it = house(workers=2)
    it.put({"a": 100}, 1)
    it.ask(RetireWorkers(7, ["w1"]))
    it.turn()
    it.lose(1)
    out = it.turn()
    assert out[CLIENT][-1] == WorkersRetired(7, ["w1"])
    assert out[2] == [DropData(["a"], [0])]
    assert not it.tables.goals


def test_a_retirement_goes_on_without_its_client(house: Make) -> None:
    it = house(workers=2)
    it.put({"a": 100}, 1)
    it.join_client(2000)
    it.say(2000, RetireWorkers(7, ["w1"]))
    out = it.turn()
    it.lose(2000)
    it.copied(out)
    assert it.turn() == {1: [LeaveCluster("client client2000 retired it")]}
    it.lose(1)
    assert it.turn() == {}


def test_two_clients_wait_for_the_same_worker(house: Make) -> None:
    it = house(workers=2)
    it.ask(RetireWorkers(7, ["w1"]))
    it.ask(RetireWorkers(8, ["tcp://w1"]))
    it.turn()
    it.lose(1)
    assert it.turn() == {CLIENT: [WorkersRetired(7, ["w1"]), WorkersRetired(8, ["w1"])]}


def test_waiting_retirements_are_bounded(house: Make) -> None:
    it = house(workers=2, waits_max=1)
    it.ask(RetireWorkers(7, ["w1"]))
    it.ask(RetireWorkers(8, ["w1"]))
    (refused,) = it.turn()[CLIENT]
    assert refused.request == 8


def test_many_values_move_a_few_at_a_time(house: Make) -> None:
    it = house(workers=3, copies_nbytes_max=10 * (OVERHEAD + 10))
    it.put({f"k{one}": 10 for one in range(1000)}, 1)
    it.ask(RetireWorkers(7, ["w1"]))
    turns_count = 0
    while not leaves(out := it.turn()):
        turns_count += 1
        assert 0 < sum(len(one.keys) for some in out.values() for one in some) <= 10
        it.copied(out)
    assert turns_count == 100
    held = [it.tables.workers[id_].held_nbytes for id_ in (2, 3)]
    assert held == [5000, 5000]


def test_what_is_released_meanwhile_need_not_move(house: Make) -> None:
    it = house(workers=2, copies_nbytes_max=1)
    it.put({"a": 10, "b": 10}, 1)
    it.say(1, WorkerLeaving(""))
    it.turn()
    it.ask(ReleaseKeys(["a", "b"]))
    assert leaves(it.turn()) == [1]


def test_a_value_whose_other_holder_dies_moves_after_all(house: Make) -> None:
    it = house(workers=3)
    it.put({"a": 100}, 1)
    it.put({"b": 100}, 1, 3)
    it.ask(RetireWorkers(7, ["w1"]))
    out = it.turn()
    assert [one.keys for some in out.values() for one in some] == [["a"]]
    it.lose(3)
    it.copied(out)
    while not leaves(out := it.turn()):
        it.copied(out)
    assert it.holders("a") == it.holders("b") == [1, 2]


def test_what_a_client_puts_there_meanwhile_moves_too(house: Make) -> None:
    it = house(workers=2)
    it.put({"a": 100}, 1)
    it.put({"b": 100}, 2)
    it.ask(PlanScatter(3, [1] * 4))
    it.ask(RetireWorkers(7, ["w1"]))
    it.ask(PlanScatter(4, [1] * 4))
    out = it.turn()
    plans = {one.request: one for one in out[CLIENT] if type(one) is ScatterPlanned}
    assert ["tcp://w1"] in plans[3].addresses
    assert plans[4].addresses == [["tcp://w2"]] * 4
    it.ask(KeysScattered(1, ["late"], [5], [["tcp://w1"]]))
    it.copied(out)
    assert it.copied(it.turn()) == {2: ["late"]}
    assert leaves(it.turn()) == [1]


def test_it_answers_what_it_runs_beside_its_tasks_first(house: Make) -> None:
    it = house(workers=1)
    it.ask(RunEverywhere(5, b"f", b"p"))
    it.turn()
    it.say(1, WorkerLeaving(""))
    assert leaves(it.turn()) == []
    it.say(1, HereRan(1, b"v", None))
    assert leaves(it.turn()) == [1]


def test_it_gives_what_others_fetch_from_it_before_it_leaves(house: Make) -> None:
    it = house(workers=3)
    it.put({"a": 100}, 1)
    it.ask(ReplicateKeys(6, ["a"], 3))
    it.turn()
    it.say(1, WorkerLeaving(""))
    assert leaves(it.turn()) == []
    it.say(2, ReplicasStored(["a"], [0]))
    # Another copy is still on its way from it.
    assert leaves(it.turn()) == []
    it.say(3, ReplicasStored(["a"], [0]))
    out = it.turn()
    assert leaves(out) == [1]
    assert out[CLIENT] == [KeysReplicated(6, [3])]
