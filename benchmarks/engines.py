"""hocket against its peers: the same workloads in turn, in one run, as medians and ratios.

``python benchmarks/engines.py [--rounds N] [--workloads A,B] [--engines X,Y] [--scale F]
[--markdown FILE]``. The peers live in an environment of their own, which ``tools/do.py bench
engines`` makes; without it they are left out with a word.
"""

from __future__ import annotations

import argparse
import os
import platform
import statistics
import sys
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))

from apart import engines_there, run_apart
from workloads import MEMORY_LIMIT, WORKERS, WORKLOADS

#: dask takes its time; it runs this share of the tasks (rates do not depend on it much).
PEER_SHARE = {"dask": 0.2, "dask-eager": 0.2}


def run_once(engine: str, workload: str, n: int) -> dict[str, Any]:
    """Run one workload on one engine in a process of its own."""
    result: dict[str, Any] = run_apart(engine, str(HERE / "workloads.py"), engine, workload, str(n))
    return result


def show(figure: float, unit: str) -> str:
    """Format a figure for the table."""
    if unit == "s":
        return f"{figure:.2f} s"
    return f"{figure:.3f}" if unit == "x ideal" else f"{figure:,.0f}"


def show_peaks(rounds: list[list[float]]) -> str:
    """Format the peaks of the workers' memory: the worst round, as parts of the limit."""
    if not rounds:
        return "-"
    worst = max(rounds)
    restarts = f" ({len(worst) - WORKERS} restarted)" if len(worst) > WORKERS else ""
    return ", ".join(f"{100 * one:.0f} %" for one in worst) + restarts


class Rounds:
    """The results of one workload, by engine."""

    def __init__(self, workload: str, engines: list[str], rounds: int, scale: float) -> None:
        known = WORKLOADS.get(workload)
        self.workload = workload
        self.engines = engines
        self.unit = known.unit if known else "s"
        self.results: dict[str, list[dict[str, Any]]] = {one: [] for one in engines}
        n = max(1, int(known.n * scale)) if known else 1
        for _ in range(rounds):
            for engine in engines:
                if known is None or engine not in known.left_out:
                    share = PEER_SHARE.get(engine, 1.0) if self.unit == "tasks/s" else 1.0
                    result = run_once(engine, workload, max(1, int(n * share)))
                    self.results[engine].append(result)

    def _row(self, cells: list[str]) -> str:
        return f"| {self.workload} | " + " | ".join(cells) + " |"

    def figures(self) -> str:
        """Return the row of the medians."""
        medians = {
            one: statistics.median(each["figure"] for each in rounds)
            for one, rounds in self.results.items()
            if rounds
        }
        cells = [show(medians[one], self.unit) if one in medians else "-" for one in self.engines]
        is_compared = "dask" in medians and "hocket" in medians
        ratio = f"{medians['hocket'] / medians['dask']:.3g}" if is_compared else "-"
        return self._row([self.unit, *cells, ratio])

    def cpu(self) -> str | None:
        """Return the row of the CPU time per task, if it was measured."""
        cells = []
        for one in self.engines:
            found = [each["cpu_us"] for each in self.results[one] if each["cpu_us"] is not None]
            cells.append(f"{statistics.median(found):.0f}" if found else "-")
        return self._row(cells) if set(cells) != {"-"} else None

    def peaks(self) -> str | None:
        """Return the row of the workers' peak memory in the worst round, if it was limited."""
        cells = []
        for one in self.engines:
            worst: list[float] = max((each["peak_parts"] for each in self.results[one]), default=[])
            restarted = f" ({len(worst) - WORKERS} restarted)" if len(worst) > WORKERS else ""
            cells.append(", ".join(f"{100 * each:.0f} %" for each in worst) + restarted or "-")
        return self._row(cells) if set(cells) != {"-"} else None


def table_of(title: str, columns: list[str], rows: list[str | None], texts: int = 1) -> list[str]:
    """Return a table with its title, or nothing if it has no rows."""
    found = [row for row in rows if row is not None]
    if not found:
        return []
    rule = "|" + "---|" * texts + "---:|" * (len(columns) - texts)
    return [title, "", "| " + " | ".join(columns) + " |", rule, *found, ""]


def main() -> None:
    """Run everything and print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--workloads", default="start-up," + ",".join(WORKLOADS))
    parser.add_argument("--engines", default="hocket,dask,dask-eager,pool")
    parser.add_argument("--scale", type=float, default=1.0, help="share of the usual task counts")
    parser.add_argument("--markdown", help="write the table to this file, too")
    options = parser.parse_args()
    engines = engines_there(options.engines)
    measured = []
    for workload in options.workloads.split(","):
        measured.append(Rounds(workload, engines, options.rounds, options.scale))
        print(measured[-1].figures(), flush=True)
    title = (
        f"{WORKERS} workers of one thread, {os.cpu_count()} cores, Python"
        f" {platform.python_version()}; medians of {options.rounds} rounds, in turn."
    )
    figures = [each.figures() for each in measured]
    lines = table_of(title, ["workload", "unit", *engines, "hocket / dask"], [*figures], 2)
    title = "CPU per task over all processes of the run, in microseconds:"
    lines += table_of(title, ["workload", *engines], [each.cpu() for each in measured])
    title = (
        f"The most memory that each worker's process had resident, of its limit of"
        f" {MEMORY_LIMIT >> 20} MiB (the worst round):"
    )
    lines += table_of(title, ["workload", *engines], [each.peaks() for each in measured])
    table = "\n".join(lines).rstrip()
    print("\n" + table)
    if options.markdown:
        Path(options.markdown).write_text(table + "\n")


if __name__ == "__main__":
    main()
