"""What is asked for of a stream, against any generator and any taker."""

from __future__ import annotations

from collections import deque

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from hocket.client.stream_flow import AHEAD_MAX, SliceAsked, StreamFlow, check_ahead
from hocket.core.errors import SettingsError
from hocket.transport.live_generators import SliceNews

_LARGE = 64 << 20


def news(count: int, *, nbytes: int = 8, last: bool = False, duration_s: float = 0.0) -> SliceNews:
    return SliceNews(count, nbytes * count, last, "g1", "w0", duration_s)


def test_the_first_is_one_item_and_quick_ones_grow() -> None:
    flow = StreamFlow()
    counts = []
    for _ in range(8):
        asked = flow.ask()
        assert asked is not None
        assert flow.ask() is None
        counts.append(asked.items_count)
        flow.made(news(asked.items_count))
        flow.taken(asked.items_count, 8 * asked.items_count)
    assert counts == [1, 4, 16, 64, 256, 1024, 4096, 10_000]


def test_slow_ones_come_alone() -> None:
    flow = StreamFlow()
    for start in range(5):
        asked = flow.ask()
        assert asked == SliceAsked(start, 1, 8 << 20, "g1" if start else "")
        flow.made(news(1, duration_s=1.0))


def test_nobody_runs_ahead() -> None:
    flow = StreamFlow(1)
    assert flow.ask() is not None
    flow.made(news(1))
    assert flow.ask() is None
    flow.taken(1, 8)
    asked = flow.ask()
    assert asked is not None
    assert asked.start == 1


def test_large_items_are_few() -> None:
    flow = StreamFlow()
    waiting = 0
    while (asked := flow.ask()) is not None:
        flow.made(news(asked.items_count, nbytes=10 << 20, duration_s=0.0))
        waiting += asked.items_count
    assert waiting == 4


@pytest.mark.parametrize("ahead", [0, -1, True, 1.5, "1", AHEAD_MAX + 1])
def test_what_is_no_number_of_items(ahead: object) -> None:
    with pytest.raises(SettingsError, match="ahead"):
        check_ahead(ahead)


def test_a_number_of_items() -> None:
    assert [check_ahead(one) for one in (None, 1, AHEAD_MAX)] == [None, 1, AHEAD_MAX]


class AnyStream(RuleBasedStateMachine):
    """A generator of some length that makes slices of any size, and somebody who takes items."""

    def __init__(self) -> None:
        super().__init__()
        self.flow = StreamFlow(5)
        self.length = 30
        self.asked: SliceAsked | None = None
        self.made = 0
        self.taken = 0
        self.sizes: deque[int] = deque()
        self.is_over = False
        self._ask()

    def _ask(self) -> None:
        asked = self.flow.ask()
        if asked is not None:
            assert self.asked is None
            assert not self.is_over
            assert asked.start == self.made
            self.asked = asked

    @precondition(lambda self: self.asked is not None)
    @rule(data=st.data(), nbytes=st.sampled_from([1, 100, _LARGE]))
    def make(self, data: st.DataObject, nbytes: int) -> None:
        asked, self.asked = self.asked, None
        assert asked is not None
        left = self.length - self.made
        count = data.draw(st.integers(min(1, left), min(asked.items_count, left)))
        self.made += count
        self.is_over = left == 0 or (left == count and data.draw(st.booleans()))
        self.flow.made(news(count, nbytes=nbytes, last=self.is_over))
        self.sizes.extend([nbytes] * count)
        self._ask()

    @precondition(lambda self: self.sizes)
    @rule()
    def take(self) -> None:
        self.taken += 1
        self.flow.taken(1, self.sizes.popleft())
        self._ask()

    @rule()
    def close(self) -> None:
        self.flow.end()
        self.is_over = True
        self.asked = None
        self._ask()

    @invariant()
    def few_wait(self) -> None:
        under_way = self.asked.items_count if self.asked else 0
        assert self.made - self.taken + under_way <= 5

    @invariant()
    def it_goes_on(self) -> None:
        assert self.is_over or self.asked is not None or self.sizes
        assert self.flow.is_over == self.is_over


TestAnyStream = AnyStream.TestCase
