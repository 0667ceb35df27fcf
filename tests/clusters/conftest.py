"""Real batch systems and SSH servers on three network hosts of this one machine.

The scripts that start them lie beside the checkout (``shared/tools``, or where the variable
TESTBED_TOOLS says) and need root. ``make clusters`` runs these tests; elsewhere they are
skipped, as they take minutes and one machine has but one testbed.
"""

from __future__ import annotations

import fcntl
import os
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from hocket.deploy import PBSCluster, SGECluster, SLURMCluster

TOOLS = Path(os.environ.get("TESTBED_TOOLS") or Path(__file__).parents[3] / "shared" / "tools")
START_TIMEOUT_S = 300.0


@dataclass
class System:
    """A batch system that runs."""

    name: str
    make: Callable[..., Any]
    cancel: list[str]
    #: Jobs that it must refuse, or that can never start: options, and what the error says.
    impossible: list[tuple[dict[str, Any], str]] = field(default_factory=list)

    def cluster(self, directory: Path, **options: Any) -> Any:
        usual: dict[str, Any] = {
            "directory": directory,
            "memory": "300 MiB",
            "walltime": "10 min",
            "settings": {"scheduler.interface": "br77"},
        }
        return self.make(**{**usual, **options})


SYSTEMS = {
    "slurm": System(
        "slurm",
        SLURMCluster,
        ["scancel"],
        [
            ({"cores": 64}, "can never start: PartitionConfig"),
            ({"walltime": "10 min", "queue": "short"}, "can never start: PartitionTimeLimit"),
            ({"queue": "nosuch"}, "invalid partition"),
            ({"memory": "900 GiB"}, "Memory specification can not be satisfied"),
        ],
    ),
    "sge": System(
        "sge",
        SGECluster,
        ["qdel"],
        [
            ({"cores": 64}, "no suitable queues"),
            ({"queue": "nosuch.q"}, "unknown queue"),
            ({"gpus": 99}, "no suitable queues"),
        ],
    ),
    # (Slurm's commands for PBS: a stand-in for TORQUE, which itself refuses 64 cores.)
    "pbs": System(
        "pbs",
        lambda **options: PBSCluster("torque", **options),
        ["qdel"],
        [
            ({"cores": 64}, "can never start: PartitionConfig"),
            ({"queue": "nosuch"}, "invalid partition"),
            ({"memory": "900 GiB"}, "Memory specification can not be satisfied"),
        ],
    ),
}
STARTS = {
    "slurm": ["slurm-up", "--netns", "--nodes", "3"],
    "sge": ["sge-up", "--netns", "3", "--csh"],
    "pbs": ["pbs-up", "--netns", "--nodes", "3"],
    "ssh": ["ssh-up", "--netns", "3"],
}
STOPS = {"slurm": "slurm-down", "sge": "sge-down", "pbs": "slurm-down", "ssh": "ssh-down"}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    why = ""
    if not os.environ.get("TESTBED"):
        why = "they take minutes: make clusters"
    elif not (TOOLS / "slurm-up").exists():
        why = f"there are no scripts that start testbeds in {TOOLS}"
    elif os.geteuid() != 0:
        why = "testbeds are started by root"
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.slow)
            item.add_marker(pytest.mark.timeout(300))
            if why:
                item.add_marker(pytest.mark.skip(reason=why))


@pytest.fixture(scope="session")
def testbed() -> Iterator[None]:
    """Keep the machine's one testbed to ourselves, with three hosts h1 to h3."""
    with (Path(tempfile.gettempdir()) / "testbed.lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        run_tool("netns-up", "3")
        yield
        run_tool("netns-down")


@contextmanager
def running(name: str) -> Iterator[None]:
    """Have a system up for a while."""
    lines = run_tool(*STARTS[name])
    path = os.environ["PATH"]
    if name == "pbs":
        # What it prints is to be put before the path.
        os.environ["PATH"] = lines.strip().partition("PATH=")[2].partition(":")[0] + ":" + path
    try:
        yield
    finally:
        os.environ["PATH"] = path
        run_tool(STOPS[name])


@pytest.fixture(scope="module", params=list(SYSTEMS))
def system(request: pytest.FixtureRequest, testbed: None) -> Iterator[System]:
    with running(request.param):
        yield SYSTEMS[request.param]


@pytest.fixture(scope="module")
def slurm(testbed: None) -> Iterator[System]:
    with running("slurm"):
        yield SYSTEMS["slurm"]


@pytest.fixture(scope="module")
def sge(testbed: None) -> Iterator[System]:
    with running("sge"):
        yield SYSTEMS["sge"]


@pytest.fixture(scope="module")
def ssh_options(testbed: None) -> Iterator[dict[str, Any]]:
    with running("ssh"):
        yield {
            "connect_options": {"config": ["/run/ssh-testbed/config"]},
            "settings": {"scheduler.interface": "br77"},
        }


@pytest.fixture
def tool() -> Callable[..., str]:
    """Return what runs one of the testbed's scripts."""
    return run_tool


@pytest.fixture
def until() -> Callable[..., float]:
    """Return what waits until something is so, and returns how long that took."""

    def wait(is_so: Callable[[], bool], timeout_s: float) -> float:
        began_s = time.monotonic()
        while not is_so():
            waited_s = time.monotonic() - began_s
            assert waited_s < timeout_s, f"it did not happen within {timeout_s} s"
            time.sleep(0.05)
        return time.monotonic() - began_s

    return wait


def run_tool(name: str, *arguments: str) -> str:
    done = subprocess.run(
        [str(TOOLS / name), *arguments],
        capture_output=True,
        text=True,
        timeout=START_TIMEOUT_S,
        check=False,
    )
    assert done.returncode == 0, f"{name}: {done.stdout}{done.stderr}"
    return done.stdout
