"""What tasks are told of where they run."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from hocket.core.settings import Settings
from hocket.core.task_context import NO_GUARD, TaskContext, TaskGuard
from hocket.core.worker_view import WorkerView
from hocket.worker.state import Task

__all__ = ["Contexts"]


@dataclass(frozen=True, slots=True)
class Contexts:
    """Makes the contexts of the tasks of one worker.

    Attributes
    ----------
    worker
        The worker's name.
    scheduler_address, secret, settings
        How a client inside of a task reaches the cluster.
    view
        The worker as its guests see it.
    """

    worker: str
    scheduler_address: str = ""
    secret: str = field(default="", repr=False)
    settings: Settings = field(default_factory=Settings)
    view: WorkerView | None = None

    def of(
        self,
        task: Task,
        *,
        secede: Callable[[], bool],
        rejoin: Callable[[], None],
        guard: TaskGuard = NO_GUARD,
    ) -> TaskContext:
        """Return the context of a task.

        Parameters
        ----------
        task
            The task, which the context does not keep alive.
        secede, rejoin, guard
            See `TaskContext`.
        """
        return TaskContext(
            key=task.key,
            attempt=task.attempt,
            worker=self.worker,
            devices=task.devices,
            scheduler_address=self.scheduler_address,
            secret=self.secret,
            settings=self.settings,
            cluster_id="" if self.view is None else self.view.cluster_id,
            view=self.view,
            secede=secede,
            rejoin=rejoin,
            guard=guard,
        )
