"""What is known of each worker, group, client and route: one record each, kept up to date."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final

from hocket.protocol.messages.feed import (
    GroupCounted,
    TaskEnded,
    TaskOutcome,
    WorkerCame,
    WorkerSampled,
)

__all__ = ["PHASES", "ClientRecord", "GroupRecord", "RouteRecord", "WorkerRecord"]

#: The phases of an execution, in order; of each, `TaskEnded` has the seconds.
PHASES: Final = ("waiting", "fetching", "ready", "deserialising", "running", "storing")


@dataclass(slots=True)
class WorkerRecord:
    """A worker: who it is, how it was last, and what it has done.

    Attributes
    ----------
    came
        What it said of itself.
    sample
        How it was last; None: not known yet.
    paused
        Whether it is short of memory.
    gone
        Why it is no longer there; empty: it is.
    finished, failed
        Executions that ended while somebody watched.
    busy_s
        How long these ran.
    """

    came: WorkerCame
    sample: WorkerSampled | None = None
    paused: bool = False
    gone: str = ""
    finished: int = 0
    failed: int = 0
    busy_s: float = 0.0

    @property
    def name(self) -> str:
        """Its name."""
        return self.came.worker

    @property
    def slots(self) -> int:
        """How many tasks run at once on its threads."""
        return max(self.came.threads, 1)

    def to_row(self) -> dict[str, Any]:
        """Return what a table of workers shows."""
        came, sample = self.came, self.sample
        row: dict[str, Any] = {
            "worker": came.worker,
            "address": came.address,
            "host": came.host,
            "pid": came.pid,
            "dashboard": came.dashboard.removesuffix("login"),
            "threads": came.threads,
            "paused": self.paused,
            "resources": ", ".join(f"{name} {amount:g}" for name, amount in came.resources.items()),
            "memory_limit_nbytes": came.memory_limit,
            "finished": self.finished,
            "failed": self.failed,
        }
        for name in (
            "cpu",
            "memory_nbytes",
            "managed_nbytes",
            "spilled_nbytes",
            "running",
            "ready",
            "waiting",
            "held",
            "loop_lag_s",
            "fds",
            "received_nbytes_per_s",
            "sent_nbytes_per_s",
        ):
            row[name] = None if sample is None else getattr(sample, name)
        return row


@dataclass(slots=True)
class GroupRecord:
    """The tasks of one function.

    Attributes
    ----------
    name
        What people call the function.
    counted
        Where its tasks stand, as the scheduler said last.
    number
        It was the so many-th to appear, counted from 0; its colour follows from this.
    executions, failed
        Executions that ended while somebody watched.
    nbytes
        Size of their results.
    phases_s
        Seconds in each of `PHASES`.
    longest_s
        The longest that one ran.
    """

    name: str
    number: int
    counted: GroupCounted | None = None
    executions: int = 0
    failed: int = 0
    nbytes: int = 0
    phases_s: list[float] = field(default_factory=lambda: [0.0] * len(PHASES))
    longest_s: float = 0.0

    def add(self, event: TaskEnded) -> None:
        """Count an execution."""
        self.executions += 1
        self.failed += event.outcome is TaskOutcome.FAILED
        self.nbytes += event.nbytes
        phases_s = self.phases_s
        phases_s[0] += event.waiting_s
        phases_s[1] += event.fetching_s
        phases_s[2] += event.ready_s
        phases_s[3] += event.deserialising_s
        phases_s[4] += event.running_s
        phases_s[5] += event.storing_s
        self.longest_s = max(self.longest_s, event.running_s)

    def to_row(self) -> dict[str, Any]:
        """Return what a table of groups shows."""
        counted = self.counted
        row: dict[str, Any] = {"group": self.name}
        for state in ("waiting", "queued", "assigned", "stored", "failed", "finished"):
            row[state] = 0 if counted is None else getattr(counted, state)
        row["executions"] = self.executions
        row["failed_executions"] = self.failed
        row["mean_s"] = self.phases_s[4] / self.executions if self.executions else None
        row["longest_s"] = self.longest_s if self.executions else None
        row["nbytes"] = self.nbytes
        row.update((f"{phase}_s", value) for phase, value in self.phases())
        return row

    def phases(self) -> Iterator[tuple[str, float]]:
        """Yield the name of each phase and the seconds spent in it."""
        return zip(PHASES, self.phases_s, strict=True)


@dataclass(slots=True)
class ClientRecord:
    """A client that is connected."""

    name: str
    number: int
    since_s: float

    def to_row(self) -> dict[str, Any]:
        """Return what a table of clients shows."""
        return {"client": self.name, "number": self.number, "since_s": self.since_s}


@dataclass(slots=True)
class RouteRecord:
    """What went from one worker to another while somebody watched."""

    source: str
    target: str
    transfers: int = 0
    nbytes: int = 0
    duration_s: float = 0.0
    errors: int = 0

    @property
    def nbytes_per_s(self) -> float:
        """The mean bandwidth of its transfers."""
        return self.nbytes / self.duration_s if self.duration_s > 0 else 0.0

    def to_row(self) -> dict[str, Any]:
        """Return what a table of routes shows."""
        return {
            "source": self.source,
            "target": self.target,
            "transfers": self.transfers,
            "nbytes": self.nbytes,
            "duration_s": self.duration_s,
            "nbytes_per_s": self.nbytes_per_s,
            "errors": self.errors,
        }
