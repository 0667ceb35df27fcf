"""The real machines against each other: fixed seeds must pass, and take every transition."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest

from hocket.scheduler.moves import TRANSITIONS
from hocket.testing import Faults, draw_swarm, simulate

SEEDS_COUNT = 100
SEEDS_AT_ONCE = 20


@pytest.mark.parametrize("first", range(0, SEEDS_COUNT, SEEDS_AT_ONCE))
def test_fixed_seeds(first):
    for seed in range(first, first + SEEDS_AT_ONCE):
        report = simulate(seed)
        assert report.finding is None, report.describe()


@pytest.mark.slow
def test_every_transition_is_taken_and_every_outcome_seen():
    wanted = {(one.source, one.target) for one in TRANSITIONS}
    wanted |= {"value", "RAISED", "WORKER_DIED", "LOST", "SERIALIZATION", "stuck"}
    seeds = iter(range(1000, 1400))
    while wanted:
        seed = next(seeds, None)
        assert seed is not None, f"never seen: {wanted}"
        report = simulate(seed)
        assert report.finding is None, report.describe()
        wanted -= set(report.transitions) | set(report.results)


def test_without_faults_every_wanted_task_has_its_value():
    for seed in range(20):
        swarm = replace(draw_swarm(seed), faults=Faults())
        report = simulate(seed, swarm=swarm)
        assert report.finding is None, report.describe()
        # A key may be released while another client asks for it.
        assert set(report.results) <= {"value", "UNKNOWN_KEY"}
        assert report.results["value"]


def test_long_histories_of_many_workers():
    for seed in range(3):
        report = simulate(seed, steps=3000, workers_count=20)
        assert report.finding is None, report.describe()
        assert report.tasks_count > 20


def test_swarm_turns_each_fault_on_in_about_half_of_the_runs():
    on = Counter(name for seed in range(400) for name in draw_swarm(seed).faults.names())
    assert set(on) == set(Faults.__dataclass_fields__)
    assert all(140 < count < 260 for count in on.values())
