"""Requests of clients: where keys are, where to put data, who is there, run this everywhere."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hocket.protocol.messages import (
    ClusterDescribed,
    DescribeCluster,
    EverywhereRan,
    Failure,
    FailureKind,
    HereRan,
    KeysLocated,
    LocateKeys,
    PlanScatter,
    RequestRefused,
    RunEverywhere,
    RunHere,
    ScatterPlanned,
    WaitForWorkers,
    WorkerDescription,
    WorkersReady,
)

if TYPE_CHECKING:
    from hocket.scheduler.state import Client, Worker
    from hocket.scheduler.tables import Tables

__all__ = ["Requests"]


class _Round:
    """One ``RunEverywhere`` on its way."""

    __slots__ = ("answers", "client", "missing", "order", "request")

    def __init__(self, client: Client, request: int, workers: list[Worker]) -> None:
        self.client = client
        self.request = request
        self.order = [worker.id for worker in workers]
        self.missing = set(self.order)
        self.answers: dict[int, tuple[str, bytes | None, Failure | None]] = {}


class Requests:
    """The requests that wait for an answer from elsewhere, and those answered at once."""

    def __init__(self, tables: Tables, address: str) -> None:
        self._tables = tables
        self.address = address
        self._rounds: dict[int, _Round] = {}
        self._rounds_count = 0
        #: Clients that wait for workers: ``(client, request, count)``.
        self._waiting: list[tuple[Client, int, int]] = []
        self._scattered_count = 0

    def locate(self, client: Client, message: LocateKeys) -> None:
        """Answer which workers hold keys."""
        tasks = self._tables.tasks
        addresses = []
        for key in message.keys:
            task = tasks.get(key)
            holders = [] if task is None else task.holding_workers()
            addresses.append([worker.address for worker in holders])
        client.outbox.add(KeysLocated(message.request, addresses))

    def plan_scatter(self, client: Client, message: PlanScatter) -> None:
        """Answer where to put data: on all workers, or on those with the least data, in turn."""
        chosen = self._choose(message.workers)
        if not chosen:
            client.outbox.add(RequestRefused(message.request, self._nobody(message.workers)))
            return
        addresses: list[list[str]]
        if message.broadcast:
            addresses = [[worker.address for worker in chosen]] * len(message.nbytes)
        else:
            planned = {worker: worker.held_nbytes for worker in chosen}
            addresses = []
            for nbytes in message.nbytes:
                # In turn among equals, so that many small pieces spread.
                self._scattered_count += 1
                start = self._scattered_count
                worker = min(
                    planned,
                    key=lambda one: (planned[one], (one.id + start) % len(planned), one.id),
                )
                planned[worker] += max(nbytes, 1)
                addresses.append([worker.address])
        client.outbox.add(ScatterPlanned(message.request, addresses))

    def describe(self, client: Client, message: DescribeCluster) -> None:
        """Answer who is there."""
        workers = [
            WorkerDescription(
                worker.name,
                worker.address,
                worker.host,
                worker.pid,
                worker.threads,
                worker.memory_limit,
                worker.resources,
                len(worker.assigned),
                len(worker.held),
                worker.held_nbytes,
            )
            for worker in self._tables.workers.values()
        ]
        client.outbox.add(ClusterDescribed(message.request, self.address, workers))

    def wait_for_workers(self, client: Client, message: WaitForWorkers) -> None:
        """Answer as soon as that many workers are there."""
        self._waiting.append((client, message.request, message.count))
        self.workers_changed()

    def workers_changed(self) -> None:
        """Answer those that wait for as many workers as there are now."""
        count = len(self._tables.workers)
        still = []
        for client, request, wanted_count in self._waiting:
            if count >= wanted_count:
                client.outbox.add(WorkersReady(request, count))
            else:
                still.append((client, request, wanted_count))
        self._waiting = still

    def run_everywhere(self, client: Client, message: RunEverywhere) -> None:
        """Pass a function on to workers; the answer leaves when all have answered or are gone."""
        chosen = self._choose(message.workers)
        if not chosen:
            client.outbox.add(RequestRefused(message.request, self._nobody(message.workers)))
            return
        self._rounds_count += 1
        number = self._rounds_count
        self._rounds[number] = _Round(client, message.request, chosen)
        for worker in chosen:
            worker.requests.add(number)
            worker.outbox.add(RunHere(number, message.function, message.payload))

    def here_ran(self, worker: Worker, message: HereRan) -> None:
        """Take one worker's answer."""
        if message.request in worker.requests:
            worker.requests.discard(message.request)
            self._answer(worker, message.request, message.value, message.failure)

    def worker_lost(self, worker: Worker, reason: str) -> None:
        """Answer for a worker that is gone."""
        for number in sorted(worker.requests):
            text = f"worker {worker.name} is gone: {reason}"
            self._answer(worker, number, None, Failure(FailureKind.WORKER_DIED, "", text))
        worker.requests.clear()

    def client_lost(self, client: Client) -> None:
        """Forget what a client waited for."""
        self._waiting = [one for one in self._waiting if one[0] is not client]
        for number in [n for n, one in self._rounds.items() if one.client is client]:
            del self._rounds[number]

    def _answer(
        self, worker: Worker, number: int, value: bytes | None, failure: Failure | None
    ) -> None:
        pending = self._rounds.get(number)
        if pending is None:
            return
        pending.answers[worker.id] = (worker.address, value, failure)
        pending.missing.discard(worker.id)
        if not pending.missing:
            del self._rounds[number]
            rows = [pending.answers[one] for one in pending.order]
            pending.client.outbox.add(
                EverywhereRan(
                    pending.request,
                    [row[0] for row in rows],
                    [row[1] for row in rows],
                    [row[2] for row in rows],
                )
            )

    def _choose(self, names: list[str]) -> list[Worker]:
        workers = list(self._tables.workers.values())
        if not names:
            return workers
        wanted = tuple(names)
        return [worker for worker in workers if worker.answers_to(wanted)]

    def _nobody(self, names: list[str]) -> str:
        if names:
            return f"no worker answers to {', '.join(names)}"
        return "the cluster has no workers yet; wait for them with wait_for_workers(1)"
