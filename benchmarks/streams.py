"""Items of streams beside results of tasks: the same numbers, in turn, on one cluster.

``python benchmarks/streams.py [--items N] [--rounds N]``. The cluster has two workers of one
thread. Told are items in a second, and the processor time of all processes for each item.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable, Iterator

import psutil

from hocket.client import Client
from hocket.deploy import LocalCluster

LARGE_NBYTES = 1 << 20


def numbers(count: int) -> Iterator[int]:
    """Yield what costs nothing to make."""
    yield from range(count)


def large(count: int) -> Iterator[bytes]:
    """Yield what is large."""
    for number in range(count):
        yield bytes([number % 256]) * LARGE_NBYTES


def by_map(client: Client, count: int) -> None:
    """Have a task for each item, and its result."""
    assert client.gather(client.map(abs, range(count)))[-1] == count - 1


def by_values(client: Client, count: int) -> None:
    """Take the items of a stream."""
    assert sum(1 for _ in client.stream(numbers, count).values()) == count


def by_futures(client: Client, count: int) -> None:
    """Take the futures of a stream's items, and their results."""
    assert client.gather(list(client.stream(numbers, count)))[-1] == count - 1


def large_values(client: Client, count: int) -> None:
    """Take large items, a hundredth of the others' number."""
    assert sum(map(len, client.stream(large, count // 100).values())) == count // 100 * LARGE_NBYTES


WORKLOADS: dict[str, Callable[[Client, int], None]] = {
    "map, and gather": by_map,
    "stream.values()": by_values,
    "futures of a stream, and gather": by_futures,
    "stream.values(), 1 MiB each, a hundredth of the items": large_values,
}


def processor_s() -> float:
    """Return the processor time of this process and all that it has started."""
    this = psutil.Process()
    times = [one.cpu_times() for one in (this, *this.children(recursive=True))]
    return sum(one.user + one.system for one in times)


def main() -> None:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--items", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    rates: dict[str, list[float]] = {name: [] for name in WORKLOADS}
    costs: dict[str, list[float]] = {name: [] for name in WORKLOADS}
    with LocalCluster(2, 1) as cluster, Client(cluster) as client:
        for workload in WORKLOADS.values():
            workload(client, 1000)
        for _ in range(options.rounds):
            for name, workload in WORKLOADS.items():
                items = options.items // 100 if workload is large_values else options.items
                begin_s, used_s = time.perf_counter(), processor_s()
                workload(client, options.items)
                costs[name].append((processor_s() - used_s) / items * 1e6)
                rates[name].append(items / (time.perf_counter() - begin_s))
    print("| | items/s | us of processor for each |\n|---|---|---|")
    for name in WORKLOADS:
        rate, cost = statistics.median(rates[name]), statistics.median(costs[name])
        print(f"| {name} | {rate:,.0f} | {cost:,.1f} |")


if __name__ == "__main__":
    main()
