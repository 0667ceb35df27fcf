"""Which task a thread is running, for code that wants to know."""

from __future__ import annotations

import threading
from typing import NamedTuple

from hocket.worker.state import Task

__all__ = ["CurrentTask", "current_task", "running"]


class CurrentTask(NamedTuple):
    """The task that a thread is running.

    Attributes
    ----------
    key
        The task's key.
    attempt
        The number of this execution.
    worker
        The name of the worker.
    """

    key: str
    attempt: int
    worker: str


class _Running(threading.local):
    """What the present thread runs; set by the executor."""

    task: Task | None = None
    worker: str = ""


running = _Running()


def current_task() -> CurrentTask | None:
    """Return the task that this thread is running, or None in a thread that runs none."""
    task = running.task
    return None if task is None else CurrentTask(task.key, task.attempt, running.worker)
