"""Actors on simulated workers, and the ledger of all their calls: each made once, and in order.

An actor keeps the list of the calls that were made of it, and nothing else. So its state tells what
came of whom; a checkpoint is a copy of that list, and what is lost with a worker is missing there.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from random import Random
from typing import Final, Protocol

import msgspec

from hocket.client.actor_book import CallState
from hocket.client.actor_errors import ActorCallLost, ActorRestarted
from hocket.client.machine import CANCELLED, STORED
from hocket.core.errors import InvariantBroken
from hocket.protocol.messages import ACTORS, ActorSaved
from hocket.testing.network import Network
from hocket.worker.actors import Actor, Call
from hocket.worker.machine import WorkerMachine
from hocket.worker.state import Task

__all__ = ["ActorBench", "ActorPlan", "Bench", "Caller", "Ledger"]

_NUMBER: Final = re.compile(r"\(call (\d+)\)")

#: ``(caller, number)`` of each call that was made, in order.
State = list[tuple[str, int]]


class ActorPlan(msgspec.Struct, array_like=True, frozen=True):
    """How an actor is made."""

    #: A checkpoint is taken after so many calls; 0: never.
    saved_every: int


class Caller(Protocol):
    """A client, as far as the ledger needs to know it."""

    name: str
    #: What it is called by the actors.
    caller: str
    #: All calls that it made, by actor.
    calls: dict[str, list[CallState]]


class Ledger:
    """What was made of all calls of a run."""

    def __init__(self) -> None:
        self._made: set[tuple[str, str, int]] = set()
        self._last: dict[tuple[str, int, str], int] = {}
        #: What each actor that lives now remembers.
        self._states: dict[str, State] = {}

    def lives(self, key: str, attempt: int, state: State) -> None:
        """Take note of an incarnation, and what it remembers."""
        self._states[key] = state
        for caller, number in state:
            self._last[key, attempt, caller] = number

    def made(self, key: str, attempt: int, caller: str, number: int) -> None:
        """Take note that a call is made."""
        if (key, caller, number) in self._made:
            detail = f"call {number} of {caller} of {key}#{attempt}"
            raise InvariantBroken(rule="no call is made twice", detail=detail)
        self._made.add((key, caller, number))
        last = self._last.get((key, attempt, caller), 0)
        if number <= last:
            detail = f"call {number} of {caller} of {key}#{attempt} after {last}"
            raise InvariantBroken(rule="calls are made in the order of their caller", detail=detail)
        self._last[key, attempt, caller] = number

    def check(self, callers: Iterable[Caller], living: Iterable[str]) -> None:
        """Compare with what callers were told, when all is quiet.

        Parameters
        ----------
        callers
            The clients that are there.
        living
            The keys of the actors that are somewhere.
        """
        alive = set(living)
        for caller in callers:
            for key, calls in caller.calls.items():
                if key in alive:
                    self._check_calls(caller, key, calls)

    def _check_calls(self, caller: Caller, key: str, calls: list[CallState]) -> None:
        known = {number for name, number in self._states[key] if name == caller.caller}
        told: set[int] = set()
        for call in calls:
            if isinstance(call.error, ActorRestarted):
                told |= {int(_NUMBER.findall(one)[0]) for one in call.error.lost}
        for call in calls:
            number, error = call.number, call.error
            what = f"{call.name} of {caller.name} of {key}"
            if number in told and number in known:
                raise InvariantBroken(rule="what is said to be lost is lost", detail=what)
            is_missing = call.status is STORED and number not in known and number not in told
            # (Whoever made no call since has not been told yet.)
            if is_missing and number < max(known, default=0):
                raise InvariantBroken(rule="callers hear of what is lost", detail=what)
            is_unmade = isinstance(error, ActorCallLost) and not error.was_sent
            is_unmade |= call.status is CANCELLED
            if is_unmade and (key, caller.caller, number) in self._made:
                raise InvariantBroken(rule="what is said not to be made is not", detail=what)


class Bench(Protocol):
    """What actors see of their worker."""

    name: str
    machine: WorkerMachine
    network: Network
    random: Random
    ledger: Ledger

    def note(self, event: str) -> None:
        """Write a line of the trace."""

    def after(self, delay_s: float, action: Callable[[], None]) -> None:
        """Plan something."""

    def changed(self) -> None:
        """Send the report soon, and check."""

    def send_now(self) -> None:
        """Send what piled up before anything else happens."""

    def actor_begins(self, task: Task) -> None:
        """Take note that an actor is being made."""

    def die(self, reason: str) -> None:
        """End at once."""


class ActorBench:
    """The actors of one worker; each makes one call at a time.

    Parameters
    ----------
    host
        Their worker.
    """

    def __init__(self, host: Bench) -> None:
        self._host = host
        self._waking_count = 0
        self._states: dict[Actor, tuple[State, ActorPlan]] = {}

    def wake(self) -> None:
        """Have actors made, and calls, each at its own moment."""
        host = self._host
        for actor in host.machine.tables.actors.take_woken():
            if actor.is_over:
                del self._states[actor]
            else:
                host.after(self._moment_s(), lambda actor=actor: self._serve(actor))  # type: ignore[misc]
        while self._waking_count < host.machine.startable(ACTORS):
            self._waking_count += 1
            host.after(self._moment_s(), self._take)

    def save_last(self) -> None:
        """Save what has changed, as the worker leaves."""
        tables = self._host.machine.tables
        for actor, (state, plan) in self._states.items():
            if plan.saved_every and actor.unsaved_count and not actor.is_over:
                data = msgspec.msgpack.encode(state)
                tables.outbox.saved(tables.actors.save(actor, data))

    def _moment_s(self) -> float:
        random = self._host.random
        return random.choice([0.0, random.uniform(0.0, self._host.network.swarm.latency_s)])

    def _duration_s(self) -> float:
        return self._host.random.expovariate(1.0 / self._host.network.swarm.duration_s)

    def _take(self) -> None:
        self._waking_count -= 1
        host = self._host
        task = host.machine.take(ACTORS)
        if task is None:
            return
        if task.announced:
            host.send_now()
        host.note(f"begins to make {task.key}#{task.attempt}")
        host.actor_begins(task)
        host.after(self._duration_s(), lambda: self._make(task))
        host.changed()

    def _make(self, task: Task) -> None:
        host = self._host
        tables = host.machine.tables
        plan = msgspec.msgpack.decode(task.payload, type=ActorPlan)
        restore = tables.actors.restoring(task.key, task.attempt)
        state: State = []
        if restore is not None:
            state = msgspec.msgpack.decode(restore.state, type=State)
        elif plan.saved_every and tables.tasks.get(task.key) is task:
            first = ActorSaved(task.key, task.attempt, msgspec.msgpack.encode(state), [], [])
            tables.outbox.saved(first)
        now_s = host.network.timeline.now_s
        host.machine.executed(task, "an actor", 100, now_s, 0.0, b"reference")
        actor = tables.actors.find(task.key, task.attempt)
        if actor is not None:
            host.note(f"has made {task.key}#{task.attempt}")
            self._states[actor] = (state, plan)
            host.ledger.lives(task.key, task.attempt, state)
            self._serve(actor)
        host.changed()

    def _serve(self, actor: Actor) -> None:
        call = self._host.machine.tables.actors.take(actor)
        if call is not None:
            self._host.after(self._duration_s(), lambda: self._end(actor, call))
        elif actor.is_over:
            actor.is_idle = False
            self._states.pop(actor, None)

    def _end(self, actor: Actor, call: Call) -> None:
        host = self._host
        found = self._states.get(actor)
        if found is None:
            return
        if call.method == "kill":
            host.die(f"killed by a call of {actor.key}#{actor.attempt}")
            return
        state, plan = found
        host.note(f"{actor.key}#{actor.attempt} makes call {call.number} of {call.caller}")
        host.ledger.made(actor.key, actor.attempt, call.caller, call.number)
        state.append((call.caller, call.number))
        tables = host.machine.tables
        value = msgspec.msgpack.encode(len(state))
        if plan.saved_every and actor.unsaved_count + 1 >= plan.saved_every and not actor.is_over:
            data = msgspec.msgpack.encode(state)
            tables.outbox.saved(tables.actors.end_saved(actor, call, value, None, data))
        else:
            tables.actors.end(actor, call, value, None)
        self._serve(actor)
        host.changed()
