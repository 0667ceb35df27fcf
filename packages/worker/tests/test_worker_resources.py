"""Resources: amounts that add up exactly."""

from __future__ import annotations

import math

import hypothesis.strategies as st
import pytest
from hypothesis import given

from hocket.worker.resources import Resources
from hocket.worker.units import NOTHING, UNITS, needs_of


def test_amounts_become_whole_units_sorted_by_name():
    assert needs_of({"b": 1, "a": 0.5}) == (("a", UNITS // 2), ("b", UNITS))
    assert needs_of({"a": 0, "b": 0.0}) == NOTHING


def test_a_tiny_need_is_a_need():
    assert needs_of({"a": 1e-12}) == (("a", 1),)


@pytest.mark.parametrize("amount", [-1, -1e-9, math.inf, math.nan, 1e308])
def test_what_is_no_amount(amount):
    assert needs_of({"a": amount}) is None
    with pytest.raises(ValueError, match="finite"):
        Resources({"a": amount})


def test_what_is_not_offered_never_fits():
    resources = Resources({"a": 1})
    assert not resources.could_ever_fit(needs_of({"b": 0.1}))
    assert not resources.could_ever_fit(needs_of({"a": 1.1}))
    assert resources.could_ever_fit(needs_of({"a": 1}))
    assert resources.could_ever_fit(NOTHING)


@given(st.lists(st.floats(0, 1), max_size=20))
def test_reserving_and_releasing_leaves_what_was_there(amounts):
    resources = Resources({"a": 1})
    reserved = []
    for amount in amounts:
        needs = needs_of({"a": amount})
        if resources.fit(needs):
            resources.reserve(needs)
            reserved.append(needs)
    assert 0 <= resources.free["a"] <= UNITS
    for needs in reserved:
        resources.release(needs)
    assert resources.free == resources.total == {"a": UNITS}
