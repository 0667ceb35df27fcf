"""Queues and variables: nothing lost, nothing doubled, first in first out, futures kept."""

from __future__ import annotations

from coordination_house import Room

from hocket.protocol.messages import (
    AcquireLocks,
    CloseQueue,
    Denial,
    GetVariable,
    ItemsGiven,
    ItemsReceived,
    LookAt,
    Primitive,
    PutItem,
    RequestDenied,
    RequestDone,
    SetVariable,
)


def size(room: Room) -> int:
    return int(room.ask(3, LookAt, Primitive.QUEUE, "q")[1].numbers[0])


def taken(room: Room, id_: int, least: int = 1, most: int = 1) -> list[bytes]:
    number, answer = room.take(id_, least, most)
    assert isinstance(answer, ItemsGiven)
    assert answer.request == number
    room.say(id_, ItemsReceived(number, True))
    return list(answer.values)


def test_first_in_first_out():
    room = Room()
    for number in range(4):
        assert room.put(1, b"%d" % number)[1].number == number + 1
    assert taken(room, 2) == [b"0"]
    assert taken(room, 2, 2, 2) == [b"1", b"2"]
    assert taken(room, 2, 0, 10) == [b"3"]
    assert taken(room, 2, 0, 10) == []
    assert not room.coordination.queues.records
    assert not room.coordination.parcels.nbytes


def test_who_waits_for_values_is_served_in_the_order_of_arrival():
    room = Room()
    two, _ = room.take(1, 2, 2)
    one, _ = room.take(2)
    room.put(3, b"a")
    assert not room.heard(2)
    room.put(3, b"b")
    assert room.heard(1) == [ItemsGiven(two, [b"a", b"b"], [[], []])]
    room.put(3, b"c")
    assert room.heard(2) == [ItemsGiven(one, [b"c"], [[]])]


def test_who_finds_no_room_waits():
    room = Room()
    room.put(1, b"a", 1)
    second, answer = room.put(1, b"b")
    third, _ = room.put(2, b"c", 1)
    assert answer is None
    room.withdraw(1, second)
    assert taken(room, 3) == [b"a"]
    assert room.heard(2) == [RequestDone(third, 1)]
    assert taken(room, 3) == [b"c"]
    # Its size is remembered, also while it is empty.
    room.put(1, b"d")
    assert room.put(1, b"e")[1] is None


def test_who_waits_for_room_is_served_in_the_order_of_arrival():
    room = Room()
    room.put(1, b"a", 1)
    waiting = [room.put(id_, b"%d" % id_)[0] for id_ in (2, 1, 2)]
    assert [taken(room, 3) for _ in range(4)] == [[b"a"], [b"2"], [b"1"], [b"2"]]
    assert [one.request for one in room.heard(2)] == [waiting[0], waiting[2]]
    assert [one.request for one in room.heard(1)] == [waiting[1]]


def test_what_did_not_arrive_goes_back_to_where_it_was():
    room = Room()
    for value in (b"a", b"b", b"c", b"d"):
        room.put(1, value)
    room.take(2)
    room.take(2, 2, 2)
    room.lose(2)
    assert taken(room, 3, 0, 9) == [b"a", b"b", b"c", b"d"]
    room.put(1, b"e")
    number, _ = room.take(2)
    room.say(2, ItemsReceived(number, False))
    waiting, _ = room.take(2, 2, 2)
    room.put(1, b"f")
    assert room.heard(2) == [ItemsGiven(waiting, [b"e", b"f"], [[], []])]


def test_one_that_waits_and_is_lost_takes_nothing_along():
    room = Room()
    room.take(1)
    room.lose(1)
    room.put(2, b"a")
    assert taken(room, 3) == [b"a"]


def test_a_queue_that_is_closed_is_gone():
    room = Room()
    room.tasks.known.add("k")
    room.put(1, b"a", 1, ["k"])
    put, _ = room.put(1, b"b", 1, ["k"])
    _, done = room.ask(3, CloseQueue, "q")
    assert isinstance(done, RequestDone)
    (closed,) = room.heard(1)
    assert (closed.request, closed.kind) == (put, Denial.CLOSED)
    take, _ = room.take(2)
    room.ask(3, CloseQueue, "q")
    (closed,) = room.heard(2)
    assert (closed.request, closed.kind) == (take, Denial.CLOSED)
    assert not room.tasks.pinned
    room.ask(3, CloseQueue, "q")


def test_sizes_are_bounded():
    room = Room(value_nbytes_max=10, values_nbytes_max=60, items_max=2, answer_nbytes_max=30)
    assert room.put(1, b"x" * 11)[1].kind is Denial.LIMIT
    assert "scatter" in room.put(1, b"x" * 11)[1].text
    assert not room.coordination.queues.records
    room.put(1, b"x" * 10)
    room.put(1, b"y" * 10)
    assert room.put(1, b"z")[1] is None
    assert room.put(1, b"z" * 10)[1].kind is Denial.LIMIT
    assert room.take(2, 3, 3)[1].kind is Denial.LIMIT
    assert room.take(2, 2, 2)[1].kind is Denial.LIMIT
    assert taken(room, 2, 0, 9) == [b"x" * 10]


def test_users_of_a_queue_must_agree():
    room = Room()
    room.put(1, b"a", 2)
    assert room.put(2, b"b", 3)[1].kind is Denial.MISMATCH
    assert room.take(2, 3, 3)[1].kind is Denial.LIMIT
    assert room.take(2, 2, 1)[1].kind is Denial.LIMIT
    assert size(room) == 1


def test_futures_live_as_long_as_the_value_and_until_it_has_arrived():
    room = Room()
    room.tasks.known |= {"k", "l"}
    room.put(1, b"a", 0, ["k", "l", "k"])
    room.put(1, b"b", 0, ["k"])
    assert set(room.tasks.pinned) == {"k", "l"}
    number, answer = room.take(2)
    assert answer.keys == [["k", "l"]]
    assert set(room.tasks.pinned) == {"k", "l"}
    room.say(2, ItemsReceived(number, True))
    assert set(room.tasks.pinned) == {"k"}
    denied = room.put(1, b"c", 0, ["k", "unknown"])[1]
    assert isinstance(denied, RequestDenied)
    assert (denied.kind, denied.text) == (Denial.UNKNOWN_KEY, "unknown")
    room.take(2)
    room.lose(2)
    assert set(room.tasks.pinned) == {"k"}
    taken(room, 3)
    assert not room.tasks.pinned


def test_a_variable_can_be_waited_for():
    room = Room()
    first, answer = room.ask(1, GetVariable, "v")
    second, _ = room.ask(2, GetVariable, "v")
    gone, _ = room.ask(2, GetVariable, "v")
    assert answer is None
    room.withdraw(2, gone)
    room.ask(3, SetVariable, "v", b"1")
    assert room.heard(1) == [ItemsGiven(first, [b"1"], [[]])]
    assert room.heard(2) == [ItemsGiven(second, [b"1"], [[]])]
    room.ask(3, SetVariable, "v", b"2")
    assert room.ask(1, GetVariable, "v")[1].values == [b"2"]
    room.ask(3, SetVariable, "v", None)
    room.ask(3, SetVariable, "v", None)
    assert room.ask(1, LookAt, Primitive.VARIABLE, "v")[1].numbers == [0, 0]
    assert not room.coordination.variables.records


def test_a_former_value_keeps_its_futures_until_it_has_arrived():
    room = Room()
    room.tasks.known |= {"k"}
    room.ask(1, SetVariable, "v", b"1", ["k"])
    number, _ = room.ask(2, GetVariable, "v")
    room.ask(1, SetVariable, "v", b"2")
    assert set(room.tasks.pinned) == {"k"}
    room.say(2, ItemsReceived(number, False))
    assert not room.tasks.pinned
    room.say(2, ItemsReceived(number, True))
    assert room.ask(1, SetVariable, "v", b"3", ["unknown"])[1].kind is Denial.UNKNOWN_KEY
    assert room.ask(2, GetVariable, "v")[1].values == [b"2"]


def test_a_fence_keeps_those_out_who_lost_their_lock():
    room = Room()
    _, token = room.lock(1, "a")
    assert isinstance(room.ask(1, SetVariable, "v", b"1", fence=token)[1], RequestDone)
    number, _ = room.ask(2, AcquireLocks, ["a"], 1)
    room.lose(1)
    (granted,) = room.heard(2)
    assert granted.request == number
    for kind, fields in ((SetVariable, ("v", b"2")), (PutItem, ("q", b"2"))):
        assert room.ask(3, kind, *fields, fence=token)[1].kind is Denial.NOT_HELD
        assert isinstance(room.ask(3, kind, *fields, fence=granted.token)[1], RequestDone)
