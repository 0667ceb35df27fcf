"""SLURM: sbatch, squeue, scancel."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import ClassVar, Final

from hocket.deploy.backends.backend import Backend, Output, shorten
from hocket.deploy.job_spec import JobSpec, walltime_text
from hocket.deploy.reconcile.jobs import Phase, Sighting

__all__ = ["SlurmBackend"]

#: What `squeue` is to print of each job: id, state, reason, hosts. (A reason may hold any sign.)
_FORMAT: Final = "%i|%T|%N|%r"
_FIELDS_COUNT: Final = 4
_ID: Final = re.compile(r"[0-9]{1,15}")
#: The cluster's name may follow the id.
_SUBMITTED: Final = re.compile(r"^([0-9]{1,15})(?:;\S+)?$", re.MULTILINE)

_PENDING: Final = frozenset({"PENDING", "CONFIGURING", "REQUEUED", "REQUEUE_FED", "REQUEUE_HOLD"})
_RUNNING: Final = frozenset(
    {"RUNNING", "COMPLETING", "SUSPENDED", "STOPPED", "SIGNALING", "STAGE_OUT", "RESIZING"}
)
_ENDED: Final = frozenset(
    {
        "BOOT_FAIL",
        "CANCELLED",
        "COMPLETED",
        "DEADLINE",
        "FAILED",
        "NODE_FAIL",
        "OUT_OF_MEMORY",
        "PREEMPTED",
        "REVOKED",
        "SPECIAL_EXIT",
        "TIMEOUT",
    }
)
#: Reasons with which a job waits for ever.
_NEVER: Final = frozenset(
    {
        "AccountNotAllowed",
        "BadConstraints",
        "DependencyNeverSatisfied",
        "InvalidAccount",
        "InvalidQOS",
        "JobHeldAdmin",
        "PartitionConfig",
        "PartitionNodeLimit",
        "PartitionTimeLimit",
        "QOSNotAllowed",
        "ReservationDeleted",
        "launch_failed_requeued_held",
    }
)
#: A limit that one job alone is over.
_NEVER_PER_JOB: Final = re.compile(r"(?:QOS|Assoc)\w*(?:PerJob|WallDuration)\w*Limit")
#: Complaints of `sbatch` that pass.
_PASSING: Final = re.compile(
    r"timed out|temporarily|unable to contact|connection refused|try again|SubmitJob\w*Limit"
    r"|job queue is full|too many jobs|slurm backup controller",
    re.IGNORECASE,
)


class SlurmBackend(Backend):
    """SLURM, as of 20.11."""

    title: ClassVar[str] = "SLURM"
    directive_prefix: ClassVar[str] = "#SBATCH"
    submitted: ClassVar[re.Pattern[str]] = _SUBMITTED
    passing: ClassVar[re.Pattern[str]] = _PASSING

    def directives(self, spec: JobSpec, job: str, log: str) -> list[str]:
        """Return what a job asks for."""
        lines = [
            f"--job-name={job}",
            f"--output={log}",
            "--open-mode=append",
            "--nodes=1",
            "--ntasks=1",
            f"--cpus-per-task={spec.cores}",
            # One that is put back into the queue would be taken for the one that it was.
            "--no-requeue",
        ]
        if spec.memory_mib is not None:
            lines.append(f"--mem={spec.memory_mib}M")
        if spec.walltime_s is not None:
            lines.append(f"--time={walltime_text(spec.walltime_s)}")
        if spec.gpus:
            lines.append(f"--gres=gpu:{spec.gpus}")
        if spec.queue:
            lines.append(f"--partition={spec.queue}")
        if spec.account:
            lines.append(f"--account={spec.account}")
        return lines

    def script_lines(self, spec: JobSpec) -> list[str]:
        """Return what finds out when a job ends that asked for no time of its own.

        (Later versions say so themselves.)
        """
        if spec.walltime_s is not None:
            return []
        return [
            '[ -n "$SLURM_JOB_END_TIME" ] || {',
            '  end=$(timeout 10 squeue --noheader --jobs="$SLURM_JOB_ID" --format=%e 2>/dev/null)',
            '  end=$([ -n "$end" ] && date --date="$end" +%s 2>/dev/null)',
            '  [ -z "$end" ] || export SLURM_JOB_END_TIME=$end',
            "}",
        ]

    def submit_command(self, script: str, job: str, log: str) -> list[str]:
        """Return ``sbatch``."""
        del job, log
        return ["sbatch", "--parsable", script]

    def poll_command(self, ids: Sequence[str]) -> list[str]:
        """Return ``squeue``."""
        return [
            "squeue",
            "--noheader",
            "--states=all",
            f"--format={_FORMAT}",
            f"--jobs={','.join(ids)}",
        ]

    def sightings(self, output: Output, ids: Sequence[str]) -> dict[str, Sighting]:
        """Return what `squeue` says."""
        if output.exit_code != 0:
            # So it puts that there is none of them.
            if "Invalid job id" in output.err:
                return {}
            raise self.unreadable(output)
        asked = set(ids)
        found: dict[str, Sighting] = {}
        for line in output.out.splitlines():
            fields = line.strip().split("|", _FIELDS_COUNT - 1)
            if len(fields) != _FIELDS_COUNT or not _ID.fullmatch(fields[0]):
                raise self.unreadable(output)
            if fields[0] in asked:
                found[fields[0]] = _sighting(*(field.strip() for field in fields[1:]))
        return found

    def cancel_command(self, ids: Sequence[str]) -> list[str]:
        """Return ``scancel``."""
        return ["scancel", *ids]


def _sighting(state: str, hosts: str, reason: str) -> Sighting:
    told = "" if reason in ("None", "") else shorten(reason)
    if state in _ENDED:
        words = f"{state}, {told}" if told and told != state else state
        return Sighting(Phase.ENDED, words, cancelled=state == "CANCELLED", hosts=hosts)
    if state in _RUNNING:
        return Sighting(Phase.RUNNING, hosts=hosts)
    if state in _PENDING:
        never = told in _NEVER or _NEVER_PER_JOB.fullmatch(told) is not None
        return Sighting(Phase.PENDING, told, never=never)
    # A state that came with a later version; what it is not known to have ended may run.
    return Sighting(Phase.RUNNING, f"its state is {shorten(state)}", hosts=hosts)
