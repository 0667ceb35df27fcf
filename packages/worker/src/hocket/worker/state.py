"""What a worker knows: records of tasks, functions and data, and the tables that hold them.

A task is in one of five states while it is here; *stored*, *failed*, *rescheduled*, *returned* and
*abandoned* are the ways to leave, and leave nothing behind but a report (or not even that)::

    RunTasks -> WAITING -> READY -> RUNNING -> stored | failed | rescheduled
                   |         |         |
                   +---------+         +-> abandoned (runs on; its end is dropped)
                        |
                        +-> returned | abandoned

    RUNNING -> SECEDED -> REJOINING -> RUNNING    (each may end as RUNNING does)
                  |                       ^
                  +-----------------------+

That an input is on its way is a fact of the input, not of the task, since several tasks may wait
for one input: see `WantState`. So is that it lies in a file: see `hocket.worker.shelf`. No state
here says "cancelled": a task that was abandoned or replaced by a newer attempt of its key is no
longer in the table, and whatever comes of it is dropped.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import IntEnum
from typing import Final

from hocket.worker.devices import NO_DEVICES
from hocket.worker.lanes import Lane
from hocket.worker.task_state import BEGUN, TaskState
from hocket.worker.units import Needs

__all__ = [
    "BEGUN",
    "COPY_PRIORITY",
    "ON_DISK",
    "SCATTERED",
    "Datum",
    "DropFile",
    "Fetch",
    "Function",
    "Interrupt",
    "Leave",
    "Spill",
    "Task",
    "TaskState",
    "Terms",
    "Unspill",
    "Want",
    "WantState",
]

#: The attempt of data that a client put here.
SCATTERED: Final = 0
#: Looked up once, not for each task.
_WAITING: Final = TaskState.WAITING
#: How urgent a value is that no task waits for: less than all that a message can say.
COPY_PRIORITY: Final = 1 << 64


class WantState(IntEnum):
    """How an input that is not here will come."""

    #: Nothing is done about it yet; never seen between two events.
    NEW = 1
    #: A task that is here makes it; it was given to this worker too, earlier or later.
    EXPECTED = 2
    #: In the queue of what to ask other workers for.
    QUEUED = 3
    #: Asked for.
    FETCHING = 4
    #: It came, or nobody waits for it any more.
    OVER = 5
    #: In a file of this worker's.
    SPILLED = 6
    #: Being read from there.
    READING = 7


#: Where the value is here, but not in memory.
ON_DISK: Final = frozenset({WantState.SPILLED, WantState.READING})


class Function:
    """A function as bytes, and what the shell makes of them, once.

    Attributes
    ----------
    digest
        Names it in the whole cluster.
    label
        What people call it.
    blob
        Its pickle.
    loaded
        The shell's: what it needs to call it; None until first needed.
    """

    __slots__ = ("blob", "digest", "label", "loaded")

    def __init__(self, digest: bytes, label: str, blob: bytes) -> None:
        self.digest = digest
        self.label = label
        self.blob = blob
        self.loaded: object = None


class Datum:
    """One value, made by one attempt of one task: here, or wanted here.

    Attributes
    ----------
    key, attempt
        Which value; attempt 0 was put there by a client.
    nbytes
        Its estimated size.
    value
        Opaque to the machine. While `want` is set: where the shell can read it, if it is on disk,
        else None.
    want
        Who waits for it and how it will come; None while it is in memory.
    readers_count
        How many tasks here have it among their inputs, whatever their state.
    """

    __slots__ = ("attempt", "key", "nbytes", "readers_count", "value", "want")

    def __init__(
        self, key: str, attempt: int, nbytes: int, value: object, want: Want | None = None
    ) -> None:
        self.key = key
        self.attempt = attempt
        self.nbytes = nbytes
        self.value = value
        self.want = want
        self.readers_count = 0

    def __repr__(self) -> str:
        state = "held" if self.want is None else self.want.state.name.lower()
        return f"<Datum {self.key!r} attempt {self.attempt} {state}>"


class Want:
    """Why and how a value that is not here is to come.

    Attributes
    ----------
    state
        How it will come.
    waiters
        The waiting tasks that need it, in the order in which they asked.
    holders
        Addresses of workers that may have it and have not yet refused it.
    priority
        The best (least) of its waiters.
    is_copy
        Whether the scheduler wants it here (`CopyData`), be there waiters or not, and is to hear
        how that went.
    """

    __slots__ = ("holders", "is_copy", "priority", "state", "waiters")

    def __init__(self, priority: int) -> None:
        self.state = WantState.NEW
        self.is_copy = False
        self.waiters: dict[Task, None] = {}
        self.holders: list[str] = []
        self.priority = priority


class Terms:
    """How the tasks of one batch are to be run; they share this.

    Attributes
    ----------
    lane
        The executor that is to run them.
    needs
        What each reserves while it runs: (resource, amount in `units.UNITS`), sorted by name.
    announced
        Whether the scheduler must hear that one begins before it does.
    timeout_s
        How long each may run; 0: as long as it wants.
    """

    __slots__ = ("announced", "lane", "needs", "timeout_s")

    def __init__(
        self,
        lane: Lane[Task],
        needs: Needs,
        *,
        announced: bool = False,
        timeout_s: float = 0.0,
    ) -> None:
        self.lane = lane
        self.needs = needs
        self.announced = announced
        self.timeout_s = timeout_s


class Task:
    """One attempt at one task.

    Attributes
    ----------
    key, attempt
        Which task, and which execution of it.
    priority
        Lower runs first.
    function, payload
        What to run: the function, and its pickled arguments.
    wanted
        Whether a small result goes along with the report.
    terms
        Where and how it is to run.
    named
        Whether the scheduler was told that it has begun.
    devices
        The indices of the devices that are reserved for it, by resource; set while it runs.
    inputs
        The values that it reads, each once. A value that has come stays reachable from here, even
        if it is dropped from the store meanwhile.
    missing
        How many of `inputs` have not come.
    """

    __slots__ = (
        "attempt",
        "devices",
        "function",
        "inputs",
        "key",
        "missing",
        "named",
        "payload",
        "priority",
        "state",
        "terms",
        "wanted",
    )

    def __init__(
        self,
        key: str,
        attempt: int,
        priority: int,
        function: Function,
        payload: bytes,
        wanted: bool,  # noqa: FBT001 - by position, this is the hot path
        terms: Terms,
    ) -> None:
        self.key = key
        self.attempt = attempt
        self.priority = priority
        self.function = function
        self.payload = payload
        self.wanted = wanted
        self.terms = terms
        self.named = False
        self.devices: Mapping[str, tuple[int, ...]] = NO_DEVICES
        self.inputs: Iterable[Datum] = ()
        self.missing = 0
        self.state: TaskState = _WAITING

    @property
    def executor(self) -> str:
        """The name of the executor that is to run it."""
        return self.terms.lane.name

    @property
    def announced(self) -> bool:
        """Whether its beginning must be on its way to the scheduler before it begins."""
        return self.terms.announced

    def __repr__(self) -> str:
        return f"<Task {self.key!r} attempt {self.attempt} {self.state.name.lower()}>"


class Fetch:
    """A command: ask the worker at `address` for these values, in one request.

    It is answered by exactly one of `WorkerMachine.fetched`, `fetch_busy` and `fetch_failed`.

    Attributes
    ----------
    address
        Whom to ask.
    data
        The values.
    nbytes
        The size of the answer, as far as it is known.
    """

    __slots__ = ("address", "data", "nbytes")

    def __init__(self, address: str, data: list[Datum]) -> None:
        self.address = address
        self.data = data
        # What is known of their sizes may change meanwhile, and this is to be given back.
        self.nbytes = sum(datum.nbytes for datum in data)

    @property
    def keys(self) -> list[str]:
        """The keys to ask for, in the order in which the answer is to give them."""
        return [datum.key for datum in self.data]

    def __repr__(self) -> str:
        return f"<Fetch {len(self.data)} values from {self.address}>"


class Spill:
    """A command: write a value into a file.

    It is answered by exactly one of `spilled`, `cannot_spill` and `is_full` of `Disk`.

    Attributes
    ----------
    datum, value
        What to write. (What is in `datum` may be another thing by then.)
    nbytes
        What it counts for.
    """

    __slots__ = ("datum", "nbytes", "value")

    def __init__(self, datum: Datum) -> None:
        self.datum = datum
        self.value = datum.value
        self.nbytes = datum.nbytes

    def __repr__(self) -> str:
        return f"<Spill {self.datum.key!r} attempt {self.datum.attempt}>"


class Unspill:
    """A command: read a value back from its file.

    It is answered by exactly one of `unspilled` and `lost` of `Disk`.

    Attributes
    ----------
    datum, file
        Which value, and what `Disk.spilled` was given for it.
    """

    __slots__ = ("datum", "file")

    def __init__(self, datum: Datum) -> None:
        self.datum = datum
        self.file = datum.value

    def __repr__(self) -> str:
        return f"<Unspill {self.datum.key!r} attempt {self.datum.attempt}>"


class DropFile:
    """A command: remove a file, which nobody needs any more."""

    __slots__ = ("file",)

    def __init__(self, file: object) -> None:
        self.file = file

    def __repr__(self) -> str:
        return f"<DropFile {self.file!r}>"


class Interrupt:
    """A command: interrupt what this task does, as far as that is possible."""

    __slots__ = ("task",)

    def __init__(self, task: Task) -> None:
        self.task = task

    def __repr__(self) -> str:
        return f"<Interrupt {self.task!r}>"


class Leave:
    """A command: end in good order, the scheduler needs nothing of this worker any more."""

    __slots__ = ("reason",)

    def __init__(self, reason: str) -> None:
        self.reason = reason

    def __repr__(self) -> str:
        return f"<Leave because {self.reason}>"
