"""Events and barriers: whoever waits goes on, or is told why not."""

from __future__ import annotations

from coordination_house import Room

from hocket.protocol.messages import (
    ChangeBarrier,
    ChangeEvent,
    Denial,
    LookAt,
    Primitive,
    RequestDone,
    WaitBarrier,
    WaitEvent,
)


def test_an_event_wakes_all_who_wait():
    room = Room(records_max=1)
    first, _ = room.ask(1, WaitEvent, "e")
    second, _ = room.ask(2, WaitEvent, "e")
    gone, _ = room.ask(2, WaitEvent, "e")
    room.withdraw(2, gone)
    assert room.ask(3, LookAt, Primitive.EVENT, "e")[1].numbers == [0, 2]
    room.ask(3, ChangeEvent, "e", True)
    assert room.heard(1) == [RequestDone(first, 1)]
    assert room.heard(2) == [RequestDone(second, 1)]
    assert room.ask(1, WaitEvent, "e")[1].number == 1
    assert room.ask(1, ChangeEvent, "f", True)[1].kind is Denial.LIMIT
    assert room.ask(1, WaitEvent, "f")[1].kind is Denial.LIMIT
    room.ask(3, ChangeEvent, "e", False)
    room.ask(3, ChangeEvent, "e", False)
    assert room.ask(3, LookAt, Primitive.EVENT, "e")[1].numbers == [0, 0]
    room.ask(1, WaitEvent, "e")
    room.lose(1)
    assert not room.coordination.events.records
    assert room.ask(1, ChangeEvent, "e", True, 7)[1].kind is Denial.NOT_HELD


def test_nobody_passes_a_barrier_before_all_are_there():
    room = Room()
    for _ in range(2):
        first, answer = room.ask(1, WaitBarrier, "b", 3)
        second, _ = room.ask(2, WaitBarrier, "b", 3)
        assert answer is None
        assert room.ask(3, LookAt, Primitive.BARRIER, "b")[1].numbers == [2, 3, 0]
        assert room.ask(3, WaitBarrier, "b", 3)[1].number == 2
        assert room.heard(1) == [RequestDone(first, 0)]
        assert room.heard(2) == [RequestDone(second, 1)]
    assert not room.coordination.barriers.records


def test_a_barrier_breaks_when_one_who_waits_is_lost_or_gives_up():
    room = Room()
    room.ask(1, WaitBarrier, "b", 3)
    number, _ = room.ask(2, WaitBarrier, "b", 3)
    room.lose(1)
    (broken,) = room.heard(2)
    assert (broken.request, broken.kind) == (number, Denial.BROKEN)
    assert "'c1', who waited there, was lost" in broken.text
    assert room.ask(3, WaitBarrier, "b", 3)[1].kind is Denial.BROKEN
    assert room.ask(3, LookAt, Primitive.BARRIER, "b")[1].numbers == [0, 3, 1]
    room.ask(3, ChangeBarrier, "b", False)
    first, _ = room.ask(2, WaitBarrier, "b", 2)
    room.withdraw(2, first)
    assert room.heard(2) == []
    assert room.ask(3, WaitBarrier, "b", 2)[1].kind is Denial.BROKEN


def test_a_client_that_waits_twice_and_is_lost_breaks_it_once():
    room = Room()
    for _ in range(2):
        room.ask(1, WaitBarrier, "b", 4)
    number, _ = room.ask(2, WaitBarrier, "b", 4)
    room.lose(1)
    assert [one.request for one in room.heard(2)] == [number]


def test_a_barrier_can_be_broken_and_made_whole():
    room = Room()
    number, _ = room.ask(1, WaitBarrier, "b", 2)
    room.ask(2, ChangeBarrier, "b", True)
    assert [one.request for one in room.heard(1)] == [number]
    room.ask(2, ChangeBarrier, "b", False)
    number, _ = room.ask(1, WaitBarrier, "b", 2)
    assert room.ask(2, WaitBarrier, "b", 3)[1].kind is Denial.MISMATCH
    room.ask(2, ChangeBarrier, "b", False)
    (broken,) = room.heard(1)
    assert broken.request == number
    assert "reset" in broken.text
    room.ask(2, ChangeBarrier, "new", True)
    assert room.ask(1, WaitBarrier, "new", 2)[1].kind is Denial.BROKEN
    room.ask(2, ChangeBarrier, "never", False)
    assert room.ask(1, WaitBarrier, "b", 0)[1].kind is Denial.LIMIT


def test_a_task_that_ends_breaks_the_barrier_where_it_waits():
    room = Room()
    room.tasks.running.add(("t", 1))
    mine, _ = room.ask(1, WaitBarrier, "b", 2, "t", 1)
    room.end_task("t", 1)
    (over,) = room.heard(1)
    assert (over.request, over.kind) == (mine, Denial.TASK_OVER)
    assert room.ask(2, WaitBarrier, "b", 2)[1].kind is Denial.BROKEN
