"""Picking one of several results: by name, by place, or with an error that names what is wrong."""

from __future__ import annotations

import pickle
from collections import namedtuple
from typing import Any

import pytest

from hocket.core.named_outputs import PickOutput, WrongOutputs

_NAMES = ("mean", "deviation")

Stats = namedtuple("Stats", ["deviation", "mean"])  # noqa: PYI024 - as users make them
Pair = namedtuple("Pair", ["first", "second"])  # noqa: PYI024


def pick(name: str, result: Any) -> Any:
    return PickOutput("stats", name, _NAMES)(result)


@pytest.mark.parametrize(
    "result",
    [
        {"mean": 1, "deviation": 2},
        (1, 2),
        [1, 2],
        Stats(deviation=2, mean=1),
        Pair(1, 2),
    ],
)
def test_by_name_or_by_place(result: object) -> None:
    assert [pick(name, result) for name in _NAMES] == [1, 2]


def test_nothing_is_copied() -> None:
    value = [1]
    assert pick("mean", {"mean": value, "deviation": 0}) is value


def test_what_is_missing_fails_alone() -> None:
    assert pick("mean", {"mean": 1}) == 1
    assert pick("mean", (1,)) == 1
    for result in ({"mean": 1}, (1,)):
        with pytest.raises(WrongOutputs, match="without the output deviation") as caught:
            pick("deviation", result)
        assert caught.value.missing == ["deviation"]
        assert caught.value.unnamed == []


@pytest.mark.parametrize("name", _NAMES)
def test_what_nobody_named_fails_all(name: str) -> None:
    with pytest.raises(WrongOutputs, match="with 'median', which outputs= does not name"):
        pick(name, {"mean": 1, "deviation": 2, "median": 3})
    with pytest.raises(WrongOutputs, match=r"a tuple of 3 with item 2"):
        pick(name, (1, 2, 3))
    with pytest.raises(WrongOutputs, match=r"class 'float', which has no named parts") as caught:
        pick(name, 1.5)
    assert "a dict with the keys mean, deviation" in str(caught.value)


def test_the_error_and_what_picks_travel() -> None:
    picker = pickle.loads(pickle.dumps(PickOutput("stats", "mean", _NAMES)))
    assert picker.__name__ == "stats[mean]"
    with pytest.raises(WrongOutputs) as caught:
        picker("text")
    again = pickle.loads(pickle.dumps(caught.value))
    assert str(again) == str(caught.value)
    assert again.names == list(_NAMES)
