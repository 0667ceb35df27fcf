"""Histories of locks, queues and variables, made by chance, are linearizable; wrong ones are not.

Clients talk to the scheduler's real room over channels on which messages lie as long as chance
wants. They withdraw what they wait for, and they die, with messages lying in both directions; the
scheduler learns of that later.
"""

from __future__ import annotations

from collections import deque
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hocket.protocol.messages import (
    AcquireLocks,
    Denial,
    GetVariable,
    GrantGiven,
    ItemsGiven,
    ItemsReceived,
    PutItem,
    ReleaseGrant,
    RequestDenied,
    SetVariable,
    TakeItems,
    WithdrawRequest,
)
from hocket.scheduler.coordination import Coordination
from hocket.scheduler.coordination.invariants import check
from hocket.testing.linearizability import (
    PENDING,
    Operation,
    linearize,
    lock_model,
    queue_model,
    variable_model,
)

CAPACITY = 2


class NoTasks:
    """There are none."""

    def __init__(self) -> None:
        self.watched: set[str] = set()

    def take_moved(self) -> list[str]:
        return []


class Guest:
    """A client: one operation at a time, and channels both ways."""

    def __init__(self, id_: int) -> None:
        self.id = id_
        self.name = f"c{id_}"
        self.outbox = self
        self.alive = True
        self.is_known = True
        self.to_server: deque[Any] = deque()
        self.to_client: deque[Any] = deque()
        self.waits_for: int | None = None
        self.is_withdrawn = False
        self.token = 0

    def add(self, message: Any, nbytes: int = 0) -> None:
        if self.alive:
            self.to_client.append(message)


class World:
    """Clients, channels, the room, and the history that comes of it."""

    def __init__(self, kind: str, random: Random) -> None:
        self.kind = kind
        self.random = random
        self._guests_count = 3
        self.room = Coordination(NoTasks())  # type: ignore[arg-type]
        self.guests = [Guest(id_) for id_ in range(1, 4)]
        self.history: dict[int, Operation] = {}
        self._now = 0
        self._numbers = 0
        self._values = 0

    def now(self) -> int:
        self._now += 1
        return self._now

    def step(self) -> None:
        """Do something of what can be done now."""
        ways: list[tuple[int, Any, Guest]] = []
        for guest in self.guests:
            if guest.to_server:
                ways.append((6, self.arrive, guest))
            elif not guest.alive and guest.is_known:
                ways.append((2, self.lose, guest))
            if guest.to_client:
                ways.append((3, self.answer, guest))
            if guest.alive:
                ways.append((1, self.die, guest))
                if guest.waits_for is None:
                    ways.append((6, self.call, guest))
                elif not guest.is_withdrawn:
                    ways.append((1, self.withdraw, guest))
        if ways:
            weights, acts, guests = zip(*ways, strict=True)
            (index,) = self.random.choices(range(len(ways)), weights)
            acts[index](guests[index])

    def withdraw(self, guest: Guest) -> None:
        guest.is_withdrawn = True
        guest.to_server.append(WithdrawRequest(guest.waits_for or 0))

    def die(self, guest: Guest) -> None:
        """End, with what lies in the channels; another client comes."""
        guest.alive = False
        guest.to_client.clear()
        for _ in range(self.random.randint(0, len(guest.to_server))):
            guest.to_server.pop()
        self._guests_count += 1
        self.guests.append(Guest(self._guests_count))

    def begin(self, guest: Guest, name: str, argument: Any, message: Any) -> None:
        self.history[message.request] = Operation(name, argument, PENDING, self.now(), None)
        guest.waits_for = message.request
        guest.is_withdrawn = False
        guest.to_server.append(message)

    def end(self, number: int, result: Any) -> None:
        one = self.history[number]
        self.history[number] = Operation(one.name, one.argument, result, one.begun, self.now())

    def instant(self, name: str, argument: Any, result: Any) -> None:
        self._numbers += 1
        begun = self.now()
        self.history[self._numbers] = Operation(name, argument, result, begun, self.now())

    def call(self, guest: Guest) -> None:
        self._numbers += 1
        number = self._numbers
        if self.kind == "lock":
            if guest.token:
                self.begin(guest, "release", guest.token, ReleaseGrant(number, guest.token))
                guest.token = 0
            else:
                self.begin(guest, "acquire", None, AcquireLocks(number, ["l"], 1))
            return
        self._values += 1
        value = self._values
        data = b"%d" % value
        if self.kind == "queue":
            if self.random.random() < 0.55:
                self.begin(guest, "put", value, PutItem(number, "q", data, [], CAPACITY))
            else:
                many = self.random.randint(1, 2)
                self.begin(guest, "get", many, TakeItems(number, "q", 1, many, CAPACITY))
            return
        way = self.random.choice(["set", "get", "get", "delete"])
        if way == "get":
            self.begin(guest, "get", None, GetVariable(number, "v"))
        elif way == "set":
            self.begin(guest, "set", value, SetVariable(number, "v", data))
        else:
            self.begin(guest, "set", None, SetVariable(number, "v", None))

    def arrive(self, guest: Guest) -> None:
        message = guest.to_server.popleft()
        self.room.handlers[type(message)](guest, message)  # type: ignore[arg-type]
        check(self.room)

    def answer(self, guest: Guest) -> None:
        message = guest.to_client.popleft()
        number = message.request
        assert number == guest.waits_for
        guest.waits_for = None
        if isinstance(message, GrantGiven):
            guest.token = message.token
            self.end(number, message.token)
        elif isinstance(message, ItemsGiven):
            self.got(number, message.values)
            guest.to_server.append(ItemsReceived(number, True))
        elif isinstance(message, RequestDenied):
            nothing = {"acquire": 0, "get": () if self.kind == "queue" else None}
            name = self.history[number].name
            assert message.kind in (Denial.WITHDRAWN, Denial.NOT_HELD)
            self.end(number, nothing.get(name, False))
        else:
            self.end(number, True)

    def got(self, number: int, values: list[bytes]) -> None:
        numbers = tuple(map(int, values))
        self.end(number, numbers if self.kind == "queue" else numbers[0])

    def lose(self, guest: Guest) -> None:
        """The scheduler learns that a client is gone."""
        lent = self.room.parcels.lent.get(guest.id, {})
        gone = [(number, [one.value for one in each.parcels]) for number, each in lent.items()]
        tokens = [grant.token for grant in self.room.register.held.of_client(guest)]  # type: ignore[arg-type]
        number = guest.waits_for
        if number is not None:
            if number in lent:
                self.got(number, dict(gone)[number])
            elif tokens and self.history[number].name == "acquire":
                self.end(number, tokens[-1])
        guest.is_known = False
        self.room.client_lost(guest)  # type: ignore[arg-type]
        check(self.room)
        for token in tokens:
            self.instant("expire", token, None)
        if self.kind == "queue":
            for _, values in reversed(gone):
                self.instant("put back", tuple(map(int, values)), None)


MODELS = {
    "lock": (lock_model, (0, 0)),
    "queue": (queue_model, ((), CAPACITY)),
    "variable": (variable_model, None),
}


@pytest.mark.parametrize("kind", MODELS)
@settings(max_examples=200)
@given(random=st.randoms(use_true_random=True), length=st.integers(1, 80))
def test_histories_are_linearizable(kind, random, length):
    world = World(kind, random)
    for _ in range(length):
        world.step()
    model, initial = MODELS[kind]
    history = list(world.history.values())
    assert linearize(history, model, initial) is not None, history


def op(name, argument, result, begun, ended):
    return Operation(name, argument, result, begun, ended)


WRONG = {
    "a lock held by two": (
        "lock",
        [op("acquire", None, 1, 0, 1), op("acquire", None, 2, 2, 3)],
    ),
    "a token that does not grow": (
        "lock",
        [op("acquire", None, 2, 0, 1), op("release", 2, True, 2, 3), op("acquire", None, 1, 4, 5)],
    ),
    "a release by who had lost it": (
        "lock",
        [
            op("acquire", None, 1, 0, 1),
            op("expire", 1, None, 2, 3),
            op("acquire", None, 2, 4, 5),
            op("release", 1, True, 6, 7),
        ],
    ),
    "a free lock that was not given": ("lock", [op("acquire", None, 0, 0, 1)]),
    "a value out of turn": (
        "queue",
        [op("put", 1, True, 0, 1), op("put", 2, True, 2, 3), op("get", 1, (2,), 4, 5)],
    ),
    "a value twice": (
        "queue",
        [op("put", 1, True, 0, 1), op("get", 1, (1,), 2, 3), op("get", 1, (1,), 4, 5)],
    ),
    "a value lost": (
        "queue",
        [op("put", 1, True, 0, 1), op("get", 1, (), 2, 3)],
    ),
    "more than there is room for": (
        "queue",
        [op("put", one, True, 2 * one, 2 * one + 1) for one in range(CAPACITY + 1)],
    ),
    "an old value": (
        "variable",
        [op("set", 1, True, 0, 1), op("set", 2, True, 2, 3), op("get", None, 1, 4, 5)],
    ),
    "a value that comes and goes": (
        "variable",
        [
            op("set", 1, True, 0, 1),
            op("set", 2, True, 2, 9),
            op("get", None, 2, 3, 4),
            op("get", None, 1, 5, 6),
        ],
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_histories_are_found(name):
    kind, history = WRONG[name]
    model, initial = MODELS[kind]
    assert linearize(history, model, initial) is None


def test_what_overlaps_may_take_effect_in_either_order():
    history = [
        op("put", 1, True, 0, 9),
        op("put", 2, True, 1, 8),
        op("get", 1, (2,), 2, 7),
        op("get", 1, (1,), 10, 11),
        op("put", 3, PENDING, 3, None),
    ]
    order = linearize(history, queue_model, ((), 2))
    assert order is not None
    assert order[0].argument == 2
    history[-1] = op("get", 1, PENDING, 3, None)
    assert linearize(history, queue_model, ((), 2)) is not None
