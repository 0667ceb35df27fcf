"""The moves of a task: one function for each state entered (their table is in ``moves``).

Every function here leaves all tables consistent; those that can spread (a failure
to dependents, a release to dependencies) work through a list and never recurse, since a chain may
be a million tasks long.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from hocket.protocol.messages import ACTORS, THREADS, Failure, FailureKind
from hocket.scheduler.state import (
    ASSIGNED,
    FAILED,
    FORGOTTEN,
    QUEUED,
    RECALLED,
    RELEASED,
    STORED,
    UNFINISHED,
    WAITING,
    Client,
    Stopping,
    Task,
    Worker,
)

if TYPE_CHECKING:
    from hocket.scheduler.tables import Tables

__all__ = [
    "begin",
    "lose",
    "release",
    "requeue",
    "retry",
    "to_assigned",
    "to_failed",
    "to_recalled",
    "to_stored",
    "unwant",
    "want",
]


def begin(tables: Tables, task: Task) -> None:
    """Bring a released task, which is needed, on its way; and its released inputs with it."""
    todo = [task]
    while todo:
        task = todo.pop()
        if task.state is not RELEASED or not task.is_needed():
            continue
        if task.kind is None:
            reason = f"{task.key!r} was put there by a client, and its last copy is gone"
            to_failed(tables, task, Failure(FailureKind.LOST, task.key, reason))
            continue
        failure = tables.broken.get(task.key)
        if failure is not None:
            to_failed(tables, task, failure)
            continue
        missing_count = 0
        for source in task.dependencies:
            source.needed_by_count += 1
            state = source.state
            if state is not STORED:
                missing_count += 1
                if state is FAILED:
                    failure = source.failure
                elif state is RELEASED:
                    todo.append(source)
        task.missing_count = missing_count
        if missing_count == 0:
            tables.enqueue(task)
        else:
            tables.move(task, WAITING)
            if failure is not None:
                to_failed(tables, task, failure)


def to_assigned(tables: Tables, task: Task, worker: Worker) -> None:
    """Give a task to a worker under a new attempt number.

    Its inputs are stored, or being made by earlier tasks of this worker.
    """
    tables.attempts_count += 1
    task.attempt = tables.attempts_count
    # (So that who follows the moves knows.)
    task.worker = worker
    tables.move(task, ASSIGNED)
    tables.assign(task, worker, tables.expected_s(task))
    is_suspect = bool(tables.suspicions) and task.key in tables.suspicions
    if tables.actors:
        actor = tables.actors.get(task)
        if actor is not None and actor.state is not None:
            worker.outbox.restore(task, actor)
    worker.outbox.run(task, announced=is_suspect)


def to_recalled(tables: Tables, task: Task) -> None:
    """Ask a worker for an assigned task back."""
    worker = task.worker
    assert worker is not None
    tables.move(task, RECALLED)
    tables.recalls[task.key] = tables.recalls.get(task.key, 0) + 1
    worker.outbox.recall(task.key, task.attempt)


def to_stored(tables: Tables, task: Task, worker: Worker, nbytes: int, value: bytes | None) -> None:
    """Note that the present attempt of an assigned task has a value on its worker."""
    tables.unassign(task)
    tables.move(task, STORED)
    task.nbytes = nbytes
    tables.hold(task, worker)
    if task.options.executor == ACTORS:
        _settle_actor(tables, task, worker)
    tables.forgive(task)
    dependents = task.dependents
    if dependents is not None:
        for dependent in dependents:
            if dependent.state in UNFINISHED:
                dependent.missing_count -= 1
                if not dependent.missing_count:
                    if dependent.state is WAITING:
                        tables.enqueue(dependent)
                    else:
                        tables.follow(dependent, -1)
    for source in task.dependencies:
        source.needed_by_count -= 1
        if not source.needed_by_count and source.wanted_by is None:
            release(tables, source)
    if task.wanted_by is not None:
        for client in task.clients():
            client.outbox.stored(task.key, nbytes, value)
    elif not task.needed_by_count:
        release(tables, task)


def _settle_actor(tables: Tables, task: Task, worker: Worker) -> None:
    """Let an actor live where it was made, and its callers know."""
    tables.settle(task, worker)
    for client in task.clients():
        client.outbox.placed(task, tables.actors[task])


def to_failed(
    tables: Tables, task: Task, failure: Failure, stopping: list[Stopping] | None = None
) -> None:
    """Give a task up, and with it every unfinished task that needs it.

    With a list, it is given up because it was cancelled; see `release`.
    """
    todo = [task]
    failed: list[Task] = []
    while todo:
        task = todo.pop()
        state = task.state
        if state is FAILED:
            continue
        if task.worker is not None:
            # (If it was not cancelled, the first one failed on its worker, which knows.)
            if failed or stopping is not None:
                _abandon(task, task.worker, stopping)
            tables.unassign(task)
        tables.move(task, FAILED)
        task.failure = failure
        failed.append(task)
        if state in UNFINISHED:
            for source in task.dependencies:
                source.needed_by_count -= 1
        for client in task.clients():
            client.outbox.erred(task.key, failure)
        if task.dependents is not None:
            todo.extend(one for one in task.dependents if one.state in UNFINISHED)
    for task in failed:
        tables.forgive(task)
        for source in task.dependencies:
            release(tables, source, stopping)
        release(tables, task, stopping)


def retry(tables: Tables, task: Task) -> None:
    """Bring a failed task, which is needed, on its way again, with the failed ones it needs."""
    todo = [task]
    while todo:
        failed = todo.pop()
        if failed.state is FAILED:
            failed.failure = None
            failed.retries_left = failed.options.retries
            tables.move(failed, RELEASED)
            todo.extend(failed.dependencies)
    begin(tables, task)


def requeue(tables: Tables, task: Task, delay_s: float = 0.0) -> None:
    """Take an assigned task off its worker and let it be tried again, after so many seconds."""
    tables.unassign(task)
    if task.missing_count:
        tables.move(task, WAITING)
    elif delay_s > 0:
        tables.rest(task, delay_s)
    else:
        tables.enqueue(task)


def lose(tables: Tables, task: Task) -> None:
    """Deal with a stored task that no worker holds any more: compute it again if it is needed."""
    assert task.holders is None
    if not task.is_needed():
        release(tables, task)
        return
    if task.kind is None:
        reason = f"{task.key!r} was put there by a client, and its last copy is gone"
        to_failed(tables, task, Failure(FailureKind.LOST, task.key, reason))
        return
    for client in task.clients():
        client.outbox.lost(task.key)
    for dependent in task.dependents or ():
        if dependent.state in UNFINISHED:
            dependent.missing_count += 1
            if dependent.missing_count == 1:
                tables.follow(dependent, 1)
            if dependent.state is QUEUED:
                tables.move(dependent, WAITING)
    tables.move(task, RELEASED)
    begin(tables, task)


def release(tables: Tables, task: Task, stopping: list[Stopping] | None = None) -> None:
    """Let go of a task, if nobody needs it, and then of what only it needed.

    Parameters
    ----------
    tables
        The scheduler's.
    task
        The task.
    stopping
        If given, what has a worker is to be interrupted there, and is added to it; else it may run
        to its end.
    """
    todo = [task]
    while todo:
        task = todo.pop()
        if task.needed_by_count or task.wanted_by is not None:
            continue
        state = task.state
        if state is FORGOTTEN:
            continue
        if state is STORED:
            for worker in task.holding_workers():
                worker.outbox.drop(task.key, task.attempt)
                tables.unhold(task, worker)
        elif task.worker is not None:
            _abandon(task, task.worker, stopping)
            tables.unassign(task)
        if state in UNFINISHED:
            for source in task.dependencies:
                source.needed_by_count -= 1
                if not source.needed_by_count:
                    todo.append(source)
        if state is not RELEASED:
            task.failure = None
            tables.move(task, RELEASED)
        if not task.dependents_count:
            todo.extend(_forget(tables, task))


def _abandon(task: Task, worker: Worker, stopping: list[Stopping] | None) -> None:
    """Tell a worker that nobody waits for what it was given."""
    worker.outbox.abandon(task.key, task.attempt, interrupt=stopping is not None)
    if stopping is not None:
        has_thread = task.options.executor == THREADS and task not in worker.seceded
        stopping.append(Stopping(task.key, task.attempt, worker, has_thread))


def _forget(tables: Tables, task: Task) -> list[Task]:
    """Take a released task without dependents out of the tables; return who may follow."""
    tables.move(task, FORGOTTEN)
    if tables.tasks.get(task.key) is task:
        del tables.tasks[task.key]
    tables.forgotten_count += 1
    tables.forgive(task)
    tables.broken.pop(task.key, None)
    # (The lists of its dependencies may keep the record for a while.)
    task.payload = b""
    kind = task.kind
    if kind is not None:
        kind.tasks_count -= 1
        if not kind.tasks_count and not kind.pinned_by:
            tables.forget_kind(kind)
    followers = []
    for source in task.dependencies:
        source.remove_dependent()
        if not source.dependents_count and source.state is RELEASED:
            followers.append(source)
    return followers


def want(tables: Tables, task: Task, client: Client) -> None:
    """Note that a client holds a future of a task; tell it what is known already."""
    client.wanted[task] = None
    task.want(client)
    if task.state is STORED:
        client.outbox.stored(task.key, task.nbytes, None)
        if tables.actors and task in tables.actors:
            client.outbox.placed(task, tables.actors[task])
    elif task.state is FAILED:
        assert task.failure is not None
        client.outbox.erred(task.key, task.failure)
    elif task.state is RELEASED:
        begin(tables, task)


def unwant(
    tables: Tables, task: Task, client: Client, stopping: list[Stopping] | None = None
) -> None:
    """Note that a client holds no future of a task any more; for the list see `release`."""
    client.wanted.pop(task, None)
    task.unwant(client)
    if task.wanted_by is None and not task.needed_by_count:
        release(tables, task, stopping)
