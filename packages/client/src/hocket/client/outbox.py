"""What a client has to say: messages and batches in order, until they are taken for sending.

Single calls that pile up become one batch: a loop of submits costs little more than a map.
"""

from __future__ import annotations

from typing import Final

from msgspec import Struct

from hocket.client.batches import TaskBatch
from hocket.client.functions import KnownFunctions
from hocket.client.options import NO_OPTIONS, TaskOptions
from hocket.protocol.messages import ForgetFunctions
from hocket.protocol.serialize import FunctionPickle

__all__ = ["Outbox", "Pause"]

#: Single calls that one batch takes, and bytes of their pickles.
_CALLS_MAX: Final = 1000
_CALLS_NBYTES_MAX: Final = 1024 * 1024


class Pause:
    """What comes after it waits until it is over."""

    __slots__ = ("over",)

    def __init__(self) -> None:
        self.over = False


class Outbox:
    """What waits to be sent.

    Parameters
    ----------
    functions_known_max
        Pickled functions that the scheduler is asked to remember.
    """

    __slots__ = ("_entries", "_functions", "_open", "_open_nbytes", "_open_rows", "added_count")

    def __init__(self, functions_known_max: int) -> None:
        self._functions = KnownFunctions(functions_known_max)
        #: Messages, each with the bytes of pickles in it, batches and pauses.
        self._entries: list[tuple[Struct, int] | TaskBatch | Pause] = []
        #: Changes with each that is added, but not with a call that goes to the last batch.
        self.added_count = 0
        #: The last entry, if it is a batch that takes more calls.
        self._open: TaskBatch | None = None
        self._open_nbytes = 0
        #: Per function of the open batch, by digest and label: its index.
        self._open_rows: dict[tuple[bytes, str], int] = {}

    def __bool__(self) -> bool:
        return bool(self._entries)

    def add(self, message: Struct, nbytes: int = 0) -> None:
        """Add a message with so many bytes of pickles in it."""
        self._entries.append((message, nbytes))
        self.added_count += 1
        self._open = None

    def add_batch(self, batch: TaskBatch) -> None:
        """Add a batch of tasks."""
        self._entries.append(batch)
        self.added_count += 1
        self._open = None

    def add_pause(self, pause: Pause) -> None:
        """Have what is added from now on wait until a pause is over."""
        self._entries.append(pause)
        self._open = None

    def add_call(
        self,
        key: str,
        function: FunctionPickle,
        payload: bytes,
        references: list[str],
        options: TaskOptions = NO_OPTIONS,
    ) -> None:
        """Add a task, to the last entry if that is a batch of single calls that can take it."""
        batch = self._open
        if (
            batch is None
            # Compared only where they are not the same object, which those of most calls are.
            or (batch.options is not options and batch.options != options)
            or len(batch.keys) >= _CALLS_MAX
            or self._open_nbytes + len(payload) > _CALLS_NBYTES_MAX
        ):
            batch = self._open = TaskBatch([], [], [], options=options)
            self._entries.append(batch)
            self.added_count += 1
            self._open_nbytes = 0
            self._open_rows = {}
        functions = batch.functions
        row = self._open_rows.setdefault((function.digest, function.label), len(functions))
        if row == len(functions):
            functions.append(function)
            self._open_nbytes += len(function.blob)
        if references or batch.references is not None:
            if batch.references is None:
                batch.references = [[] for _ in batch.keys]
            batch.references.append(references)
        batch.function_of.append(row)
        batch.keys.append(key)
        batch.payloads.append(payload)
        self._open_nbytes += len(payload)

    def clear(self) -> None:
        """Forget everything."""
        self._entries = []
        self._open = None

    def take_frames(self, frame_nbytes_max: int) -> list[list[Struct]]:
        """Return what is to be sent, in order, in lists that each fit in a frame, and forget it.

        Of what comes after a pause that is not over, nothing.

        Parameters
        ----------
        frame_nbytes_max
            A list is ended when the pickles in it add up to this; a single message may be longer.
        """
        frames: list[list[Struct]] = []
        room = 0
        entries = self._entries
        self.clear()
        for index, entry in enumerate(entries):
            forgotten: list[bytes] = []
            if type(entry) is Pause:
                if entry.over:
                    continue
                self._entries = entries[index:]
                break
            if type(entry) is TaskBatch:
                message, nbytes = entry.message()
                forgotten = self._functions.leave_out_known(message)
                nbytes += sum(len(blob) for blob in message.blobs if blob is not None)
            else:
                message, nbytes = entry  # type: ignore[assignment, misc]
            if not frames or nbytes > room:
                frames.append([])
                room = frame_nbytes_max
            frames[-1].append(message)
            room -= nbytes
            if forgotten:
                frames[-1].append(ForgetFunctions(forgotten))
        return frames
