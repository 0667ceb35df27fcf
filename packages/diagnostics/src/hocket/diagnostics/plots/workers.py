"""The page of workers: a table, each row a link to the worker's own pages."""

from __future__ import annotations

from collections.abc import Iterable

from hocket.diagnostics.model import ClusterModel
from hocket.diagnostics.visuals import Row, page, table

__all__ = ["workers"]

page("workers", "Workers", order=20, text="A name leads to the worker's own pages.")


@table(
    "Workers",
    {
        "worker": "Worker",
        "host": "Host",
        "pid": "Process",
        "threads": "Threads",
        "cpu": "CPU, cores",
        "memory_nbytes": "Memory",
        "memory_limit_nbytes": "Limit",
        "managed_nbytes": "Results",
        "spilled_nbytes": "On disk",
        "held": "Keys held",
        "running": "Running",
        "ready": "Ready",
        "waiting": "Waiting",
        "finished": "Ended",
        "failed": "Failed",
        "received_nbytes_per_s": "In",
        "sent_nbytes_per_s": "Out",
        "loop_lag_s": "Loop lag",
        "paused": "Paused",
        "resources": "Resources",
    },
    on="workers",
    text="Ended and failed count executions while this page, or any other, was open.",
)
def workers(model: ClusterModel, words: str) -> Iterable[Row]:
    """The workers that are there."""
    del words
    for record in model.alive:
        row = record.to_row()
        row["memory_limit_nbytes"] = row["memory_limit_nbytes"] or None
        yield row
