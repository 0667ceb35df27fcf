"""Workers are called by the job that they run in."""

from __future__ import annotations

import math

import pytest

from hocket.core.errors import SettingsError
from hocket.deploy.worker_names import job_id, worker_name
from hocket.deploy.working import end_of_life, margin_of, parse_resources

SLURM_ARRAY = {"SLURM_JOB_ID": "14", "SLURM_ARRAY_JOB_ID": "12", "SLURM_ARRAY_TASK_ID": "3"}


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({}, ""),
        ({"SLURM_JOB_ID": "12"}, "12"),
        (SLURM_ARRAY, "12_3"),
        ({"SLURM_JOB_ID": "12", "SLURM_RESTART_COUNT": "0"}, "12"),
        ({"SLURM_JOB_ID": "12", "SLURM_RESTART_COUNT": "2"}, "12.r2"),
        ({"PBS_JOBID": "2[1].h1.domain"}, "2[1]"),
        ({"PBS_JOBID": "0.h1"}, "0"),
        ({"JOB_ID": "7", "SGE_TASK_ID": "undefined"}, "7"),
        ({"JOB_ID": "7", "SGE_TASK_ID": "4"}, "7_4"),
        ({"JOB_ID": "some other program's"}, ""),
    ],
)
def test_a_job_is_known_by_its_queues_variables(environment, expected):
    assert job_id(environment) == expected


def name(environment, index=0, restarts=0):
    return worker_name(
        group="gpu",
        environment=environment,
        host="node7.cluster.org",
        pid=99,
        index=index,
        restarts=restarts,
    )


def test_names_tell_apart_what_runs_at_once():
    assert name({}) == "gpu-node7-99-0"
    assert name({}, index=1, restarts=2) == "gpu-node7-99-1.2"
    assert name(SLURM_ARRAY) == "gpu-12_3-0"
    assert name({"SLURM_JOB_ID": "12", "SLURM_PROCID": "0"}) == "gpu-12-0"
    assert name({"SLURM_JOB_ID": "12", "SLURM_PROCID": "5"}, index=1) == "gpu-12-5-1"


def test_a_worker_ends_with_its_job_or_its_time():
    assert end_of_life(math.inf, {}, 1000.0) == math.inf
    assert end_of_life(60.0, {}, 1000.0) == 60.0
    assert end_of_life(math.inf, {"SLURM_JOB_END_TIME": "1300"}, 1000.0) == 300.0
    assert end_of_life(60.0, {"SLURM_JOB_END_TIME": "1300"}, 1000.0) == 60.0
    assert end_of_life(60.0, {"SLURM_JOB_END_TIME": "900"}, 1000.0) == 0.0
    assert end_of_life(60.0, {"SLURM_JOB_END_TIME": "soon"}, 1000.0) == 60.0


def test_how_long_before_its_end_a_worker_leaves():
    assert margin_of(60.0, math.inf, math.inf) == 60.0
    assert margin_of(60.0, 600.0, 500.0) == 60.0
    # Of an end that only the batch system knew.
    assert margin_of(60.0, math.inf, 600.0) == 60.0
    assert margin_of(60.0, math.inf, 40.0) == 10.0


def test_a_worker_that_would_leave_at_once():
    with pytest.raises(SettingsError, match=r"lifetime_margin_s.*less than worker.lifetime_s, 30:"):
        margin_of(60.0, 30.0, 30.0)


def test_resources_are_read():
    assert parse_resources("") == {}
    assert parse_resources(" GPU=2, license = 0.5,") == {"GPU": 2.0, "license": 0.5}


@pytest.mark.parametrize("text", ["GPU", "GPU=", "=2", "GPU=two", "GPU=inf", "GPU=-1", "GPU:2"])
def test_resources_that_are_none_are_refused(text):
    with pytest.raises(SettingsError, match="resources"):
        parse_resources(text)
