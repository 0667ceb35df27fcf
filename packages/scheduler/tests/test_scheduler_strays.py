"""Values that a worker was given before the scheduler heard of it: it is told to drop them."""

from __future__ import annotations

from scheduler_house import CLIENT, House

from hocket.protocol.messages import DropData, KeysScattered, ScatterAccepted, TasksErred


def test_who_comes_at_an_address_drops_what_was_put_there_too_early() -> None:
    house = House(workers=1)
    house.say(CLIENT, KeysScattered(5, ["d1", "d2"], [8, 8], [["tcp://w2"], ["tcp://w1"]]))
    told = house.turn()[CLIENT]
    assert [one.keys for one in told if type(one) is TasksErred] == [["d1"]]
    assert any(type(one) is ScatterAccepted for one in told)
    house.join(2)
    assert house.turn()[2] == [DropData(["d1"], [0])]
    # It is said once, and not to others.
    house.machine.peer_lost(2, "gone", 0.0)
    house.join(3)
    assert house.turn() == {}
    assert house.machine.tables.strays == {}
