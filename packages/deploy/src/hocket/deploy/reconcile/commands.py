"""What the machine wants done."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["CancelJob", "Command", "GiveUp", "RetireWorkers", "SubmitJob"]


@dataclass(frozen=True, slots=True)
class SubmitJob:
    """Submit a job of a group under this name; answered by ``submitted`` or ``refused``."""

    name: str
    group: str


@dataclass(frozen=True, slots=True)
class CancelJob:
    """Have the batch system end a job."""

    name: str
    id: str


@dataclass(frozen=True, slots=True)
class RetireWorkers:
    """Have the scheduler let workers go in good order; the job ends with its last one."""

    name: str
    workers: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class GiveUp:
    """Tell people that a group gets no more jobs, and why.

    ``jobs``: those whose logs may say more.
    """

    group: str
    reason: str
    jobs: tuple[str, ...]


Command = SubmitJob | CancelJob | RetireWorkers | GiveUp
