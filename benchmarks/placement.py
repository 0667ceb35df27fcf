"""Which placement policy makes graphs end soonest, in virtual time, against the lower bounds.

``python placement.py [--seeds N] [--workers 8,32] [--graphs A,B] [--policies A,B] [--tasks N]
[--markdown FILE]``. The real machines of the scheduler and the workers run every graph on a quiet
simulated cluster (`hocket.testing.measure`): links of 1 GB/s that transfers share max-min fair,
100 us of latency, one thread a worker. The figure is the makespan over the greater of two bounds
that no schedule beats: the longest path, and the work over the number of workers.

Durations are drawn per graph from log-normal distributions with a mean of 50 ms, one for each kind
of task; sizes of results likewise, with means of 100 kB where communication is light and 25 MB
where it is heavy (half of a mean duration on a link that nobody shares). The scheduler knows none
of them beforehand: it learns, by kind. (b-levels
are of what may be expected of each kind, not of what was drawn for a task.)

The shapes and the question are those of Beránek, Böhm and Cima, "Analysis of workflow schedulers in
simulated distributed environments" (Journal of Supercomputing 78, 2022).
"""

from __future__ import annotations

import argparse
import math
import statistics
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))

import graphs
from graphs import Shape
from hocket.graph.indexed import Edges, IndexedGraph
from hocket.graph.ordering import sequence
from hocket.scheduler.tables import Limits
from hocket.testing.measure import Measurement, Work, run_graph

BANDWIDTH_NBYTES_PER_S = 1e9
LATENCY_S = 1e-4
DURATION_S = 0.05
NBYTES = {"light": 100e3, "heavy": 25e6}


@dataclass(frozen=True)
class Policy:
    """A way to schedule: where a task goes, in which order, and how far ahead."""

    placement: str
    #: "depth": as hocket's client orders graphs; "b-level": the longest way to the end first.
    order: str = "depth"
    limits: dict[str, Any] = field(default_factory=dict)


POLICIES: dict[str, Policy] = {
    "greedy": Policy("greedy"),
    "greedy, b-level": Policy("greedy", "b-level"),
    "earliest": Policy("earliest"),
    "earliest, b-level": Policy("earliest", "b-level"),
    "eager": Policy("greedy", limits={"window_s": math.inf, "window_tasks_max": 10**9}),
    "idlest": Policy("idlest"),
    "round-robin": Policy("round-robin"),
    "random": Policy("random"),
}


@dataclass(frozen=True)
class Kind:
    """How tasks of one kind are drawn: relative to the means of the graph."""

    name: str
    duration: float = 1.0
    nbytes: float = 1.0
    #: Of the logarithms: 0.3 is a third up or down.
    spread: float = 0.3


Kinds = Sequence[Kind]
MAKE = Kind("make")


def _independent(_random: Random, tasks: int) -> tuple[Shape, Kinds]:
    # Durations from a fiftieth to the fifty-fold.
    kind = Kind("skewed", spread=1.3)
    return graphs.independent(tasks), [kind] * tasks


def _chains(_random: Random, tasks: int) -> tuple[Shape, Kinds]:
    shape = graphs.chains(max(1, tasks // 20), 20)
    return shape, [Kind("link")] * len(shape)


def _tree(_random: Random, tasks: int) -> tuple[Shape, Kinds]:
    shape = graphs.tree(tasks // 2)
    return shape, [Kind("leaf") if not inputs else Kind("node", 0.5) for inputs in shape]


def _reduce(_random: Random, tasks: int) -> tuple[Shape, Kinds]:
    """Big leaves, of which eights are reduced to small sums."""
    shape = graphs.tree(tasks * 7 // 8, 8)
    return shape, [
        Kind("load", 1.0, 2.0) if not inputs else Kind("sum", 0.5, 0.05) for inputs in shape
    ]


def _fork_join(_random: Random, tasks: int) -> tuple[Shape, Kinds]:
    shape = graphs.fork_join(tasks // 5, 5)
    join = Kind("join", 0.2)
    return shape, [join if len(inputs) != 1 else Kind("piece", 1.0, 0.2) for inputs in shape]


def _stencil(_random: Random, tasks: int) -> tuple[Shape, Kinds]:
    shape = graphs.stencil(tasks // 16, 16)
    return shape, [Kind("cell")] * len(shape)


def _grid(_random: Random, tasks: int) -> tuple[Shape, Kinds]:
    shape = graphs.grid(int(tasks**0.5))
    return shape, [Kind("cell")] * len(shape)


def _shuffle(_random: Random, tasks: int) -> tuple[Shape, Kinds]:
    width = int((tasks + 1) ** 0.5) - 1
    shape = graphs.shuffle(width)
    part = Kind("part", 0.1, 1 / width)
    kinds = [MAKE] * width + [part] * (width * width) + [Kind("join", 2.0)] * width
    return shape, kinds


def _merge(_random: Random, tasks: int) -> tuple[Shape, Kinds]:
    shape = graphs.merge(tasks // 2)
    return shape, [MAKE if not inputs else Kind("merge", 0.5) for inputs in shape]


def _layers(random: Random, tasks: int) -> tuple[Shape, Kinds]:
    shape = graphs.layers(random, max(2, tasks // 12), 12)
    kinds = [
        Kind(f"kind-{one}", random.choice([0.2, 1.0, 3.0]), random.choice([0.1, 1.0]))
        for one in range(6)
    ]
    return shape, [random.choice(kinds) for _ in shape]


def _one_holder(_random: Random, tasks: int) -> tuple[Shape, Kinds]:
    """Inputs that all lie on one worker (a chain of short tasks made them), and their readers."""
    makers = max(1, tasks // 9)
    shape = graphs.chains(1, makers) + [(one % makers,) for one in range(tasks - makers)]
    chain = Kind("chain", 0.002, 0.4)
    return shape, [chain] * makers + [Kind("read", spread=0.9)] * (tasks - makers)


GRAPHS: dict[str, Callable[[Random, int], tuple[Shape, Kinds]]] = {
    "independent, skewed": _independent,
    "chains": _chains,
    "binary tree": _tree,
    "reduce by 8": _reduce,
    "fork-join": _fork_join,
    "stencil": _stencil,
    "grid": _grid,
    "shuffle": _shuffle,
    "merge": _merge,
    "random layers": _layers,
    "one holder": _one_holder,
}


@dataclass(frozen=True)
class Drawn:
    """A graph: of each task what it reads, takes and makes, and what may be expected of it."""

    shape: Shape
    works: list[Work]
    expected_s: list[float]


def draw(random: Random, name: str, tasks: int, nbytes: float) -> Drawn:
    """Draw a graph."""
    shape, kinds = GRAPHS[name](random, tasks)
    works = [
        Work(
            DURATION_S * kind.duration * _skew(random, kind.spread),
            int(nbytes * kind.nbytes * _skew(random, kind.spread)),
            kind=kind.name,
        )
        for kind in kinds
    ]
    return Drawn(shape, works, [DURATION_S * kind.duration for kind in kinds])


def _skew(random: Random, spread: float) -> float:
    """Draw from a log-normal distribution with the mean 1."""
    return random.lognormvariate(-spread * spread / 2, spread)


def ordered(drawn: Drawn, how: str) -> dict[str, Work]:
    """Return the graph in the order in which its tasks are ranked."""
    shape, works, expected_s = drawn.shape, drawn.works, drawn.expected_s
    edges_starts = [0]
    targets: list[int] = []
    for inputs in shape:
        targets += sorted(inputs)
        edges_starts.append(len(targets))
    edges = Edges(edges_starts, targets)
    if how == "depth":
        indexed = IndexedGraph(list(range(len(shape))), edges, edges.turned_round())
        order = sequence(indexed, list(range(len(shape))))
    else:
        levels = list(expected_s)
        for one in reversed(range(len(shape))):
            for each in shape[one]:
                levels[each] = max(levels[each], expected_s[each] + levels[one])
        order = sorted(range(len(shape)), key=lambda one: (-levels[one], one))
    return {
        f"t{one}": Work(
            works[one].duration_s,
            works[one].nbytes,
            tuple(f"t{each}" for each in shape[one]),
            works[one].kind,
        )
        for one in order
    }


def measure(policy: Policy, drawn: Drawn, workers: int) -> Measurement:
    """Run a graph under a policy."""
    return run_graph(
        ordered(drawn, policy.order),
        workers=workers,
        limits=Limits(placement=policy.placement, **policy.limits),
        bandwidth_nbytes_per_s=BANDWIDTH_NBYTES_PER_S,
        latency_s=LATENCY_S,
    )


def numbers(text: str) -> list[int]:
    """Read numbers with commas between them."""
    return [int(one) for one in text.split(",")]


def names(text: str) -> list[str]:
    """Read names with semicolons between them."""
    return [one.strip() for one in text.split(";")]


def main() -> None:
    """Measure, and print the tables."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--workers", type=numbers, default=[8, 32])
    parser.add_argument("--tasks", type=int, default=40, help="per worker")
    parser.add_argument("--graphs", type=names, default=list(GRAPHS), help="A; B; C")
    parser.add_argument("--policies", type=names, default=list(POLICIES), help="A; B; C")
    parser.add_argument("--markdown", help="write the tables to this file, too")
    options = parser.parse_args()
    lines: list[str] = []

    def say(line: str) -> None:
        lines.append(line)
        print(line, flush=True)

    #: Per policy: all ratios; and by communication.
    ratios: dict[str, list[float]] = defaultdict(list)
    moved: dict[str, int] = defaultdict(int)
    cpu: dict[str, float] = defaultdict(float)
    say("| graph | data | workers | " + " | ".join(options.policies) + " |")
    say("|---|---|---:|" + "---:|" * len(options.policies))
    for graph in options.graphs:
        for data, nbytes in NBYTES.items():
            for workers in options.workers:
                cells = []
                for name in options.policies:
                    found = []
                    for seed in range(options.seeds):
                        random = Random(f"{graph} {seed}")  # noqa: S311 - not for secrets
                        drawn = draw(random, graph, options.tasks * workers, nbytes)
                        start = time.process_time()
                        result = measure(POLICIES[name], drawn, workers)
                        cpu[name] += time.process_time() - start
                        found.append(result.makespan_s / result.bound_s)
                        moved[name] += result.transferred_nbytes
                    ratios[name] += found
                    ratios[f"{name} {data}"] += found
                    cells.append(f"{statistics.geometric_mean(found):.3f}")
                best = min(cells)
                cells = [f"**{one}**" if one == best else one for one in cells]
                say(f"| {graph} | {data} | {workers} | " + " | ".join(cells) + " |")
    for title, suffix in (("light", " light"), ("heavy", " heavy"), ("all", "")):
        means = [statistics.geometric_mean(ratios[f"{one}{suffix}"]) for one in options.policies]
        say(f"| **mean** | {title} | | " + " | ".join(f"{one:.3f}" for one in means) + " |")
    say(
        "| moved, GB | all | | "
        + " | ".join(f"{moved[one] / 1e9:.0f}" for one in options.policies)
        + " |"
    )
    say("| CPU, s | all | | " + " | ".join(f"{cpu[one]:.0f}" for one in options.policies) + " |")
    if options.markdown:
        Path(options.markdown).write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
