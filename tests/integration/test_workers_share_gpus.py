"""Workers of one host, started apart, whom nobody assigns GPUs: each takes one that is free."""

from __future__ import annotations

import signal

import pytest
from command_cluster import command_cluster

from hocket.client import Client

pytestmark = [pytest.mark.slow, pytest.mark.timeout(120)]


def test_no_two_have_one_and_the_dead_have_none(tmp_path, monkeypatch):
    def owned():
        # (Made here, so that it travels by value: workers cannot import tests.)
        import os  # noqa: PLC0415

        from hocket.core.worker_view import current_worker  # noqa: PLC0415

        return current_worker().devices["GPU"], os.environ["CUDA_VISIBLE_DEVICES"]

    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    locks = tmp_path / "locks"
    locks.mkdir()
    monkeypatch.setenv("HOCKET_WORKER__GPU_LOCK_DIRECTORY", str(locks))
    monkeypatch.setenv("HOCKET_WORKER__GPU_WAIT_S", "0")
    flags = ("--nthreads", "1", "--restart", "no", "--gpus", "1 of 0,1")
    with command_cluster(tmp_path) as cluster, Client(scheduler_file=cluster.file) as client:

        def start(name):
            file = str(cluster.file)
            cluster.start(name, "worker", "--scheduler-file", file, "--name", name, *flags)
            cluster.until(lambda: cluster.log(name))

        for name in ("one", "other"):
            start(name)
            cluster.until(lambda name=name: f"worker {name} at" in cluster.log(name))
        for name, gpu in (("one", "0"), ("other", "1")):
            future = client.submit(owned, workers=name, resources={"GPU": 1})
            assert future.result(30) == ((gpu,), gpu)
        # The third is told who has them.
        start("third")
        assert cluster.processes["third"].wait(30) != 0
        log = cluster.log("third")
        for name in ("one", "other"):
            assert f"is held by process {cluster.processes[name].pid} for {name} since" in log
        assert "Traceback" not in log
        # One that is killed cannot say that it is done.
        cluster.end("one", signal.SIGKILL)
        start("fourth")
        cluster.until(lambda: "worker fourth at" in cluster.log("fourth"))
        assert client.submit(owned, workers="fourth", resources={"GPU": 1}).result(30) == (
            ("0",),
            "0",
        )
