"""Futures in containers, and options and keys that are checked before anything is sent."""

from __future__ import annotations

import collections
from typing import Any, NamedTuple

from hypothesis import given
from hypothesis import strategies as st

from hocket.client import Future
from hocket.client.gather import SKIPPED, fill, find_futures
from hocket.client.states import FutureState


class Session:
    """What a future needs to die."""

    def drop(self, _state: FutureState) -> None:
        pass


def make(key: str) -> Future:
    return Future(FutureState(key), Session())  # type: ignore[arg-type]


class Pair(NamedTuple):
    a: Any
    b: Any


FUTURES = [make(f"k{number}") for number in range(5)]
NUMBER_OF = {future: number for number, future in enumerate(FUTURES)}

nested = st.recursive(
    st.sampled_from(FUTURES) | st.integers() | st.text(max_size=2),
    lambda inner: (
        st.lists(inner)
        | st.tuples(inner, inner)
        | st.dictionaries(st.text(max_size=2), inner)
        | st.sets(st.sampled_from(FUTURES))
        | st.builds(Pair, inner, inner)
    ),
)


def reference(value: Any) -> Any:
    """Replace futures by their numbers, the plain way."""
    if isinstance(value, Future):
        return NUMBER_OF[value]
    if isinstance(value, dict):
        return {name: reference(one) for name, one in value.items()}
    if isinstance(value, Pair):
        return Pair(*map(reference, value))
    if isinstance(value, list | tuple | set):
        return type(value)(map(reference, value))
    return value


def count(value: Any) -> set[Future]:
    if isinstance(value, Future):
        return {value}
    if isinstance(value, dict):
        return set().union(*map(count, value.values()))
    if isinstance(value, list | tuple | set):
        return set().union(*map(count, value))
    return set()


@given(value=nested)
def test_futures_are_found_and_replaced(value: Any) -> None:
    assert set(find_futures(value)) == count(value)
    filled = fill(value, NUMBER_OF.__getitem__)
    assert filled == reference(value)
    assert type(filled) is type(reference(value))


@given(futures=st.lists(st.sampled_from(FUTURES)))
def test_a_plain_list_of_futures(futures: list[Future]) -> None:
    assert find_futures(futures) == list(dict.fromkeys(futures))


def test_what_is_skipped_leaves_no_trace() -> None:
    bad, good = FUTURES[:2]

    def value_of(future: Future) -> Any:
        return SKIPPED if future is bad else 5

    assert fill([bad, [good, bad], {"x": bad, "y": good}, (bad,)], value_of) == [
        [5],
        {"y": 5},
        (),
    ]
    assert fill(Pair(bad, good), value_of) == (5,)


def test_a_list_that_holds_itself_is_searched_once() -> None:
    ring: list[Any] = [FUTURES[0]]
    ring.append(ring)
    assert find_futures(ring) == [FUTURES[0]]


def test_subclasses_of_containers_are_kept_if_they_can_be() -> None:
    ordered = collections.OrderedDict(x=FUTURES[1])
    assert type(fill(ordered, NUMBER_OF.__getitem__)) is collections.OrderedDict
    default = collections.defaultdict(list, x=FUTURES[1])
    assert fill(default, NUMBER_OF.__getitem__) == {"x": 1}
