"""For tests of spilling: a machine, and what it commands."""

from __future__ import annotations

from hocket.core.settings import WorkerSettings
from hocket.protocol.messages import (
    RunTasks,
)
from hocket.worker.invariants import check
from hocket.worker.machine import WorkerMachine
from hocket.worker.state import Spill, Unspill

OWN, PEER = "tcp://own:1", "tcp://peer:1"
#: Values may take 600 bytes in memory, the process 700.
LIMIT = 1000


class Room:
    """A machine, and what it commands; values are 100 bytes unless said otherwise."""

    def __init__(self, threads=2, limit=LIMIT, **settings):
        self.machine = WorkerMachine(
            name="w",
            address=OWN,
            settings=WorkerSettings(**{"spill_nbytes_min": 10} | settings),
            threads=threads,
            memory_limit=limit,
        )
        self.commands = []
        self.attempt = 100

    def look(self):
        check(self.machine)
        self.commands.extend(self.machine.take_commands())

    def take(self, kind):
        """Return the commands of a kind, and forget them."""
        found = [one for one in self.commands if isinstance(one, kind)]
        self.commands = [one for one in self.commands if one not in found]
        return found

    def put(self, *keys, nbytes=100):
        for key in keys:
            self.machine.put(key, f"value of {key}", nbytes)
            self.look()

    def spill(self):
        """Write all that is to be written; return the keys."""
        keys = []
        while spills := self.take(Spill):
            for spill in spills:
                keys.append(spill.datum.key)
                self.machine.disk.spilled(spill, f"file of {spill.datum.key}", 1.0, 0.5)
                self.look()
        return keys

    def unspill(self):
        """Read all that is to be read; return the keys."""
        keys = []
        while unspills := self.take(Unspill):
            for one in unspills:
                keys.append(one.datum.key)
                assert one.file == f"file of {one.datum.key}"
                self.machine.disk.unspilled(one, f"value of {one.datum.key}", 1.0, 0.5)
                self.look()
        return keys

    def run(self, key, *inputs, attempt=None, priority=0, holders=()):
        """Give the machine a task; inputs were put there, or are (key, attempt)."""
        names = [one if isinstance(one, tuple) else (one, 0) for one in inputs]
        self.attempt += 1
        message = RunTasks(
            functions=[b"f"],
            labels=["f"],
            blobs=[b""],
            keys=[key],
            attempts=[attempt or self.attempt],
            priorities=[priority],
            function_of=[],
            payloads=[b""],
            wanted=[],
            inputs=[list(range(len(inputs)))] if inputs else [],
            input_keys=[name for name, _ in names],
            input_attempts=[number for _, number in names],
            input_nbytes=[100 for _ in names],
            input_holders=[list(range(len(holders))) for _ in names],
            addresses=list(holders),
        )
        self.hear(message)
        return self.attempt

    def hear(self, *messages):
        self.machine.handle(messages, 5.0)
        self.look()

    def begin(self):
        task = self.machine.take()
        self.look()
        return task

    def end(self, task, nbytes=0):
        self.machine.executed(task, "result", nbytes, 1.0, 0.5)
        self.look()

    def said(self, kind):
        return [one for one in self.machine.take_outbox() if isinstance(one, kind)]

    @property
    def sizes(self):
        return self.machine.held_nbytes, self.machine.disk.spilled_nbytes

    def fill(self, count=8):
        """Hold so many values, of which those beyond the sixth are on disk."""
        keys = [f"k{number}" for number in range(count)]
        self.put(*keys)
        self.spill()
        return keys
