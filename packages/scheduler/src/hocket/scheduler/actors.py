"""Actors: tasks whose value lives on one worker, and is never made again unasked.

An actor is a task of the executor ``actors``. Its attempt is its incarnation: calls name it, so
that none reaches another one than was meant. The calls themselves do not come here; callers are
told where an actor is, and go there. What is stored under the key is a small value that stands for
the actor. It may be copied like any value; the actor itself is where the attempt was run, and
nowhere else.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from hocket.protocol.messages import Failure, FailureKind
from hocket.scheduler.state import Actor
from hocket.scheduler.transitions import lose, release, to_failed

if TYPE_CHECKING:
    from hocket.protocol.messages import ActorSaved
    from hocket.scheduler.state import Task, Worker
    from hocket.scheduler.tables import Tables

__all__ = ["actors_of", "lose_actor", "save", "unsaved_on"]


def save(tables: Tables, worker: Worker, message: ActorSaved) -> None:
    """Keep a checkpoint, if it is of the present incarnation of an actor of this worker."""
    task = tables.tasks.get(message.key)
    if task is None or task.attempt != message.attempt:
        return
    actor = tables.actors.get(task)
    if actor is not None and actor.home is worker:
        # It has done something since it was made: what killed it before is behind it.
        actor.deaths.clear()
    elif task.worker is not worker:
        return
    if actor is None:
        actor = tables.actors[task] = Actor()
    actor.state = message.state
    actor.callers = message.callers
    actor.numbers = message.numbers
    worker.outbox.kept(message.key, message.attempt, message.serial)


def actors_of(worker: Worker) -> list[Task]:
    """Return the actors that live on a worker."""
    return [task for task in worker.actors if task.worker is None]


def unsaved_on(tables: Tables, worker: Worker) -> list[Task]:
    """Return those actors of a worker that would be lost with it."""
    return [task for task in actors_of(worker) if tables.actors[task].state is None]


def lose_actor(tables: Tables, task: Task, worker: Worker, reason: str) -> None:
    """Deal with an actor whose worker is gone: restart it from its checkpoint, or give it up."""
    actor = tables.actors[task]
    for holder in task.holding_workers():
        holder.outbox.drop(task.key, task.attempt)
        tables.unhold(task, holder)
    if not task.is_needed():
        release(tables, task)
        return
    if not worker.leaving:
        actor.deaths.append(reason)
    if actor.state is None or len(actor.deaths) >= tables.limits.allowed_failures_count:
        reason = "; ".join(actor.deaths) or reason
        failure = Failure(FailureKind.ACTOR_LOST, task.key, reason, b"", worker.name, task.attempt)
        to_failed(tables, task, failure)
        return
    for client in task.clients():
        client.outbox.restarting(task.key, task.attempt, reason)
    lose(tables, task)
    # (Losing it forgets what is known of it, as for tasks that are let go of.)
    tables.actors[task] = actor
