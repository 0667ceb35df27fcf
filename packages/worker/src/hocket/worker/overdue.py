"""Tasks that have run too long: what is done about them, as functions on the tables.

A task whose time is over is to be interrupted, which the shell tries. If it ends soon after, be it
by that or by itself, it has failed and its slot is free. If it does not, it has failed as well, but
what it reserved stays with it until its thread is done with it: nobody can take that away. (It is
interrupted again and again, though.)
"""

from __future__ import annotations

from typing import Final

from hocket.protocol.messages import Failure, FailureKind
from hocket.worker.cancelled import say_goes_on
from hocket.worker.state import Interrupt, Task
from hocket.worker.tables import Tables
from hocket.worker.transitions import remove

__all__ = ["look_at_deadlines", "timed_out"]

_INTERRUPTED: Final = "it was interrupted"
_ENDED: Final = "it was not interrupted before it ended by itself"


def look_at_deadlines(tables: Tables, now_s: float) -> None:
    """Do what is to be done about tasks that have run too long."""
    for task, interrupted_s in tables.deadlines.due(now_s):
        tables.commands.append(Interrupt(task))
        if tables.tasks.get(task.key) is not task:
            say_goes_on(tables, task, interrupted_s)
        elif interrupted_s:
            remove(tables, task)
            outcome = (
                f"it cannot be interrupted where it is, and keeps its slot on {tables.name!r} until"
                " it comes to an end by itself"
            )
            failure = _failure(tables, task, outcome)
            duration_s = task.terms.timeout_s + interrupted_s
            tables.outbox.failed(task.key, task.attempt, now_s - duration_s, duration_s, failure)


def timed_out(tables: Tables, task: Task, duration_s: float) -> Failure | None:
    """Take note that a task with a limit is over; return its failure if it ran too long."""
    if tables.deadlines.ended(task):
        return _failure(tables, task, _INTERRUPTED)
    if duration_s > task.terms.timeout_s:
        return _failure(tables, task, _ENDED)
    return None


def _failure(tables: Tables, task: Task, outcome: str) -> Failure:
    text = f"{task.terms.timeout_s!r}\n{outcome}"
    return Failure(FailureKind.TIMED_OUT, task.key, text, b"", tables.name, task.attempt)
