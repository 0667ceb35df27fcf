"""hocket's client: submit, map, gather, futures.

>>> from hocket.client import Client  # doctest: +SKIP
>>> client = Client("tcp://127.0.0.1:8786")  # doctest: +SKIP
>>> client.gather(client.map(abs, [-1, -2]))  # doctest: +SKIP
[1, 2]
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from hocket.client.actor_errors import ActorCallLost, ActorLost, ActorRestarted
    from hocket.client.actors import Actor, ActorFuture
    from hocket.client.cancelling import CancelReport
    from hocket.client.client import Client, current_client
    from hocket.client.coordination.barrier import Barrier
    from hocket.client.coordination.errors import (
        BarrierBroken,
        CoordinationRefused,
        LockLost,
        NotHeld,
        QueueClosed,
    )
    from hocket.client.coordination.event import Event
    from hocket.client.coordination.lock import Lock, MultiLock
    from hocket.client.coordination.queue import Queue
    from hocket.client.coordination.semaphore import Semaphore
    from hocket.client.coordination.variable import Variable
    from hocket.client.dask_adapter.collections import futures_of
    from hocket.client.explaining import Explained
    from hocket.client.futures import Future
    from hocket.client.mapping import map  # noqa: A004 - as it says there
    from hocket.client.memory_sampler import MemorySampler
    from hocket.client.progress import progress
    from hocket.client.reporting import performance_report
    from hocket.client.streams import Stream, StreamValues
    from hocket.client.task_client import get_client, get_worker
    from hocket.client.waiting import as_completed, fire_and_forget, wait
    from hocket.core.errors import Reschedule
    from hocket.core.named_outputs import WrongOutputs
    from hocket.core.task_context import current_task, rejoin, secede
    from hocket.core.worker_plugins import WorkerPlugin
    from hocket.core.worker_view import WorkerView
    from hocket.transport.live_generators import GeneratorChanged

__all__ = [
    "Actor",
    "ActorCallLost",
    "ActorFuture",
    "ActorLost",
    "ActorRestarted",
    "Barrier",
    "BarrierBroken",
    "CancelReport",
    "Client",
    "CoordinationRefused",
    "Event",
    "EventConsumer",
    "Explained",
    "Future",
    "GeneratorChanged",
    "Lock",
    "LockLost",
    "MemorySampler",
    "MultiLock",
    "NotHeld",
    "Queue",
    "QueueClosed",
    "Reschedule",
    "Semaphore",
    "Stream",
    "StreamValues",
    "Variable",
    "WorkerPlugin",
    "WorkerView",
    "WrongOutputs",
    "as_completed",
    "current_client",
    "current_task",
    "fire_and_forget",
    "futures_of",
    "get_client",
    "get_worker",
    "map",
    "performance_report",
    "progress",
    "rejoin",
    "secede",
    "wait",
]

#: Loaded when asked for (PEP 562), so that the machine alone can be imported without event loops.
_HOMES: Final = {
    "Actor": "hocket.client.actors",
    "ActorCallLost": "hocket.client.actor_errors",
    "ActorFuture": "hocket.client.actors",
    "ActorLost": "hocket.client.actor_errors",
    "ActorRestarted": "hocket.client.actor_errors",
    "Barrier": "hocket.client.coordination.barrier",
    "BarrierBroken": "hocket.client.coordination.errors",
    "CancelReport": "hocket.client.cancelling",
    "Client": "hocket.client.client",
    "CoordinationRefused": "hocket.client.coordination.errors",
    "Event": "hocket.client.coordination.event",
    "EventConsumer": "hocket.protocol.feed",
    "Explained": "hocket.client.explaining",
    "Future": "hocket.client.futures",
    "GeneratorChanged": "hocket.transport.live_generators",
    "Lock": "hocket.client.coordination.lock",
    "LockLost": "hocket.client.coordination.errors",
    "MemorySampler": "hocket.client.memory_sampler",
    "MultiLock": "hocket.client.coordination.lock",
    "NotHeld": "hocket.client.coordination.errors",
    "Queue": "hocket.client.coordination.queue",
    "QueueClosed": "hocket.client.coordination.errors",
    "Reschedule": "hocket.core.errors",
    "Semaphore": "hocket.client.coordination.semaphore",
    "Stream": "hocket.client.streams",
    "StreamValues": "hocket.client.streams",
    "Variable": "hocket.client.coordination.variable",
    "WorkerPlugin": "hocket.core.worker_plugins",
    "WorkerView": "hocket.core.worker_view",
    "WrongOutputs": "hocket.core.named_outputs",
    "as_completed": "hocket.client.waiting",
    "current_client": "hocket.client.client",
    "current_task": "hocket.core.task_context",
    "fire_and_forget": "hocket.client.waiting",
    "futures_of": "hocket.client.dask_adapter.collections",
    "get_client": "hocket.client.task_client",
    "get_worker": "hocket.client.task_client",
    "map": "hocket.client.mapping",
    "performance_report": "hocket.client.reporting",
    "progress": "hocket.client.progress",
    "rejoin": "hocket.core.task_context",
    "secede": "hocket.core.task_context",
    "wait": "hocket.client.waiting",
}


def __getattr__(name: str) -> object:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(home), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOMES})
