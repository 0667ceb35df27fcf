"""SLURM's words: what is asked for, and what its answers mean."""

from __future__ import annotations

import contextlib
import subprocess

import hypothesis.strategies as st
import pytest
from hypothesis import given

from hocket.deploy.backends.backend import Output
from hocket.deploy.backends.slurm import SlurmBackend
from hocket.deploy.errors import UnreadableOutput
from hocket.deploy.job_spec import JobSpec
from hocket.deploy.reconcile.jobs import Phase, Sighting

backend = SlurmBackend()

ALL = {"1", "2", "1.h1"}


def said(out="", err="", exit_code=0):
    return Output(["squeue"], exit_code, out, err)


def test_directives_say_what_a_job_is():
    spec = JobSpec(
        cores=4, memory="2 GiB", walltime="1-02:30:00", gpus=2, queue="long", account="physics"
    )
    lines = backend.directives(spec, "workers-1", "/logs/workers-1.log")
    assert "--cpus-per-task=4" in lines
    assert "--mem=2048M" in lines
    assert "--time=26:30:00" in lines
    assert "--gres=gpu:2" in lines
    assert "--partition=long" in lines
    assert "--account=physics" in lines
    assert "--no-requeue" in lines


def test_what_is_not_asked_for_is_left_to_the_queue():
    lines = backend.directives(JobSpec(), "workers-1", "/logs/workers-1.log")
    assert not [line for line in lines if line.startswith(("--mem", "--time", "--gres", "--part"))]


@pytest.mark.parametrize("printed", ["12\n", "12;cluster\n", "sbatch: a warning of the site\n12\n"])
def test_the_id_is_found(printed):
    assert backend.submitted_id(said(printed)) == "12"


def test_no_id_is_an_error():
    with pytest.raises(UnreadableOutput, match="no allocation"):
        backend.submitted_id(said("", "no allocation"))


def test_states_and_reasons():
    listing = (
        "1|RUNNING|n1|None\n"
        "2|PENDING||Resources\n"
        "3|PENDING||PartitionTimeLimit\n"
        "4|CANCELLED|n1|None\n"
        "5|FAILED|n2|NonZeroExitCode\n"
        "6|PENDING||QOSMaxWallDurationPerJobLimit\n"
        "7|PENDING||(some|new reason)\n"
        "8|COMPLETING|n1|None\n"
        "9|BEING_PAINTED|n1|None\n"
        "99|RUNNING|n1|None\n"
    )
    ids = [str(number) for number in range(1, 12)]
    assert backend.sightings(said(listing), ids) == {
        "1": Sighting(Phase.RUNNING, hosts="n1"),
        "2": Sighting(Phase.PENDING, "Resources"),
        "3": Sighting(Phase.PENDING, "PartitionTimeLimit", never=True),
        "4": Sighting(Phase.ENDED, "CANCELLED", hosts="n1", cancelled=True),
        "5": Sighting(Phase.ENDED, "FAILED, NonZeroExitCode", hosts="n2"),
        "6": Sighting(Phase.PENDING, "QOSMaxWallDurationPerJobLimit", never=True),
        "7": Sighting(Phase.PENDING, "(some|new reason)"),
        "8": Sighting(Phase.RUNNING, hosts="n1"),
        "9": Sighting(Phase.RUNNING, "its state is BEING_PAINTED", hosts="n1"),
    }


def test_jobs_that_are_not_known_are_gone():
    answer = said("", "slurm_load_jobs error: Invalid job id specified\n", 1)
    assert backend.sightings(answer, ["1"]) == {}


@pytest.mark.parametrize(
    "answer",
    [
        said("", "slurm_load_jobs error: Unable to contact slurm controller", 1),
        said("JOBID|STATE|NODELIST|REASON\n"),
        said("1|RUNNING\n"),
    ],
)
def test_what_makes_no_sense_is_an_error(answer):
    with pytest.raises(UnreadableOutput):
        backend.sightings(answer, ["1"])


@pytest.mark.parametrize(
    ("complaint", "permanent"),
    [
        ("sbatch: error: Batch job submission failed: Invalid partition name specified", True),
        ("sbatch: error: Batch job submission failed: Requested node configuration is not", True),
        ("sbatch: error: QOSMaxSubmitJobPerUserLimit", False),
        ("sbatch: error: Socket timed out on send/recv operation", False),
        ("Batch job submission failed: Unable to contact slurm controller", False),
    ],
)
def test_which_refusals_pass(complaint, permanent):
    assert backend.is_permanent(complaint) is permanent


@given(st.text())
def test_whatever_is_printed_is_read_or_refused(text):
    for answer in (said(text), said(text, "Invalid job id", 1)):
        with contextlib.suppress(UnreadableOutput):
            assert set(backend.sightings(answer, ["1", "2"])) <= ALL


@pytest.mark.parametrize(
    ("answer", "given", "expected"),
    [
        ("2026-11-23T12:00:00", "", "1795435200"),
        ("2026-11-23T12:00:00", "77", "77"),
        ("N/A", "", ""),
        ("", "", ""),
        (None, "", ""),
    ],
)
def test_a_job_without_a_walltime_asks_when_it_ends(tmp_path, answer, given, expected):
    if answer is not None:
        (tmp_path / "squeue").write_text(f"#!/bin/bash\necho '{answer}'\n")
        (tmp_path / "squeue").chmod(0o700)
    script = "\n".join([*backend.script_lines(JobSpec()), 'echo "$SLURM_JOB_END_TIME"'])
    environment = {"PATH": f"{tmp_path}:/usr/bin:/bin", "TZ": "UTC", "SLURM_JOB_END_TIME": given}
    done = subprocess.run(
        ["/bin/bash", "-c", script], env=environment, capture_output=True, text=True, check=True
    )
    assert (done.stdout.strip(), done.stderr) == (expected, "")


def test_a_job_with_a_walltime_knows_when_it_ends():
    assert backend.script_lines(JobSpec(walltime="1 h")) == []
