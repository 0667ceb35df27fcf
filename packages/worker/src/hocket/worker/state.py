"""What a worker knows: records of tasks, functions and data, and the tables that hold them.

A task is in one of three states while it is here; *stored*, *failed*, *returned* and *abandoned*
are the ways to leave, and leave nothing behind but a report (or not even that)::

    RunTasks -> WAITING -> READY -> RUNNING -> stored | failed
                   |         |         |
                   +---------+         +-> abandoned (runs on; its end is dropped)
                        |
                        +-> returned | abandoned

That an input is on its way is a fact of the input, not of the task, since several tasks may wait
for one input: see `WantState`. No state here says "cancelled": a task that was abandoned or
replaced by a newer attempt of its key is no longer in the table, and whatever comes of it is
dropped.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import IntEnum
from typing import Final

__all__ = [
    "Datum",
    "Fetch",
    "Function",
    "Task",
    "TaskState",
    "Want",
    "WantState",
]

#: The attempt of data that a client put here.
SCATTERED: Final = 0


class TaskState(IntEnum):
    """Where a task stands."""

    #: Some input is not here.
    WAITING = 1
    #: In the queue of those that a thread may take.
    READY = 2
    #: A thread has it; its resources are reserved.
    RUNNING = 3
    #: Not here any more: given back, abandoned, or ended.
    GONE = 4


class WantState(IntEnum):
    """How an input that is not here will come."""

    #: Nothing is done about it yet; never seen between two events.
    NEW = 1
    #: A task that is here makes it.
    EXPECTED = 2
    #: In the queue of what to ask other workers for.
    QUEUED = 3
    #: Asked for.
    FETCHING = 4
    #: It came, or nobody waits for it any more.
    OVER = 5


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
        Opaque to the machine; None while `want` is set.
    want
        Who waits for it and how it will come; None once it has come.
    """

    __slots__ = ("attempt", "key", "nbytes", "value", "want")

    def __init__(
        self, key: str, attempt: int, nbytes: int, value: object, want: Want | None = None
    ) -> None:
        self.key = key
        self.attempt = attempt
        self.nbytes = nbytes
        self.value = value
        self.want = want

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
    """

    __slots__ = ("holders", "priority", "state", "waiters")

    def __init__(self, priority: int) -> None:
        self.state = WantState.NEW
        self.waiters: dict[Task, None] = {}
        self.holders: list[str] = []
        self.priority = priority


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
    needs
        What it reserves while it runs: (resource, amount in `resources.UNITS`), sorted by name.
    inputs
        The values that it reads, each once. A value that has come stays reachable from here, even
        if it is dropped from the store meanwhile.
    missing
        How many of `inputs` have not come.
    """

    __slots__ = (
        "attempt",
        "function",
        "inputs",
        "key",
        "missing",
        "needs",
        "payload",
        "priority",
        "state",
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
        needs: tuple[tuple[str, int], ...],
    ) -> None:
        self.key = key
        self.attempt = attempt
        self.priority = priority
        self.function = function
        self.payload = payload
        self.wanted = wanted
        self.needs = needs
        self.inputs: Iterable[Datum] = ()
        self.missing = 0
        self.state = TaskState.WAITING

    def __repr__(self) -> str:
        return f"<Task {self.key!r} attempt {self.attempt} {self.state.name.lower()}>"


class Fetch:
    """A command: ask the worker at `address` for these values, in one request.

    It is answered by exactly one of `WorkerMachine.fetched` and `WorkerMachine.fetch_failed`.
    """

    __slots__ = ("address", "data")

    def __init__(self, address: str, data: list[Datum]) -> None:
        self.address = address
        self.data = data

    @property
    def keys(self) -> list[str]:
        """The keys to ask for, in the order in which the answer is to give them."""
        return [datum.key for datum in self.data]

    @property
    def nbytes(self) -> int:
        """The size of the answer, as far as it is known."""
        return sum(datum.nbytes for datum in self.data)

    def __repr__(self) -> str:
        return f"<Fetch {len(self.data)} values from {self.address}>"
