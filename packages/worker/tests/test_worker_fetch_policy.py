"""What to ask which peer for next."""

from __future__ import annotations

import hypothesis.strategies as st
from hypothesis import given

from hocket.worker.policy.fetch import FetchLimits, FetchQueue
from hocket.worker.state import Datum, Want, WantState

ADDRESSES = ["tcp://a:1", "tcp://b:1", "unix:///c"]


def make(key, priority=0, nbytes=10, holders=("tcp://a:1",)):
    datum = Datum(key, 1, nbytes, None, Want(priority))
    datum.want.holders = list(holders)
    datum.want.state = WantState.QUEUED
    return datum


def queue_of(*data):
    queue = FetchQueue()
    for datum in data:
        queue.push(datum, datum.want)
    return queue


def test_what_lies_with_one_peer_goes_together_until_the_request_is_full():
    data = [make(str(number), number, 40) for number in range(5)]
    queue = queue_of(*reversed(data))
    assert queue.next({}, 100) == ("tcp://a:1", data[:2])
    assert queue.next({"tcp://a:1"}, 100) is None
    assert queue.next({}, 100) == ("tcp://a:1", data[2:4])
    assert queue.next({}, 100) == ("tcp://a:1", data[4:])
    assert queue.next({}, 100) is None
    assert not queue


def test_a_value_that_is_too_large_goes_alone():
    large, small = make("large", 0, 1000), make("small", 1, 1)
    queue = queue_of(large, small)
    assert queue.next({}, 100)[1] == [large]
    assert queue.next({}, 100)[1] == [small]


def test_the_most_urgent_goes_first_and_then_the_cheapest_way():
    later = make("later", 5, holders=["unix:///c"])
    urgent = make("urgent", 1, holders=["tcp://a:1"])
    near = make("near", 1, holders=["tcp://b:1", "unix:///c"])
    queue = queue_of(later, urgent, near)
    assert queue.next({}, 100) == ("unix:///c", [near, later])
    assert queue.next({"unix:///c"}, 100) == ("tcp://a:1", [urgent])
    assert queue.next({}, 100) is None


def test_a_value_that_came_otherwise_is_passed_over():
    came, other = make("came"), make("other", 1)
    queue = queue_of(came, other)
    came.want.state = WantState.OVER
    assert list(queue.at("tcp://a:1")) == [other]
    assert queue.next({}, 100)[1] == [other]


def test_a_holder_that_refused_is_not_asked_again():
    datum = make("x", holders=["tcp://a:1", "tcp://b:1"])
    queue = queue_of(datum)
    datum.want.holders.remove("tcp://a:1")
    assert queue.next({}, 100) == ("tcp://b:1", [datum])


def test_the_most_urgent_waits_for_room_and_is_not_overtaken():
    large, small = make("large", 0, 90), make("small", 1, 10, ["tcp://b:1"])
    queue = queue_of(large, small, make("more", 2, 10))
    assert queue.next({}, 100, 89) is None
    assert queue.next({}, 100, 0) is None
    assert queue.next({}, 100, 95) == ("tcp://a:1", [large])
    assert queue.next({}, 100, 10) == ("tcp://b:1", [small])


def test_a_first_request_has_all_the_room():
    limits = FetchLimits(16, 100, 200)
    assert limits.room(0, 0) is None
    assert limits.room(1, 150) == 50
    assert limits.room(1, 300) == -100


@given(
    st.lists(
        st.tuples(
            st.integers(0, 3),
            st.integers(0, 200),
            st.lists(st.sampled_from(ADDRESSES), min_size=1, unique=True),
        ),
        max_size=30,
    ),
    st.lists(st.sets(st.sampled_from(ADDRESSES)), max_size=10),
)
def test_everything_is_asked_for_once_and_within_the_limits(rows, busy_sets):
    data = [make(str(number), *row) for number, row in enumerate(rows)]
    queue = queue_of(*data)
    asked = []
    for busy in [*busy_sets, *[set()] * len(data)]:
        request = queue.next(busy, 100)
        if request is None:
            waiting = [datum for datum in data if datum not in asked]
            assert all(set(datum.want.holders) <= busy for datum in waiting)
            continue
        address, together = request
        assert address not in busy
        assert len(together) == 1 or sum(datum.nbytes for datum in together) <= 100
        priorities = [datum.want.priority for datum in together]
        assert priorities == sorted(priorities)
        for datum in together:
            assert address in datum.want.holders
            assert datum.want.state is WantState.FETCHING
        asked.extend(together)
    assert len(asked) == len(data) == len(set(asked))
    assert queue.next({}, 100) is None
    assert not queue
