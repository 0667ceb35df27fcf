"""Demands: what is queued, told to those who start workers."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Final

from hocket.protocol.messages import DemandDescription

if TYPE_CHECKING:
    from hocket.scheduler.state.queue import Queue
    from hocket.scheduler.tables import Tables

__all__ = ["describe_demands"]

#: Kinds of demands that are told; whoever has more is told of more once these have run.
_DEMANDS_MAX: Final = 100
#: Tasks of a kind whose durations stand for all.
_LOOKED_AT_MAX: Final = 50
_WORKERS_MAX: Final = 20


def describe_demands(tables: Tables) -> list[DemandDescription]:
    """Return what is queued, by what it asks of a worker."""
    waiting = (queue for queue in tables.queues.values() if queue.live_count)
    return [_describe(queue) for queue in islice(waiting, _DEMANDS_MAX)]


def _describe(queue: Queue) -> DemandDescription:
    options = queue.options
    durations_s = []
    for _, task in islice(queue.entries, _LOOKED_AT_MAX):
        kind = task.kind
        if kind is not None and kind.measured_count and queue.is_live(task):
            durations_s.append(kind.duration_s)
    workers = [] if options.allow_other_workers else list(options.workers[:_WORKERS_MAX])
    return DemandDescription(
        queue.live_count,
        sum(durations_s) / len(durations_s) if durations_s else 0.0,
        dict(options.resources),
        workers,
        options.executor,
    )
