"""Observers that come and go in the simulator are told the truth, and would find out if not."""

from __future__ import annotations

from dataclasses import replace

import pytest

from hocket.protocol.feed import Ring
from hocket.protocol.messages import Subscribe
from hocket.protocol.messages.feed import SchedulerSampled, TaskMoved, WorkerCame
from hocket.scheduler.feed import Feed
from hocket.scheduler.feed.watch import Watch
from hocket.testing import observer_host, simulate, simulation
from hocket.testing.clock import Timeline
from hocket.testing.cluster import Cluster
from hocket.testing.network import Network
from hocket.testing.simulation import Report
from hocket.testing.swarm import Faults, draw_swarm
from hocket.testing.trace import Trace


def watched(seed: int) -> Report:
    swarm = draw_swarm(seed)
    return simulate(seed, swarm=replace(swarm, faults=replace(swarm.faults, observers=True)))


@pytest.mark.parametrize("seed", range(4))
def test_what_is_told_agrees_with_what_is(seed):
    report = watched(seed)
    assert report.finding is None, report.describe()
    assert any("observer" in line and "hears: Events" in line for line in report.trace)


def test_one_seed_is_one_history():
    assert watched(1).trace == watched(1).trace


def test_a_wrong_count_is_found(monkeypatch):
    counted = Watch._rows

    def lie(self, groups):
        rows = counted(self, groups)
        for row in rows:
            row.stored += 1
        return rows

    monkeypatch.setattr(Watch, "_rows", lie)
    findings = [report.finding.rule for seed in range(4) if (report := watched(seed)).finding]
    assert "observers know how many tasks there are" in findings


@pytest.mark.parametrize(
    ("lost", "rules"),
    [
        (TaskMoved, {"moves follow each other", "observers know where tasks are"}),
        (WorkerCame, {"observers know who is there", "only who is there pauses"}),
    ],
)
def test_a_missing_event_is_found(monkeypatch, lost, rules):
    add, count = Ring.add, [0]

    def lose_some(self, event):
        count[0] += type(event) is lost
        if type(event) is not lost or count[0] % 3:
            add(self, event)

    monkeypatch.setattr(Ring, "add", lose_some)
    findings = {report.finding.rule for seed in range(4, 12) if (report := watched(seed)).finding}
    assert findings & rules


def test_who_reads_one_event_at_a_time_hurries_at_the_end(monkeypatch):
    def one_at_a_time(request, kinds, **options):
        return Subscribe(request, kinds, credit=1)

    monkeypatch.setattr(observer_host, "Subscribe", one_at_a_time)
    timeline = Timeline()
    swarm = replace(draw_swarm(0), faults=Faults(observers=True), clients_count=0)
    cluster = Cluster(Network(timeline, 0, Trace(timeline), swarm))
    cluster.start()
    observer = cluster.observer
    while observer.picture is None:
        timeline.step()
    feed = cluster.scheduler.machine.feed
    for _ in range(5000):
        feed.sampled(SchedulerSampled(timeline.now_s, 0.0, 0))
    cluster.scheduler.want_turn()
    cluster.heal()
    count = timeline.steps_count
    while timeline.step():
        assert timeline.steps_count - count < 2000
    assert observer.picture.position == feed.ring.following > 5000
    observer.check(cluster.scheduler)


def test_events_that_reading_makes_are_found(monkeypatch):
    grant = Feed._on_grant_credit

    def tell(self, client, message):
        grant(self, client, message)
        self.sampled(SchedulerSampled(0.0, 0.0, 0))

    monkeypatch.setattr(simulation, "_STEPS_TO_REST_MAX", 5000)
    monkeypatch.setattr(Feed, "_on_grant_credit", tell)
    findings = {report.finding.rule for seed in range(4) if (report := watched(seed)).finding}
    assert "all gets quiet" in findings
