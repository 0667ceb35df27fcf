"""Hocket's main job: four questions about 336,776 real flights, answered by a local cluster.

    python demo.py                 run, print the answers, check them, end
    python demo.py --workers 4     with so many workers
    python demo.py --keep          afterwards leave the cluster up until Ctrl-C
    python demo.py --picture FILE  draw part of the output as an SVG, too
    python demo.py --report FILE   write what the cluster did as an HTML file, too

Exit codes: 0 all answers equal those of plain pandas; 1 one differs; 2 something is missing;
130 Ctrl-C.
"""

from __future__ import annotations

import argparse
import io
import re
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

#: When this began, for those who want to know how soon there is something to see.
BEGAN_S = time.perf_counter()

try:
    from rich.console import Console
    from rich.table import Table

    import data
    import reference
    import tables
    from hocket.client import Client, performance_report, progress
    from hocket.deploy import LocalCluster
    from hocket.parquet import SharedWriter
    from plan import answer, load
except ModuleNotFoundError as missing:
    requirements = Path(__file__).with_name("requirements.txt")
    print(f"{missing}: pip install -r {requirements}", file=sys.stderr)
    sys.exit(2)


class Stages:
    """What was done, in how many tasks, and how long it took."""

    def __init__(self) -> None:
        self.rows: list[tuple[str, int, float]] = []

    @contextmanager
    def stage(self, name: str, tasks: int = 0, began: float | None = None) -> Iterator[None]:
        """Time what is done within, and since when it began."""
        began = time.perf_counter() if began is None else began
        yield
        self.rows.append((name, tasks, time.perf_counter() - began))

    def table(self) -> Table:
        """Return the stages as a table."""
        table = tables.new_table("Where the time went")
        table.add_column("stage")
        table.add_column("tasks", justify="right")
        table.add_column("seconds", justify="right")
        for name, tasks, seconds in self.rows:
            table.add_row(name, str(tasks) if tasks else "", f"{seconds:.2f}")
        return table


def run(
    cluster: LocalCluster,
    console: Console,
    stages: Stages,
    picture: Path | None = None,
    report: Path | None = None,
) -> int:
    """Answer the questions on a cluster, print and check the answers, return the exit code."""
    with (
        Client(cluster) as client,
        nullcontext() if report is None else performance_report(report, client),
        TemporaryDirectory(prefix="hocket-flights-") as dataset,
    ):
        with stages.stage("import pandas in each worker"):
            client.run(data.prepare)
        began = time.perf_counter()
        with SharedWriter(dataset, partition_on="month") as writer:
            loading = load(client, writer)
            workers = len(cluster.workers)
            console.print(f"{len(loading.tasks)} tasks in a graph that loads, {workers} workers")
            with stages.stage("write the flights as a dataset", len(loading.tasks), began):
                progress(loading.tasks, console=console)
                writer.commit(client.gather(loading.pieces))
        began = time.perf_counter()
        answering = answer(client, dataset, loading.tables)
        sizes = [path.stat().st_size for path in Path(dataset).rglob("*.parquet")]
        console.print(
            f"{len(answering.tasks)} tasks in a graph that answers, from {len(sizes)} files of"
            f" {sum(sizes) / 1e6:.1f} MB in all"
        )
        with stages.stage("answer the questions from it", len(answering.tasks), began):
            progress(answering.tasks, console=console)
            answers = dict(
                zip(answering.answers, client.gather(list(answering.answers.values())), strict=True)
            )
        began = time.perf_counter()
    if report is not None:
        with stages.stage("write the report", began=began):
            console.print(f"A report of what the cluster did: {report}")
    with stages.stage("read and answer in plain pandas, one process"):
        expected = reference.compute(data.folder())
    drawn = [*tables.draw(answers), stages.table()]
    for table in drawn:
        console.print()
        console.print(table)
    console.print()
    code = check(answers, expected, console)
    if picture is not None:
        canvas = Console(record=True, file=io.StringIO(), width=tables.WIDTH_MAX, highlight=False)
        for table in (drawn[0], drawn[2], drawn[-1]):
            canvas.print(table)
            canvas.print()
        check(answers, expected, canvas)
        # Rich names a font on the web; a picture should not fetch anything.
        svg = re.sub(
            r"@font-face \{.*?\}\s*", "", canvas.export_svg(title="make demo"), flags=re.DOTALL
        )
        picture.write_text(svg, encoding="utf-8")
    return code


def check(answers: dict[str, Any], expected: dict[str, Any], console: Console) -> int:
    """Compare all answers, tell what differs, and return the exit code."""
    faults = 0
    for name, table in answers.items():
        for fault in reference.differences(table, expected[name]):
            faults += 1
            console.print(f"The answer about {name} is wrong: {fault}", style="bold red")
    if not faults:
        count = reference.count_numbers(answers)
        console.print(f"All {count} numbers equal those of plain pandas.", style="bold green")
    return 1 if faults else 0


def wait_for_interrupt(cluster: LocalCluster, console: Console) -> None:
    """Say where the cluster is, and return at Ctrl-C."""
    try:
        console.print(f"\nThe scheduler is at {cluster.address}; Ctrl-C ends it.")
        if cluster.dashboard_link:
            console.print(f"Its pages are at {cluster.dashboard_link}")
        threading.Event().wait()
    except KeyboardInterrupt:
        console.print("\nEnded.")


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description="Four questions about 336,776 real flights, answered by a local cluster."
    )
    parser.add_argument("--keep", action="store_true", help="leave the cluster up until Ctrl-C")
    parser.add_argument("--workers", type=int, default=2, metavar="N", help="how many (default: 2)")
    parser.add_argument("--picture", type=Path, metavar="FILE", help="draw the output as an SVG")
    parser.add_argument("--report", type=Path, metavar="FILE", help="write a report as HTML")
    options = parser.parse_args(arguments)
    if options.workers < 1:
        parser.error(f"--workers {options.workers}: it takes one worker at least")
    return options


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the demo and return the exit code."""
    options = parse(arguments)
    console = Console(highlight=False)
    console.width = min(console.width, tables.WIDTH_MAX)
    try:
        data.folder()
    except ModuleNotFoundError as missing:
        requirements = Path(__file__).with_name("requirements.txt")
        print(f"{missing}: pip install -r {requirements}", file=sys.stderr)
        return 2
    stages = Stages()
    console.print(
        "Hocket: four questions about the flights that left New York in 2013", style="bold"
    )
    try:
        with stages.stage(f"start a scheduler and {options.workers} workers"):
            cluster = LocalCluster(n_workers=options.workers, threads_per_worker=1)
        with cluster:
            if cluster.dashboard_link:
                live_s = time.perf_counter() - BEGAN_S
                console.print(
                    f"Watch it at {cluster.dashboard_link} (after {live_s:.1f} s)", style="bold"
                )
            if options.report is not None:
                options.report.parent.mkdir(parents=True, exist_ok=True)
            code = run(cluster, console, stages, options.picture, options.report)
            if options.keep:
                wait_for_interrupt(cluster, console)
    except KeyboardInterrupt:
        console.print("\nInterrupted.")
        return 130
    return code


if __name__ == "__main__":
    sys.exit(main())
