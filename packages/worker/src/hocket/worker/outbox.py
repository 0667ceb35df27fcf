"""What a worker has to tell its scheduler, piled up in columns until it is sent."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, TypeAlias

from hocket.protocol.messages import (
    ActorSaved,
    CancelOutcome,
    CopiesFailed,
    Failure,
    HereRan,
    InputsMissing,
    LogEvents,
    ReplicasStored,
    TasksBegun,
    TasksDone,
    TasksFailed,
    TasksInterrupted,
    TasksRejoined,
    TasksRescheduled,
    TasksReturned,
    TasksSeceded,
    WorkerLeaving,
    WorkerPaused,
    WorkerToScheduler,
)

__all__ = ["Outbox"]

#: Messages that are keys and attempts and nothing else.
_Rows: TypeAlias = TasksBegun | ReplicasStored | TasksRescheduled | TasksReturned | CopiesFailed

#: What stands after what explains it.
_GIVEN_BACK: Final = (TasksRescheduled, TasksReturned, CopiesFailed)


class Outbox:
    """Reports not yet sent, one message of columns for each kind."""

    __slots__ = (
        "_done",
        "_failed",
        "_here",
        "_interrupted",
        "_leaving",
        "_logged",
        "_missing",
        "_paused",
        "_rejoined",
        "_rows",
        "_saved",
        "_seceded",
        "pending",
    )

    def __init__(self) -> None:
        self._start()

    def _start(self) -> None:
        #: Whether there is anything to send.
        self.pending = False
        self._done = TasksDone([], [], [], [], [], [])
        self._failed = TasksFailed([], [], [], [], [])
        #: Messages that are keys and attempts and nothing else, by class; made when needed.
        self._rows: dict[type[_Rows], _Rows] = {}
        self._seceded: dict[tuple[str, int], None] = {}
        self._rejoined: dict[tuple[str, int], None] = {}
        self._missing: dict[tuple[str, bool], InputsMissing] = {}
        self._here: list[HereRan] = []
        self._interrupted: TasksInterrupted | None = None
        self._paused: WorkerPaused | None = None
        self._leaving: WorkerLeaving | None = None
        self._saved: dict[str, ActorSaved] = {}
        self._logged: LogEvents | None = None

    def _add(self, kind: type[_Rows], key: str, attempt: int) -> None:
        message = self._rows.get(kind)
        if message is None:
            message = self._rows[kind] = kind([], [])
        message.keys.append(key)
        message.attempts.append(attempt)
        self.pending = True

    def begun(self, key: str, attempt: int) -> None:
        """Say that an attempt is running."""
        self._add(TasksBegun, key, attempt)

    def seceded(self, key: str, attempt: int) -> None:
        """Say that a running attempt has given up its slot."""
        # Of what happens between two sendings only the outcome counts: columns have no order.
        if (key, attempt) in self._rejoined:
            del self._rejoined[key, attempt]
        else:
            self._seceded[key, attempt] = None
        self.pending = True

    def rejoined(self, key: str, attempt: int) -> None:
        """Say that an attempt that had seceded has a slot again."""
        if (key, attempt) in self._seceded:
            del self._seceded[key, attempt]
        else:
            self._rejoined[key, attempt] = None
        self.pending = True

    def rescheduled(self, key: str, attempt: int) -> None:
        """Say that an attempt ran, and asked to be run again."""
        self._add(TasksRescheduled, key, attempt)

    def copy_failed(self, key: str, attempt: int) -> None:
        """Say that a value that was to be copied here can be had from nobody."""
        self._add(CopiesFailed, key, attempt)

    def paused(self, *, paused: bool) -> None:
        """Say that the worker pauses now, or goes on."""
        # Said at each change, so a second one before the next sending takes the first one back.
        self._paused = WorkerPaused(paused) if self._paused is None else None
        self.pending = True

    def leaving(self, reason: str) -> None:
        """Say that the worker is to end soon."""
        self._leaving = WorkerLeaving(reason)
        self.pending = True

    def saved(self, message: ActorSaved) -> None:
        """Say what an actor can be restarted from; only the last of such news counts."""
        self._saved[message.key] = message
        self.pending = True

    def done(
        self,
        key: str,
        attempt: int,
        nbytes: int,
        start_s: float,
        duration_s: float,
        value: bytes | None,
    ) -> None:
        """Say that an attempt has a value, which the worker holds."""
        message = self._done
        message.keys.append(key)
        message.attempts.append(attempt)
        message.nbytes.append(nbytes)
        message.starts.append(start_s)
        message.durations.append(duration_s)
        message.values.append(value)
        self.pending = True

    def failed(
        self, key: str, attempt: int, start_s: float, duration_s: float, failure: Failure
    ) -> None:
        """Say that an attempt ended in failure."""
        message = self._failed
        message.keys.append(key)
        message.attempts.append(attempt)
        message.starts.append(start_s)
        message.durations.append(duration_s)
        message.failures.append(failure)
        self.pending = True

    def interrupted(self, key: str, attempt: int, outcome: CancelOutcome) -> None:
        """Say what became of a task that was to be interrupted."""
        message = self._interrupted
        if message is None:
            message = self._interrupted = TasksInterrupted([], [], [])
        message.keys.append(key)
        message.attempts.append(attempt)
        message.outcomes.append(outcome)
        self.pending = True

    def returned(self, key: str, attempt: int) -> None:
        """Say that an attempt will not be run here."""
        self._add(TasksReturned, key, attempt)

    def replica(self, key: str, attempt: int) -> None:
        """Say that the worker holds a copy of a value that it did not compute."""
        self._add(ReplicasStored, key, attempt)

    def missing(self, key: str, attempt: int, address: str, *, gone: bool) -> None:
        """Say that a peer did not give a value."""
        message = self._missing.get((address, gone))
        if message is None:
            message = self._missing[address, gone] = InputsMissing([], [], address, gone)
        message.keys.append(key)
        message.attempts.append(attempt)
        self.pending = True

    def logged(self, topic: str, time_s: float, key: str, payload: bytes) -> None:
        """Pass on what a task says about a topic."""
        message = self._logged
        if message is None:
            message = self._logged = LogEvents([], [], [], [])
        message.topics.append(topic)
        message.times.append(time_s)
        message.keys.append(key)
        message.payloads.append(payload)
        self.pending = True

    def here_ran(self, message: HereRan) -> None:
        """Answer a `RunHere`."""
        self._here.append(message)
        self.pending = True

    def take(self) -> list[WorkerToScheduler]:
        """Return all that is to be sent, and begin anew.

        What began stands before what ended, and what was missing before what is returned for it, so
        that who reads in order knows why tasks come back.
        """
        if not self.pending:
            return []
        rows = self._rows
        messages: list[WorkerToScheduler] = [*self._here]
        if TasksBegun in rows:
            messages.append(rows[TasksBegun])
        if self._seceded:
            messages.append(TasksSeceded(*_columns(self._seceded)))
        if self._rejoined:
            messages.append(TasksRejoined(*_columns(self._rejoined)))
        if ReplicasStored in rows:
            messages.append(rows[ReplicasStored])
        messages.extend(self._saved.values())
        if self._done.keys:
            if not any(value is not None for value in self._done.values):
                self._done.values = []
            messages.append(self._done)
        if self._failed.keys:
            messages.append(self._failed)
        messages.extend(self._missing.values())
        messages.extend(rows[kind] for kind in _GIVEN_BACK if kind in rows)
        messages.extend(
            each
            for each in (self._interrupted, self._logged, self._paused, self._leaving)
            if each is not None
        )
        self._start()
        return messages


def _columns(names: Iterable[tuple[str, int]]) -> tuple[list[str], list[int]]:
    return [key for key, _ in names], [attempt for _, attempt in names]
