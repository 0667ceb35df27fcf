"""When a worker pauses."""

from __future__ import annotations

import hypothesis.strategies as st
from hypothesis import given

from hocket.worker.policy.memory import PausePolicy


def test_it_pauses_above_its_part_and_goes_on_well_below_it():
    policy = PausePolicy(1000, 0.8)
    assert not policy.look(800, paused=False)
    assert policy.look(801, paused=False)
    assert policy.look(720, paused=True)
    assert not policy.look(719, paused=True)


@given(st.integers(0, 2**60), st.booleans())
def test_without_a_limit_or_with_all_of_it_nothing_pauses(nbytes, paused):
    assert not PausePolicy(0, 0.8).look(nbytes, paused=paused)
    assert not PausePolicy(1000, 1.0).look(nbytes, paused=paused)


@given(st.integers(1, 2**50), st.floats(0.01, 0.99), st.integers(0, 2**50))
def test_who_has_just_paused_does_not_go_on_with_the_same(limit, part, nbytes):
    policy = PausePolicy(limit, part)
    if policy.look(nbytes, paused=False):
        assert policy.look(nbytes, paused=True)
