"""The rings that pages read: their columns, and how many rows each keeps.

Names end in their unit: ``_s`` seconds (``time_s``, ``start_s``: since the epoch), ``_nbytes``
bytes, ``_nbytes_per_s`` bytes a second. A rate of -1 could not be measured.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, NamedTuple

from hocket.diagnostics.model.rings import ColumnRing, EventRing, Kind, Ring
from hocket.protocol.messages.feed import TaskOutcome

__all__ = ["TABLES", "Table", "make_rings"]


class Table(NamedTuple):
    """What a ring holds.

    Attributes
    ----------
    doc
        What one row is.
    rows_max
        Rows kept.
    columns
        Kinds by name, in order.
    """

    doc: str
    rows_max: int
    columns: dict[str, Kind]


TABLES: Final[dict[str, Table]] = {
    "tasks": Table(
        "One execution of a task that is over, with its phases.",
        30_000,
        {
            "key": "text",
            "attempt": "integer",
            "group": "text",
            "worker": "text",
            "outcome": "text",
            "start_s": "float",
            "running_s": "float",
            "nbytes": "integer",
            "lane": "integer",
            "executor": "text",
            "waiting_s": "float",
            "fetching_s": "float",
            "ready_s": "float",
            "deserialising_s": "float",
            "storing_s": "float",
            "error": "text",
        },
    ),
    "moves": Table(
        "A task came from one of the scheduler's states into another.",
        20_000,
        {
            "time_s": "float",
            "key": "text",
            "attempt": "integer",
            "group": "text",
            "source": "text",
            "target": "text",
            "worker": "text",
        },
    ),
    "transfers": Table(
        "One request for data, and its answer.",
        20_000,
        {
            "start_s": "float",
            "duration_s": "float",
            "nbytes": "integer",
            "source": "text",
            "target": "text",
            "count": "integer",
            "key": "text",
            "error": "text",
        },
    ),
    "spills": Table(
        "A result went from memory to disk, or was read back.",
        10_000,
        {
            "start_s": "float",
            "duration_s": "float",
            "nbytes": "integer",
            "worker": "text",
            "key": "text",
            "step": "text",
            "error": "text",
        },
    ),
    "recalls": Table(
        "A task was asked back from a loaded worker, or the answer came.",
        10_000,
        {
            "time_s": "float",
            "key": "text",
            "attempt": "integer",
            "group": "text",
            "worker": "text",
            "step": "text",
        },
    ),
    "failures": Table(
        "An execution that failed, with the first line of its error.",
        2_000,
        {
            "time_s": "float",
            "key": "text",
            "attempt": "integer",
            "group": "text",
            "worker": "text",
            "error": "text",
        },
    ),
    "lines": Table(
        "A line that a worker or the scheduler (an empty name) logged or printed.",
        5_000,
        {
            "time_s": "float",
            "worker": "text",
            "level": "text",
            "logger": "text",
            "text": "text",
            "key": "text",
        },
    ),
    "topics": Table(
        "Something that a client or a task said about a topic.",
        5_000,
        {
            "time_s": "float",
            "topic": "text",
            "source": "text",
            "key": "text",
            "text": "text",
        },
    ),
    "happenings": Table(
        "A worker or a client came, went, or paused.",
        5_000,
        {"time_s": "float", "what": "text", "who": "text", "text": "text"},
    ),
    "worker_samples": Table(
        "How a worker was at a time.",
        40_000,
        {
            "time_s": "float",
            "worker": "text",
            "cpu": "float",
            "memory_nbytes": "integer",
            "managed_nbytes": "integer",
            "spilled_nbytes": "integer",
            "running": "integer",
            "ready": "integer",
            "waiting": "integer",
            "held": "integer",
            "loop_lag_s": "float",
            "fds": "integer",
            "received_nbytes_per_s": "float",
            "sent_nbytes_per_s": "float",
            "transfers": "integer",
            "network_in_nbytes_per_s": "float",
            "network_out_nbytes_per_s": "float",
            "disk_read_nbytes_per_s": "float",
            "disk_written_nbytes_per_s": "float",
        },
    ),
    "gpu_samples": Table(
        "How a GPU of a worker was at a time, whoever used it.",
        20_000,
        {
            "time_s": "float",
            "worker": "text",
            "gpu": "text",
            "model": "text",
            "busy_part": "float",
            "memory_nbytes": "integer",
            "memory_limit_nbytes": "integer",
        },
    ),
    "scheduler_samples": Table(
        "How the scheduler was at a time.",
        8_000,
        {
            "time_s": "float",
            "cpu": "float",
            "memory_nbytes": "integer",
            "fds": "integer",
            "loop_lag_s": "float",
            "turns_per_s": "float",
            "messages_in_per_s": "float",
            "messages_out_per_s": "float",
            "events_per_s": "float",
            "tasks": "integer",
            "queued": "integer",
            "workers": "integer",
            "clients": "integer",
            "observers": "integer",
        },
    ),
    "rates": Table(
        "What the whole cluster did in a short time.",
        8_000,
        {
            "time_s": "float",
            "finished_per_s": "float",
            "failed_per_s": "float",
            "running": "integer",
            "ready": "integer",
            "waiting": "integer",
            "memory_nbytes": "integer",
            "managed_nbytes": "integer",
            "spilled_nbytes": "integer",
            "cpu": "float",
            "transferred_nbytes_per_s": "float",
        },
    ),
}


_OUTCOMES: Final = {outcome: outcome.name.lower() for outcome in TaskOutcome}
#: Tables that keep events as they are, since these are many; and what makes a column of one where
#: that is no attribute.
_OF_EVENTS: Final[dict[str, dict[str, Callable[[Any], Any]]]] = {
    "tasks": {"outcome": lambda event: _OUTCOMES[event.outcome]},
    "moves": {},
}


def make_rings() -> dict[str, Ring]:
    """Return an empty ring for each table, by name."""
    return {
        name: EventRing(table.columns, table.rows_max, _OF_EVENTS[name])
        if name in _OF_EVENTS
        else ColumnRing(table.columns, table.rows_max)
        for name, table in TABLES.items()
    }
