"""What each job of a group of workers is: what it asks of the batch system, and what it starts."""

from __future__ import annotations

import math
import re
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from hocket.core.errors import SettingsError
from hocket.core.resource_names import GPU
from hocket.core.units import MIB, parse_bytes, parse_seconds
from hocket.deploy.arguments import check_count, check_resources

__all__ = ["DEFAULT_GROUP", "JobSpec", "walltime_text"]

#: The name of the group of those who need but one.
DEFAULT_GROUP: Final = "workers"
_NAME: Final = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,39}")
#: What jobs and their workers are called by, behind the group.
_NUMBERED: Final = re.compile(r"-[0-9]+$")
#: Workers begin to leave so long before their end, but not in the first three quarters of it.
_MARGIN_S: Final = 60.0
_MARGIN_PART: Final = 0.05
_MARGIN_PART_MAX: Final = 0.25
_WALLTIME_FORM: Final = re.compile(r"(?:(\d{1,4})-)?(\d{1,5}):(\d{2})(?::(\d{2}))?")


@dataclass(frozen=True, slots=True, kw_only=True)
class JobSpec:
    """A job that starts workers.

    Parameters
    ----------
    group
        Of workers that its workers belong to.
    cores
        That each job has; shared out among its processes as threads.
    processes
        Worker processes in each job.
    memory
        Bytes that each job asks for, or text such as ``"4 GiB"``; None: the queue's default, and no
        limit for its workers.
    walltime
        How long a job may run: seconds, or text such as ``"90 min"``, ``"2:00:00"`` or
        ``"1-12:00:00"``; None: the queue's default, of which only SLURM's jobs learn.
    gpus
        Devices that each job asks for. Its workers offer them as the resource ``"GPU"``.
    resources
        Amounts by name that each worker offers beside.
    queue, account
        As the batch system calls them (a partition is a queue).
    python
        The Python program to run the workers with; by default the one that runs this.
    prologue, epilogue
        Lines of shell before the worker starts (``module load ...``, ``conda activate ...``), and
        on what follows it; with an epilogue the shell stays, as the worker's parent.
    environment
        Variables for the workers.
    directives
        Further lines for the batch system, without its prefix: ``"--qos=high"``.
    directives_skipped
        Lines that the generated directives are to do without: those that contain one of these.
    command_prefix
        Before the worker's command, such as ``("apptainer", "exec", "image.sif")``.
    margin
        How long before its end a worker begins to leave; None: a minute or 5 %, whichever is more.

    Raises
    ------
    SettingsError
        Something of this cannot be.
    """

    group: str = DEFAULT_GROUP
    cores: int = 1
    processes: int = 1
    memory: int | str | None = None
    walltime: float | str | None = None
    gpus: int = 0
    resources: Mapping[str, float] = field(default_factory=dict)
    queue: str | None = None
    account: str | None = None
    python: str = ""
    prologue: Sequence[str] = ()
    epilogue: Sequence[str] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    directives: Sequence[str] = ()
    directives_skipped: Sequence[str] = ()
    command_prefix: Sequence[str] = ()
    margin: float | str | None = None

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.group) or _NUMBERED.search(self.group):
            allowed = (
                "it must be a letter, then letters, digits, - and _, without a number at the end"
            )
            raise _unfit("group", self.group, allowed)
        check_count("cores", self.cores, least=1)
        check_count("processes", self.processes, least=1)
        check_count("gpus", self.gpus, least=0)
        if self.processes > self.cores:
            raise _unfit("processes", self.processes, f"there are but {self.cores} cores in a job")
        self._set("resources", check_resources(self.resources))
        self._set("memory", None if self.memory is None else _nbytes("memory", self.memory))
        self._set(
            "walltime", None if self.walltime is None else _seconds("walltime", self.walltime)
        )
        self._set("margin", None if self.margin is None else _seconds("margin", self.margin))
        if self.walltime_s is not None and self.margin_s >= self.walltime_s:
            allowed = (
                f"it must be less than the walltime, or workers leave at once: {self.walltime}"
            )
            raise _unfit("margin", self.margin, allowed)
        self._set("python", self.python or sys.executable)
        for name in ("queue", "account", "python"):
            _check_line(name, getattr(self, name))
        for name in (
            "prologue",
            "epilogue",
            "directives",
            "directives_skipped",
            "command_prefix",
        ):
            lines = getattr(self, name)
            if isinstance(lines, str) or not isinstance(lines, Sequence):
                raise _unfit(name, lines, "it must be a list of lines")
            for line in lines:
                _check_line(name, line)
            self._set(name, tuple(lines))
        for name, value in self.environment.items():
            if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", str(name)):
                raise _unfit("environment", name, "it is no name of a variable")
            _check_line("environment", value)
        self._set("environment", dict(self.environment))

    def _set(self, name: str, value: object) -> None:
        object.__setattr__(self, name, value)

    @property
    def memory_nbytes(self) -> int | None:
        """Bytes of memory of a job; None: not asked for."""
        assert self.memory is None or isinstance(self.memory, int)
        return self.memory

    @property
    def memory_mib(self) -> int | None:
        """The same in whole MiB, not less."""
        return None if self.memory_nbytes is None else math.ceil(self.memory_nbytes / MIB)

    @property
    def walltime_s(self) -> float | None:
        """How long a job may run; None: not asked for."""
        assert self.walltime is None or isinstance(self.walltime, float)
        return self.walltime

    @property
    def margin_s(self) -> float:
        """How long before its end a worker begins to leave."""
        if self.margin is not None:
            assert isinstance(self.margin, float)
            return self.margin
        if self.walltime_s is None:
            return _MARGIN_S
        margin_s = max(_MARGIN_S, self.walltime_s * _MARGIN_PART)
        return min(margin_s, self.walltime_s * _MARGIN_PART_MAX)

    @property
    def threads(self) -> int:
        """Threads of each worker."""
        return self.cores // self.processes

    @property
    def worker_memory_nbytes(self) -> int:
        """The memory limit of each worker; 0: none."""
        return 0 if self.memory_nbytes is None else self.memory_nbytes // self.processes

    @property
    def worker_resources(self) -> dict[str, float]:
        """What each worker offers."""
        offered = dict(self.resources)
        if self.gpus:
            offered.setdefault(GPU, self.gpus / self.processes)
        return offered


def walltime_text(seconds: float) -> str:
    """Return ``hours:minutes:seconds``, as batch systems read it."""
    whole = math.ceil(seconds)
    return f"{whole // 3600:02d}:{whole // 60 % 60:02d}:{whole % 60:02d}"


def _nbytes(name: str, value: int | str) -> int:
    nbytes = parse_bytes(value, name=name)
    if nbytes < MIB:
        raise _unfit(name, value, "it is less than 1 MiB; is the unit missing?")
    return nbytes


def _seconds(name: str, value: float | str) -> float:
    found = _WALLTIME_FORM.fullmatch(value.strip()) if isinstance(value, str) else None
    if found is not None:
        days, hours, minutes, seconds = (int(part or 0) for part in found.groups())
        value = ((days * 24 + hours) * 60 + minutes) * 60 + seconds
    seconds_count = parse_seconds(value, name=name)
    if seconds_count <= 0:
        raise _unfit(name, value, 'it must be seconds, or text such as "90 min" or "2:00:00"')
    return seconds_count


def _check_line(name: str, value: object) -> None:
    if value is None:
        return
    if not isinstance(value, str) or "\n" in value or "\0" in value:
        raise _unfit(name, value, "it must be one line of text")


def _unfit(name: str, value: object, allowed: str) -> SettingsError:
    return SettingsError(name=name, value=value, allowed=allowed, source="code")
