"""Deeds with actors."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from hocket.client.options import TaskOptions
from hocket.testing.actors import ActorPlan
from hocket.testing.deeds import Deed, Place

__all__ = ["CallActor", "CancelCall", "LetActorGo", "LoseLines", "MakeActor", "ShareActor"]


@dataclass(frozen=True, slots=True)
class MakeActor(Deed):
    """A client has an actor made that saves itself after so many calls (0: never)."""

    client: str
    key: str
    saved_every: int
    options: TaskOptions = field(default_factory=TaskOptions)

    def act(self, cluster: Place) -> None:
        """Have it made."""
        client = cluster.client(self.client)
        if client is not None and self.key not in cluster.scheduler.machine.tables.tasks:
            client.actors.make(self.key, ActorPlan(self.saved_every), self.options)


@dataclass(frozen=True, slots=True)
class CallActor(Deed):
    """A client calls an actor so many times in a row; a last call ``kill`` ends its worker."""

    client: str
    key: str
    count: int = 1
    method: str = "note"

    def act(self, cluster: Place) -> None:
        """Call it."""
        client = cluster.client(self.client)
        if client is not None:
            for _ in range(self.count - 1):
                client.actors.call(self.key, "note")
            client.actors.call(self.key, self.method)

    def smaller(self) -> Iterator[Deed]:
        """Yield it with fewer calls."""
        if self.count > 1:
            yield replace(self, count=self.count // 2)


@dataclass(frozen=True, slots=True)
class CancelCall(Deed):
    """A client does without the answer to one of its calls."""

    client: str
    key: str
    place: int

    def act(self, cluster: Place) -> None:
        """Cancel it, if there is one."""
        client = cluster.client(self.client)
        if client is not None:
            client.actors.cancel(self.key, self.place)


@dataclass(frozen=True, slots=True)
class ShareActor(Deed):
    """A client gets hold of another's actor."""

    client: str
    key: str

    def act(self, cluster: Place) -> None:
        """Hold it, if it is there."""
        client = cluster.client(self.client)
        if client is not None and self.key in cluster.scheduler.machine.tables.tasks:
            client.actors.share(self.key)


@dataclass(frozen=True, slots=True)
class LetActorGo(Deed):
    """A client lets go of an actor."""

    client: str
    key: str

    def act(self, cluster: Place) -> None:
        """Let go of it."""
        client = cluster.client(self.client)
        if client is not None:
            client.actors.let_go(self.key)


@dataclass(frozen=True, slots=True)
class LoseLines(Deed):
    """A client's sessions with those who keep actors are over for good, while all live on."""

    client: str

    def act(self, cluster: Place) -> None:
        """Lose them."""
        client = cluster.client(self.client)
        if client is not None:
            client.actors.lose_lines("the grace time is over")
