"""The worker's feed: what happens on it, in a ring, for its scheduler and for its own pages.

While nobody reads, nothing is recorded. What the scheduler wants leaves along with what the worker
reports anyway. All methods want the machine's lock to be held.
"""

from __future__ import annotations

import heapq
from typing import TYPE_CHECKING, Final

from hocket.core.units import NBYTES_MAX
from hocket.protocol.feed import Cursor, Ring, fit_text
from hocket.protocol.messages import EventsSeen, ReportEvents, Snapshot
from hocket.protocol.messages.feed import (
    KIND_OF,
    EventKinds,
    TaskEnded,
    TaskOutcome,
    TransferDone,
    WorkerCame,
    WorkerEvent,
    WorkerSampled,
)

if TYPE_CHECKING:
    from hocket.worker.state import Task

__all__ = ["Feed", "LocalReader", "Phases", "Watch"]

#: Events that are kept, and what texts and profiles among them may take.
_EVENTS_MAX: Final = 50_000
_HEAVY_NBYTES_MAX: Final = 16 << 20
#: Events in one report.
_REPORT_MAX: Final = 5000

#: How long it took to make the arguments of their pickles, and to measure and pickle the result.
Phases = tuple[float, float]


class Watch:
    """Follows the tasks of the worker through their phases; there while somebody wants to know.

    Parameters
    ----------
    worker
        The worker's name.
    ring
        Where events go.
    """

    __slots__ = ("_came_s", "_lanes", "_lanes_counts", "_ready_s", "_ring", "_worker", "now_s")

    def __init__(self, worker: str, ring: Ring) -> None:
        self._worker = worker
        self._ring = ring
        #: The time of the latest event.
        self.now_s = 0.0
        #: By attempt: when it came, and when its inputs were here.
        self._came_s: dict[int, float] = {}
        self._ready_s: dict[int, float] = {}
        #: By attempt: its lane; by executor: free ones, and how many there are.
        self._lanes: dict[int, tuple[str, int]] = {}
        self._lanes_counts: dict[str, tuple[list[int], int]] = {}

    def came(self, attempts: list[int], now_s: float) -> None:
        """Take note that the scheduler gave these."""
        self.now_s = now_s
        self._came_s.update(dict.fromkeys(attempts, now_s))

    def ready(self, task: Task) -> None:
        """Take note that the inputs of a task are here."""
        self._ready_s[task.attempt] = self.now_s

    def gone(self, task: Task) -> None:
        """Take note that a task that has not begun will not be run here."""
        self._came_s.pop(task.attempt, None)
        self._ready_s.pop(task.attempt, None)

    def taken(self, task: Task) -> None:
        """Give a task that begins a lane."""
        executor = task.terms.lane.name
        free, count = self._lanes_counts.get(executor, ([], 0))
        if free:
            lane = heapq.heappop(free)
        else:
            lane = count
            self._lanes_counts[executor] = (free, count + 1)
        self._lanes[task.attempt] = (executor, lane)

    def ended(
        self,
        task: Task,
        outcome: TaskOutcome,
        start_s: float,
        duration_s: float,
        nbytes: int = 0,
        phases: Phases = (0.0, 0.0),
        error: str = "",
    ) -> None:
        """Tell how an execution went."""
        attempt = task.attempt
        executor, lane = self._lanes.pop(attempt, ("", -1))
        if executor:
            heapq.heappush(self._lanes_counts[executor][0], lane)
        # (A clock may have been set back.)
        self.now_s = max(self.now_s, start_s + duration_s + phases[1])
        came_s = self._came_s.pop(attempt, start_s)
        ready_s = self._ready_s.pop(attempt, came_s)
        event = TaskEnded(
            task.key,
            attempt,
            task.function.label,
            self._worker,
            outcome,
            max(start_s, 0.0),
            max(duration_s - phases[0], 0.0),
            min(nbytes, NBYTES_MAX),
            lane,
            executor or task.terms.lane.name,
            0.0,
            max(ready_s - came_s, 0.0),
            max(start_s - ready_s, 0.0),
            phases[0],
            phases[1],
            fit_text(error),
        )
        self._ring.add(event)


class LocalReader:
    """A reader in the worker's own process; see `hocket.protocol.feed.Reader`."""

    def __init__(self, snapshot: Snapshot, cursor: Cursor) -> None:
        self._snapshot = snapshot
        self.cursor = cursor

    def snapshot(self) -> Snapshot:
        """Return what was there when the reader was made."""
        return self._snapshot


class Feed:
    """The events of a worker, and who reads them.

    Parameters
    ----------
    worker, address
        The worker's name and address.
    """

    def __init__(self, worker: str, address: str) -> None:
        self._worker = worker
        self._address = address
        self.ring = Ring(_EVENTS_MAX, _HEAVY_NBYTES_MAX)
        #: The kinds that somebody wants now.
        self.kinds = 0
        self._wanted: frozenset[type] = frozenset()
        #: Time between two samples.
        self.interval_s = 0.5
        #: There while somebody wants to know of tasks.
        self.watch: Watch | None = None
        #: Told to readers here, once it is known.
        self.came: WorkerCame | None = None
        self.sample: WorkerSampled | None = None
        self._readers: dict[Cursor, None] = {}
        #: Of the scheduler.
        self._reported: Cursor | None = None

    # Who reads.

    def report(self, message: ReportEvents) -> None:
        """Report from now on what the scheduler wants."""
        former, self._reported = self._reported, None
        if message.kinds:
            self.interval_s = max(message.interval_s, 0.05)
            position = -1 if former is None else former.position
            self._reported = Cursor(self.ring, message.kinds, position=position)
        self._look_at_kinds()

    def read(self, kinds: int, position: int, now_s: float) -> LocalReader:
        """Let somebody in this process read."""
        cursor = Cursor(self.ring, kinds, position=position)

        def close() -> None:
            self._readers.pop(cursor, None)
            self._look_at_kinds()

        cursor.on_close = close
        self._readers[cursor] = None
        self._look_at_kinds()
        return LocalReader(self._snapshot(cursor, now_s), cursor)

    def _snapshot(self, cursor: Cursor, now_s: float) -> Snapshot:
        first = max(cursor.position, self.ring.first)
        return Snapshot(
            0,
            first,
            self.ring.following,
            now_s,
            self._address,
            [] if self.came is None else [self.came],
            [] if self.sample is None else [self.sample],
            [],
            [],
        )

    def _look_at_kinds(self) -> None:
        kinds = 0 if self._reported is None else self._reported.kinds
        for cursor in self._readers:
            kinds |= cursor.kinds
        self.kinds = kinds
        self._wanted = frozenset(cls for cls, kind in KIND_OF.items() if kind & kinds)
        if not kinds & EventKinds.TASKS:
            self.watch = None
        elif self.watch is None:
            self.watch = Watch(self._worker, self.ring)

    # What happens.

    def saw(self, event: WorkerEvent) -> None:
        """Record an event, if somebody wants it."""
        if type(event) in self._wanted:
            if type(event) is WorkerSampled:
                self.sample = event
            self.ring.add(event)

    def take_report(self) -> EventsSeen | None:
        """Return what the scheduler is to be told, if there is anything."""
        cursor = self._reported
        if cursor is None or not cursor.is_behind:
            return None
        taken = cursor.take(_REPORT_MAX)
        own = [event for event in taken.events if not self._is_told_by_another(event)]
        if not own and not taken.dropped:
            return None
        return EventsSeen(own, taken.dropped)  # type: ignore[arg-type]  # (It holds no others.)

    def _is_told_by_another(self, event: object) -> bool:
        """Whether an event is a transfer whose receiver, a worker, tells of it."""
        return type(event) is TransferDone and bool(event.target) and event.target != self._worker
