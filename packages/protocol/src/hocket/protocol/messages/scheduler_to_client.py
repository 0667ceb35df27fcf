"""What the scheduler says to a client."""

from __future__ import annotations

from msgspec import Struct

from hocket.protocol.messages.actors import ActorsPlaced, ActorsRestarting
from hocket.protocol.messages.coordination import SchedulerCoordinates
from hocket.protocol.messages.feed import Payload, Text
from hocket.protocol.messages.observing import Tells
from hocket.protocol.messages.rotation import SecretChanged
from hocket.protocol.messages.values import (
    CancelOutcome,
    DemandDescription,
    Explanation,
    Failure,
    WorkerDescription,
)

__all__ = [
    "CancelAnswered",
    "ClusterDescribed",
    "ClusterEnds",
    "EverywhereRan",
    "KeysExplained",
    "KeysLocated",
    "KeysLost",
    "KeysRebalanced",
    "KeysReplicated",
    "RequestRefused",
    "ScatterAccepted",
    "ScatterPlanned",
    "SchedulerCalled",
    "SchedulerToClient",
    "TasksCancelled",
    "TasksErred",
    "TasksListed",
    "TasksStored",
    "VariablesListed",
    "WorkersReady",
    "WorkersRetired",
]


class TasksStored(Struct, array_like=True, tag=21, gc=False):
    """These keys have values; small ones come along, pickled in one piece."""

    keys: list[str]
    nbytes: list[int]
    #: Per key: the pickled value, or None where it is too big and must be fetched.
    values: list[bytes | None]


class TasksErred(Struct, array_like=True, tag=22, gc=False):
    """These keys will have no values."""

    keys: list[str]
    failures: list[Failure]


class TasksCancelled(Struct, array_like=True, tag=23, gc=False):
    """The client's wish to have these is dropped, as it asked."""

    keys: list[str]


class CancelAnswered(Struct, array_like=True, tag=38, gc=False):
    """Answer to ``CancelTasks`` with a request, when it is known what became of what was running.

    All keys that were cancelled are named except those that had not begun; and what was running
    for them alone.
    """

    request: int
    keys: list[str]
    outcomes: list[CancelOutcome]
    #: Per key: the name of the worker that runs it or did; "": none.
    workers: list[str]


class KeysLost(Struct, array_like=True, tag=24, gc=False):
    """These keys had values, which are gone and are being computed again: wait for them anew.

    (A value that cannot be computed again comes as ``TasksErred`` of kind ``LOST``.)
    """

    keys: list[str]


class KeysLocated(Struct, array_like=True, tag=25, gc=False):
    """Answer to ``LocateKeys``: addresses of the holders of each key; none: it has no value now."""

    request: int
    addresses: list[list[str]]


class ScatterPlanned(Struct, array_like=True, tag=26, gc=False):
    """Answer to ``PlanScatter``: addresses for each piece of data."""

    request: int
    addresses: list[list[str]]


class ScatterAccepted(Struct, array_like=True, tag=27, gc=False):
    """Answer to ``KeysScattered``."""

    request: int


class EverywhereRan(Struct, array_like=True, tag=28, gc=False):
    """Answer to ``RunEverywhere``: per worker its name, and a pickled value or a failure."""

    request: int
    workers: list[str]
    values: list[bytes | None]
    failures: list[Failure | None]


class ClusterDescribed(Struct, array_like=True, tag=29, gc=False):
    """Answer to ``DescribeCluster``."""

    request: int
    scheduler: str
    workers: list[WorkerDescription]
    #: Where its pages are, as a URL; "": it has none.
    dashboard: str = ""
    #: What is queued; of many kinds only the first.
    demands: list[DemandDescription] = []


class WorkersReady(Struct, array_like=True, tag=30, gc=False):
    """Answer to ``WaitForWorkers``."""

    request: int
    count: int


class RequestRefused(Struct, array_like=True, tag=31, gc=False):
    """Answer to any request that cannot be met, with the reason in words."""

    request: int
    reason: str


class KeysExplained(Struct, array_like=True, tag=32, gc=False):
    """Answer to ``ExplainKeys``."""

    request: int
    explanations: list[Explanation]


class KeysReplicated(Struct, array_like=True, tag=33, gc=False):
    """Answer to ``ReplicateKeys``: on how many of the workers asked for each value is now."""

    request: int
    counts: list[int]


class KeysRebalanced(Struct, array_like=True, tag=34, gc=False):
    """Answer to ``RebalanceKeys``: how many values moved, and their size."""

    request: int
    moved: int
    nbytes: int


class ClusterEnds(Struct, array_like=True, tag=39, gc=False):
    """Answer to ``EndCluster``: it does, or clients may not ask for that here."""

    request: int
    accepted: bool


class SchedulerCalled(Struct, array_like=True, tag=40, gc=False):
    """Answer to ``CallScheduler``: plain data in MessagePack, or an error in words."""

    request: int
    value: Payload | None
    error: Text


class WorkersRetired(Struct, array_like=True, tag=35, gc=False):
    """Answer to ``RetireWorkers``: the names of those that are gone."""

    request: int
    workers: list[str]


class TasksListed(Struct, array_like=True, tag=36, gc=False):
    """Answer to ``ListTasks``: addresses of workers, and the keys of each."""

    request: int
    addresses: list[str]
    keys: list[list[str]]


class VariablesListed(Struct, array_like=True, tag=37, gc=False):
    """Answer to ``ListVariables``."""

    request: int
    names: list[str]


SchedulerToClient = (
    TasksStored
    | TasksErred
    | TasksCancelled
    | CancelAnswered
    | KeysLost
    | KeysLocated
    | ScatterPlanned
    | ScatterAccepted
    | EverywhereRan
    | ClusterDescribed
    | WorkersReady
    | RequestRefused
    | KeysExplained
    | KeysReplicated
    | KeysRebalanced
    | WorkersRetired
    | ClusterEnds
    | SchedulerCalled
    | TasksListed
    | VariablesListed
    | SecretChanged
    | ActorsPlaced
    | ActorsRestarting
    | Tells
    | SchedulerCoordinates
)
