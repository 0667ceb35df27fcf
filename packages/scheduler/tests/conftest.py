"""A scheduler machine with a client and workers, for tests that tell it what happened."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from hocket.protocol.codec import decoder_for, encode
from hocket.protocol.messages import (
    CopyData,
    KeysScattered,
    ReplicasStored,
    SubmitTasks,
    TasksDone,
    WorkerJoined,
)
from hocket.protocol.roles import Role
from hocket.scheduler import Limits, SchedulerMachine
from hocket.scheduler.invariants import check
from hocket.scheduler.moves import watch


class House:
    """A machine with a client and some workers; every event is checked, and goes by the codec.

    Parameters
    ----------
    workers
        How many there are at first; they are named w1, w2, ... as their ids are.
    threads
        Of each.
    limits
        Of the machine.
    """

    CLIENT = 1000

    def __init__(self, workers: int = 2, threads: int = 1, **limits: Any) -> None:
        self.machine = SchedulerMachine(Limits(**limits), address="tcp://scheduler")
        self.tables = self.machine.tables
        self.tables.trace = watch
        self.now_s = 0.0
        self.clients = {self.CLIENT}
        self.machine.client_joined(self.CLIENT, "client")
        for id_ in range(1, workers + 1):
            self.join(id_, threads)

    def join(self, id_: int, threads: int = 1, **more: Any) -> None:
        self.machine.worker_greeted(id_)
        self.say(id_, WorkerJoined(f"w{id_}", f"tcp://w{id_}", f"host{id_}", id_, threads, **more))

    def join_client(self, id_: int) -> None:
        self.clients.add(id_)
        self.machine.client_joined(id_, f"client{id_}")

    def say(self, id_: int, *messages: Any) -> None:
        role = Role.CLIENT if id_ in self.clients else Role.WORKER
        heard = decoder_for(role, Role.SCHEDULER).decode(encode(messages))
        assert self.machine.receive(id_, heard, self.now_s) is None
        check(self.tables)

    def ask(self, message: Any) -> None:
        self.say(self.CLIENT, message)

    def lose(self, id_: int, reason: str = "killed by signal 9") -> None:
        self.machine.peer_lost(id_, reason, self.now_s)
        check(self.tables)

    def turn(self) -> dict[int, list[Any]]:
        out = {}
        for id_, frames in self.machine.turn(self.now_s):
            role = Role.CLIENT if id_ in self.clients else Role.WORKER
            decoder = decoder_for(Role.SCHEDULER, role)
            out[id_] = [one for frame in frames for one in decoder.decode(encode(frame))]
        check(self.tables)
        return out

    def submit(self, keys: list[str], dependencies: Any = (), known: Any = (), **more: Any) -> None:
        payloads = [b"x"] * len(keys)
        every = [*keys, *known]
        more.setdefault("ranks", [])
        self.ask(
            SubmitTasks(
                [b"f" * 16],
                ["f"],
                [b"pickle"],
                every,
                [],
                payloads,
                dependencies=list(dependencies),
                **more,
            )
        )

    def done(self, id_: int, run: Any, nbytes: int = 8) -> None:
        count = len(run.keys)
        columns = [nbytes] * count, [0.0] * count, [0.01] * count
        self.say(id_, TasksDone(run.keys, run.attempts, *columns, []))

    def put(self, nbytes: dict[str, int], *ids: int) -> None:
        """Let the client put values of these sizes on workers."""
        addresses = [[f"tcp://w{id_}" for id_ in ids]] * len(nbytes)
        self.ask(KeysScattered(1, list(nbytes), list(nbytes.values()), addresses))
        self.turn()

    def copied(self, out: dict[int, list[Any]]) -> dict[int, list[str]]:
        """Let the workers that are asked to copy report that they did; return what they copied."""
        copied: dict[int, list[str]] = {}
        for id_, messages in out.items():
            for one in messages:
                if type(one) is CopyData:
                    copied.setdefault(id_, []).extend(one.keys)
                    self.say(id_, ReplicasStored(one.keys, one.attempts))
        return copied

    def holders(self, key: str) -> list[int]:
        return sorted(worker.id for worker in self.tables.tasks[key].holding_workers())


@pytest.fixture
def house() -> Callable[..., House]:
    """Return what makes a machine with workers; see `House`."""
    return House
