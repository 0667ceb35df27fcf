"""The worker record: what it offers, what it was given, what it holds."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING

from hocket.scheduler.state.outbox import FRAME_NBYTES_AIM, WorkerOutbox

if TYPE_CHECKING:
    from hocket.protocol.messages import WorkerJoined, WorkerReport
    from hocket.scheduler.state.task import Options, Task

__all__ = ["Worker"]


class Worker:
    """One worker process."""

    __slots__ = (
        "address",
        "assigned",
        "functions",
        "held",
        "held_nbytes",
        "host",
        "id",
        "memory_limit",
        "name",
        "occupancy_s",
        "outbox",
        "pid",
        "progress_s",
        "report",
        "requests",
        "resources",
        "threads",
    )

    def __init__(
        self, id_: int, joined: WorkerJoined, frame_nbytes_aim: int = FRAME_NBYTES_AIM
    ) -> None:
        self.id = id_
        self.name = joined.name
        self.address = joined.address
        self.host = joined.host
        self.pid = joined.pid
        self.threads = max(1, joined.threads)
        self.memory_limit = joined.memory_limit
        self.resources = dict(joined.resources)
        #: Tasks assigned or recalled, with the run time that was expected of each.
        self.assigned: dict[Task, float] = {}
        #: The sum of those expectations, in seconds.
        self.occupancy_s = 0.0
        #: When it last ended a task, or was given one when it had none.
        self.progress_s = 0.0
        #: Stored tasks whose values it holds (a dict for its order).
        self.held: dict[Task, None] = {}
        self.held_nbytes = 0
        #: Digests of the functions whose pickles it has.
        self.functions: set[bytes] = set()
        #: Ids of the ``RunHere`` requests that it has not answered.
        self.requests: set[int] = set()
        self.report: WorkerReport | None = None
        self.outbox = WorkerOutbox(self.functions, frame_nbytes_aim)

    def load_s(self, now_s: float) -> float:
        """Return the expected time until all its tasks are done, in seconds.

        What all threads are busy with for longer than was expected is taken to need as long again.
        """
        load_s = self.occupancy_s / self.threads
        if len(self.assigned) >= self.threads:
            late_s = now_s - self.progress_s
            if late_s > load_s:
                return late_s
        return load_s

    def answers_to(self, names: Collection[str]) -> bool:
        """Tell whether one of these is its name, address or host."""
        return self.name in names or self.address in names or self.host in names

    def may_run(self, options: Options) -> bool:
        """Tell whether the options of a task admit this worker at all."""
        if options.names and not self.answers_to(options.names):
            return False
        return all(
            self.resources.get(name, 0.0) >= amount for name, amount in options.resources.items()
        )

    def __repr__(self) -> str:
        return f"<Worker {self.name} with {len(self.assigned)} tasks>"
