"""The scheduler's tables: tasks, task classes, workers and clients. Records only, no decisions."""

from __future__ import annotations

from hocket.scheduler.state.actor import Actor
from hocket.scheduler.state.arrivals import Arrivals
from hocket.scheduler.state.client import Client
from hocket.scheduler.state.copies import Copies, Copy, Goal, Undertaking
from hocket.scheduler.state.drain import Drain
from hocket.scheduler.state.queue import Queue
from hocket.scheduler.state.roster import Roster
from hocket.scheduler.state.stopping import Stopping
from hocket.scheduler.state.task import (
    ASSIGNED,
    FAILED,
    FORGOTTEN,
    QUEUED,
    RECALLED,
    RELEASED,
    STORED,
    UNFINISHED,
    WAITING,
    Options,
    Task,
    TaskClass,
    TaskState,
)
from hocket.scheduler.state.worker import Worker

__all__ = [
    "ASSIGNED",
    "FAILED",
    "FORGOTTEN",
    "QUEUED",
    "RECALLED",
    "RELEASED",
    "STORED",
    "UNFINISHED",
    "WAITING",
    "Actor",
    "Arrivals",
    "Client",
    "Copies",
    "Copy",
    "Drain",
    "Goal",
    "Options",
    "Queue",
    "Roster",
    "Stopping",
    "Task",
    "TaskClass",
    "TaskState",
    "Undertaking",
    "Worker",
]
