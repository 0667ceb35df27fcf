"""What every batch system has to do, on the real ones: SLURM, Grid Engine, PBS's commands."""

from __future__ import annotations

import socket
import subprocess
import time

import pytest

from hocket.client import Client
from hocket.deploy.backends.backend import Output
from hocket.deploy.errors import GroupStopped


def live(cluster):
    return [job for job in cluster.jobs if job["state"] != "ended"]


def test_up_and_down(system, tmp_path, until):
    with system.cluster(tmp_path) as cluster, Client(cluster) as client:
        cluster.scale(4)
        cluster.wait(timeout=60)
        hosts = client.gather(client.map(lambda _: socket.gethostname(), range(16)))
        assert set(hosts) <= {"h1", "h2", "h3"}
        cluster.scale(1)
        until(lambda: len(cluster.workers) == 1, 15)
        until(lambda: len(live(cluster)) == 1, 30)
        assert client.submit(pow, 2, 3).result(timeout=10) == 8
        cluster.scale(2)
        cluster.wait(timeout=60)
        assert len(cluster.workers) == 2


def test_a_job_that_is_cancelled_outside_is_replaced(system, tmp_path, until):
    with system.cluster(tmp_path, jobs=2) as cluster:
        cluster.wait(timeout=60)
        first = cluster.jobs[0]
        subprocess.run([*system.cancel, first["id"]], check=True, capture_output=True)
        took_s = until(lambda: "workers-3" in cluster.workers, 30)
        assert took_s < 15
        until(lambda: first["name"] not in cluster.workers, 15)


def test_a_wrong_python_is_told_of(system, tmp_path):
    with system.cluster(tmp_path, python="/no/such/python") as cluster:
        cluster.scale(1)
        began_s = time.monotonic()
        with pytest.raises(GroupStopped, match="there is no program /no/such/python on h"):
            cluster.wait(timeout=30)
        assert time.monotonic() - began_s < 10


def test_what_is_refused_or_can_never_start_is_told_of(system, tmp_path):
    for options, reason in system.impossible:
        with system.cluster(tmp_path, **options) as cluster:
            cluster.scale(1)
            began_s = time.monotonic()
            with pytest.raises(GroupStopped, match=reason):
                cluster.wait(timeout=30)
            assert time.monotonic() - began_s < 10


def test_a_cluster_that_is_closed_leaves_no_job(system, tmp_path, until):
    with system.cluster(tmp_path, jobs=2) as cluster:
        cluster.wait(timeout=60)
        ids = [job["id"] for job in cluster.jobs]
    backend = cluster.backend
    command = backend.poll_command(ids)

    def are_gone():
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        seen = backend.sightings(Output(command, done.returncode, done.stdout, done.stderr), ids)
        return all(one.phase.value == "ended" for one in seen.values())

    until(are_gone, 30)
