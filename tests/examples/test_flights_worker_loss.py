"""The flights on a cluster that loses a worker midway: the answers are right all the same."""

from __future__ import annotations

import os
import signal

import pytest

from hocket.client import Client, as_completed
from hocket.deploy import LocalCluster


@pytest.mark.slow
def test_answers_are_right_though_a_worker_is_killed(flights):
    with LocalCluster(n_workers=2, threads_per_worker=1) as cluster, Client(cluster) as client:
        plan = flights.plan.make_plan(client)
        # From here on both workers have something to lose.
        parts = as_completed(plan.load)
        for _ in range(6):
            next(parts)
        victim = next(iter(cluster.worker_pids.values()))
        os.kill(victim, signal.SIGKILL)
        values = client.gather(list(plan.answers.values()), timeout=50)
        assert victim not in cluster.worker_pids.values()
    answers = dict(zip(plan.answers, values, strict=True))
    expected = flights.reference.compute(flights.data.folder())
    for name, answer in answers.items():
        assert flights.reference.differences(answer, expected[name]) == []
