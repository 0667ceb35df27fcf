"""A worker on the simulated network: its machine, its threads, its data server."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Protocol

from hocket.core.errors import InvariantBroken
from hocket.core.settings import WorkerSettings
from hocket.protocol.messages import (
    ACTORS,
    FetchData,
    HereRan,
    PutData,
    RunHere,
    WorkerJoined,
)
from hocket.protocol.roles import Role
from hocket.testing.actors import ActorBench, Ledger
from hocket.testing.data_desk import DataDesk
from hocket.testing.disk import Disk
from hocket.testing.executor import Execution, Executor
from hocket.testing.host import Host, SchedulerHost
from hocket.testing.link import End, Link
from hocket.testing.network import Network, Served
from hocket.testing.reservations import check_reservations
from hocket.testing.trace import summary
from hocket.worker.invariants import check
from hocket.worker.machine import WorkerMachine
from hocket.worker.state import (
    DropFile,
    Fetch,
    Interrupt,
    Leave,
    Spill,
    Task,
    Unspill,
)
from hocket.worker.transitions import drop

__all__ = ["INLINE_NBYTES_MAX", "Life", "WorkerHost", "WorkerOffer", "Works"]

#: Small, so that both ways of a value are taken.
INLINE_NBYTES_MAX = 1000
#: Between the beginning of a task and the word of it, if nothing else is to be said: at most this.
_FLUSH_S: Final = 0.002


@dataclass(frozen=True, slots=True)
class Life:
    """How long a worker takes tasks, and how long it then waits to be let go, in seconds."""

    life_s: float
    patience_s: float


class Works(Protocol):
    """The cluster, as far as workers need one."""

    scheduler: SchedulerHost
    ledger: Ledger

    def worker_died(self, worker: WorkerHost) -> None:
        """Take note that a process is gone."""

    def task_overdue(self, key: str) -> None:
        """Take note that a task runs longer than it may."""

    def task_raised(self, key: str) -> None:
        """Count it."""

    def task_begins(self, worker: WorkerHost, task: Task) -> None:
        """Take note of it."""

    def worker_let_go(self, worker: WorkerHost) -> None:
        """Check that nothing is lost with a worker that was told to end."""

    def life_of(self, name: str) -> Life | None:
        """Return how long a worker lives that comes now; None: it knows of no end."""

    def submit_and_wait(self, worker: WorkerHost, execution: Execution) -> None:
        """Let a task submit tasks of its own, by a client of its own."""


@dataclass(frozen=True, slots=True)
class WorkerOffer:
    """What a worker is, in each of its lives.

    Attributes
    ----------
    memory_limit
        Bytes of values over which its process dies; 0: it has memory without end.
    """

    name: str
    threads_count: int
    resources: Mapping[str, float]
    memory_limit: int = 0
    coroutines_count: int = 2


class WorkerHost(Host):
    """One life of a worker's process.

    Parameters
    ----------
    offer
        Its name, threads and resources.
    life
        The how many-th process of this name it is.
    address
        Where its data server listens.
    network
        What lies between it and the others.
    works
        Who wants to know what happens here.

    Attributes
    ----------
    executions
        The tasks that its threads have, some of which nobody waits for any more.
    nested
        Clients inside of its tasks.
    """

    role = Role.WORKER

    def __init__(
        self, offer: WorkerOffer, life: int, address: str, network: Network, works: Works
    ) -> None:
        super().__init__(offer.name, life, network)
        self.offer = offer
        self.address = address
        self._works = works
        swarm, random = network.swarm, self.random
        settings = WorkerSettings(
            inline_nbytes_max=INLINE_NBYTES_MAX,
            fetch_connections_max=random.choice([1, 2, 16]),
            fetch_nbytes_max=random.choice([1, 1000, 64 * 2**20]),
            fetch_nbytes_in_flight_max=random.choice([1, 60_000, 256 * 2**20]),
            pause_part=random.choice([0.3, 0.8]),
            spill=swarm.faults.spilling,
            **self._draw_memory(),
        )
        self.slots = {"threads": offer.threads_count, "loop": offer.coroutines_count}
        if swarm.faults.actors:
            self.slots[ACTORS] = 2
        self.ledger = works.ledger
        self.machine = WorkerMachine(
            name=offer.name,
            address=address,
            settings=settings,
            resources=offer.resources,
            executors=self.slots,
            memory_limit=offer.memory_limit,
        )
        self._executors = [
            Executor(self, name, INLINE_NBYTES_MAX) for name in self.slots if name != ACTORS
        ]
        self._bench = ActorBench(self)
        #: Sessions of those who call its actors, by number.
        self._lines: dict[int, End] = {}
        calls_address = f"calls:{address}"
        network.call_hosts[calls_address] = self
        self.executions: dict[Task, Execution] = {}
        self.nested: dict[Host, None] = {}
        requests_max = random.choice([1, 2]) if swarm.faults.busy_peers else 1000
        self.disk = Disk(self, network.stream(offer.name, life, "disk"))
        self._data = DataDesk(self, self.disk, requests_max)
        self._sample_is_due = False
        self._tick_s: float | None = None
        self.link = works.scheduler.connect(self)
        network.data_hosts[address] = self
        span = works.life_of(offer.name)
        self.link.client.send(
            [
                WorkerJoined(
                    offer.name,
                    address,
                    "host",
                    1,
                    offer.threads_count,
                    offer.memory_limit,
                    dict(self.machine.resources),
                    self.slots,
                    calls_address,
                    leaves_in_s=None if span is None else span.life_s,
                )
            ]
        )
        if span is not None:
            self.after(span.life_s, lambda: self.retire(span.patience_s))

    def ends_here(self) -> list[End]:
        """Return its side of its session."""
        return [self.link.client, *self._lines.values()]

    def take_line(self, line: Link) -> None:
        """Let somebody connect who calls actors."""
        self._lines[line.server.id] = line.server

    def _draw_memory(self) -> dict[str, Any]:
        """Draw when values leave the memory: soon, so that histories come to it."""
        random = self.network.stream(self.name, self.life, "memory")
        return {
            "memory_target": random.choice([0.01, 0.1, 0.6]),
            "memory_spill": random.choice([0.05, 0.3, 1.0]),
            "spill_nbytes_min": random.choice([1, 100]),
        }

    # The loop.

    def receive(self, end: End, messages: list[Any]) -> None:
        """Take in what the scheduler said."""
        if end is self.link.client:
            self.note(f"hears: {summary(messages)}")
            self.machine.handle(messages, self.network.timeline.now_s)
        else:
            self.note(f"is called: {summary(messages)}")
            for message in messages:
                self.machine.tables.actors.receive(end.id, message)
        self.changed()

    def closed(self, end: End, reason: str) -> None:
        """Without a scheduler a worker is of no use: it ends, and its nanny starts another."""
        if end is self.link.client:
            self.die(f"its session is over: {reason}")
        elif self._lines.pop(end.id, None) is not None:
            self.machine.tables.actors.lost(end.id)
            self.changed()

    def turn(self) -> None:
        """Send what piled up, and do what the machine asks for."""
        self.send_now()
        self._answer_callers()
        self.machine.take_discarded()
        self._check()

    def _answer_callers(self) -> None:
        for id_, answers in self.machine.tables.actors.take_replies():
            for answer in answers:
                if id_ in self._lines:
                    self._lines[id_].send([answer])

    def send_now(self) -> None:
        """Send what piled up."""
        messages = self.machine.take_outbox()
        if messages:
            self.link.client.send(messages)

    def die(self, reason: str) -> None:
        """End at once: the process is gone."""
        self.gone(reason)
        for end in self._lines.values():
            if not end.link.is_over:
                end.link.process_is_gone("its process is gone", end.other)
        for host in list(self.nested):
            host.die("its worker is gone")
        self._works.worker_died(self)

    def hang(self, duration_s: float) -> None:
        """Do nothing for a while, and with it the clients inside of its tasks."""
        super().hang(duration_s)
        for host in self.nested:
            host.hang(duration_s)

    def lose_value(self, key: str) -> int:
        """Forget a value, and tell nobody; return the attempt that made it."""
        self.note(f"loses {key}")
        datum = self.machine.tables.held[key]
        drop(self.machine.tables, datum)
        self.changed()
        return datum.attempt

    def damage_file(self, key: str) -> None:
        """Let the file of a value be damaged, if it is in one."""
        for datum in self.machine.tables.shelf.spilled:
            if datum.key == key:
                self.note(f"has a bad file of {key}")
                self.disk.damage(datum.value)

    def leave(self, reason: str = "it left") -> None:
        """Say goodbye and end; what waits for actors goes back to those who called them."""
        self.machine.tables.actors.leave()
        self._bench.save_last()
        self._answer_callers()
        self.send_now()
        self.link.client.close("it leaves")
        self.die(reason)

    def retire(self, patience_s: float) -> None:
        """Ask to be let go, and end when that is so, or when it has taken too long."""
        if self.machine.leaving:
            return
        self.note("wants to leave")
        self.machine.leave("it is to end")
        self.after(patience_s, lambda: self.leave("it waited in vain"))
        self.changed()

    def memory_nbytes(self) -> int:
        """Return the size of the values that it holds, and of those that its tasks read."""
        tables = self.machine.tables
        held = tables.held
        read = {
            (datum.key, datum.attempt): datum.nbytes
            for task in self.executions
            for datum in task.inputs
            if held.get(datum.key) is not datum
        }
        return tables.held_nbytes + sum(read.values())

    def changed(self) -> None:
        """Do what follows from anything that the machine has seen."""
        machine = self.machine
        if self.offer.memory_limit and not self._fits_in_memory():
            return
        self._check()
        for command in machine.take_commands():
            if isinstance(command, Fetch):
                self._data.fetch(command)
            elif isinstance(command, Leave):
                self._works.worker_let_go(self)
                self.leave(f"it was let go: {command.reason}")
                return
            elif isinstance(command, Interrupt):
                self._interrupt(command.task)
            elif isinstance(command, Spill | Unspill | DropFile):
                self.disk.obey(command)
            else:
                self._run_here(command)
        for task in machine.take_granted():
            self.executions[task].granted()
        for executor in self._executors:
            executor.wake()
        self._bench.wake()
        if machine.pending or machine.tables.actors.has_replies:
            self.want_turn()
        elif machine.has_unannounced:
            self.after(self.random.uniform(0.0, _FLUSH_S), self.want_turn)
        wake_s = machine.wake_s
        if wake_s is not None and (self._tick_s is None or wake_s < self._tick_s):
            self._tick_s = wake_s
            wake_s = max(wake_s, self.network.timeline.now_s)
            self.network.timeline.at(wake_s, lambda: self.when_awake(self._tick))

    def _tick(self) -> None:
        self._tick_s = None
        self.machine.tick(self.network.timeline.now_s)
        self.changed()

    def _fits_in_memory(self) -> bool:
        """Return whether the process lives on; let the machine know, some time, how full it is."""
        nbytes = self.memory_nbytes()
        is_deadly = self.network.swarm.faults.memory_shortage and self.network.rough
        if nbytes > self.offer.memory_limit and is_deadly:
            self.die(f"out of memory: {nbytes} bytes")
            return False
        if not self._sample_is_due:
            self._sample_is_due = True
            self.after(self.random.uniform(0.0, 10 * self.network.swarm.latency_s), self._sample)
        return True

    def breathe(self) -> None:
        """See that there is memory enough, now that faults have stopped."""
        if self.offer.memory_limit:
            self.after(0.0, self._sample)

    def _sample(self) -> None:
        self._sample_is_due = False
        was_paused = self.machine.paused
        # (Once faults have stopped there is memory enough, though the limit stays what it was.)
        self.machine.memory_sampled(self.memory_nbytes() if self.network.rough else 0)
        if self.machine.paused is not was_paused:
            self.note("pauses" if self.machine.paused else "goes on")
        if self.machine.pending:
            self.changed()

    # Its threads.

    def begins(self, execution: Execution) -> None:
        """Take note that a task begins, and check that there is room for it."""
        self.executions[execution.task] = execution
        check_reservations(self.name, self.machine.resources, list(self.executions))
        self._works.task_begins(self, execution.task)
        if self.machine.has_unannounced:
            self.after(self.random.uniform(0.0, _FLUSH_S), self.want_turn)

    def actor_begins(self, task: Task) -> None:
        """Take note that an actor is being made."""
        self._works.task_begins(self, task)
        if self.machine.has_unannounced:
            self.after(self.random.uniform(0.0, _FLUSH_S), self.want_turn)

    def ends(self, execution: Execution) -> None:
        """Take note that a task ends."""
        del self.executions[execution.task]

    def _interrupt(self, task: Task) -> None:
        """Interrupt a task, which half of the tasks bear: they go on, and end when they would."""
        if task.terms.timeout_s:
            self._works.task_overdue(task.key)
        else:
            self._check_is_cancelled(task)
        execution = self.executions.get(task)
        if execution is None:
            return
        if self.random.random() < 0.5:
            self.after(self.random.uniform(0.0, _FLUSH_S), execution.interrupted)
        elif self.random.random() < 0.4:
            execution.hold_out(self.random.uniform(0.0, 4.0))

    def _check_is_cancelled(self, task: Task) -> None:
        """Check that nobody waits for a task that is interrupted."""
        known = self._works.scheduler.machine.tables.tasks.get(task.key)
        if self.machine.tables.tasks.get(task.key) is task or (
            known is not None and known.worker is not None and known.attempt == task.attempt
        ):
            raise InvariantBroken(rule="what is wanted is not interrupted", detail=repr(task))

    def overdue(self, key: str) -> None:
        """Count it, for the checkers."""
        self._works.task_overdue(key)

    def raised(self, key: str) -> None:
        """Count it, for the checkers."""
        self._works.task_raised(key)

    def killed_by(self, task: Task) -> None:
        """End because of a task that was poison."""
        self.die(f"killed by {task.key}#{task.attempt}")

    def submit_and_wait(self, execution: Execution) -> None:
        """Let a task submit tasks of its own."""
        self._works.submit_and_wait(self, execution)

    def _check(self) -> None:
        check(self.machine)
        for name, count in self.slots.items():
            occupied_count = sum(
                1 for one in self.executions.values() if one.has_slot and one.executor.name == name
            )
            if occupied_count > count:
                raise InvariantBroken(rule="no more tasks run than there are slots", detail=name)

    def serve(self, request: FetchData | PutData, buffers: list[bytes]) -> Served:
        """Answer a request for data, or keep what a client puts here."""
        return self._data.serve(request, buffers)

    def _run_here(self, command: RunHere) -> None:
        def ran() -> None:
            self.machine.here_ran(HereRan(command.request, command.payload, None))
            self.changed()

        self.after(self.random.expovariate(1.0 / self.network.swarm.duration_s), ran)
