"""On real SLURM: a node that is cut off for a minute, and comes back with its old worker."""

from __future__ import annotations

import socket
import time

from hocket.client import Client


def test_a_node_that_was_cut_off_gives_no_double_result(slurm, tmp_path, until, tool):
    def work(number):
        time.sleep(0.5)
        return number, socket.gethostname()

    with slurm.cluster(tmp_path, cores=3, jobs=2) as cluster, Client(cluster) as client:
        cluster.wait(timeout=60)
        assert {job["hosts"] for job in cluster.jobs} == {"n1", "n2"}
        futures = client.map(work, range(300))
        until(lambda: sum(future.done() for future in futures) > 20, 60)
        tool("netns-link", "h1", "cut")
        cut_s = time.monotonic()
        try:
            # SLURM gives the node up after a while, and with it the job.
            until(lambda: "workers-3" in cluster.workers, 90)
            time.sleep(max(0.0, cut_s + 60.0 - time.monotonic()))
        finally:
            tool("netns-link", "h1", "heal")
        results = client.gather(futures, timeout=120)
        assert [number for number, _ in results] == list(range(300))
        assert "h2" in {host for _, host in results}
        # Of the old worker nothing is left in the end.
        until(lambda: len(client.scheduler_info()["workers"]) == 2, 120)
        assert "workers-3" in cluster.workers
