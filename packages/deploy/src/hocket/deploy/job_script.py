"""The script of a job: directives for the batch system, then the worker's process.

The script sends its output to a log file of its own at once, since some systems deliver a job's
output only at its end, and puts the worker in its own place (``exec``), since a shell passes no
signals on while it waits.
"""

from __future__ import annotations

import math
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from hocket.deploy.job_spec import JobSpec

__all__ = [
    "CANNOT_START",
    "INVITATION",
    "JobFiles",
    "script_lines",
    "worker_command",
    "write_job_script",
]

#: The file by which workers find their cluster; it is there as long as that is.
INVITATION: Final = "scheduler.json"

#: What the script says in its log where trying again is of no use.
CANNOT_START: Final = "hocket: cannot start: "


@dataclass(frozen=True, slots=True)
class JobFiles:
    """Where the files of a cluster's jobs are: a directory that all hosts see, its owner's only.

    Attributes
    ----------
    directory
        Which.
    folder
        Where workers work: relative paths mean there what they mean here.
    paths
        Where they look for the user's modules, beside their own Python's places.
    """

    directory: Path
    folder: str = ""
    paths: tuple[str, ...] = ()

    @property
    def scheduler_file(self) -> Path:
        """The invitation to the cluster, which holds its secret."""
        return self.directory / INVITATION

    @property
    def settings_file(self) -> Path:
        """Settings for the workers; the secret is not among them."""
        return self.directory / "settings.yaml"

    def log(self, job: str) -> Path:
        """Return where a job writes."""
        return self.directory / f"{job}.log"

    def script(self, job: str) -> Path:
        """Return where a job's script is."""
        return self.directory / f"{job}.sh"


def worker_command(spec: JobSpec, name: str, joining: Sequence[str]) -> list[str]:
    """Return the command that runs the workers of a job, without how long they may live.

    Parameters
    ----------
    spec
        What the job is.
    name
        Of the job.
    joining
        Flags that say how to join. No secret may be among them.
    """
    command = [
        *spec.command_prefix,
        spec.python,
        "-m",
        "hocket",
        "worker",
        *joining,
        "--name",
        name,
        "--group",
        spec.group,
        "--nthreads",
        str(spec.threads),
        "--memory-limit",
        str(spec.worker_memory_nbytes),
        # With one worker the job is replaced as a whole, and its process gets the job's signals.
        "--restart",
        "yes" if spec.processes > 1 else "no",
    ]
    if spec.processes > 1:
        command += ["--nworkers", str(spec.processes)]
    offered = spec.worker_resources
    if offered:
        text = ",".join(f"{name}={amount:g}" for name, amount in sorted(offered.items()))
        command += ["--resources", text]
    return command


def write_job_script(
    spec: JobSpec,
    name: str,
    files: JobFiles,
    prefix: str,
    directives: Sequence[str],
    first_lines: Sequence[str] = (),
) -> str:
    """Return a job's script, where hosts share files.

    Parameters
    ----------
    spec
        What the job is.
    name
        Of the job.
    files
        Of the cluster.
    prefix
        What a line for the batch system begins with; empty: it reads none.
    directives
        What the job asks for; the spec's own are added, and what it skips is left out.
    first_lines
        Before all that is the same for all batch systems.
    """
    kept = [
        line
        for line in directives
        if not any(skipped in line for skipped in spec.directives_skipped)
    ]
    lines = ["#!/bin/bash"]
    if prefix:
        lines += [f"{prefix} {line}" for line in (*kept, *spec.directives)]
    lines.append(f"exec >>{shlex.quote(str(files.log(name)))} 2>&1 </dev/null")
    lines += first_lines
    joining = ["--scheduler-file", str(files.scheduler_file)]
    joining += ["--settings", str(files.settings_file)]
    return "\n".join([*lines, *script_lines(spec, name, files, joining)]) + "\n"


def script_lines(spec: JobSpec, name: str, files: JobFiles, joining: Sequence[str]) -> list[str]:
    """Return the lines of a script from where its output goes to the right place.

    Parameters
    ----------
    spec, name, files
        As for `write_job_script`.
    joining
        As for `worker_command`.
    """
    lines = ['echo "hocket: job began on $(hostname) at $(date +%H:%M:%S)"']
    if files.folder:
        lines.append(f"cd {shlex.quote(files.folder)} || echo 'hocket: works elsewhere'")
    if files.paths:
        paths = shlex.quote(":".join(files.paths))
        lines.append(f"export PYTHONPATH={paths}${{PYTHONPATH:+:$PYTHONPATH}}")
    lines += [f"export {key}={shlex.quote(value)}" for key, value in spec.environment.items()]
    lines += spec.prologue
    program = shlex.quote((spec.command_prefix or (spec.python,))[0])
    complaint = f"{CANNOT_START}there is no program $program on $(hostname)"
    lines += [
        f"program={program}",
        f'command -v "$program" >/dev/null || {{ echo "{complaint}"; exit 127; }}',
    ]
    command = shlex.join(worker_command(spec, name, joining))
    if spec.walltime_s is not None:
        # (What came before in this script has taken its part.)
        command += f" --lifetime $(({math.floor(spec.walltime_s)} - SECONDS))"
        command += f" --lifetime-margin {spec.margin_s:g}"
    # (With an epilogue the shell must stay; it passes on what it is told.)
    if spec.epilogue:
        lines += [
            f"{command} &",
            "worker=$!",
            "trap 'kill -TERM $worker' TERM INT USR1 USR2",
            "wait $worker; wait $worker; code=$?",
            *spec.epilogue,
            "exit $code",
        ]
    else:
        lines.append(f"exec {command} </dev/null")
    return lines
