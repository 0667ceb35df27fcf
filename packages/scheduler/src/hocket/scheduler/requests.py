"""Requests of clients: where keys are, where to put data, who is there, run this everywhere."""

from __future__ import annotations

from collections.abc import Callable
from heapq import heapify, heapreplace
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from hocket.core.units import NBYTES_MAX
from hocket.protocol.messages import (
    ClusterDescribed,
    DescribeCluster,
    EverywhereRan,
    Failure,
    FailureKind,
    HereRan,
    KeysLocated,
    ListTasks,
    LocateKeys,
    PlanScatter,
    RequestRefused,
    RunEverywhere,
    RunHere,
    ScatterPlanned,
    TaskPlace,
    TasksListed,
    WaitForWorkers,
    WorkerDescription,
    WorkersReady,
)
from hocket.scheduler.actors import actors_of
from hocket.scheduler.demands import describe_demands
from hocket.scheduler.naming import choose_workers, say_nobody
from hocket.scheduler.state.outbox import failure_nbytes
from hocket.scheduler.state.worker import ENDLESS_S

if TYPE_CHECKING:
    from hocket.scheduler.state import Client, Task, Worker
    from hocket.scheduler.tables import Tables

__all__ = ["Answer", "Requests"]

#: Of the workers that hold a key, so many are named: enough to get it from.
_HOLDERS_MAX: Final = 32
#: Where a worker's record has the tasks that are on it in each way.
_COLUMNS: Final = {
    TaskPlace.HELD: "held",
    TaskPlace.ASSIGNED: "assigned",
    TaskPlace.RUNNING: "begun",
}
#: What the description of one worker takes in a message, roughly.
_DESCRIPTION_NBYTES: Final = 300


#: What a worker answered: its address, and a pickled value or a failure.
Answer: TypeAlias = tuple[str, bytes | None, Failure | None]


class _Round:
    """A function on its way to workers, and what comes back."""

    __slots__ = ("answers", "client", "missing", "order", "then")

    def __init__(
        self,
        client: Client | None,
        workers: list[Worker],
        then: Callable[[list[Answer]], None],
    ) -> None:
        #: Without whom nobody wants to know; None: somebody does in any case.
        self.client = client
        self.then = then
        self.order = [worker.id for worker in workers]
        self.missing = set(self.order)
        self.answers: dict[int, Answer] = {}


class Requests:
    """The requests that wait for an answer from elsewhere, and those answered at once."""

    def __init__(self, tables: Tables, address: str) -> None:
        self._tables = tables
        self.address = address
        #: Where the scheduler's pages are; set by the shell.
        self.dashboard = ""
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
            holders = [] if task is None else task.latest_holders(_HOLDERS_MAX)
            addresses.append([worker.address for worker in holders])
        self._answer_addresses(client, KeysLocated(message.request, addresses))

    def plan_scatter(self, client: Client, message: PlanScatter) -> None:
        """Answer where to put data: on all workers, or on those with the least data, in turn."""
        found = choose_workers(self._tables, message.workers)
        if not found:
            client.outbox.add(RequestRefused(message.request, say_nobody(message.workers)))
            return
        # (What is put on a worker that leaves would have to move at once.)
        chosen = [worker for worker in found if not worker.leaving] or found
        addresses: list[list[str]]
        if message.broadcast:
            addresses = [[worker.address for worker in chosen]] * len(message.nbytes)
        else:
            # In turn among equals, so that many small pieces spread; and not always from the first.
            start = self._scattered_count % len(chosen)
            self._scattered_count += len(message.nbytes)
            planned = [
                (worker.held_nbytes, turn, worker)
                for turn, worker in enumerate(chosen[start:] + chosen[:start])
            ]
            heapify(planned)
            addresses = []
            for turn, nbytes in enumerate(message.nbytes, len(planned)):
                held_nbytes, _, worker = planned[0]
                heapreplace(planned, (held_nbytes + max(nbytes, 1), turn, worker))
                addresses.append([worker.address])
        self._answer_addresses(client, ScatterPlanned(message.request, addresses))

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
                # (Sizes are what workers say, and sums of them may not fit the wire.)
                min(worker.held_nbytes, NBYTES_MAX),
                None
                if worker.life_s == ENDLESS_S
                else max(0.0, worker.leaves_s - self._tables.now_s),
            )
            for worker in self._tables.workers.values()
        ]
        demands = describe_demands(self._tables)
        described = ClusterDescribed(
            message.request, self.address, workers, self.dashboard, demands
        )
        client.outbox.add(described, _DESCRIPTION_NBYTES * (len(workers) + len(demands)))

    def list_tasks(self, client: Client, message: ListTasks) -> None:
        """Answer which tasks are on workers: as values, given to them, or running."""
        tables = self._tables
        workers = choose_workers(tables, message.workers)
        if not workers and message.workers:
            client.outbox.add(RequestRefused(message.request, say_nobody(message.workers)))
            return
        column = _COLUMNS[message.place]
        asked = [tables.tasks[key] for key in message.keys if key in tables.tasks]
        keys = []
        for worker in workers:
            present: dict[Task, Any] = getattr(worker, column)
            if worker.actors and column != "held":
                # An actor takes calls as long as it lives.
                present = {**present, **dict.fromkeys(actors_of(worker))}
            if message.keys:
                keys.append([task.key for task in asked if task in present])
            else:
                keys.append([task.key for task in present])
        nbytes = sum(len(key) for row in keys for key in row)
        if nbytes > tables.limits.answer_nbytes_max:
            text = (
                f"the answer is {nbytes} bytes, more than one message may hold; ask for fewer"
                " workers"
            )
            client.outbox.add(RequestRefused(message.request, text))
            return
        addresses = [worker.address for worker in workers]
        client.outbox.add(TasksListed(message.request, addresses, keys), nbytes)

    def wait_for_workers(self, client: Client, message: WaitForWorkers) -> None:
        """Answer as soon as that many workers are there."""
        count = len(self._tables.workers)
        waits_max = self._tables.limits.waits_max
        if count >= message.count:
            client.outbox.add(WorkersReady(message.request, count))
        elif sum(1 for one in self._waiting if one[0] is client) >= waits_max:
            text = f"{waits_max} requests of this client wait for workers already"
            client.outbox.add(RequestRefused(message.request, text))
        else:
            self._waiting.append((client, message.request, message.count))

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
        chosen = choose_workers(self._tables, message.workers)
        if not chosen:
            client.outbox.add(RequestRefused(message.request, say_nobody(message.workers)))
            return

        def answer(rows: list[Answer]) -> None:
            self.answer_everywhere(client, message.request, rows)

        self.start_round(chosen, message.function, message.payload, answer, client)

    def start_round(
        self,
        workers: list[Worker],
        function: bytes,
        payload: bytes,
        then: Callable[[list[Answer]], None],
        client: Client | None = None,
        *,
        before_tasks: bool = False,
    ) -> None:
        """Have a function run on workers; then call this, when all have answered or are gone.

        Parameters
        ----------
        workers
            At least one.
        function, payload
            What to run.
        then
            Called with what each worker answered, in the order of the workers.
        client
            Whose wish it is: when it is gone, nothing is called.
        before_tasks
            Whether no task may begin there until it has run.
        """
        self._rounds_count += 1
        number = self._rounds_count
        self._rounds[number] = _Round(client, workers, then)
        for worker in workers:
            worker.requests.add(number)
            message = RunHere(number, function, payload, before_tasks)
            worker.outbox.add(message, len(function) + len(payload))

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
            pending.then([pending.answers[one] for one in pending.order])

    def answer_everywhere(self, client: Client, request: int, rows: list[Answer]) -> None:
        """Tell a client what workers answered, if it fits one message."""
        nbytes = sum(
            len(row[1] or b"") + (0 if row[2] is None else failure_nbytes(row[2])) for row in rows
        )
        if nbytes > self._tables.limits.answer_nbytes_max:
            text = (
                f"the {len(rows)} answers are {nbytes} bytes together, more than one message"
                " may hold; return less, or ask fewer workers at once"
            )
            client.outbox.add(RequestRefused(request, text))
            return
        client.outbox.add(
            EverywhereRan(
                request,
                [row[0] for row in rows],
                [row[1] for row in rows],
                [row[2] for row in rows],
            ),
            nbytes,
        )

    def _answer_addresses(self, client: Client, answer: KeysLocated | ScatterPlanned) -> None:
        """Give an answer that names workers, if it fits one message."""
        nbytes = sum(len(one) for row in answer.addresses for one in row)
        if nbytes > self._tables.limits.answer_nbytes_max:
            text = f"the answer is {nbytes} bytes, more than one message may hold; ask for less"
            client.outbox.add(RequestRefused(answer.request, text))
        else:
            client.outbox.add(answer, nbytes)
