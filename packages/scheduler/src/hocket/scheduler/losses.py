"""What is lost: copies that are not where they should be, workers, clients."""

from __future__ import annotations

from heapq import nsmallest
from typing import TYPE_CHECKING, Final

from hocket.protocol.messages import Failure, FailureKind
from hocket.scheduler.actors import actors_of, lose_actor
from hocket.scheduler.state import STORED, Client, Task, Worker
from hocket.scheduler.transitions import lose, requeue, to_failed, unwant

if TYPE_CHECKING:
    from hocket.scheduler.tables import Tables

__all__ = ["client_lost", "copy_missing", "worker_lost"]

#: How often a task may come back because a holder of its inputs is out of reach, before that
#: holder's copy is given up.
_RETURNS_MAX: Final = 3
#: A suspect that still is one after so many deaths is blamed for each, since what it says at its
#: beginning may not get through.
_SUSPICIONS_MAX: Final = 30


def copy_missing(
    tables: Tables, task: Task, holder: Worker, *, gone: bool, keep_last: bool
) -> None:
    """Count a copy as lost that its holder did not give.

    Parameters
    ----------
    tables
        The scheduler's.
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
    if task in holder.actors:
        # Its home is the only one who can know, and says so by ending.
        return
    if not gone:
        count = tables.returns[task.key] = tables.returns.get(task.key, 0) + 1
        is_last = task.kind is None and task.holders is holder
        if count < _RETURNS_MAX or (keep_last and is_last):
            return
    # (The next holder's failures are counted anew.)
    tables.returns.pop(task.key, None)
    tables.unhold(task, holder)
    holder.outbox.drop(task.key, task.attempt)
    if task.holders is None:
        lose(tables, task)


def worker_lost(tables: Tables, worker: Worker, reason: str) -> None:
    """Take a worker off the books; what it alone held or ran is computed again.

    A task is blamed for the death only if it was running there. Those that the worker said to be
    running were; where it had not come to say so, those that come next are suspects: when they are
    tried again, it is made sure that their beginning is heard of.
    """
    tables.remove_worker(worker)
    _note_cut_short(tables, worker)
    blamed, suspected = _running(tables, worker)
    for task in actors_of(worker):
        lose_actor(tables, task, worker, worker.leaving or reason)
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
        if task in suspected:
            count = tables.suspicions[task.key] = tables.suspicions.get(task.key, 0) + 1
            if count > _SUSPICIONS_MAX:
                blamed[task] = None
        if task in blamed:
            causes = tables.deaths.setdefault(task.key, [])
            causes.append(f"{worker.name}: {reason}")
            if len(causes) >= tables.limits.allowed_failures_count:
                text = "\n".join(causes)
                to_failed(tables, task, Failure(FailureKind.WORKER_DIED, task.key, text))
                continue
        requeue(tables, task)


def _note_cut_short(tables: Tables, worker: Worker) -> None:
    """Remember of what ran when its worker's time was over that it needs more than it had."""
    if tables.now_s >= worker.leaves_s:
        for task, began_s in worker.begun.items():
            task.options = task.options.cut_short(tables.now_s - began_s)


def _running(tables: Tables, worker: Worker) -> tuple[dict[Task, None], dict[Task, None]]:
    """Return the tasks that were running on a worker, and those that may have been."""
    if worker.leaving or tables.now_s >= worker.leaves_s:
        # It ended because it was to, or its time was over, and not because of them.
        return {}, {}
    unheard = [
        task for task in worker.assigned if task not in worker.begun and not task.missing_count
    ]
    # (What was a suspect already would have been heard of.)
    watched = [task for task in unheard if task.key in tables.suspicions]
    unwatched = (task for task in unheard if task.key not in tables.suspicions)
    unknown_count = worker.threads - (len(worker.begun) - len(worker.seceded))
    likely = nsmallest(max(0, unknown_count), unwatched, key=lambda task: task.priority)
    return dict.fromkeys(worker.begun), dict.fromkeys([*watched, *likely])


def client_lost(tables: Tables, client: Client) -> None:
    """Take a client off the books, and with it what only it wanted."""
    del tables.clients[client.id]
    tables.full.pop(client.id, None)
    for task in list(client.wanted):
        unwant(tables, task, client)
    for kind in client.functions.values():
        kind.pinned_by.discard(client.id)
        tables.forget_kind(kind)
