"""Cancelling: what clients want no more ends, also where it runs, and they hear what became of it.

A task that ran is interrupted by its worker, which says how that went. One that cannot be
interrupted keeps its slot until it comes to an end by itself: a worker all of whose threads are
kept so gets no more tasks meanwhile.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from hocket.protocol.messages import (
    CancelAnswered,
    CancelOutcome,
    CancelTasks,
    Failure,
    FailureKind,
    RequestRefused,
    TasksInterrupted,
)
from hocket.scheduler.policy.retraction import choose_leaving
from hocket.scheduler.state import UNFINISHED, Client, Stopping, Worker
from hocket.scheduler.transitions import to_failed, to_recalled, unwant

if TYPE_CHECKING:
    from hocket.scheduler.tables import Tables

__all__ = ["Cancelling"]

#: What a row of an answer takes beside its texts, roughly.
_ROW_NBYTES: Final = 16


class _Round:
    """A request of a client's, and what is known of what became of the tasks."""

    __slots__ = ("client", "missing", "request", "rows")

    def __init__(self, client: Client, request: int) -> None:
        self.client = client
        self.request = request
        #: By key: what became of it, and the name of its worker.
        self.rows: dict[str, tuple[CancelOutcome, str]] = {}
        #: Attempts of which workers have not said that.
        self.missing: set[int] = set()


class Cancelling:
    """The requests to cancel tasks that wait for workers."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables
        #: By attempt: whom to tell what became of it.
        self._waiting: dict[int, _Round] = {}

    @property
    def is_waiting(self) -> bool:
        """Whether some worker has not said what became of what a client asked about."""
        return bool(self._waiting)

    def cancel(self, client: Client, message: CancelTasks) -> None:
        """Let a client do without keys."""
        around = _Round(client, message.request)
        stopping: list[Stopping] | None = [] if message.interrupt else None
        for key in message.keys:
            outcome = self._cancel(client, key, stopping, force=message.force)
            if outcome is not CancelOutcome.NOT_BEGUN:
                around.rows[key] = (outcome, "")
            client.outbox.cancelled(key)
        for one in stopping or ():
            one.worker.stopping[one.attempt] = one
            if message.request:
                around.missing.add(one.attempt)
                self._waiting[one.attempt] = around
        if message.request:
            self._answer(around)

    def _cancel(
        self, client: Client, key: str, stopping: list[Stopping] | None, *, force: bool
    ) -> CancelOutcome:
        tables = self._tables
        task = tables.tasks.get(key)
        if task is None:
            return CancelOutcome.ENDED
        is_over = task.state not in UNFINISHED
        is_shared = task.needed_by_count > 0 or any(one is not client for one in task.clients())
        if force and is_shared and not is_over:
            failure = Failure(FailureKind.CANCELLED, key, f"{client.name} cancelled it for all")
            to_failed(tables, task, failure, stopping)
        unwant(tables, task, client, stopping)
        if is_over:
            return CancelOutcome.ENDED
        if task.state in UNFINISHED and task.is_needed():
            return CancelOutcome.NEEDED
        return CancelOutcome.NOT_BEGUN

    def interrupted(self, worker: Worker, message: TasksInterrupted) -> None:
        """Take note of what became of tasks that a worker was to interrupt."""
        for attempt, outcome in zip(message.attempts, message.outcomes, strict=True):
            stopping = worker.stopping.get(attempt)
            if stopping is None:
                continue
            if outcome is CancelOutcome.GOES_ON:
                self._note_stuck(worker, stopping)
            else:
                del worker.stopping[attempt]
                if worker.stuck.pop(attempt, None) is not None:
                    self._tables.changed[worker] = None
            self._tell(stopping, outcome)

    def _note_stuck(self, worker: Worker, stopping: Stopping) -> None:
        """Take note that a task keeps its slot for as long as it likes."""
        if not stopping.has_thread:
            return
        worker.stuck[stopping.attempt] = stopping.key
        self._tables.changed[worker] = None
        if worker.is_stuck:
            for task in choose_leaving(worker):
                to_recalled(self._tables, task)

    def worker_lost(self, worker: Worker) -> None:
        """Take note that what ran on a worker has come to an end."""
        for stopping in worker.stopping.values():
            self._tell(stopping, CancelOutcome.INTERRUPTED)
        worker.stopping.clear()

    def _tell(self, stopping: Stopping, outcome: CancelOutcome) -> None:
        around = self._waiting.pop(stopping.attempt, None)
        if around is not None:
            around.rows[stopping.key] = (outcome, stopping.worker.name)
            around.missing.discard(stopping.attempt)
            self._answer(around)

    def _answer(self, around: _Round) -> None:
        """Answer a request of which all is known."""
        if around.missing or around.client.id not in self._tables.clients:
            return
        keys = list(around.rows)
        outcomes = [outcome for outcome, _ in around.rows.values()]
        workers = [worker for _, worker in around.rows.values()]
        nbytes = sum(map(len, keys)) + sum(map(len, workers)) + _ROW_NBYTES * len(keys)
        if nbytes > self._tables.limits.answer_nbytes_max:
            text = (
                f"they were cancelled, but what became of {len(keys)} of them is more than one"
                " message may hold; cancel fewer at once to hear of it"
            )
            around.client.outbox.add(RequestRefused(around.request, text))
            return
        answer = CancelAnswered(around.request, keys, outcomes, workers)
        around.client.outbox.add(answer, nbytes)
