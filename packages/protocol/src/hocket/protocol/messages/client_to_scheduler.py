"""What a client says to the scheduler."""

from __future__ import annotations

from msgspec import Struct

from hocket.protocol.messages.coordination import ClientCoordinates
from hocket.protocol.messages.feed import Name, Payload
from hocket.protocol.messages.observing import Asks, LogEvents, SetMetadata
from hocket.protocol.messages.values import THREADS, TaskPlace

__all__ = [
    "CallScheduler",
    "CancelTasks",
    "ClientToScheduler",
    "DescribeCluster",
    "DropSetup",
    "EndCluster",
    "ExplainKeys",
    "ForgetFunctions",
    "KeepSetup",
    "KeysScattered",
    "ListTasks",
    "ListVariables",
    "LocateKeys",
    "PlanScatter",
    "RebalanceKeys",
    "ReleaseKeys",
    "ReplicateKeys",
    "ReportMissing",
    "RetireWorkers",
    "RetryTasks",
    "RunEverywhere",
    "SubmitTasks",
    "WaitForWorkers",
    "WantKeys",
]


class SubmitTasks(Struct, array_like=True, tag=1, gc=False):
    """Make tasks.

    The first ``len(payloads)`` keys are theirs, in an order that computes dependencies before
    dependents; the other keys are known already and are only depended on.

    All options hold for every task of the batch.
    """

    #: Digests of the functions used here (16 bytes each), what people call them, and their
    #: pickles (None where the scheduler has it from this client).
    functions: list[bytes]
    labels: list[str]
    blobs: list[bytes | None]
    keys: list[str]
    #: Per task: index into ``functions``; empty: all 0.
    function_of: list[int]
    #: Per task: the pickled ``(args, kwargs)``.
    payloads: list[bytes]
    #: Per task: indices into ``keys``; empty: no task has dependencies.
    dependencies: list[list[int]]
    #: Per task: its rank in the graph, 0 first; empty: as they stand.
    ranks: list[int]
    #: Indices of the tasks that the client holds futures of; None: all of them.
    wanted: list[int] | None = None
    #: -32768 to 32767; higher runs first.
    priority: int = 0
    retries: int = 0
    #: Names or addresses of the only workers that may run these; empty: any.
    workers: list[str] = []
    allow_other_workers: bool = False
    resources: dict[str, float] = {}
    #: How long a task that failed rests before it is tried again.
    retry_delay_s: float = 0.0
    #: Which of a worker's executors runs these.
    executor: str = THREADS
    #: How long each may run; 0: as long as it wants.
    timeout_s: float = 0.0


class ReleaseKeys(Struct, array_like=True, tag=2, gc=False):
    """The client holds no future of these keys any more."""

    keys: list[str]


class WantKeys(Struct, array_like=True, tag=3, gc=False):
    """The client now holds futures of these keys, which exist already."""

    keys: list[str]


class CancelTasks(Struct, array_like=True, tag=4, gc=False):
    """Do not compute these, if no other client wants them and no other task needs them.

    Answered by ``TasksCancelled`` for the keys that this client will get no result for.
    """

    keys: list[str]
    #: Whether those that run are to be interrupted, and with them what runs only for them.
    interrupt: bool = False
    #: Whether they are to end although others want or need them, who will have no results either.
    force: bool = False
    #: If not 0, answered by ``CancelAnswered``.
    request: int = 0


class ForgetFunctions(Struct, array_like=True, tag=5, gc=False):
    """The client will send the pickles of these functions again when it needs them again."""

    digests: list[bytes]


class LocateKeys(Struct, array_like=True, tag=6, gc=False):
    """Which workers hold these? Answered by ``KeysLocated``."""

    request: int
    keys: list[str]


class ReportMissing(Struct, array_like=True, tag=7, gc=False):
    """The client asked this worker for these keys and did not get them.

    ``gone``: it answered that it has them not; otherwise it could not be reached.
    """

    keys: list[str]
    address: str
    gone: bool


class PlanScatter(Struct, array_like=True, tag=8, gc=False):
    """Where to put data of these sizes? Answered by ``ScatterPlanned``."""

    request: int
    nbytes: list[int]
    workers: list[str] = []
    broadcast: bool = False


class KeysScattered(Struct, array_like=True, tag=9, gc=False):
    """The data of these keys now lies on these workers (addresses), and the client wants it.

    Answered by ``ScatterAccepted``.
    """

    request: int
    keys: list[str]
    nbytes: list[int]
    addresses: list[list[str]]


class RunEverywhere(Struct, array_like=True, tag=10, gc=False):
    """Run a function once on each of these workers (empty: all), beside their tasks.

    Answered by ``EverywhereRan``.
    """

    request: int
    function: bytes
    payload: bytes
    workers: list[str] = []


class DescribeCluster(Struct, array_like=True, tag=11, gc=False):
    """Who is there? Answered by ``ClusterDescribed``."""

    request: int


class WaitForWorkers(Struct, array_like=True, tag=12, gc=False):
    """Say when at least this many workers are there. Answered by ``WorkersReady``."""

    request: int
    count: int


class ExplainKeys(Struct, array_like=True, tag=13, gc=False):
    """Why are these where they are? Answered by ``KeysExplained``."""

    request: int
    keys: list[str]


class ReplicateKeys(Struct, array_like=True, tag=14, gc=False):
    """Have each of these values on so many workers (of these; empty: of all).

    Answered by ``KeysReplicated``, when the copies are there or cannot be made.
    """

    request: int
    keys: list[str]
    count: int
    workers: list[str] = []


class RebalanceKeys(Struct, array_like=True, tag=15, gc=False):
    """Move values from workers that hold much to those that hold little.

    Only these keys (empty: all that are stored) move, only among these workers (empty: all).
    Answered by ``KeysRebalanced``.
    """

    request: int
    keys: list[str] = []
    workers: list[str] = []


class RetireWorkers(Struct, array_like=True, tag=16, gc=False):
    """Let these workers end in good order: what they alone hold moves to others first.

    Answered by ``WorkersRetired``, or refused where nobody could take what they hold.
    """

    request: int
    workers: list[str]


class ListTasks(Struct, array_like=True, tag=17, gc=False):
    """Which tasks are on these workers (empty: on all) in this way? Answered by ``TasksListed``."""

    request: int
    place: TaskPlace
    workers: list[str] = []
    #: Only these are asked about (empty: all).
    keys: list[str] = []


class KeepSetup(Struct, array_like=True, tag=18, gc=False):
    """Run a function once on each worker: on those that come later before they run tasks.

    One that is kept under the same name is forgotten. Answered by ``EverywhereRan``, of the workers
    that are there; if it raises on one of them, it is not kept.
    """

    request: int
    name: str
    function: bytes
    payload: bytes


class DropSetup(Struct, array_like=True, tag=19, gc=False):
    """Keep what has this name no more, and run this function on each worker.

    Answered by ``EverywhereRan``, or refused if nothing has the name.
    """

    request: int
    name: str
    function: bytes
    payload: bytes


class ListVariables(Struct, array_like=True, tag=20, gc=False):
    """Which variables whose names begin so have values? Answered by ``VariablesListed``."""

    request: int
    prefix: str = ""


class RetryTasks(Struct, array_like=True, tag=131, gc=False):
    """Run these tasks again that failed, and those that they failed for.

    No answer: what becomes of them is told as of any task that the client wants.
    """

    keys: list[str]


class EndCluster(Struct, array_like=True, tag=132, gc=False):
    """End: all workers and the scheduler. Answered by ``ClusterEnds``, then by a goodbye."""

    request: int
    #: Whether what runs is to end before; nothing new begins.
    drains: bool = False


class CallScheduler(Struct, array_like=True, tag=133, gc=False):
    """Call this in your process, if your settings permit it. Answered by ``SchedulerCalled``."""

    request: int
    #: Of the function: ``package.module:name``.
    name: Name
    #: MessagePack of plain data: a list of arguments, and a dict of those by name.
    arguments: Payload


ClientToScheduler = (
    SubmitTasks
    | ReleaseKeys
    | WantKeys
    | CancelTasks
    | ForgetFunctions
    | LocateKeys
    | ReportMissing
    | PlanScatter
    | KeysScattered
    | RunEverywhere
    | DescribeCluster
    | WaitForWorkers
    | ExplainKeys
    | ReplicateKeys
    | RebalanceKeys
    | RetireWorkers
    | ListTasks
    | KeepSetup
    | DropSetup
    | ListVariables
    | RetryTasks
    | EndCluster
    | CallScheduler
    | Asks
    | LogEvents
    | SetMetadata
    | ClientCoordinates
)
