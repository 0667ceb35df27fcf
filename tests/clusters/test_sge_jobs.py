"""On real Grid Engine: how jobs ended that its queue shows no more."""

from __future__ import annotations

import os
import signal

from hocket.client import Client


def test_a_worker_that_is_killed_is_replaced_and_its_end_is_told(sge, tmp_path, until):
    with sge.cluster(tmp_path, jobs=1) as cluster, Client(cluster) as client:
        cluster.wait(timeout=60)
        os.kill(client.submit(os.getpid).result(timeout=20), signal.SIGKILL)
        until(lambda: cluster.jobs[0]["state"] == "ended", 60)
        assert "exit status 137 (Killed)" in cluster.jobs[0]["reason"]
        until(lambda: cluster.workers == ["workers-2"], 60)
