"""The books of the workers: who is there, what each was given and holds, who has room for more."""

from __future__ import annotations

from typing import Any, Final

from hocket.protocol.messages import ACTORS, THREADS
from hocket.scheduler.limits import Limits
from hocket.scheduler.state import (
    Actor,
    Arrivals,
    Copies,
    Drain,
    Goal,
    Options,
    Roster,
    Task,
    Worker,
)
from hocket.scheduler.state.outbox import Outbox
from hocket.scheduler.state.worker import BANDWIDTH_NBYTES_PER_S, ENDLESS_S, NOTEWORTHY_NBYTES

__all__ = ["AMOUNT_SLACK", "Books"]

#: Signatures for which the workers that fit are remembered.
_FITTING_MAX: Final = 256
#: Sums of amounts are not exact.
AMOUNT_SLACK: Final = 1e-9


class Books:
    """Every worker, and every index over them."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        #: The time of the event that is being handled, in seconds of any clock.
        self.now_s = 0.0
        self.workers: dict[int, Worker] = {}
        self.workers_by_address: dict[str, Worker] = {}
        #: By address: values that clients say to have put there while no worker was known there.
        self.strays: dict[str, dict[str, None]] = {}
        self.workers_by_name: dict[str, Worker] = {}
        self.workers_by_host: dict[str, dict[Worker, None]] = {}
        #: By peer: outboxes that have something in them.
        self.full: dict[int, Outbox[Any]] = {}
        #: Per signature: the workers that fit it; emptied whenever workers come or go.
        self._fitting: dict[tuple[object, ...], dict[Worker, None]] = {}
        #: Workers with room in their window; and, beside them, those with room for what must not
        #: wait for tasks that are there already but matter less.
        self.open = Roster()
        self.ajar = Roster()
        #: Workers that may have more room or less load than the rosters say.
        self.changed: dict[Worker, None] = {}
        #: Workers with nothing to do, those with less than their threads could do (as far as they
        #: have not changed since), and those with more tasks than threads.
        self.idle: dict[Worker, None] = {}
        self.hungry: dict[Worker, None] = {}
        self.loaded: dict[Worker, None] = {}
        self.threads_count = 0
        #: Workers that have a memory limit; that have GPUs; and those that know when they end, and
        #: by signature the longest life of any worker that may run such tasks.
        self.limited_count = 0
        self.gpu_workers_count = 0
        self.mortal_count = 0
        self._lives_s: dict[tuple[object, ...], float] = {}
        #: Before this time it is not looked for tasks to ask back.
        self.next_look_s = 0.0
        #: Copies on their way that no task asked for; per value what they are for; the draining of
        #: workers that are to end; and large inputs that workers have yet to fetch.
        self.copies = Copies()
        self.goals: dict[Task, list[Goal]] = {}
        self.drains: dict[Worker, Drain] = {}
        self.arrivals = Arrivals()
        #: What is known of tasks that are actors.
        self.actors: dict[Task, Actor] = {}

    def life_s_max(self, options: Options) -> float:
        """Return how long such tasks are taken by who lasts longest, from when it joined."""
        if not options.signature and self.mortal_count < len(self.workers):
            return ENDLESS_S
        life_s = self._lives_s.get(options.signature)
        if life_s is None:
            lives_s = (worker.life_s for worker in self.fitting(options))
            life_s = max(lives_s, default=ENDLESS_S)
            if len(self._lives_s) >= _FITTING_MAX:
                self._lives_s.clear()
            self._lives_s[options.signature] = life_s
        return life_s

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
        if worker.leaving or (worker.stuck and worker.is_stuck):
            return False
        if worker.is_paused:
            # It goes on with one at a time, so that what fills its memory is used up.
            return not worker.assigned
        limits = self.limits
        if limits.is_eager:
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
            if amount > total + AMOUNT_SLACK:
                return False
        limits = self.limits
        return (
            reserved + amount <= limits.window_tasks_min * total
            or reserved_s < limits.window_s * total
        )

    def is_barred(self, worker: Worker, options: Options) -> bool:
        """Tell whether a task with demands would wait for what others keep as long as they like."""
        withheld = worker.withheld
        return bool(withheld) and any(
            amount > worker.resources[name] - withheld[name] + AMOUNT_SLACK
            for name, amount in options.resources.items()
            if name in withheld
        )

    def refresh_rosters(self) -> None:
        """Bring the rosters up to date with what changed since."""
        now_s = self.now_s
        for worker in self.changed:
            if worker.id not in self.workers:
                continue
            if worker.free_threads_count:
                self.hungry[worker] = None
            else:
                self.hungry.pop(worker, None)
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
            if options.executor == ACTORS:
                worker.actors[task] = None
        assigned[task] = expected_s
        worker.occupancy_s += expected_s
        if worker.memory_limit:
            self._promise(task, worker)
        if task.dependencies:
            self.arrivals.expect(task, worker)
        if task.missing_count:
            worker.followers_count += 1
        elif worker in self.hungry and not worker.free_threads_count:
            del self.hungry[worker]
        if len(assigned) > worker.threads:
            self.loaded[worker] = None
        self._fill(worker)

    def _fill(self, worker: Worker) -> None:
        """Bring the rosters up to date with a worker that has got more."""
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
        if task.missing_count and not had_seceded:
            worker.followers_count -= 1
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
            worker.actors.pop(task, None)
            if not had_seceded:
                self._count(worker, task.options.executor, -1)
        if len(worker.assigned) == worker.threads:
            self.loaded.pop(worker, None)
        if len(worker.assigned) == len(worker.seceded):
            self._rest_worker(worker)
        self.changed[worker] = None

    def follow(self, task: Task, change: int) -> None:
        """Book that an unfinished task lacks its first input, or none any more."""
        worker = task.worker
        if worker is not None and task not in worker.seceded:
            worker.followers_count += change
            self.changed[worker] = None

    def _rest_worker(self, worker: Worker) -> None:
        """Book that no task takes a slot of a worker."""
        worker.occupancy_s = 0.0
        if not worker.assigned and not worker.actors:
            worker.reserved.clear()
        if worker.id in self.workers:
            self.idle[worker] = None

    def secede(self, task: Task) -> None:
        """Book that an assigned task takes no slot of its worker any more."""
        worker = task.worker
        assert worker is not None
        worker.begun.setdefault(task, self.now_s)
        worker.seceded[task] = None
        if task.missing_count:
            worker.followers_count -= 1
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
        if task.missing_count:
            worker.followers_count += 1
        self._withhold(worker)
        self._count(worker, task.options.executor, 1)
        if task.kind is not None:
            task.kind.assigned_count += 1
        self.idle.pop(worker, None)
        worker.progress_s = self.now_s
        self.changed[worker] = None

    def _withhold(self, worker: Worker) -> None:
        """Count anew what tasks keep that seceded, and actors."""
        worker.withheld.clear()
        keeping = [*worker.seceded, *(one for one in worker.actors if one.worker is None)]
        for task in keeping:
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
        worker.hold(task)
        task.hold(worker)
        if self.arrivals:
            self.arrivals.arrived(task, worker)

    def unhold(self, task: Task, worker: Worker) -> None:
        """Take a value off a worker's books."""
        worker.unhold(task)
        task.unhold(worker)
        if self.actors and task in worker.actors:
            self._unsettle(task, worker)

    def settle(self, task: Task, worker: Worker) -> None:
        """Book an actor on the worker that has made it: it lives there, and keeps its resources."""
        self.actors.setdefault(task, Actor()).home = worker
        worker.actors[task] = None
        for name, amount in task.options.resources.items():
            reserved, reserved_s = worker.reserved.get(name, (0.0, 0.0))
            worker.reserved[name] = (reserved + amount, reserved_s)
        self._withhold(worker)
        self.changed[worker] = None

    def _unsettle(self, task: Task, worker: Worker) -> None:
        """Take an actor off its worker's books."""
        self.actors[task].home = None
        del worker.actors[task]
        self._unreserve(worker, task.options)
        self._withhold(worker)
        self.changed[worker] = None

    def add_worker(self, worker: Worker) -> None:
        """Book a worker that joined."""
        self.workers[worker.id] = worker
        self.workers_by_address[worker.address] = worker
        for key in self.strays.pop(worker.address, ()):
            worker.outbox.drop(key, 0)
        self.workers_by_name[worker.name] = worker
        self.workers_by_host.setdefault(worker.host, {})[worker] = None
        self._fitting.clear()
        self.threads_count += worker.threads
        self.limited_count += bool(worker.memory_limit)
        self.gpu_workers_count += worker.has_gpus
        self.mortal_count += worker.life_s < ENDLESS_S
        self._lives_s.clear()
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
        self.gpu_workers_count -= worker.has_gpus
        self.mortal_count -= worker.life_s < ENDLESS_S
        self._lives_s.clear()
        self.open.drop(worker)
        self.ajar.drop(worker)
        self.idle.pop(worker, None)
        self.hungry.pop(worker, None)
        self.loaded.pop(worker, None)
        self.copies.remove_worker(worker)
        self.full.pop(worker.id, None)
