"""Locks and semaphores: held by no more than may hold them, in the order of arrival, by tokens."""

from __future__ import annotations

import pytest
from coordination_house import Room

from hocket.protocol.messages import (
    AcquireLocks,
    Denial,
    GrantGiven,
    GrantsRevoked,
    LookAt,
    Primitive,
    RequestDenied,
    RequestDone,
)
from hocket.scheduler.refusal import Refusal


def denial(answer: object) -> Denial:
    assert isinstance(answer, RequestDenied)
    assert answer.text
    return answer.kind


def test_a_lock_goes_from_hand_to_hand_in_the_order_of_arrival():
    room = Room()
    _, first = room.lock(1, "a")
    waiting = [room.lock(id_, "a") for id_ in (2, 3, 1)]
    assert [token for _, token in waiting] == [0, 0, 0]
    token = first
    for id_, (number, _) in zip((2, 3, 1), waiting, strict=True):
        done = room.release({2: 1, 3: 2, 1: 3}[id_], token)
        granted = done if id_ == 0 else room.heard(id_)[-1]
        assert isinstance(done, RequestDone)
        assert isinstance(granted, GrantGiven)
        assert granted.request == number
        assert granted.token > token
        token = granted.token


def test_a_client_that_is_lost_loses_its_locks_and_its_place():
    room = Room()
    _, token = room.lock(1, "a")
    room.lock(1, "a")
    number, _ = room.lock(2, "a")
    room.lose(1)
    (granted,) = room.heard(2)
    assert granted == GrantGiven(number, token + 1)
    assert denial(room.release(3, token)) is Denial.NOT_HELD
    assert denial(room.release(3, token + 1)) is Denial.NOT_HELD


def test_what_was_withdrawn_is_not_granted_later():
    room = Room()
    _, token = room.lock(1, "a")
    number, _ = room.lock(2, "a")
    (answer,) = room.withdraw(2, number)
    assert answer.request == number
    assert denial(answer) is Denial.WITHDRAWN
    room.release(1, token)
    assert not room.heard(2)
    assert room.lock(3, "a")[1]
    assert not room.withdraw(2, number)


def test_several_locks_at_once():
    room = Room()
    _, b = room.lock(1, "b")
    both, granted = room.lock(2, "a", "b")
    assert not granted
    # The line of "a" is kept for whoever waits for "b" as well: nobody is passed for ever.
    alone, granted = room.lock(3, "a")
    assert not granted
    room.release(1, b)
    (given,) = room.heard(2)
    assert given.request == both
    assert not room.heard(3)
    room.release(2, given.token)
    assert room.heard(3)[-1].request == alone


def test_some_of_several_locks():
    room = Room()
    _, a = room.lock(1, "a")
    _, token = room.lock(2, "a", "b", "c", count=2)
    assert token
    held = [room.ask(3, LookAt, Primitive.LOCK, name)[1].numbers for name in "abc"]
    assert held == [[a, 0], [token, 0], [token, 0]]
    number, _ = room.lock(3, "a", "c", count=1)
    room.release(1, a)
    assert room.heard(3)[-1].request == number
    assert room.lock(3, "c")[1] == 0


def test_an_attempt_that_is_over_holds_nothing_and_waits_for_nothing():
    room = Room()
    room.tasks.running |= {("t", 1), ("u", 1)}
    _, token = room.lock(1, "a", task=("t", 1))
    waiting, _ = room.lock(1, "a", task=("u", 1))
    last, _ = room.lock(2, "a")
    room.end_task("u", 1)
    (answer,) = room.heard(1)
    assert answer.request == waiting
    assert denial(answer) is Denial.TASK_OVER
    room.end_task("t", 1)
    (revoked,) = room.heard(1)
    assert isinstance(revoked, GrantsRevoked)
    assert revoked.tokens == [token]
    assert "'t'" in revoked.reason
    assert room.heard(2)[-1].request == last
    assert denial(room.release(1, token)) is Denial.NOT_HELD
    _, answer = room.ask(1, AcquireLocks, ["a"], 1, "t", 1)
    assert denial(answer) is Denial.TASK_OVER


def test_the_next_attempt_of_a_task_is_another():
    room = Room()
    room.tasks.running.add(("t", 2))
    _, token = room.lock(1, "a", task=("t", 2))
    room.end_task("t", 1)
    assert not room.heard(1)
    assert room.ask(1, LookAt, Primitive.GRANT, "", token)[1].numbers == [1]
    assert room.ask(2, LookAt, Primitive.GRANT, "", token)[1].numbers == [0]


def test_nonsense_is_denied():
    room = Room(names_max=2, records_max=3, wishes_max=1, grants_max=2)
    for names, count in ((["a", "a"], 1), (["a"], 2), (["a"], 0), ([], 0), (["a", "b", "c"], 1)):
        _, answer = room.ask(1, AcquireLocks, names, count)
        assert denial(answer) is Denial.LIMIT
    room.lock(1, "a")
    room.lock(1, "b")
    _, answer = room.ask(1, AcquireLocks, ["c"], 1)
    assert denial(answer) is Denial.LIMIT
    room.lock(2, "c")
    _, answer = room.ask(2, AcquireLocks, ["d"], 1)
    assert denial(answer) is Denial.LIMIT
    number, _ = room.lock(2, "a")
    _, answer = room.ask(2, AcquireLocks, ["b"], 1)
    assert denial(answer) is Denial.LIMIT
    with pytest.raises(Refusal, match="waits already"):
        room.say(2, AcquireLocks(number, ["a"], 1))


def test_leases_are_given_in_the_order_of_arrival():
    room = Room()
    _, one = room.lease(1, "s", 3)
    _, two = room.lease(1, "s", 3, 2)
    assert two > one > 0
    many, _ = room.lease(2, "s", 3, 2)
    few, _ = room.lease(3, "s", 3)
    assert room.ask(3, LookAt, Primitive.SEMAPHORE, "s")[1].numbers == [3, 3, 2]
    room.release(1, one)
    assert not room.heard(2)
    assert not room.heard(3)
    room.release(1, two)
    assert room.heard(2)[-1].request == many
    assert room.heard(3)[-1].request == few


def test_who_leaves_the_line_of_a_semaphore_lets_the_next_in():
    room = Room()
    room.lease(1, "s", 2)
    many, _ = room.lease(2, "s", 2, 2)
    few, _ = room.lease(3, "s", 2)
    room.withdraw(2, many)
    assert room.heard(3)[-1].request == few


def test_users_of_a_semaphore_must_agree():
    room = Room()
    _, token = room.lease(1, "s", 2)
    number, _ = room.lease(2, "s", 3)
    assert number
    room.release(1, token)
    assert room.lease(2, "s", 3)[1]


def test_too_many_leases_are_denied():
    room = Room()
    assert room.lease(1, "s", 2, 3)[1] == 0
    assert room.lease(1, "s", 2, 0)[1] == 0
    assert not room.coordination.semaphores.records
