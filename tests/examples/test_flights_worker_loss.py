"""The flights on a cluster that loses a worker midway: the answers are right all the same."""

from __future__ import annotations

import os
import signal

import pytest

from hocket.client import Client, as_completed
from hocket.deploy import LocalCluster
from hocket.parquet import SharedWriter


@pytest.mark.slow
@pytest.mark.parametrize("when", ["loading", "answering"])
def test_answers_are_right_though_a_worker_is_killed(flights, tmp_path, when):
    with LocalCluster(n_workers=2, threads_per_worker=1) as cluster, Client(cluster) as client:
        victim = next(iter(cluster.worker_pids.values()))

        def kill_midway(tasks):
            # From here on both workers have something to lose.
            done = as_completed(tasks)
            for _ in range(6):
                next(done)
            os.kill(victim, signal.SIGKILL)

        with SharedWriter(tmp_path, partition_on="month") as writer:
            loading = flights.plan.load(client, writer)
            if when == "loading":
                kill_midway(loading.tasks)
            writer.commit(client.gather(loading.pieces, timeout=50))
        answering = flights.plan.answer(client, str(tmp_path), loading.tables)
        if when == "answering":
            kill_midway(answering.tasks)
        values = client.gather(list(answering.answers.values()), timeout=50)
        assert victim not in cluster.worker_pids.values()
    # Of what a worker was writing when it died, nothing is left.
    expected = {f"month={month}/part.0.parquet" for month in range(1, 13)}
    files = {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*.*")}
    assert files == expected
    answers = dict(zip(answering.answers, values, strict=True))
    expected = flights.reference.compute(flights.data.folder())
    for name, answer in answers.items():
        assert flights.reference.differences(answer, expected[name]) == []
