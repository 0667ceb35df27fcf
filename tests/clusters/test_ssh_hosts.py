"""On real SSH servers of three hosts that share nothing with us but files they need not have."""

from __future__ import annotations

import socket
import time

import pytest

from hocket.client import Client
from hocket.deploy import SSHCluster
from hocket.deploy.errors import GroupStopped

HOSTS = ["h1", "h2", "h3"]


def test_a_worker_on_each_of_three_hosts(ssh_options, tmp_path, until):
    with SSHCluster(HOSTS, directory=tmp_path, **ssh_options) as cluster:
        cluster.wait(timeout=60)
        with Client(cluster) as client:
            # (Long enough for each to get some.)
            futures = client.map(lambda _: (time.sleep(0.2), socket.gethostname())[1], range(12))
            assert set(client.gather(futures, timeout=30)) == set(HOSTS)
        cluster.scale(1)
        until(lambda: len([job for job in cluster.jobs if job["state"] != "ended"]) == 1, 15)
        assert "job began on h" in cluster.logs("workers-1")["workers-1"]
        assert cluster.secret not in cluster.job_script()


def test_what_goes_wrong_on_hosts_is_told_of(ssh_options, tmp_path):
    with (
        SSHCluster(["h1"], python="/no/python", directory=tmp_path, **ssh_options) as cluster,
        pytest.raises(GroupStopped, match="there is no program /no/python on h1"),
    ):
        cluster.wait(timeout=20)
    with (
        SSHCluster(["127.0.0.9"], directory=tmp_path, **ssh_options) as cluster,
        pytest.raises(GroupStopped, match="cannot be reached over SSH"),
    ):
        cluster.wait(timeout=20)
