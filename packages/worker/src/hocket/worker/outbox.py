"""What a worker has to tell its scheduler, piled up in columns until it is sent."""

from __future__ import annotations

from hocket.protocol.messages import (
    Failure,
    HereRan,
    InputsMissing,
    ReplicasStored,
    TasksDone,
    TasksFailed,
    TasksReturned,
    WorkerToScheduler,
)

__all__ = ["Outbox"]


class Outbox:
    """Reports not yet sent, one message of columns for each kind."""

    __slots__ = ("_done", "_failed", "_here", "_missing", "_replicas", "_returned", "pending")

    def __init__(self) -> None:
        self._start()

    def _start(self) -> None:
        #: Whether there is anything to send.
        self.pending = False
        self._done = TasksDone([], [], [], [], [], [])
        self._failed = TasksFailed([], [], [], [], [])
        self._returned = TasksReturned([], [])
        self._replicas = ReplicasStored([], [])
        self._missing: dict[tuple[str, bool], InputsMissing] = {}
        self._here: list[HereRan] = []

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

    def returned(self, key: str, attempt: int) -> None:
        """Say that an attempt will not be run here."""
        self._returned.keys.append(key)
        self._returned.attempts.append(attempt)
        self.pending = True

    def replica(self, key: str, attempt: int) -> None:
        """Say that the worker holds a copy of a value that it did not compute."""
        self._replicas.keys.append(key)
        self._replicas.attempts.append(attempt)
        self.pending = True

    def missing(self, key: str, attempt: int, address: str, *, gone: bool) -> None:
        """Say that a peer did not give a value."""
        message = self._missing.get((address, gone))
        if message is None:
            message = self._missing[address, gone] = InputsMissing([], [], address, gone)
        message.keys.append(key)
        message.attempts.append(attempt)
        self.pending = True

    def here_ran(self, message: HereRan) -> None:
        """Answer a `RunHere`."""
        self._here.append(message)
        self.pending = True

    def take(self) -> list[WorkerToScheduler]:
        """Return all that is to be sent, and begin anew.

        What was missing stands before what is returned for it, so that who reads in order knows why
        tasks come back.
        """
        if not self.pending:
            return []
        messages: list[WorkerToScheduler] = [*self._here]
        if self._replicas.keys:
            messages.append(self._replicas)
        if self._done.keys:
            if not any(value is not None for value in self._done.values):
                self._done.values = []
            messages.append(self._done)
        if self._failed.keys:
            messages.append(self._failed)
        messages.extend(self._missing.values())
        if self._returned.keys:
            messages.append(self._returned)
        self._start()
        return messages
