"""Calls of actors on hocket and on dask.distributed: the same code in turn, in one run.

``python benchmarks/actors.py [--rounds N] [--workloads A,B] [--markdown FILE]``. Each measurement
is a process tree of its own: a cluster of two workers of one thread and a client, and one actor
that counts; starting it, and a first call, are not measured. dask.distributed comes from the
environment of the peers (``tools/do.py bench actors`` makes it), or from this one.
"""

from __future__ import annotations

import argparse
import contextlib
import gc
import json
import statistics
import time
from collections.abc import Callable
from typing import Any

from apart import engines_there, print_table, run_apart

TIMEOUT_S = 300
WORKERS = 2

#: Calls of the workloads that count them; fewer for a peer that would take minutes.
CALLS = {"hocket": 20_000, "dask": 1_000}
LATENCIES = {"hocket": 1_000, "dask": 300}
BIG_NBYTES = 1 << 20


class Counter:
    """What all of them call."""

    def __init__(self) -> None:
        self.count = 0
        self.steps: list[int] = []

    def add(self, step: int) -> int:
        """Count."""
        self.count += step
        return self.count

    def note(self, step: int) -> None:
        """Remember."""
        self.steps.append(step)

    def noted(self) -> list[int]:
        """Return what was remembered, in order."""
        return self.steps

    def echo(self, data: bytes) -> bytes:
        """Return what came."""
        return data


# ------------------------------------------------------------------------ workloads


def latency(_engine: str, actor: Any) -> float:
    """One call and its result, one after the other: the median in microseconds."""
    seconds = []
    for _ in range(LATENCIES[_engine]):
        start_s = time.perf_counter()
        actor.add(1).result()
        seconds.append(time.perf_counter() - start_s)
    return statistics.median(seconds) * 1e6


def calls(engine: str, actor: Any) -> float:
    """Calls made without waiting for each, then all results: calls a second."""
    count = CALLS[engine]
    start_s = time.perf_counter()
    answers = [actor.add(1) for _ in range(count)]
    for one in answers:
        one.result()
    return count / (time.perf_counter() - start_s)


def megabytes(_engine: str, actor: Any) -> float:
    """One call with 1 MiB there and back, one after the other: the median in microseconds."""
    data = bytes(BIG_NBYTES)
    seconds = []
    for _ in range(50):
        start_s = time.perf_counter()
        actor.echo(data).result()
        seconds.append(time.perf_counter() - start_s)
    return statistics.median(seconds) * 1e6


def disorder(_engine: str, actor: Any) -> float:
    """Of 300 calls made without waiting, how many came out of order."""
    answers = [actor.note(number) for number in range(300)]
    for one in answers:
        one.result()
    steps = actor.noted().result()
    return float(sum(1 for place, step in enumerate(steps) if place != step))


WORKLOADS: dict[str, tuple[str, Callable[[str, Any], float]]] = {
    "latency": ("us", latency),
    "calls": ("calls/s", calls),
    "1 MiB": ("us", megabytes),
    "out of order": ("of 300", disorder),
}


# ------------------------------------------------------------------------ engines


def start_hocket() -> tuple[Any, Any, Any]:
    """Start hocket."""
    from hocket.client import Client
    from hocket.deploy import LocalCluster

    cluster = LocalCluster(WORKERS, 1)
    client = Client(cluster)
    return cluster, client, client.actor(Counter)


def start_dask() -> tuple[Any, Any, Any]:
    """Start dask.distributed."""
    from distributed import Client, LocalCluster

    cluster = LocalCluster(
        n_workers=WORKERS, threads_per_worker=1, dashboard_address=None, silence_logs=50
    )
    client = Client(cluster)
    return cluster, client, client.submit(Counter, actor=True).result()


def measure(engine: str, name: str) -> float:
    """Run one workload on one engine."""
    cluster, client, actor = start_hocket() if engine == "hocket" else start_dask()
    actor.add(0).result()
    gc.collect()
    figure = WORKLOADS[name][1](engine, actor)
    del actor
    # What a peer says at its end is no part of the measurement.
    with contextlib.suppress(TimeoutError):
        client.close()
        cluster.close()
    return figure


# ------------------------------------------------------------------------ the table


def row_of(name: str, engines: list[str], rounds: int) -> str:
    """Measure a workload on all engines in turn; return its row of the table."""
    found: dict[str, list[float]] = {engine: [] for engine in engines}
    for _ in range(rounds):
        for engine in engines:
            arguments = ("--one", engine, name)
            found[engine].append(run_apart(engine, __file__, *arguments, timeout_s=TIMEOUT_S))
    medians = {engine: statistics.median(figures) for engine, figures in found.items()}
    cells = [f"{medians[engine]:,.0f}" for engine in engines]
    if "dask" in medians and "hocket" in medians:
        ratio = medians["hocket"] / medians["dask"] if medians["dask"] else 1.0
        cells.append(f"{ratio:.3g}")
    return f"| {name} | {WORKLOADS[name][0]} | " + " | ".join(cells) + " |"


def main() -> None:
    """Run everything and print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--workloads", default=",".join(WORKLOADS))
    parser.add_argument("--engines", default="hocket,dask")
    parser.add_argument("--markdown", help="write the table to this file, too")
    parser.add_argument("--one", nargs=2, metavar=("ENGINE", "WORKLOAD"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        print(json.dumps(measure(*options.one)))
        return
    engines = engines_there(options.engines)
    columns = ["workload", "unit", *engines]
    if len(engines) > 1:
        columns.append("hocket / dask")
    print_table(
        f"{WORKERS} workers of one thread; medians of {options.rounds} rounds, in turn",
        columns,
        options.workloads.split(","),
        lambda name: row_of(name, engines, options.rounds),
        options.markdown,
    )


if __name__ == "__main__":
    main()
