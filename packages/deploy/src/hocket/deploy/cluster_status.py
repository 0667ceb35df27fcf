"""What people want to see of a cluster at a glance, as rows of text; pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from hocket.core.units import format_bytes, format_seconds

__all__ = ["HEADINGS", "WorkerRow", "rows_of", "summary_of"]

#: Of the columns that `WorkerRow.cells` returns.
HEADINGS: Final = (
    "worker",
    "host",
    "pid",
    "threads",
    "tasks",
    "held",
    "data",
    "limit",
    "leaves in",
    "offers",
)


@dataclass(frozen=True, slots=True)
class WorkerRow:
    """One worker."""

    name: str
    host: str
    pid: int
    threads: int
    assigned: int
    held: int
    held_nbytes: int
    memory_limit: int
    resources: Mapping[str, float]
    leaves_in_s: float | None = None

    def cells(self) -> tuple[str, ...]:
        """Return the text of each column."""
        offers = {name: each for name, each in self.resources.items() if name != "memory"}
        return (
            self.name,
            self.host,
            str(self.pid),
            str(self.threads),
            f"{self.assigned:,}",
            f"{self.held:,}",
            format_bytes(self.held_nbytes),
            format_bytes(self.memory_limit) if self.memory_limit else "none",
            "" if self.leaves_in_s is None else format_seconds(self.leaves_in_s),
            ", ".join(f"{name}: {amount:g}" for name, amount in offers.items()),
        )


def rows_of(facts: Mapping[str, Any]) -> list[WorkerRow]:
    """Return the workers that `hocket.client.Client.scheduler_info` tells of, by name."""
    rows = [
        WorkerRow(
            name=one["name"],
            host=one["host"],
            pid=one["pid"],
            threads=one["nthreads"],
            assigned=one["assigned"],
            held=one["held"],
            held_nbytes=one["held_nbytes"],
            memory_limit=one["memory_limit"],
            resources=one["resources"],
            leaves_in_s=one["leaves_in_s"],
        )
        for one in facts["workers"].values()
    ]
    return sorted(rows, key=lambda row: row.name)


def summary_of(rows: Sequence[WorkerRow]) -> str:
    """Return one line about all workers."""
    hosts = len({row.host for row in rows})
    if not rows:
        return "no workers; hocket worker starts some"
    return (
        f"{len(rows):,} worker{'s' * (len(rows) != 1)} on {hosts:,} host{'s' * (hosts != 1)},"
        f" {sum(row.threads for row in rows):,} threads;"
        f" {sum(row.assigned for row in rows):,} tasks given out,"
        f" {sum(row.held for row in rows):,} values of"
        f" {format_bytes(sum(row.held_nbytes for row in rows))} held"
    )
