"""Deeds with locks, semaphores, queues and barriers."""

from __future__ import annotations

from dataclasses import dataclass

from hocket.testing.deeds import Deed, Place

__all__ = ["Acquire", "GiveUp", "Lease", "LetGo", "Meet", "PutValue", "TakeValues"]


@dataclass(frozen=True, slots=True)
class Acquire(Deed):
    """A client asks for some of these locks, in the name of a task if one is given that runs."""

    client: str
    names: tuple[str, ...]
    count: int
    task_key: str = ""

    def act(self, cluster: Place) -> None:
        """Ask."""
        client = cluster.client(self.client)
        if client is not None:
            task = cluster.scheduler.machine.tables.tasks.get(self.task_key)
            asker = () if task is None else (task.key, task.attempt)
            client.desk.acquire(cluster.accounts, list(self.names), self.count, asker)


@dataclass(frozen=True, slots=True)
class Lease(Deed):
    """A client asks for leases of a semaphore."""

    client: str
    name: str
    count: int

    def act(self, cluster: Place) -> None:
        """Ask."""
        client = cluster.client(self.client)
        if client is not None:
            client.desk.lease(cluster.accounts, self.name, self.count)


@dataclass(frozen=True, slots=True)
class LetGo(Deed):
    """A client releases what it has held longest."""

    client: str

    def act(self, cluster: Place) -> None:
        """Release it."""
        client = cluster.client(self.client)
        if client is not None:
            client.desk.let_go()


@dataclass(frozen=True, slots=True)
class PutValue(Deed):
    """A client puts a value into a queue, with futures of these keys in it."""

    client: str
    queue: str
    keys: tuple[str, ...] = ()

    def act(self, cluster: Place) -> None:
        """Put it in, with those futures that it holds."""
        client = cluster.client(self.client)
        if client is not None:
            keys = [key for key in self.keys if key in client.wanted_keys()]
            client.desk.put(cluster.accounts, self.queue, keys)


@dataclass(frozen=True, slots=True)
class TakeValues(Deed):
    """A client takes values out of a queue."""

    client: str
    queue: str
    least: int = 1
    most: int = 1

    def act(self, cluster: Place) -> None:
        """Ask for them."""
        client = cluster.client(self.client)
        if client is not None:
            client.desk.take(cluster.accounts, self.queue, self.least, self.most)


@dataclass(frozen=True, slots=True)
class Meet(Deed):
    """A client waits at a barrier."""

    client: str
    name: str

    def act(self, cluster: Place) -> None:
        """Wait."""
        client = cluster.client(self.client)
        if client is not None:
            client.desk.meet(cluster.accounts, self.name)


@dataclass(frozen=True, slots=True)
class GiveUp(Deed):
    """A client withdraws what it has waited for longest, and may not wait for the answer."""

    client: str
    abandons: bool = False

    def act(self, cluster: Place) -> None:
        """Withdraw it."""
        client = cluster.client(self.client)
        if client is not None:
            client.desk.give_up(abandons=self.abandons)
