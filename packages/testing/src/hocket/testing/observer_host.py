"""An observer on the simulated network: it comes and goes, reads at its own pace, and remembers.

When all is quiet, what it was told since it came must agree with what the scheduler knows.
"""

from __future__ import annotations

from typing import Any, Final

from hocket.core.errors import InvariantBroken
from hocket.protocol.messages import Events, GrantCredit, Snapshot, Subscribe, Unsubscribe
from hocket.protocol.messages.feed import (
    EventKinds,
    GroupCounted,
    TaskEnded,
    TaskMoved,
    TaskOutcome,
    WorkerCame,
    WorkerGone,
    WorkerPauseChanged,
)
from hocket.protocol.roles import Role
from hocket.scheduler.feed.watch import SCATTERED_GROUP
from hocket.testing.host import Host, SchedulerHost
from hocket.testing.link import End, Link
from hocket.testing.network import Network
from hocket.testing.trace import summary

__all__ = ["ObserverHost"]

#: States of which the scheduler keeps no count.
_UNCOUNTED: Final = frozenset({"released", "forgotten"})
#: Events that are let come at once, beside its own credit, by who has no patience any more.
_CREDIT_IN_HASTE: Final = 50


class _Picture:
    """What one subscription has told."""

    def __init__(self, snapshot: Snapshot) -> None:
        self.position = snapshot.position
        self.dropped = 0
        self.workers = {worker.worker for worker in snapshot.workers}
        self.groups = {group.group: group for group in snapshot.groups}
        self.states: dict[str, str] = {}
        self.ended: set[tuple[str, int]] = set()

    def hear(self, message: Events) -> None:
        if message.first != self.position + message.dropped:
            detail = f"{message.first} follows {self.position}, {message.dropped} were dropped"
            raise InvariantBroken(rule="events come in order, each once", detail=detail)
        self.position = message.following
        self.dropped += message.dropped
        for event in message.events:
            self._hear_one(event)

    def _hear_one(self, event: Any) -> None:
        if isinstance(event, TaskMoved):
            former = self.states.get(event.key)
            # (A key may stand for a new task once it was forgotten.)
            if not self.dropped and former not in (None, event.source, "forgotten"):
                detail = f"{event} of a task that was {former}"
                raise InvariantBroken(rule="moves follow each other", detail=detail)
            self.states[event.key] = event.target
        elif isinstance(event, TaskEnded) and event.outcome is TaskOutcome.STORED:
            name = (event.key, event.attempt)
            if name in self.ended:
                raise InvariantBroken(rule="an attempt ends once", detail=repr(event))
            self.ended.add(name)
        elif isinstance(event, WorkerCame):
            self.workers.add(event.worker)
        elif isinstance(event, WorkerGone):
            self.workers.discard(event.worker)
        elif isinstance(event, WorkerPauseChanged) and event.worker not in self.workers:
            raise InvariantBroken(rule="only who is there pauses", detail=repr(event))
        elif isinstance(event, GroupCounted):
            self.groups[event.group] = event


class ObserverHost(Host):
    """One process that looks on.

    Attributes
    ----------
    picture
        What the present subscription has told; None before it was answered.
    """

    role = Role.OBSERVER

    def __init__(self, name: str, life: int, network: Network, scheduler: SchedulerHost) -> None:
        super().__init__(name, life, network)
        self.picture: _Picture | None = None
        self._request = 0
        self._owed = 0
        self._kinds = 0
        self.link: Link = scheduler.connect(self)
        self._subscribe()

    def ends_here(self) -> list[End]:
        """Return its side of its session."""
        return [self.link.client]

    def die(self, reason: str) -> None:
        """End at once: the process is gone."""
        self.gone(reason)

    def leave(self) -> None:
        """Say goodbye and end."""
        self.link.client.close("it has seen enough")
        self.gone("it leaves")

    def _subscribe(self) -> None:
        self._request += 1
        self.picture = None
        self._owed = 0
        self._kinds = int(self.random.choice([EventKinds.ALL, EventKinds.USUAL]))
        message = Subscribe(
            self._request,
            self._kinds,
            credit=self.random.choice([1, 50, 10_000]),
            interval_s=self.random.choice([0.0, 0.05]),
        )
        self.link.client.send([message])

    def subscribe_anew(self) -> None:
        """End the subscription, and begin another."""
        if self.alive and not self.link.is_over:
            self.link.client.send([Unsubscribe(self._request)])
            self._subscribe()

    def hurry(self) -> None:
        """Read faster to the end.

        Who reads one event at a time needs some steps for each, so that whether all gets quiet
        would hang on how much there was to tell.
        """
        if self.alive and not self.link.is_over:
            self.link.client.send([GrantCredit(self._request, _CREDIT_IN_HASTE)])

    def receive(self, end: End, messages: list[Any]) -> None:
        """Take in what the scheduler said."""
        del end
        self.note(f"hears: {summary(messages)}")
        for message in messages:
            if message.request != self._request:
                continue
            if isinstance(message, Snapshot):
                self.picture = _Picture(message)
            elif isinstance(message, Events):
                if self.picture is None:
                    raise InvariantBroken(rule="a snapshot comes first", detail=repr(message))
                self.picture.hear(message)
                self._owed += len(message.events)
        if self._owed:
            self.after(self.random.uniform(0.0, 0.02), self._grant)

    def _grant(self) -> None:
        if self._owed and not self.link.is_over:
            self.link.client.send([GrantCredit(self._request, self._owed)])
            self._owed = 0

    def closed(self, end: End, reason: str) -> None:
        """Take note that the session is over."""
        del end
        self.gone(f"its session is over: {reason}")

    def turn(self) -> None:
        """Nothing piles up here."""

    def check(self, scheduler: SchedulerHost) -> None:
        """Compare what it was told with what the scheduler knows; all must be quiet."""
        picture = self.picture
        tables = scheduler.machine.tables
        if picture is None or not self.alive or self.link.is_over:
            return
        following = scheduler.machine.feed.ring.following
        if picture.position != following:
            detail = f"it was told of {picture.position} of {following} events"
            raise InvariantBroken(rule="observers hear of all events at last", detail=detail)
        if picture.dropped:
            return
        there = sorted(worker.name for worker in tables.workers.values())
        if sorted(picture.workers) != there:
            detail = f"it was told of {sorted(picture.workers)}; there are {there}"
            raise InvariantBroken(rule="observers know who is there", detail=detail)
        for key, state in picture.states.items():
            task = tables.tasks.get(key)
            actual = "forgotten" if task is None else task.state
            if state != actual:
                detail = f"{key} is {actual}, and it was told {state}"
                raise InvariantBroken(rule="observers know where tasks are", detail=detail)
        self._check_groups(picture, scheduler)

    def _check_groups(self, picture: _Picture, scheduler: SchedulerHost) -> None:
        counted: dict[tuple[str, str], int] = {}
        for task in scheduler.machine.tables.tasks.values():
            if task.state not in _UNCOUNTED:
                group = SCATTERED_GROUP if task.kind is None else task.kind.label
                state = "assigned" if task.state == "recalled" else task.state
                counted[group, state] = counted.get((group, state), 0) + 1
        told = {
            (group.group, state): getattr(group, state)
            for group in picture.groups.values()
            for state in ("waiting", "queued", "assigned", "stored", "failed")
            if getattr(group, state)
        }
        if told != counted:
            detail = f"it was told {told}; there are {counted}"
            raise InvariantBroken(rule="observers know how many tasks there are", detail=detail)
