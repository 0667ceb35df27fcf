"""Names with commas between them."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from hocket.core.name_lists import split_names

NAMES = st.text(st.characters(exclude_characters=","), min_size=1).map(str.strip).filter(bool)


@given(st.lists(NAMES), st.sampled_from([",", ", ", " ,, "]))
def test_what_was_joined_comes_apart(names, between):
    assert split_names(between.join(names)) == names


def test_nothing_is_no_name():
    assert split_names("") == split_names(" , ,") == []
