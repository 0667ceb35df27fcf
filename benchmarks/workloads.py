"""The workloads: each runs on one engine and returns its figure.

Run as a program (``python workloads.py ENGINE WORKLOAD N``) it prints one JSON object:
``figure`` and the CPU time per task over all processes of the run.
"""

from __future__ import annotations

import json
import operator
import os
import resource
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))

from adapters import ENGINES, Engine, NeutralGraph, Ref

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


WORKLOADS: dict[str, tuple[Callable[[Engine, int], float], int, str]] = {
    "empty-tasks": (empty_tasks, 50_000, "tasks/s"),
    "empty-lambda": (empty_lambda, 50_000, "tasks/s"),
    "latency": (latency, 1_000, "us"),
    "chains": (chains, 10_000, "tasks/s"),
    "tree": (tree, 16_000, "tasks/s"),
    "shuffle": (shuffle, 4_096, "tasks/s"),
}


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
        print(json.dumps({"figure": start_up(name), "cpu_us": None}))
        return
    function = WORKLOADS[workload][0]
    engine = ENGINES[name]()
    engine.start(WORKERS)
    try:
        engine.gather(engine.map(operator.neg, range(100)))
        before = _cpu_s()
        figure = function(engine, n)
        cpu_us = (_cpu_s() - before) / n * 1e6
    finally:
        engine.close()
    print(json.dumps({"figure": figure, "cpu_us": cpu_us}))


if __name__ == "__main__":
    main()
