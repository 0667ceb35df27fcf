"""The coordination room alone, with clients and tasks that are what a test says they are."""

from __future__ import annotations

from collections import Counter
from typing import Any

from hocket.protocol.codec import decoder_for, encode
from hocket.protocol.messages import (
    AcquireLeases,
    AcquireLocks,
    GrantGiven,
    PutItem,
    ReleaseGrant,
    TakeItems,
    WithdrawRequest,
)
from hocket.protocol.roles import Role
from hocket.scheduler.coordination import Coordination, CoordinationLimits
from hocket.scheduler.coordination.invariants import check

__all__ = ["FakeTasks", "Guest", "Room"]

_TO_SCHEDULER = decoder_for(Role.CLIENT, Role.SCHEDULER)
_TO_CLIENT = decoder_for(Role.SCHEDULER, Role.CLIENT)


class FakeTasks:
    """Keys that are known, and attempts that run."""

    def __init__(self) -> None:
        self.watched: set[str] = set()
        self.running: set[tuple[str, int]] = set()
        self.known: set[str] = set()
        self.pinned: Counter[str] = Counter()
        self._moved: list[str] = []

    def is_running(self, key: str, attempt: int) -> bool:
        return (key, attempt) in self.running

    def end(self, key: str, attempt: int) -> None:
        self.running.discard((key, attempt))
        if key in self.watched:
            self._moved.append(key)

    def take_moved(self) -> list[str]:
        moved, self._moved = self._moved, []
        return moved

    def pin(self, key: str) -> bool:
        if key in self.known:
            self.pinned[key] += 1
            assert self.pinned[key] == 1
        return key in self.known

    def unpin(self, key: str) -> None:
        del self.pinned[key]


class Guest:
    """A client, as the room sees it; what it is told piles up in ``heard``."""

    def __init__(self, id_: int) -> None:
        self.id = id_
        self.name = f"c{id_}"
        self.outbox = self
        self.heard: list[Any] = []

    def add(self, message: Any, nbytes: int = 0) -> None:
        (decoded,) = _TO_CLIENT.decode(encode([message]))
        assert decoded == message
        self.heard.append(message)

    def take(self) -> list[Any]:
        heard, self.heard = self.heard, []
        return heard


class Room:
    """The room with some clients; it is checked after every event."""

    def __init__(self, guests: int = 3, **limits: Any) -> None:
        self.tasks = FakeTasks()
        self.coordination = Coordination(self.tasks, CoordinationLimits(**limits))
        self.guests = {id_: Guest(id_) for id_ in range(1, guests + 1)}
        self._numbers = 0

    def say(self, id_: int, message: Any) -> list[Any]:
        """Say something; return what the client hears of that at once."""
        (decoded,) = _TO_SCHEDULER.decode(encode([message]))
        guest = self.guests[id_]
        self.coordination.handlers[type(message)](guest, decoded)  # type: ignore[arg-type]
        check(self.coordination)
        return guest.take()

    def ask(self, id_: int, kind: Any, *fields: Any, **more: Any) -> tuple[int, Any]:
        """Make a request; return its number and its answer, None if there is none yet."""
        self._numbers += 1
        heard = self.say(id_, kind(self._numbers, *fields, **more))
        return self._numbers, heard[-1] if heard else None

    def heard(self, id_: int) -> list[Any]:
        """Return what a client has heard since it was last asked."""
        return self.guests[id_].take()

    def lose(self, id_: int) -> None:
        self.coordination.client_lost(self.guests[id_])  # type: ignore[arg-type]
        check(self.coordination)
        self.guests[id_].take()

    def end_task(self, key: str, attempt: int) -> None:
        self.tasks.end(key, attempt)
        self.coordination.turn()
        check(self.coordination)

    # What is asked often.

    def lock(self, id_: int, *names: str, count: int = 0, task: Any = ()) -> tuple[int, int]:
        """Acquire locks; return the number of the request and the token, 0 if it waits."""
        number, answer = self.ask(id_, AcquireLocks, list(names), count or len(names), *task)
        return number, answer.token if isinstance(answer, GrantGiven) else 0

    def lease(self, id_: int, name: str, limit: int, count: int = 1) -> tuple[int, int]:
        number, answer = self.ask(id_, AcquireLeases, name, limit, count)
        return number, answer.token if isinstance(answer, GrantGiven) else 0

    def release(self, id_: int, token: int) -> Any:
        return self.ask(id_, ReleaseGrant, token)[1]

    def withdraw(self, id_: int, number: int) -> list[Any]:
        return self.say(id_, WithdrawRequest(number))

    def put(self, id_: int, value: bytes, capacity: int = 0, keys: Any = ()) -> tuple[int, Any]:
        return self.ask(id_, PutItem, "q", value, list(keys), capacity)

    def take(self, id_: int, least: int = 1, most: int = 1) -> tuple[int, Any]:
        return self.ask(id_, TakeItems, "q", least, most)
