"""Where a task of a worker stands."""

from __future__ import annotations

from enum import IntEnum
from typing import Final

__all__ = ["BEGUN", "TaskState"]


class TaskState(IntEnum):
    """Where a task stands."""

    #: Some input is not here.
    WAITING = 1
    #: In the queue of those that a thread may take.
    READY = 2
    #: A thread has it; its slot and its resources are reserved.
    RUNNING = 3
    #: A thread has it; its resources are reserved, but it has given up its slot.
    SECEDED = 4
    #: The same, and it goes on as soon as there is a slot for it.
    REJOINING = 5
    #: Not here any more: given back, abandoned, or ended.
    GONE = 6


#: States in which a thread has the task.
BEGUN: Final = frozenset({TaskState.RUNNING, TaskState.SECEDED, TaskState.REJOINING})
