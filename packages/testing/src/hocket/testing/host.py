"""Hosts: a machine and the little that a shell does for it, on the simulated network.

A shell takes in what arrives, lets its machine decide, and sends what piled up once per turn of its
loop. Here a turn comes a drawn moment after what caused it, so that several frames may share one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final, Protocol

from hocket.core.errors import InvariantBroken
from hocket.protocol.messages import KeysExplained, LeaveCluster, WorkerJoined
from hocket.protocol.roles import Role
from hocket.scheduler.coordination.invariants import check as check_coordination
from hocket.scheduler.coordination.invariants import check_attempts
from hocket.scheduler.invariants import check
from hocket.scheduler.machine import SchedulerMachine
from hocket.scheduler.state import Task, TaskState
from hocket.scheduler.tables import Limits
from hocket.scheduler.transitions import to_recalled
from hocket.testing.accounts import Accounts
from hocket.testing.link import End, Link, Peer
from hocket.testing.network import Network
from hocket.testing.trace import summary

__all__ = ["Host", "Onlooker", "SchedulerHost"]

#: Tasks in the scheduler's tables up to which they are checked after each event.
_CHECKED_TASKS: Final = 24


class Host:
    """What all hosts have.

    Attributes
    ----------
    name
        Names it in the trace.
    life
        The how many-th process of this name it is.
    alive
        False once its process is gone.
    hung_until_s
        It does nothing before this time: its process is stopped, and its kernel is not.
    """

    role: Role

    def __init__(self, name: str, life: int, network: Network) -> None:
        self.name = name
        self.life = life
        self.network = network
        self.alive = True
        self.hung_until_s = 0.0
        self.random = network.stream(name, life)
        self.data_random = network.stream(name, life, "data")
        self._turn_is_due = False

    @property
    def is_hung(self) -> bool:
        """Whether it does nothing now."""
        return self.hung_until_s > self.network.timeline.now_s

    def note(self, event: str) -> None:
        """Write a line of the trace."""
        self.network.trace.note(self.name, event)

    def after(self, delay_s: float, action: Callable[[], None]) -> None:
        """Plan something that happens only if this host lives, and not before it is awake."""
        self.network.timeline.after(delay_s, lambda: self.when_awake(action))

    def when_awake(self, action: Callable[[], None]) -> None:
        """Do something, now or when the host goes on; never if it is gone."""
        if not self.alive:
            return
        if self.is_hung:
            self.network.timeline.at(self.hung_until_s, lambda: self.when_awake(action))
        else:
            action()

    def hang(self, duration_s: float) -> None:
        """Do nothing for a while; whoever hears nothing for too long gives the session up."""
        timeline = self.network.timeline
        self.note(f"hangs for {duration_s:.3f} s")
        self.hung_until_s = max(self.hung_until_s, timeline.now_s + duration_s)
        # So that nothing counts as quiet before it is awake.
        timeline.at(self.hung_until_s, lambda: None)
        timeline.after(self.network.swarm.silence_s, self._be_given_up)

    def _be_given_up(self) -> None:
        if self.alive and self.is_hung:
            for end in self.ends_here():
                if not end.link.is_over:
                    end.link.lose("it was silent for too long", end.other, end)

    def ends_here(self) -> list[End]:
        """Return this host's sides of its sessions."""
        raise NotImplementedError

    def die(self, reason: str) -> None:
        """End at once: the process is gone."""
        raise NotImplementedError

    def gone(self, reason: str) -> None:
        """Take note that the process is gone."""
        self.note(f"dies: {reason}")
        self.alive = False
        self.network.host_is_gone(self)

    def want_turn(self) -> None:
        """See to it that a turn of the loop comes."""
        if not self._turn_is_due:
            self._turn_is_due = True
            random = self.random
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


class Onlooker(Protocol):
    """Whoever wants to know what the scheduler makes of things."""

    def worker_lost(self, worker: str, life: int, assigned: Sequence[tuple[str, int]]) -> None:
        """Take note that it gives a worker up, which it had given these attempts."""

    def task_moved(self, key: str, target: TaskState) -> None:
        """Take note that a task enters a state."""


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

    def __init__(
        self,
        life: int,
        network: Network,
        limits: Limits,
        onlooker: Onlooker,
        accounts: Accounts,
    ) -> None:
        super().__init__("scheduler", life, network)
        self._accounts = accounts
        self.machine = SchedulerMachine(limits, address="tcp://scheduler:1")
        self.machine.tables.trace = self._moved
        self._onlooker = onlooker
        self.ends: dict[int, End] = {}
        #: By address: what workers held, when they were told to end, that others could have taken.
        self.let_go: dict[str, set[tuple[str, int]]] = {}
        self._ids_count = 0
        self._checkable_count = 0

    def ends_here(self) -> list[End]:
        """Return its sides of its sessions."""
        return list(self.ends.values())

    def die(self, reason: str) -> None:
        """End at once: the process is gone, and so are all sessions."""
        self.gone(reason)
        for end in self.ends.values():
            end.link.lose("the scheduler is gone", end.other)

    def connect(self, peer: Peer) -> Link:
        """Let a peer connect; the handshake is not simulated."""
        self._ids_count += 1
        id_ = self._ids_count
        link = Link(self.network, peer, self, id_)
        self.ends[id_] = link.server
        if peer.role is Role.CLIENT:
            self.machine.client_joined(id_, peer.name)
        elif peer.role is Role.OBSERVER:
            self.machine.observer_joined(id_, peer.name)
        else:
            self.machine.worker_greeted(id_)
        if self.machine.feed.kinds:
            self.want_turn()
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
        self._accounts.turn_begins()
        for id_, frames in self.machine.turn(self.network.timeline.now_s):
            for frame in frames:
                self._look_at(id_, frame)
                self.ends[id_].send(frame)
        self._check()
        check_attempts(self.machine.coordination)
        if self.machine.look_again_s is not None:
            self.after(self.machine.look_again_s, self.want_turn)

    def _look_at(self, id_: int, messages: list[Any]) -> None:
        """Check what is said of the tables as they are now."""
        tables = self.machine.tables
        for message in messages:
            self._accounts.said(message)
            if isinstance(message, KeysExplained):
                for one in message.explanations:
                    task = tables.tasks.get(one.key)
                    state = "" if task is None else task.state
                    if one.state != state or not one.text:
                        detail = f"{one} of a task that is {state or 'not there'}"
                        raise InvariantBroken(rule="explanations are true", detail=detail)
            elif isinstance(message, LeaveCluster):
                leaving = tables.workers[id_]
                staying = [one for one in tables.workers.values() if not one.leaving]
                self.let_go[leaving.address] = (
                    {(task.key, task.attempt) for task in leaving.held} if staying else set()
                )

    def recall(self, key: str) -> None:
        """Ask an assigned task back, as a stealing policy will."""
        tables = self.machine.tables
        task = tables.tasks.get(key)
        if task is not None and task.state == "assigned":
            to_recalled(tables, task)
            self._check()
            self.want_turn()

    def _peer_lost(self, end: End, reason: str) -> None:
        if self.ends.pop(end.id, None) is None:
            return
        self.note(f"loses {end.other.peer.name}: {reason}")
        worker = self.machine.tables.workers.get(end.id)
        if worker is not None:
            names = [(task.key, task.attempt) for task in worker.assigned]
            self._onlooker.worker_lost(end.other.peer.name, end.other.peer.life, names)
        self.machine.peer_lost(end.id, reason, self.network.timeline.now_s)

    def _moved(self, task: Task, source: TaskState, target: TaskState) -> None:
        self.network.trace.moved(task, source, target)
        self._onlooker.task_moved(task.key, target)

    def _check(self) -> None:
        """Check the tables: after each event while they are small, else so that it costs as much.

        (What is wrong stays wrong, and a history that is cut down has small tables.)
        """
        self._checkable_count += _CHECKED_TASKS
        if self._checkable_count >= len(self.machine.tables.tasks):
            self._checkable_count = 0
            self.check()

    def check(self) -> None:
        """Check the tables."""
        check(self.machine.tables)
        check_coordination(self.machine.coordination)
