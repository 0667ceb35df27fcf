"""Whom to ask for values: everybody who may have one, nobody twice, the busy last."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from hocket.client.holders import Holders


def test_the_load_is_shared() -> None:
    holders = Holders({key: ["x", "y"] for key in "abcd"}, {"a": 5, "b": 2, "c": 2, "d": 3})
    assert holders.plan() == {"x": ["a"], "y": ["b", "c", "d"]}
    holders.given("x", ["a"])
    holders.given("y", ["b", "c", "d"])
    assert holders.plan() == {}


def test_another_is_asked_where_one_has_it_not() -> None:
    holders = Holders({"a": ["x", "y"]}, {"a": 1})
    assert holders.plan() == {"x": ["a"]}
    assert holders.refused("x", ["a"]) == ["a"]
    assert holders.refused("x", ["a"]) == []
    assert holders.plan() == {"y": ["a"]}
    assert holders.refused("y", ["a"]) == ["a"]
    assert holders.plan() == {}


def test_the_busy_are_asked_last_and_after_a_rest() -> None:
    holders = Holders({"a": ["x"], "b": ["x", "y"]}, {"a": 1, "b": 1})
    holders.busy("x", ["a", "b"], [[], []])
    assert holders.plan() == {"x": ["a"], "y": ["b"]}
    rests_s = []
    for _ in range(9):
        rests_s.append(holders.rest_s("x"))
        holders.busy("x", ["a"], [[]])
    assert rests_s == [0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.0, 1.0]
    assert holders.rest_s("y") == 0
    holders.given("x", [])
    assert holders.rest_s("x") == 0


def test_the_busy_name_others_of_whom_the_scheduler_need_not_hear() -> None:
    holders = Holders({"a": ["x"]}, {"a": 1})
    holders.busy("x", ["a"], [["x", "z"]])
    assert holders.plan() == {"z": ["a"]}
    assert holders.refused("z", ["a"]) == []
    holders.busy("x", ["a"], [["z"]])
    assert holders.plan() == {"x": ["a"]}


def test_those_named_are_bounded() -> None:
    holders = Holders({"a": ["x"]}, {"a": 1})
    for number in range(100):
        holders.busy("x", ["a"], [[f"n{number}", f"m{number}"]])
    asked = 0
    while (plan := holders.plan()) and "x" not in plan:
        (address,) = plan
        assert holders.refused(address, ["a"]) == []
        asked += 1
    assert asked == 16


ADDRESSES = st.sampled_from("vwxyz")


@given(
    located=st.dictionaries(st.sampled_from("abcd"), st.lists(ADDRESSES, max_size=4)),
    has=st.dictionaries(ADDRESSES, st.sets(st.sampled_from("abcd"))),
    busy=st.dictionaries(ADDRESSES, st.integers(0, 4)),
    names=st.lists(ADDRESSES, max_size=3),
)
def test_a_value_is_found_where_somebody_has_it(
    located: dict[str, list[str]], has: dict[str, set[str]], busy: dict[str, int], names: list[str]
) -> None:
    holders = Holders(located, dict.fromkeys(located, 1))
    busy_left = dict(busy)
    found: dict[str, str] = {}
    asked: set[Any] = set()
    reported: set[Any] = set()
    while plan := holders.plan():
        assert sorted(key for keys in plan.values() for key in keys) == sorted(
            {key for keys in plan.values() for key in keys}
        )
        for address, keys in plan.items():
            if busy_left.get(address, 0):
                busy_left[address] -= 1
                holders.busy(address, keys, [names for _ in keys])
                assert holders.rest_s(address) > 0
                continue
            assert not {(address, key) for key in keys} & asked
            asked |= {(address, key) for key in keys}
            given_keys = [key for key in keys if key in has.get(address, ())]
            holders.given(address, given_keys)
            found.update(dict.fromkeys(given_keys, address))
            missing = [key for key in keys if key not in given_keys]
            reported |= {(address, key) for key in holders.refused(address, missing)}
    for key, addresses in located.items():
        assert (key in found) or not any(key in has.get(one, ()) for one in addresses)
    assert all(address in located[key] for address, key in reported)
