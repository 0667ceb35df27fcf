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

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from hocket.protocol.messages import (
    ActorSaved,
    CallScheduler,
    CancelTasks,
    CopiesFailed,
    DescribeCluster,
    DropSetup,
    EndCluster,
    EventsSeen,
    ExplainKeys,
    HereRan,
    InputsMissing,
    KeepSetup,
    ListTasks,
    ListVariables,
    LocateKeys,
    LogEvents,
    PlanScatter,
    RebalanceKeys,
    ReplicasStored,
    ReplicateKeys,
    RetireWorkers,
    RunEverywhere,
    TasksBegun,
    TasksDone,
    TasksFailed,
    TasksInterrupted,
    TasksRejoined,
    TasksRescheduled,
    TasksReturned,
    TasksSeceded,
    VariablesListed,
    WaitForWorkers,
    WorkerJoined,
    WorkerLeaving,
    WorkerPaused,
    WorkerReport,
)
from hocket.scheduler.actors import save
from hocket.scheduler.cancelling import Cancelling
from hocket.scheduler.commit import commit
from hocket.scheduler.coordination import Coordination, CoordinationLimits
from hocket.scheduler.coordination.tasks import TasksOfTables
from hocket.scheduler.draining import Draining
from hocket.scheduler.ending import Ending
from hocket.scheduler.explain import Explaining
from hocket.scheduler.feed import Feed
from hocket.scheduler.losses import client_lost, copy_missing, worker_lost
from hocket.scheduler.permitted_calls import PermittedCalls
from hocket.scheduler.policy.fairness import note_finished
from hocket.scheduler.policy.retraction import (
    LOOK_AGAIN_S,
    choose_leaving,
    choose_recalls,
    choose_stuck,
)
from hocket.scheduler.rebalancing import rebalance
from hocket.scheduler.refusal import Refusal
from hocket.scheduler.replication import Replication
from hocket.scheduler.requests import Requests
from hocket.scheduler.setups import Setups
from hocket.scheduler.state import STORED, Client, Task, Worker
from hocket.scheduler.tables import Limits, Tables
from hocket.scheduler.transitions import (
    requeue,
    to_failed,
    to_recalled,
    to_stored,
)
from hocket.scheduler.wishes import Wishes

__all__ = ["Refusal", "SchedulerMachine"]


class SchedulerMachine:
    """All decisions of the scheduler.

    Parameters
    ----------
    limits
        Bounds of its decisions.
    address
        Its own address, to tell clients.
    first_token
        Less than the token of the first lock that is granted.
    """

    def __init__(
        self, limits: Limits | None = None, *, address: str = "", first_token: int = 0
    ) -> None:
        self.tables = Tables(limits or Limits())
        self.wishes = Wishes(self.tables)
        self.requests = Requests(self.tables, address)
        self.setups = Setups(self.tables, self.requests)
        self.replication = Replication(self.tables)
        self.draining = Draining(self.tables, self.replication)
        self.cancelling = Cancelling(self.tables)
        self.ending = Ending(self.tables, self.draining)
        self.calls = PermittedCalls(self.tables)
        self.explaining = Explaining(self.tables)
        self.coordination = Coordination(
            TasksOfTables(self.tables),
            CoordinationLimits(answer_nbytes_max=self.tables.limits.answer_nbytes_max),
            first_token,
        )
        self.feed = Feed(self.tables, self.requests, self.explaining)
        #: After how many seconds a turn is wanted even if nothing happens; None: not at all.
        self.look_again_s: float | None = None
        self._greeted: set[int] = set()
        self._from_client: dict[type[Any], Callable[[Client, Any], None]] = {
            CancelTasks: self.cancelling.cancel,
            LocateKeys: self.requests.locate,
            ListTasks: self.requests.list_tasks,
            PlanScatter: self.requests.plan_scatter,
            RunEverywhere: self.requests.run_everywhere,
            KeepSetup: self.setups.keep,
            ListVariables: self._on_list_variables,
            DropSetup: self.setups.drop,
            DescribeCluster: self.requests.describe,
            WaitForWorkers: self.requests.wait_for_workers,
            ExplainKeys: self.explaining.ask,
            ReplicateKeys: self.replication.replicate,
            RebalanceKeys: self._on_rebalance_keys,
            RetireWorkers: self.draining.retire,
            EndCluster: self.ending.ask,
            CallScheduler: self.calls.ask,
            **self.wishes.handlers,
            **self.coordination.handlers,
            **self.feed.handlers,
        }
        self._from_worker: dict[type[Any], Callable[[Worker, Any], None]] = {
            TasksDone: self._on_tasks_done,
            TasksFailed: self._on_tasks_failed,
            TasksReturned: self._on_tasks_returned,
            InputsMissing: self._on_inputs_missing,
            ReplicasStored: self._on_replicas_stored,
            CopiesFailed: self.replication.failed,
            TasksInterrupted: self.cancelling.interrupted,
            HereRan: self.requests.here_ran,
            TasksBegun: self._on_tasks_begun,
            TasksSeceded: self._on_tasks_seceded,
            TasksRejoined: self._on_tasks_rejoined,
            TasksRescheduled: self._on_tasks_rescheduled,
            WorkerReport: self._on_worker_report,
            WorkerPaused: self._on_worker_paused,
            WorkerLeaving: self._on_worker_leaving,
            ActorSaved: self._on_actor_saved,
            EventsSeen: self.feed.on_events_seen,
            LogEvents: self.feed.on_worker_logs,
        }

    # Peers come and go ----------------------------------------------------------------------

    def client_joined(self, id_: int, name: str) -> None:
        """Open the books for a client; ids are the shell's and are never used twice."""
        tables = self.tables
        tables.clients[id_] = Client(id_, name, tables.full, tables.limits.frame_nbytes_aim)
        self.feed.client_came(id_, name)

    def observer_joined(self, id_: int, name: str) -> None:
        """Let somebody look on, who may only read."""
        self.feed.observer_came(id_, name)

    def worker_greeted(self, id_: int) -> None:
        """Expect ``WorkerJoined`` as the first message of this peer."""
        self._greeted.add(id_)

    def peer_lost(self, id_: int, reason: str, now_s: float) -> None:
        """Close the books of a peer whose session is over for good."""
        self.tables.now_s = now_s
        self._greeted.discard(id_)
        client = self.tables.clients.get(id_)
        if client is not None:
            client_lost(self.tables, client)
            self.requests.client_lost(client)
            self.calls.client_lost(client)
            self.replication.client_lost(client)
            self.draining.client_lost(client)
            self.coordination.client_lost(client)
        worker = self.tables.workers.get(id_)
        if worker is not None:
            worker_lost(self.tables, worker, reason)
            self.requests.worker_lost(worker, reason)
            self.cancelling.worker_lost(worker)
            self.draining.worker_lost(worker)
        self.feed.peer_lost(id_, reason)

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
        wake_s = tables.wake_resting()
        self.coordination.turn()
        self._move_values()
        commit(tables)
        for task in choose_recalls(tables):
            to_recalled(tables, task)
        self.explaining.answer()
        if self.feed.kinds:
            wake_s = self.feed.turn(now_s, wake_s)
        self.look_again_s = LOOK_AGAIN_S if tables.hungry and tables.loaded else None
        if wake_s is not None and (self.look_again_s is None or wake_s - now_s < LOOK_AGAIN_S):
            self.look_again_s = wake_s - now_s
        # (Something may have been meant for a peer after it was gone.)
        outgoing = [
            (id_, outbox.take())
            for id_, outbox in tables.full.items()
            if id_ in tables.workers or id_ in tables.clients or id_ in self.feed.observers
        ]
        tables.full.clear()
        tables.give_back_room()
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
        if self.feed.observers and self.feed.receive(id_, message):
            return
        if id_ in self._greeted and type(message) is WorkerJoined:
            self._on_worker_joined(id_, message)
            return
        raise Refusal(f"{type(message).__name__} came from a peer that has not introduced itself")

    def _move_values(self) -> None:
        """Begin copies, and let workers leave; each may be what the other waits for."""
        while True:
            self.draining.turn()
            if not self.replication.turn():
                break

    # From clients ---------------------------------------------------------------------------

    def _on_rebalance_keys(self, client: Client, message: RebalanceKeys) -> None:
        rebalance(self.tables, self.replication, client, message)

    def _on_list_variables(self, client: Client, message: ListVariables) -> None:
        names = self.coordination.variables.names(message.prefix)
        client.outbox.add(VariablesListed(message.request, names), sum(map(len, names)))

    # From workers ---------------------------------------------------------------------------

    def _on_worker_joined(self, id_: int, message: WorkerJoined) -> None:
        tables = self.tables
        if message.name in tables.workers_by_name:
            raise Refusal(f"a worker named {message.name!r} is here already; choose another name")
        other = tables.workers_by_address.get(message.address)
        if other is not None:
            raise Refusal(f"worker {other.name!r} has the address {message.address} already")
        self._greeted.discard(id_)
        aim = tables.limits.frame_nbytes_aim
        tables.add_worker(Worker(id_, message, tables.full, aim, tables.now_s))
        self.setups.worker_joined(tables.workers[id_])
        self.feed.worker_came(tables.workers[id_])
        self.requests.workers_changed()
        self.draining.worker_joined()
        self.ending.worker_joined(tables.workers[id_])

    def _on_tasks_done(self, worker: Worker, message: TasksDone) -> None:
        tables = self.tables
        tasks = tables.tasks
        values: Sequence[bytes | None] = message.values or [None] * len(message.keys)
        task: Task | None = None
        groups: list[str] = []
        for key, attempt, nbytes, duration_s, value in zip(
            message.keys, message.attempts, message.nbytes, message.durations, values, strict=True
        ):
            task = tasks.get(key)
            if task is None or task.attempt != attempt or task.worker is not worker:
                # A late answer of an attempt that was given up.
                worker.outbox.drop(key, attempt)
                groups.append("")
                continue
            kind = task.kind
            if kind is not None:
                kind.measure(duration_s, nbytes)
            groups.append("" if kind is None else kind.label)
            to_stored(tables, task, worker, nbytes, value)
            if worker.actors and task in worker.actors:
                for stuck in choose_stuck(worker, task):
                    to_recalled(tables, stuck)
        self.feed.done(worker, message, groups)
        if task is not None:
            note_finished(tables, task)
        if worker.leaving:
            self.draining.stored(worker, message.keys)

    def _on_tasks_failed(self, worker: Worker, message: TasksFailed) -> None:
        for key, attempt, failure in zip(
            message.keys, message.attempts, message.failures, strict=True
        ):
            task = self._present(worker, key, attempt)
            if task is None:
                continue
            if task.retries_left > 0:
                task.retries_left -= 1
                task.options = task.options.avoiding(worker.id)
                requeue(self.tables, task, task.options.retry_delay_s)
            else:
                to_failed(self.tables, task, failure)

    def _on_tasks_returned(self, worker: Worker, message: TasksReturned) -> None:
        for task in self._all_present(worker, message):
            requeue(self.tables, task)

    def _on_tasks_rescheduled(self, worker: Worker, message: TasksRescheduled) -> None:
        for task in self._all_present(worker, message):
            task.options = task.options.avoiding(worker.id)
            requeue(self.tables, task)

    def _on_tasks_begun(self, worker: Worker, message: TasksBegun) -> None:
        for task in self._all_present(worker, message):
            worker.begun.setdefault(task, self.tables.now_s)

    def _on_tasks_seceded(self, worker: Worker, message: TasksSeceded) -> None:
        for task in self._all_present(worker, message):
            if task not in worker.seceded:
                self.tables.secede(task)
                for stuck in choose_stuck(worker, task):
                    to_recalled(self.tables, stuck)

    def _on_tasks_rejoined(self, worker: Worker, message: TasksRejoined) -> None:
        for task in self._all_present(worker, message):
            if task in worker.seceded:
                self.tables.rejoin(task)

    def _on_inputs_missing(self, _worker: Worker, message: InputsMissing) -> None:
        holder = self.tables.workers_by_address.get(message.address)
        if holder is None:
            return
        for key, attempt in zip(message.keys, message.attempts, strict=True):
            task = self.tables.tasks.get(key)
            if task is not None and task.attempt == attempt:
                copy_missing(self.tables, task, holder, gone=message.gone, keep_last=False)

    def _on_replicas_stored(self, worker: Worker, message: ReplicasStored) -> None:
        copies = self.tables.copies
        for key, attempt in zip(message.keys, message.attempts, strict=True):
            task = self.tables.tasks.get(key)
            if (
                task is not None
                and task.state is STORED
                and task.attempt == attempt
                and not copies.is_doubtful(task, worker)
            ):
                self.tables.hold(task, worker)
                if worker.copies:
                    copies.end(task, worker)
            else:
                worker.outbox.drop(key, attempt)

    def _on_worker_report(self, worker: Worker, message: WorkerReport) -> None:
        worker.reported(message)

    def _on_worker_paused(self, worker: Worker, message: WorkerPaused) -> None:
        worker.is_paused = message.paused
        self.feed.paused(worker)
        self.tables.changed[worker] = None
        if message.paused and len(self.tables.workers) > 1:
            for task in choose_leaving(worker):
                to_recalled(self.tables, task)

    def _on_worker_leaving(self, worker: Worker, message: WorkerLeaving) -> None:
        self.draining.begin(worker, message.reason or "it asked to leave", is_own=True)

    def _on_actor_saved(self, worker: Worker, message: ActorSaved) -> None:
        save(self.tables, worker, message)

    def _present(self, worker: Worker, key: str, attempt: int) -> Task | None:
        """Return the task whose present attempt this is, on this worker; None if it is not."""
        task = self.tables.tasks.get(key)
        if task is None or task.attempt != attempt or task.worker is not worker:
            return None
        return task

    def _all_present(self, worker: Worker, message: Any) -> Iterator[Task]:
        """Yield the tasks of a message whose present attempts these are, on this worker."""
        for key, attempt in zip(message.keys, message.attempts, strict=True):
            task = self._present(worker, key, attempt)
            if task is not None:
                yield task
