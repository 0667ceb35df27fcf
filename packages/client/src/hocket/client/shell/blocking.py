"""Blocking: how code of a user's waits, be it inside a task or outside of any.

A task that waits gives up its slot meanwhile: else tasks that wait for tasks of their own could
fill a cluster and stand still. One that waits in several places at once (coroutines, threads with
its context) takes a slot again when none of them waits any more.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial

from hocket.core.task_context import TaskContext, current_task
from hocket.transport.clock import monotonic

__all__ = ["block", "deadline", "held_lock", "without_slot"]


class _Wait:
    """A task that waits."""

    __slots__ = ("count", "gave_up")

    def __init__(self) -> None:
        #: In how many places.
        self.count = 0
        #: Whether it had a slot when it began.
        self.gave_up = False


_lock = threading.Lock()
#: The tasks of this process that wait now, by worker, key and attempt.
_waits: dict[tuple[str, str, int], _Wait] = {}


def held_lock() -> threading.Lock:
    """Return a lock that is held: who acquires it waits for its release."""
    lock = threading.Lock()
    lock.acquire()
    return lock


def block(lock: threading.Lock, timeout_s: float | None, patience_s: float = 0.0) -> bool:
    """Wait for a lock; a task that has to wait does so without its slot.

    Parameters
    ----------
    lock
        To be acquired.
    timeout_s
        Seconds to wait; None waits for ever. A task may take longer to return: it waits for a slot
        again, and that has no limit.
    patience_s
        Seconds that a task waits with its slot before it gives that up. To get it back can take as
        long as another task runs, so it is kept where the wait is likely to be short.

    Returns
    -------
    bool
        Whether it was acquired; False: the time is over.
    """
    task = current_task()
    if task is None:
        return lock.acquire(timeout=-1 if timeout_s is None else max(0.0, timeout_s))
    task.guard.wake_by(partial(_open, lock))
    try:
        if timeout_s is not None and timeout_s <= patience_s:
            return lock.acquire(timeout=max(0.0, timeout_s))
        left = deadline(timeout_s)
        if lock.acquire(timeout=patience_s):
            return True
        with without_slot(task):
            # (To give the slot up may have been a wait of its own.)
            task.guard.wake_by(partial(_open, lock))
            seconds = left()
            return lock.acquire(timeout=-1 if seconds is None else max(0.0, seconds))
    finally:
        task.guard.wake_by(None)


def _open(lock: threading.Lock) -> None:
    """Have a task that is interrupted come back from a wait; the exception waits for it there."""
    with suppress(RuntimeError):  # It was given just now.
        lock.release()


@contextmanager
def without_slot(task: TaskContext) -> Iterator[None]:
    """Let a task be without its slot within the block; one that had none stays so afterwards."""
    name = task.worker, task.key, task.attempt
    wait = _Wait()
    try:
        with _lock:
            wait = _waits.setdefault(name, wait)
            wait.count += 1
            if wait.count == 1:
                wait.gave_up = task.secede()
        yield
    finally:
        with _lock:
            wait.count -= 1
            is_over = wait.count <= 0
            if is_over:
                _waits.pop(name, None)
        if is_over and wait.gave_up:
            task.rejoin()


def deadline(timeout_s: float | None) -> Callable[[], float | None]:
    """Return what tells the seconds that are left of a time; None if there is no end to it."""
    if timeout_s is None:
        return lambda: None
    end_s = monotonic() + timeout_s
    return lambda: end_s - monotonic()


def _after_fork_in_child() -> None:
    global _lock  # noqa: PLW0603 - another thread may have held it
    _lock = threading.Lock()
    _waits.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork_in_child)
