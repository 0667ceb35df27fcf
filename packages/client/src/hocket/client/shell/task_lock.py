"""The lock of a session that tasks share: who holds it is not interrupted meanwhile.

A task that is cancelled is interrupted wherever it is. In the midst of a change of the machine that
would leave it half done, for all tasks of the process.
"""

from __future__ import annotations

import threading

from hocket.core.task_context import NO_GUARD, TaskGuard, current_task

__all__ = ["TaskLock"]


class TaskLock:
    """A lock for ``with``, in tasks and elsewhere."""

    __slots__ = ("_guard", "_lock", "_shielded")

    def __init__(self) -> None:
        self._lock = threading.Lock()
        # Of who holds it.
        self._guard: TaskGuard = NO_GUARD
        self._shielded: object = None

    def __enter__(self) -> None:
        task = current_task()
        if task is None:
            guard, shielded = NO_GUARD, None
        else:
            guard = task.guard
            shielded = guard.shield()
        self._lock.acquire()
        self._guard, self._shielded = guard, shielded

    def __exit__(self, *_error: object) -> None:
        guard, shielded = self._guard, self._shielded
        self._guard, self._shielded = NO_GUARD, None
        self._lock.release()
        guard.unshield(shielded)
