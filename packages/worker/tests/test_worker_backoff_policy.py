"""Peers that are left alone for a while."""

from __future__ import annotations

import hypothesis.strategies as st
from hypothesis import given

from hocket.worker.policy.backoff import REST_S_MAX, REST_S_MIN, Backoff

A, B = "tcp://a:1", "tcp://b:1"


def test_nobody_rests_at_first():
    backoff = Backoff()
    assert backoff.wake_s is None
    backoff.answered(A)
    backoff.look(5.0)
    assert backoff.peers == backoff.resting == {}


def test_rests_double_and_failures_are_counted_in_a_row():
    backoff = Backoff()
    assert [backoff.failed(A, 0.0) for _ in range(3)] == [1, 2, 3]
    assert backoff.resting == {A: REST_S_MIN * 4}
    backoff.busy(A, 0.0)
    assert backoff.resting == {A: REST_S_MIN * 8}
    assert backoff.failed(A, 0.0) == 1
    backoff.answered(A)
    assert backoff.peers == backoff.resting == {}
    assert backoff.failed(A, 0.0) == 1
    assert backoff.resting == {A: REST_S_MIN}


def test_the_first_rest_that_ends_counts():
    backoff = Backoff()
    backoff.busy(A, 5.5)
    backoff.busy(B, 5.0)
    assert backoff.wake_s == 5.0 + REST_S_MIN
    backoff.look(5.2)
    assert backoff.resting.keys() == {A}
    assert backoff.peers.keys() == {A, B}
    backoff.forget(lambda address: address != B)
    assert backoff.peers.keys() == {A}
    # Who rests is not forgotten.
    backoff.forget(lambda address: False)
    assert backoff.peers.keys() == {A}


def test_a_clock_that_is_set_back_ends_rests():
    backoff = Backoff()
    backoff.busy(A, 1000.0)
    backoff.look(10.0)
    assert backoff.wake_s is None


@given(st.lists(st.tuples(st.sampled_from(["busy", "failed"]), st.floats(0, 1e9)), min_size=1))
def test_rests_are_bounded(events):
    backoff = Backoff()
    for what, now_s in events:
        getattr(backoff, what)(A, now_s)
        assert now_s < backoff.wake_s <= now_s + REST_S_MAX
        backoff.look(backoff.wake_s)
        assert backoff.wake_s is None
