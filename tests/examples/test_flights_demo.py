"""The flights demo as people run it: a program of its own, with a real cluster."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import psutil
import pytest

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("flights_installed")]


@pytest.fixture
def start(examples, tmp_path):
    """Start programs in an empty directory, with warnings as errors; end them with the test."""
    environment = {name: value for name, value in os.environ.items() if name != "COLUMNS"}
    environment |= {"NO_COLOR": "1", "PYTHONWARNINGS": "error"}
    started = []

    def start_one(*arguments):
        process = subprocess.Popen(
            [sys.executable, *arguments],
            cwd=tmp_path,
            env=environment,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        started.append(process)
        return process

    yield start_one
    for process in started:
        process.kill()
        process.communicate()


def test_demo_answers_and_ends_by_itself(start, examples):
    process = start(str(examples / "flights" / "demo.py"))
    out, err = process.communicate(timeout=50)
    assert (err, process.returncode) == ("", 0)
    assert "numbers equal those of plain pandas" in out
    assert "United           58,665" in out
    # Without a terminal there is neither colour nor animation, and all fits 80 columns.
    assert "\x1b" not in out
    assert "\r" not in out
    assert max(map(len, out.splitlines())) < 80
    assert len(out.splitlines()) < 100


def test_kept_cluster_is_up_until_interrupted(start, examples):
    process = start(str(examples / "flights" / "demo.py"), "--keep", "--workers", "1")
    for line in process.stdout:
        if line.startswith("The scheduler is at tcp://127.0.0.1:"):
            break
    cluster = psutil.Process(process.pid).children(recursive=True)
    assert len(cluster) >= 2
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=20)
    assert (out.split()[-1:], err, process.returncode) == (["Ended."], "", 0)
    assert psutil.wait_procs(cluster, timeout=5)[1] == []


def test_interrupted_demo_leaves_nothing_running(start, examples):
    process = start(str(examples / "flights" / "demo.py"))
    for line in process.stdout:
        if "tasks in a graph that loads" in line:
            break
    cluster = psutil.Process(process.pid).children(recursive=True)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=20)
    assert (out.split()[-1:], process.returncode) == (["Interrupted."], 130)
    assert "Traceback" not in err
    assert psutil.wait_procs(cluster, timeout=5)[1] == []
