"""A cluster in virtual time: one scheduler, workers that come back, clients with their users."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

from hocket.core.errors import InvariantBroken
from hocket.scheduler.tables import Limits
from hocket.testing.accounts import Accounts
from hocket.testing.actors import Ledger
from hocket.testing.checkers.results import Results
from hocket.testing.client_host import ClientHost
from hocket.testing.clock import Timeline
from hocket.testing.deeds import Deed
from hocket.testing.executor import Execution, Stuck
from hocket.testing.host import Host, SchedulerHost
from hocket.testing.nested import Nested
from hocket.testing.network import Network
from hocket.testing.observer_host import ObserverHost
from hocket.testing.programs import Programs
from hocket.testing.worker_host import Life, WorkerHost, WorkerOffer
from hocket.worker.state import SCATTERED, Task

__all__ = ["Cluster"]

_DEATHS_MAX = 3


class Cluster:
    """All hosts of a run.

    Parameters
    ----------
    network
        What lies between them.
    on_client
        Called with each client that comes; None: nobody works with them but `do`.

    Attributes
    ----------
    scheduler
        The present one.
    workers, clients
        All that ever were, in the order in which they came.
    programs
        Every task that was submitted, and the reference.
    ledger
        What was made of calls of actors.
    accounts
        What went through queues, and who held what.
    deeds
        What was done to the cluster.
    is_over
        Whether users and faults have stopped.
    """

    def __init__(
        self, network: Network, on_client: Callable[[ClientHost], None] | None = None
    ) -> None:
        self.network = network
        self.timeline: Timeline = network.timeline
        self.programs = Programs()
        self.accounts = Accounts()
        self.ledger = Ledger()
        self.shared: set[str] = set()
        self.deeds: list[Deed] = []
        self.is_over = False
        self.raised: Counter[str] = Counter()
        self._on_client = on_client
        random = network.stream("cluster")
        self._limits = Limits(
            allowed_failures_count=_DEATHS_MAX,
            window_s=random.choice([0.0, 0.02, 0.1]),
            window_tasks_min=random.choice([1, 2]),
            window_tasks_max=random.choice([1, 5, 10_000]),
            # (The tasks here are short. All that has lives that end is drawn elsewhere.)
            long_s=network.swarm.duration_s if network.swarm.faults.lifetimes else 1.0,
        )
        self.results = Results(self.programs, self.raised, self.shared, _DEATHS_MAX)
        self.scheduler = SchedulerHost(1, network, self._limits, self.results, self.accounts)
        self._copies_were_lost = False
        self._let_go: set[WorkerHost] = set()
        self.vanished = self.results.vanished
        self.workers: list[WorkerHost] = []
        self.clients: list[ClientHost] = []
        self._hosts: dict[str, WorkerHost | ClientHost] = {}
        #: Who looks on now, or did last.
        self.observer: ObserverHost | None = None
        self._observing = network.stream("observing")
        self._lives: Counter[str] = Counter()
        #: How long some workers live, by name.
        self._spans: dict[str, Life] = {}

    def start(self) -> None:
        """Let all come that a run begins with."""
        swarm = self.network.swarm
        for number in range(swarm.workers_count):
            self._start_worker(self._draw_offer(number))
        for number in range(1, swarm.clients_count + 1):
            self._start_client(f"c{number}")
        if swarm.faults.observers:
            self._look_on()

    def do(self, deed: Deed) -> None:
        """Do something, and remember it."""
        self.deeds.append(deed)
        deed.act(self)

    def peers(self) -> list[WorkerHost | ClientHost]:
        """Return those that are alive, beside the scheduler."""
        return [*self.workers_alive(), *self.clients_alive()]

    def workers_alive(self) -> list[WorkerHost]:
        """Return the workers whose process runs."""
        return [worker for worker in self.workers if worker.alive]

    def clients_alive(self) -> list[ClientHost]:
        """Return the clients whose process runs."""
        return [client for client in self.clients if client.alive]

    def host(self, name: str) -> Host | None:
        """Return whatever has this name, if it is alive."""
        host = self.scheduler if name == self.scheduler.name else self._hosts.get(name)
        return host if host is not None and host.alive else None

    def client(self, name: str) -> ClientHost | None:
        """Return the client of this name, if one is there and awake."""
        host = self.host(name)
        return host if isinstance(host, ClientHost) and not host.is_hung else None

    def worker(self, name: str) -> WorkerHost | None:
        """Return the worker of this name, if one is there and awake."""
        host = self.host(name)
        return host if isinstance(host, WorkerHost) and not host.is_hung else None

    def heal(self) -> None:
        """Let nothing go wrong from now on."""
        self.is_over = True
        self.network.rough = False
        self._spans.clear()
        now_s = self.timeline.now_s
        for host in self.peers():
            host.link.stalled_until_s = min(host.link.stalled_until_s, now_s)
        for worker in self.workers_alive():
            worker.breathe()
        for client in self.clients_alive():
            client.when_awake(client.desk.wind_down)
        if self.network.swarm.faults.observers:
            self._see_the_end()

    def restart_scheduler(self) -> None:
        """Let the scheduler die, and another come that knows nothing.

        All sessions are over. Workers end, and come back to the new one; clients end.
        """
        former = self.scheduler
        former.die("killed")
        self.accounts.forget()
        self.scheduler = SchedulerHost(
            former.life + 1, self.network, self._limits, self.results, self.accounts
        )

    # Workers.

    def _draw_offer(self, number: int) -> WorkerOffer:
        name, swarm = f"w{number}", self.network.swarm
        random = self.network.stream(name)
        # One of them has all resources, so that no task waits for ever.
        gpus = 2.0 if number == 0 else float(random.randint(0, 2))
        threads_count = random.randint(1, swarm.threads_max)
        memory_limit = random.choice([150_000, 500_000])
        return WorkerOffer(
            name,
            threads_count,
            {"GPU": gpus, "license": 0.3},
            memory_limit if swarm.faults.memory_shortage or swarm.faults.spilling else 0,
        )

    def _start_worker(self, offer: WorkerOffer, address: str | None = None) -> None:
        self._lives[offer.name] += 1
        life = self._lives[offer.name]
        if address is None:
            address = f"tcp://{offer.name}:{life}"
        self.network.trace.note(offer.name, f"starts at {address}")
        worker = WorkerHost(offer, life, address, self.network, self)
        self.workers.append(worker)
        self._hosts[offer.name] = worker

    def worker_died(self, worker: WorkerHost) -> None:
        """Let the scheduler learn of it, and another come in its place."""
        self._let_scheduler_learn(worker)
        for datum in worker.machine.tables.held.values():
            # What a client put here and has not claimed yet may be claimed of the next worker at
            # this address: the scheduler cannot tell them apart.
            if datum.attempt == SCATTERED and (datum.key, worker.address) in self.results.unclaimed:
                self.vanished.add((datum.key, datum.attempt, worker.address))
        if worker not in self._let_go:
            self._copies_were_lost = True
        reuse = self.network.swarm.faults.address_reuse and worker.random.random() < 0.5
        delay_s = worker.random.uniform(0.0, 200 * self.network.swarm.latency_s)
        address = worker.address if reuse else None
        self.timeline.after(delay_s, lambda: self._start_worker(worker.offer, address))

    def limit_life(self, name: str, life: Life) -> None:
        """Let the worker of this name have an end from its next life on."""
        if not self.is_over:
            self._spans[name] = life

    def life_of(self, name: str) -> Life | None:
        """Return how long a worker lives that comes now; None: it knows of no end."""
        return self._spans.get(name)

    def _let_scheduler_learn(self, host: WorkerHost | ClientHost) -> None:
        """The scheduler learns of a death when the grace time of the session is over."""
        link = host.link
        if not link.is_over:
            link.process_is_gone("its process is gone", link.server)

    def task_begins(self, worker: WorkerHost, task: Task) -> None:
        """Take note that a task begins."""
        self.results.task_begins(worker.name, worker.life, task.key, task.attempt)

    def task_overdue(self, key: str) -> None:
        """Take note that a task runs longer than it may."""
        self.results.task_overdue(key)

    def task_raised(self, key: str) -> None:
        """Count it."""
        self.raised[key] += 1

    def worker_let_go(self, worker: WorkerHost) -> None:
        """Check that what is needed of a worker that was told to end is elsewhere.

        Not where copies may have been lost meanwhile, or could not be made.
        """
        self._let_go.add(worker)
        faults = self.network.swarm.faults
        if self._copies_were_lost or self.vanished or faults.data_failures or faults.disk_faults:
            return
        others = [one for one in self.workers_alive() if one is not worker]
        held = worker.machine.tables.held
        for key, attempt in sorted(self.scheduler.let_go.get(worker.address, ())):
            task = self.scheduler.machine.tables.tasks.get(key)
            datum = held.get(key)
            if task is None or task.state != "stored" or task.attempt != attempt:
                continue
            if datum is None or not task.is_needed() or isinstance(datum.value, Stuck):
                continue
            actor = self.scheduler.machine.tables.actors.get(task)
            if actor is not None and actor.state is not None:
                # It is restarted elsewhere.
                continue
            copies = [one.machine.tables.held.get(key) for one in others]
            if not any(copy is not None and copy.attempt == attempt for copy in copies):
                detail = f"{worker.name} alone has {datum}"
                raise InvariantBroken(rule="who leaves in order takes nothing along", detail=detail)

    def submit_and_wait(self, worker: WorkerHost, execution: Execution) -> None:
        """Let a task submit tasks of its own, by a client of its own."""
        name = f"{worker.name}/{execution.task.key}.{execution.run}"
        nested = Nested(name, worker, execution, self.scheduler, self.results)
        client = nested.client
        self.clients.append(client)
        self._hosts[name] = client
        nested.begin(self._let_scheduler_learn)

    # Observers.

    def _look_on(self) -> None:
        """Let somebody come, go or begin anew, from time to time."""
        if self.is_over:
            return
        random, observer = self._observing, self.observer
        if observer is None or not observer.alive:
            self._start_observer()
        elif random.random() < 0.3:
            observer.leave()
        elif random.random() < 0.3:
            observer.subscribe_anew()
        elif self.network.swarm.faults.cuts and random.random() < 0.5:
            observer.link.cut(random.uniform(0.0, 20 * self.network.swarm.latency_s))
        delay_s = random.expovariate(1 / (5 * self.network.swarm.user_interval_s))
        self.timeline.after(delay_s, self._look_on)

    def _see_the_end(self) -> None:
        """Let somebody look on to the end, whoever is there now, and not dawdle."""
        observer = self.observer
        if observer is None or not observer.alive or observer.link.is_over:
            observer = self._start_observer()
        observer.hurry()

    def _start_observer(self) -> ObserverHost:
        self._lives["observer"] += 1
        self.network.trace.note("observer", "starts")
        life = self._lives["observer"]
        observer = ObserverHost("observer", life, self.network, self.scheduler)
        self.observer = observer
        return observer

    # Clients.

    def _start_client(self, name: str) -> None:
        self._lives[name] += 1
        self.network.trace.note(name, "starts")
        client = ClientHost(
            name, self._lives[name], self.network, self.scheduler, self.results, self._client_died
        )
        self.clients.append(client)
        self._hosts[name] = client
        if self._on_client is not None:
            self._on_client(client)

    def _client_died(self, client: ClientHost) -> None:
        self.accounts.disturbed |= client.desk.taken_from
        self._let_scheduler_learn(client)
        if not self.is_over:
            delay_s = client.random.uniform(0.0, 200 * self.network.swarm.latency_s)
            self.timeline.after(delay_s, lambda: self._start_client(client.name))
