"""A worker on the simulated network: its machine, its threads, its data server."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol

import msgspec

from hocket.core.errors import InvariantBroken
from hocket.core.settings import WorkerSettings
from hocket.protocol.messages import (
    ACTORS,
    DataReply,
    DataStored,
    FetchData,
    HereRan,
    PeerBusy,
    PutData,
    RunHere,
    WorkerJoined,
)
from hocket.protocol.roles import Role
from hocket.testing.actors import ActorBench, Ledger
from hocket.testing.executor import Execution, Executor, Stuck, encode_value
from hocket.testing.host import Host, SchedulerHost
from hocket.testing.link import End, Link
from hocket.testing.network import DataAnswer, Network, Served
from hocket.testing.reservations import check_reservations
from hocket.testing.trace import summary
from hocket.worker.invariants import check
from hocket.worker.machine import Answer, WorkerMachine
from hocket.worker.policy.serving import Serving
from hocket.worker.state import Datum, Fetch, Interrupt, Leave, Task
from hocket.worker.transitions import drop

__all__ = ["INLINE_NBYTES_MAX", "Life", "WorkerHost", "WorkerOffer", "Works"]

#: More is a large request: small, so that histories come to it.
LARGE_NBYTES_MIN = 10_000
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
        self._serving = Serving(requests_max)
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
        for id_, answers in self.machine.tables.actors.take_replies():
            for answer in answers:
                if id_ in self._lines:
                    self._lines[id_].send([answer])
        self.machine.take_discarded()
        self._check()

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

    def leave(self, reason: str = "it left") -> None:
        """Say goodbye and end."""
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
                self._fetch(command)
            elif isinstance(command, Leave):
                self._works.worker_let_go(self)
                self.leave(f"it was let go: {command.reason}")
                return
            elif isinstance(command, Interrupt):
                self._interrupt(command.task)
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
        if nbytes > self.offer.memory_limit and self.network.rough:
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
        if execution is not None and self.random.random() < 0.5:
            self.after(self.random.uniform(0.0, _FLUSH_S), execution.interrupted)

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

    # Data.

    def _fetch(self, fetch: Fetch) -> None:
        keys = fetch.keys
        self.note(f"asks {fetch.address} for {' '.join(keys)}")
        machine, timeline = self.machine, self.network.timeline

        def on_reply(reply: DataAnswer, buffers: list[bytes]) -> None:
            if isinstance(reply, PeerBusy):
                self.note(f"finds {fetch.address} busy")
                machine.fetch_busy(fetch, reply.addresses, timeline.now_s)
            else:
                assert isinstance(reply, DataReply)
                self.note(f"gets from {fetch.address}: {_in_words(keys, reply)}")
                machine.fetched(fetch, _answers(reply, buffers), timeline.now_s)
            self.changed()

        def on_failure(reason: str) -> None:
            self.note(f"gets nothing from {fetch.address}: {reason}")
            machine.fetch_failed(fetch, timeline.now_s)
            self.changed()

        request = FetchData(keys, self.address)
        self.network.request(self, fetch.address, request, [], on_reply, on_failure)

    def serve(self, request: FetchData | PutData, buffers: list[bytes]) -> Served:
        """Answer a request for data, or keep what a client puts here."""
        if isinstance(request, PutData):
            sizes = [sum(row) for row in request.sizes]
            for key, buffer, nbytes in zip(request.keys, buffers, sizes, strict=True):
                self.machine.put(key, msgspec.msgpack.decode(buffer), nbytes)
            self.changed()
            return Served(DataStored(sizes), [])
        data = self.machine.held(request.keys)
        nbytes = sum(datum.nbytes for datum in data if datum is not None)
        serving = self._serving
        if nbytes < LARGE_NBYTES_MIN:
            return Served(*_replied(data), nbytes)
        if not serving.begin():
            return Served(PeerBusy(serving.takers(data, request.source)), [])

        def on_end() -> None:
            serving.end()
            if request.source:
                serving.gave([one for one in data if one is not None], request.source)

        return Served(*_replied(data), nbytes, on_end)

    def _run_here(self, command: RunHere) -> None:
        def ran() -> None:
            self.machine.here_ran(HereRan(command.request, command.payload, None))
            self.changed()

        self.after(self.random.expovariate(1.0 / self.network.swarm.duration_s), ran)


def _replied(data: Sequence[Datum | None]) -> tuple[DataReply, list[bytes]]:
    reply = DataReply([], [], [])
    answers = []
    for datum in data:
        is_stuck = datum is not None and isinstance(datum.value, Stuck)
        reply.errors.append("it cannot be pickled" if is_stuck else "")
        if datum is None:
            reply.sizes.append(None)
            reply.attempts.append(-1)
        elif is_stuck:
            reply.sizes.append(None)
            reply.attempts.append(datum.attempt)
        else:
            buffer = encode_value([datum.value, datum.nbytes])
            reply.sizes.append([len(buffer)])
            reply.attempts.append(datum.attempt)
            answers.append(buffer)
    return reply, answers


def _answers(reply: DataReply, buffers: list[bytes]) -> list[Answer]:
    answers = []
    rest = iter(buffers)
    for sizes, attempt, error in zip(reply.sizes, reply.attempts, reply.errors, strict=True):
        if sizes is None:
            answers.append(Answer(attempt, error=error))
        else:
            value, nbytes = msgspec.msgpack.decode(next(rest))
            answers.append(Answer(attempt, nbytes, value))
    return answers


def _in_words(keys: list[str], reply: DataReply) -> str:
    return " ".join(
        f"{key}#{attempt}" if attempt >= 0 else f"no {key}"
        for key, attempt in zip(keys, reply.attempts, strict=True)
    )
