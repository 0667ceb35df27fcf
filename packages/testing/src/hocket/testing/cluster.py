"""A cluster in virtual time: one scheduler, workers that come back, clients with their users."""

from __future__ import annotations

from collections import Counter

from hocket.scheduler.tables import Limits
from hocket.testing.checkers.results import Results
from hocket.testing.client_host import ClientHost
from hocket.testing.clock import Timeline
from hocket.testing.host import SchedulerHost
from hocket.testing.network import Network
from hocket.testing.worker_host import WorkerHost, WorkerOffer
from hocket.testing.workload import User, Workload

__all__ = ["Cluster"]

_DEATHS_MAX = 3


class Cluster:
    """All hosts of a run.

    Attributes
    ----------
    scheduler
        It does not die yet: that comes with its journal.
    workers, clients
        All that ever were, in the order in which they came.
    """

    def __init__(self, network: Network, workload: Workload) -> None:
        self.network = network
        self.timeline: Timeline = network.timeline
        random, swarm = network.random, network.swarm
        limits = Limits(
            allowed_failures_count=_DEATHS_MAX,
            window_s=random.choice([0.0, 0.02, 0.1]),
            window_tasks_min=random.choice([1, 2]),
            window_tasks_max=random.choice([1, 5, 10_000]),
        )
        self.scheduler = SchedulerHost(network, limits)
        self.workload = workload
        self.raised: Counter[str] = Counter()
        self.results = Results(
            workload.programs,
            self.raised,
            workload.shared,
            lambda: self.scheduler.lost_workers_count,
            _DEATHS_MAX,
        )
        self.workers: list[WorkerHost] = []
        self.clients: list[ClientHost] = []
        for number in range(swarm.workers_count):
            # One of them has all resources, so that no task waits for ever.
            gpus = 2.0 if number == 0 else float(random.randint(0, 2))
            threads_count = random.randint(1, swarm.threads_max)
            self._start_worker(WorkerOffer(f"w{number}", threads_count, {"GPU": gpus}))
        for _ in range(swarm.clients_count):
            self._start_client()

    def peers(self) -> list[WorkerHost | ClientHost]:
        """Return those that are alive, beside the scheduler."""
        return [*self.workers_alive(), *self.clients_alive()]

    def workers_alive(self) -> list[WorkerHost]:
        """Return the workers whose process runs."""
        return [worker for worker in self.workers if worker.alive]

    def clients_alive(self) -> list[ClientHost]:
        """Return the clients whose process runs."""
        return [client for client in self.clients if client.alive]

    def heal(self) -> None:
        """Let the network be smooth from now on."""
        self.network.rough = False
        now_s = self.timeline.now_s
        for host in self.peers():
            host.link.stalled_until_s = min(host.link.stalled_until_s, now_s)

    # Workers.

    def _start_worker(self, offer: WorkerOffer, address: str | None = None) -> None:
        if address is None:
            address = f"tcp://{offer.name}:{len(self.workers) + 1}"
        self.network.trace.note(offer.name, f"starts at {address}")
        worker = WorkerHost(
            offer, address, self.network, self.scheduler, self._worker_died, self.raised
        )
        self.workers.append(worker)

    def _worker_died(self, worker: WorkerHost) -> None:
        self._let_scheduler_learn(worker)
        random = self.network.random
        reuse = self.network.swarm.faults.address_reuse and random.random() < 0.5
        delay_s = random.uniform(0.0, 200 * self.network.swarm.latency_s)
        address = worker.address if reuse else None
        self.timeline.after(delay_s, lambda: self._start_worker(worker.offer, address))

    def _let_scheduler_learn(self, host: WorkerHost | ClientHost) -> None:
        """The scheduler learns of a death when the grace time of the session is over."""
        link = host.link
        if not link.is_over:
            link.lose("its process is gone", link.server)

    # Clients.

    def _start_client(self) -> None:
        name = f"c{len(self.clients) + 1}"
        self.network.trace.note(name, "starts")
        client = ClientHost(name, self.network, self.scheduler, self.results, self._client_died)
        self.clients.append(client)
        User(self.workload, client)

    def _client_died(self, client: ClientHost) -> None:
        self._let_scheduler_learn(client)
        if not self.workload.is_over:
            delay_s = self.network.random.uniform(0.0, 200 * self.network.swarm.latency_s)
            self.timeline.after(delay_s, self._start_client)
