"""Shared bandwidth: rates are max-min fair by the definition, and bytes arrive in their time."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hocket.testing.bandwidth import Bandwidth
from hocket.testing.clock import Timeline

HOSTS = "abcdef"

flows_strategy = st.lists(
    st.tuples(st.sampled_from(HOSTS), st.sampled_from(HOSTS), st.integers(1, 10**6)), max_size=30
)
capacities_strategy = st.dictionaries(
    st.sampled_from(HOSTS), st.tuples(st.integers(1, 1000), st.integers(1, 1000))
)


def network(capacities, capacity=100.0):
    timeline = Timeline()
    bandwidth = Bandwidth(timeline, capacity)
    for host, (up, down) in capacities.items():
        bandwidth.set_capacity(host, up, down)
    return timeline, bandwidth


def settle(timeline):
    """Let what happens at this moment happen."""
    while timeline.next_s == timeline.now_s:
        timeline.step()


def check_fair(bandwidth):
    """No flow can have more unless one that has no more than it gets less.

    That is so exactly if each flow crosses a full pipe in which none has more than it (Bertsekas
    and Gallager, section 6.5.2: its bottleneck).
    """
    flows = bandwidth.flows()
    for flow in flows:
        assert flow.rate_nbytes_per_s > 0
        assert any(
            sum(one.rate_nbytes_per_s for one in pipe.flows)
            == pytest.approx(pipe.capacity_nbytes_per_s)
            and max(one.rate_nbytes_per_s for one in pipe.flows)
            <= flow.rate_nbytes_per_s * (1 + 1e-9)
            for pipe in (flow.up, flow.down)
        )
        for pipe in (flow.up, flow.down):
            total = sum(one.rate_nbytes_per_s for one in pipe.flows)
            assert total <= pipe.capacity_nbytes_per_s * (1 + 1e-9)


@given(flows_strategy, capacities_strategy, st.data())
def test_rates_are_fair_after_every_change(flows, capacities, data):
    timeline, bandwidth = network(capacities)
    ended = []
    started = [
        bandwidth.start(source, target, nbytes, lambda row=row: ended.append(row))
        for row, (source, target, nbytes) in enumerate(flows)
    ]
    settle(timeline)
    check_fair(bandwidth)
    stopped = data.draw(st.sets(st.sampled_from(started))) if started else set()
    for flow in stopped:
        bandwidth.stop(flow)
        bandwidth.stop(flow)
    while timeline.step():
        settle(timeline)
        check_fair(bandwidth)
    assert sorted(ended) == [row for row, flow in enumerate(started) if flow not in stopped]


@given(flows_strategy, st.lists(st.floats(0, 1000), min_size=30, max_size=30))
def test_every_byte_arrives_and_no_link_carries_more_than_it_can(flows, starts):
    timeline, bandwidth = network({})
    ends = {}

    def start(row):
        source, target, nbytes = flows[row]
        bandwidth.start(source, target, nbytes, lambda: ends.__setitem__(row, timeline.now_s))

    for row in range(len(flows)):
        timeline.at(starts[row], lambda row=row: start(row))
    while timeline.step():
        pass
    assert len(ends) == len(flows)
    for row, (_, _, nbytes) in enumerate(flows):
        assert ends[row] - starts[row] >= nbytes / 100.0 * (1 - 1e-6)
    for host in HOSTS:
        mine = [row for row, flow in enumerate(flows) if flow[0] == host]
        if mine:
            span = max(ends[row] for row in mine) - min(starts[row] for row in mine)
            assert span >= sum(flows[row][2] for row in mine) / 100.0 * (1 - 1e-6)


def test_a_flow_alone_has_the_narrower_link():
    timeline, bandwidth = network({"a": (10, 10), "b": (4, 2)})
    ends = []
    bandwidth.start("a", "b", 20, lambda: ends.append(timeline.now_s))
    while timeline.step():
        pass
    assert ends == [10.0]


def test_what_one_cannot_use_others_get():
    timeline, bandwidth = network({"b": (100, 20)})
    slow = bandwidth.start("a", "b", 10**6, lambda: None)
    fast = bandwidth.start("a", "c", 10**6, lambda: None)
    settle(timeline)
    assert (slow.rate_nbytes_per_s, fast.rate_nbytes_per_s) == (20.0, 80.0)


def test_rates_change_when_a_flow_ends():
    timeline, bandwidth = network({})
    ends = {}
    bandwidth.start("a", "b", 100, lambda: ends.setdefault("short", timeline.now_s))
    bandwidth.start("a", "c", 300, lambda: ends.setdefault("long", timeline.now_s))
    while timeline.step():
        pass
    # 50 a second each for two seconds, then 100 a second for the other's last 200.
    assert ends == {"short": 2.0, "long": 4.0}
