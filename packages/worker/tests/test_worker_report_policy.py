"""When a worker says how it is."""

from __future__ import annotations

import itertools

import pytest

from hocket.protocol.messages import WorkerReport
from hocket.worker.policy.report import IDLE_FACTOR, ReportPolicy, is_news

MIB = 1024 * 1024


def report(time_s=0.0, memory=100 * MIB, cpu_s=0.0, held=0, running=0, ready=0):
    return WorkerReport(time_s, memory, cpu_s, held, running, ready)


@pytest.mark.parametrize(
    ("change", "news"),
    [
        ({}, False),
        ({"memory": 103 * MIB}, False),
        ({"memory": 104 * MIB + 1}, False),
        ({"memory": 120 * MIB}, True),
        ({"memory": 80 * MIB}, True),
        ({"held": 4 * MIB}, False),
        ({"held": 5 * MIB}, True),
        ({"cpu_s": 0.05}, False),
        ({"cpu_s": 1.0}, True),
        ({"running": 1}, True),
        ({"ready": 1}, True),
    ],
)
def test_what_is_news(change, news):
    assert is_news(report(), report(time_s=2.0, **change)) is news


def test_the_first_report_is_news():
    policy = ReportPolicy(2.0)
    assert policy.look(report())
    assert policy.wait_s == 2.0
    assert not policy.is_slow


def test_an_idle_worker_looks_ever_less_often_and_says_so_seldom():
    policy = ReportPolicy(2.0)
    policy.look(report())
    time_s, sent = 0.0, []
    for _ in range(20):
        time_s += policy.wait_s
        if policy.look(report(time_s)):
            sent.append(time_s)
    assert policy.wait_s == 2.0 * IDLE_FACTOR
    assert policy.is_slow
    gaps = [later - earlier for earlier, later in itertools.pairwise(sent)]
    assert sent
    assert set(gaps) == {2.0 * IDLE_FACTOR}
    policy.hurry()
    assert policy.wait_s == 2.0
    assert policy.look(report(time_s, running=1))
