"""Grid Engine (Sun, Son of, Univa, Altair, Open): qsub, qstat, qdel."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, ClassVar, Final
from xml.etree import ElementTree as ET

from hocket.deploy.backends.backend import Backend, Output, shorten
from hocket.deploy.job_spec import JobSpec, walltime_text
from hocket.deploy.reconcile.jobs import Phase, Sighting

if TYPE_CHECKING:
    from datetime import datetime

__all__ = ["SgeBackend"]

_SUBMITTED: Final = re.compile(r"^([0-9]{1,15})(?:\.[0-9:-]+)?$", re.MULTILINE)
_ID: Final = re.compile(r"[0-9]{1,15}")
#: Complaints of `qsub` that pass.
_PASSING: Final = re.compile(
    r"unable to (?:contact|send message|connect)|can't (?:connect|resolve)|timeout|timed out"
    r"|try again|would be more than max|maximum number of jobs|job limit",
    re.IGNORECASE,
)
#: What `qstat -j` says of one job begins so, and these are the lines of interest.
_JOB_NUMBER: Final = re.compile(r"^job_number:\s+([0-9]+)", re.MULTILINE)
_TOLD: Final = re.compile(
    r"^(?:scheduling info|error reason\s+[0-9]+):[ \t]*(.*(?:\n[ \t]+.*)*)", re.MULTILINE
)
_LEAVING_PART_MAX: Final = 0.5
#: What `qacct` says of one job: a line for each fact.
_FACT: Final = re.compile(r"^([a-z_]+)[ \t]+(\S.*?)[ \t]*$", re.MULTILINE)
_ACCOUNT: Final = re.compile(r"^=+[ \t]*$", re.MULTILINE)
_EXIT: Final = re.compile(r"([0-9]{1,5})(?:\s+\((.{1,100})\))?")


class SgeBackend(Backend):
    """Grid Engine.

    Parameters
    ----------
    user
        Whose jobs to look at.
    parallel_environment
        What the site calls the one whose slots are on one host.
    memory_resource
        What the site calls memory, such as ``"h_vmem"``, and counts for each slot; None: jobs ask
        for none.
    gpu_resource
        What the site calls devices.
    """

    title: ClassVar[str] = "Grid Engine"
    directive_prefix: ClassVar[str] = "#$"
    submitted: ClassVar[re.Pattern[str]] = _SUBMITTED
    passing: ClassVar[re.Pattern[str]] = _PASSING

    def __init__(
        self,
        user: str,
        *,
        parallel_environment: str = "smp",
        memory_resource: str | None = None,
        gpu_resource: str = "gpu",
    ) -> None:
        self._user = user
        self._parallel_environment = parallel_environment
        self._memory_resource = memory_resource
        self._gpu_resource = gpu_resource

    def directives(self, spec: JobSpec, job: str, log: str) -> list[str]:
        """Return what a job asks for."""
        lines = [
            f"-N {job}",
            # Many sites run scripts with csh, whatever their first line says.
            "-S /bin/bash",
            f"-o {log}",
            "-j y",
            "-r n",
            # A signal comes before the one that kills.
            "-notify",
            # What can never run is refused, and does not wait for ever.
            "-w e",
        ]
        if spec.cores > 1:
            lines.append(f"-pe {self._parallel_environment} {spec.cores}")
        if spec.walltime_s is not None:
            early_s = min(spec.margin_s, spec.walltime_s * _LEAVING_PART_MAX)
            soft = walltime_text(spec.walltime_s - early_s)
            lines.append(f"-l h_rt={walltime_text(spec.walltime_s)},s_rt={soft}")
        if spec.memory_mib is not None and self._memory_resource:
            lines.append(f"-l {self._memory_resource}={-(-spec.memory_mib // spec.cores)}M")
        if spec.gpus:
            lines.append(f"-l {self._gpu_resource}={spec.gpus}")
        if spec.queue:
            lines.append(f"-q {spec.queue}")
        if spec.account:
            lines.append(f"-P {spec.account}")
        return lines

    def submit_command(self, script: str, job: str, log: str) -> list[str]:
        """Return ``qsub``."""
        del job, log
        return ["qsub", "-terse", script]

    def poll_command(self, ids: Sequence[str]) -> list[str]:
        """Return ``qstat``, of all of the user's jobs."""
        del ids
        return ["qstat", "-xml", "-u", self._user]

    def sightings(self, output: Output, ids: Sequence[str]) -> dict[str, Sighting]:
        """Return what `qstat` says."""
        if output.exit_code != 0 or "<!DOCTYPE" in output.out or "<!ENTITY" in output.out:
            raise self.unreadable(output)
        asked = set(ids)
        try:
            root = ET.fromstring(output.out)  # noqa: S314 (without entities it cannot blow up)
        except ET.ParseError:
            raise self.unreadable(output) from None
        found: dict[str, Sighting] = {}
        for job in root.iter("job_list"):
            id_ = (job.findtext("JB_job_number") or "").strip()
            state = (job.findtext("state") or "").strip()
            if not _ID.fullmatch(id_) or not state:
                raise self.unreadable(output)
            if id_ in asked:
                queue = (job.findtext("queue_name") or "").strip()
                found[id_] = _sighting(state, queue.rpartition("@")[2])
        return found

    def cancel_command(self, ids: Sequence[str]) -> list[str]:
        """Return ``qdel``."""
        return ["qdel", *ids]

    def account_command(self, id_: str, since: datetime) -> list[str] | None:
        """Return ``qacct``."""
        return ["qacct", "-b", since.strftime("%Y%m%d%H%M"), "-j", id_]

    def account(self, output: Output, id_: str) -> Sighting | None:
        """Return what `qacct` says of a job; it says nothing before some seconds have passed."""
        for text in reversed(_ACCOUNT.split(output.out)):
            facts = dict(_FACT.findall(text))
            if facts.get("jobnumber") == id_:
                return _accounted(facts)
        return None

    def explain_command(self, ids: Sequence[str]) -> list[str] | None:
        """Return ``qstat -j``."""
        return ["qstat", "-j", ",".join(ids)]

    def explanations(self, output: Output, ids: Sequence[str]) -> Mapping[str, tuple[str, bool]]:
        """Return what `qstat -j` says of why jobs wait."""
        asked = set(ids)
        told: dict[str, tuple[str, bool]] = {}
        for id_, text in _blocks(output.out):
            lines = [shorten(found) for found in _TOLD.findall(text)]
            if id_ in asked and any(lines):
                is_error = "\nerror reason" in text
                told[id_] = ("; ".join(filter(None, lines)), is_error)
        return told


def _sighting(state: str, host: str) -> Sighting:
    if "E" in state:
        return Sighting(Phase.PENDING, f"it is in the error state {shorten(state)}", never=True)
    if "w" in state or "q" in state:
        reason = "it is held" if "h" in state else ""
        return Sighting(Phase.PENDING, reason)
    return Sighting(Phase.RUNNING, hosts=host)


def _accounted(facts: Mapping[str, str]) -> Sighting:
    reasons = []
    number, _, why = facts.get("failed", "0").partition(":")
    if number.strip() != "0":
        reasons.append(f"failed {number.strip()}: {shorten(why)}" if why else f"failed {number}")
    code = None
    exited = _EXIT.fullmatch(facts.get("exit_status", ""))
    if exited is not None:
        code = int(exited[1])
        reasons.append(f"exit status {code}" + (f" ({exited[2]})" if exited[2] else ""))
    if code and "maxvmem" in facts:
        reasons.append(f"it had {shorten(facts['maxvmem'])} of memory at most")
    return Sighting(
        Phase.ENDED,
        "; ".join(reasons) or "it ended",
        hosts=shorten(facts.get("hostname", "")),
        exit_code=code,
    )


def _blocks(text: str) -> Iterator[tuple[str, str]]:
    """Return by id what is said of each job."""
    starts = list(_JOB_NUMBER.finditer(text))
    ends = [start.start() for start in starts[1:]] + [len(text)]
    for start, end in zip(starts, ends if starts else [], strict=True):
        yield start[1], text[start.start() : end]
