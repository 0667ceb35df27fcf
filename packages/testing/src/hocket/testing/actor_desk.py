"""What a simulated user does with actors: makes them, calls them, shares them, lets go of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, Protocol

import msgspec

from hocket.client.actor_book import CallState
from hocket.client.batches import TaskBatch
from hocket.client.machine import CANCELLED, PENDING, ClientMachine, FutureState
from hocket.client.options import TaskOptions
from hocket.protocol.messages import ACTORS, CallKind, CallsEnded, FailureKind
from hocket.protocol.serialize import FunctionPickle
from hocket.testing.actors import ActorPlan
from hocket.testing.link import End, Link, Peer
from hocket.testing.network import Network
from hocket.testing.programs import digest_of

__all__ = ["ActorDesk"]

_MESSAGE_NBYTES_MAX = 1000
_FUNCTION = "actor"
#: Lines are numbered beyond all sessions with schedulers.
_FIRST_LINE = 1 << 32


class Owner(Peer, Protocol):
    """A client host."""

    machine: ClientMachine
    network: Network

    def after(self, delay_s: float, action: Callable[[], None]) -> None:
        """Plan something."""

    def changed(self) -> None:
        """Take note that the machine may have something to say."""


class ActorDesk:
    """One client's actors, the lines to their workers, and all its calls.

    Attributes
    ----------
    caller
        What actors call it.
    calls
        All calls that were made, by actor.
    held
        The futures of its actors, by key.
    keeping
        The keys of all that it had made which keep resources.
    """

    def __init__(self, host: Owner) -> None:
        self._host = host
        self.name = host.name
        self.caller = host.machine.token
        self.calls: dict[str, list[CallState]] = {}
        self.held: dict[str, FutureState] = {}
        self._lines: dict[str, Link] = {}
        self.keeping: dict[str, None] = {}

    # What users do.

    def make(self, key: str, plan: ActorPlan, options: TaskOptions) -> None:
        """Have an actor made."""
        batch = TaskBatch(
            [FunctionPickle(digest_of(_FUNCTION), _FUNCTION.encode(), _FUNCTION, [])],
            [key],
            [msgspec.msgpack.encode(plan)],
            options=replace(options, executor=ACTORS),
        )
        (self.held[key],) = self._host.machine.submit(batch)
        if options.resources:
            self.keeping[key] = None
        self._host.changed()

    def share(self, key: str) -> None:
        """Hold an actor of another client."""
        if key not in self.held:
            self.held[key] = self._host.machine.want(key)
            self._host.changed()

    def call(self, key: str, method: str) -> None:
        """Call an actor."""
        if key in self.held:
            book = self._host.machine.actors
            call = book.call(key, method, CallKind.METHOD, b"payload", None)
            self.calls.setdefault(key, []).append(call)
            self._host.changed()

    def cancel(self, key: str, place: int) -> None:
        """Do without the answer to a call of an actor, if it has none."""
        calls = self.calls.get(key)
        if calls:
            self._host.machine.actors.cancel(calls[place % len(calls)])
            self._host.changed()

    def let_go(self, key: str) -> bool:
        """Let go of an actor, unless there are calls without answers: these hold it."""
        if key not in self.held or any(one.status is PENDING for one in self.calls.get(key, ())):
            return False
        state = self.held.pop(key)
        self.calls.pop(key, None)
        self._host.machine.release([state])
        self._host.changed()
        return True

    def pending(self) -> list[CallState]:
        """Return the calls without an answer."""
        return [call for calls in self.calls.values() for call in calls if call.status is PENDING]

    def wanted_keys(self) -> list[str]:
        """Return what the scheduler should believe that is held here."""
        return [
            key
            for key, state in self.held.items()
            if state.status != CANCELLED
            # (It was too late: there is none any more.)
            and (state.failure is None or state.failure.kind is not FailureKind.UNKNOWN_KEY)
        ]

    # Lines to workers.

    def ends(self) -> list[End]:
        """Return this side of each line."""
        return [line.client for line in self._lines.values()]

    def send(self) -> None:
        """Send calls where they go."""
        for address, messages in self._host.machine.actors.take_calls(_MESSAGE_NBYTES_MAX):
            line = self._line(address)
            if line is None:
                self._lost_soon(address)
                continue
            for message in messages:
                line.client.send([message])

    def receive(self, messages: list[Any]) -> None:
        """Take answers."""
        for message in messages:
            assert isinstance(message, CallsEnded)
            self._host.machine.actors.ended(message)
        self._host.changed()

    def closed(self, end: End) -> None:
        """Take note that a line is gone."""
        for address, line in list(self._lines.items()):
            if line.client is end:
                del self._lines[address]
                self._lost_soon(address)

    def lose_lines(self, reason: str) -> None:
        """Let all lines be lost for good, while both sides live."""
        for line in list(self._lines.values()):
            if not line.is_over:
                line.lose(reason, line.client, line.server)

    def process_is_gone(self) -> None:
        """Let workers learn that nobody is here any more."""
        for line in self._lines.values():
            if not line.is_over:
                line.process_is_gone("its process is gone", line.server)
        self._lines.clear()

    def _line(self, address: str) -> Link | None:
        line = self._lines.get(address)
        if line is None:
            network = self._host.network
            home = network.call_hosts.get(address)
            if home is None or not home.alive:
                return None
            network.lines_count += 1
            line = Link(network, self._host, home, _FIRST_LINE + network.lines_count)
            self._lines[address] = line
            home.take_line(line)
        return line

    def _lost_soon(self, address: str) -> None:
        """Give a worker up, if there is no news of it meanwhile."""
        self._host.after(100 * self._host.network.swarm.latency_s, lambda: self._lost(address))

    def _lost(self, address: str) -> None:
        self._host.machine.actors.line_lost(address, "the line was lost")
        self._host.changed()
