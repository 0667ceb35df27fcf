"""What waits to be said to one peer: messages whose columns grow during a turn.

Order is kept: a column grows only while its message is the last one of the outbox.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar

from hocket.protocol.messages import (
    AbandonTasks,
    ActorsPlaced,
    ActorsRestarting,
    CheckpointsKept,
    CopyData,
    DropData,
    DropFunctions,
    Failure,
    KeysLost,
    RecallTasks,
    RestoreActor,
    RunTasks,
    SchedulerToClient,
    SchedulerToWorker,
    TasksCancelled,
    TasksErred,
    TasksStored,
)

if TYPE_CHECKING:
    from hocket.scheduler.state.actor import Actor
    from hocket.scheduler.state.task import Options, Task

__all__ = ["FRAME_NBYTES_AIM", "ClientOutbox", "WorkerOutbox", "failure_nbytes"]

#: A frame is closed before it passes this size, so that it stays far from the limit that the
#: receiver sets, and the receiver can begin.
FRAME_NBYTES_AIM: Final = 16 * 2**20
#: What a row costs beside its texts and payloads, roughly.
_ROW_NBYTES: Final = 32
#: Of the workers that hold an input, so many are named: enough to get it from.
_HOLDERS_MAX: Final = 8


Message = TypeVar("Message")


class Outbox(Generic[Message]):
    """Messages to one peer, in frames.

    Parameters
    ----------
    peer
        The id of the peer.
    full
        By peer: the outboxes that have something in them; this one sees to its own entry.
    frame_nbytes_aim
        What a frame holds at the most, roughly; one row that is larger has a frame to itself.
    """

    __slots__ = ("_aim_nbytes", "_frame", "_frames", "_full", "_nbytes", "_peer")

    def __init__(
        self, peer: int, full: dict[int, Outbox[Any]], frame_nbytes_aim: int = FRAME_NBYTES_AIM
    ) -> None:
        self._peer = peer
        self._full = full
        self._aim_nbytes = frame_nbytes_aim
        self._frames: list[list[Message]] = []
        self._frame: list[Message] = []
        self._nbytes = 0

    def __bool__(self) -> bool:
        return bool(self._frame or self._frames)

    def add(self, message: Message, nbytes: int = 0) -> None:
        """Append a whole message of about so many bytes."""
        self._tail(nbytes + _ROW_NBYTES)
        self._frame.append(message)

    def take(self) -> list[list[Message]]:
        """Hand over all frames; the outbox is empty then."""
        self._end_frame()
        frames = self._frames
        self._frames = []
        return frames

    def _end_frame(self) -> None:
        if self._frame:
            self._frames.append(self._frame)
            self._frame = []
        self._nbytes = 0

    def _tail(self, nbytes: int) -> Message | None:
        """Make room for so many bytes; return the message whose columns may still grow, if any."""
        if not self._nbytes:
            # Every row has some, so it was empty.
            self._full[self._peer] = self
        self._nbytes += nbytes
        if self._nbytes > self._aim_nbytes:
            self._end_frame()
            self._nbytes = nbytes
            return None
        return self._frame[-1] if self._frame else None


class ClientOutbox(Outbox[SchedulerToClient]):
    """What waits to be said to one client."""

    __slots__ = ()

    def stored(self, key: str, nbytes: int, value: bytes | None) -> None:
        """Say that a key has a value."""
        row_nbytes = len(key) + _ROW_NBYTES
        if value is not None:
            row_nbytes += len(value)
        tail = self._tail(row_nbytes)
        if type(tail) is not TasksStored:
            tail = TasksStored([], [], [])
            self._frame.append(tail)
        tail.keys.append(key)
        tail.nbytes.append(nbytes)
        tail.values.append(value)

    def erred(self, key: str, failure: Failure) -> None:
        """Say that a key will have no value."""
        tail = self._tail(len(key) + failure_nbytes(failure))
        if type(tail) is not TasksErred:
            tail = TasksErred([], [])
            self._frame.append(tail)
        tail.keys.append(key)
        tail.failures.append(failure)

    def cancelled(self, key: str) -> None:
        """Say that the client's wish is dropped."""
        tail = self._tail(len(key) + _ROW_NBYTES)
        if type(tail) is not TasksCancelled:
            tail = TasksCancelled([])
            self._frame.append(tail)
        tail.keys.append(key)

    def lost(self, key: str) -> None:
        """Say that a value is gone and is computed again."""
        tail = self._tail(len(key) + _ROW_NBYTES)
        if type(tail) is not KeysLost:
            tail = KeysLost([])
            self._frame.append(tail)
        tail.keys.append(key)

    def placed(self, task: Task, actor: Actor) -> None:
        """Say where an actor takes calls."""
        home = actor.home
        assert home is not None
        tail = self._tail(len(task.key) + len(home.calls_address) + _saved_nbytes(actor))
        if type(tail) is not ActorsPlaced:
            tail = ActorsPlaced([], [], [], [], [], [])
            self._frame.append(tail)
        tail.keys.append(task.key)
        tail.attempts.append(task.attempt)
        tail.workers.append(home.name)
        tail.addresses.append(home.calls_address)
        tail.callers.append(list(actor.callers))
        tail.saved_numbers.append(list(actor.numbers))

    def restarting(self, key: str, attempt: int, reason: str) -> None:
        """Say that an incarnation of an actor is gone, and another will come."""
        tail = self._tail(len(key) + len(reason) + _ROW_NBYTES)
        if type(tail) is not ActorsRestarting:
            tail = ActorsRestarting([], [], [])
            self._frame.append(tail)
        tail.keys.append(key)
        tail.attempts.append(attempt)
        tail.reasons.append(reason)


class WorkerOutbox(Outbox[SchedulerToWorker]):
    """What waits to be said to one worker."""

    __slots__ = ("_batch", "_functions", "_inputs", "_known", "_places")

    def __init__(
        self,
        peer: int,
        full: dict[int, Outbox[Any]],
        known: set[bytes],
        frame_nbytes_aim: int = FRAME_NBYTES_AIM,
    ) -> None:
        super().__init__(peer, full, frame_nbytes_aim)
        #: Digests of the functions that the worker has: shared with its record.
        self._known = known
        #: The batch that the three tables below belong to.
        self._batch: RunTasks | None = None
        self._functions: dict[bytes, int] = {}
        self._inputs: dict[str, int] = {}
        self._places: dict[str, int] = {}

    def run(self, task: Task, *, announced: bool = False) -> None:
        """Give the worker a task, under the task's present attempt."""
        kind = task.kind
        assert kind is not None
        batch = self._tail(len(task.key) + len(task.payload) + _ROW_NBYTES)
        options = task.options
        if (
            batch is not self._batch
            or batch is None
            or batch.resources != options.resources
            or batch.executor != options.executor
            or batch.timeout_s != options.timeout_s
            or batch.announced is not announced
        ):
            batch = self._open_batch(options, announced=announced)
        function = self._functions.get(kind.digest)
        if function is None:
            function = self._functions[kind.digest] = len(batch.functions)
            batch.functions.append(kind.digest)
            batch.labels.append(kind.label)
            if kind.digest in self._known:
                batch.blobs.append(None)
            else:
                self._known.add(kind.digest)
                batch.blobs.append(kind.blob)
                self._nbytes += len(kind.blob)
        batch.keys.append(task.key)
        batch.attempts.append(task.attempt)
        batch.priorities.append(task.priority)
        batch.function_of.append(function)
        batch.payloads.append(task.payload)
        batch.wanted.append(1 if task.wanted_by is not None else 0)
        if task.dependencies:
            inputs = batch.inputs
            while len(inputs) < len(batch.keys) - 1:
                inputs.append([])
            inputs.append([self._input(batch, one) for one in task.dependencies])
        elif batch.inputs:
            batch.inputs.append([])

    def kept(self, key: str, attempt: int, serial: int) -> None:
        """Say that a checkpoint is kept."""
        tail = self._tail(len(key) + _ROW_NBYTES)
        if type(tail) is not CheckpointsKept:
            tail = CheckpointsKept([], [], [])
            self._frame.append(tail)
        tail.keys.append(key)
        tail.attempts.append(attempt)
        tail.serials.append(serial)

    def restore(self, task: Task, actor: Actor) -> None:
        """Say what an actor that the worker is given next is to be restarted from."""
        assert actor.state is not None
        message = RestoreActor(
            task.key, task.attempt, actor.state, list(actor.callers), list(actor.numbers)
        )
        self.add(message, len(actor.state) + len(task.key) + _saved_nbytes(actor))

    def take(self) -> list[list[SchedulerToWorker]]:
        """Hand over all frames; columns that say nothing are emptied."""
        frames = super().take()
        for frame in frames:
            for message in frame:
                if type(message) is RunTasks:
                    if len(message.functions) == 1:
                        message.function_of = []
                    if all(message.wanted):
                        message.wanted = []
        # (What was handed over is not to be kept alive.)
        self._batch = None
        return frames

    def drop(self, key: str, attempt: int) -> None:
        """Say that a value is not needed any more."""
        tail = self._tail(len(key) + _ROW_NBYTES)
        if type(tail) is not DropData:
            tail = DropData([], [])
            self._frame.append(tail)
        tail.keys.append(key)
        tail.attempts.append(attempt)

    def abandon(self, key: str, attempt: int, *, interrupt: bool = False) -> None:
        """Say that nobody waits for an attempt, and whether it is to be interrupted if it runs."""
        tail = self._tail(len(key) + _ROW_NBYTES)
        if type(tail) is not AbandonTasks or tail.interrupt is not interrupt:
            tail = AbandonTasks([], [], interrupt)
            self._frame.append(tail)
        tail.keys.append(key)
        tail.attempts.append(attempt)

    def recall(self, key: str, attempt: int) -> None:
        """Ask for an attempt back, if it has not begun."""
        tail = self._tail(len(key) + _ROW_NBYTES)
        if type(tail) is not RecallTasks:
            tail = RecallTasks([], [])
            self._frame.append(tail)
        tail.keys.append(key)
        tail.attempts.append(attempt)

    def drop_function(self, digest: bytes) -> None:
        """Say that a function will come with its pickle if it comes again."""
        if digest in self._known:
            self._known.discard(digest)
            tail = self._tail(len(digest))
            if type(tail) is not DropFunctions:
                tail = DropFunctions([])
                self._frame.append(tail)
            tail.digests.append(digest)

    def copy(self, task: Task, holders: list[str]) -> None:
        """Ask for a copy of a stored value, to be had from these addresses."""
        tail = self._tail(len(task.key) + sum(map(len, holders)) + _ROW_NBYTES)
        if type(tail) is not CopyData:
            tail = CopyData([], [], [], [], [])
            self._frame.append(tail)
        tail.keys.append(task.key)
        tail.attempts.append(task.attempt)
        tail.nbytes.append(task.nbytes)
        first = len(tail.addresses)
        tail.addresses.extend(holders)
        tail.holders.append(list(range(first, len(tail.addresses))))

    def _open_batch(self, options: Options, *, announced: bool) -> RunTasks:
        batch = RunTasks([], [], [], [], [], [], [], [], [], [])
        batch.resources = options.resources
        batch.executor = options.executor
        batch.timeout_s = options.timeout_s
        batch.announced = announced
        self._batch = batch
        self._functions = {}
        self._inputs = {}
        self._places = {}
        self._frame.append(batch)
        return batch

    def _input(self, batch: RunTasks, source: Task) -> int:
        index = self._inputs.get(source.key)
        if index is None:
            index = self._inputs[source.key] = len(batch.input_keys)
            batch.input_keys.append(source.key)
            batch.input_attempts.append(source.attempt)
            # (Of a value that the worker itself is to make, the size is not known.)
            batch.input_nbytes.append(source.nbytes)
            holders = source.latest_holders(_HOLDERS_MAX)
            batch.input_holders.append([self._place(batch, worker.address) for worker in holders])
            self._nbytes += len(source.key) + _ROW_NBYTES
        return index

    def _place(self, batch: RunTasks, address: str) -> int:
        index = self._places.get(address)
        if index is None:
            index = self._places[address] = len(batch.addresses)
            batch.addresses.append(address)
            self._nbytes += len(address)
        return index


def _saved_nbytes(actor: Actor) -> int:
    return sum(map(len, actor.callers)) + _ROW_NBYTES * (1 + len(actor.callers))


def failure_nbytes(failure: Failure) -> int:
    """Return what a failure takes in a message, in bytes, roughly."""
    return len(failure.exception) + len(failure.text) + len(failure.key) + _ROW_NBYTES
