"""The record of a worker that is to end: what of its data has yet to move, and what nobody took."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hocket.scheduler.state.copies import Goal, Undertaking
from hocket.scheduler.state.task import STORED

if TYPE_CHECKING:
    from hocket.scheduler.state.task import Task
    from hocket.scheduler.state.worker import Worker

__all__ = ["Drain"]


class Drain(Undertaking):
    """The draining of one worker.

    Parameters
    ----------
    worker
        Which; its ``leaving`` says why.
    is_own
        Whether it ends by its own wish, so that nothing can keep it.

    Attributes
    ----------
    pending
        Values that are to be looked at, the last one first.
    given_up
        Values that nobody took.
    obstacle
        Why the first of these was given up.
    has_left
        Whether the worker was told to leave.
    """

    __slots__ = ("given_up", "has_left", "is_own", "obstacle", "pending", "worker")

    def __init__(self, worker: Worker, *, is_own: bool) -> None:
        super().__init__()
        self.worker = worker
        self.is_own = is_own
        self.pending: list[Task] = []
        self.given_up: dict[Task, None] = {}
        self.obstacle = ""
        self.has_left = False

    @property
    def is_patient(self) -> bool:
        """Whether values wait for memory: who ends by its own wish has a time-out of its own."""
        return self.is_own

    def ended(self, goal: Goal, obstacle: str) -> None:
        """Take note that a value lies elsewhere, or that nobody took it."""
        task = goal.task
        if obstacle and task.state is STORED and task.attempt == goal.attempt:
            self.given_up[task] = None
            self.obstacle = self.obstacle or obstacle

    def __repr__(self) -> str:
        return f"<Drain of {self.worker.name}>"
