"""The messages: what hocket's processes say to each other, one class for each.

A message is a positional struct with a number as its tag; the batch *is* the message: its fields
are columns of equal length (a column that is the same for all rows may be empty where the class
says so). Names follow one grammar, seen by the receiver: a request is imperative (``RunTasks``), a
report is in the past tense (``TasksDone``).

Each direction has its own union, so that a peer can only send what its role may send, and no tag
stands for two messages; what does not fit is refused at the door by :mod:`hocket.protocol.codec`.
"""

from __future__ import annotations

from hocket.protocol.messages.client_to_scheduler import (
    CancelTasks,
    ClientToScheduler,
    DescribeCluster,
    ForgetFunctions,
    KeysScattered,
    LocateKeys,
    PlanScatter,
    ReleaseKeys,
    ReportMissing,
    RunEverywhere,
    SubmitTasks,
    WaitForWorkers,
    WantKeys,
)
from hocket.protocol.messages.peer import DataReply, DataStored, FetchData, PutData
from hocket.protocol.messages.scheduler_to_client import (
    ClusterDescribed,
    EverywhereRan,
    KeysLocated,
    KeysLost,
    RequestRefused,
    ScatterAccepted,
    ScatterPlanned,
    SchedulerToClient,
    TasksCancelled,
    TasksErred,
    TasksStored,
    WorkersReady,
)
from hocket.protocol.messages.scheduler_to_worker import (
    AbandonTasks,
    DropData,
    DropFunctions,
    RecallTasks,
    RunHere,
    RunTasks,
    SchedulerToWorker,
)
from hocket.protocol.messages.values import Failure, FailureKind, WorkerDescription
from hocket.protocol.messages.worker_to_scheduler import (
    HereRan,
    InputsMissing,
    ReplicasStored,
    TasksDone,
    TasksFailed,
    TasksReturned,
    WorkerJoined,
    WorkerReport,
    WorkerToScheduler,
)

__all__ = [
    "AbandonTasks",
    "CancelTasks",
    "ClientToScheduler",
    "ClusterDescribed",
    "DataReply",
    "DataStored",
    "DescribeCluster",
    "DropData",
    "DropFunctions",
    "EverywhereRan",
    "Failure",
    "FailureKind",
    "FetchData",
    "ForgetFunctions",
    "HereRan",
    "InputsMissing",
    "KeysLocated",
    "KeysLost",
    "KeysScattered",
    "LocateKeys",
    "PlanScatter",
    "PutData",
    "RecallTasks",
    "ReleaseKeys",
    "ReplicasStored",
    "ReportMissing",
    "RequestRefused",
    "RunEverywhere",
    "RunHere",
    "RunTasks",
    "ScatterAccepted",
    "ScatterPlanned",
    "SchedulerToClient",
    "SchedulerToWorker",
    "SubmitTasks",
    "TasksCancelled",
    "TasksDone",
    "TasksErred",
    "TasksFailed",
    "TasksReturned",
    "TasksStored",
    "WaitForWorkers",
    "WantKeys",
    "WorkerDescription",
    "WorkerJoined",
    "WorkerReport",
    "WorkerToScheduler",
    "WorkersReady",
]
