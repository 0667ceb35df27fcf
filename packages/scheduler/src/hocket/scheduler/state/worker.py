"""The worker record: what it offers, what it was given, what it holds."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING, Any, Final

from hocket.core.resource_names import GPU
from hocket.protocol.messages import THREADS
from hocket.scheduler.state.outbox import FRAME_NBYTES_AIM, Outbox, WorkerOutbox

if TYPE_CHECKING:
    from hocket.protocol.messages import WorkerJoined, WorkerReport
    from hocket.scheduler.state.stopping import Stopping
    from hocket.scheduler.state.task import Options, Task

__all__ = ["BANDWIDTH_NBYTES_PER_S", "ENDLESS_S", "NOTEWORTHY_NBYTES", "Worker"]

#: How long lives a worker that knows of no end.
ENDLESS_S: Final = float("inf")

#: How fast a worker is expected to fetch data.
BANDWIDTH_NBYTES_PER_S: Final = 500e6

#: A smaller result is nothing to a memory.
NOTEWORTHY_NBYTES: Final = 4096
#: More than this part of the limit is never put down to what is not data (an interpreter, modules).
_UNMANAGED_PART_MAX: Final = 0.5


class Worker:
    """One worker process."""

    __slots__ = (
        "actors",
        "address",
        "assigned",
        "begun",
        "calls_address",
        "coming_nbytes",
        "copies",
        "counts",
        "dashboard",
        "executors",
        "followers_count",
        "functions",
        "has_gpus",
        "held",
        "held_nbytes",
        "host",
        "id",
        "is_paused",
        "kept",
        "kept_nbytes",
        "leaves_s",
        "leaving",
        "life_s",
        "listed_s",
        "memory_limit",
        "name",
        "occupancy_s",
        "outbox",
        "pid",
        "progress_s",
        "promised",
        "promised_nbytes",
        "report",
        "requests",
        "reserved",
        "resources",
        "seceded",
        "stopping",
        "stuck",
        "threads",
        "withheld",
        "worst_priority",
    )

    def __init__(
        self,
        id_: int,
        joined: WorkerJoined,
        full: dict[int, Outbox[Any]],
        frame_nbytes_aim: int = FRAME_NBYTES_AIM,
        now_s: float = 0.0,
    ) -> None:
        self.id = id_
        self.name = joined.name
        self.address = joined.address
        self.host = joined.host
        self.pid = joined.pid
        self.threads = max(1, joined.threads)
        self.memory_limit = joined.memory_limit
        self.resources = dict(joined.resources)
        self.has_gpus = self.resources.get(GPU, 0.0) > 0
        self.executors = {**joined.executors, THREADS: self.threads}
        #: Tasks assigned or recalled, with the run time that was expected of each (as a part of
        #: what all its threads can do; 0 for one that seceded).
        self.assigned: dict[Task, float] = {}
        #: The sum of those expectations, in seconds.
        self.occupancy_s = 0.0
        #: When it last ended a task, or was given one when it had none.
        self.progress_s = 0.0
        #: Of those tasks: that it said to be running, and when; and that gave up their slots.
        self.begun: dict[Task, float] = {}
        self.seceded: dict[Task, None] = {}
        #: By attempt: what it is to interrupt, until it says that this has ended; and of those the
        #: keys of the ones that keep a thread, since they cannot be interrupted.
        self.stopping: dict[int, Stopping] = {}
        self.stuck: dict[int, str] = {}
        #: Of those tasks: how many wait there for what others of them make, or were made to.
        self.followers_count = 0
        #: Of those tasks: what each is expected to add to its memory, in bytes, where that is much.
        self.promised: dict[Task, int] = {}
        self.promised_nbytes = 0
        #: Large inputs of those tasks that it must fetch (see ``Tables.arrivals``).
        self.coming_nbytes = 0
        #: Of those tasks: how many take slots of other executors than the threads; and what all of
        #: them reserve, by resource: amounts, and amounts times seconds.
        self.counts: dict[str, int] = {}
        self.reserved: dict[str, tuple[float, float]] = {}
        #: What tasks that seceded keep of its resources, for as long as they like.
        self.withheld: dict[str, float] = {}
        #: The greatest priority number among what it was given since it last had nothing.
        self.worst_priority = 0
        #: Stored tasks whose values it holds (a dict for its order).
        self.held: dict[Task, None] = {}
        self.held_nbytes = 0
        #: Those of them that no task is going to use up, as far as is known (see `reported`); only
        #: while the worker has values on its disk.
        self.kept: dict[Task, None] = {}
        self.kept_nbytes = 0
        #: Actors that it keeps, or was given to make.
        self.actors: dict[Task, None] = {}
        self.calls_address = joined.calls_address
        self.dashboard = joined.dashboard
        #: Attempts whose values it was asked to copy from others, by task.
        self.copies: dict[Task, int] = {}
        #: Digests of the functions whose pickles it has.
        self.functions: set[bytes] = set()
        #: Ids of the ``RunHere`` requests that it has not answered.
        self.requests: set[int] = set()
        self.report: WorkerReport | None = None
        #: Whether it is short of memory, and why it is to end ("" if it is not).
        self.is_paused = False
        self.leaving = ""
        #: How long it takes tasks from when it joined, and until when; inf: it knows of no end.
        self.life_s = ENDLESS_S if joined.leaves_in_s is None else joined.leaves_in_s
        self.leaves_s = now_s + self.life_s
        #: The load under which the roster lists it.
        self.listed_s = -1.0
        self.outbox = WorkerOutbox(id_, full, self.functions, frame_nbytes_aim)

    @property
    def tasks_count(self) -> int:
        """Tasks that take its slots, or will."""
        return len(self.assigned) - len(self.seceded)

    @property
    def free_threads_count(self) -> int:
        """Threads that have nothing to do."""
        active_count = len(self.assigned) - len(self.seceded) - self.followers_count
        return max(0, self.threads - len(self.stuck) - active_count)

    @property
    def is_stuck(self) -> bool:
        """Whether what cannot be interrupted keeps all its threads."""
        return len(self.stuck) >= self.threads

    def load_s(self, now_s: float) -> float:
        """Return the expected time until all its tasks are done, in seconds.

        That is what their running takes, or the fetching of their inputs if that is more. What all
        threads are busy with for longer than was expected is taken to need as long again.
        """
        load_s = self.occupancy_s / self.threads
        if self.coming_nbytes:
            load_s = max(load_s, self.coming_nbytes / BANDWIDTH_NBYTES_PER_S)
        if len(self.assigned) - len(self.seceded) >= self.threads:
            late_s = now_s - self.progress_s
            if late_s > load_s:
                return late_s
        return load_s

    def load_for_s(self, options: Options, now_s: float) -> float:
        """Return the expected time until a task with these options could begin, in seconds."""
        load_s = self.load_s(now_s)
        for name in options.resources:
            if name in self.reserved:
                load_s = max(load_s, self.reserved[name][1] / self.resources[name])
        return load_s

    def answers_to(self, names: Collection[str]) -> bool:
        """Tell whether one of these is its name, address or host."""
        return self.name in names or self.address in names or self.host in names

    def offers(self, options: Options) -> bool:
        """Tell whether it has what a task with these options needs, when nothing else runs."""
        if options.executor not in self.executors:
            return False
        return all(
            self.resources.get(name, 0.0) >= amount for name, amount in options.resources.items()
        )

    def reported(self, report: WorkerReport) -> None:
        """Take note of how it is.

        One that has values on its disk puts those there that it used least recently, to make room
        for others. Those that no task is going to use up are as good as there: they are no reason
        to hold back anything, since no waiting makes them fewer. All others count as if they were
        in memory, wherever they are: what makes more of them than is used up would fill the disk.
        """
        self.report = report
        self.kept = {}
        if report.spilled_nbytes:
            self.kept = {task: None for task in self.held if not task.needed_by_count}
        self.kept_nbytes = sum(task.nbytes for task in self.kept)

    def hold(self, task: Task) -> None:
        """Book a value that it has now."""
        if task not in self.held:
            self.held[task] = None
            self.held_nbytes += task.nbytes
            report = self.report
            if report is not None and report.spilled_nbytes and not task.needed_by_count:
                self.kept[task] = None
                self.kept_nbytes += task.nbytes

    def unhold(self, task: Task) -> None:
        """Take a value off its books."""
        if task in self.held:
            del self.held[task]
            self.held_nbytes -= task.nbytes
            if task in self.kept:
                del self.kept[task]
                self.kept_nbytes -= task.nbytes

    def free_nbytes(self, part: float) -> float:
        """Return how much more data may come, up to this part of its limit; inf if it has none."""
        if not self.memory_limit:
            return float("inf")
        unmanaged = 0.0
        if self.report is not None:
            unmanaged = max(0, self.report.memory_nbytes - self.report.held_nbytes)
        unmanaged = min(unmanaged, _UNMANAGED_PART_MAX * self.memory_limit)
        used_nbytes = self.held_nbytes - self.kept_nbytes
        taken_nbytes = used_nbytes + self.promised_nbytes + self.coming_nbytes
        return self.memory_limit * part - unmanaged - taken_nbytes

    def __repr__(self) -> str:
        return f"<Worker {self.name} with {len(self.assigned)} tasks>"
