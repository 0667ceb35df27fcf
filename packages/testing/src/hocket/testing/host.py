"""Hosts: a machine and the little that a shell does for it, on the simulated network.

A shell takes in what arrives, lets its machine decide, and sends what piled up once per turn of its
loop. Here a turn comes a drawn moment after what caused it, so that several frames may share one.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hocket.core.errors import InvariantBroken
from hocket.protocol.messages import WorkerJoined
from hocket.protocol.roles import Role
from hocket.scheduler.invariants import check
from hocket.scheduler.machine import SchedulerMachine
from hocket.scheduler.tables import Limits
from hocket.scheduler.transitions import to_recalled
from hocket.testing.link import End, Link, Peer
from hocket.testing.network import Network
from hocket.testing.trace import summary

__all__ = ["Host", "SchedulerHost"]


class Host:
    """What all hosts have.

    Attributes
    ----------
    name
        Names it in the trace.
    alive
        False once its process is gone.
    """

    role: Role

    def __init__(self, name: str, network: Network) -> None:
        self.name = name
        self.network = network
        self.alive = True
        self._turn_is_due = False

    def note(self, event: str) -> None:
        """Write a line of the trace."""
        self.network.trace.note(self.name, event)

    def after(self, delay_s: float, action: Callable[[], None]) -> None:
        """Plan something that happens only if this host lives."""

        def act() -> None:
            if self.alive:
                action()

        self.network.timeline.after(delay_s, act)

    def want_turn(self) -> None:
        """See to it that a turn of the loop comes."""
        if not self._turn_is_due:
            self._turn_is_due = True
            random = self.network.random
            delay_s = (
                0.0 if random.random() < 0.5 else random.uniform(0, self.network.swarm.latency_s)
            )
            self.after(delay_s, self._turn)

    def _turn(self) -> None:
        self._turn_is_due = False
        self.turn()

    def turn(self) -> None:
        """Send what piled up."""
        raise NotImplementedError


class SchedulerHost(Host):
    """The scheduler.

    Attributes
    ----------
    machine
        The real one; its tables are checked after each event.
    ends
        Sessions by the ids that the machine knows.
    """

    role = Role.SCHEDULER

    def __init__(self, network: Network, limits: Limits) -> None:
        super().__init__("scheduler", network)
        self.machine = SchedulerMachine(limits, address="tcp://scheduler:1")
        self.machine.tables.trace = network.trace.moved
        self.ends: dict[int, End] = {}
        self._ids_count = 0
        #: Reasons for which sessions were refused, except those that must be expected.
        self.lost_workers_count = 0

    def connect(self, peer: Peer) -> Link:
        """Let a peer connect; the handshake is not simulated."""
        self._ids_count += 1
        id_ = self._ids_count
        link = Link(self.network, peer, self, id_)
        self.ends[id_] = link.server
        if peer.role is Role.CLIENT:
            self.machine.client_joined(id_, peer.name)
        else:
            self.machine.worker_greeted(id_)
        return link

    def receive(self, end: End, messages: list[Any]) -> None:
        """Take in what a peer said."""
        self.note(f"hears from {end.other.peer.name}: {summary(messages)}")
        refusal = self.machine.receive(end.id, messages, self.network.timeline.now_s)
        if refusal is not None:
            # Only a worker that came back before its former session was over may be refused.
            if type(messages[0]) is not WorkerJoined:
                raise InvariantBroken(rule="peers say what they may", detail=refusal)
            end.close(refusal)
            self._peer_lost(end, refusal)
        self._check()
        self.want_turn()

    def closed(self, end: End, reason: str) -> None:
        """Let go of a peer whose session is over."""
        self._peer_lost(end, reason)
        self._check()
        self.want_turn()

    def turn(self) -> None:
        """Decide, and send what follows."""
        for id_, frames in self.machine.turn(self.network.timeline.now_s):
            for frame in frames:
                self.ends[id_].send(frame)
        self._check()
        if self.machine.look_again_s is not None:
            self.after(self.machine.look_again_s, self.want_turn)

    def recall(self, position: int) -> None:
        """Ask one of the assigned tasks back, as a stealing policy will."""
        tables = self.machine.tables
        assigned = [task for task in tables.tasks.values() if task.state == "assigned"]
        if assigned:
            task = assigned[position % len(assigned)]
            to_recalled(tables, task)
            self._check()
            self.want_turn()

    def _peer_lost(self, end: End, reason: str) -> None:
        if self.ends.pop(end.id, None) is None:
            return
        self.note(f"loses {end.other.peer.name}: {reason}")
        if end.id in self.machine.tables.workers:
            self.lost_workers_count += 1
        self.machine.peer_lost(end.id, reason, self.network.timeline.now_s)

    def _check(self) -> None:
        check(self.machine.tables)
