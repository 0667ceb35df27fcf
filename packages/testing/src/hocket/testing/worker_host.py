"""A worker on the simulated network: its machine, its threads, its data server."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from hocket.core.errors import InvariantBroken
from hocket.core.settings import WorkerSettings
from hocket.protocol.messages import (
    DataReply,
    DataStored,
    FetchData,
    HereRan,
    PutData,
    RunHere,
    WorkerJoined,
)
from hocket.protocol.roles import Role
from hocket.testing.executor import Executor, Stuck, encode_value
from hocket.testing.host import Host, SchedulerHost
from hocket.testing.link import End
from hocket.testing.network import Network
from hocket.testing.trace import summary
from hocket.worker.invariants import check
from hocket.worker.machine import Answer, WorkerMachine
from hocket.worker.state import Fetch, Task
from hocket.worker.transitions import drop

__all__ = ["INLINE_NBYTES_MAX", "WorkerHost", "WorkerOffer"]

#: Small, so that both ways of a value are taken.
INLINE_NBYTES_MAX = 1000


@dataclass(frozen=True, slots=True)
class WorkerOffer:
    """What a worker is, in each of its lives."""

    name: str
    threads_count: int
    resources: Mapping[str, float]


class WorkerHost(Host):
    """One life of a worker's process.

    Parameters
    ----------
    offer
        Its name, threads and resources.
    address
        Where its data server listens.
    scheduler
        Where it connects to.
    on_death
        Called once, when the process is gone.
    raised
        Counts, by key, how often tasks raised.
    """

    role = Role.WORKER

    def __init__(
        self,
        offer: WorkerOffer,
        address: str,
        network: Network,
        scheduler: SchedulerHost,
        on_death: Callable[[WorkerHost], None],
        raised: Counter[str],
    ) -> None:
        super().__init__(offer.name, network)
        self.offer = offer
        self.address = address
        self._on_death = on_death
        self._raised = raised
        settings = WorkerSettings(
            inline_nbytes_max=INLINE_NBYTES_MAX,
            fetch_connections_max=network.random.choice([1, 2, 16]),
            fetch_nbytes_max=network.random.choice([1, 1000, 64 * 2**20]),
        )
        self.machine = WorkerMachine(
            name=offer.name, address=address, settings=settings, resources=offer.resources
        )
        self.executor = Executor(self, offer.threads_count, INLINE_NBYTES_MAX)
        self.link = scheduler.connect(self)
        network.data_hosts[address] = self
        self.link.client.send(
            [
                WorkerJoined(
                    offer.name,
                    address,
                    "host",
                    1,
                    offer.threads_count,
                    resources=dict(offer.resources),
                )
            ]
        )

    # The loop.

    def receive(self, end: End, messages: list[Any]) -> None:
        """Take in what the scheduler said."""
        del end
        self.note(f"hears: {summary(messages)}")
        self.machine.handle(messages, self.network.timeline.now_s)
        self._after_event()

    def closed(self, end: End, reason: str) -> None:
        """Without a scheduler a worker is of no use: it ends, and its nanny starts another."""
        del end
        self.die(f"its session is over: {reason}")

    def turn(self) -> None:
        """Send what piled up, and do what the machine asks for."""
        messages = self.machine.take_outbox()
        if messages:
            self.link.client.send(messages)
        self.machine.take_discarded()
        self._check()

    def die(self, reason: str) -> None:
        """End at once: the process is gone."""
        self.note(f"dies: {reason}")
        self.alive = False
        self._on_death(self)

    def lose_value(self, key: str) -> int:
        """Forget a value, and tell nobody; return the attempt that made it."""
        self.note(f"loses {key}")
        datum = self.machine.tables.held[key]
        drop(self.machine.tables, datum)
        self._after_event()
        return datum.attempt

    def leave(self) -> None:
        """Say goodbye and end."""
        self.link.client.close("it leaves")
        self.die("it left")

    def _after_event(self) -> None:
        self._check()
        for command in self.machine.take_commands():
            if isinstance(command, Fetch):
                self._fetch(command)
            else:
                self._run_here(command)
        self.executor.wake()
        if self.machine.pending:
            self.want_turn()

    def _check(self) -> None:
        check(self.machine)
        if self.machine.running_count > self.offer.threads_count:
            raise InvariantBroken(rule="no more tasks run than threads", detail=self.name)

    # Its threads.

    def task_ended(self) -> None:
        """Go on after a thread changed the machine."""
        self._after_event()

    def task_raised(self, key: str) -> None:
        """Count it, for the checkers."""
        self._raised[key] += 1

    def killed_by(self, task: Task) -> None:
        """End because of a task that was poison."""
        self.die(f"killed by {task.key}#{task.attempt}")

    # Data.

    def _fetch(self, fetch: Fetch) -> None:
        keys = fetch.keys
        self.note(f"asks {fetch.address} for {' '.join(keys)}")

        def on_reply(reply: DataReply | DataStored, buffers: list[bytes]) -> None:
            if self.alive:
                assert isinstance(reply, DataReply)
                self.note(f"gets from {fetch.address}: {_in_words(keys, reply)}")
                answers = _answers(reply, buffers)
                self.machine.fetched(fetch, answers, self.network.timeline.now_s)
                self._after_event()

        def on_failure(reason: str) -> None:
            if self.alive:
                self.note(f"gets nothing from {fetch.address}: {reason}")
                self.machine.fetch_failed(fetch)
                self._after_event()

        request = FetchData(keys)
        self.network.request(self.name, fetch.address, request, [], on_reply, on_failure)

    def serve(
        self, request: FetchData | PutData, buffers: list[bytes]
    ) -> tuple[DataReply | DataStored, list[bytes]]:
        """Answer a request for data, or keep what a client puts here."""
        if isinstance(request, PutData):
            sizes = [sum(row) for row in request.sizes]
            for key, buffer, nbytes in zip(request.keys, buffers, sizes, strict=True):
                self.machine.put(key, msgspec.msgpack.decode(buffer), nbytes)
            self._after_event()
            return DataStored(sizes), []
        reply = DataReply([], [], [])
        answers = []
        for datum in self.machine.held(request.keys):
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

    def _run_here(self, command: RunHere) -> None:
        def ran() -> None:
            self.machine.here_ran(HereRan(command.request, command.payload, None))
            self._after_event()

        self.after(self.network.random.expovariate(1.0 / self.network.swarm.duration_s), ran)


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
