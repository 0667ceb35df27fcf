"""The scheduler's machine: one door. Pure: no clock, no I/O, no chance, no logging.

Theory of operation
-------------------
An event is something that happened: a peer joined, said something, or is gone. Each changes the
tables and lets messages pile up in the outboxes of the peers concerned. Once per turn the shell
calls :meth:`SchedulerMachine.turn`, which commits queued tasks to workers and hands over what piled
up. So a burst of a thousand reports costs one round of decisions and one frame per peer.

A peer's mistake never raises: the event is refused with a reason, and the shell closes that peer's
session. The order of everything is the order of events and of ids; nothing iterates over hashes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from heapq import nsmallest
from typing import Any

from hocket.protocol.messages import (
    CancelTasks,
    DescribeCluster,
    Failure,
    FailureKind,
    ForgetFunctions,
    HereRan,
    InputsMissing,
    KeysScattered,
    LocateKeys,
    PlanScatter,
    ReleaseKeys,
    ReplicasStored,
    ReportMissing,
    RunEverywhere,
    ScatterAccepted,
    SubmitTasks,
    TasksDone,
    TasksFailed,
    TasksReturned,
    WaitForWorkers,
    WantKeys,
    WorkerJoined,
    WorkerReport,
)
from hocket.scheduler.commit import commit
from hocket.scheduler.intake import accept_scattered, accept_tasks
from hocket.scheduler.policy.retraction import LOOK_AGAIN_S, choose_recalls
from hocket.scheduler.refusal import Refusal
from hocket.scheduler.requests import Requests
from hocket.scheduler.state import (
    STORED,
    Client,
    Task,
    Worker,
)
from hocket.scheduler.tables import Limits, Tables
from hocket.scheduler.transitions import (
    lose,
    requeue,
    to_failed,
    to_recalled,
    to_stored,
    unwant,
    want,
)

__all__ = ["Refusal", "SchedulerMachine"]

#: How often a task may come back because a holder of its inputs is out of reach, before that
#: holder's copy is given up.
_RETURNS_MAX = 3


class SchedulerMachine:
    """All decisions of the scheduler.

    Parameters
    ----------
    limits
        Bounds of its decisions.
    address
        Its own address, to tell clients.
    """

    def __init__(self, limits: Limits | None = None, *, address: str = "") -> None:
        self.tables = Tables(limits or Limits())
        self.requests = Requests(self.tables, address)
        #: After how many seconds a turn is wanted even if nothing happens; None: not at all.
        self.look_again_s: float | None = None
        self._greeted: set[int] = set()
        self._from_client: dict[type[Any], Callable[[Client, Any], None]] = {
            SubmitTasks: self._on_submit_tasks,
            ReleaseKeys: self._on_release_keys,
            WantKeys: self._on_want_keys,
            CancelTasks: self._on_cancel_tasks,
            ForgetFunctions: self._on_forget_functions,
            LocateKeys: self.requests.locate,
            ReportMissing: self._on_report_missing,
            PlanScatter: self.requests.plan_scatter,
            KeysScattered: self._on_keys_scattered,
            RunEverywhere: self.requests.run_everywhere,
            DescribeCluster: self.requests.describe,
            WaitForWorkers: self.requests.wait_for_workers,
        }
        self._from_worker: dict[type[Any], Callable[[Worker, Any], None]] = {
            TasksDone: self._on_tasks_done,
            TasksFailed: self._on_tasks_failed,
            TasksReturned: self._on_tasks_returned,
            InputsMissing: self._on_inputs_missing,
            ReplicasStored: self._on_replicas_stored,
            HereRan: self.requests.here_ran,
            WorkerReport: self._on_worker_report,
        }

    # Peers come and go ----------------------------------------------------------------------

    def client_joined(self, id_: int, name: str) -> None:
        """Open the books for a client; ids are the shell's and are never used twice."""
        self.tables.clients[id_] = Client(id_, name, self.tables.limits.frame_nbytes_aim)

    def worker_greeted(self, id_: int) -> None:
        """Expect ``WorkerJoined`` as the first message of this peer."""
        self._greeted.add(id_)

    def peer_lost(self, id_: int, reason: str, now_s: float) -> None:
        """Close the books of a peer whose session is over for good."""
        self.tables.now_s = now_s
        self._greeted.discard(id_)
        client = self.tables.clients.get(id_)
        if client is not None:
            self._client_lost(client)
        worker = self.tables.workers.get(id_)
        if worker is not None:
            self._worker_lost(worker, reason)

    def receive(self, id_: int, messages: Sequence[Any], now_s: float) -> str | None:
        """Take in what a peer said, in order.

        Parameters
        ----------
        id_
            The peer.
        messages
            Of one frame.
        now_s
            The time, in seconds of any clock that does not go back.

        Returns
        -------
        str or None
            Why the peer's session is to be closed; None if all is well. (The shell then calls
            :meth:`peer_lost`.)
        """
        self.tables.now_s = now_s
        try:
            for message in messages:
                self._receive_one(id_, message)
        except Refusal as refusal:
            return str(refusal)
        return None

    def turn(self, now_s: float) -> list[tuple[int, list[list[Any]]]]:
        """Decide what follows from all that came in; return per peer the frames to send."""
        tables = self.tables
        tables.now_s = now_s
        commit(tables)
        for task in choose_recalls(tables):
            to_recalled(tables, task)
        self.look_again_s = LOOK_AGAIN_S if tables.idle and tables.loaded else None
        outgoing: list[tuple[int, list[list[Any]]]] = [
            (worker.id, worker.outbox.take()) for worker in tables.workers.values() if worker.outbox
        ]
        outgoing.extend(
            (client.id, client.outbox.take()) for client in tables.clients.values() if client.outbox
        )
        return outgoing

    def _receive_one(self, id_: int, message: Any) -> None:
        worker = self.tables.workers.get(id_)
        if worker is not None:
            on_worker = self._from_worker.get(type(message))
            if on_worker is None:
                raise Refusal(f"a worker may not say {type(message).__name__} here")
            on_worker(worker, message)
            return
        client = self.tables.clients.get(id_)
        if client is not None:
            on_client = self._from_client.get(type(message))
            if on_client is None:
                raise Refusal(f"a client may not say {type(message).__name__}")
            on_client(client, message)
            return
        if id_ in self._greeted and type(message) is WorkerJoined:
            self._on_worker_joined(id_, message)
            return
        raise Refusal(f"{type(message).__name__} came from a peer that has not introduced itself")

    # From clients ---------------------------------------------------------------------------

    def _on_submit_tasks(self, client: Client, message: SubmitTasks) -> None:
        accept_tasks(self.tables, client, message)

    def _on_keys_scattered(self, client: Client, message: KeysScattered) -> None:
        accept_scattered(self.tables, client, message)
        client.outbox.add(ScatterAccepted(message.request))

    def _on_release_keys(self, client: Client, message: ReleaseKeys) -> None:
        tasks = self.tables.tasks
        for key in message.keys:
            task = tasks.get(key)
            if task is not None:
                unwant(self.tables, task, client)

    def _on_want_keys(self, client: Client, message: WantKeys) -> None:
        for key in message.keys:
            task = self.tables.tasks.get(key)
            if task is None:
                text = f"nothing is known of the key {key!r}; it may have been released"
                client.outbox.erred(key, Failure(FailureKind.UNKNOWN_KEY, key, text))
            else:
                want(self.tables, task, client)

    def _on_cancel_tasks(self, client: Client, message: CancelTasks) -> None:
        for key in message.keys:
            task = self.tables.tasks.get(key)
            if task is not None:
                unwant(self.tables, task, client)
            client.outbox.cancelled(key)

    def _on_forget_functions(self, client: Client, message: ForgetFunctions) -> None:
        for digest in message.digests:
            kind = client.functions.pop(digest, None)
            if kind is not None:
                kind.pinned_by.discard(client.id)
                self.tables.forget_kind(kind)

    def _on_report_missing(self, client: Client, message: ReportMissing) -> None:
        worker = self.tables.workers_by_address.get(message.address)
        if worker is None:
            return
        for key in message.keys:
            task = self.tables.tasks.get(key)
            if task is not None and client in task.clients():
                self._copy_missing(task, worker, gone=message.gone, keep_last=True)

    # From workers ---------------------------------------------------------------------------

    def _on_worker_joined(self, id_: int, message: WorkerJoined) -> None:
        tables = self.tables
        if message.name in tables.workers_by_name:
            raise Refusal(f"a worker named {message.name!r} is here already; choose another name")
        other = tables.workers_by_address.get(message.address)
        if other is not None:
            raise Refusal(f"worker {other.name!r} has the address {message.address} already")
        self._greeted.discard(id_)
        tables.add_worker(Worker(id_, message, tables.limits.frame_nbytes_aim))
        self.requests.workers_changed()

    def _on_tasks_done(self, worker: Worker, message: TasksDone) -> None:
        tables = self.tables
        tasks = tables.tasks
        values: Sequence[bytes | None] = message.values or [None] * len(message.keys)
        for key, attempt, nbytes, duration_s, value in zip(
            message.keys, message.attempts, message.nbytes, message.durations, values, strict=True
        ):
            task = tasks.get(key)
            if task is None or task.attempt != attempt or task.worker is not worker:
                # A late answer of an attempt that was given up.
                worker.outbox.drop(key, attempt)
                continue
            kind = task.kind
            if kind is not None:
                kind.measure(duration_s)
            to_stored(tables, task, worker, nbytes, value)

    def _on_tasks_failed(self, worker: Worker, message: TasksFailed) -> None:
        for key, attempt, failure in zip(
            message.keys, message.attempts, message.failures, strict=True
        ):
            task = self._present(worker, key, attempt)
            if task is None:
                continue
            if task.retries_left > 0:
                task.retries_left -= 1
                requeue(self.tables, task)
            else:
                to_failed(self.tables, task, failure)

    def _on_tasks_returned(self, worker: Worker, message: TasksReturned) -> None:
        for key, attempt in zip(message.keys, message.attempts, strict=True):
            task = self._present(worker, key, attempt)
            if task is not None:
                requeue(self.tables, task)

    def _on_inputs_missing(self, _worker: Worker, message: InputsMissing) -> None:
        holder = self.tables.workers_by_address.get(message.address)
        if holder is None:
            return
        for key, attempt in zip(message.keys, message.attempts, strict=True):
            task = self.tables.tasks.get(key)
            if task is not None and task.attempt == attempt:
                self._copy_missing(task, holder, gone=message.gone, keep_last=False)

    def _on_replicas_stored(self, worker: Worker, message: ReplicasStored) -> None:
        for key, attempt in zip(message.keys, message.attempts, strict=True):
            task = self.tables.tasks.get(key)
            if task is not None and task.state is STORED and task.attempt == attempt:
                self.tables.hold(task, worker)
            else:
                worker.outbox.drop(key, attempt)

    def _on_worker_report(self, worker: Worker, message: WorkerReport) -> None:
        worker.report = message

    # Losses ---------------------------------------------------------------------------------

    def _present(self, worker: Worker, key: str, attempt: int) -> Task | None:
        """Return the task whose present attempt this is, on this worker; None if it is not."""
        task = self.tables.tasks.get(key)
        if task is None or task.attempt != attempt or task.worker is not worker:
            return None
        return task

    def _copy_missing(self, task: Task, holder: Worker, *, gone: bool, keep_last: bool) -> None:
        """Count a copy as lost that its holder did not give.

        Parameters
        ----------
        task
            Of the value.
        holder
            Who should have given it.
        gone
            Whether it said that it has it not; if it was only out of reach, that must happen a few
            times.
        keep_last
            Whether to stay with the last copy of a value that cannot be computed again, as long as
            its holder has not denied it.
        """
        if task.state is not STORED or not task.is_held_by(holder):
            return
        if not gone:
            count = self.tables.returns[task.key] = self.tables.returns.get(task.key, 0) + 1
            is_last = task.kind is None and task.holders is holder
            if count < _RETURNS_MAX or (keep_last and is_last):
                return
        # (The next holder's failures are counted anew.)
        self.tables.returns.pop(task.key, None)
        self.tables.unhold(task, holder)
        holder.outbox.drop(task.key, task.attempt)
        if task.holders is None:
            lose(self.tables, task)

    def _worker_lost(self, worker: Worker, reason: str) -> None:
        tables = self.tables
        tables.remove_worker(worker)
        blamed = set(_running(worker))
        lost = []
        for task in list(worker.held):
            tables.unhold(task, worker)
            if task.holders is None:
                lost.append(task)
        for task in lost:
            if task.state is STORED and task.holders is None:
                lose(tables, task)
        for task in list(worker.assigned):
            if task.worker is not worker:
                continue
            if task in blamed:
                causes = tables.deaths.setdefault(task.key, [])
                causes.append(f"{worker.name}: {reason}")
                if len(causes) >= tables.limits.allowed_failures_count:
                    text = "\n".join(causes)
                    to_failed(tables, task, Failure(FailureKind.WORKER_DIED, task.key, text))
                    continue
            requeue(tables, task)
        self.requests.worker_lost(worker, reason)

    def _client_lost(self, client: Client) -> None:
        tables = self.tables
        del tables.clients[client.id]
        for task in list(client.wanted):
            unwant(tables, task, client)
        for kind in client.functions.values():
            kind.pinned_by.discard(client.id)
            tables.forget_kind(kind)
        self.requests.client_lost(client)


def _running(worker: Worker) -> list[Task]:
    """Return the tasks that a worker is likely to have been running: the first by priority."""
    return nsmallest(worker.threads, worker.assigned, key=lambda task: task.priority)
