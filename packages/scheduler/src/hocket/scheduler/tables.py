"""All that the scheduler knows, in one place, and the numbers that it gives out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from heapq import heappop, heappush
from typing import TYPE_CHECKING, Any, Final

from hocket.protocol.messages import THREADS
from hocket.scheduler.state import (
    ASSIGNED,
    QUEUED,
    STORED,
    Arrivals,
    Client,
    Copies,
    Drain,
    Goal,
    Options,
    Queue,
    Roster,
    Task,
    TaskClass,
    TaskState,
    Worker,
)
from hocket.scheduler.state.outbox import FRAME_NBYTES_AIM, Outbox
from hocket.scheduler.state.worker import BANDWIDTH_NBYTES_PER_S, NOTEWORTHY_NBYTES

if TYPE_CHECKING:
    from hocket.protocol.messages import Failure

__all__ = ["PRIORITY_BITS", "Limits", "Tables"]

#: A priority is ``-user priority * 2**PRIORITY_BITS + tag``: one integer of 64 bits.
PRIORITY_BITS: Final = 47
#: Signatures for which the workers that fit are remembered.
_FITTING_MAX: Final = 256
#: Sums of amounts are not exact.
_AMOUNT_SLACK: Final = 1e-9
#: Before so many tasks were forgotten, tables keep their room.
_FORGOTTEN_MIN: Final = 10_000
_ENDLESS_S: Final = float("inf")


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
    #: Up to which part of a worker's memory limit it is given tasks that only add data.
    memory_part: float = 0.6
    #: The name of the rule by which tasks are placed: see :mod:`hocket.scheduler.policy`.
    placement: str = "greedy"
    #: What a frame to a peer holds at the most, roughly.
    frame_nbytes_aim: int = FRAME_NBYTES_AIM
    #: What one answer to a client may hold.
    answer_nbytes_max: int = 128 * 2**20
    #: Requests of one client that may wait for workers, or for copies, at once.
    waits_max: int = 1000
    #: What may be on its way to, and from, one worker in copies that no task asked for, in bytes;
    #: one copy always may.
    copies_nbytes_max: int = 64 * 2**20


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
        #: By peer: outboxes that have something in them.
        self.full: dict[int, Outbox[Any]] = {}
        plain = Options()
        #: By signature, of those tasks that are queued, and the two without demands.
        self.queues: dict[tuple[object, ...], Queue] = {
            plain.signature: Queue(plain),
            plain.root_signature: Queue(plain),
        }
        self._plain = frozenset(self.queues)
        #: Per signature: the workers that fit it; emptied whenever workers come or go.
        self._fitting: dict[tuple[object, ...], dict[Worker, None]] = {}
        #: Workers with room in their window; and, beside them, those with room for what must not
        #: wait for tasks that are there already but matter less.
        self.open = Roster()
        self.ajar = Roster()
        #: Workers that may have more room or less load than the rosters say.
        self.changed: dict[Worker, None] = {}
        #: Workers with nothing to do, and those with more tasks than threads.
        self.idle: dict[Worker, None] = {}
        self.loaded: dict[Worker, None] = {}
        self.threads_count = 0
        #: Workers that have a memory limit.
        self.limited_count = 0
        #: The time of the event that is being handled, in seconds of any clock.
        self.now_s = 0.0
        #: Queued tasks that rest before they are tried again, each with the time when it may; and
        #: the same in the order of time, with stale entries.
        self.resting: dict[Task, float] = {}
        self._alarms: list[tuple[float, int, Task]] = []
        #: Per task: how often it was asked back.
        self.recalls: dict[str, int] = {}
        #: Per task: why the workers died that it was running on.
        self.deaths: dict[str, list[str]] = {}
        #: Per task: how often it may have been running on a worker that died.
        self.suspicions: dict[str, int] = {}
        #: Per task: how often it came back because a holder of an input could not be reached.
        self.returns: dict[str, int] = {}
        #: Tasks that can never be computed since they depend on a key that nobody knew, and what
        #: whoever wants them is told.
        self.broken: dict[str, Failure] = {}
        #: Before this time it is not looked for tasks to ask back.
        self.next_look_s = 0.0
        #: Copies on their way that no task asked for; per value what they are for; and the draining
        #: of workers that are to end.
        self.copies = Copies()
        self.arrivals = Arrivals()
        self.goals: dict[Task, list[Goal]] = {}
        self.drains: dict[Worker, Drain] = {}
        self.attempts_count = 0
        #: Tasks that were forgotten since tables last gave back their room.
        self.forgotten_count = 0
        #: By user priority: the tag of what finished last.
        self.clock: dict[int, int] = {}
        #: Called with (task, from, to) at every move, when somebody watches.
        self.trace: Callable[[Task, TaskState, TaskState], None] | None = None

    # Tasks ----------------------------------------------------------------------------------

    def move(self, task: Task, target: TaskState) -> None:
        """Put a task into a state; the effects are the caller's."""
        source = task.state
        if self.trace is not None:
            self.trace(task, source, target)
        task.state = target
        if source is QUEUED and target is not ASSIGNED:
            if task in self.resting:
                del self.resting[task]
            else:
                signature = task.queue_signature
                self.queues[signature].discard()
                self.drop_empty_queue(signature)
        elif source is STORED and self.copies:
            for worker in self.copies.cancel(task):
                worker.outbox.drop(task.key, task.attempt)

    def enqueue(self, task: Task) -> None:
        """Put a task whose inputs are all stored into its queue."""
        self.move(task, QUEUED)
        self._push(task)

    def rest(self, task: Task, delay_s: float) -> None:
        """Let a task whose inputs are all stored wait for so long before it is queued."""
        self.move(task, QUEUED)
        due_s = self.resting[task] = self.now_s + delay_s
        heappush(self._alarms, (due_s, task.attempt, task))

    def wake_resting(self) -> float | None:
        """Queue the tasks that have rested; return when the next one will have (None: none will).

        (A task that rests again, or left, has stale entries.)
        """
        alarms = self._alarms
        while alarms:
            due_s, _, task = alarms[0]
            if self.resting.get(task) == due_s:
                if due_s > self.now_s:
                    return due_s
                del self.resting[task]
                self._push(task)
            heappop(alarms)
        return None

    def _push(self, task: Task) -> None:
        signature = task.queue_signature
        queue = self.queues.get(signature)
        if queue is None:
            queue = self.queues[signature] = Queue(task.options)
        queue.push(task)

    def drop_empty_queue(self, signature: tuple[object, ...]) -> None:
        """Drop a queue in which nothing is left."""
        if signature not in self._plain and not self.queues[signature].live_count:
            del self.queues[signature]

    def expected_s(self, task: Task) -> float:
        """Return how long a task is expected to run, in seconds."""
        kind = task.kind
        if kind is None or not kind.measured_count:
            return self.limits.unknown_duration_s
        return kind.duration_s

    def forgive(self, task: Task) -> None:
        """Drop what is remembered of a task's misfortunes."""
        # (Nearly always there is none to drop.)
        if self.deaths or self.returns or self.recalls or self.suspicions:
            self.deaths.pop(task.key, None)
            self.suspicions.pop(task.key, None)
            self.returns.pop(task.key, None)
            self.recalls.pop(task.key, None)

    # Workers --------------------------------------------------------------------------------

    def fitting(self, options: Options) -> dict[Worker, None]:
        """Return the workers that may run tasks with these options at all, by id.

        Workers that are only preferred or avoided give way where no other fits.
        """
        found = self._fitting.get(options.signature)
        if found is None:
            candidates = [one for one in self.workers.values() if one.offers(options)]
            if options.workers:
                named = dict.fromkeys(one for name in options.workers for one in self.named(name))
                chosen = [one for one in candidates if one in named]
                if chosen or not options.allow_other_workers:
                    candidates = chosen
            if options.avoided:
                others = [one for one in candidates if one.id not in options.avoided]
                candidates = others or candidates
            found = dict.fromkeys(candidates)
            if len(self._fitting) >= _FITTING_MAX:
                self._fitting.clear()
            self._fitting[options.signature] = found
        return found

    def named(self, name: str) -> list[Worker]:
        """Return the workers with this name, address or host."""
        found = list(self.workers_by_host.get(name, ()))
        indices = (self.workers_by_name, self.workers_by_address)
        return [*found, *(index[name] for index in indices if name in index)]

    def has_room(self, worker: Worker, windows_count: int = 1) -> bool:
        """Tell whether there is room in the worker's commit window, or in so many of them."""
        if worker.leaving:
            return False
        if worker.is_paused:
            # It goes on with one at a time, so that what fills its memory is used up.
            return not worker.assigned
        limits = self.limits
        if limits.window_s == _ENDLESS_S:
            return True
        threads_count = worker.threads * windows_count
        tasks_count = len(worker.assigned) - len(worker.seceded)
        if worker.counts:
            tasks_count -= sum(worker.counts.values())
        return tasks_count < limits.window_tasks_min * threads_count or (
            worker.occupancy_s < limits.window_s * threads_count
            and tasks_count < limits.window_tasks_max * threads_count
            and worker.coming_nbytes < limits.window_s * windows_count * BANDWIDTH_NBYTES_PER_S
        )

    def has_room_for(self, worker: Worker, options: Options) -> bool:
        """Tell whether there is room for a task with demands, on a worker that fits it."""
        if options.executor == THREADS:
            if worker not in self.open:
                return False
        elif worker.leaving or worker.is_paused:
            return False
        else:
            slots_count = worker.executors[options.executor]
            if worker.counts.get(options.executor, 0) >= self.limits.window_tasks_min * slots_count:
                return False
        return all(
            self.has_resource(worker, name, amount) for name, amount in options.resources.items()
        )

    def has_resource(self, worker: Worker, name: str, amount: float) -> bool:
        """Tell whether what is committed of a resource leaves room for more in the window."""
        if name not in worker.reserved:
            return True
        total = worker.resources[name]
        reserved, reserved_s = worker.reserved[name]
        if name in worker.withheld:
            withheld = worker.withheld[name]
            total -= withheld
            reserved -= withheld
            if amount > total + _AMOUNT_SLACK:
                return False
        limits = self.limits
        return (
            reserved + amount <= limits.window_tasks_min * total
            or reserved_s < limits.window_s * total
        )

    def refresh_rosters(self) -> None:
        """Bring the rosters up to date with what changed since."""
        now_s = self.now_s
        for worker in self.changed:
            if worker.id not in self.workers:
                continue
            if self.has_room(worker):
                self.ajar.drop(worker)
                self.open.list(worker, now_s)
            else:
                self.open.drop(worker)
                if not worker.is_paused and self.has_room(worker, 2):
                    self.ajar.list(worker, now_s)
                else:
                    self.ajar.drop(worker)
        self.changed.clear()

    def assign(self, task: Task, worker: Worker, expected_s: float) -> None:
        """Book a task on a worker."""
        task.worker = worker
        if task.kind is not None:
            task.kind.assigned_count += 1
        assigned = worker.assigned
        if worker in self.idle:
            del self.idle[worker]
            worker.progress_s = self.now_s
            worker.worst_priority = task.priority
        elif task.priority > worker.worst_priority:
            worker.worst_priority = task.priority
        options = task.options
        if options.signature:
            expected_s = self._reserve(worker, options, expected_s)
        assigned[task] = expected_s
        worker.occupancy_s += expected_s
        if worker.memory_limit:
            self._promise(task, worker)
        if task.dependencies:
            self.arrivals.expect(task, worker)
        if len(assigned) > worker.threads:
            self.loaded[worker] = None
        if worker in self.open.members:
            if not self.has_room(worker):
                self.open.drop(worker)
                if not worker.is_paused and self.has_room(worker, 2):
                    self.ajar.list(worker, self.now_s)
        elif worker in self.ajar.members and not self.has_room(worker, 2):
            self.ajar.drop(worker)

    def unassign(self, task: Task) -> None:
        """Take a task off its worker's books."""
        worker = task.worker
        assert worker is not None
        task.worker = None
        had_seceded = bool(worker.seceded) and task in worker.seceded
        if task.kind is not None and not had_seceded:
            task.kind.assigned_count -= 1
        expected_s = worker.assigned.pop(task)
        worker.occupancy_s -= expected_s
        worker.progress_s = self.now_s
        if worker.begun:
            worker.begun.pop(task, None)
            if had_seceded:
                del worker.seceded[task]
                self._withhold(worker)
        if worker.promised:
            worker.promised_nbytes -= worker.promised.pop(task, 0)
        if worker.coming_nbytes:
            self.arrivals.settle(task, worker)
        if task.options.signature:
            self._unreserve(worker, task.options)
            if not had_seceded:
                self._count(worker, task.options.executor, -1)
        if len(worker.assigned) == worker.threads:
            self.loaded.pop(worker, None)
        if len(worker.assigned) == len(worker.seceded):
            self._rest_worker(worker)
        self.changed[worker] = None

    def _rest_worker(self, worker: Worker) -> None:
        """Book that no task takes a slot of a worker."""
        worker.occupancy_s = 0.0
        if not worker.assigned:
            worker.reserved.clear()
        if worker.id in self.workers:
            self.idle[worker] = None

    def secede(self, task: Task) -> None:
        """Book that an assigned task takes no slot of its worker any more."""
        worker = task.worker
        assert worker is not None
        worker.begun[task] = None
        worker.seceded[task] = None
        if task.kind is not None:
            task.kind.assigned_count -= 1
        worker.occupancy_s -= worker.assigned[task]
        worker.assigned[task] = 0.0
        self._withhold(worker)
        self._count(worker, task.options.executor, -1)
        if len(worker.assigned) == len(worker.seceded):
            self._rest_worker(worker)
        self.changed[worker] = None

    def rejoin(self, task: Task) -> None:
        """Book that a task that had seceded takes a slot again."""
        worker = task.worker
        assert worker is not None
        del worker.seceded[task]
        self._withhold(worker)
        self._count(worker, task.options.executor, 1)
        if task.kind is not None:
            task.kind.assigned_count += 1
        self.idle.pop(worker, None)
        worker.progress_s = self.now_s
        self.changed[worker] = None

    def _withhold(self, worker: Worker) -> None:
        """Count anew what the tasks that seceded keep."""
        worker.withheld.clear()
        for task in worker.seceded:
            for name, amount in task.options.resources.items():
                worker.withheld[name] = worker.withheld.get(name, 0.0) + amount

    def _reserve(self, worker: Worker, options: Options, expected_s: float) -> float:
        """Book what a task with demands takes of a worker; return its part of the threads' time."""
        for name, amount in options.resources.items():
            reserved, reserved_s = worker.reserved.get(name, (0.0, 0.0))
            worker.reserved[name] = (reserved + amount, reserved_s + amount * expected_s)
        executor = options.executor
        if executor == THREADS:
            return expected_s
        self._count(worker, executor, 1)
        return expected_s * worker.threads / max(1, worker.executors[executor])

    def _unreserve(self, worker: Worker, options: Options) -> None:
        for name, amount in options.resources.items():
            reserved, reserved_s = worker.reserved[name]
            left = max(0.0, reserved - amount)
            # (What was expected of each may have changed since: its share of the time goes.)
            left_s = reserved_s * left / reserved if reserved else 0.0
            worker.reserved[name] = (left, left_s)

    def _count(self, worker: Worker, executor: str, change: int) -> None:
        """Count a task that takes a slot of another executor than the threads, or does no more."""
        if executor != THREADS:
            count = worker.counts.get(executor, 0) + change
            if count:
                worker.counts[executor] = count
            else:
                del worker.counts[executor]

    def _promise(self, task: Task, worker: Worker) -> None:
        """Book what a task is expected to add to a worker's memory."""
        nbytes = self.expected_nbytes(task)
        if nbytes >= NOTEWORTHY_NBYTES:
            worker.promised[task] = nbytes
            worker.promised_nbytes += nbytes

    def expected_nbytes(self, task: Task) -> int:
        """Return how large the result of a task is expected to be, in bytes; 0 if unknown."""
        kind = task.kind
        return 0 if kind is None or not kind.measured_count else int(kind.nbytes)

    def hold(self, task: Task, worker: Worker) -> None:
        """Book a value on a worker."""
        if task not in worker.held:
            worker.held[task] = None
            worker.held_nbytes += task.nbytes
        task.hold(worker)
        if self.arrivals:
            self.arrivals.arrived(task, worker)

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
        self.limited_count += bool(worker.memory_limit)
        self.idle[worker] = None
        self.changed[worker] = None

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
        self.limited_count -= bool(worker.memory_limit)
        self.open.drop(worker)
        self.ajar.drop(worker)
        self.idle.pop(worker, None)
        self.loaded.pop(worker, None)
        self.copies.remove_worker(worker)
        self.full.pop(worker.id, None)

    def give_back_room(self) -> None:
        """Let go of the room that tables took while there were many tasks, once there are none.

        (A dict that was emptied piece by piece keeps what it had at its fullest.)
        """
        if self.tasks or self.forgotten_count < _FORGOTTEN_MIN + len(self.workers):
            return
        self.forgotten_count = 0
        self.tasks.clear()
        for client in self.clients.values():
            client.wanted.clear()
        for worker in self.workers.values():
            # (None of them can have anything in it.)
            worker.assigned.clear()
            worker.held.clear()
            worker.promised.clear()

    def forget_kind(self, kind: TaskClass) -> None:
        """Drop a class that no task and no client refers to."""
        if kind.tasks_count or kind.pinned_by or self.kinds.get(kind.digest) is not kind:
            return
        del self.kinds[kind.digest]
        for worker in self.workers.values():
            worker.outbox.drop_function(kind.digest)
