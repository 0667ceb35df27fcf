"""What a worker's shell does for those who look on: samples, log lines, readers in the process.

Nothing of it runs while nobody looks.
"""

from __future__ import annotations

import asyncio
import os
import socket
import threading
from collections import deque
from collections.abc import Callable, Sequence
from itertools import chain
from typing import Final

from hocket.core.recent_logs import LogLine
from hocket.core.resource_names import GPU
from hocket.core.units import NBYTES_MAX
from hocket.protocol.feed import Reader, fit_text
from hocket.protocol.messages import Events, Snapshot
from hocket.protocol.messages.feed import (
    EventKinds,
    LineLogged,
    TransferDone,
    WorkerCame,
    WorkerSampled,
)
from hocket.protocol.messages.values import THREADS
from hocket.protocol.rules import NAME_LENGTH_MAX
from hocket.transport import now
from hocket.transport.vitals import LoopLag, Vitals
from hocket.worker.feed import LocalReader
from hocket.worker.machine import WorkerMachine
from hocket.worker.reserving import devices_of, reserved_of
from hocket.worker.shell.gpu_vitals import GpuVitals
from hocket.worker.shell.profiler import Profiler, current_stacks
from hocket.worker.shell.recording import listeners, recent_lines
from hocket.worker.state import Task

__all__ = ["Onlooking"]

#: Lines that wait to be recorded.
_LINES_MAX: Final = 1000


class Onlooking:
    """The feed of a worker, as its process sees it; its `read` is that of a feed's source.

    Parameters
    ----------
    machine, lock
        The worker's, and what guards it.
    running
        Returns which thread runs which task.
    stir
        Has the loop send what piled up.
    gpus
        Names of the worker's GPUs.
    """

    def __init__(
        self,
        machine: WorkerMachine,
        lock: threading.Lock,
        running: Callable[[], dict[int, Task]],
        stir: Callable[[], None],
        gpus: Sequence[str] = (),
    ) -> None:
        self._machine = machine
        self._gpu_names = tuple(gpus)
        self._gpus: GpuVitals | None = None
        self._lock = lock
        self._running = running
        self._stir = stir
        self._timer: asyncio.TimerHandle | None = None
        self._vitals: Vitals | None = None
        self._lag = LoopLag()
        self._lines: deque[LogLine] = deque(maxlen=_LINES_MAX)
        #: The last that was told.
        self._last_line: LogLine | None = None
        self._profiler: Profiler | None = None
        self._sampled_s = 0.0
        #: The kinds that were wanted at the last look.
        self.kinds = 0
        #: Bytes that came and went since the last sample, and requests that are under way.
        self._received_nbytes = 0
        self._sent_nbytes = 0
        self.transfers_count = 0
        machine.feed.came = WorkerCame(
            now(),
            machine.name,
            machine.tables.address,
            socket.gethostname(),
            os.getpid(),
            machine.slots.get(THREADS, 0),
            resources=dict(machine.resources),
            executors=dict(machine.slots),
        )

    # A source.

    def read(self, kinds: int = EventKinds.USUAL, position: int = -1) -> Reader:
        """Begin to read; see `hocket.protocol.feed.Source.read`."""
        with self._lock:
            reader = self._machine.feed.read(kinds, position, now())
        self.look()
        return _Locked(reader, self._lock, self.look)

    # What is done while somebody looks.

    def look(self) -> None:
        """Begin or stop to sample, as those want who read now."""
        kinds = self.kinds = self._machine.feed.kinds
        if kinds & EventKinds.LOGS:
            if self._lines.append not in listeners:
                self._lines.extend(self._untold_lines())
                listeners.append(self._lines.append)
        elif self._lines.append in listeners:
            listeners.remove(self._lines.append)
        if kinds & EventKinds.PROFILE:
            if self._profiler is None:
                self._profiler = Profiler(self._machine.name, self._running_groups)
                self._profiler.start()
        elif self._profiler is not None:
            self._profiler.stop()
            self._profiler = None
        if kinds and self._timer is None:
            self._vitals = Vitals()
            self._gpus = GpuVitals(self._gpu_names)
            self._lag.start()
            self._received_nbytes = self._sent_nbytes = 0
            self._sampled_s = now()
            self._arm()
        elif not kinds:
            self._stop()

    def _untold_lines(self) -> list[LogLine]:
        """Return the last lines from before somebody looked, but for those that were told."""
        lines = recent_lines()[-_LINES_MAX:]
        for number in range(len(lines) - 1, -1, -1):
            if lines[number] is self._last_line:
                return lines[number + 1 :]
        return lines

    def close(self) -> None:
        """Stop all of it."""
        if self._lines.append in listeners:
            listeners.remove(self._lines.append)
        if self._profiler is not None:
            self._profiler.stop()
            self._profiler = None
        self._stop()

    def _stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._lag.stop()
        self._vitals = None
        if self._gpus is not None:
            self._gpus.close()
            self._gpus = None

    def transferred(self, event: TransferDone) -> None:
        """Take note of data that came or went. The lock must not be held."""
        if event.target == self._machine.name:
            self._received_nbytes += event.nbytes
        else:
            self._sent_nbytes += event.nbytes
        if self._machine.feed.kinds & EventKinds.TRANSFERS:
            with self._lock:
                self._machine.feed.saw(event)

    def _running_groups(self) -> dict[int, str]:
        return {number: task.function.label for number, task in self._running().items()}

    def stacks(self) -> dict[str, list[str]]:
        """Return where the tasks are that run: see `current_stacks`; for any thread."""
        return current_stacks({number: task.key for number, task in self._running().items()})

    def _arm(self) -> None:
        delay_s = self._machine.feed.interval_s
        self._timer = asyncio.get_running_loop().call_later(delay_s, self._sample)

    def _sample(self) -> None:
        assert self._vitals is not None
        assert self._gpus is not None
        signs = self._vitals.look()
        gpus = self._gpus.look()
        time_s = now()
        elapsed_s = max(time_s - self._sampled_s, 1e-3)
        lines = []
        while self._lines:
            self._last_line = self._lines.popleft()
            lines.append(_event_of(self._last_line))
        machine = self._machine
        with self._lock:
            tables = machine.tables
            waiting = len(tables.tasks) - machine.running_count - machine.ready_count
            sample = WorkerSampled(
                time_s,
                machine.name,
                signs.cpu,
                signs.memory_nbytes,
                min(machine.held_nbytes, NBYTES_MAX),
                min(machine.disk.spilled_nbytes, NBYTES_MAX),
                machine.running_count,
                machine.ready_count,
                max(waiting, 0),
                len(tables.held),
                self._lag.take_max(),
                signs.fds,
                self._received_nbytes / elapsed_s,
                self._sent_nbytes / elapsed_s,
                len(tables.fetches) + self.transfers_count,
                signs.network_in,
                signs.network_out,
                signs.disk_read,
                signs.disk_written,
                reserved_of(tables.resources),
                devices_of(
                    tables.resources,
                    chain(tables.running, tables.actors),
                    {GPU: self._gpu_names},
                ),
                gpus,
            )
            machine.sampled(sample, lines)
            if self._profiler is not None:
                machine.feed.saw(self._profiler.take())
        self._received_nbytes = self._sent_nbytes = 0
        self._sampled_s = time_s
        self._stir()
        self._arm()


def _event_of(line: LogLine) -> LineLogged:
    return LineLogged(
        line.time_s,
        "",
        fit_text(line.level, NAME_LENGTH_MAX),
        fit_text(line.logger, NAME_LENGTH_MAX),
        fit_text(line.text),
        line.task,
    )


class _Locked:
    """A reader of a worker's feed that may be used without the lock."""

    def __init__(
        self, reader: LocalReader, lock: threading.Lock, closed: Callable[[], None]
    ) -> None:
        self._reader = reader
        self._lock = lock
        self._closed = closed

    def snapshot(self) -> Snapshot:
        """Return what was there when the reader was made."""
        return self._reader.snapshot()

    def take(self, count_max: int = 10_000) -> Events:
        """Return the events that came since, at most so many."""
        with self._lock:
            return self._reader.cursor.take(count_max)

    def close(self) -> None:
        """Read no more. May be called twice."""
        with self._lock:
            self._reader.cursor.close()
        self._closed()
