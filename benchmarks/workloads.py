"""The workloads: each runs on one engine and returns its figure.

Run as a program (``python workloads.py ENGINE WORKLOAD N``) it prints one JSON object: ``figure``,
the CPU time per task over all processes of the run, and for a workload with a memory limit the
most that each worker's process had resident, as a part of that limit.
"""

from __future__ import annotations

import json
import operator
import os
import resource
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))

from adapters import ENGINES, Engine, NeutralGraph, Ref
from memory import peak_nbytes

WORKERS = 2
clock = time.perf_counter


def empty_tasks(engine: Engine, n: int) -> float:
    """Tasks per second: an importable function of one argument, mapped and gathered."""
    return _mapped(engine, operator.pos, n)


def empty_lambda(engine: Engine, n: int) -> float:
    """Tasks per second: the same with a lambda from ``__main__``, as in a notebook."""
    return _mapped(engine, lambda x: x, n)


def _mapped(engine: Engine, function: Callable[[int], int], n: int) -> float:
    engine.gather(engine.map(operator.neg, range(200)))
    start = clock()
    out = engine.gather(engine.map(function, range(n)))
    wall = clock() - start
    assert out == list(range(n))
    return n / wall


def latency(engine: Engine, n: int) -> float:
    """Median microseconds of one submit and its result, one after the other."""
    for one in range(100):
        engine.gather([engine.submit(operator.neg, -one)])
    times = []
    for one in range(n):
        start = clock()
        (value,) = engine.gather([engine.submit(operator.neg, one)])
        times.append(clock() - start)
        assert value == -one
    times.sort()
    return times[n // 2] * 1e6


def chains(engine: Engine, n: int) -> float:
    """Tasks per second of one graph: 100 chains."""
    graph: dict[Any, Any] = {}
    length = n // 100
    for chain in range(100):
        graph["c", chain, 0] = (operator.neg, (chain,))
        for link in range(1, length):
            graph["c", chain, link] = (operator.add, (Ref(("c", chain, link - 1)), 1))
    keys = [("c", chain, length - 1) for chain in range(100)]
    return _computed(engine, graph, keys, [-chain + length - 1 for chain in range(100)])


def tree(engine: Engine, n: int) -> float:
    """Tasks per second of one graph: a binary tree of additions."""
    graph: dict[Any, Any] = {}
    leaves = n // 2
    layer: list[Any] = []
    for leaf in range(leaves):
        graph["leaf", leaf] = (operator.pos, (leaf,))
        layer.append(("leaf", leaf))
    depth = 0
    while len(layer) > 1:
        depth += 1
        above: list[Any] = []
        for one in range(0, len(layer) - 1, 2):
            key = ("node", depth, one)
            graph[key] = (operator.add, (Ref(layer[one]), Ref(layer[one + 1])))
            above.append(key)
        if len(layer) % 2:
            above.append(layer[-1])
        layer = above
    return _computed(engine, graph, layer, [leaves * (leaves - 1) // 2])


def _computed(engine: Engine, graph: NeutralGraph, keys: list[Any], expected: list[Any]) -> float:
    engine.gather(engine.map(operator.neg, range(200)))
    start = clock()
    out = engine.get(graph, keys)
    wall = clock() - start
    assert list(out) == expected, (out, expected)
    return len(graph) / wall


def start_up(name: str) -> float:
    """Seconds from before the import of the engine to its first result."""
    start = clock()
    engine = ENGINES[name]()
    engine.start(WORKERS)
    assert engine.gather([engine.submit(operator.neg, 1)]) == [-1]
    wall = clock() - start
    engine.close()
    return wall


def shuffle(engine: Engine, n: int) -> float:
    """Tasks per second: every one of k makers is read by every one of k readers (n = k * k)."""
    k = int(n**0.5)
    graph: dict[Any, Any] = {}
    for one in range(k):
        graph["make", one] = (operator.pos, (one,))
        for two in range(k):
            graph["part", one, two] = (operator.add, (Ref(("make", one)), two))
    for two in range(k):
        graph["join", two] = (_sum, tuple(Ref(("part", one, two)) for one in range(k)))
    expected = [sum(range(k)) + k * two for two in range(k)]
    return _computed(engine, graph, [("join", two) for two in range(k)], expected)


def _sum(*parts: int) -> int:
    return sum(parts)


def skewed(engine: Engine, n: int) -> float:
    """Makespan over the ideal one: tasks of 1 to 50 ms whose inputs all lie on one worker."""
    random = Random(0)  # noqa: S311 - not for secrets
    durations = [random.uniform(0.001, 0.05) for _ in range(n)]
    inputs = engine.put_on_one([random.randbytes(10_000) for _ in range(n)])
    engine.gather(engine.map(operator.neg, range(200)))
    time.sleep(0.2)
    start = clock()
    out = engine.gather(engine.map(_sleep_over, inputs, durations))
    wall = clock() - start
    assert out == [10_000] * n
    return wall / (sum(durations) / WORKERS)


def _sleep_over(data: bytes, duration_s: float) -> int:
    time.sleep(duration_s)
    return len(data)


#: Of each worker, where memory is short.
MEMORY_LIMIT = 512 * 2**20
_BLOCK_NBYTES = 16 * 2**20


def reduction(engine: Engine, n: int) -> float:
    """Seconds: a tree of additions of n arrays of 16 MiB, three times what all workers may use."""
    graph: dict[Any, Any] = {}
    layer: list[Any] = []
    for leaf in range(n):
        graph["load", leaf] = (_load_block, (leaf,))
        layer.append(("load", leaf))
    depth = 0
    while len(layer) > 1:
        depth += 1
        above: list[Any] = []
        for one in range(0, len(layer) - 1, 2):
            key = ("sum", depth, one)
            graph[key] = (operator.add, (Ref(layer[one]), Ref(layer[one + 1])))
            above.append(key)
        layer = above + layer[len(layer) - len(layer) % 2 :]
    graph["first"] = (_first, (Ref(layer[0]),))
    start = clock()
    (out,) = engine.get(graph, ["first"])
    wall = clock() - start
    assert out == n * (n - 1) / 2
    return wall


def _load_block(number: int) -> Any:
    import numpy as np

    time.sleep(0.02)  # (As if it came from a disk.)
    return np.full(_BLOCK_NBYTES // 8, float(number))


def _first(block: Any) -> float:
    return float(block[0])


@dataclass(frozen=True)
class Workload:
    """What to run, how often, and what the figure is."""

    function: Callable[[Engine, int], float]
    n: int
    unit: str
    #: Of each worker, in bytes; None: as the engine has it.
    memory_limit: int | None = None
    #: Engines that cannot run it, or not in bearable time.
    left_out: tuple[str, ...] = ()


WORKLOADS: dict[str, Workload] = {
    "empty-tasks": Workload(empty_tasks, 50_000, "tasks/s"),
    "empty-lambda": Workload(empty_lambda, 50_000, "tasks/s", left_out=("pool",)),
    "latency": Workload(latency, 1_000, "us"),
    "chains": Workload(chains, 10_000, "tasks/s", left_out=("pool",)),
    "tree": Workload(tree, 16_000, "tasks/s", left_out=("pool",)),
    "shuffle": Workload(shuffle, 4_096, "tasks/s", left_out=("pool",)),
    "skewed": Workload(skewed, 400, "x ideal"),
    "reduction": Workload(
        reduction,
        3 * WORKERS * MEMORY_LIMIT // _BLOCK_NBYTES,
        "s",
        MEMORY_LIMIT,
        left_out=("pool", "dask-eager"),
    ),
}


class PeakWatch:
    """Reads the peak memory of an engine's workers, of those as well that are restarted."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._peaks: dict[int, int] = {}
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def stop(self) -> list[int]:
        """Return the most bytes that each process had resident, highest first."""
        self._stop.set()
        self._thread.join()
        self._look()
        return sorted(self._peaks.values(), reverse=True)

    def _run(self) -> None:
        while not self._stop.wait(0.1):
            self._look()

    def _look(self) -> None:
        for pid in self._engine.worker_pids():
            try:
                self._peaks[pid] = peak_nbytes(pid)
            except OSError:
                # (It is over; what it had last is known.)
                continue


def _cpu_s() -> float:
    """CPU seconds so far of this process and every process below it."""
    own = resource.getrusage(resource.RUSAGE_SELF)
    total = own.ru_utime + own.ru_stime
    tick = os.sysconf("SC_CLK_TCK")
    for stat in _descendants(os.getpid()):
        total += (int(stat[11]) + int(stat[12])) / tick
    return total


def _descendants(root: int) -> Iterator[list[str]]:
    stats: dict[int, list[str]] = {}
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
            stats[int(entry.name)] = fields
            children.setdefault(int(fields[1]), []).append(int(entry.name))
    todo = [root]
    while todo:
        for pid in children.get(todo.pop(), ()):
            todo.append(pid)
            yield stats[pid]


def main() -> None:
    """Run one workload on one engine."""
    name, workload = sys.argv[1], sys.argv[2]
    n = int(sys.argv[3])
    if workload == "start-up":
        print(json.dumps({"figure": start_up(name), "cpu_us": None, "peak_parts": []}))
        return
    what = WORKLOADS[workload]
    engine = ENGINES[name]()
    engine.start(WORKERS, what.memory_limit)
    peaks: list[int] = []
    try:
        engine.gather(engine.map(operator.neg, range(100)))
        watch = PeakWatch(engine) if what.memory_limit else None
        before = _cpu_s()
        figure = what.function(engine, n)
        cpu_us = (_cpu_s() - before) / n * 1e6
        if watch is not None:
            peaks = watch.stop()
    finally:
        engine.close()
    parts = [each / what.memory_limit for each in peaks] if what.memory_limit else []
    print(json.dumps({"figure": figure, "cpu_us": cpu_us, "peak_parts": parts}))


if __name__ == "__main__":
    main()
