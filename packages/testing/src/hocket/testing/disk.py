"""The disk of a simulated worker: slow, sometimes full, and not always true."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Protocol

from hocket.core.errors import InvariantBroken
from hocket.testing.executor import Stuck
from hocket.testing.network import Network
from hocket.worker.machine import WorkerMachine
from hocket.worker.state import Datum, DropFile, Spill, Unspill

__all__ = ["Computer", "Disk", "File"]


class Computer(Protocol):
    """A worker, as its disk sees it."""

    machine: WorkerMachine
    network: Network

    def note(self, event: str) -> None:
        """Write a line of the trace."""

    def after(self, delay_s: float, action: Callable[[], None]) -> None:
        """Plan something."""

    def changed(self) -> None:
        """Do what follows from anything that the machine has seen."""


class File:
    """A value on disk.

    Attributes
    ----------
    value
        What was written.
    is_damaged
        Whether something else is there by now.
    """

    __slots__ = ("is_damaged", "value")

    def __init__(self, value: object) -> None:
        self.value = value
        self.is_damaged = False


class Disk:
    """Does what the machine commands about files, in its time.

    Parameters
    ----------
    computer
        The worker.
    random
        How long things take, and what fails, is drawn from it.

    Attributes
    ----------
    files
        Those that there are.
    written_count, read_count, lost_count
        What went well, and what was found to be damaged.
    """

    def __init__(self, computer: Computer, random: Random) -> None:
        self._computer = computer
        self._random = random
        self.files: dict[File, None] = {}
        self.written_count = 0
        self.read_count = 0
        self.lost_count = 0

    def obey(self, command: Spill | Unspill | DropFile) -> None:
        """Do what is asked for, some time."""
        if isinstance(command, DropFile):
            assert isinstance(command.file, File)
            if command.file not in self.files:
                raise InvariantBroken(rule="a file is dropped once", detail=repr(command))
            del self.files[command.file]
        elif isinstance(command, Spill):
            self._later(lambda: self._write(command))
        else:
            self._later(lambda: self._read(command))

    def _later(self, action: Callable[[], None]) -> None:
        swarm = self._computer.network.swarm
        delay_s = self._random.expovariate(1.0 / swarm.latency_s)
        if swarm.faults.disk_faults and self._random.random() < 0.2:
            delay_s *= 50

        def act() -> None:
            action()
            self._computer.changed()

        self._computer.after(delay_s, act)

    def _fails(self, part: float) -> bool:
        network = self._computer.network
        return network.swarm.faults.disk_faults and network.rough and self._random.random() < part

    def _write(self, spill: Spill) -> None:
        disk, now_s = self._computer.machine.disk, self._computer.network.timeline.now_s
        name = f"{spill.datum.key}#{spill.datum.attempt}"
        if isinstance(spill.value, Stuck):
            self._computer.note(f"cannot spill {name}")
            disk.cannot_spill(spill, "it cannot be pickled")
        elif self._fails(0.1):
            self._computer.note(f"cannot spill {name}: the disk is full")
            disk.is_full(spill, "no space left on device", now_s)
        else:
            self._computer.note(f"spilled {name}")
            file = File(spill.value)
            self.files[file] = None
            self.written_count += 1
            disk.spilled(spill, file, now_s, 0.0)

    def _read(self, unspill: Unspill) -> None:
        now_s = self._computer.network.timeline.now_s
        found = self.look(unspill.datum, unspill.file)
        if found is not None:
            self._computer.note(f"unspilled {unspill.datum.key}#{unspill.datum.attempt}")
            self.read_count += 1
            self._computer.machine.disk.unspilled(unspill, found.value, now_s, 0.0)

    def look(self, datum: Datum, file: object) -> File | None:
        """Return the file of a value, if it is what was written; else the machine is told."""
        assert isinstance(file, File)
        if file in self.files and not file.is_damaged:
            return file
        self._computer.note(f"cannot read {datum.key}#{datum.attempt}")
        self.lost_count += 1
        now_s = self._computer.network.timeline.now_s
        self._computer.machine.disk.lost(datum, file, "it is damaged", now_s)
        return None

    def damage(self, file: object) -> None:
        """Let something else be in a file than what was written."""
        assert isinstance(file, File)
        file.is_damaged = True
