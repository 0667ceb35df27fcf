"""A scheduler machine with a client and some workers, for tests that look at each message."""

from __future__ import annotations

from typing import Any

from hocket.protocol.messages import SubmitTasks, TasksDone, WorkerJoined
from hocket.scheduler import Limits, SchedulerMachine
from hocket.scheduler.invariants import check
from hocket.scheduler.moves import watch

__all__ = ["CLIENT", "House"]

CLIENT = 100


class House:
    """A machine with a client and some workers; every turn is checked."""

    def __init__(self, workers: int = 2, threads: int = 1, **limits: Any) -> None:
        self.machine = SchedulerMachine(Limits(**limits), address="tcp://scheduler")
        self.machine.tables.trace = watch
        self.now_s = 0.0
        self.machine.client_joined(CLIENT, "client")
        for id_ in range(1, workers + 1):
            self.join(id_, threads)

    def join(self, id_: int, threads: int = 1, **more: Any) -> None:
        self.machine.worker_greeted(id_)
        self.say(id_, WorkerJoined(f"w{id_}", f"tcp://w{id_}", f"host{id_}", id_, threads, **more))

    def say(self, id_: int, *messages: Any) -> None:
        assert self.machine.receive(id_, messages, self.now_s) is None
        check(self.machine.tables)

    def turn(self) -> dict[int, list[Any]]:
        out = {
            id_: [message for frame in frames for message in frame]
            for id_, frames in self.machine.turn(self.now_s)
        }
        check(self.machine.tables)
        return out

    def submit(self, keys: list[str], dependencies: Any = (), known: Any = (), **more: Any) -> None:
        count = len(keys)
        more.setdefault("payloads", [b"x"] * count)
        self.say(
            CLIENT,
            SubmitTasks(
                [b"f" * 16],
                ["f"],
                [b"pickle"],
                [*keys, *known],
                [],
                dependencies=list(dependencies),
                ranks=[],
                **more,
            ),
        )

    def done(self, id_: int, key: str, attempt: int, value: bytes | None = None) -> None:
        self.say(id_, TasksDone([key], [attempt], [8], [0.0], [0.01], [value]))

    def state(self, key: str) -> str:
        return self.machine.tables.tasks[key].state
