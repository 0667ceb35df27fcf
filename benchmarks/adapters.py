"""The engines under one face: start, map, submit, gather, run a graph, close.

Each adapter imports its engine only when it is used, since every engine runs in the environment
that has it. A graph is neutral here: ``{key: (function, arguments)}`` with :class:`Ref` for keys.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol


@dataclass(frozen=True)
class Ref:
    """Stands for the value of a key inside a neutral graph."""

    key: Any


NeutralGraph = Mapping[Any, tuple[Callable[..., Any], tuple[Any, ...]]]


class Engine(Protocol):
    """What a workload needs of an engine."""

    def start(self, workers: int, memory_limit: int | None = None) -> None: ...
    def submit(self, function: Callable[..., Any], *args: Any) -> Any: ...
    def map(self, function: Callable[..., Any], *sequences: Iterable[Any]) -> Sequence[Any]: ...
    def gather(self, futures: Sequence[Any]) -> list[Any]: ...
    def get(self, graph: NeutralGraph, keys: Sequence[Any]) -> list[Any]: ...
    def put_on_one(self, values: Sequence[Any]) -> Sequence[Any]: ...
    def worker_pids(self) -> list[int]: ...
    def close(self) -> None: ...


class Hocket:
    """A LocalCluster of processes with one thread each, and a client."""

    def start(self, workers: int, memory_limit: int | None = None) -> None:
        from hocket.client import Client
        from hocket.deploy import LocalCluster

        self.cluster = LocalCluster(workers, 1, memory_limit=memory_limit)
        self.client = Client(self.cluster)

    def submit(self, function: Callable[..., Any], *args: Any) -> Any:
        return self.client.submit(function, *args)

    def map(self, function: Callable[..., Any], *sequences: Iterable[Any]) -> Sequence[Any]:
        return self.client.map(function, *sequences)

    def gather(self, futures: Sequence[Any]) -> list[Any]:
        return self.client.gather(futures)

    def get(self, graph: NeutralGraph, keys: Sequence[Any]) -> list[Any]:
        from hocket.graph import Graph, Task
        from hocket.graph import Ref as OurRef

        ours = Graph(
            {
                key: Task(fn, tuple(OurRef(a.key) if type(a) is Ref else a for a in args))
                for key, (fn, args) in graph.items()
            }
        )
        return self.client.get(ours, list(keys))

    def put_on_one(self, values: Sequence[Any]) -> Sequence[Any]:
        first = min(self.client.scheduler_info()["workers"])
        return self.client.scatter(list(values), workers=[first])

    def worker_pids(self) -> list[int]:
        return list(self.cluster.worker_pids.values())

    def close(self) -> None:
        self.client.close()
        self.cluster.close()


class Dask:
    """dask.distributed as it comes: LocalCluster of processes with one thread each."""

    def start(self, workers: int, memory_limit: int | None = None) -> None:
        from distributed import Client, LocalCluster

        self.cluster = LocalCluster(
            n_workers=workers,
            threads_per_worker=1,
            memory_limit="auto" if memory_limit is None else memory_limit,
            dashboard_address=None,
            silence_logs=50,
        )
        self.client = Client(self.cluster)

    def submit(self, function: Callable[..., Any], *args: Any) -> Any:
        return self.client.submit(function, *args, pure=False)

    def map(self, function: Callable[..., Any], *sequences: Iterable[Any]) -> Sequence[Any]:
        return self.client.map(function, *sequences, pure=False)

    def gather(self, futures: Sequence[Any]) -> list[Any]:
        return self.client.gather(futures)

    def get(self, graph: NeutralGraph, keys: Sequence[Any]) -> list[Any]:
        from dask._task_spec import Task, TaskRef

        theirs = {
            key: Task(key, fn, *[TaskRef(a.key) if type(a) is Ref else a for a in args])
            for key, (fn, args) in graph.items()
        }
        return self.client.get(theirs, list(keys))

    def put_on_one(self, values: Sequence[Any]) -> Sequence[Any]:
        first = min(self.client.scheduler_info()["workers"])
        return self.client.scatter(list(values), workers=[first], hash=False)

    def worker_pids(self) -> list[int]:
        return [one.pid for one in self.cluster.workers.values() if one.pid is not None]

    def close(self) -> None:
        self.client.close()
        self.cluster.close()


class DaskEager(Dask):
    """The same without its queuing on the scheduler (worker-saturation: inf)."""

    def start(self, workers: int, memory_limit: int | None = None) -> None:
        os.environ["DASK_DISTRIBUTED__SCHEDULER__WORKER_SATURATION"] = "inf"
        super().start(workers, memory_limit)


class Pool:
    """The standard library's ProcessPoolExecutor; by-value functions and graphs are beyond it."""

    def start(self, workers: int, memory_limit: int | None = None) -> None:
        del memory_limit
        from concurrent.futures import ProcessPoolExecutor

        self.pool = ProcessPoolExecutor(workers)

    def submit(self, function: Callable[..., Any], *args: Any) -> Any:
        return self.pool.submit(function, *args)

    def map(self, function: Callable[..., Any], *sequences: Iterable[Any]) -> Sequence[Any]:
        return [self.pool.submit(function, *args) for args in zip(*sequences, strict=False)]

    def gather(self, futures: Sequence[Any]) -> list[Any]:
        return [one.result() for one in futures]

    def get(self, graph: NeutralGraph, keys: Sequence[Any]) -> list[Any]:
        raise NotImplementedError("a pool has no graphs")

    def put_on_one(self, values: Sequence[Any]) -> Sequence[Any]:
        # (They travel with the calls.)
        return values

    def worker_pids(self) -> list[int]:
        return []

    def close(self) -> None:
        self.pool.shutdown()


ENGINES: dict[str, type[Any]] = {
    "hocket": Hocket,
    "dask": Dask,
    "dask-eager": DaskEager,
    "pool": Pool,
}
