"""Draining: a worker that is to end gets nothing new, and what it alone holds moves to others.

It may have said so itself (it was told to stop, or its time is over), or a client wants it gone.
What it runs it ends; what it has not begun it is asked for. When nobody needs it any more it is
told to leave. A worker that ends by its own wish does so even if nobody can take what it holds,
which is then computed again; one that a client wants gone stays in that case, and the client is
told why. Draining workers never drain to each other.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Final

from hocket.protocol.messages import LeaveCluster, RequestRefused, WorkersRetired
from hocket.scheduler.actors import unsaved_on
from hocket.scheduler.naming import choose_workers, enumerate_names, say_nobody
from hocket.scheduler.policy.replication import free_nbytes
from hocket.scheduler.policy.retraction import choose_leaving
from hocket.scheduler.state import STORED, Client, Drain, Goal, Task, Worker
from hocket.scheduler.transitions import to_recalled

if TYPE_CHECKING:
    from hocket.protocol.messages import RetireWorkers
    from hocket.scheduler.replication import Replication
    from hocket.scheduler.tables import Tables

__all__ = ["Draining"]

#: So many values of one worker are goals at once; a worker may hold millions.
_GOALS_MAX: Final = 256


class _Retirement:
    """One ``RetireWorkers`` that was not refused."""

    __slots__ = ("client", "missing", "names", "request")

    def __init__(self, client: Client, request: int, workers: Sequence[Worker]) -> None:
        self.client = client
        self.request = request
        self.names = [worker.name for worker in workers]
        #: Those that are still there.
        self.missing: dict[Worker, None] = dict.fromkeys(workers)


class Draining:
    """All workers that are to end, and the clients that wait for that."""

    def __init__(self, tables: Tables, replication: Replication) -> None:
        self._tables = tables
        self._replication = replication
        self._retirements: list[_Retirement] = []
        #: Whether the cluster ends: no actor is worth waiting for, its clients go as well.
        self.all_leave = False

    # Events ---------------------------------------------------------------------------------

    def begin(self, worker: Worker, reason: str, *, is_own: bool) -> None:
        """Drain a worker, if that has not begun.

        Parameters
        ----------
        worker
            Which.
        reason
            Why, for people.
        is_own
            Whether it ends by its own wish, whatever comes of what it holds.
        """
        tables = self._tables
        drain = tables.drains.get(worker)
        if drain is not None:
            drain.is_own = drain.is_own or is_own
            return
        drain = tables.drains[worker] = Drain(worker, is_own=is_own)
        worker.leaving = reason
        tables.changed[worker] = None
        for task in tables.copies.cancel_to(worker):
            worker.outbox.drop(task.key, task.attempt)
        for task in choose_leaving(worker):
            to_recalled(tables, task)
        drain.pending = self._held_alone(worker.held)

    def retire(self, client: Client, message: RetireWorkers) -> None:
        """Drain workers, as a client asked; it is answered when they are gone."""
        reason = self._obstacle(client, message.workers)
        if reason:
            client.outbox.add(RequestRefused(message.request, reason))
            return
        workers = choose_workers(self._tables, message.workers) if message.workers else []
        if not workers:
            client.outbox.add(WorkersRetired(message.request, []))
            return
        for worker in workers:
            self.begin(worker, f"client {client.name} retired it", is_own=False)
        self._retirements.append(_Retirement(client, message.request, workers))

    def stored(self, worker: Worker, keys: Iterable[str]) -> None:
        """Look at values that a worker which is to end has just made."""
        drain = self._tables.drains.get(worker)
        if drain is not None:
            found = (self._tables.tasks.get(key) for key in keys)
            drain.pending.extend(self._held_alone(task for task in found if task is not None))

    def worker_lost(self, worker: Worker) -> None:
        """Take note that a worker is gone, and answer those who waited for that."""
        drain = self._tables.drains.get(worker)
        if drain is not None:
            self._forget(drain)
        for retirement in list(self._retirements):
            retirement.missing.pop(worker, None)
            if not retirement.missing:
                self._retirements.remove(retirement)
                retired = WorkersRetired(retirement.request, retirement.names)
                retirement.client.outbox.add(retired, sum(map(len, retirement.names)))

    def worker_joined(self) -> None:
        """Take note that somebody came who may take what nobody took so far."""
        for drain in self._tables.drains.values():
            drain.given_up.clear()

    def client_lost(self, client: Client) -> None:
        """Let go of a client; the retirements that it began go on."""
        self._retirements = [one for one in self._retirements if one.client is not client]

    def turn(self) -> None:
        """Move what is to move, and let those leave that nobody needs any more."""
        for drain in list(self._tables.drains.values()):
            if not drain.has_left:
                self._advance(drain)

    # What follows ---------------------------------------------------------------------------

    def _advance(self, drain: Drain) -> None:
        worker = drain.worker
        if not drain.is_own and not drain.obstacle and self._is_waited_for(worker):
            drain.obstacle = "its tasks wait for others, which no other worker can run"
        unsaved = [] if self.all_leave else unsaved_on(self._tables, worker)
        if unsaved and not drain.is_own and not drain.obstacle:
            drain.obstacle = _say_unsaved(unsaved)
        if drain.obstacle and not drain.is_own:
            self._keep(drain)
            return
        self._feed(drain)
        if drain.goals or worker.assigned or worker.requests:
            return
        if worker in self._tables.copies.outgoing or unsaved:
            return
        # A value of which the other copy was lost meanwhile, or that a client put there.
        alone = self._held_alone(worker.held)
        drain.pending = [task for task in alone if task not in drain.given_up]
        self._feed(drain)
        if not drain.goals:
            drain.has_left = True
            worker.outbox.add(LeaveCluster(worker.leaving))

    def _is_waited_for(self, worker: Worker) -> bool:
        """Tell whether all its tasks wait, and something is queued that only leaving ones fit."""
        if not worker.seceded or len(worker.seceded) < len(worker.assigned):
            return False
        tables = self._tables
        everybody = tables.workers.values()
        return any(
            queue.live_count
            and all(
                one.leaving
                for one in (tables.fitting(queue.options) if queue.options.signature else everybody)
            )
            for queue in tables.queues.values()
        )

    def _feed(self, drain: Drain) -> None:
        """Make goals of values that the worker alone holds, as many as may be at once."""
        pending = drain.pending
        while pending and len(drain.goals) < _GOALS_MAX:
            task = pending.pop()
            if task.is_held_by(drain.worker):
                self._replication.add(Goal(drain, task))

    def _held_alone(self, tasks: Iterable[Task], leaving: Iterable[Worker] = ()) -> list[Task]:
        """Return those of the values that no worker holds which stays.

        Parameters
        ----------
        tasks
            Of the values.
        leaving
            Workers that are to end, beside those that do so already.
        """
        ending = {*self._tables.drains, *leaving}
        found = []
        for task in tasks:
            if task.state is not STORED or task in self._tables.actors:
                continue
            if task.holders_count <= len(ending) and all(
                one in ending for one in task.holding_workers()
            ):
                found.append(task)
        return found

    def _keep(self, drain: Drain) -> None:
        """Keep a worker that cannot be spared, and tell those who wanted it gone."""
        worker = drain.worker
        self._forget(drain)
        worker.leaving = ""
        self._tables.changed[worker] = None
        for retirement in [one for one in self._retirements if worker in one.missing]:
            self._retirements.remove(retirement)
            text = f"worker {worker.name} stays: {drain.obstacle}"
            others = [one.name for one in retirement.missing if one is not worker]
            if others:
                text += f" (and {enumerate_names(others)} will leave)"
            retirement.client.outbox.add(RequestRefused(retirement.request, text), len(text))

    def _forget(self, drain: Drain) -> None:
        self._replication.cancel(drain)
        del self._tables.drains[drain.worker]

    # May they leave at all? -----------------------------------------------------------------

    def _obstacle(self, client: Client, names: Sequence[str]) -> str:
        """Return why these workers cannot be retired; "" if they can."""
        waits_max = self._tables.limits.waits_max
        if sum(1 for one in self._retirements if one.client is client) >= waits_max:
            return f"{waits_max} requests of this client wait for workers to leave already"
        by_name = self._tables.named
        unknown = [name for name in dict.fromkeys(names) if not by_name(name)]
        if unknown:
            return say_nobody(unknown)
        workers = dict.fromkeys(choose_workers(self._tables, names)) if names else {}
        staying = [
            one
            for one in self._tables.workers.values()
            if one not in workers and not one.leaving and not one.is_paused
        ]
        rooms = [free_nbytes(self._tables, one) for one in staying]
        for worker in workers:
            if worker in self._tables.drains:
                continue
            unsaved = unsaved_on(self._tables, worker)
            if unsaved:
                return f"worker {worker.name} stays: {_say_unsaved(unsaved)}"
            sizes = [task.nbytes for task in self._held_alone(worker.held, workers)]
            if not sizes:
                continue
            what = f"worker {worker.name} alone holds {len(sizes)} values ({sum(sizes)} bytes)"
            if not staying:
                return f"{what}, and there is no other worker that could take them"
            if max(sizes) > max(rooms) or sum(sizes) > sum(rooms):
                free = max(0, int(sum(rooms)))
                return f"{what}, and the others have room for {free} bytes more in their memories"
        return ""


def _say_unsaved(actors: Sequence[Task]) -> str:
    """Say why a worker with actors cannot be spared."""
    names = enumerate_names([task.key for task in actors])
    return (
        f"it keeps {len(actors)} actors without checkpoints ({names}), which would be lost with it;"
        " let go of them first, or give their classes __checkpoint__ and __restore__"
    )
