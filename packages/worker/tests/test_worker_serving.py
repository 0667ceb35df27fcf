"""How much is given out at once, and who is named to those who are turned away."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hocket.worker.policy import serving
from hocket.worker.policy.serving import Serving
from hocket.worker.state import Datum


def datum(key, attempt=1):
    return Datum(key, attempt, 1, None)


def test_so_many_requests_are_answered_at_once():
    busy = Serving(2)
    assert busy.begin()
    assert busy.begin()
    assert not busy.begin()
    busy.end()
    assert busy.begin()
    assert not busy.begin()


def test_who_got_a_value_is_named_to_others():
    busy = Serving(1)
    a, b = datum("a"), datum("b")
    busy.gave([a, b], "ann")
    busy.gave([a], "bob")
    assert busy.takers([a, None, b], "cid") == [["ann", "bob"], [], ["ann"]]
    # Nobody is sent to himself, or to who had another attempt's value.
    assert busy.takers([a, b], "ann") == [["bob"], []]
    assert busy.takers([datum("a", 2)], "cid") == [[]]


def test_who_comes_next_is_sent_to_others():
    busy = Serving(1)
    for number in range(8):
        busy.gave([datum("a")], f"w{number}")
    ((first,), (second,)) = (busy.takers([datum("a")], "") for _ in range(2))
    assert {*first, *second} == {f"w{number}" for number in range(8)}


@given(
    st.lists(
        st.tuples(st.integers(0, 9), st.integers(0, 30), st.booleans()),
        max_size=200,
    )
)
def test_what_is_remembered_is_bounded_and_true(steps):
    busy = Serving(1)
    given_to = {}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(serving, "_VALUES_MAX", 5)
        for key, worker, asks in steps:
            value = datum(str(key))
            if asks:
                (named,) = busy.takers([value], str(worker))
                assert len(named) <= 4
                assert len(set(named)) == len(named)
                assert str(worker) not in named
                assert set(named) <= given_to.get(key, set())
            else:
                busy.gave([value], str(worker))
                given_to.setdefault(key, set()).add(str(worker))
                (named,) = busy.takers([value], "")
                assert named
            assert len(busy._takers) <= 5
            assert all(len(each) <= 16 for each in busy._takers.values())
