"""PBS in its dialects: PBS Professional, OpenPBS and TORQUE; qsub, qstat, qdel."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import ClassVar, Final, Literal, get_args

from hocket.core.errors import SettingsError
from hocket.deploy.backends.backend import Backend, Output, shorten
from hocket.deploy.backends.pbs_listing import parse_full_listing
from hocket.deploy.backends.slurm import SlurmBackend
from hocket.deploy.job_spec import JobSpec, walltime_text
from hocket.deploy.reconcile.jobs import Phase, Sighting

__all__ = ["PbsBackend", "PbsDialect"]

PbsDialect = Literal["pbspro", "openpbs", "torque"]

#: The server's name belongs to the id, if it is printed.
_SUBMITTED: Final = re.compile(r"^([0-9]{1,15}(?:\.[A-Za-z0-9_.-]{1,255})?)$", re.MULTILINE)
#: Complaints of `qsub` that pass.
_PASSING: Final = re.compile(
    r"cannot connect|connection (?:refused|timed out)|communication failure|timed out|try again"
    r"|shutting down|would exceed|maximum number of jobs|no permission.*busy|end of file",
    re.IGNORECASE,
)
#: Complaints of `qstat` about jobs that are over.
_GONE: Final = re.compile(r"unknown job id|has finished|nonexistent job", re.IGNORECASE)
_SLURM_FRONT: Final = "Job Id:\t"
_RUNNING: Final = frozenset("REBSTU")
_WAITING: Final = frozenset("QHWM")
_ENDED: Final = frozenset("CFX")
#: The exit status of a job that a signal ended: 256 and the signal's number.
_SIGNALLED: Final = 256


class PbsBackend(Backend):
    """PBS.

    Parameters
    ----------
    dialect
        Which; it is not guessed, since TORQUE takes requests in the words of the others and then
        passes over them.
    """

    title: ClassVar[str] = "PBS"
    directive_prefix: ClassVar[str] = "#PBS"
    submitted: ClassVar[re.Pattern[str]] = _SUBMITTED
    passing: ClassVar[re.Pattern[str]] = _PASSING

    def __init__(self, dialect: PbsDialect) -> None:
        if dialect not in get_args(PbsDialect):
            raise SettingsError(
                name="dialect",
                value=dialect,
                allowed="it must be 'pbspro', 'openpbs' or 'torque'; `qstat --version` prints"
                " pbs_version = ... for the first two",
                source="code",
            )
        self.dialect = dialect
        #: Set once `qstat` has shown itself to be Slurm's front for PBS: it does not say why jobs
        #: wait, but `squeue` does.
        self._slurm: SlurmBackend | None = None

    def directives(self, spec: JobSpec, job: str, log: str) -> list[str]:
        """Return what a job asks for."""
        lines = [f"-N {job}", "-S /bin/bash", f"-o {_delivered(log)}", "-j oe", "-r n"]
        gpus = spec.gpus
        if self.dialect == "torque":
            lines.append(f"-l nodes=1:ppn={spec.cores}" + (f":gpus={gpus}" if gpus else ""))
            if spec.memory_mib is not None:
                lines.append(f"-l mem={spec.memory_mib}mb")
        else:
            chunk = f"-l select=1:ncpus={spec.cores}"
            if spec.memory_mib is not None:
                chunk += f":mem={spec.memory_mib}mb"
            lines.append(chunk + (f":ngpus={gpus}" if gpus else ""))
        if spec.walltime_s is not None:
            lines.append(f"-l walltime={walltime_text(spec.walltime_s)}")
        if spec.queue:
            lines.append(f"-q {spec.queue}")
        if spec.account:
            lines.append(f"-A {spec.account}")
        return lines

    def submit_command(self, script: str, job: str, log: str) -> list[str]:
        """Return ``qsub``; what PBS delivers at the end goes beside the log."""
        del job
        return ["qsub", "-o", _delivered(log), script]

    def poll_command(self, ids: Sequence[str]) -> list[str]:
        """Return ``qstat -f``."""
        return ["qstat", "-f", *ids]

    def sightings(self, output: Output, ids: Sequence[str]) -> dict[str, Sighting]:
        """Return what `qstat -f` says: it tells of jobs that are there, and complains of others."""
        listing = parse_full_listing(output.out)
        if listing and self._slurm is None and output.out.lstrip().startswith(_SLURM_FRONT):
            self._slurm = SlurmBackend()
        if not listing and output.exit_code != 0 and not self._says_gone(output):
            raise self.unreadable(output)
        short = {id_.partition(".")[0]: id_ for id_ in ids}
        found: dict[str, Sighting] = {}
        for id_, attributes in listing.items():
            # Some tell the server's name here and not there.
            asked = id_ if id_ in ids else short.get(id_.partition(".")[0])
            if asked is not None:
                found[asked] = _sighting(attributes)
        return found

    def explain_command(self, ids: Sequence[str]) -> list[str] | None:
        """Return ``squeue`` where PBS is Slurm; elsewhere `qstat` has said it."""
        return None if self._slurm is None else self._slurm.poll_command(ids)

    def explanations(self, output: Output, ids: Sequence[str]) -> Mapping[str, tuple[str, bool]]:
        """Return what `squeue` says of why jobs wait."""
        seen = {} if self._slurm is None else self._slurm.sightings(output, ids)
        return {
            id_: (one.reason, one.never) for id_, one in seen.items() if one.phase is Phase.PENDING
        }

    def _says_gone(self, output: Output) -> bool:
        complaint = f"{output.err}\n{output.out}".strip()
        # (Slurm's front for PBS does not even say that.)
        return not complaint or _GONE.search(complaint) is not None

    def cancel_command(self, ids: Sequence[str]) -> list[str]:
        """Return ``qdel``."""
        return ["qdel", *ids]


def _delivered(log: str) -> str:
    return log.removesuffix(".log") + ".out"


def _sighting(attributes: dict[str, str]) -> Sighting:
    state = attributes.get("job_state", "")
    comment = shorten(attributes.get("comment", ""))
    hosts = "+".join(part.partition("/")[0] for part in attributes.get("exec_host", "").split("+"))
    if state in _ENDED:
        text = attributes.get("exit_status", attributes.get("Exit_status", ""))
        code = int(text) if re.fullmatch(r"-?[0-9]{1,9}", text) else None
        how = "ended" if code is None else _told(code)
        reason = f"{how}; {comment}" if comment else how
        return Sighting(Phase.ENDED, reason, exit_code=code, hosts=hosts)
    if state in _WAITING:
        never = comment.startswith("Can Never Run")
        held = "it is held" if state == "H" else ""
        return Sighting(Phase.PENDING, comment or held, never=never)
    # One of a later version, of which it is not known that it has ended, may run.
    reason = "" if state in _RUNNING else f"its state is {shorten(state)}"
    return Sighting(Phase.RUNNING, reason, hosts=hosts)


def _told(code: int) -> str:
    if code > _SIGNALLED:
        return f"killed by signal {code - _SIGNALLED}"
    return f"exit code {code}"
