"""Deeds: what users do and what goes wrong, as records that can be written down and done again.

A run is the deeds and what follows from them. One is drawn when its time has come, from what there
is to choose at that moment, and then it says all: who, when, and with what. In a run that is
repeated with some deeds left out, another may make no sense any more (nobody holds the future that
it lets go of): then it does what is left of it, or nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Protocol

from hocket.client.batches import TaskOptions
from hocket.client.machine import CANCELLED, LOST
from hocket.protocol.messages import ExplainKeys, RebalanceKeys, ReplicateKeys, RetireWorkers
from hocket.testing.accounts import Accounts
from hocket.testing.client_host import ClientHost
from hocket.testing.host import Host, SchedulerHost
from hocket.testing.link import End
from hocket.testing.programs import Programs, Spec
from hocket.testing.worker_host import Life, WorkerHost

__all__ = [
    "Ask",
    "Cancel",
    "CrashClient",
    "CrashWorker",
    "Cut",
    "DamageFile",
    "Deed",
    "Explain",
    "Hang",
    "LeaveClient",
    "LeaveWorker",
    "LimitLife",
    "LoseSession",
    "LoseValue",
    "Place",
    "Rebalance",
    "Recall",
    "Release",
    "Replicate",
    "RestartScheduler",
    "Retire",
    "RetireWorker",
    "Scatter",
    "Share",
    "Stall",
    "Submit",
]


class Place(Protocol):
    """A cluster, as far as deeds need one."""

    scheduler: SchedulerHost
    programs: Programs
    accounts: Accounts
    #: Keys that were handed from one client to another: they may be unknown when they arrive.
    shared: set[str]
    #: Keys, attempts and addresses of values that workers lost without knowing.
    vanished: set[tuple[str, int, str]]

    def client(self, name: str) -> ClientHost | None:
        """Return the client of this name, if one is there and awake."""

    def worker(self, name: str) -> WorkerHost | None:
        """Return the worker of this name, if one is there and awake."""

    def host(self, name: str) -> Host | None:
        """Return whatever has this name, if it is alive."""

    def restart_scheduler(self) -> None:
        """Let the scheduler die, and another come."""

    def limit_life(self, name: str, life: Life) -> None:
        """Let the worker of this name have an end from its next life on."""


@dataclass(frozen=True, slots=True)
class Deed:
    """Something that is done to a cluster at a time, in virtual seconds."""

    at_s: float

    def act(self, cluster: Place) -> None:
        """Do it, as far as it makes sense."""
        raise NotImplementedError

    def smaller(self) -> Iterator[Deed]:
        """Yield simpler deeds of the same kind, to be tried in its place."""
        yield from ()


# Users.


@dataclass(frozen=True, slots=True)
class Submit(Deed):
    """A client submits tasks, and holds futures of some of them (``wanted`` None: of all)."""

    client: str
    tasks: tuple[Spec, ...]
    wanted: tuple[str, ...] | None = None
    options: TaskOptions = field(default_factory=TaskOptions)
    keys_are_chosen: bool = False

    def act(self, cluster: Place) -> None:
        """Submit those tasks whose inputs are there."""
        client = cluster.client(self.client)
        if client is None:
            return
        at_hand = {
            key
            for key, state in client.futures.items()
            if state.status not in (CANCELLED, LOST) and key in cluster.programs.specs
        }
        taken = set() if self.keys_are_chosen else set(client.futures)
        specs: list[Spec] = []
        for drawn in self.tasks:
            known = cluster.programs.specs.get(drawn.key)
            spec = known or replace(
                drawn, inputs=tuple(key for key in drawn.inputs if key in at_hand)
            )
            if at_hand.issuperset(spec.inputs) and not self._clashes(spec.key, taken):
                specs.append(spec)
                at_hand.add(spec.key)
                if known is None:
                    cluster.programs.add(spec)
        positions: list[int] | None = None
        if self.wanted is not None:
            positions = [row for row, spec in enumerate(specs) if spec.key in self.wanted]
        if specs:
            client.submit(specs, positions, self.options, keys_are_chosen=self.keys_are_chosen)

    def _clashes(self, key: str, taken: set[str]) -> bool:
        """Tell whether a task's future would take the place of another that is held."""
        return key in taken and (self.wanted is None or key in self.wanted)

    def smaller(self) -> Iterator[Deed]:
        """Yield submissions of fewer and of plainer tasks."""
        count = len(self.tasks)
        size = count // 2
        while size:
            for start in range(0, count, size):
                rest = self.tasks[:start] + self.tasks[start + size :]
                yield replace(self, tasks=rest)
            size //= 2
        if self.options != TaskOptions():
            yield replace(self, options=TaskOptions())


@dataclass(frozen=True, slots=True)
class Release(Deed):
    """A client lets go of futures."""

    client: str
    keys: tuple[str, ...]

    def act(self, cluster: Place) -> None:
        """Let go of those that it holds."""
        client = cluster.client(self.client)
        if client is not None:
            keys = [key for key in self.keys if key in client.futures]
            if keys:
                client.release(keys)


@dataclass(frozen=True, slots=True)
class Cancel(Deed):
    """A client cancels futures; what runs is interrupted, perhaps although others want it."""

    client: str
    keys: tuple[str, ...]
    interrupt: bool = False
    force: bool = False

    def act(self, cluster: Place) -> None:
        """Cancel those that it holds."""
        client = cluster.client(self.client)
        if client is not None:
            keys = [key for key in self.keys if key in client.futures]
            if keys:
                client.cancel(keys, interrupt=self.interrupt, force=self.force)


@dataclass(frozen=True, slots=True)
class Share(Deed):
    """A client takes a future of a key that another has."""

    client: str
    key: str

    def act(self, cluster: Place) -> None:
        """Take it, if the key is one, and not held already."""
        client = cluster.client(self.client)
        if client is not None and self.key not in client.futures:
            if self.key not in cluster.programs.specs:
                return
            cluster.shared.add(self.key)
            client.want(self.key)


@dataclass(frozen=True, slots=True)
class Scatter(Deed):
    """A client puts values on workers."""

    client: str
    data: tuple[Spec, ...]
    broadcast: bool = False

    def act(self, cluster: Place) -> None:
        """Begin to."""
        client = cluster.client(self.client)
        if client is not None:
            for spec in self.data:
                cluster.programs.add(spec)
            client.scatter(self.data, broadcast=self.broadcast)


@dataclass(frozen=True, slots=True)
class Ask(Deed):
    """A client makes the requests that are not about data."""

    client: str

    def act(self, cluster: Place) -> None:
        """Ask."""
        client = cluster.client(self.client)
        if client is not None:
            client.ask_around()


@dataclass(frozen=True, slots=True)
class Explain(Deed):
    """A client asks why tasks are where they are."""

    client: str
    keys: tuple[str, ...]

    def act(self, cluster: Place) -> None:
        """Ask."""
        client = cluster.client(self.client)
        if client is not None:
            client.request(lambda number: ExplainKeys(number, list(self.keys)))


@dataclass(frozen=True, slots=True)
class Replicate(Deed):
    """A client wants values on so many workers."""

    client: str
    keys: tuple[str, ...]
    count: int
    workers: tuple[str, ...] = ()

    def act(self, cluster: Place) -> None:
        """Ask for it."""
        client = cluster.client(self.client)
        if client is not None:
            keys, workers = list(self.keys), list(self.workers)
            client.request(lambda number: ReplicateKeys(number, keys, self.count, workers))


@dataclass(frozen=True, slots=True)
class Rebalance(Deed):
    """A client wants values spread."""

    client: str
    keys: tuple[str, ...] = ()

    def act(self, cluster: Place) -> None:
        """Ask for it."""
        client = cluster.client(self.client)
        if client is not None:
            client.request(lambda number: RebalanceKeys(number, list(self.keys)))


@dataclass(frozen=True, slots=True)
class Retire(Deed):
    """A client wants workers gone; they will come back."""

    client: str
    workers: tuple[str, ...]

    def act(self, cluster: Place) -> None:
        """Ask for it."""
        client = cluster.client(self.client)
        if client is not None:
            client.request(lambda number: RetireWorkers(number, list(self.workers)))


# What goes wrong.


@dataclass(frozen=True, slots=True)
class Stall(Deed):
    """The link of a host carries nothing for a while, then all of it."""

    host: str
    duration_s: float

    def act(self, cluster: Place) -> None:
        """Stall it."""
        for end in _ends(cluster, self.host):
            end.link.stall(self.duration_s)


@dataclass(frozen=True, slots=True)
class Cut(Deed):
    """The connection of a host is cut, and its session resumes on a new one after a while."""

    host: str
    duration_s: float

    def act(self, cluster: Place) -> None:
        """Cut it."""
        for end in _ends(cluster, self.host):
            end.link.cut(self.duration_s)


@dataclass(frozen=True, slots=True)
class LoseSession(Deed):
    """Grace is over: each side gives the other up in its own time, and both live."""

    host: str

    def act(self, cluster: Place) -> None:
        """End it."""
        for end in _ends(cluster, self.host):
            host = cluster.host(self.host)
            if host is not None:
                host.note("loses its session")
            end.link.lose("the grace time is over", end, end.other)


@dataclass(frozen=True, slots=True)
class Hang(Deed):
    """A process stops for a while."""

    host: str
    duration_s: float

    def act(self, cluster: Place) -> None:
        """Stop it."""
        host = cluster.host(self.host)
        if host is not None:
            host.hang(self.duration_s)


@dataclass(frozen=True, slots=True)
class CrashWorker(Deed):
    """A worker dies; it will come back."""

    worker: str

    def act(self, cluster: Place) -> None:
        """Kill it, awake or not."""
        host = cluster.host(self.worker)
        if isinstance(host, WorkerHost):
            host.die("killed")


@dataclass(frozen=True, slots=True)
class LeaveWorker(Deed):
    """A worker closes its session and ends; it will come back."""

    worker: str

    def act(self, cluster: Place) -> None:
        """Let it."""
        worker = cluster.worker(self.worker)
        if worker is not None:
            worker.leave()


@dataclass(frozen=True, slots=True)
class RetireWorker(Deed):
    """A worker asks to be let go, and ends in any case after a while; it will come back."""

    worker: str
    patience_s: float

    def act(self, cluster: Place) -> None:
        """Let it ask."""
        worker = cluster.worker(self.worker)
        if worker is not None and not worker.machine.leaving:
            worker.retire(self.patience_s)


@dataclass(frozen=True, slots=True)
class LimitLife(Deed):
    """A worker ends, and those that come in its place know when they do: as in a job of a queue."""

    worker: str
    life_s: float
    patience_s: float

    def act(self, cluster: Place) -> None:
        """Let it end."""
        cluster.limit_life(self.worker, Life(self.life_s, self.patience_s))
        worker = cluster.worker(self.worker)
        if worker is not None:
            worker.leave()


@dataclass(frozen=True, slots=True)
class CrashClient(Deed):
    """A client dies; another will come."""

    client: str

    def act(self, cluster: Place) -> None:
        """Kill it, awake or not."""
        host = cluster.host(self.client)
        if isinstance(host, ClientHost):
            host.die("killed")


@dataclass(frozen=True, slots=True)
class LeaveClient(Deed):
    """A client closes its session and ends; another will come."""

    client: str

    def act(self, cluster: Place) -> None:
        """Let it."""
        client = cluster.client(self.client)
        if client is not None:
            client.leave()


@dataclass(frozen=True, slots=True)
class LoseValue(Deed):
    """A worker loses a value, and does not know."""

    worker: str
    key: str

    def act(self, cluster: Place) -> None:
        """Take it away."""
        worker = cluster.worker(self.worker)
        if worker is not None and self.key in worker.machine.tables.held:
            attempt = worker.lose_value(self.key)
            cluster.vanished.add((self.key, attempt, worker.address))


@dataclass(frozen=True, slots=True)
class DamageFile(Deed):
    """Something else comes to be in a file than what a worker wrote there."""

    worker: str
    key: str

    def act(self, cluster: Place) -> None:
        """Damage it, if the value is in a file now."""
        worker = cluster.worker(self.worker)
        if worker is not None:
            worker.damage_file(self.key)


@dataclass(frozen=True, slots=True)
class Recall(Deed):
    """The scheduler asks for an assigned task back."""

    key: str

    def act(self, cluster: Place) -> None:
        """Ask."""
        if not cluster.scheduler.is_hung:
            cluster.scheduler.recall(self.key)


@dataclass(frozen=True, slots=True)
class RestartScheduler(Deed):
    """The scheduler dies, and another comes that knows nothing."""

    def act(self, cluster: Place) -> None:
        """Restart it."""
        cluster.restart_scheduler()


def _ends(cluster: Place, name: str) -> list[End]:
    """Return the sides of a host's sessions that are not over."""
    host = cluster.host(name)
    return [] if host is None else [end for end in host.ends_here() if not end.link.is_over]
