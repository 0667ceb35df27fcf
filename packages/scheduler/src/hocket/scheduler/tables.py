"""All that the scheduler knows, in one place, and the numbers that it gives out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from hocket.scheduler.state import (
    ASSIGNED,
    QUEUED,
    Client,
    Options,
    Queue,
    Task,
    TaskClass,
    TaskState,
    Worker,
)
from hocket.scheduler.state.outbox import FRAME_NBYTES_AIM

if TYPE_CHECKING:
    from hocket.protocol.messages import Failure

__all__ = ["PRIORITY_BITS", "Limits", "Tables"]

#: A priority is ``-user priority * 2**PRIORITY_BITS + submission order``: one integer of 64 bits.
PRIORITY_BITS: Final = 47
#: Signatures for which the workers that fit are remembered.
_FITTING_MAX: Final = 10_000


@dataclass(frozen=True, slots=True)
class Limits:
    """What the scheduler's decisions are bounded by."""

    #: After how many deaths of workers a task is given up.
    allowed_failures_count: int = 3
    #: How far ahead of a worker's threads tasks are given to it, in seconds of expected work.
    window_s: float = 0.1
    window_tasks_min: int = 2
    window_tasks_max: int = 10_000
    #: What a task is expected to take whose class has never run.
    unknown_duration_s: float = 0.01
    #: What a frame to a peer holds at the most, roughly.
    frame_nbytes_aim: int = FRAME_NBYTES_AIM
    #: What one answer to a client may hold.
    answer_nbytes_max: int = 128 * 2**20
    #: Requests of one client that may wait for workers at once.
    waits_max: int = 1000


class Tables:
    """The state of the scheduler: every record, and every index over them."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self.tasks: dict[str, Task] = {}
        self.kinds: dict[bytes, TaskClass] = {}
        self.workers: dict[int, Worker] = {}
        self.workers_by_address: dict[str, Worker] = {}
        self.workers_by_name: dict[str, Worker] = {}
        self.workers_by_host: dict[str, dict[Worker, None]] = {}
        self.clients: dict[int, Client] = {}
        #: One for each signature of options that a queued task has, and the one without demands.
        self.queues: dict[tuple[object, ...], Queue] = {(): Queue(Options())}
        #: Per signature: the workers that fit it; emptied whenever workers come or go.
        self._fitting: dict[tuple[object, ...], dict[Worker, None]] = {}
        #: Workers with room in their window (a dict for its order).
        self.open: dict[Worker, None] = {}
        #: Workers with nothing to do, and those with more tasks than threads.
        self.idle: dict[Worker, None] = {}
        self.loaded: dict[Worker, None] = {}
        self.threads_count = 0
        #: The time of the event that is being handled, in seconds of any clock.
        self.now_s = 0.0
        #: Per task: how often it was asked back.
        self.recalls: dict[str, int] = {}
        #: Per task: why the workers died that it was running on.
        self.deaths: dict[str, list[str]] = {}
        #: Per task: how often it came back because a holder of an input could not be reached.
        self.returns: dict[str, int] = {}
        #: Tasks that can never be computed since they depend on a key that nobody knew, and what
        #: whoever wants them is told.
        self.broken: dict[str, Failure] = {}
        self.attempts_count = 0
        self.submitted_count = 0
        #: Called with (task, from, to) at every move, when somebody watches.
        self.trace: Callable[[Task, TaskState, TaskState], None] | None = None

    def priority_of(self, options: Options, rank: int) -> int:
        """Return the priority of the task of this rank in the submission that is being taken in."""
        return (-options.priority << PRIORITY_BITS) + self.submitted_count + rank

    def move(self, task: Task, target: TaskState) -> None:
        """Put a task into a state; the effects are the caller's."""
        source = task.state
        if self.trace is not None:
            self.trace(task, source, target)
        task.state = target
        if source is QUEUED and target is not ASSIGNED:
            signature = task.options.signature
            self.queues[signature].discard()
            self.drop_empty_queue(signature)

    def enqueue(self, task: Task) -> None:
        """Put a task whose inputs are all stored into its queue."""
        self.move(task, QUEUED)
        signature = task.options.signature
        queue = self.queues.get(signature)
        if queue is None:
            queue = self.queues[signature] = Queue(task.options)
        queue.push(task)

    def drop_empty_queue(self, signature: tuple[object, ...]) -> None:
        """Drop a queue in which nothing is left."""
        if signature and not self.queues[signature].live_count:
            del self.queues[signature]

    def fitting(self, options: Options) -> dict[Worker, None]:
        """Return the workers that may run tasks with these options at all, by id."""
        found = self._fitting.get(options.signature)
        if found is None:
            candidates = list(self.workers.values())
            if options.names:
                named = dict.fromkeys(
                    worker for name in options.workers for worker in self.named(name)
                )
                candidates = sorted(named, key=lambda worker: worker.id)
            found = dict.fromkeys(worker for worker in candidates if worker.may_run(options))
            if len(self._fitting) >= _FITTING_MAX:
                self._fitting.clear()
            self._fitting[options.signature] = found
        return found

    def named(self, name: str) -> list[Worker]:
        """Return the workers with this name, address or host."""
        found = list(self.workers_by_host.get(name, ()))
        indices = (self.workers_by_name, self.workers_by_address)
        return [*found, *(index[name] for index in indices if name in index)]

    def has_room(self, worker: Worker) -> bool:
        """Tell whether the worker's commit window is open."""
        limits = self.limits
        assigned_count = len(worker.assigned)
        return assigned_count < limits.window_tasks_min * worker.threads or (
            worker.occupancy_s < limits.window_s * worker.threads
            and assigned_count < limits.window_tasks_max * worker.threads
        )

    def expected_s(self, task: Task) -> float:
        """Return how long a task is expected to run, in seconds."""
        kind = task.kind
        if kind is None or not kind.measured_count:
            return self.limits.unknown_duration_s
        return kind.duration_s

    def forgive(self, task: Task) -> None:
        """Drop what is remembered of a task's misfortunes."""
        # (Nearly always there is none to drop.)
        if self.deaths or self.returns or self.recalls:
            self.deaths.pop(task.key, None)
            self.returns.pop(task.key, None)
            self.recalls.pop(task.key, None)

    def assign(self, task: Task, worker: Worker, expected_s: float) -> None:
        """Book a task on a worker."""
        task.worker = worker
        assigned = worker.assigned
        if not assigned:
            worker.progress_s = self.now_s
            self.idle.pop(worker, None)
        assigned[task] = expected_s
        worker.occupancy_s += expected_s
        if len(assigned) > worker.threads:
            self.loaded[worker] = None
        if worker in self.open and not self.has_room(worker):
            del self.open[worker]

    def unassign(self, task: Task) -> None:
        """Take a task off its worker's books."""
        worker = task.worker
        assert worker is not None
        task.worker = None
        worker.occupancy_s -= worker.assigned.pop(task)
        worker.progress_s = self.now_s
        if len(worker.assigned) == worker.threads:
            self.loaded.pop(worker, None)
        if not worker.assigned:
            worker.occupancy_s = 0.0
            if worker.id in self.workers:
                self.idle[worker] = None
        if worker not in self.open and worker.id in self.workers and self.has_room(worker):
            self.open[worker] = None

    def hold(self, task: Task, worker: Worker) -> None:
        """Book a value on a worker."""
        if task not in worker.held:
            worker.held[task] = None
            worker.held_nbytes += task.nbytes
        task.hold(worker)

    def unhold(self, task: Task, worker: Worker) -> None:
        """Take a value off a worker's books."""
        if task in worker.held:
            del worker.held[task]
            worker.held_nbytes -= task.nbytes
        task.unhold(worker)

    def add_worker(self, worker: Worker) -> None:
        """Book a worker that joined."""
        self.workers[worker.id] = worker
        self.workers_by_address[worker.address] = worker
        self.workers_by_name[worker.name] = worker
        self.workers_by_host.setdefault(worker.host, {})[worker] = None
        self._fitting.clear()
        self.threads_count += worker.threads
        self.open[worker] = None
        self.idle[worker] = None

    def remove_worker(self, worker: Worker) -> None:
        """Take a worker off the books; its tasks and data are the caller's concern."""
        del self.workers[worker.id]
        del self.workers_by_address[worker.address]
        del self.workers_by_name[worker.name]
        of_host = self.workers_by_host[worker.host]
        del of_host[worker]
        if not of_host:
            del self.workers_by_host[worker.host]
        self._fitting.clear()
        self.threads_count -= worker.threads
        self.open.pop(worker, None)
        self.idle.pop(worker, None)
        self.loaded.pop(worker, None)

    def forget_kind(self, kind: TaskClass) -> None:
        """Drop a class that no task and no client refers to."""
        if kind.tasks_count or kind.pinned_by or self.kinds.get(kind.digest) is not kind:
            return
        del self.kinds[kind.digest]
        for worker in self.workers.values():
            worker.outbox.drop_function(kind.digest)
