"""Asking about a cluster: who is there, who holds what; and running functions beside the tasks."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from hocket.client.batches import worker_names
from hocket.client.failures import error_of_failure
from hocket.client.gather import find_futures
from hocket.client.shell.session import ClientSession
from hocket.protocol.messages import (
    ClusterDescribed,
    DescribeCluster,
    EverywhereRan,
    KeysLocated,
    LocateKeys,
    RunEverywhere,
    WaitForWorkers,
    WorkersReady,
)
from hocket.protocol.serialize import ArgumentPickler, dump_function, load_value

__all__ = ["Inspector", "check_callable"]


class Inspector:
    """What a client can ask its cluster; a part of `Client`."""

    def __init__(self, session: ClientSession) -> None:
        self._session = session

    def run(
        self,
        fn: Callable[..., Any],
        /,
        *args: Any,
        workers: str | Iterable[str] | None = None,
        **kwargs: Any,
    ) -> dict[str, Any]:
        """Call a function once on each worker, beside the tasks, and wait.

        Returns
        -------
        dict
            By the worker's address, what the function returned.

        Raises
        ------
        Exception
            What it raised on the first worker where it did.
        NoCapacity
            There is no such worker.
        """
        check_callable(fn)
        names = list(worker_names(workers))
        function = dump_function(fn)
        payload = ArgumentPickler().dumps(args, kwargs)
        reply = self._session.ask(
            EverywhereRan,
            lambda number: RunEverywhere(number, function.blob, payload, names),
            needs={"workers": ", ".join(names) or "any"},
        )
        results: dict[str, Any] = {}
        for address, data, failure in zip(reply.workers, reply.values, reply.failures, strict=True):
            if failure is not None:
                raise error_of_failure(failure, function.label)
            results[address] = None if data is None else load_value(data)
        return results

    def scheduler_info(self) -> dict[str, Any]:
        """Return facts about the cluster: ``"address"``, and under ``"workers"``, by address."""
        reply = self._describe()
        workers = {
            worker.address: {
                "type": "Worker",
                "name": worker.name,
                "id": worker.name,
                "host": worker.host,
                "pid": worker.pid,
                "nthreads": worker.threads,
                "memory_limit": worker.memory_limit,
                "resources": worker.resources,
                "assigned": worker.assigned,
                "held": worker.held,
                "held_nbytes": worker.held_nbytes,
            }
            for worker in reply.workers
        }
        return {"type": "Scheduler", "address": reply.scheduler, "workers": workers}

    def nthreads(self) -> dict[str, int]:
        """Return the number of threads of each worker, by address."""
        return {worker.address: worker.threads for worker in self._describe().workers}

    def who_has(self, futures: Any = None) -> dict[str, list[str]]:
        """Return for each key the addresses of the workers that hold its value.

        Parameters
        ----------
        futures
            Futures, nested as for `gather`; None: all of this client.
        """
        session = self._session
        if futures is None:
            with session.lock:
                keys = list(session.begin().states)
        else:
            keys = [future.key for future in find_futures(futures)]
        reply = session.ask(KeysLocated, lambda number: LocateKeys(number, keys))
        return dict(zip(keys, reply.addresses, strict=True))

    def wait_for_workers(self, n_workers: int, timeout: float | None = None) -> None:
        """Wait until the cluster has at least this many workers.

        Raises
        ------
        TimeoutError
            It has not in time.
        """
        if n_workers < 0:
            raise ValueError(f"n_workers is {n_workers}; it must not be negative")
        self._session.ask(WorkersReady, lambda number: WaitForWorkers(number, n_workers), timeout)

    def _describe(self) -> ClusterDescribed:
        return self._session.ask(ClusterDescribed, DescribeCluster)


def check_callable(function: object) -> None:
    """Refuse what cannot be called.

    Raises
    ------
    TypeError
        It cannot.
    """
    if not callable(function):
        raise TypeError(
            f"the first argument must be a function, not {function!r:.100} of type"
            f" {type(function).__name__}"
        )
