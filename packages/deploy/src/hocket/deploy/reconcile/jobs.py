"""Jobs, as the machine keeps them, and what a look at the queue says of one."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum

__all__ = ["Job", "JobState", "Phase", "Sighting"]


class Phase(Enum):
    """What a batch system says of a job."""

    PENDING = "pending"
    RUNNING = "running"
    ENDED = "ended"


@dataclass(frozen=True, slots=True)
class Sighting:
    """One job in one look at the queue.

    Attributes
    ----------
    phase
        What becomes of it.
    reason
        Why it waits or how it ended, in the batch system's words; empty: it does not say.
    never
        Whether it can never start as it was asked for.
    hosts
        Where it runs.
    exit_code
        With which it ended, if that is known.
    cancelled
        Whether somebody cancelled it.
    """

    phase: Phase
    reason: str = ""
    never: bool = False
    hosts: str = ""
    exit_code: int | None = None
    cancelled: bool = False


class JobState(Enum):
    """Where a job is, from the cluster's point of view."""

    #: The submit command runs.
    SUBMITTING = "submitting"
    #: It waits in the queue.
    PENDING = "pending"
    #: It runs; its workers have not all joined.
    STARTING = "starting"
    #: Its workers have joined.
    UP = "up"
    #: Its workers were asked to leave.
    LEAVING = "leaving"
    #: The batch system was asked to end it.
    CANCELLING = "cancelling"
    ENDED = "ended"


@dataclass(slots=True, eq=False)
class Job:
    """One job.

    Attributes
    ----------
    name
        Ours, unique in the cluster; the names of its workers begin with it.
    group
        Of workers that it belongs to.
    workers_count
        Worker processes that it starts.
    made_s, running_s, up_s, asked_s
        When it was made, first seen to run, complete, and last asked to end.
    leaves_s
        When the first of its workers leaves, as they told; None: they know of no end.
    id
        The batch system's; empty until it is submitted.
    reason
        Why it is where it is, for people.
    workers
        Names of its workers that are there now.
    """

    name: str
    group: str
    workers_count: int
    made_s: float
    state: JobState = JobState.SUBMITTING
    id: str = ""
    reason: str = ""
    hosts: str = ""
    exit_code: int | None = None
    submitted_s: float = 0.0
    running_s: float | None = None
    up_s: float | None = None
    asked_s: float | None = None
    leaves_s: float | None = None
    #: Whether it lived on after its workers had come.
    has_worked: bool = False
    #: Since when no worker of it is there although they were.
    bereft_s: float | None = None
    #: Looks at the whole queue in which it was missing.
    missed_count: int = 0
    #: Looks in a row that said that it can never start.
    never_count: int = 0
    #: Whether it is to be cancelled as soon as it has an id.
    unwanted: bool = False
    workers: set[str] = field(default_factory=set)

    @property
    def is_over(self) -> bool:
        """Whether it has ended."""
        return self.state is JobState.ENDED

    @property
    def is_ending(self) -> bool:
        """Whether it has ended or is to."""
        return self.unwanted or self.state in _ENDING

    @property
    def has_joined(self) -> bool:
        """Whether all its workers were there at some time."""
        return self.up_s is not None


_ENDING = (JobState.LEAVING, JobState.CANCELLING, JobState.ENDED)
