"""The task record, the class of tasks that it belongs to, and the options it was submitted with.

A million of these are alive at once, so a record holds nothing that can be derived, and no
container before there is something to put in it.
"""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Final, Literal

from hocket.protocol.messages import THREADS

if TYPE_CHECKING:
    from hocket.protocol.messages import Failure
    from hocket.scheduler.state.client import Client
    from hocket.scheduler.state.worker import Worker

__all__ = [
    "ASSIGNED",
    "FAILED",
    "FORGOTTEN",
    "QUEUED",
    "RECALLED",
    "RELEASED",
    "STORED",
    "UNFINISHED",
    "WAITING",
    "Options",
    "Task",
    "TaskClass",
    "TaskState",
]

TaskState = Literal[
    "waiting", "queued", "assigned", "recalled", "stored", "failed", "released", "forgotten"
]

#: Some input has no value yet.
WAITING: Final = "waiting"
#: May run; held back until a worker has room, or because no worker fits.
QUEUED: Final = "queued"
#: Given to a worker under an attempt number.
ASSIGNED: Final = "assigned"
#: Asked back from its worker; the answer is on its way.
RECALLED: Final = "recalled"
#: Its value exists on some worker.
STORED: Final = "stored"
#: Will not be tried again.
FAILED: Final = "failed"
#: Nobody needs the value now.
RELEASED: Final = "released"
#: Not in the tables any more.
FORGOTTEN: Final = "forgotten"

#: States in which a task still needs the values of its dependencies.
UNFINISHED: Final = frozenset({WAITING, QUEUED, ASSIGNED, RECALLED})


#: What is reported to have run longer is not believed: sums of times must stay numbers. (4 months.)
_DURATION_S_MAX: Final = 1e7
#: So many holders of one value stand in a tuple.
_FEW_HOLDERS_MAX: Final = 4
#: So many of the workers that failed a task are avoided, the latest ones.
_AVOIDED_MAX: Final = 8


class Options:
    """What all tasks of one submission share.

    Parameters
    ----------
    priority
        The user's; higher runs first.
    retries, retry_delay_s
        How often a task that fails is tried again, and how long it rests before.
    workers, allow_other_workers
        Names, addresses or hosts of the workers that may run it, or are only preferred; none: any.
    resources, executor
        What it reserves while it runs, and which of a worker's executors runs it.
    avoided
        Ids of workers that failed it: they are taken only if no other fits.
    length
        Among which of the long tasks it stands in a queue; 0: it is none of those.
    ran_s
        How long it ran, if that was cut short since its worker had to end.
    """

    __slots__ = (
        "allow_other_workers",
        "avoided",
        "executor",
        "length",
        "priority",
        "ran_s",
        "resources",
        "retries",
        "retry_delay_s",
        "root_signature",
        "signature",
        "timeout_s",
        "workers",
    )

    def __init__(  # noqa: PLR0913 - as many as users have
        self,
        priority: int = 0,
        retries: int = 0,
        workers: tuple[str, ...] = (),
        resources: dict[str, float] | None = None,
        *,
        allow_other_workers: bool = False,
        retry_delay_s: float = 0.0,
        executor: str = THREADS,
        timeout_s: float = 0.0,
        avoided: tuple[int, ...] = (),
        length: int = 0,
        ran_s: float = 0.0,
    ) -> None:
        self.priority = priority
        self.retries = retries
        self.retry_delay_s = retry_delay_s
        self.workers = workers
        self.allow_other_workers = allow_other_workers
        self.resources = resources or {}
        self.executor = executor
        self.timeout_s = timeout_s
        self.avoided = avoided
        self.length = length
        self.ran_s = ran_s
        #: Tasks with equal signatures can run on the same workers. They share a queue, but that
        #: those without inputs have one of their own, since they can be held back.
        self.signature: tuple[object, ...] = ()
        if workers or self.resources or executor != THREADS or avoided or length:
            amounts = tuple(sorted(self.resources.items()))
            self.signature = (workers, allow_other_workers, amounts, executor, avoided, length)
        self.root_signature: tuple[object, ...] = ("root", *self.signature)

    def avoiding(self, worker_id: int) -> Options:
        """Return the same options, but that this worker is avoided as well."""
        if worker_id in self.avoided:
            return self
        return self._changed(avoided=(*self.avoided[-_AVOIDED_MAX + 1 :], worker_id))

    def of_length(self, length: int) -> Options:
        """Return the same options, but that the task stands among those of this length."""
        return self._changed(length=length)

    def cut_short(self, ran_s: float) -> Options:
        """Return the same options, but that the task ran so long on a worker that had to end."""
        return self._changed(ran_s=max(ran_s, self.ran_s))

    def _changed(
        self,
        avoided: tuple[int, ...] | None = None,
        length: int | None = None,
        ran_s: float | None = None,
    ) -> Options:
        return Options(
            self.priority,
            self.retries,
            self.workers,
            self.resources,
            allow_other_workers=self.allow_other_workers,
            retry_delay_s=self.retry_delay_s,
            executor=self.executor,
            timeout_s=self.timeout_s,
            avoided=self.avoided if avoided is None else avoided,
            length=self.length if length is None else length,
            ran_s=self.ran_s if ran_s is None else ran_s,
        )


class TaskClass:
    """All tasks with the same function: its pickle, and what was learnt from those that ran."""

    __slots__ = (
        "assigned_count",
        "blob",
        "digest",
        "duration_s",
        "label",
        "measured_count",
        "nbytes",
        "pinned_by",
        "tasks_count",
    )

    def __init__(self, digest: bytes, label: str, blob: bytes) -> None:
        self.digest = digest
        self.label = label
        self.blob = blob
        #: Expected run time and size of the result; meaningless while ``measured_count`` is 0.
        self.duration_s = 0.0
        self.nbytes = 0.0
        self.measured_count = 0
        self.tasks_count = 0
        #: Tasks that workers have now, but for those that seceded.
        self.assigned_count = 0
        #: Ids of the clients that believe the scheduler to have the pickle.
        self.pinned_by: set[int] = set()

    def measure(self, duration_s: float, nbytes: int) -> None:
        """Learn from one finished task; the last ten or so count most."""
        duration_s = min(duration_s, _DURATION_S_MAX)
        count = self.measured_count = self.measured_count + 1
        weight = 1.0 / count if count < 10 else 0.1
        self.duration_s += (duration_s - self.duration_s) * weight
        self.nbytes += (nbytes - self.nbytes) * weight

    def __repr__(self) -> str:
        return f"<TaskClass {self.label} of {self.tasks_count} tasks>"


class Task:
    """One task, or (``kind`` None) one value that a client put on workers."""

    __slots__ = (
        "attempt",
        "dependencies",
        "dependents",
        "dependents_count",
        "failure",
        "holders",
        "key",
        "kind",
        "missing_count",
        "nbytes",
        "needed_by_count",
        "options",
        "payload",
        "priority",
        "retries_left",
        "state",
        "wanted_by",
        "worker",
    )

    def __init__(
        self,
        key: str,
        kind: TaskClass | None,
        payload: bytes,
        options: Options,
        priority: int,
        dependencies: tuple[Task, ...],
    ) -> None:
        self.key = key
        self.state: TaskState = RELEASED
        self.kind = kind
        self.payload = payload
        self.options = options
        #: Lower runs first; unique among tasks.
        self.priority = priority
        self.dependencies = dependencies
        #: Everything that was ever submitted to depend on this and may be forgotten by now; how
        #: many of them are not. None: there are none.
        self.dependents: list[Task] | None = None
        self.dependents_count = 0
        #: Dependencies that are not stored (kept in unfinished states only).
        self.missing_count = 0
        #: Dependents in an unfinished state.
        self.needed_by_count = 0
        #: Clients that hold futures: none, one, or several.
        self.wanted_by: Client | set[Client] | None = None
        #: The worker it is assigned to (assigned, recalled).
        self.worker: Worker | None = None
        #: Number of its latest execution; 0: never, or put there by a client.
        self.attempt = 0
        self.retries_left = options.retries
        #: Who holds the value (stored): one worker, a few, or many, in the order in which they got
        #: it. (A dict of two takes four times the room of a tuple.)
        self.holders: Worker | tuple[Worker, ...] | dict[Worker, None] | None = None
        self.nbytes = 0
        self.failure: Failure | None = None

    def __lt__(self, other: Task) -> bool:
        # Queue entries are (priority, task) and priorities are unique, so two tasks are compared
        # only when they are one and the same.
        return False

    @property
    def queue_signature(self) -> tuple[object, ...]:
        """Which queue it stands in while it is queued."""
        return self.options.signature if self.dependencies else self.options.root_signature

    def is_needed(self) -> bool:
        """Tell whether a client or an unfinished task needs the value."""
        return self.needed_by_count > 0 or self.wanted_by is not None

    def clients(self) -> list[Client]:
        """Return the clients that want it, by id."""
        wanted_by = self.wanted_by
        if wanted_by is None:
            return []
        if isinstance(wanted_by, set):
            return sorted(wanted_by, key=_by_id)
        return [wanted_by]

    def want(self, client: Client) -> None:
        """Note that this client holds a future of it."""
        wanted_by = self.wanted_by
        if wanted_by is None or wanted_by is client:
            self.wanted_by = client
        elif isinstance(wanted_by, set):
            wanted_by.add(client)
        else:
            self.wanted_by = {wanted_by, client}

    def unwant(self, client: Client) -> None:
        """Note that this client holds no future of it."""
        wanted_by = self.wanted_by
        if wanted_by is client:
            self.wanted_by = None
        elif isinstance(wanted_by, set):
            wanted_by.discard(client)
            if not wanted_by:
                self.wanted_by = None

    @property
    def holders_count(self) -> int:
        """On how many workers the value is."""
        holders = self.holders
        if isinstance(holders, tuple | dict):
            return len(holders)
        return 0 if holders is None else 1

    def holding_workers(self) -> list[Worker]:
        """Return the workers that hold the value, first those that have it longest."""
        holders = self.holders
        if holders is None:
            return []
        if isinstance(holders, tuple | dict):
            return list(holders)
        return [holders]

    def latest_holders(self, count: int) -> list[Worker]:
        """Return so many of the workers that hold the value at most, the latest first.

        A value that everybody reads has as many holders as there are workers; looking at them all
        for each reader would be quadratic. The latest have been asked by the fewest so far.
        """
        holders = self.holders
        if holders is None:
            return []
        if isinstance(holders, tuple | dict):
            return list(islice(reversed(holders), count))
        return [holders]

    def is_held_by(self, worker: Worker) -> bool:
        """Tell whether this worker holds the value."""
        holders = self.holders
        return holders is worker or (isinstance(holders, tuple | dict) and worker in holders)

    def hold(self, worker: Worker) -> None:
        """Note that this worker holds the value."""
        holders = self.holders
        if holders is None or holders is worker:
            self.holders = worker
        elif isinstance(holders, dict):
            holders[worker] = None
        elif not isinstance(holders, tuple):
            self.holders = (holders, worker)
        elif worker not in holders:
            if len(holders) < _FEW_HOLDERS_MAX:
                self.holders = (*holders, worker)
            else:
                self.holders = {**dict.fromkeys(holders), worker: None}

    def unhold(self, worker: Worker) -> None:
        """Note that this worker does not hold the value."""
        holders = self.holders
        if holders is worker:
            self.holders = None
        elif isinstance(holders, dict):
            holders.pop(worker, None)
            if len(holders) <= _FEW_HOLDERS_MAX:
                self.holders = tuple(holders)
        elif isinstance(holders, tuple):
            left = tuple(one for one in holders if one is not worker)
            self.holders = left[0] if len(left) == 1 else left

    def add_dependent(self, task: Task) -> None:
        """Note a task that reads this one's value."""
        dependents = self.dependents
        if dependents is None:
            self.dependents = [task]
        else:
            # Forgotten ones are swept out when they are most of the list, so a long-lived value
            # with many short-lived readers does not grow.
            if len(dependents) > 2 * self.dependents_count + 8:
                dependents[:] = [one for one in dependents if one.state is not FORGOTTEN]
            dependents.append(task)
        self.dependents_count += 1

    def remove_dependent(self) -> None:
        """Note that one of the dependents is forgotten."""
        self.dependents_count -= 1
        if not self.dependents_count:
            self.dependents = None

    def __repr__(self) -> str:
        return f"<Task {self.key} {self.state} attempt {self.attempt}>"


def _by_id(client: Client) -> int:
    return client.id
