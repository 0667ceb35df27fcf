"""A scheduler and workers that the command has started: processes of their own, on all networks."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

__all__ = ["CommandCluster", "command_cluster"]

_TIMEOUT_S = 60.0


class CommandCluster:
    """What `command_cluster` yields.

    Parameters
    ----------
    directory
        For all files; of the test's own.
    """

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.file = directory / "scheduler.json"
        self.environment = {
            **os.environ,
            "HOCKET_SECURITY__DIRECTORY": str(directory / "known"),
            "HOCKET_SESSION__LOCAL_GRACE_S": "5",
        }
        self.processes: dict[str, subprocess.Popen[str]] = {}

    def start(self, name: str, *arguments: str, prefix: tuple[str, ...] = ()) -> None:
        """Start a process of the command."""
        with (self.directory / f"{name}.log").open("w") as log:
            self.processes[name] = subprocess.Popen(
                [*prefix, sys.executable, "-m", "hocket", *arguments],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                text=True,
                env=self.environment,
            )

    def call(self, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """Run a verb to its end."""
        return subprocess.run(
            [sys.executable, "-m", "hocket", *arguments],
            capture_output=True,
            text=True,
            check=False,
            timeout=_TIMEOUT_S,
            env={**self.environment, **environment},
        )

    def log(self, name: str) -> str:
        """Return what a process has said."""
        return (self.directory / f"{name}.log").read_text()

    def until(self, is_so: Callable[[], Any]) -> None:
        """Wait until something is so that tells nobody."""
        deadline_s = time.monotonic() + _TIMEOUT_S
        while not is_so():
            logs = "\n".join(f"--- {name}\n{self.log(name)}" for name in self.processes)
            assert time.monotonic() < deadline_s, logs
            time.sleep(0.02)

    def end(self, name: str, number: int = signal.SIGTERM) -> int:
        """Send a process a signal; return its exit code."""
        self.processes[name].send_signal(number)
        return self.processes[name].wait(_TIMEOUT_S)

    def close(self) -> None:
        """End all that runs."""
        for name in reversed(self.processes):
            if self.processes[name].poll() is None:
                self.end(name)


@contextmanager
def command_cluster(directory: Path, *scheduler_flags: str) -> Iterator[CommandCluster]:
    """Have a scheduler that listens on all networks, and a command with two workers."""
    cluster = CommandCluster(directory)
    file = str(cluster.file)
    try:
        flags = ["--host", "0.0.0.0", "--port", "0", "--scheduler-file", file, *scheduler_flags]
        cluster.start("scheduler", "scheduler", *flags)
        flags = ["--scheduler-file", file, "--nworkers", "2", "--nthreads", "1", "--group", "few"]
        cluster.start("workers", "worker", *flags, "--name", "w", "--resources", "GPU=1")
        cluster.until(lambda: cluster.log("workers").count("worker w-") == 2)
        yield cluster
    finally:
        cluster.close()
