"""What it is expected to cost to bring inputs to a worker."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from hocket.scheduler.state.worker import BANDWIDTH_NBYTES_PER_S

if TYPE_CHECKING:
    from hocket.scheduler.state import Task, Worker

__all__ = ["LATENCY_S", "input_s", "transfer_s"]

#: What a request for data is expected to cost, however small.
LATENCY_S: Final = 0.0005


def input_s(source: Task) -> float:
    """Return how long one value takes to come, in seconds."""
    return LATENCY_S + source.nbytes / BANDWIDTH_NBYTES_PER_S


def transfer_s(task: Task, worker: Worker) -> float:
    """Return how long the inputs take to come that a worker lacks and others have, in seconds."""
    return sum(
        input_s(source)
        for source in task.dependencies
        if source.holders is not None and not source.is_held_by(worker)
    )
