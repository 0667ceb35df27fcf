"""What the scheduler says to a worker."""

from __future__ import annotations

from msgspec import Struct

from hocket.protocol.messages.actors import CheckpointsKept, RestoreActor
from hocket.protocol.messages.observing import ReportEvents
from hocket.protocol.messages.rotation import SecretChanged
from hocket.protocol.messages.values import THREADS

__all__ = [
    "AbandonTasks",
    "CopyData",
    "DropData",
    "DropFunctions",
    "LeaveCluster",
    "RecallTasks",
    "RunHere",
    "RunTasks",
    "SchedulerToWorker",
]


class RunTasks(Struct, array_like=True, tag=41, gc=False):
    """Run these tasks; lower priority numbers first.

    Every task ends in exactly one report with its attempt: done, failed, returned or rescheduled.
    """

    #: Digests of the functions used here, what people call them, and their pickles (None where
    #: the worker has it).
    functions: list[bytes]
    labels: list[str]
    blobs: list[bytes | None]
    keys: list[str]
    #: Unique in the cluster's life: one number names one execution of one task.
    attempts: list[int]
    priorities: list[int]
    #: Per task: index into ``functions``; empty: all 0.
    function_of: list[int]
    payloads: list[bytes]
    #: Per task: 1 if a client wants the value, so that a small one comes along with the report;
    #: empty: all 1.
    wanted: list[int]
    #: Per task: indices into ``input_keys``; empty: no task has inputs.
    inputs: list[list[int]]
    input_keys: list[str] = []
    #: Per input: which attempt makes or made it, its size, and who holds it (indices into
    #: ``addresses``); nobody does where the worker itself was given that attempt, earlier or here.
    input_attempts: list[int] = []
    input_nbytes: list[int] = []
    input_holders: list[list[int]] = []
    #: Data addresses of workers.
    addresses: list[str] = []
    #: What each task of this batch reserves while it runs.
    resources: dict[str, float] = {}
    #: Which executor runs them.
    executor: str = THREADS
    #: Whether ``TasksBegun`` must be on its way before any of these begins: workers died under
    #: them, and it is not known which one was to blame.
    announced: bool = False
    #: How long each may run; 0: as long as it wants.
    timeout_s: float = 0.0


class DropData(Struct, array_like=True, tag=42, gc=False):
    """Nobody needs these values any more; each is dropped only if this attempt made it."""

    keys: list[str]
    attempts: list[int]


class RecallTasks(Struct, array_like=True, tag=43, gc=False):
    """Give back those of these attempts that have not begun.

    What is given back is reported by ``TasksReturned``; of the others nothing is said here, they
    end as they would have.
    """

    keys: list[str]
    attempts: list[int]


class AbandonTasks(Struct, array_like=True, tag=44, gc=False):
    """Nobody waits for these attempts any more.

    Do not begin them, report nothing of them, and drop their values should they be made. (Inputs
    fetched for them stay until ``DropData``.)
    """

    keys: list[str]
    attempts: list[int]
    #: Whether those that run are to be interrupted. What becomes of each is then said by
    #: ``TasksInterrupted``.
    interrupt: bool = False


class DropFunctions(Struct, array_like=True, tag=45, gc=False):
    """These functions come with their pickles again when they are needed again."""

    digests: list[bytes]


class RunHere(Struct, array_like=True, tag=46, gc=False):
    """Run a function once, now, beside the tasks. Answered by ``HereRan``."""

    request: int
    function: bytes
    payload: bytes
    #: Whether no task may begin until it has returned; if it raises, none may ever.
    before_tasks: bool = False


class CopyData(Struct, array_like=True, tag=47, gc=False):
    """Fetch these values and keep them, although no task here needs them.

    Every one ends in exactly one of ``ReplicasStored`` and ``CopiesFailed``, unless ``DropData``
    comes first: then nothing is said.
    """

    keys: list[str]
    attempts: list[int]
    nbytes: list[int]
    #: Per value: who holds it (indices into ``addresses``).
    holders: list[list[int]]
    #: Data addresses of workers.
    addresses: list[str]


class LeaveCluster(Struct, array_like=True, tag=48, gc=False):
    """Nothing that the worker has is needed any more: it is to end, in good order."""

    reason: str


SchedulerToWorker = (
    RunTasks
    | DropData
    | RecallTasks
    | AbandonTasks
    | DropFunctions
    | RunHere
    | CopyData
    | LeaveCluster
    | SecretChanged
    | RestoreActor
    | CheckpointsKept
    | ReportEvents
)
