"""Virtual threads: they take ready tasks from the worker's machine, and end them in their time.

Like the real threads they call the machine themselves, at moments of their own, between any two
events of the worker's loop.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random
from typing import Protocol

import msgspec

from hocket.core.errors import InvariantBroken
from hocket.protocol.messages import Failure, FailureKind
from hocket.testing.network import Network
from hocket.testing.programs import Behaviour, Call, compute, digest_of
from hocket.worker.machine import WorkerMachine
from hocket.worker.state import Task

__all__ = ["Execution", "Executor", "Stuck", "Workplace", "encode_value"]


class Workplace(Protocol):
    """What the threads see of their worker."""

    name: str
    machine: WorkerMachine
    network: Network
    random: Random

    def note(self, event: str) -> None:
        """Write a line of the trace."""

    def after(self, delay_s: float, action: Callable[[], None]) -> None:
        """Plan something."""

    def changed(self) -> None:
        """Send the report soon, and check."""

    def begins(self, execution: Execution) -> None:
        """Take note that a task begins."""

    def ends(self, execution: Execution) -> None:
        """Take note that a task ends."""

    def send_now(self) -> None:
        """Send what piled up before anything else happens."""

    def killed_by(self, task: Task) -> None:
        """Die."""

    def raised(self, key: str) -> None:
        """Count it."""

    def overdue(self, key: str) -> None:
        """Count it."""

    def submit_and_wait(self, execution: Execution) -> None:
        """Let a task submit tasks of its own."""


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
    """The threads of one of a worker's executors.

    Parameters
    ----------
    place
        Their worker.
    name
        What the machine calls the executor.
    inline_nbytes_max
        Results up to this size go along with their report.
    """

    def __init__(self, place: Workplace, name: str, inline_nbytes_max: int) -> None:
        self._place = place
        self.name = name
        self._waking_count = 0
        self._inline_nbytes_max = inline_nbytes_max

    def wake(self) -> None:
        """Let idle threads look for tasks, each at its own moment."""
        host = self._place
        while self._waking_count < host.machine.startable(self.name):
            self._waking_count += 1
            random = host.random
            delay_s = random.choice([0.0, random.uniform(0.0, host.network.swarm.latency_s)])
            host.after(delay_s, self._awake)

    def _awake(self) -> None:
        self._waking_count -= 1
        self.take()

    def take(self) -> None:
        """An unoccupied thread takes a task, or goes to sleep."""
        task = self._place.machine.take(self.name)
        if task is not None:
            Execution(self, self._place, task, self._inline_nbytes_max).begin()


class Execution:
    """One task in the hands of one thread.

    Attributes
    ----------
    has_slot
        Whether it counts among those that its executor runs at once.
    """

    def __init__(
        self, executor: Executor, place: Workplace, task: Task, inline_nbytes_max: int
    ) -> None:
        self.executor = executor
        self.task = task
        self.has_slot = True
        self.call = msgspec.msgpack.decode(task.payload, type=Call)
        self._place = place
        self._inline_nbytes_max = inline_nbytes_max
        self._start_s = place.network.timeline.now_s
        network = place.network
        network.runs[task.key] += 1
        self.run = network.runs[task.key]
        self.random = network.stream("task", task.key, self.run)
        self._on_slot: Callable[[], None] | None = None
        self._is_over = False
        #: When it can end at the earliest.
        self._stays_until_s = 0.0

    def begin(self) -> None:
        """Begin the task, and plan what it does."""
        host, task, random = self._place, self.task, self.random
        for datum in task.inputs:
            if datum.want is not None:
                raise InvariantBroken(rule="a task runs with all its inputs", detail=repr(datum))
        if task.announced:
            host.send_now()
        host.note(f"begins {task.key}#{task.attempt}")
        host.begins(self)
        duration_s = random.expovariate(1.0 / host.network.swarm.duration_s)
        if random.random() < 0.05:
            duration_s *= 20
        behaviour = self.call.behaviour
        if behaviour is Behaviour.NESTED:
            host.after(duration_s, self._submit_and_wait)
        elif behaviour is Behaviour.SECEDES:
            host.after(duration_s / 2, self.secede)
            if random.random() < 0.5:
                host.after(duration_s, lambda: self.rejoin(self._end))
            else:
                host.after(duration_s, self._end)
        else:
            host.after(duration_s, self._end)

    def _submit_and_wait(self) -> None:
        if not self._is_over:
            self._place.submit_and_wait(self)

    # Slots.

    def secede(self) -> None:
        """Give the slot up."""
        if self._is_over:
            return
        host = self._place
        if host.machine.secede(self.task) is not self.has_slot:
            raise InvariantBroken(rule="who has a slot can give it up", detail=repr(self.task))
        host.note(f"{self.task.key}#{self.task.attempt} secedes")
        self.has_slot = False
        host.changed()

    def rejoin(self, then: Callable[[], None]) -> None:
        """Take a slot again, and go on as soon as there is one."""
        if self._is_over:
            return
        self._on_slot = then
        if self._place.machine.rejoin(self.task):
            self.granted()
        else:
            self._place.changed()

    def granted(self) -> None:
        """Go on: there is a slot."""
        self._place.note(f"{self.task.key}#{self.task.attempt} goes on")
        self.has_slot = True
        then, self._on_slot = self._on_slot, None
        if then is None:
            raise InvariantBroken(rule="slots go to who waits for one", detail=repr(self.task))
        then()

    # The end.

    def hold_out(self, duration_s: float) -> None:
        """Come to an end only after so long: it is where nothing can interrupt it."""
        self._stays_until_s = self._place.network.timeline.now_s + duration_s

    def interrupted(self) -> None:
        """End because of an exception from without, if one can arrive."""
        if not self._stays():
            self.fail("it was interrupted")

    def _stays(self) -> bool:
        return self._place.network.timeline.now_s < self._stays_until_s

    def _end(self) -> None:
        if self._is_over:
            return
        if self._stays():
            left_s = self._stays_until_s - self._place.network.timeline.now_s
            self._place.after(left_s, self._end)
            return
        behaviour, is_unlucky = self.call.behaviour, self.random.random() < 0.5
        if behaviour is Behaviour.POISON:
            self._place.killed_by(self.task)
        elif behaviour is Behaviour.RAISES or (behaviour is Behaviour.FLAKY and is_unlucky):
            self.fail(f"{self.task.key} raised")
        elif behaviour is Behaviour.RESCHEDULES and is_unlucky:
            self._leave("asks to be run elsewhere")
            self._place.machine.rescheduled(self.task, self._start_s, self._duration_s)
            self._next()
        else:
            self.succeed(())

    @property
    def _duration_s(self) -> float:
        return self._place.network.timeline.now_s - self._start_s

    def _leave(self, how: str = "") -> None:
        task = self.task
        self._is_over = True
        if self._duration_s > self.task.terms.timeout_s > 0:
            self._place.overdue(self.task.key)
        self._place.note(f"ends {task.key}#{task.attempt}{how and ': '}{how}")
        self._place.ends(self)

    def _next(self) -> None:
        self.executor.take()
        self._place.changed()

    def fail(self, text: str) -> None:
        """End with an exception."""
        if self._is_over:
            return
        task, machine = self.task, self._place.machine
        self._leave("raised")
        self._place.raised(task.key)
        failure = Failure(FailureKind.RAISED, task.key, text, b"", machine.name, task.attempt)
        machine.failed(task, failure, self._start_s, self._duration_s)
        self._next()

    def succeed(self, more: Sequence[int]) -> None:
        """End with a value, to which these add beside the inputs."""
        if self._is_over:
            return
        task, call, function = self.task, self.call, self.task.function
        if function.digest != digest_of(function.label) or function.blob != function.label.encode():
            raise InvariantBroken(rule="a function is what its digest says", detail=function.label)
        inputs = {datum.key: datum.value for datum in task.inputs}
        numbers = [_number(inputs[key]) for key in call.inputs]
        value = compute(function.label, call.number, [*numbers, *more])
        self._leave()
        is_small = task.wanted and call.nbytes <= self._inline_nbytes_max
        inline = encode_value(value) if is_small else None
        kept = Stuck(value) if call.behaviour is Behaviour.STUCK else value
        machine = self._place.machine
        machine.executed(task, kept, call.nbytes, self._start_s, self._duration_s, inline)
        self._next()
