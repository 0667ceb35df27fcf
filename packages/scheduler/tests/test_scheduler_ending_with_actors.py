"""The end of a cluster that has actors: whoever asks for it may be who keeps them."""

from __future__ import annotations

from scheduler_house import CLIENT, House

from hocket.protocol.messages import ACTORS, EndCluster, LeaveCluster


def test_actors_without_checkpoints_do_not_hold_it_up() -> None:
    house = House(workers=0)
    house.join(1, executors={"threads": 1, ACTORS: 8}, calls_address="calls://w1")
    house.submit(["a"], executor=ACTORS)
    (run,) = house.turn()[1]
    house.done(1, "a", run.attempts[0], b"reference")
    house.turn()
    house.say(CLIENT, EndCluster(7, drains=True))
    assert LeaveCluster("client client ended the cluster") in house.turn()[1]
    house.machine.peer_lost(1, "it left", 0.0)
    house.turn()
    assert house.machine.ending.is_over
