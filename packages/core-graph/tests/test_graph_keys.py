"""Keys: what may be one, and that equal keys have equal texts."""

from __future__ import annotations

import ast
import enum

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hocket.core.errors import InvalidGraph
from hocket.graph import key_text
from hocket.graph.keys import arrange, flat_keys

scalars = st.text() | st.binary() | st.integers() | st.floats(allow_nan=False)
keys = scalars | st.recursive(
    scalars | st.none() | st.booleans(), lambda inner: st.lists(inner).map(tuple), max_leaves=8
).filter(lambda key: isinstance(key, tuple))


class Number:
    """A whole number of another library, as those of NumPy are."""

    def __init__(self, value: int) -> None:
        self.value = value

    def __index__(self) -> int:
        return self.value

    def __eq__(self, other: object) -> bool:
        return other == self.value

    def __hash__(self) -> int:
        return hash(self.value)


class Colour(enum.StrEnum):
    RED = "red"


@given(keys)
def test_the_text_of_a_key_is_itself_or_its_literal(key):
    text = key_text(key)
    if isinstance(key, str):
        assert text is key
    elif key not in (float("inf"), float("-inf")) and "inf" not in text:
        assert ast.literal_eval(text) == key


@given(keys, keys)
def test_other_keys_than_text_share_a_text_only_if_they_are_equal(one, other):
    if not isinstance(one, str) and not isinstance(other, str):
        assert (key_text(one) == key_text(other)) == (one == other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (("x", 1), ("x", True)),
        (("x", 1), ("x", 1.0)),
        (("x", 1), ("x", Number(1))),
        (("x", 0), ("x", -0.0)),
        (1, 1.0),
        (("red", 0), (Colour.RED, 0)),
        ("red", Colour.RED),
        ((("a", 1), 2), (("a", Number(1)), 2)),
    ],
)
def test_equal_keys_have_equal_texts(one, other):
    assert one == other
    assert key_text(one) == key_text(other)


def test_texts_of_tuples_are_their_literals():
    assert key_text(("x", 0, 1)) == "('x', 0, 1)"
    assert key_text(("x",)) == "('x',)"
    assert key_text(("x", Number(1))) == "('x', 1)"
    assert key_text((Number(1),)) == "(1,)"
    assert key_text(("it's", None, 0.5, b"y")) == """("it's", None, 0.5, b'y')"""
    assert key_text(()) == "()"
    assert type(key_text(Colour.RED)) is str


def deep_tuple():
    key = ("x",)
    for _ in range(1000):
        key = (key,)
    return key


@pytest.mark.parametrize(
    "key", [None, ["x"], {"x"}, ("x", ["y"]), object(), ("x", object()), 1j, {"a": 1}]
)
def test_what_has_no_stable_text_is_refused_by_name(key):
    with pytest.raises(InvalidGraph, match=r"a key cannot be .*give a str, bytes, int, float"):
        key_text(key)


def test_a_bottomless_tuple_is_refused():
    with pytest.raises(InvalidGraph):
        key_text((*deep_tuple(), 0.5))


def test_lists_of_keys_keep_their_shape():
    asked = ["a", [("b", 0), [], ["a"]]]
    assert list(flat_keys(asked)) == ["a", ("b", 0), "a"]
    assert arrange(asked, {"a": 1, ("b", 0): 2}) == [1, [2, [], [1]]]
    assert list(flat_keys("a")) == ["a"]
