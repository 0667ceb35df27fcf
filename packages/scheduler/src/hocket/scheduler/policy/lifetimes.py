"""Lifetimes: no worker is given a task that is not expected to end before the worker leaves.

Workers in jobs of a batch system know when they are killed, and tell when they leave, some time
before that. How long a task runs is learnt from those of its class that have ended; a time-out is
the most that it can be. Of what is not known nothing is expected, so that it can be learnt: such a
task goes to anybody who is not about to leave. If it was cut short there, it is not tried again
where it would be cut short as well.
"""

from __future__ import annotations

from math import log2
from typing import TYPE_CHECKING, Final

from hocket.protocol.messages import THREADS
from hocket.scheduler.state.worker import ENDLESS_S

if TYPE_CHECKING:
    from hocket.scheduler.state import Task, Worker
    from hocket.scheduler.tables import Tables

__all__ = ["begins_in_s", "length_of", "needed_s", "outlasts"]

#: One that was cut short is taken to need so many times as long as it had run.
_CUT_FACTOR: Final = 1.25
#: What is expected is a mean, and a task may well be shorter: one that seems to take longer than
#: any worker lasts that fits may try on one that has so much of the longest life before it, unless
#: it seems to take more than so many times that.
_FRESH_PART: Final = 0.9
_DOUBT_FACTOR: Final = 2.0
#: With so many tasks for each thread they are not looked at one by one; they must be short.
_FEW_MAX: Final = 8


def needed_s(tables: Tables, task: Task) -> float:
    """Return how long a worker must last for a task, in seconds; 0: nothing is known of that."""
    options, kind = task.options, task.kind
    expected_s = 0.0
    fresh_s = tables.life_s_max(options) * _FRESH_PART
    if kind is not None and kind.measured_count:
        expected_s = kind.duration_s
        if options.timeout_s:
            expected_s = min(expected_s, options.timeout_s)
    elif options.timeout_s <= fresh_s:
        # It may be much less; but somebody will have so much time.
        expected_s = options.timeout_s
    if fresh_s < expected_s <= fresh_s * _DOUBT_FACTOR:
        expected_s = fresh_s
    if options.ran_s:
        expected_s = max(expected_s, options.ran_s * _CUT_FACTOR)
    return expected_s


def outlasts(tables: Tables, worker: Worker, task: Task, load_s: float | None = None) -> bool:
    """Tell whether a worker is expected to end a task before it leaves.

    Parameters
    ----------
    tables
        The scheduler's.
    worker
        Which.
    task
        That it would be given.
    load_s
        Until it could begin, in seconds; None: when its worker has ended what it has.
    """
    if worker.leaves_s == ENDLESS_S:
        return True
    if load_s is None:
        load_s = begins_in_s(tables, worker, task)
    return tables.now_s + load_s + needed_s(tables, task) <= worker.leaves_s


def begins_in_s(tables: Tables, worker: Worker, task: Task) -> float:
    """Return in how many seconds a worker could begin a task, by what is known now.

    (What its tasks were expected to take when it got them may have been a guess.)
    """
    options, now_s = task.options, tables.now_s
    if options.executor != THREADS or len(worker.assigned) > _FEW_MAX * worker.threads:
        return worker.load_for_s(options, now_s)
    load_s = 0.0
    if not worker.free_threads_count:
        for other in worker.assigned:
            if other not in worker.seceded:
                ran_s = now_s - worker.begun.get(other, now_s)
                load_s += max(0.0, tables.expected_s(other) - ran_s)
        load_s /= worker.threads
    for name in options.resources:
        if name in worker.reserved:
            load_s = max(load_s, worker.reserved[name][1] / worker.resources[name])
    return load_s


def length_of(tables: Tables, task: Task) -> int:
    """Return among which of the long tasks one stands: of one length all are about as long.

    They have queues of their own, so that those for which no worker lasts long enough keep no
    shorter ones waiting. Less than 0: not even a fresh one does, so that they keep nobody waiting.
    """
    needed, long_s = needed_s(tables, task), tables.limits.long_s
    length = 1 + int(log2(needed / long_s)) if needed >= long_s else 0
    is_hopeless = needed > tables.life_s_max(task.options) * _FRESH_PART
    return -1 - length if is_hopeless else length
