"""What a worker says to the scheduler."""

from __future__ import annotations

from msgspec import Struct

from hocket.protocol.messages.actors import ActorSaved
from hocket.protocol.messages.observing import EventsSeen, LogEvents
from hocket.protocol.messages.values import CancelOutcome, Failure

__all__ = [
    "CopiesFailed",
    "HereRan",
    "InputsMissing",
    "ReplicasStored",
    "TasksBegun",
    "TasksDone",
    "TasksFailed",
    "TasksInterrupted",
    "TasksRejoined",
    "TasksRescheduled",
    "TasksReturned",
    "TasksSeceded",
    "WorkerJoined",
    "WorkerLeaving",
    "WorkerPaused",
    "WorkerReport",
    "WorkerToScheduler",
]


class WorkerJoined(Struct, array_like=True, tag=61, gc=False):
    """The first message of a worker's session."""

    name: str
    #: Where its data server listens.
    address: str
    host: str
    pid: int
    threads: int
    memory_limit: int = 0
    resources: dict[str, float] = {}
    #: Tasks that its executors run at once, by name; empty: as many threads as it has.
    executors: dict[str, int] = {}
    #: Where it takes calls of its actors; "": it keeps none.
    calls_address: str = ""
    #: Where its own pages are, as a URL; "": it has none.
    dashboard: str = ""
    #: In how many seconds it asks to leave, since it ends soon after (clocks differ between hosts);
    #: None: it knows of no end.
    leaves_in_s: float | None = None


class TasksDone(Struct, array_like=True, tag=62, gc=False):
    """These attempts have values, which the worker holds."""

    keys: list[str]
    attempts: list[int]
    nbytes: list[int]
    #: Seconds since the epoch by the worker's clock, and seconds that the function ran.
    starts: list[float]
    durations: list[float]
    #: Per task: the pickled value if it was wanted and is small; empty: None for all.
    values: list[bytes | None]


class TasksFailed(Struct, array_like=True, tag=63, gc=False):
    """These attempts ended in failure."""

    keys: list[str]
    attempts: list[int]
    starts: list[float]
    durations: list[float]
    failures: list[Failure]


class TasksReturned(Struct, array_like=True, tag=64, gc=False):
    """These attempts will not be run here: they were recalled, or inputs could not be had."""

    keys: list[str]
    attempts: list[int]


class InputsMissing(Struct, array_like=True, tag=65, gc=False):
    """The worker at ``address`` did not give these values to this one.

    ``gone``: it answered that it has them not; otherwise it could not be reached.
    """

    keys: list[str]
    attempts: list[int]
    address: str
    gone: bool


class ReplicasStored(Struct, array_like=True, tag=66, gc=False):
    """The worker now holds copies of these values, fetched from other workers."""

    keys: list[str]
    attempts: list[int]


class HereRan(Struct, array_like=True, tag=67, gc=False):
    """Answer to ``RunHere``."""

    request: int
    value: bytes | None
    failure: Failure | None


class WorkerReport(Struct, array_like=True, tag=68, gc=False):
    """How the worker is: its process's memory and CPU time, and what its store holds, in bytes.

    ``held_nbytes`` of the values are in memory, ``spilled_nbytes`` are in files.
    """

    time_s: float
    memory_nbytes: int
    cpu_s: float
    held_nbytes: int
    running: int
    ready: int
    spilled_nbytes: int = 0


class TasksBegun(Struct, array_like=True, tag=69, gc=False):
    """These attempts are running now.

    Said of those that still run when a report leaves; one that is over sooner is never named here.
    """

    keys: list[str]
    attempts: list[int]


class TasksSeceded(Struct, array_like=True, tag=70, gc=False):
    """These attempts run on beside the executor's slots, which others may use."""

    keys: list[str]
    attempts: list[int]


class TasksRejoined(Struct, array_like=True, tag=71, gc=False):
    """These attempts, which had seceded, take a slot again."""

    keys: list[str]
    attempts: list[int]


class TasksRescheduled(Struct, array_like=True, tag=72, gc=False):
    """These attempts ran, and asked to be run again, rather elsewhere."""

    keys: list[str]
    attempts: list[int]


class CopiesFailed(Struct, array_like=True, tag=73, gc=False):
    """These values, which were to be copied here, could be had from nobody named."""

    keys: list[str]
    attempts: list[int]


class TasksInterrupted(Struct, array_like=True, tag=77, gc=False):
    """What became of attempts that were abandoned and to be interrupted.

    Each is named once; one that goes on is named again when it has come to an end.
    """

    keys: list[str]
    attempts: list[int]
    outcomes: list[CancelOutcome]


class WorkerPaused(Struct, array_like=True, tag=74, gc=False):
    """Whether the worker is short of memory: it then runs one task at a time, and wants no more."""

    paused: bool


class WorkerLeaving(Struct, array_like=True, tag=75, gc=False):
    """The worker is to end soon: let what it alone holds be moved. Answered by ``LeaveCluster``."""

    reason: str


WorkerToScheduler = (
    WorkerJoined
    | TasksDone
    | TasksFailed
    | TasksReturned
    | InputsMissing
    | ReplicasStored
    | HereRan
    | WorkerReport
    | TasksBegun
    | TasksSeceded
    | TasksRejoined
    | TasksRescheduled
    | CopiesFailed
    | TasksInterrupted
    | WorkerPaused
    | WorkerLeaving
    | ActorSaved
    | EventsSeen
    | LogEvents
)
