"""How a worker and the processes that run tasks for it talk: small pickled heads, then buffers.

Both ends belong to one user and to a pair of sockets that has no name, so the heads are pickles.
"""

from __future__ import annotations

import pickle
import socket
import struct
import threading
from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple, TypeAlias

from hocket.core.recent_logs import LogLine
from hocket.core.settings import Settings
from hocket.protocol.messages import Failure
from hocket.worker.feed import Phases

__all__ = [
    "FUNCTIONS_MAX",
    "Answered",
    "Asked",
    "Buffers",
    "Ended",
    "Hello",
    "Pipe",
    "Printed",
    "RunOne",
    "Said",
    "Want",
]

#: So many functions a process keeps; both ends forget all of them when there is one more.
FUNCTIONS_MAX: Final = 1000

_LENGTH: Final = struct.Struct("<Q")

#: What travels beside a head, as it lies.
Buffers: TypeAlias = Sequence[bytes | bytearray | memoryview]


class Hello(NamedTuple):
    """The first message to a process: whom it works for, and the worker as its tasks see it."""

    worker: str
    address: str
    scheduler_address: str
    secret: str
    settings: Settings
    threads_count: int
    memory_limit: int
    resources: Mapping[str, float]
    device_names: Mapping[str, Sequence[str]]
    cluster_id: str


class RunOne(NamedTuple):
    """To a process: run a task. The buffers are those of its inputs, one after the other.

    Attributes
    ----------
    blob
        The function's pickle; None if the process has it.
    inputs
        Key, attempt, estimated size and number of buffers of each.
    path
        ``sys.path`` as it is now.
    """

    key: str
    attempt: int
    label: str
    digest: bytes
    blob: bytes | None
    payload: bytes
    wanted: bool
    devices: Mapping[str, tuple[int, ...]]
    inputs: Sequence[tuple[str, int, int, int]]
    inline_nbytes_max: int
    path: Sequence[str]


class Ended(NamedTuple):
    """From a process: how its task ended. The buffers are the value, packed.

    Attributes
    ----------
    failure
        Why there is no value; None if there is one, or if it asks to be run again.
    is_rescheduled
        Whether it asks for that.
    is_inline
        Whether the only buffer is the pickle that may go along with the report.
    """

    failure: Failure | None
    is_rescheduled: bool
    is_inline: bool
    nbytes: int
    start_s: float
    duration_s: float
    phases: Phases


class Want:
    """What a task in a process may ask of its worker."""

    SECEDE: Final = "secede"
    REJOIN: Final = "rejoin"
    DIRECTORY: Final = "directory"


class Asked(NamedTuple):
    """From a process: its task wants something, and waits for the answer."""

    what: str


class Answered(NamedTuple):
    """To a process: what its task wanted to know, or what it is to raise."""

    value: bool | str | Exception


class Said(NamedTuple):
    """From a process: its task says something to those who follow topics, and waits.

    The message is encoded, so that nothing of the user's is unpickled here.
    """

    topics: list[str]
    payload: bytes


class Printed(NamedTuple):
    """From a process: something was logged or printed there."""

    line: LogLine


class Pipe:
    """One end. Any thread may send; one receives.

    Parameters
    ----------
    end
        The socket, which belongs to the pipe from now on.
    """

    def __init__(self, end: socket.socket) -> None:
        self._end = end
        self._lock = threading.Lock()

    def send(self, message: object, buffers: Buffers = ()) -> None:
        """Send a message and its buffers, which are not copied.

        Raises
        ------
        OSError
            The other end is closed.
        """
        views = [memoryview(buffer).cast("B") for buffer in buffers]
        head = pickle.dumps((message, [view.nbytes for view in views]), pickle.HIGHEST_PROTOCOL)
        with self._lock:
            self._end.sendall(_LENGTH.pack(len(head)) + head)
            for view in views:
                self._end.sendall(view)

    def receive(self) -> tuple[object, list[bytearray]]:
        """Receive a message and its buffers, each in memory of its own.

        Raises
        ------
        EOFError, OSError
            The other end is closed, or what came cannot be taken in, and nothing can after it.
        """
        (length,) = _LENGTH.unpack(self._read(_LENGTH.size))
        try:
            message, sizes = pickle.loads(self._read(length))
            return message, [self._read(size) for size in sizes]
        except (EOFError, OSError):
            raise
        except Exception as error:
            raise OSError(f"what came could not be taken in: {error!r}") from error

    def _read(self, size: int) -> bytearray:
        data = bytearray(size)
        view = memoryview(data)
        done = 0
        while done < size:
            count = self._end.recv_into(view[done:])
            if not count:
                raise EOFError
            done += count
        return data

    def close(self) -> None:
        """Close this end. May be called twice."""
        self._end.close()

    def forsake(self) -> None:
        """Close this end in a process that was forked off: it is the other's."""
        # (Another thread, which is not here, may have had it.)
        self._lock = threading.Lock()
        self._end.close()
