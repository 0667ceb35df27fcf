"""What the scheduler's decisions cost, by number of workers and shape of graph, beside dask's.

``python scale.py [--tasks N] [--workers A,B] [--graphs A,B] [--rounds N] [--tables A,B] [--no-dask]
[--profile K] [--markdown FILE]``. The real machine alone on one core, its workers simulated: they
answer at once. Every figure is made by a process of its own; see ``scale_machine.py`` and
``scale_dask.py`` for what they count.

The tables: CPU per task by graph and workers, with the machine (taking in, deciding, releasing) and
the codec (what the scheduler's process pays besides) apart; the same where turns are small, as at
a low load, so that what a turn costs by itself shows; memory per task, traced object by object,
while the futures of all tasks are held and after their release; dask's scheduler with the same
graphs, and the ratios.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))

from apart import PEERS_PYTHON
from graphs import SCALE_SHAPES

TIMEOUT_S = 3_600
#: Reports between two turns where turns are small.
SMALL_TURN_PEERS = 8
#: Of memory, and for dask, fewer tasks do: the figures are per task.
MEMORY_TASKS_MAX = 50_000

Figures = dict[str, float]


class Printer:
    """Prints lines as they come, and keeps them."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def say(self, line: str = "") -> None:
        """Print a line."""
        self.lines.append(line)
        print(line, flush=True)

    def row(self, *cells: object) -> None:
        """Print a row of a table."""
        self.say("| " + " | ".join(map(str, cells)) + " |")

    def head(self, *names: str, texts: int = 1) -> None:
        """Print the head of a table whose first columns hold texts."""
        self.row(*names)
        self.say("|" + "---|" * texts + "---:|" * (len(names) - texts))


def run(program: str, *, python: str = sys.executable, **plan: Any) -> Figures:
    """Run one measurement in a process of its own."""
    done = subprocess.run(
        [python, str(HERE / program), json.dumps(plan)],
        stdout=subprocess.PIPE,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
        env={**os.environ, "PYTHONWARNINGS": "ignore", "PYTHONHASHSEED": "0"},
    )
    if done.returncode:
        raise SystemExit(f"{program} failed with {plan}")
    figures: Figures = json.loads(done.stdout.splitlines()[-1])
    return figures


def us(figures: Figures, *names: str) -> float:
    """Return microseconds per task: the sum of these."""
    return sum(figures[name] for name in names) / figures["tasks"] * 1e6


def total_us(figures: Figures) -> float:
    """Return what a task costs the machine, from its submission to its release."""
    return us(figures, "run_s", "release_s")


def time_table(printer: Printer, options: argparse.Namespace) -> None:
    """Print the cost per task."""
    printer.head(
        "graph", "workers", "tasks", "tasks/s", "us a task", "of it release", "codec", "growth"
    )
    for graph in options.graphs:
        best: dict[int, Figures] = {}
        # (Rounds outside, so that the machine's moods meet all numbers of workers.)
        for _ in range(options.rounds):
            for workers in options.workers:
                plan = {"graph": graph, "tasks": options.tasks, "workers": workers}
                figures = run("scale_machine.py", **plan, profile=options.profile)
                other = best.get(workers)
                if other is None or total_us(figures) < total_us(other):
                    best[workers] = figures
        for workers, figures in best.items():
            total = total_us(figures)
            printer.row(
                graph,
                f"{workers:,}",
                f"{figures['tasks']:,}",
                f"{1e6 / total:,.0f}",
                f"{total:.2f}",
                f"{us(figures, 'release_s'):.2f}",
                f"{us(figures, 'codec_s'):.2f}",
                f"{total / total_us(best[options.workers[0]]):.2f}",
            )


def small_turns_table(printer: Printer, options: argparse.Namespace) -> None:
    """Print the cost per task where little happens between two turns."""
    printer.say()
    printer.say(f"With at most {SMALL_TURN_PEERS} workers' reports between two turns:")
    printer.say()
    printer.head("graph", "workers", "tasks", "turns", "us a task", "growth")
    for graph in options.graphs[:2]:
        first = 0.0
        for workers in options.workers:
            figures = run(
                "scale_machine.py",
                graph=graph,
                tasks=min(options.tasks, MEMORY_TASKS_MAX),
                workers=workers,
                turn_peers=SMALL_TURN_PEERS,
            )
            total = total_us(figures)
            first = first or total
            printer.row(
                graph,
                f"{workers:,}",
                f"{figures['tasks']:,}",
                f"{figures['turns']:,}",
                f"{total:.2f}",
                f"{total / first:.2f}",
            )


def memory_table(printer: Printer, options: argparse.Namespace) -> None:
    """Print bytes per task."""
    printer.say()
    printer.say(
        "Bytes per task in the scheduler, with the futures of all tasks held (traced: of objects"
        " alive; resident: of the process):"
    )
    printer.say()
    printer.head(
        "engine", "graph", "measure", "tasks", "submitted", "held", "left after release", texts=3
    )
    for engine in ["hocket", "dask"] if options.dask else ["hocket"]:
        tasks = options.tasks if engine == "hocket" else options.dask_tasks
        for graph in options.graphs:
            for how in ("traced", "resident"):
                count = min(tasks, MEMORY_TASKS_MAX) if how == "traced" else tasks
                figures = run_engine(engine, graph=graph, tasks=count, workers=100, memory=how)
                kinds = ("submitted", "held", "left")
                cells = [f"{figures[f'{one}_nbytes'] / figures['tasks']:,.0f}" for one in kinds]
                printer.row(engine, graph, how, f"{figures['tasks']:,}", *cells)


def run_engine(engine: str, **plan: Any) -> Figures:
    """Measure hocket's scheduler or dask's."""
    if engine == "hocket":
        return run("scale_machine.py", **plan)
    return run("scale_dask.py", python=str(PEERS_PYTHON), **plan)


def dask_table(printer: Printer, options: argparse.Namespace) -> None:
    """Print both engines' cost per task with the same graphs, in turn, and the ratio."""
    printer.say()
    printer.say(
        "dask's scheduler and hocket's machine in turn, both without their wire, in us a task:"
    )
    printer.say()
    printer.head(
        "graph", "workers", "tasks", "dask", "of it taking in", "release", "hocket", "dask / hocket"
    )
    for graph in options.graphs:
        for workers in options.dask_workers:
            plan = {"graph": graph, "tasks": options.dask_tasks, "workers": workers}
            theirs = run_engine("dask", **plan)
            ours = total_us(run_engine("hocket", **plan))
            total = us(theirs, "take_s", "run_s", "release_s")
            printer.row(
                graph,
                f"{workers:,}",
                f"{theirs['tasks']:,}",
                f"{total:.1f}",
                f"{us(theirs, 'take_s'):.1f}",
                f"{us(theirs, 'release_s'):.1f}",
                f"{ours:.1f}",
                f"{total / ours:.1f}",
            )


def numbers(text: str) -> list[int]:
    """Read numbers with commas between them."""
    return [int(one) for one in text.split(",")]


def main() -> None:
    """Measure, and print the tables."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--tasks", type=int, default=100_000)
    parser.add_argument("--workers", type=numbers, default=[10, 100, 1_000, 10_000])
    parser.add_argument("--graphs", type=lambda text: text.split(","), default=list(SCALE_SHAPES))
    parser.add_argument("--rounds", type=int, default=1, help="of each row the best of so many")
    parser.add_argument("--tables", default="time,small,memory,dask", help="which to print")
    parser.add_argument("--no-dask", dest="dask", action="store_false")
    parser.add_argument("--dask-tasks", type=int, default=20_000)
    parser.add_argument("--dask-workers", type=numbers, default=[10, 100, 1_000])
    parser.add_argument("--profile", type=int, default=0, metavar="K", help="show K functions")
    parser.add_argument("--markdown", help="write the tables to this file, too")
    options = parser.parse_args()
    if options.dask and not PEERS_PYTHON.exists():
        print("left out: dask (run `python tools/do.py bench scale`)")
        options.dask = False
    printer = Printer()
    printer.say(f"Python {platform.python_version()}, CPU time of one core.")
    printer.say()
    tables = options.tables.split(",")
    if "time" in tables:
        time_table(printer, options)
    if "small" in tables:
        small_turns_table(printer, options)
    if "memory" in tables:
        memory_table(printer, options)
    if options.dask and "dask" in tables:
        dask_table(printer, options)
    if options.markdown:
        Path(options.markdown).write_text("\n".join(printer.lines) + "\n")


if __name__ == "__main__":
    main()
