"""What is queued, as it is told to those who start workers."""

from __future__ import annotations

from scheduler_house import CLIENT, House

from hocket.protocol.messages import ClusterDescribed, DemandDescription, DescribeCluster, RunTasks


def demands(house):
    house.say(CLIENT, DescribeCluster(7))
    (told,) = (one for one in house.turn()[CLIENT] if isinstance(one, ClusterDescribed))
    return told.demands


def test_nothing_is_queued():
    assert demands(House()) == []


def test_what_is_queued_is_told_by_what_it_asks_for():
    house = House(workers=0)
    house.submit(["a", "b", "c"])
    house.submit(["d"], resources={"GPU": 1.0})
    house.submit(["e"], workers=["w9"])
    house.submit(["f"], workers=["w9"], allow_other_workers=True)
    told = demands(house)
    assert sorted((one.count, one.resources, one.workers) for one in told if one.resources) == [
        (1, {"GPU": 1.0}, [])
    ]
    assert sum(one.count for one in told if not one.resources and not one.workers) == 4
    assert [one for one in told if one.workers] == [DemandDescription(1, 0.0, {}, ["w9"])]


def test_durations_are_told_once_they_are_known():
    house = House(workers=1)
    house.submit(["a"])
    (run,) = (one for one in house.turn()[1] if isinstance(one, RunTasks))
    house.done(1, "a", run.attempts[0])
    house.turn()
    house.machine.peer_lost(1, "gone", house.now_s)
    house.submit(["b", "c"])
    waiting = [one for one in demands(house) if one.count >= 2]
    assert waiting
    assert all(one.duration_s > 0.0 for one in waiting)
