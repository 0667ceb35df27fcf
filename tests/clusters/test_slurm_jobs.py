"""On real SLURM: time limits, groups with devices, adaptive scaling, a cut node."""

from __future__ import annotations

import os
import time
from collections import Counter

from hocket.client import Client


def test_the_end_of_jobs_in_the_middle_of_200_tasks_costs_none(slurm, tmp_path):
    runs = tmp_path / "runs.txt"

    def work(number):
        time.sleep(0.7)
        with runs.open("a") as file:
            file.write(f"{number}\n")
        return number

    with slurm.cluster(tmp_path, walltime=60, margin=10, queue="short", jobs=2) as cluster:
        cluster.wait(timeout=60)
        with Client(cluster) as client:
            futures = client.map(work, range(200))
            assert client.gather(futures, timeout=240) == list(range(200))
        assert Counter(runs.read_text().split()) == Counter(map(str, range(200)))
        ended = [job for job in cluster.jobs if job["state"] == "ended"]
        assert len(ended) >= 2
        assert {job["reason"] for job in ended} == {"COMPLETED"}


def test_no_worker_begins_what_it_would_not_end(slurm, tmp_path):
    begun, ended = tmp_path / "begun.txt", tmp_path / "ended.txt"

    def work(number):
        with begun.open("a") as file:
            file.write(f"{number}\n")
        time.sleep(20)
        with ended.open("a") as file:
            file.write(f"{number}\n")

    # Each worker has 50 s, and the time for two of these.
    with slurm.cluster(tmp_path, walltime=60, margin=10, queue="short", jobs=2) as cluster:
        cluster.wait(timeout=60)
        with Client(cluster) as client:
            told = [one["leaves_in_s"] for one in client.scheduler_info()["workers"].values()]
            assert all(30 < leaves_in_s < 50 for leaves_in_s in told)
            futures = client.map(work, range(6))
            client.gather(futures, timeout=150)
        assert sorted(begun.read_text().split()) == [str(number) for number in range(6)]
        assert sorted(ended.read_text().split()) == [str(number) for number in range(6)]


def test_a_worker_knows_the_end_that_its_queue_gave_it(slurm, tmp_path):
    # (One minute, of which the last quarter is for leaving.)
    with slurm.cluster(tmp_path, walltime=None, queue="short", jobs=1) as cluster:
        cluster.wait(timeout=60)
        with Client(cluster) as client:
            (told,) = client.scheduler_info()["workers"].values()
            assert 20 < told["leaves_in_s"] <= 45


def test_a_group_with_devices_beside_one_without(slurm, tmp_path):
    def where(_=None):
        time.sleep(0.3)
        return os.environ.get("CUDA_VISIBLE_DEVICES"), os.environ["SLURM_JOB_NAME"]

    with slurm.cluster(tmp_path, group="cpu", jobs=2) as cluster, Client(cluster) as client:
        cluster.add_group("gpu", cores=2, gpus=2, walltime="10 min")
        cluster.scale(jobs=1, group="gpu")
        cluster.wait(timeout=60)
        assert len(cluster.workers) == 3
        on_devices = client.submit(where, resources={"GPU": 1}).result(timeout=20)
        assert on_devices == ("0,1", "gpu-1")
        names = {name for _, name in client.gather(client.map(where, range(12)), timeout=20)}
        assert names == {"cpu-1", "cpu-2", "gpu-1"}


def test_adaptive_scaling_does_a_mix_of_16_tasks_with_three_jobs_at_most(slurm, tmp_path, until):
    with slurm.cluster(tmp_path, cores=2, processes=2, memory="600 MiB") as cluster:
        cluster.adapt(minimum=0, maximum=4, idle_timeout=10)
        with Client(cluster) as client:
            naps_s = [1] * 12 + [15] * 3 + [30]
            futures = [client.submit(time.sleep, s, pure=False) for s in naps_s]
            assert client.gather(futures, timeout=120) == [None] * 16
        assert len(cluster.jobs) <= 3
        until(lambda: not cluster.workers, 60)
        assert len(cluster.jobs) <= 3
