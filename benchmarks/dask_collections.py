"""Collections of dask on hocket and on dask.distributed: the same code in turn, in one run.

``python benchmarks/dask_collections.py [--rounds N] [--workloads A,B] [--engines X,Y]
[--markdown FILE]``. Each measurement is a process tree of its own: a cluster of two workers of one
thread and a client, on which the collection is made and computed; starting it, and a first small
computation that loads the modules, are not measured. dask.distributed comes from the environment of
the peers (``tools/do.py bench dask_collections`` makes it), or from this one.

The engine ``dask-tasks`` is dask.distributed with shuffles and rechunks in tasks, which is what
hocket runs, instead of its own p2p.
"""

from __future__ import annotations

import argparse
import contextlib
import gc
import json
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from apart import engines_there, print_table, run_apart

WORKERS = 2


# ------------------------------------------------------------------------ workloads


def array_elementwise() -> Any:
    """900 chunks of 40 x 40: elementwise, transposed, reduced along one axis."""
    import dask.array as da

    x = da.ones((1200, 1200), chunks=(40, 40))
    return (x + x.T).sum(axis=0).compute()


def array_rechunk() -> Any:
    """400 chunks cut anew, 2,600 tasks."""
    import dask.array as da

    x = da.ones((1000, 1000), chunks=(50, 50))
    return x.rechunk((25, 100)).mean(axis=1).compute()


def array_overlap() -> Any:
    """225 chunks that need the edges of their neighbours."""
    import dask.array as da

    x = da.ones((600, 600), chunks=(40, 40))
    return x.map_overlap(_smooth, depth=1).sum().compute()


def _smooth(block: Any) -> Any:
    return block + 1


def frame_groupby() -> Any:
    """200 partitions of 500 rows: filter, column, groupby."""
    frame = _frame(100_000, 200)
    kept = frame[frame.value > 0.1]
    return kept.assign(twice=kept.value * 2).groupby("key").twice.mean().compute()


def frame_shuffle() -> Any:
    """40 partitions of 500 rows, shuffled by key: 1,700 tasks."""
    return _frame(20_000, 40).shuffle("key").map_partitions(len).compute()


def frame_merge() -> Any:
    """Two frames of 30 partitions of 200 rows, joined by key."""
    left, right = _frame(6_000, 30), _frame(6_000, 30, keys=10_000)
    return left.merge(right, on="key").value_x.sum().compute()


def frame_set_index() -> Any:
    """30 partitions of 500 rows, sorted by value."""
    return _frame(15_000, 30).set_index("value").key.sum().compute()


def bag_frequencies() -> Any:
    """500 partitions of 20 items: map, filter, frequencies."""
    import dask.bag as db

    numbers = db.from_sequence(range(10_000), npartitions=500)
    return numbers.map(_third).filter(_is_even).frequencies(split_every=8).compute()


def _third(number: int) -> int:
    return number % 30


def _is_even(number: int) -> bool:
    return not number % 2


def delayed_tree() -> Any:
    """A tree of 2,047 calls."""
    import operator

    from dask import delayed

    level = [delayed(operator.neg)(-number) for number in range(1024)]
    add = delayed(operator.add)
    while len(level) > 1:
        level = [add(one, other) for one, other in zip(level[::2], level[1::2], strict=True)]
    return level[0].compute()


def array_matmul() -> Any:
    """Random matrices of 4,000 x 4,000 in 16 chunks, multiplied."""
    import dask.array as da

    x = da.random.default_rng(1).random((4000, 4000), chunks=(1000, 1000))
    return (x @ x.T).sum().compute()


def array_large_rechunk() -> Any:
    """400 MB of random numbers, from rows to columns."""
    import dask.array as da

    x = da.random.default_rng(1).random((5000, 10_000), chunks=(500, 10_000))
    return x.rechunk((5000, 1000)).std(axis=0).compute()


def array_large_result() -> Any:
    """A result of 320 MB, brought to the client."""
    import dask.array as da

    return (da.ones((5000, 8000), chunks=(1000, 1000)) + 1).compute()


def frame_large_groupby() -> Any:
    """8 partitions of 1,000,000 rows, grouped."""
    return _made(8, 1_000_000).groupby("key").value.agg(["mean", "std"]).compute()


def frame_large_merge() -> Any:
    """8 partitions of 250,000 rows, joined with as many by key."""
    left, right = _made(8, 250_000), _made(8, 25_000)
    return left.merge(right, on="key").value_x.sum().compute()


def frame_large_set_index() -> Any:
    """8 partitions of 500,000 rows, sorted."""
    return _made(8, 500_000).set_index("value").key.sum().compute()


def _frame(rows: int, partitions: int, keys: int = 1000) -> Any:
    import dask.dataframe as dd
    import numpy as np
    import pandas as pd

    numbers = np.arange(rows)
    table = pd.DataFrame({"key": numbers * 7919 % keys, "value": numbers * 31 % 997 / 997})
    return dd.from_pandas(table, npartitions=partitions)


def _made(partitions: int, rows: int) -> Any:
    """Return a frame that workers make."""
    import dask.dataframe as dd

    return dd.from_map(_make_rows, range(partitions), rows=rows)


def _make_rows(number: int, rows: int) -> Any:
    import numpy as np
    import pandas as pd

    random = np.random.default_rng(number)
    return pd.DataFrame({"key": random.integers(0, 200_000, rows), "value": random.random(rows)})


@dataclass(frozen=True)
class Workload:
    """What is measured, and whether its tasks are small."""

    run: Callable[[], Any]
    is_small: bool = True


WORKLOADS = {
    "array-elementwise": Workload(array_elementwise),
    "array-rechunk": Workload(array_rechunk),
    "array-overlap": Workload(array_overlap),
    "frame-groupby": Workload(frame_groupby),
    "frame-shuffle": Workload(frame_shuffle),
    "frame-merge": Workload(frame_merge),
    "frame-set-index": Workload(frame_set_index),
    "bag-frequencies": Workload(bag_frequencies),
    "delayed-tree": Workload(delayed_tree),
    "array-matmul": Workload(array_matmul, is_small=False),
    "array-large-rechunk": Workload(array_large_rechunk, is_small=False),
    "array-large-result": Workload(array_large_result, is_small=False),
    "frame-large-groupby": Workload(frame_large_groupby, is_small=False),
    "frame-large-merge": Workload(frame_large_merge, is_small=False),
    "frame-large-set-index": Workload(frame_large_set_index, is_small=False),
}


# ------------------------------------------------------------------------ one measurement


def start_hocket() -> tuple[Any, Any]:
    """Return a cluster and a client that dask computes with."""
    from hocket.client import Client
    from hocket.deploy import LocalCluster

    cluster = LocalCluster(WORKERS, 1)
    return cluster, Client(cluster, set_as_default=True)


def start_dask() -> tuple[Any, Any]:
    """Return the same of dask.distributed."""
    from distributed import Client, LocalCluster

    cluster = LocalCluster(
        n_workers=WORKERS, threads_per_worker=1, dashboard_address=None, silence_logs=50
    )
    return cluster, Client(cluster)


def measure(engine: str, name: str) -> dict[str, float]:
    """Run one workload on one engine; return seconds, and those of all processors."""
    import dask

    if engine == "dask-tasks":
        dask.config.set({"dataframe.shuffle.method": "tasks", "array.rechunk.method": "tasks"})
    cluster, client = start_hocket() if engine == "hocket" else start_dask()
    _frame(20, 4).groupby("key").value.sum().compute()
    array_overlap()
    workload = WORKLOADS[name]
    gc.collect()
    before_s, start_s = _processors_s(), time.perf_counter()
    workload.run()
    wall_s = time.perf_counter() - start_s
    processors_s = _processors_s() - before_s
    # What a peer says at its end is no part of the measurement.
    with contextlib.suppress(TimeoutError):
        client.close()
        cluster.close()
    return {"wall_s": wall_s, "processors_s": processors_s}


def _processors_s() -> float:
    """Return the seconds that processors worked for this process and all below it."""
    import psutil

    this = psutil.Process()
    times = [one.cpu_times() for one in (this, *this.children(recursive=True))]
    return float(sum(one.user + one.system for one in times))


# ------------------------------------------------------------------------ the table


def row_of(name: str, engines: list[str], rounds: int) -> str:
    """Measure a workload on all engines in turn; return its row of the table."""
    found: dict[str, list[dict[str, float]]] = {engine: [] for engine in engines}
    for _ in range(rounds):
        for engine in engines:
            arguments = ("--one", engine, name)
            found[engine].append(run_apart(engine, __file__, *arguments))
    others = [one for one in engines if one != "hocket" and "hocket" in engines]
    cells = []
    for measured in ("wall_s", "processors_s"):
        medians = {
            engine: statistics.median(one[measured] for one in results)
            for engine, results in found.items()
        }
        cells += [f"{medians[engine]:.2f}" for engine in engines]
        cells += [f"{medians[one] / medians['hocket']:.2f}" for one in others]
    size = "small" if WORKLOADS[name].is_small else "large"
    return f"| {name} | {size} | " + " | ".join(cells) + " |"


def main() -> None:
    """Run everything and print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--workloads", default=",".join(WORKLOADS))
    parser.add_argument("--engines", default="hocket,dask,dask-tasks")
    parser.add_argument("--markdown", help="write the table to this file, too")
    parser.add_argument("--one", nargs=2, metavar=("ENGINE", "WORKLOAD"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        print(json.dumps(measure(*options.one)))
        return
    engines = engines_there(options.engines)
    ratios = [f"{one} / hocket" for one in engines if one != "hocket" and "hocket" in engines]
    columns = ["workload", "tasks", *engines, *ratios]
    columns += [f"{one}, processors" for one in [*engines, *ratios]]
    print_table(
        f"{WORKERS} workers of one thread; seconds, medians of {options.rounds} rounds, in turn;"
        " those on the clock, then those of all processors",
        columns,
        options.workloads.split(","),
        lambda name: row_of(name, engines, options.rounds),
        options.markdown,
    )


if __name__ == "__main__":
    main()
