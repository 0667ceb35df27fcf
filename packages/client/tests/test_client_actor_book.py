"""A client's calls of actors: in order, never sent twice, and lost ones are told of."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from hocket.client.actor_book import CallState
from hocket.client.actor_errors import ActorCallLost, ActorRestarted
from hocket.client.failures import error_of_state
from hocket.client.machine import CANCELLED, FAILED, LOST, PENDING, STORED, ClientMachine, Watch
from hocket.core.errors import PeerLost, TaskCancelled
from hocket.protocol.messages import (
    ActorsPlaced,
    ActorsRestarting,
    CallKind,
    CallsEnded,
    CancelCalls,
    Failure,
    FailureKind,
    TasksErred,
)

HOME = "tcp://w:1"
OTHER = "tcp://v:1"


class House:
    """A client's machine that holds a future of the actor "a"."""

    def __init__(self) -> None:
        self.machine = ClientMachine("me")
        self.state = self.machine.want("a")
        self.book = self.machine.actors

    def call(self, method: str = "add", kind: CallKind = CallKind.METHOD) -> CallState:
        return self.book.call("a", method, kind, b"payload", object())

    def place(self, attempt: int, address: str = HOME, saved: dict[str, int] | None = None) -> None:
        saved = saved or {}
        self.machine.receive(
            ActorsPlaced(["a"], [attempt], ["w"], [address], [list(saved)], [list(saved.values())])
        )

    def restart(self, attempt: int) -> None:
        self.machine.receive(ActorsRestarting(["a"], [attempt], ["it burnt"]))

    def sent(self) -> list[tuple[str, list[int], list[int]]]:
        return [
            (address, message.numbers, message.attempts)
            for address, messages in self.book.take_calls(1000)
            for message in messages
        ]

    def answer(
        self,
        numbers: Sequence[int],
        attempt: int,
        saved: int = 0,
        failure: Failure | None = None,
        values: list[bytes | None] | None = None,
    ) -> None:
        count = len(numbers)
        self.book.ended(
            CallsEnded(
                ["a"] * count,
                [attempt] * count,
                list(numbers),
                values or [None if failure else b"v"] * count,
                [failure] * count,
                [saved] * count,
            )
        )


@pytest.fixture
def house() -> House:
    return House()


def test_calls_wait_until_it_is_known_where_the_actor_is(house):
    calls = [house.call(), house.call()]
    assert not house.book.has_output
    house.place(3)
    assert house.sent() == [(HOME, [1, 2], [3, 3])]
    house.call()
    assert house.sent() == [(HOME, [3], [3])]
    assert [call.status for call in calls] == [PENDING, PENDING]


def test_an_answer_ends_a_call_and_the_hold_on_the_actor(house):
    house.place(3)
    call = house.call()
    house.sent()
    house.answer([1], 3)
    assert (call.status, call.value, call.holds) == (STORED, b"v", None)
    # It may not come again, and another incarnation's is none.
    house.answer([1], 3)
    second = house.call()
    house.answer([2], 4)
    assert second.status is PENDING


def test_what_a_method_raised_is_the_calls_own(house):
    house.place(3)
    call = house.call()
    house.sent()
    house.answer([1], 3, failure=Failure(FailureKind.RAISED, "a.add", "ZeroDivisionError"))
    assert call.status is FAILED
    assert "ZeroDivisionError" in str(error_of_state(call, None))


def test_being_told_the_same_place_twice_sends_nothing_twice(house):
    house.call()
    house.place(3)
    house.place(3)
    assert house.sent() == [(HOME, [1], [3])]


def test_a_lost_actor_ends_all_calls_and_those_that_follow(house):
    house.place(3)
    sent = house.call()
    house.sent()
    failure = Failure(FailureKind.ACTOR_LOST, "a", "it burnt", b"", "w", 3)
    house.machine.receive(TasksErred(["a"], [failure]))
    later = house.call()
    for call in (sent, later):
        assert call.status is FAILED
        text = str(error_of_state(call, None))
        assert "actor 'a'" in text
        assert "'w'" in text
        assert "__checkpoint__" in text


def test_an_actor_that_was_lost_before_the_first_call_answers_at_once(house):
    failure = Failure(FailureKind.ACTOR_LOST, "a", "it burnt", b"", "w", 3)
    house.machine.receive(TasksErred(["a"], [failure]))
    call = house.call()
    assert call.status is FAILED
    assert "it burnt" in str(error_of_state(call, None))


def test_calls_of_an_actor_that_is_cancelled_before_it_is_there_are_cancelled(house):
    call = house.call()
    house.machine.cancel([house.state])
    later = house.call()
    assert [type(one.error) for one in (call, later)] == [TaskCancelled, TaskCancelled]


def test_numbers_go_on_when_an_actor_is_let_go_of_and_held_again(house):
    house.place(3)
    house.call()
    house.machine.release([house.state])
    house.machine.want("a")
    house.place(3)
    assert house.call().number == 2


def test_after_a_restart_calls_without_an_answer_say_what_is_lost(house):
    house.place(3)
    for _ in range(4):
        house.call()
    house.sent()
    house.answer([1, 2], 3, saved=1)
    pending = [house.book._actors["a"].calls[number] for number in (3, 4)]
    house.restart(3)
    made_since = house.call()
    assert not house.book.has_output
    house.place(5, OTHER, {"me": 1, "another": 9})
    for call in [*pending, made_since]:
        assert isinstance(call.error, ActorRestarted)
        assert call.error.lost == ["add() (call 2)", "add() (call 3)", "add() (call 4)"]
        assert call.name in str(call.error)
        assert "it burnt" in str(call.error)
    following = house.call()
    assert house.sent() == [(OTHER, [6], [5])]
    assert following.status is PENDING


def test_who_has_no_call_open_hears_of_what_is_lost_by_the_next_one(house):
    house.place(3)
    house.call()
    house.sent()
    house.answer([1], 3, saved=0)
    house.restart(3)
    house.place(5, OTHER, {})
    told = house.call()
    assert isinstance(told.error, ActorRestarted)
    assert told.error.lost == ["add() (call 1)"]
    assert house.call().status is PENDING
    assert house.sent() == [(OTHER, [3], [5])]


def test_a_restart_that_loses_nothing_is_not_noticed(house):
    house.place(3)
    house.call()
    house.sent()
    house.answer([1], 3, saved=1)
    house.restart(3)
    waiting = house.call()
    house.place(5, OTHER, {"me": 1})
    assert house.sent() == [(OTHER, [2], [5])]
    assert waiting.status is PENDING


def test_a_call_that_is_in_the_checkpoint_but_has_no_answer_is_not_said_to_be_lost(house):
    house.place(3)
    call = house.call()
    house.sent()
    house.restart(3)
    house.place(5, OTHER, {"me": 1})
    assert isinstance(call.error, ActorRestarted)
    assert call.error.lost == []
    assert house.call().status is PENDING


def test_a_line_that_is_lost_leaves_open_what_became_of_its_calls(house):
    house.place(3)
    sent = house.call("add")
    house.sent()
    unsent = house.call("get", CallKind.ATTRIBUTE)
    house.book.line_lost(OTHER, "cut")
    assert sent.status is PENDING
    house.book.line_lost(HOME, "cut")
    assert isinstance(sent.error, ActorCallLost)
    assert "may have been made or not" in str(sent.error)
    assert "reading .get" in str(unsent.error)
    assert "was not made" in str(unsent.error)
    assert house.sent() == []
    assert house.call().status is PENDING


def test_a_line_that_is_lost_after_the_news_of_a_restart_changes_nothing(house):
    house.place(3)
    call = house.call()
    house.sent()
    house.restart(3)
    house.book.line_lost(HOME, "cut")
    assert call.status is PENDING


def test_a_retried_actor_begins_anew(house):
    house.place(3)
    house.call()
    house.sent()
    house.answer([1], 3)
    failure = Failure(FailureKind.ACTOR_LOST, "a", "it burnt", b"", "w", 3)
    house.machine.receive(TasksErred(["a"], [failure]))
    house.machine.retry([house.state])
    house.place(6, OTHER)
    assert house.call().status is PENDING
    assert house.sent() == [(OTHER, [2], [6])]


def test_a_client_that_is_closed_ends_all_calls(house):
    house.place(3)
    call = house.call()
    error = PeerLost(address="tcp://s:1", reason="closed")
    house.machine.close(error)
    assert call.status is LOST
    assert not house.book.has_output
    with pytest.raises(PeerLost):
        house.call()


def test_nothing_is_remembered_of_an_actor_of_which_there_is_no_future(house):
    house.place(3)
    house.machine.release([house.state])
    assert not house.book._actors
    house.place(4)
    assert not house.book._actors


def test_long_rows_of_calls_are_cut_into_messages(house):
    house.place(3)
    calls = [house.call() for _ in range(30)]
    rows = house.sent()
    assert len(rows) > 1
    assert [number for _, numbers, _ in rows for number in numbers] == list(range(1, 31))
    assert all(call.payload == b"" for call in calls)


def test_watches_hear_of_answers(house):
    fired: list[Any] = []
    watch = Watch(lambda: fired.append(1))

    house.place(3)
    call = house.call()
    house.sent()
    house.machine.watch([call], watch)
    house.answer([1], 3)
    for one in house.machine.take_fired():
        one.wake()
    assert fired == [1]


def test_what_a_worker_that_leaves_hands_back_is_made_where_the_actor_goes(house):
    house.place(3)
    calls = [house.call(f"m{number}") for number in range(1, 5)]
    house.sent()
    house.answer([1], 3, saved=0)
    failure = Failure(FailureKind.NOT_MADE, "a", "its worker leaves", b"", "w", 3)
    house.answer([3, 4], 3, failure=failure, values=[b"three", b"four"])
    # From now on nothing goes there.
    calls.append(house.call("m5"))
    assert house.sent() == []
    house.answer([2], 3, saved=0)
    house.restart(3)
    house.place(5, OTHER, {"me": 2})
    ((_, (message,)),) = house.book.take_calls(1000)
    assert (message.numbers, message.attempts) == ([3, 4, 5], [5, 5, 5])
    assert message.payloads == [b"three", b"four", b"payload"]
    house.answer([3, 4, 5], 5)
    assert [call.status for call in calls] == [STORED] * 5


def test_what_was_handed_back_is_lost_with_what_it_counts_on(house):
    house.place(3)
    calls = [house.call(), house.call()]
    house.sent()
    failure = Failure(FailureKind.NOT_MADE, "a", "its worker leaves", b"", "w", 3)
    house.answer([2], 3, failure=failure, values=[b"two"])
    # The first has no answer, and is in no checkpoint.
    house.place(5, OTHER)
    for call in calls:
        assert isinstance(call.error, ActorRestarted)
        assert call.error.lost == ["add() (call 1)"]
    assert house.sent() == []


def test_a_call_is_cancelled_at_once_before_it_leaves(house):
    early, kept = house.call(), house.call()
    house.book.cancel(early)
    assert early.status is CANCELLED
    assert isinstance(error_of_state(early, None), TaskCancelled)
    house.place(3)
    late = house.call()
    house.book.cancel(late)
    assert house.sent() == [(HOME, [kept.number], [3])]
    assert (early.holds, late.holds) == (None, None)


def test_a_call_that_has_left_is_cancelled_by_its_worker_or_not_at_all(house):
    house.place(3)
    calls = [house.call(), house.call(), house.call()]
    house.sent()
    house.book.cancel(calls[0])
    house.book.cancel(calls[1])
    ((_, (message,)),) = house.book.take_calls(1000)
    assert message == CancelCalls("me", ["a", "a"], [3, 3], [1, 2])
    assert [call.status for call in calls] == [PENDING] * 3
    # The first ran to its end.
    house.answer([1], 3)
    house.answer([2], 3, failure=Failure(FailureKind.CANCELLED, "a", "", b"", "w", 3))
    assert [call.status for call in calls] == [STORED, CANCELLED, PENDING]
    # What has ended, and what went to a worker that is no more, is left as it is.
    house.book.cancel(calls[0])
    house.restart(3)
    house.book.cancel(calls[2])
    assert not house.book.has_output
