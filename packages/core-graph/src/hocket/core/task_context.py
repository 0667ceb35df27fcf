"""What code that runs inside a task may know and ask for, whoever runs the task.

The worker that runs a task says so here, per thread (and per coroutine); a client that is used
inside a task reads it: which scheduler to talk to, and how to give up the task's slot while it
waits. So neither imports the other.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Final

from hocket.core.settings import Settings

__all__ = ["NO_GUARD", "PROVIDER", "TaskContext", "TaskGuard", "current_task", "rejoin", "secede"]


class TaskGuard:
    """What keeps the interrupting of a task from code that is not its own; this one does nothing.

    All of it is for the task's own thread; in others, nothing happens.
    """

    __slots__ = ()

    def shield(self) -> object:
        """Let nothing arrive until `unshield` is called; return what that is to be given."""
        return None

    def unshield(self, shielded: object) -> None:
        """Let arrive again what interrupts the task, and at once what came meanwhile."""

    @contextmanager
    def shielded(self) -> Iterator[None]:
        """Let nothing arrive within the block."""
        shielded = self.shield()
        try:
            yield
        finally:
            self.unshield(shielded)

    def wake_by(self, wake: Callable[[], object] | None) -> None:
        """Say how a wait is ended if the task is interrupted, and that it is over (None).

        It is called in another thread; it may raise nothing and not wait.
        """


#: Where nothing is interrupted in a thread.
NO_GUARD: Final = TaskGuard()


@dataclass(frozen=True, slots=True)
class TaskContext:
    """The task that runs here.

    Attributes
    ----------
    key, attempt
        Which task, and which execution of it.
    worker
        The name of the worker that runs it.
    devices
        Indices of the devices that it may use, by the name of the resource (``{"GPU": (1,)}``).
    scheduler_address, secret, settings
        How a client reaches the cluster.
    cluster_id
        Of the cluster.
    """

    key: str
    attempt: int
    worker: str
    devices: Mapping[str, Sequence[int]] = field(default_factory=dict)
    scheduler_address: str = ""
    secret: str = field(default="", repr=False)
    settings: Settings = field(default_factory=Settings)
    cluster_id: str = ""
    #: The worker itself, as `hocket.core.worker_view` has it; None where nobody says.
    view: object = field(default=None, repr=False)
    #: Gives up the slot; returns whether the task had one.
    secede: Callable[[], bool] = bool
    #: Takes a slot again; returns when there is one.
    rejoin: Callable[[], None] = lambda: None
    #: Of the thread that runs it.
    guard: TaskGuard = field(default=NO_GUARD, repr=False)


#: Set by whoever runs tasks, once in each thread: returns the present task's context, or None.
PROVIDER: Final[ContextVar[Callable[[], TaskContext | None] | None]] = ContextVar(
    "hocket_task", default=None
)


def current_task() -> TaskContext | None:
    """Return the task that runs here, or None outside of tasks."""
    provider = PROVIDER.get()
    return None if provider is None else provider()


def secede() -> None:
    """Give up the slot of the task that runs here: it runs on, and another may run beside it.

    For tasks that mostly wait. Outside of tasks this does nothing.
    """
    task = current_task()
    if task is not None:
        task.secede()


def rejoin() -> None:
    """Take a slot again after `secede`, as soon as one is free."""
    task = current_task()
    if task is not None:
        task.rejoin()
