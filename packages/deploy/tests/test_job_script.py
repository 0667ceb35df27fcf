"""Scripts of jobs: what stands in them, and that a shell takes them as they are meant."""

from __future__ import annotations

import os
import shutil
import subprocess

import pytest

from hocket.deploy.backends.slurm import SlurmBackend
from hocket.deploy.job_logs import cannot_start, read_tail
from hocket.deploy.job_script import JobFiles, write_job_script
from hocket.deploy.job_spec import JobSpec

needs_bash = pytest.mark.skipif(shutil.which("bash") is None, reason="there is no bash here")


def script_of(spec, tmp_path, name="workers-1"):
    files = JobFiles(tmp_path, folder=str(tmp_path), paths=("/a place/with blanks",))
    backend = SlurmBackend()
    directives = backend.directives(spec, name, str(files.log(name)))
    return write_job_script(spec, name, files, backend.directive_prefix, directives)


def run(spec, tmp_path):
    script = tmp_path / "job.sh"
    script.write_text(script_of(spec, tmp_path))
    done = subprocess.run(["bash", script], capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("", "")
    return done.returncode, (tmp_path / "workers-1.log").read_text()


def fake_python(tmp_path, text):
    program = tmp_path / "my python"
    program.write_text(f"#!/bin/bash\n{text}\n")
    program.chmod(0o700)
    return str(program)


def test_directives_can_be_added_and_left_out(tmp_path):
    spec = JobSpec(memory="1 GiB", directives=["--qos=high"], directives_skipped=["--mem"])
    lines = script_of(spec, tmp_path).splitlines()
    assert "#SBATCH --qos=high" in lines
    assert not [line for line in lines if "--mem=" in line]
    # Nothing of the batch system's stands behind the first command: it would not be read.
    commands = [row for row, line in enumerate(lines) if row and not line.startswith("#SBATCH")]
    assert not [line for line in lines[commands[0] :] if line.startswith("#SBATCH")]


@needs_bash
def test_the_worker_takes_the_scripts_place_and_knows_its_end(tmp_path):
    python = fake_python(tmp_path, 'echo "pid $PPID"; echo "<$PYTHONPATH> <$A> <$B>"; echo "$@"')
    spec = JobSpec(
        python=python,
        walltime=600,
        prologue=["export B=from-prologue"],
        environment={"A": "it's $HOME"},
        resources={"license": 0.5},
    )
    code, log = run(spec, tmp_path)
    assert code == 0
    assert f"pid {os.getpid()}" in log
    assert "</a place/with blanks> <it's $HOME> <from-prologue>" in log
    assert "--name workers-1 --group workers --nthreads 1" in log
    assert "--resources license=0.5" in log
    assert "--lifetime 600 --lifetime-margin 60" in log


@needs_bash
def test_with_an_epilogue_the_shell_stays(tmp_path):
    python = fake_python(tmp_path, "exit 3")
    code, log = run(JobSpec(python=python, epilogue=["echo and then this"]), tmp_path)
    assert code == 3
    assert log.endswith("and then this\n")


@needs_bash
def test_a_program_that_is_not_there_is_told_of(tmp_path):
    code, log = run(JobSpec(python="/no/such/python"), tmp_path)
    assert code == 127
    assert cannot_start(log).startswith("there is no program /no/such/python on ")


def test_tails_of_logs(tmp_path):
    path = tmp_path / "a.log"
    assert read_tail(path) is None
    path.write_text("".join(f"line {row}\n" for row in range(100_000)))
    assert read_tail(path, 2) == "line 99998\nline 99999"
    path.write_bytes(b"\xff\xfe\n")
    assert read_tail(path) == "��"
    assert cannot_start("hocket: job began") == ""
