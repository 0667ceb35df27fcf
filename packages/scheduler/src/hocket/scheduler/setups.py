"""Set-ups: functions that run on every worker once, on those that come before they run tasks.

The scheduler keeps them as the bytes that a client sent. A worker that comes is told of all of them
before any task, and begins none until they have run; one on which a set-up fails is let go.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from hocket.protocol.messages import EverywhereRan, LeaveCluster, RequestRefused
from hocket.scheduler.requests import Answer, Requests

if TYPE_CHECKING:
    from hocket.protocol.messages import DropSetup, KeepSetup
    from hocket.scheduler.state import Client, Worker
    from hocket.scheduler.tables import Tables

__all__ = ["Setups"]


class Setups:
    """The set-ups of a cluster.

    Parameters
    ----------
    tables
        Of the scheduler.
    requests
        What runs them on workers.
    """

    def __init__(self, tables: Tables, requests: Requests) -> None:
        self._tables = tables
        self._requests = requests
        #: Pickles of function and arguments by name, in the order in which they are to run.
        self._kept: dict[str, tuple[bytes, bytes]] = {}
        self._nbytes = 0

    @property
    def names(self) -> list[str]:
        """What is kept, in the order in which it is run."""
        return list(self._kept)

    def keep(self, client: Client, message: KeepSetup) -> None:
        """Keep a set-up, and run it on the workers that are there."""
        limits = self._tables.limits
        nbytes = len(message.function) + len(message.payload)
        before = sum(map(len, self._kept.get(message.name, ())))
        count = len(self._kept) + (message.name not in self._kept)
        if count > limits.setups_max or self._nbytes - before + nbytes > limits.setups_nbytes_max:
            text = (
                f"{len(self._kept)} set-ups of {self._nbytes} bytes are kept already, and no more"
                f" than {limits.setups_max} of {limits.setups_nbytes_max} bytes can be"
            )
            client.outbox.add(RequestRefused(message.request, text))
            return
        self._forget(message.name)
        kept = self._kept[message.name] = message.function, message.payload
        self._nbytes += nbytes

        def then(rows: list[Answer]) -> None:
            failed = any(failure is not None for _, _, failure in rows)
            if failed and self._kept.get(message.name) is kept:
                self._forget(message.name)
            if client.id in self._tables.clients:
                self._requests.answer_everywhere(client, message.request, rows)

        self._run_everywhere(client, message, then)

    def drop(self, client: Client, message: DropSetup) -> None:
        """Keep a set-up no more, and run what undoes it."""
        if message.name not in self._kept:
            text = f"nothing is set up under the name {message.name!r}"
            client.outbox.add(RequestRefused(message.request, text))
            return
        self._forget(message.name)

        def then(rows: list[Answer]) -> None:
            if client.id in self._tables.clients:
                self._requests.answer_everywhere(client, message.request, rows)

        self._run_everywhere(client, message, then)

    def worker_joined(self, worker: Worker) -> None:
        """Have a worker set up before it runs tasks."""
        for name, (function, payload) in self._kept.items():

            def then(rows: list[Answer], name: str = name) -> None:
                ((_, _, failure),) = rows
                if failure is not None and worker.id in self._tables.workers:
                    reason = f"its set-up {name!r} failed: {failure.text}"
                    worker.outbox.add(LeaveCluster(reason))

            self._requests.start_round([worker], function, payload, then, before_tasks=True)

    def _run_everywhere(
        self, client: Client, message: KeepSetup | DropSetup, then: Callable[[list[Answer]], None]
    ) -> None:
        workers = list(self._tables.workers.values())
        if workers:
            self._requests.start_round(workers, message.function, message.payload, then)
        else:
            client.outbox.add(EverywhereRan(message.request, [], [], []))

    def _forget(self, name: str) -> None:
        self._nbytes -= sum(map(len, self._kept.pop(name, ())))
