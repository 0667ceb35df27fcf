"""What an observer and the scheduler say to each other: an observer may only read."""

from __future__ import annotations

from hocket.protocol.messages.client_to_scheduler import (
    DescribeCluster,
    ExplainKeys,
    ListTasks,
    LocateKeys,
)
from hocket.protocol.messages.observing import Asks, Tells
from hocket.protocol.messages.rotation import SecretChanged
from hocket.protocol.messages.scheduler_to_client import (
    ClusterDescribed,
    KeysExplained,
    KeysLocated,
    RequestRefused,
    TasksListed,
)

__all__ = ["ObserverToScheduler", "SchedulerToObserver"]

ObserverToScheduler = Asks | DescribeCluster | ExplainKeys | ListTasks | LocateKeys
SchedulerToObserver = (
    Tells
    | ClusterDescribed
    | KeysExplained
    | TasksListed
    | KeysLocated
    | RequestRefused
    | SecretChanged
)
