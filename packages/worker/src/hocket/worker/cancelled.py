"""Tasks that run and were cancelled: interrupted, again and again, and reported truthfully.

Nobody waits for such a task any more, but the scheduler wants to know what becomes of it: whether
it ended when it was interrupted, or by itself, or goes on since it cannot be interrupted where it
is. One that goes on keeps its slot and what it reserved, until its thread is done with it.
"""

from __future__ import annotations

from hocket.protocol.messages import CancelOutcome
from hocket.worker.state import Interrupt, Task
from hocket.worker.tables import Tables

__all__ = ["interrupt_cancelled", "say_end", "say_goes_on"]


def interrupt_cancelled(tables: Tables, task: Task, now_s: float) -> None:
    """Have a running task interrupted that is not in the table any more."""
    tables.deadlines.cancelled(task, now_s)
    tables.commands.append(Interrupt(task))


def say_goes_on(tables: Tables, task: Task, interrupted_s: float) -> None:
    """Report, once, that a cancelled task runs on although it was interrupted a while ago."""
    if tables.deadlines.is_late(task, interrupted_s):
        tables.outbox.interrupted(task.key, task.attempt, CancelOutcome.GOES_ON)


def say_end(tables: Tables, task: Task, *, by_itself: bool) -> None:
    """Report that a task which nobody waits for is over, if it was cancelled."""
    if tables.deadlines.cancelled_ended(task):
        outcome = CancelOutcome.ENDED if by_itself else CancelOutcome.INTERRUPTED
        tables.outbox.interrupted(task.key, task.attempt, outcome)
