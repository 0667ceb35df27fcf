"""The end of the cluster: at once, when all have left, or not at all."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hocket.protocol.messages import (
    ClusterEnds,
    EndCluster,
    LeaveCluster,
    RunTasks,
    TasksBegun,
    TasksDone,
)
from hocket.scheduler.tables import Limits

CLIENT = 1000

Make = Callable[..., Any]


def test_it_ends_at_once(house: Make) -> None:
    it = house(workers=2)
    it.submit(["a"])
    it.turn()
    assert not it.machine.ending.is_over
    it.say(CLIENT, EndCluster(7))
    assert it.turn()[CLIENT] == [ClusterEnds(7, True)]
    assert it.machine.ending.is_over
    assert it.machine.ending.reason == f"client {it.machine.tables.clients[CLIENT].name} ended the cluster"


def test_what_runs_comes_to_its_end_before(house: Make) -> None:
    it = house(workers=2)
    it.submit(["a", "b", "c", "d", "e", "f", "g"])
    out = it.turn()
    (run,) = [one for one in out[1] if type(one) is RunTasks]
    it.say(1, TasksBegun(run.keys[:1], run.attempts[:1]))
    it.say(CLIENT, EndCluster(7, True))
    out = it.turn()
    assert out[CLIENT] == [ClusterEnds(7, True)]
    assert not any(type(one) is LeaveCluster for some in out.values() for one in some)
    # What they have not begun comes back, and nobody gets it.
    it.give_back(out)
    out = it.turn()
    assert {id_: some for id_, some in out.items() if id_ != CLIENT} == {
        2: [LeaveCluster(it.machine.ending.reason)]
    }
    it.lose(2, "left")
    it.turn()
    assert not it.machine.ending.is_over
    # Who comes meanwhile is sent away.
    it.add_worker(3)
    assert it.turn() == {3: [LeaveCluster(it.machine.ending.reason)]}
    it.lose(3, "left")
    it.say(1, TasksDone(run.keys[:1], run.attempts[:1], [4], [0.0], [0.1], [b"v"]))
    assert LeaveCluster(it.machine.ending.reason) in it.turn()[1]
    it.lose(1, "left")
    it.turn()
    assert it.machine.ending.is_over


def test_who_does_not_want_to_wait_longer_ends_it_at_once(house: Make) -> None:
    it = house(workers=1)
    it.submit(["a"])
    it.turn()
    it.say(CLIENT, EndCluster(7, True))
    it.turn()
    assert not it.machine.ending.is_over
    it.say(CLIENT, EndCluster(8))
    assert it.turn()[CLIENT] == [ClusterEnds(8, True)]
    assert it.machine.ending.is_over
    it.say(CLIENT, EndCluster(9, True))
    it.turn()
    assert it.machine.ending.is_over


def test_clients_that_may_not_are_refused(house: Make) -> None:
    it = house(workers=1, limits=Limits(clients_may_end=False))
    it.say(CLIENT, EndCluster(7))
    assert it.turn() == {CLIENT: [ClusterEnds(7, False)]}
    assert not it.machine.ending.is_over
    assert it.machine.ending.reason == ""
