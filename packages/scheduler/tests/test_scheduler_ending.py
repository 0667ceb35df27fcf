"""The end of the cluster: at once, when all have left, or not at all."""

from __future__ import annotations

from scheduler_house import CLIENT, House

from hocket.protocol.messages import (
    ClusterEnds,
    EndCluster,
    LeaveCluster,
    RecallTasks,
    RunTasks,
    TasksBegun,
    TasksReturned,
)

REASON = "client client ended the cluster"


def test_it_ends_at_once() -> None:
    house = House(workers=2)
    house.submit(["a"])
    house.turn()
    assert not house.machine.ending.is_over
    house.say(CLIENT, EndCluster(7))
    assert house.turn()[CLIENT] == [ClusterEnds(7, accepted=True)]
    assert house.machine.ending.is_over
    assert house.machine.ending.reason == REASON


def test_what_runs_comes_to_its_end_before() -> None:
    house = House(workers=2)
    house.submit(["a", "b", "c"])
    out = house.turn()
    (first,) = (one for one in out[1] if type(one) is RunTasks)
    house.say(1, TasksBegun(first.keys[:1], first.attempts[:1]))
    house.say(CLIENT, EndCluster(7, drains=True))
    out = house.turn()
    assert out[CLIENT] == [ClusterEnds(7, accepted=True)]
    # What they have not begun they give back, and nobody gets it.
    for id_ in (1, 2):
        for recall in (one for one in out.get(id_, []) if type(one) is RecallTasks):
            begun = zip(recall.keys, recall.attempts, strict=True)
            back = [row for row in begun if row[0] != first.keys[0]]
            house.say(id_, TasksReturned([key for key, _ in back], [one for _, one in back]))
    assert house.turn() == {2: [LeaveCluster(REASON)]}
    house.machine.peer_lost(2, "it left", 0.0)
    assert house.turn() == {}
    # Who comes meanwhile is sent away.
    house.join(3)
    assert house.turn() == {3: [LeaveCluster(REASON)]}
    house.machine.peer_lost(3, "it left", 0.0)
    house.turn()
    assert not house.machine.ending.is_over
    house.done(1, first.keys[0], first.attempts[0], b"v")
    assert LeaveCluster(REASON) in house.turn()[1]
    house.machine.peer_lost(1, "it left", 0.0)
    house.turn()
    assert house.machine.ending.is_over


def test_who_will_not_wait_longer_ends_it_at_once() -> None:
    house = House(workers=1)
    house.submit(["a"])
    (run,) = house.turn()[1]
    house.say(1, TasksBegun(run.keys, run.attempts))
    house.say(CLIENT, EndCluster(7, drains=True))
    house.turn()
    assert not house.machine.ending.is_over
    house.say(CLIENT, EndCluster(8))
    assert house.turn()[CLIENT] == [ClusterEnds(8, accepted=True)]
    assert house.machine.ending.is_over
    house.say(CLIENT, EndCluster(9, drains=True))
    house.turn()
    assert house.machine.ending.is_over


def test_clients_that_may_not_are_refused() -> None:
    house = House(workers=1, clients_may_end=False)
    house.say(CLIENT, EndCluster(7), EndCluster(8, drains=True))
    refused = [ClusterEnds(7, accepted=False), ClusterEnds(8, accepted=False)]
    assert house.turn() == {CLIENT: refused}
    assert not house.machine.ending.is_over
    assert house.machine.ending.reason == ""
