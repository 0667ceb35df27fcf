"""What simulated tasks compute: specifications, the one function that runs them, and the reference.

A value is a whole number that depends on the task and on each of its inputs and their order, so a
wrong, missing or exchanged input shows in the result. The same :func:`compute` runs on simulated
workers and in the reference interpreter.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Final

import msgspec

__all__ = ["FUNCTIONS", "Behaviour", "Outcome", "Programs", "Spec", "compute", "digest_of"]

#: Large prime: values are remainders of it.
_MODULUS: Final = 2**61 - 1

#: The functions that tasks may call, by name: value = first * number + sum of second**i * input.
FUNCTIONS: Final[Mapping[str, tuple[int, int]]] = {
    "mix": (31, 1_000_003),
    "add": (1, 1),
    "weigh": (17, 257),
}


class Behaviour(IntEnum):
    """What a task does when it runs."""

    PLAIN = 0
    #: It raises, each time.
    RAISES = 1
    #: It raises every other time or so.
    FLAKY = 2
    #: It kills the worker that runs it.
    POISON = 3
    #: It is no task: a client put its value on workers.
    SCATTERED = 4
    #: Its value cannot be pickled, so it never leaves its worker.
    STUCK = 5
    #: It gives up its slot on the way, and takes one again or not.
    SECEDES = 6
    #: It asks to be run elsewhere, every other time or so.
    RESCHEDULES = 7
    #: It submits tasks of its own, and waits for them.
    NESTED = 8


class Call(msgspec.Struct, array_like=True):
    """What a task is to do, as it travels: opaque to all but the executor."""

    number: int
    inputs: tuple[str, ...]
    behaviour: Behaviour
    nbytes: int
    children: tuple[Spec, ...] = ()


@dataclass(frozen=True, slots=True)
class Spec:
    """One task, as its submitter knows it."""

    key: str
    function: str
    number: int
    inputs: tuple[str, ...] = ()
    behaviour: Behaviour = Behaviour.PLAIN
    #: Size of its result in bytes, as the worker will estimate it.
    nbytes: int = 100
    retries: int = 0
    #: What it submits itself, if that is what it does; their inputs are among them.
    children: tuple[Spec, ...] = ()

    def payload(self) -> bytes:
        """Return the arguments as they travel."""
        return msgspec.msgpack.encode(
            Call(self.number, self.inputs, self.behaviour, self.nbytes, self.children)
        )


@dataclass(frozen=True, slots=True)
class Outcome:
    """What may come of a task."""

    #: Its value; None if it cannot have one.
    value: int | None
    #: The tasks, among it and what it needs, that may raise, kill workers, or be lost for good.
    raisers: frozenset[str]
    ancestors: frozenset[str]


def digest_of(function: str) -> bytes:
    """Return the name of a function in the cluster."""
    return function.encode().ljust(16, b"\0")


def compute(function: str, number: int, values: list[int]) -> int:
    """Return what a task computes."""
    first, second = FUNCTIONS[function]
    total = first * number
    for position, value in enumerate(values, 1):
        total += pow(second, position, _MODULUS) * value
    return total % _MODULUS


@dataclass(slots=True)
class Programs:
    """Every task of a run, and the reference interpreter over them."""

    specs: dict[str, Spec] = field(default_factory=dict)
    _outcomes: dict[str, Outcome] = field(default_factory=dict)

    def add(self, spec: Spec) -> None:
        """Make a task known; its inputs are known already."""
        self.specs[spec.key] = spec
        values: list[int] = []
        raisers: set[str] = set()
        ancestors = {spec.key}
        fails = spec.behaviour in (Behaviour.RAISES, Behaviour.POISON)
        for child in spec.children:
            self.add(child)
        for key in (*spec.inputs, *(child.key for child in spec.children)):
            outcome = self._outcomes[key]
            raisers |= outcome.raisers
            ancestors |= outcome.ancestors
            if outcome.value is None:
                fails = True
            else:
                values.append(outcome.value)
        if spec.behaviour is not Behaviour.PLAIN:
            raisers.add(spec.key)
        value = None
        if not fails:
            is_data = spec.behaviour is Behaviour.SCATTERED
            value = spec.number if is_data else compute(spec.function, spec.number, values)
        self._outcomes[spec.key] = Outcome(value, frozenset(raisers), frozenset(ancestors))

    def outcome(self, key: str) -> Outcome:
        """Return what may come of a task, by the reference."""
        return self._outcomes[key]
