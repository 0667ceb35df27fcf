"""What a job of a group is: units, shares, bounds."""

from __future__ import annotations

import hypothesis.strategies as st
import pytest
from hypothesis import given

from hocket.core.errors import SettingsError
from hocket.deploy.job_counts import jobs_count
from hocket.deploy.job_spec import JobSpec, walltime_text


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        (90, 90.0),
        ("90", 90.0),
        ("90 min", 5400.0),
        ("0:01:30", 90.0),
        ("2:00", 7200.0),
        ("1-12:00:00", 129_600.0),
    ],
)
def test_walltimes(text, seconds):
    assert JobSpec(walltime=text).walltime_s == seconds


@pytest.mark.parametrize("text", ["soon", 0, -5, "0:00:00", True, "1:2:3:4"])
def test_what_is_no_walltime(text):
    with pytest.raises(SettingsError, match="walltime"):
        JobSpec(walltime=text)


@given(st.integers(1, 10**7))
def test_a_walltime_is_written_as_it_is_read(seconds):
    assert JobSpec(walltime=walltime_text(seconds)).walltime_s == seconds


def test_processes_share_what_a_job_has():
    spec = JobSpec(cores=9, processes=4, memory="8 GiB", gpus=2, resources={"license": 1})
    assert spec.threads == 2
    assert spec.worker_memory_nbytes == 2 * 2**30
    assert spec.worker_resources == {"GPU": 0.5, "license": 1.0}


@pytest.mark.parametrize(
    ("walltime", "margin", "margin_s"),
    [
        ("1:00:00", None, 180.0),
        ("10 min", None, 60.0),
        (60, None, 15.0),
        (None, None, 60.0),
        ("1:00:00", "10 min", 600.0),
    ],
)
def test_how_long_before_its_end_a_worker_leaves(walltime, margin, margin_s):
    assert JobSpec(walltime=walltime, margin=margin).margin_s == margin_s


def test_lines_are_lines():
    with pytest.raises(SettingsError, match="one line"):
        JobSpec(prologue=["module load a\nrm -rf b"])
    with pytest.raises(SettingsError, match="no name of a variable"):
        JobSpec(environment={"A-B": "c"})
    with pytest.raises(SettingsError, match="one line"):
        JobSpec(queue="a\n#SBATCH --exclusive")


@pytest.mark.parametrize(
    ("asked", "count"),
    [
        ({"n": 5}, 3),
        ({"jobs": 2}, 2),
        ({"cores": 17}, 5),
        ({"memory": "9 GiB"}, 3),
        ({"n": 2, "cores": 12}, 3),
        ({"n": 0}, 0),
    ],
)
def test_how_many_jobs_hold_what_is_asked_for(asked, count):
    spec = JobSpec(cores=4, processes=2, memory="4 GiB")
    usual = {"n": None, "jobs": None, "cores": None, "memory": None}
    assert jobs_count(spec, **{**usual, **asked}) == count


def test_what_jobs_do_not_say_cannot_be_counted():
    with pytest.raises(SettingsError, match="ask for no memory"):
        jobs_count(JobSpec(), n=None, jobs=None, cores=None, memory="4 GiB")
    with pytest.raises(SettingsError, match="say how many"):
        jobs_count(JobSpec(), n=None, jobs=None, cores=None, memory=None)


def test_a_margin_that_leaves_no_time_to_work():
    with pytest.raises(SettingsError, match="less than the walltime"):
        JobSpec(walltime="10 min", margin="10 min")
