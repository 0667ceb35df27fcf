"""A cluster of jobs from end to end, with a queue of three shell scripts that speaks like SLURM."""

from __future__ import annotations

import asyncio
import os
import socket
import stat
import subprocess
import sys
import time

import pytest

from hocket.client import Client
from hocket.core.errors import SettingsError
from hocket.deploy import SLURMCluster
from hocket.deploy.errors import GroupStopped
from hocket.protocol.credentials import parse_secret
from hocket.protocol.roles import Role
from hocket.transport.scheduler_file import read_scheduler_file

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not hasattr(os, "fork"), reason="the queue's scripts need a POSIX shell"),
]

SBATCH = """#!/bin/bash
if [ -e "$QUEUE/refuse" ]; then echo "sbatch: error: $(cat "$QUEUE/refuse")" >&2; exit 1; fi
setsid bash "$2" </dev/null >/dev/null 2>&1 &
id=$!
touch "$QUEUE/$id"
echo $id
"""
SQUEUE = """#!/bin/bash
for id in $(ls "$QUEUE" | grep -E '^[0-9]+$'); do
  if [ -e "$QUEUE/hold" ]; then echo "$id|PENDING||$(cat "$QUEUE/hold")"; continue; fi
  if kill -0 $id 2>/dev/null; then echo "$id|RUNNING|here|None"; else
    echo "$id|$(cat "$QUEUE/$id" | grep . || echo FAILED)|here|None"; fi
done
"""
SCANCEL = """#!/bin/bash
for id in "$@"; do echo CANCELLED > "$QUEUE/$id"; kill -TERM -- -$id 2>/dev/null; done
exit 0
"""


@pytest.fixture
def queue(tmp_path, monkeypatch):
    programs = tmp_path / "programs"
    programs.mkdir()
    for name, text in (("sbatch", SBATCH), ("squeue", SQUEUE), ("scancel", SCANCEL)):
        program = programs / name
        program.write_text(text)
        program.chmod(stat.S_IRWXU)
    folder = tmp_path / "queue"
    folder.mkdir()
    monkeypatch.setenv("QUEUE", str(folder))
    monkeypatch.setenv("PATH", f"{programs}{os.pathsep}{os.environ['PATH']}")
    return folder


@pytest.fixture
def options(queue, tmp_path):
    return {
        "directory": tmp_path / "jobs",
        "memory": "512 MiB",
        "settings": {"scheduler.host": "127.0.0.1"},
    }


def wait_until(is_so, timeout_s=30.0):
    deadline_s = time.monotonic() + timeout_s
    while not is_so():
        assert time.monotonic() < deadline_s, "it did not happen in time"
        # What is waited for is other processes', and tells nobody.
        time.sleep(0.02)


def is_alive(job):
    try:
        os.kill(int(job["id"]), 0)
    except ProcessLookupError:
        return False
    return True


def test_jobs_come_are_replaced_and_go(options, queue):
    with SLURMCluster(jobs=2, **options) as cluster, Client(cluster) as client:
        cluster.wait(timeout=30)
        assert cluster.workers == ["workers-1", "workers-2"]
        assert client.submit(socket.gethostname).result(timeout=10) == socket.gethostname()
        assert "2 workers in 2 jobs" in repr(cluster)
        assert "workers-2" in cluster._repr_html_()
        assert "job began" in cluster.logs("workers-1")["workers-1"]
        first = cluster.jobs[0]
        os.kill(int(first["id"]), 9)
        wait_until(lambda: cluster.workers == ["workers-2", "workers-3"])
        cluster.scale(1)
        wait_until(lambda: len([job for job in cluster.jobs if job["state"] != "ended"]) == 1)
        jobs = cluster.jobs
    wait_until(lambda: not any(map(is_alive, jobs)))
    # Nothing is left that leads to it, and nothing secret; logs stay.
    left = {path.suffix for path in cluster.files.directory.iterdir()}
    assert left == {".log"}
    assert "closed" in repr(cluster)


def test_what_cannot_be_says_why(options, queue):
    with SLURMCluster(python="/no/such/python", **options) as cluster:
        cluster.scale(1)
        with pytest.raises(GroupStopped, match="there is no program /no/such/python on"):
            cluster.wait(timeout=30)
        (queue / "refuse").write_text("invalid partition specified: nosuch")
        cluster.scale(1)
        with pytest.raises(GroupStopped, match="refused: sbatch: error: invalid partition"):
            cluster.wait(timeout=30)
        (queue / "refuse").unlink()
        (queue / "hold").write_text("PartitionTimeLimit")
        cluster.scale(1)
        with pytest.raises(GroupStopped, match="can never start: PartitionTimeLimit"):
            cluster.wait(timeout=30)
        (queue / "hold").write_text("Priority")
        cluster.scale(1)
        with pytest.raises(TimeoutError, match=r"0 of 1 workers(.|\n)*is pending: Priority"):
            cluster.wait(timeout=2.5)


def test_a_python_that_fails_is_tried_three_times_and_then_told_of(options, tmp_path):
    python = tmp_path / "python"
    python.write_text("#!/bin/bash\necho No module named hocket\nexit 1\n")
    python.chmod(stat.S_IRWXU)
    with SLURMCluster(python=str(python), **options) as cluster:
        cluster.scale(1)
        with pytest.raises(GroupStopped, match=r"3 jobs in a row(.|\n)*No module named hocket"):
            cluster.wait(timeout=30)
        assert [job["state"] for job in cluster.jobs] == ["ended"] * 3


def test_groups_and_adaptive_scaling(options, queue):
    with SLURMCluster(group="plain", **options) as cluster, Client(cluster) as client:
        cluster.add_group("special", cores=1, resources={"license": 1})
        cluster.adapt(maximum=2, group="plain", idle_timeout=0.5)
        cluster.adapt(maximum=2, group="special", idle_timeout=0.5)
        special = client.submit(socket.gethostname, resources={"license": 1})
        assert special.result(timeout=30) == socket.gethostname()
        assert {job["group"] for job in cluster.jobs} == {"special"}
        assert client.submit(pow, 2, 3).result(timeout=30) == 8
        del special
        wait_until(lambda: not cluster.workers)
        assert len(cluster.jobs) <= 3


def test_on_the_callers_event_loop(options, queue):
    async def use():
        async with SLURMCluster(asynchronous=True, **options) as cluster:
            await cluster.scale(1)
            await cluster.wait(timeout=30)
            return cluster.workers, cluster.jobs

    workers, jobs = asyncio.run(use())
    assert workers == ["workers-1"]
    wait_until(lambda: not any(map(is_alive, jobs)))


def test_jobs_end_with_the_process_that_made_them(queue, tmp_path):
    code = f"""if True:
        from hocket.deploy import SLURMCluster
        settings = {{"scheduler.host": "127.0.0.1"}}
        cluster = SLURMCluster(jobs=1, directory={str(tmp_path / "jobs")!r}, settings=settings)
        cluster.wait(timeout=30)
        print(cluster.jobs[0]["id"])
    """
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=50, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert (queue / done.stdout.strip()).read_text() == "CANCELLED\n"
    wait_until(lambda: not is_alive({"id": done.stdout}))
    assert not list(tmp_path.rglob("scheduler.json"))


def test_the_secret_is_in_no_script_and_on_no_command_line(options, queue):
    with SLURMCluster(jobs=1, **options) as cluster:
        cluster.wait(timeout=30)
        assert cluster.secret not in cluster.job_script()
        folder = cluster.files.directory
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        assert stat.S_IMODE(cluster.files.scheduler_file.stat().st_mode) == 0o600
        assert cluster.secret not in cluster.files.settings_file.read_text()
        assert cluster.secret not in (folder / "workers-1.sh").read_text()


def test_its_secret_is_replaced_while_all_goes_on(options, queue):
    options["settings"]["security.rotation_grace_s"] = 0
    with SLURMCluster(jobs=1, **options) as cluster, Client(cluster) as client:
        cluster.wait(timeout=30)
        held = client.submit(bytes, 300_000)
        before = cluster.secret
        cluster.replace_secret()
        assert cluster.secret != before
        file = cluster.files.scheduler_file
        assert read_scheduler_file(file).secret == parse_secret(cluster.secret).to_text(Role.WORKER)
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        # Who was there goes on, and who comes gets in with the new one.
        cluster.scale(2)
        cluster.wait(timeout=30)
        there = client.submit(len, held, workers="workers-2")
        assert there.result(timeout=20) == 300_000


@pytest.mark.parametrize(
    ("wrong", "match"),
    [
        ({"core": 4}, "did you mean 'cores'"),
        ({"cores": 0}, "from 1 to"),
        ({"memory": "2"}, "unit"),
        ({"walltime": "soon"}, "walltime"),
        ({"processes": 4}, "there are but 1 cores"),
        ({"prologue": "module load python"}, "a list of lines"),
        ({"group": "cpu-2"}, "without a number at the end"),
        ({"jobs": -1}, "jobs"),
    ],
)
def test_options_that_cannot_be_start_nothing(wrong, match, options):
    with pytest.raises(SettingsError, match=match):
        SLURMCluster(**{**options, **wrong})
    assert not options["directory"].exists()
