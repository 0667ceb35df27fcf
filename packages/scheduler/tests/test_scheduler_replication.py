"""Copies that no task asked for: replicating, rebalancing, and every way in which a copy ends."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hocket.protocol.messages import (
    CopiesFailed,
    CopyData,
    DropData,
    InputsMissing,
    KeysRebalanced,
    KeysReplicated,
    RebalanceKeys,
    ReleaseKeys,
    ReplicasStored,
    ReplicateKeys,
    RequestRefused,
    TasksStored,
    WorkerJoined,
    WorkerLeaving,
    WorkerPaused,
    WorkerReport,
)
from hocket.scheduler.policy.replication import plan_moves
from hocket.scheduler.state import Task, Worker
from hocket.scheduler.state.task import Options
from hocket.scheduler.tables import Limits, Tables

CLIENT = 1000

Make = Callable[..., Any]


def test_a_value_is_copied_to_as_many_workers_as_asked_for(house: Make) -> None:
    it = house(workers=4)
    it.put({"a": 100}, 1)
    it.put({"big": 500}, 2)
    it.ask(ReplicateKeys(7, ["a"], 3))
    out = it.turn()
    # Those that hold least come first.
    assert out == {
        3: [CopyData(["a"], [0], [100], [[0]], ["tcp://w1"])],
        4: [CopyData(["a"], [0], [100], [[0]], ["tcp://w1"])],
    }
    it.say(3, ReplicasStored(["a"], [0]))
    assert it.turn() == {}
    it.say(4, ReplicasStored(["a"], [0]))
    assert it.turn() == {CLIENT: [KeysReplicated(7, [3])]}
    assert it.holders("a") == [1, 3, 4]


def test_more_copies_than_workers_are_all_workers(house: Make) -> None:
    it = house(workers=3)
    it.put({"a": 100}, 1)
    it.ask(ReplicateKeys(7, ["a", "unknown", "a"], 2**62))
    assert it.copied(it.turn()) == {2: ["a"], 3: ["a"]}
    assert it.turn() == {CLIENT: [KeysReplicated(7, [3, 0, 3])]}


def test_copies_go_to_the_workers_asked_for(house: Make) -> None:
    it = house(workers=4)
    it.put({"a": 100}, 1)
    it.ask(ReplicateKeys(7, ["a"], 1, ["w3", "host4"]))
    assert it.copied(it.turn()) == {3: ["a"]}
    # That it is on another one does not count.
    assert it.turn() == {CLIENT: [KeysReplicated(7, [1])]}
    it.ask(ReplicateKeys(8, ["a"], 5, ["w3", "host4"]))
    assert it.copied(it.turn()) == {4: ["a"]}
    assert it.turn() == {CLIENT: [KeysReplicated(8, [2])]}


def test_where_nothing_is_to_be_copied_the_answer_comes_at_once(house: Make) -> None:
    it = house(workers=2)
    it.put({"a": 100}, 1, 2)
    it.ask(ReplicateKeys(7, ["a"], 2))
    it.ask(ReplicateKeys(8, [], 2))
    it.ask(ReplicateKeys(9, ["a"], 0))
    assert it.turn() == {
        CLIENT: [KeysReplicated(7, [2]), KeysReplicated(8, []), KeysReplicated(9, [2])]
    }


def test_who_is_not_there_is_named(house: Make) -> None:
    it = house(workers=1)
    it.ask(ReplicateKeys(7, ["a"], 1, ["ghost"]))
    it.ask(RebalanceKeys(8, [], ["ghost"]))
    assert it.turn() == {
        CLIENT: [
            RequestRefused(7, "no worker answers to ghost"),
            RequestRefused(8, "no worker answers to ghost"),
        ]
    }


def test_paused_leaving_and_full_workers_get_no_copies(house: Make) -> None:
    it = house(workers=4)
    it.join(5, memory_limit=1000)
    it.join(6, memory_limit=1000)
    it.put({"a": 700}, 1)
    # Of the memory of w5 most is taken by what is no data.
    it.say(5, WorkerReport(0.0, 400, 0.0, 0, 0, 0))
    it.say(2, WorkerPaused(True))
    it.say(3, WorkerLeaving("its time is over"))
    it.ask(ReplicateKeys(7, ["a"], 6))
    assert it.copied(it.turn()) == {4: ["a"], 6: ["a"]}
    assert it.turn()[CLIENT] == [KeysReplicated(7, [3])]


def test_a_value_spreads_from_those_that_have_it_already(house: Make) -> None:
    it = house(workers=8, copies_nbytes_max=1000)
    it.put({"a": 900}, 1)
    it.ask(ReplicateKeys(7, ["a"], 8))
    rounds = []
    while True:
        out = it.turn()
        copies = [one for messages in out.values() for one in messages if type(one) is CopyData]
        if not copies:
            break
        sources = Counter(one.addresses[one.holders[0][0]] for one in copies)
        assert max(sources.values()) == 1
        rounds.append(len(it.copied(out)))
    # It doubles each time: one at once from each.
    assert rounds == [1, 2, 4]
    assert out[CLIENT] == [KeysReplicated(7, [8])]


def test_what_is_on_the_way_to_a_worker_is_limited(house: Make) -> None:
    overhead = 64 * 2**10
    it = house(workers=2, copies_nbytes_max=3 * (overhead + 100))
    it.put({f"k{one}": 100 for one in range(7)}, 1)
    it.ask(ReplicateKeys(7, [f"k{one}" for one in range(7)], 2))
    assert [len(keys) for keys in (it.copied(it.turn())[2] for _ in range(3))] == [3, 3, 1]
    assert it.turn() == {CLIENT: [KeysReplicated(7, [2] * 7)]}


def test_one_value_always_may_be_on_the_way(house: Make) -> None:
    it = house(workers=2, copies_nbytes_max=1)
    it.put({"a": 10**12, "b": 10**12}, 1)
    it.ask(ReplicateKeys(7, ["a", "b"], 2))
    assert it.copied(it.turn()) == {2: ["a"]}
    assert it.copied(it.turn()) == {2: ["b"]}
    assert it.turn() == {CLIENT: [KeysReplicated(7, [2, 2])]}


def test_a_copy_that_failed_is_tried_elsewhere_and_then_given_up(house: Make) -> None:
    it = house(workers=5)
    it.put({"a": 100}, 1)
    it.ask(ReplicateKeys(7, ["a"], 2))
    tried = []
    for _ in range(10):
        out = it.turn()
        if CLIENT in out:
            break
        ((id_, _),) = out.items()
        tried.append(id_)
        it.say(id_, CopiesFailed(["a"], [0]))
    assert len(tried) == 4
    assert out == {CLIENT: [KeysReplicated(7, [1])]}
    assert it.holders("a") == [1]


def test_the_only_other_worker_is_tried_twice(house: Make) -> None:
    it = house(workers=2)
    it.put({"a": 100}, 1)
    it.ask(ReplicateKeys(7, ["a"], 2))
    for _ in range(2):
        assert it.turn() == {2: [CopyData(["a"], [0], [100], [[0]], ["tcp://w1"])]}
        it.say(2, CopiesFailed(["a"], [0]))
    assert it.turn() == {CLIENT: [KeysReplicated(7, [1])]}


def test_a_copy_whose_target_dies_goes_to_another(house: Make) -> None:
    it = house(workers=3)
    it.put({"a": 100}, 1)
    it.ask(ReplicateKeys(7, ["a"], 2))
    ((target, _),) = it.turn().items()
    it.lose(target)
    other = 5 - target
    assert it.copied(it.turn()) == {other: ["a"]}
    assert it.turn() == {CLIENT: [KeysReplicated(7, [2])]}


def test_a_copy_whose_source_dies_ends_with_the_value(house: Make) -> None:
    it = house(workers=2)
    it.put({"a": 100}, 1)
    it.ask(ReplicateKeys(7, ["a"], 2))
    it.turn()
    it.lose(1)
    out = it.turn()
    assert out[2] == [DropData(["a"], [0])]
    assert out[CLIENT][-1] == KeysReplicated(7, [0])
    # It had it after all, too late.
    it.say(2, ReplicasStored(["a"], [0]))
    assert it.turn() == {2: [DropData(["a"], [0])]}
    assert not it.tables.copies


def test_a_copy_whose_source_dies_comes_from_another_holder(house: Make) -> None:
    it = house(workers=3)
    it.put({"a": 100}, 1, 2)
    it.ask(ReplicateKeys(7, ["a"], 3))
    (copy,) = it.turn()[3]
    assert sorted(copy.addresses) == ["tcp://w1", "tcp://w2"]
    it.lose(1)
    assert it.turn() == {}
    it.say(3, ReplicasStored(["a"], [0]))
    assert it.turn() == {CLIENT: [KeysReplicated(7, [2])]}


def test_a_copy_ends_with_the_release_of_its_value(house: Make) -> None:
    it = house(workers=2)
    it.put({"a": 100}, 1)
    it.ask(ReplicateKeys(7, ["a"], 2))
    it.turn()
    it.ask(ReleaseKeys(["a"]))
    assert it.turn() == {
        1: [DropData(["a"], [0])],
        2: [DropData(["a"], [0])],
        CLIENT: [KeysReplicated(7, [0])],
    }
    it.say(2, CopiesFailed(["a"], [0]))
    assert it.turn() == {}


def test_a_copy_of_an_attempt_that_was_lost_is_not_one_of_the_next(house: Make) -> None:
    it = house(workers=3)
    it.submit(["a"])
    ((holder, (run,)),) = it.turn().items()
    it.done(holder, run)
    it.turn()
    it.ask(ReplicateKeys(7, ["a"], 2))
    ((target, (copy,)),) = it.turn().items()
    assert copy.attempts == run.attempts
    third = 6 - holder - target
    it.say(third, InputsMissing(["a"], run.attempts, f"tcp://w{holder}", True))
    out = it.turn()
    assert DropData(["a"], run.attempts) in out[target]
    assert KeysReplicated(7, [0]) in out[CLIENT]
    it.say(target, ReplicasStored(["a"], run.attempts))
    assert it.turn()[target] == [DropData(["a"], run.attempts)]
    assert it.tables.tasks["a"].state == "assigned"


def test_reports_that_nobody_waits_for_change_nothing(house: Make) -> None:
    it = house(workers=2)
    it.put({"a": 100}, 1)
    it.say(2, CopiesFailed(["a", "unknown"], [0, 5]))
    it.ask(ReplicateKeys(7, ["a"], 2))
    it.turn()
    it.say(2, CopiesFailed(["a"], [99]))
    assert it.turn() == {}
    it.say(2, ReplicasStored(["a", "a"], [0, 0]), CopiesFailed(["a"], [0]))
    assert it.turn() == {CLIENT: [KeysReplicated(7, [2])]}
    assert it.holders("a") == [1, 2]


def test_requests_go_with_their_client(house: Make) -> None:
    it = house(workers=2)
    it.put({"a": 100}, 1)
    it.join_client(2000)
    it.say(2000, ReplicateKeys(7, ["a"], 2), RebalanceKeys(8))
    it.lose(2000)
    assert it.turn() == {}
    assert not it.tables.goals
    assert not it.machine.replication.errands


def test_two_requests_share_one_copy(house: Make) -> None:
    it = house(workers=2)
    it.put({"a": 100}, 1)
    it.ask(ReplicateKeys(7, ["a"], 2))
    it.ask(ReplicateKeys(8, ["a"], 2))
    assert it.copied(it.turn()) == {2: ["a"]}
    assert it.turn() == {CLIENT: [KeysReplicated(7, [2]), KeysReplicated(8, [2])]}


def test_waiting_requests_are_bounded(house: Make) -> None:
    it = house(workers=2, waits_max=1)
    it.put({"a": 100}, 1)
    it.ask(ReplicateKeys(7, ["a"], 2))
    it.ask(ReplicateKeys(8, ["a"], 2))
    it.ask(RebalanceKeys(9))
    out = it.turn()[CLIENT]
    assert [one.request for one in out] == [8, 9]
    assert {one.reason for one in out} == {"1 requests of this client wait for copies already"}


# Rebalancing ------------------------------------------------------------------------------------


def test_values_move_from_who_holds_much_to_who_holds_little(house: Make) -> None:
    it = house(workers=3)
    it.put({f"k{one}": 100 for one in range(9)}, 1)
    it.ask(RebalanceKeys(7))
    out = it.turn()
    assert {id_: len(one.keys) for id_, (one,) in out.items()} == {2: 3, 3: 3}
    assert it.tables.workers[1].held_nbytes == 900
    it.copied(out)
    out = it.turn()
    assert out[CLIENT] == [KeysRebalanced(7, 6, 600)]
    # The source drops what the others have reported.
    assert sum(len(one.keys) for one in out[1]) == 6
    assert [it.tables.workers[id_].held_nbytes for id_ in (1, 2, 3)] == [300] * 3


def test_only_what_was_asked_for_moves(house: Make) -> None:
    it = house(workers=3)
    it.put({f"k{one}": 100 for one in range(9)}, 1)
    it.ask(RebalanceKeys(7, ["k1", "k2", "unknown"], ["w1", "w3"]))
    out = it.turn()
    assert out == {
        3: [CopyData(["k1", "k2"], [0, 0], [100, 100], [[0], [1]], ["tcp://w1"] * 2)],
    }
    it.copied(out)
    assert it.turn()[CLIENT] == [KeysRebalanced(7, 2, 200)]


@pytest.mark.parametrize("sizes", [[100, 100, 100], [1000, 100, 100], [0, 0, 0]])
def test_nothing_moves_where_that_makes_nothing_better(house: Make, sizes: list[int]) -> None:
    it = house(workers=3)
    for id_, nbytes in enumerate(sizes, 1):
        it.put({f"k{id_}": nbytes}, id_)
    it.ask(RebalanceKeys(7))
    assert it.turn() == {CLIENT: [KeysRebalanced(7, 0, 0)]}


def test_the_last_copy_stays_where_the_move_fails(house: Make) -> None:
    it = house(workers=2)
    it.put({"a": 100, "b": 100}, 1)
    it.ask(RebalanceKeys(7))
    while CLIENT not in (out := it.turn()):
        it.say(2, CopiesFailed(out[2][0].keys, [0]))
    assert out == {CLIENT: [KeysRebalanced(7, 0, 0)]}
    assert it.holders("a") == it.holders("b") == [1]


def test_a_move_goes_elsewhere_where_its_target_fails(house: Make) -> None:
    it = house(workers=3)
    it.put({"a": 100, "b": 100, "c": 100}, 1)
    it.put({"d": 50}, 3)
    it.ask(RebalanceKeys(7))
    out = it.turn()
    assert list(out) == [2]
    (key,) = out[2][0].keys
    it.say(2, CopiesFailed([key], [0]))
    assert it.copied(it.turn()) == {3: [key]}
    assert it.turn()[CLIENT] == [KeysRebalanced(7, 1, 100)]
    assert it.holders(key) == [3]


def test_a_copy_that_dies_before_the_drop_costs_nothing(house: Make) -> None:
    it = house(workers=2)
    it.put({"a": 100, "b": 100}, 1)
    it.ask(RebalanceKeys(7))
    it.copied(it.turn())
    it.lose(2)
    assert it.turn() == {CLIENT: [KeysRebalanced(7, 0, 0)]}
    assert it.holders("a") == it.holders("b") == [1]


def test_the_source_keeps_its_copy_where_the_other_holder_is_to_end(house: Make) -> None:
    it = house(workers=2)
    it.put({"a": 100, "b": 100}, 1)
    it.ask(RebalanceKeys(7))
    it.copied(it.turn())
    it.say(2, WorkerLeaving("its time is over"))
    assert it.turn()[CLIENT] == [KeysRebalanced(7, 0, 0)]
    assert 1 in it.holders("a")
    assert 1 in it.holders("b")


def test_what_has_begun_of_a_move_is_ended_without_its_client(house: Make) -> None:
    it = house(workers=2, copies_nbytes_max=1)
    it.put({f"k{one}": 100 for one in range(4)}, 1)
    it.join_client(2000)
    it.say(2000, RebalanceKeys(7))
    out = it.turn()
    it.lose(2000)
    ((key,),) = it.copied(out).values()
    assert it.turn() == {1: [DropData([key], [0])]}
    assert it.holders(key) == [2]
    assert not it.machine.replication.errands


def test_a_report_from_before_the_drop_is_not_believed(house: Make) -> None:
    it = house(workers=3)
    it.put({"a": 100, "b": 100}, 1)
    it.ask(RebalanceKeys(7, [], ["w1", "w2"]))
    ((key,),) = it.copied(it.turn()).values()
    it.turn()
    assert it.holders(key) == [2]
    # The source had said twice that it has the value; the second time comes late.
    it.say(1, ReplicasStored([key], [0]))
    assert it.turn() == {1: [DropData([key], [0])]}
    assert it.holders(key) == [2]
    # From then on it is believed, and all the more if it was asked for a copy.
    it.say(1, ReplicasStored([key], [0]))
    assert it.holders(key) == [1, 2]


def test_readers_of_a_value_that_moved_are_told_where_it_is(house: Make) -> None:
    it = house(workers=2)
    it.put({"a": 10**9, "b": 10**9}, 1)
    it.ask(RebalanceKeys(7))
    ((key,),) = it.copied(it.turn()).values()
    it.turn()
    it.submit(["r"], [[1]], [key])
    ((id_, (run,)),) = it.turn().items()
    assert id_ == 2
    assert run.addresses == ["tcp://w2"]
    it.done(id_, run)
    assert it.turn() == {CLIENT: [TasksStored(["r"], [8], [None])]}


@given(
    sizes=st.lists(st.lists(st.integers(0, 1000), max_size=12), min_size=1, max_size=6),
    copies=st.lists(st.tuples(st.integers(0, 5), st.integers(0, 30)), max_size=5),
    limits=st.lists(st.sampled_from([0, 500, 5000]), min_size=6, max_size=6),
)
def test_any_plan_makes_workers_more_alike(
    sizes: list[list[int]], copies: list[tuple[int, int]], limits: list[int]
) -> None:
    tables = Tables(Limits())
    workers, tasks = [], []
    for id_, row in enumerate(sizes):
        joined = WorkerJoined(f"w{id_}", f"tcp://w{id_}", "h", 1, 1, limits[id_])
        worker = Worker(id_, joined, tables.full)
        tables.add_worker(worker)
        workers.append(worker)
        for column, nbytes in enumerate(row):
            task = Task(f"k{id_}-{column}", None, b"", Options(), 0, ())
            task.nbytes = nbytes
            tables.hold(task, worker)
            tasks.append(task)
    for where, which in copies:
        if tasks:
            tables.hold(tasks[which % len(tasks)], workers[where % len(workers)])
    moves = plan_moves(tables, workers, None)
    before = [worker.held_nbytes for worker in workers]
    held = dict(zip(workers, before, strict=True))
    for task, source, target in moves:
        assert task.is_held_by(source)
        assert not task.is_held_by(target)
        assert held[source] - task.nbytes >= held[target] + task.nbytes
        held[source] -= task.nbytes
        held[target] += task.nbytes
    assert len({(task.key, target.id) for task, _, target in moves}) == len(moves)
    assert len({(task.key, source.id) for task, source, _ in moves}) == len(moves)
    assert max(held.values()) - min(held.values()) <= max(before) - min(before)
    for worker in workers:
        if worker.memory_limit and held[worker] > worker.held_nbytes:
            assert held[worker] <= worker.memory_limit
