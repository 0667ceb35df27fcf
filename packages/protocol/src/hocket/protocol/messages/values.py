"""Values that stand inside messages of several directions."""

from __future__ import annotations

from enum import IntEnum
from typing import Final

from msgspec import Struct

__all__ = [
    "THREADS",
    "CancelOutcome",
    "DemandDescription",
    "Explanation",
    "Failure",
    "FailureKind",
    "TaskPlace",
    "WorkerDescription",
]

#: The executor that every worker has.
THREADS: Final = "threads"


class FailureKind(IntEnum):
    """Why a task has no result."""

    #: The user's code raised; ``exception`` is the pickled exception.
    RAISED = 1
    #: Arguments, function, result or exception could not be (un)pickled.
    SERIALIZATION = 2
    #: The task ran on workers that died, once too often; ``text`` has a cause a line.
    WORKER_DIED = 3
    #: An input of the task failed; ``key`` names the task where it began.
    INPUT_FAILED = 4
    #: A key that the task needs is not defined.
    UNKNOWN_KEY = 5
    #: The key already stands for another task.
    DUPLICATE_KEY = 6
    #: The value was there, was lost, and cannot be computed again.
    LOST = 7
    #: The actor was there, and its worker is gone.
    ACTOR_LOST = 8
    #: The task ran longer than it might; ``text`` has the limit in seconds on its first line, and
    #: then what became of it.
    TIMED_OUT = 9
    #: A client cancelled it for all that wanted it; ``text`` says which.
    CANCELLED = 10
    #: The call of an actor was not made, since its worker leaves: what was to be called comes back
    #: as the value, to be made where the actor goes.
    NOT_MADE = 11


class CancelOutcome(IntEnum):
    """What became of a task that was cancelled."""

    #: It had not begun, and will not.
    NOT_BEGUN = 1
    #: It was running, and was ended from without.
    INTERRUPTED = 2
    #: It had come to an end by itself, before or meanwhile.
    ENDED = 3
    #: It runs on and keeps its slot: it cannot be interrupted where it is.
    GOES_ON = 4
    #: It is needed by other clients or tasks, and goes on for them.
    NEEDED = 5


class TaskPlace(IntEnum):
    """How a task can be on a worker."""

    #: The worker holds its value.
    HELD = 1
    #: The worker was given it and has not ended it.
    ASSIGNED = 2
    #: Of those: the worker said that it has begun with it.
    RUNNING = 3


class Failure(Struct, array_like=True, frozen=True, gc=False):
    """Why a task has no result, as bytes and text that the scheduler only passes on.

    ``exception`` is pickled by the worker and unpickled by the client only; ``text`` is for people
    and for clients that cannot unpickle it.
    """

    kind: FailureKind
    #: The task in which the failure began.
    key: str
    text: str
    exception: bytes = b""
    worker: str = ""
    attempt: int = 0


class WorkerDescription(Struct, array_like=True, frozen=True):
    """One worker, for people and for placing data by name."""

    name: str
    #: Where its data server listens: ``tcp://host:port``, ``unix://path`` or ``inproc://name``.
    address: str
    host: str
    pid: int
    threads: int
    memory_limit: int
    resources: dict[str, float]
    #: Tasks assigned to it now.
    assigned: int
    #: Keys that it holds, and their size in bytes.
    held: int
    held_nbytes: int
    #: In how many seconds it asks to leave, since it ends soon after; None: it knows of no end.
    leaves_in_s: float | None = None


class DemandDescription(Struct, array_like=True, frozen=True):
    """Tasks that are queued and ask the same of a worker: for those who start workers."""

    count: int
    #: How long each is expected to run; 0: not known.
    duration_s: float
    resources: dict[str, float] = {}
    #: Names of the only workers that may run them; empty: any.
    workers: list[str] = []
    executor: str = THREADS


class Explanation(Struct, array_like=True, frozen=True):
    """Why a task is where it is, for people."""

    key: str
    #: As the scheduler calls it; "" if it knows nothing of the key.
    state: str
    #: In words: what it waits for, or what became of it.
    text: str
    #: Inputs that have no values yet.
    waits_for: list[str] = []
    #: The worker that has it now, or those that hold its value.
    workers: list[str] = []
    #: Workers that were considered, and why each does not get it now.
    considered: list[str] = []
    refusals: list[str] = []
