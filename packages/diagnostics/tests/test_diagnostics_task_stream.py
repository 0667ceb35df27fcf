"""The task stream: transfers beside tasks, looking back, and what is sent for it."""

from __future__ import annotations

import pytest
from bokeh.events import Reset
from made_up_feed import MadeUpCluster, MadeUpWatch

from hocket.diagnostics.model import ClusterModel
from hocket.diagnostics.plots.task_stream import BARS_MAX, TaskStream
from hocket.diagnostics.theme import LIGHT
from hocket.diagnostics.view import View
from hocket.protocol.messages.feed import TransferDone, WorkerCame, WorkerGone

BEGAN_S = 1e9


@pytest.fixture
def watch():
    return MadeUpWatch(MadeUpCluster(workers=2, threads=2))


class Tab:
    """A view with a task stream, and what it has been sent."""

    def __init__(self, model, **options):
        self.view = View(model, LIGHT, **options)
        self.stream = self.view.draw("stream", TaskStream)
        self.range = self.stream.figure.x_range

    def pan(self, begin_s, end_s):
        self.range.update(start=begin_s * 1000, end=end_s * 1000)
        self.view.tick()

    @property
    def bars(self):
        """All bars, closed and newest."""
        closed, newest = self.view.sources["stream"]
        return {name: [*closed.data[name], *newest.data[name]] for name in closed.data}

    @property
    def labels(self):
        """Names along the axis, from the top."""
        overrides = self.stream.figure.yaxis[0].major_label_overrides
        return [overrides[y] for y in sorted(overrides, reverse=True)]


def test_transfers_have_a_low_lane_below_the_threads_of_who_got_them(watch):
    tab = Tab(watch.model)
    names = [
        f"worker-{number} {place}" for number in (0, 1) for place in ("/ 0", "/ 1", "transfers")
    ]
    names.insert(3, "worker-0 disk")
    assert tab.labels == names
    bars = tab.bars
    heights = {
        where: height
        for where, height in zip(bars["where"], bars["height_y"], strict=True)
        if where in names
    }
    assert heights["worker-0 transfers"] < heights["worker-0 / 1"] / 2
    red = {
        where
        for where, color in zip(bars["where"], bars["color"], strict=True)
        if color == LIGHT.transfer
    }
    assert red == {"worker-0 transfers", "worker-1 transfers"}
    moved = sum(route.nbytes for route in watch.model.routes.values())
    shown = sum(
        nbytes
        for nbytes, group in zip(bars["nbytes"], bars["group"], strict=True)
        if group == "transfers"
    )
    assert shown == moved > 0


def test_a_client_that_fetches_is_drawn_at_who_gave():
    model = ClusterModel()
    model.fold([WorkerCame(BEGAN_S, "w", "tcp://h:1", "h", 1, 1)])
    model.fold([TransferDone(BEGAN_S, 0.5, 10, "w", "", 1, "k", "it broke")])
    model.fold([TransferDone(BEGAN_S, 0.5, 10, "elsewhere", "elsewhere", 1, "k")])
    tab = Tab(model)
    assert (tab.labels, tab.bars["failed"]) == (["w transfers"], [1])


def test_a_workers_page_has_its_own_transfers_only(watch):
    model = ClusterModel(only="worker-1")
    model.begin(watch.cluster.snapshot())
    for _ in range(5):
        model.fold(watch.cluster.step())
    tab = Tab(model, role="worker", name="worker-1")
    assert tab.labels == ["worker-1 / 0", "worker-1 / 1", "worker-1 transfers"]


def test_who_looks_back_sees_all_and_is_sent_it_once(watch):
    tab = Tab(watch.model)
    for _ in range(300):
        watch.step(2.0)
    tab.view.tick()
    closed, _ = tab.view.sources["stream"]
    sent = []
    closed.on_change("data", lambda attr, old, new: sent.append(1))
    begin_s = BEGAN_S + 100
    tab.pan(begin_s, begin_s + 20)
    assert sent == [1]
    assert min(tab.bars["left"]) <= begin_s * 1000
    assert max(tab.bars["right"]) >= (begin_s + 20) * 1000
    # What is near is there already; what is far is not.
    tab.pan(begin_s - 5, begin_s + 15)
    tab.pan(begin_s + 5, begin_s + 25)
    watch.step()
    tab.view.tick()
    assert sent == [1]
    tab.pan(begin_s - 50, begin_s - 30)
    assert sent == [1, 1]
    assert min(tab.bars["left"]) <= (begin_s - 50) * 1000
    assert len(tab.bars["left"]) <= BARS_MAX + 100
    tab.stream._on_reset(Reset(tab.stream.figure))
    tab.view.tick()
    assert tab.range.end == watch.model.time_s * 1000


def test_workers_that_left_make_room_once_nothing_of_them_is_to_be_seen(watch):
    tab = Tab(watch.model)
    watch.model.fold([WorkerGone(watch.cluster.now_s, "worker-1", "it left")])
    del watch.cluster.names[1]
    watch.cluster.free_s = {
        place: free_s for place, free_s in watch.cluster.free_s.items() if place[0] == "worker-0"
    }
    watch.step()
    tab.view.tick()
    assert len(tab.labels) == 7
    for _ in range(40):
        watch.step(2.0)
    tab.view.tick()
    assert len(tab.labels) == 4
    # Who looks back sees them again.
    tab.pan(BEGAN_S, BEGAN_S + 10)
    assert len(tab.labels) == 7
    assert "worker-1 / 0" in tab.bars["where"]


def test_many_lanes_have_fewer_labels():
    watch = MadeUpWatch(MadeUpCluster(workers=40, threads=2), steps=4)
    tab = Tab(watch.model)
    assert tab.labels == [f"worker-{number}" for number in range(40)]
    assert len(tab.stream.figure.yaxis[0].ticker.ticks) <= 24
