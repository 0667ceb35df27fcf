"""Virtual threads: they take ready tasks from the worker's machine, and end them in their time.

Like the real threads they call the machine themselves, at moments of their own, between any two
events of the worker's loop.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import msgspec

from hocket.core.errors import InvariantBroken
from hocket.protocol.messages import Failure, FailureKind
from hocket.testing.network import Network
from hocket.testing.programs import Behaviour, compute, digest_of
from hocket.worker.machine import WorkerMachine
from hocket.worker.state import Task

__all__ = ["Executor", "Stuck", "encode_value"]


class Workplace(Protocol):
    """What the threads see of their worker."""

    machine: WorkerMachine
    network: Network

    def note(self, event: str) -> None:
        """Write a line of the trace."""

    def after(self, delay_s: float, action: Callable[[], None]) -> None:
        """Plan something."""

    def task_ended(self) -> None:
        """Send the report soon, and check."""

    def killed_by(self, task: Task) -> None:
        """Die."""

    def task_raised(self, key: str) -> None:
        """Count."""


def encode_value(value: object) -> bytes:
    """Return a value as it travels."""
    return msgspec.msgpack.encode(value)


@dataclass(frozen=True, slots=True)
class Stuck:
    """A value that cannot be pickled."""

    number: int


def _number(value: object) -> int:
    if isinstance(value, Stuck):
        return value.number
    assert isinstance(value, int)
    return value


class Executor:
    """The threads of one worker.

    Parameters
    ----------
    place
        Their worker.
    threads_count
        How many there are.
    inline_nbytes_max
        Results up to this size go along with their report.
    """

    def __init__(self, place: Workplace, threads_count: int, inline_nbytes_max: int) -> None:
        self._place = place
        self.threads_count = threads_count
        self._idle_count = threads_count
        self._waking_count = 0
        self._inline_nbytes_max = inline_nbytes_max

    def wake(self) -> None:
        """Let idle threads look for tasks, each at its own moment."""
        host = self._place
        while self._waking_count < min(self._idle_count, self._place.machine.startable_count):
            self._waking_count += 1
            random = host.network.random
            delay_s = random.choice([0.0, random.uniform(0.0, host.network.swarm.latency_s)])
            host.after(delay_s, self._awake)

    def _awake(self) -> None:
        self._waking_count -= 1
        self._idle_count -= 1
        self._take()

    def _take(self) -> None:
        """An unoccupied thread takes a task, or goes to sleep."""
        host = self._place
        task = self._place.machine.take()
        if task is None:
            self._idle_count += 1
            return
        for datum in task.inputs:
            if datum.want is not None:
                raise InvariantBroken(rule="a task runs with all its inputs", detail=repr(datum))
        host.note(f"begins {task.key}#{task.attempt}")
        random, swarm = host.network.random, host.network.swarm
        duration_s = random.expovariate(1.0 / swarm.duration_s)
        if random.random() < 0.05:
            duration_s *= 20
        start_s = host.network.timeline.now_s
        host.after(duration_s, lambda: self._end(task, start_s, duration_s))

    def _end(self, task: Task, start_s: float, duration_s: float) -> None:
        number, keys, behaviour, nbytes = msgspec.msgpack.decode(
            task.payload, type=tuple[int, tuple[str, ...], Behaviour, int]
        )
        machine, host = self._place.machine, self._place
        function = task.function
        if function.digest != digest_of(function.label) or function.blob != function.label.encode():
            raise InvariantBroken(rule="a function is what its digest says", detail=function.label)
        if behaviour is Behaviour.POISON:
            self._place.killed_by(task)
            return
        if behaviour is Behaviour.RAISES or (
            behaviour is Behaviour.FLAKY and host.network.random.random() < 0.5
        ):
            host.note(f"ends {task.key}#{task.attempt}: raised")
            self._place.task_raised(task.key)
            text = f"{task.key} raised"
            failure = Failure(FailureKind.RAISED, task.key, text, b"", machine.name, task.attempt)
            machine.failed(task, failure, start_s, duration_s)
        else:
            inputs = {datum.key: datum.value for datum in task.inputs}
            value = compute(function.label, number, [_number(inputs[key]) for key in keys])
            host.note(f"ends {task.key}#{task.attempt}")
            is_small = task.wanted and nbytes <= self._inline_nbytes_max
            inline = encode_value(value) if is_small else None
            kept = Stuck(value) if behaviour is Behaviour.STUCK else value
            machine.executed(task, kept, nbytes, start_s, duration_s, inline)
        self._take()
        self._place.task_ended()
