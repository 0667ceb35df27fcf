"""``python -m hocket.testing``: tell the story of one seed, or run many.

    python -m hocket.testing --seed 7 [--steps 500] [--workers 3]
    python -m hocket.testing --seeds 1000 [--start 0] [--steps 500] [--workers 3]

The first prints each event of one run; the second runs many and tells which seed fails first. Both
exit with 1 when a rule is broken.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections import Counter

from hocket.scheduler.state import TaskState
from hocket.scheduler.transitions import TRANSITIONS
from hocket.testing.simulation import STEPS_DEFAULT, Report, simulate

__all__ = ["main"]


def main(arguments: list[str] | None = None) -> int:
    """Do what the command line says; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m hocket.testing", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--seed", type=int, help="tell the story of this one seed")
    which.add_argument("--seeds", type=int, help="run this many seeds (default: 100)")
    parser.add_argument("--start", type=int, default=0, help="the first of many seeds")
    parser.add_argument("--steps", type=int, default=STEPS_DEFAULT, help="events before all heals")
    parser.add_argument("--workers", type=int, default=None, help="number of workers")
    options = parser.parse_args(arguments)
    if options.seed is not None:
        return _tell(options.seed, options.steps, options.workers)
    count = 100 if options.seeds is None else options.seeds
    seeds = range(options.start, options.start + count)
    return _run_many(seeds, options.steps, options.workers)


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")


def _processor_s() -> float:
    """Return the processor time that was used: it tells more of a simulator than a clock does."""
    return os.times().user


def _tell(seed: int, steps: int, workers_count: int | None) -> int:
    report = simulate(seed, steps=steps, workers_count=workers_count, listener=_say)
    if report.finding is not None:
        # The trace stands above already.
        _say("\n".join(report.describe().splitlines()[-5:]))
        return 1
    _say(_totals([report]))
    return 0


def _run_many(seeds: range, steps: int, workers_count: int | None) -> int:
    began_s = _processor_s()
    reports: list[Report] = []
    failed: Report | None = None
    for seed in seeds:
        report = simulate(seed, steps=steps, workers_count=workers_count)
        report.trace, trace = [], report.trace
        reports.append(report)
        if report.finding is not None:
            report.trace, failed = trace, report
            break
    _say(_totals(reports))
    rate = len(reports) / max(_processor_s() - began_s, 1e-3) * 60
    _say(f"{rate:,.0f} histories a minute of processor time")
    seen: Counter[tuple[TaskState, TaskState]] = Counter()
    for report in reports:
        seen.update(report.transitions)
    missed = [one for one in TRANSITIONS if not seen[one.source, one.target]]
    _say(f"{len(TRANSITIONS) - len(missed)} of {len(TRANSITIONS)} transitions were taken")
    for one in missed:
        _say(f"  not taken: {one.source} -> {one.target} ({one.cause})")
    if failed is not None:
        _say("")
        _say(failed.describe())
        return 1
    return 0


def _totals(reports: list[Report]) -> str:
    results: Counter[str] = Counter()
    for report in reports:
        results.update(report.results)
    steps_count = sum(report.steps_count for report in reports)
    tasks_count = sum(report.tasks_count for report in reports)
    told = ", ".join(f"{count} {kind}" for kind, count in sorted(results.items()))
    return (
        f"{len(reports)} histories of {steps_count} events and {tasks_count} tasks;"
        f" clients were told: {told or 'nothing'}"
    )


if __name__ == "__main__":
    sys.exit(main())
