"""The events of the feed: what happened in a cluster, as dashboards, reports and replays read it.

An event is a positional struct with a number as its tag, as messages are. Times are seconds since
the epoch, by the clock of whoever saw it (the scheduler, or the worker that is named); sizes are
bytes. Workers and clients are called by their names.
"""

from __future__ import annotations

from enum import IntEnum, IntFlag
from typing import Annotated, Final, TypeAlias

from msgspec import Meta, Struct

from hocket.core.units import NBYTES_MAX
from hocket.protocol.messages.values import THREADS
from hocket.protocol.rules import KEY_LENGTH_MAX, NAME_LENGTH_MAX

__all__ = [
    "DEVICES_MAX",
    "DEVICE_KEYS_MAX",
    "KIND_OF",
    "PAYLOAD_NBYTES_MAX",
    "TEXT_LENGTH_MAX",
    "Amount",
    "Attempt",
    "ClientCame",
    "ClientGone",
    "Count",
    "DeviceSampled",
    "Event",
    "EventKinds",
    "GpuSampled",
    "GroupCounted",
    "Key",
    "LineLogged",
    "Name",
    "Payload",
    "ProfileSampled",
    "RecallStep",
    "SchedulerSampled",
    "SpillDone",
    "TaskEnded",
    "TaskMoved",
    "TaskOutcome",
    "TaskRecalled",
    "Text",
    "TransferDone",
    "UserEvent",
    "WorkerCame",
    "WorkerEvent",
    "WorkerGone",
    "WorkerPauseChanged",
    "WorkerSampled",
]


#: Longer texts are cut by who makes an event.
TEXT_LENGTH_MAX: Final = 4096
#: What a user may say in one event, or keep as one piece of metadata.
PAYLOAD_NBYTES_MAX: Final = 1 << 20

#: Devices in one sample, and keys of each.
DEVICES_MAX: Final = 256
DEVICE_KEYS_MAX: Final = 16

#: Bounds that are looked at while an event is decoded.
Key: TypeAlias = Annotated[str, Meta(max_length=KEY_LENGTH_MAX)]
Name: TypeAlias = Annotated[str, Meta(max_length=NAME_LENGTH_MAX)]
Text: TypeAlias = Annotated[str, Meta(max_length=TEXT_LENGTH_MAX)]
Count: TypeAlias = Annotated[int, Meta(ge=0, le=NBYTES_MAX)]
#: As large as the scheduler may make it.
Attempt: TypeAlias = Annotated[int, Meta(ge=0)]
#: Seconds, or bytes a second; -1 where it cannot be measured.
Amount: TypeAlias = Annotated[float, Meta(ge=-1, le=1e18)]
Payload: TypeAlias = Annotated[bytes, Meta(max_length=PAYLOAD_NBYTES_MAX)]


class EventKinds(IntFlag):
    """Which events somebody wants; sums of these travel as one number."""

    NONE = 0
    #: `TaskEnded`: each execution, with the times of its phases.
    TASKS = 1
    #: `TaskMoved`: each move between states; many for each task.
    MOVES = 2
    #: `GroupCounted`: where the tasks of each function stand, a few times a second.
    GROUPS = 4
    #: `WorkerCame`, `WorkerGone`, `WorkerPauseChanged`, `WorkerSampled`.
    WORKERS = 8
    #: `TransferDone`, `SpillDone`.
    TRANSFERS = 16
    #: `TaskRecalled`: what was taken from loaded workers for idle ones.
    RECALLS = 32
    #: `LineLogged`.
    LOGS = 64
    #: `UserEvent`.
    TOPICS = 128
    #: `SchedulerSampled`, `ClientCame`, `ClientGone`.
    SCHEDULER = 256
    #: `ProfileSampled`; while somebody wants these, workers look at their threads.
    PROFILE = 512
    #: All but the moves and the profile, which are many and are wanted for something special.
    USUAL = 509
    ALL = 1023


class TaskOutcome(IntEnum):
    """How one execution of a task ended."""

    STORED = 1
    FAILED = 2
    #: It asked to be run again.
    RESCHEDULED = 3
    #: Nobody waited for it any more.
    DROPPED = 4


class RecallStep(IntEnum):
    """How far the attempt to take a task from a loaded worker has come."""

    ASKED = 1
    GIVEN = 2
    #: The worker had begun with it.
    KEPT = 3


class TaskEnded(Struct, array_like=True, tag=161, gc=False):
    """One execution of a task is over, whatever came of it.

    Its phases follow one another: waiting on the scheduler, fetching inputs on the worker, ready
    there, then from ``start_s`` on deserialising, running and storing.
    """

    key: Key
    attempt: Attempt
    #: What people call the task's function.
    group: Name
    worker: Name
    outcome: TaskOutcome
    #: When a thread (or the loop) of the worker took it.
    start_s: Amount
    #: How long the function ran.
    running_s: Amount
    #: Size of the result.
    nbytes: Count
    #: The thread, counted from 0 on each worker and executor; -1: not known.
    lane: Annotated[int, Meta(ge=-1, le=NBYTES_MAX)] = -1
    executor: Name = THREADS
    #: From when its inputs were stored, or it was submitted, until it was given to the worker.
    waiting_s: Amount = 0.0
    #: From then until its inputs were on the worker.
    fetching_s: Amount = 0.0
    #: From then until a thread took it.
    ready_s: Amount = 0.0
    #: Before the function ran: its arguments are made of their pickles.
    deserialising_s: Amount = 0.0
    #: After it ran: the result is measured, and pickled if it goes along with the report.
    storing_s: Amount = 0.0
    #: The first line of why it failed; "" if it did not.
    error: Text = ""


class TaskMoved(Struct, array_like=True, tag=162, gc=False):
    """A task came from one of the scheduler's states into another."""

    time_s: Amount
    key: Key
    attempt: Attempt
    group: Name
    source: Name
    target: Name
    #: The worker that it is given to, or asked back from.
    worker: Name = ""


class GroupCounted(Struct, array_like=True, tag=163, gc=False):
    """Where the tasks of one function stand; said again when it has changed."""

    time_s: Amount
    group: Name
    waiting: Count = 0
    queued: Count = 0
    #: Given to workers, those that are asked back included.
    assigned: Count = 0
    stored: Count = 0
    failed: Count = 0
    #: Executions that ended well while somebody looked, and how long they ran together.
    finished: Count = 0
    running_s: Amount = 0.0


class WorkerCame(Struct, array_like=True, tag=164, gc=False):
    """A worker joined the cluster."""

    time_s: Amount
    worker: Name
    address: Name
    host: Name
    pid: Count
    threads: Count
    memory_limit: Count = 0
    resources: dict[Name, Amount] = {}
    #: Tasks that its executors run at once, by name.
    executors: dict[Name, Count] = {}
    #: Where its own pages are; "" if it has none.
    dashboard: Name = ""


class WorkerGone(Struct, array_like=True, tag=165, gc=False):
    """A worker left, or was lost."""

    time_s: Amount
    worker: Name
    reason: Text


class WorkerPauseChanged(Struct, array_like=True, tag=166, gc=False):
    """A worker ran short of memory, and runs one task at a time; or it goes on."""

    time_s: Amount
    worker: Name
    paused: bool


class GpuSampled(Struct, array_like=True, gc=False):
    """How a GPU of a worker is, whoever uses it; -1: it cannot be measured."""

    #: As the worker names it (a UUID, a number), and what it is.
    gpu: Name
    model: Name = ""
    #: The part of the time in which it had something to do.
    busy_part: Amount = -1.0
    memory_nbytes: Count = 0
    memory_limit: Count = 0


class DeviceSampled(Struct, array_like=True, gc=False):
    """A device of a worker's resource: how much of it is reserved, and for which tasks."""

    resource: Name
    index: Count
    #: What it is called beside its index; "" if nothing.
    device: Name = ""
    reserved: Amount = 0.0
    keys: Annotated[list[Key], Meta(max_length=DEVICE_KEYS_MAX)] = []


class WorkerSampled(Struct, array_like=True, tag=167, gc=False):
    """How a worker is. Rates are means since the sample before; -1: it cannot be measured."""

    time_s: Amount
    worker: Name
    #: Processor cores that it uses: 1.0 is one of them.
    cpu: Amount
    #: Memory of the process; of that, results that it holds; and results that are on its disk.
    memory_nbytes: Count
    managed_nbytes: Count
    spilled_nbytes: Count = 0
    #: Tasks that have begun, that could, and that wait for inputs.
    running: Count = 0
    ready: Count = 0
    waiting: Count = 0
    #: Results that it holds.
    held: Count = 0
    #: How long its event loop made others wait, at the most, since the sample before.
    loop_lag_s: Amount = 0.0
    #: Open file descriptors (handles on Windows).
    fds: Annotated[int, Meta(ge=-1, le=NBYTES_MAX)] = -1
    #: Bytes a second that it fetched and sent.
    received_nbytes_per_s: Amount = 0.0
    sent_nbytes_per_s: Amount = 0.0
    #: Fetches and answers to others that are under way.
    transfers: Count = 0
    #: Bytes a second of the whole host.
    network_in_nbytes_per_s: Amount = -1.0
    network_out_nbytes_per_s: Amount = -1.0
    disk_read_nbytes_per_s: Amount = -1.0
    disk_written_nbytes_per_s: Amount = -1.0
    #: What running tasks and actors have reserved, by resource.
    reserved: dict[Name, Amount] = {}
    devices: Annotated[list[DeviceSampled], Meta(max_length=DEVICES_MAX)] = []
    gpus: Annotated[list[GpuSampled], Meta(max_length=DEVICES_MAX)] = []


class TransferDone(Struct, array_like=True, tag=168, gc=False):
    """One request for data and its answer; the receiver tells of it (and who serves a client)."""

    start_s: Amount
    duration_s: Amount
    nbytes: Count
    #: Who gave and who got it: a worker's name, or its address where the name is not known; "" is a
    #: client.
    source: Name
    target: Name
    #: How many values, and the key of the first.
    count: Count
    key: Key
    #: What went wrong; "" if nothing did.
    error: Text = ""


class SpillDone(Struct, array_like=True, tag=176, gc=False):
    """A worker put a value into a file, since memory was short, or took one back into memory."""

    start_s: Amount
    duration_s: Amount
    nbytes: Count
    worker: Name
    key: Key
    #: Whether it was read back.
    is_read: bool
    #: What went wrong; "" if nothing did.
    error: Text = ""


class TaskRecalled(Struct, array_like=True, tag=169, gc=False):
    """A task was asked back from a worker with much to do, or the answer came."""

    time_s: Amount
    key: Key
    attempt: Attempt
    group: Name
    worker: Name
    step: RecallStep


class LineLogged(Struct, array_like=True, tag=170, gc=False):
    """A line was logged or printed by a worker or, where no worker is named, by the scheduler."""

    time_s: Amount
    worker: Name
    #: As Python's logging calls it, or ``STDOUT`` and ``STDERR``.
    level: Name
    logger: Name
    text: Text
    #: The task that was running; "" if none was.
    key: Key = ""


class UserEvent(Struct, array_like=True, tag=171, gc=False):
    """Somebody said something about a topic."""

    time_s: Amount
    topic: Name
    #: The client's or the worker's name, and the task that said it ("" if none did).
    source: Name
    key: Key
    #: MessagePack of plain data: `hocket.protocol.feed.plain.decode_plain` reads it.
    payload: Payload


class SchedulerSampled(Struct, array_like=True, tag=172, gc=False):
    """How the scheduler is. Rates are means since the sample before; -1: it cannot be measured."""

    time_s: Amount
    cpu: Amount
    memory_nbytes: Count
    fds: Annotated[int, Meta(ge=-1, le=NBYTES_MAX)] = -1
    #: How long its event loop made others wait, at the most, since the sample before.
    loop_lag_s: Amount = 0.0
    turns_per_s: Amount = 0.0
    messages_in_per_s: Amount = 0.0
    messages_out_per_s: Amount = 0.0
    #: Events that the feed recorded.
    events_per_s: Amount = 0.0
    tasks: Count = 0
    queued: Count = 0
    workers: Count = 0
    clients: Count = 0
    observers: Count = 0


class ClientCame(Struct, array_like=True, tag=173, gc=False):
    """A client connected."""

    time_s: Amount
    client: Name
    number: Count


class ClientGone(Struct, array_like=True, tag=174, gc=False):
    """A client left, or was lost."""

    time_s: Amount
    client: Name
    number: Count
    reason: Text


class ProfileSampled(Struct, array_like=True, tag=175, gc=False):
    """What the threads of a worker that run tasks were seen doing: a tree, as columns.

    Below the root stand the tasks' functions (`TaskEnded.group`), below each of them the frames
    from the outermost inwards. A node comes after its parent.
    """

    time_s: Amount
    worker: Name
    #: Over how long this was gathered, and how many threads were looked at in sum.
    duration_s: Amount
    samples: Count
    #: Per node: ``function;file;line``, its parent's index (-1: the root), and how many samples
    #: went through it.
    frames: list[Name]
    parents: list[int]
    counts: list[Count]


#: What only a worker knows. (It names itself; the scheduler puts its own word in place of that.)
WorkerEvent: TypeAlias = (
    TaskEnded | TransferDone | SpillDone | WorkerSampled | LineLogged | ProfileSampled
)

Event: TypeAlias = (
    TaskEnded
    | TaskMoved
    | GroupCounted
    | WorkerCame
    | WorkerGone
    | WorkerPauseChanged
    | WorkerSampled
    | TransferDone
    | SpillDone
    | TaskRecalled
    | LineLogged
    | UserEvent
    | SchedulerSampled
    | ClientCame
    | ClientGone
    | ProfileSampled
)

#: Which kind an event is of.
KIND_OF: Final[dict[type, EventKinds]] = {
    TaskEnded: EventKinds.TASKS,
    TaskMoved: EventKinds.MOVES,
    GroupCounted: EventKinds.GROUPS,
    WorkerCame: EventKinds.WORKERS,
    WorkerGone: EventKinds.WORKERS,
    WorkerPauseChanged: EventKinds.WORKERS,
    WorkerSampled: EventKinds.WORKERS,
    TransferDone: EventKinds.TRANSFERS,
    SpillDone: EventKinds.TRANSFERS,
    TaskRecalled: EventKinds.RECALLS,
    LineLogged: EventKinds.LOGS,
    UserEvent: EventKinds.TOPICS,
    SchedulerSampled: EventKinds.SCHEDULER,
    ClientCame: EventKinds.SCHEDULER,
    ClientGone: EventKinds.SCHEDULER,
    ProfileSampled: EventKinds.PROFILE,
}
