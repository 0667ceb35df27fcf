"""Tasks on threads: the calling thread works too, and nothing is left running behind it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence

__all__ = ["run_tasks"]


class _Queue:
    """Tasks that are still to be started, and the first error of those that were."""

    def __init__(self, tasks: Sequence[Callable[[], None]]) -> None:
        self._tasks = iter(tasks)
        self._lock = threading.Lock()
        self.error: BaseException | None = None

    def work(self) -> None:
        """Do tasks until none is left or one has failed."""
        try:
            while (task := self._next()) is not None:
                task()
        except BaseException as error:  # noqa: BLE001  it is raised again by run_tasks
            self.fail(error)

    def fail(self, error: BaseException) -> None:
        """Let no more tasks start. The first error is the one that counts."""
        with self._lock:
            if self.error is None:
                self.error = error

    def _next(self) -> Callable[[], None] | None:
        with self._lock:
            return None if self.error is not None else next(self._tasks, None)


def run_tasks(tasks: Sequence[Callable[[], None]], threads: int) -> None:
    """Do all tasks, the first ones first, and return when all are done.

    Parameters
    ----------
    tasks
        Functions without arguments, which do not depend on each other.
    threads
        How many may run at once, the calling one counted.

    Raises
    ------
    BaseException
        The first error of a task, or what interrupted the calling thread. Tasks that run then are
        finished, others are not started.
    """
    if threads <= 1 or len(tasks) <= 1:
        for task in tasks:
            task()
        return
    queue = _Queue(tasks)
    workers = [
        threading.Thread(target=queue.work, name=f"hocket-parquet-{number}", daemon=True)
        for number in range(min(threads, len(tasks)) - 1)
    ]
    try:
        for worker in workers:
            worker.start()
        queue.work()
    except BaseException as caught:  # noqa: BLE001  raised below
        queue.fail(caught)
    for worker in workers:
        _join(worker, queue)
    if queue.error is not None:
        error, queue.error = queue.error, None
        raise error


def _join(worker: threading.Thread, queue: _Queue) -> None:
    while worker.ident is not None:
        try:
            worker.join()
        except BaseException as error:  # noqa: BLE001  a second interrupt must not leave it behind
            queue.fail(error)
        else:
            return
