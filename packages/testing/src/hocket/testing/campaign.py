"""Many runs: what was seen in all of them, and the first that failed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from hocket.scheduler.moves import TRANSITIONS
from hocket.scheduler.state import TaskState
from hocket.testing.simulation import STEPS_DEFAULT, Report, simulate

__all__ = ["Tally", "run_seeds"]


@dataclass(slots=True)
class Tally:
    """What many runs add up to.

    Attributes
    ----------
    results
        What clients were told, by kind.
    transitions
        How often each move of a task was made.
    faults
        In how many histories each fault was on.
    failed
        The report of the failed run with the least seed.
    """

    histories_count: int = 0
    steps_count: int = 0
    tasks_count: int = 0
    results: Counter[str] = field(default_factory=Counter)
    transitions: Counter[tuple[TaskState, TaskState]] = field(default_factory=Counter)
    faults: Counter[str] = field(default_factory=Counter)
    failed: Report | None = None

    def add(self, report: Report) -> None:
        """Count one run."""
        self.histories_count += 1
        self.steps_count += report.steps_count
        self.tasks_count += report.tasks_count
        self.results.update(report.results)
        self.transitions.update(report.transitions)
        self.faults.update(report.swarm.faults.names())
        if report.finding is not None:
            self._note_failed(report)

    def merge(self, other: Tally) -> None:
        """Count the runs of another as well."""
        self.histories_count += other.histories_count
        self.steps_count += other.steps_count
        self.tasks_count += other.tasks_count
        self.results.update(other.results)
        self.transitions.update(other.transitions)
        self.faults.update(other.faults)
        if other.failed is not None:
            self._note_failed(other.failed)

    def _note_failed(self, report: Report) -> None:
        if self.failed is None or report.seed < self.failed.seed:
            self.failed = report

    @property
    def missed(self) -> list[tuple[TaskState, TaskState]]:
        """The moves of the table that were never made."""
        moves = ((one.source, one.target) for one in TRANSITIONS)
        return [move for move in moves if not self.transitions[move]]

    def totals(self) -> str:
        """Return in a sentence what was run."""
        told = ", ".join(f"{count} {kind}" for kind, count in sorted(self.results.items()))
        return (
            f"{self.histories_count} histories of {self.steps_count} events and"
            f" {self.tasks_count} tasks; clients were told: {told or 'nothing'}"
        )

    def coverage(self) -> str:
        """Return how often each row of the table of transitions was taken."""
        taken_count = len(TRANSITIONS) - len(self.missed)
        lines = [f"{taken_count} of {len(TRANSITIONS)} transitions were taken"]
        lines += [
            f"  {self.transitions[one.source, one.target]:>9,} "
            f" {one.source} -> {one.target} ({one.cause})"
            for one in TRANSITIONS
        ]
        return "\n".join(lines)


def run_seeds(
    seeds: Iterable[int], steps: int = STEPS_DEFAULT, workers_count: int | None = None
) -> Tally:
    """Run these seeds, up to the first that fails."""
    tally = Tally()
    for seed in seeds:
        report = simulate(seed, steps=steps, workers_count=workers_count)
        tally.add(report)
        if report.finding is not None:
            break
    return tally
