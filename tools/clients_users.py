"""What users of a cluster do: every way to use a client, with what must come of it.

For `clients_stress`.
"""

from __future__ import annotations

import random
import threading
import time
import traceback
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from hocket.client import Client, Lock, Queue, Variable, as_completed
from hocket.graph import Graph, Ref, Task

__all__ = ["NAMES", "PATIENCE_S", "Outcome", "User", "increment"]

#: What takes longer than this is stuck; the machine may have much else to do.
PATIENCE_S = 60.0

#: Of locks.
NAMES = ("x", "y", "z")


@dataclass
class Outcome:
    """What came of it.

    Parameters
    ----------
    deeds
        How often each thing was done.
    faults
        What was wrong, in words.
    """

    deeds: Counter[str] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        lines = [f"{count:9,} {name}" for name, count in sorted(self.deeds.items())]
        return "\n".join([*lines, *(f"FAULT: {one}" for one in self.faults), ""])


# ------------------------------------------------------------------------ what tasks do


def increment(number: int) -> int:
    """Return the next number."""
    return number + 1


def total(*numbers: int) -> int:
    """Return the sum."""
    return sum(numbers)


def fail(number: int) -> None:
    """Raise."""
    raise ValueError(number)


def rest(seconds: float) -> float:
    """Sleep."""
    time.sleep(seconds)
    return seconds


def length(data: bytes) -> int:
    """Return how long data are."""
    return len(data)


# ------------------------------------------------------------------------ threads and clients


class User:
    """Uses a client in every way, again and again, and compares what comes back.

    Parameters
    ----------
    client
        Others may use it, too.
    random_
        Says what comes next.
    outcome
        Shared by all users.
    """

    def __init__(self, client: Client, random_: random.Random, outcome: Outcome) -> None:
        self._client = client
        self._random = random_
        self._outcome = outcome
        self.deeds_count = 0
        self._deeds: list[Callable[[], None]] = [
            self._submit,
            self._map,
            self._chain,
            self._graph,
            self._scatter,
            self._error,
            self._cancel,
            self._as_completed,
            self._callback,
            self._ask,
            self._lock,
            self._queue,
            self._executor,
        ]

    def use_until(self, end_s: float) -> None:
        """Do something until the clock says so."""
        while time.monotonic() < end_s and not self._outcome.faults:
            deed = self._random.choice(self._deeds)
            name = deed.__name__.strip("_")
            begin_s = time.monotonic()
            try:
                deed()
            except Exception:  # noqa: BLE001 - whatever it is, it is a finding
                self._outcome.faults.append(f"{name}: {traceback.format_exc()}")
                return
            took_s = time.monotonic() - begin_s
            if took_s > PATIENCE_S:
                self._outcome.faults.append(f"{name} took {took_s:.0f} s")
            self._outcome.deeds[name] += 1
            self.deeds_count += 1

    def _number(self) -> int:
        return self._random.randrange(1_000_000)

    def _submit(self) -> None:
        number = self._number()
        assert self._client.submit(increment, number).result(PATIENCE_S) == number + 1

    def _map(self) -> None:
        numbers = [self._number() for _ in range(self._random.randrange(1, 60))]
        futures = self._client.map(increment, numbers)
        assert self._client.gather(futures, timeout=PATIENCE_S) == [one + 1 for one in numbers]

    def _chain(self) -> None:
        number = self._number()
        future = self._client.submit(increment, number)
        for _ in range(5):
            # (The future before is let go while it is needed.)
            future = self._client.submit(increment, future)
        assert future.result(PATIENCE_S) == number + 6

    def _graph(self) -> None:
        number = self._number()
        entries: dict[Any, Any] = {
            f"leaf-{one}": Task(increment, (number + one,)) for one in range(8)
        }
        leaves = tuple(map(Ref, entries))
        graph = Graph({**entries, "total": Task(total, leaves)})
        found = self._client.get(graph, "total", timeout=PATIENCE_S)
        assert found == sum(number + one + 1 for one in range(8))

    def _scatter(self) -> None:
        data = self._random.randbytes(self._random.choice([10, 5_000, 200_000]))
        future = self._client.scatter(data)
        lengths = self._client.map(length, [future] * 3)
        assert self._client.gather(lengths, timeout=PATIENCE_S) == [len(data)] * 3
        assert future.result(PATIENCE_S) == data

    def _error(self) -> None:
        number = self._number()
        error = self._client.submit(fail, number).exception(PATIENCE_S)
        assert isinstance(error, ValueError)
        assert error.args == (number,)

    def _cancel(self) -> None:
        futures = self._client.map(rest, [0.01] * 10)
        self._client.cancel(futures)
        assert all(one.cancelled() or one.done() for one in futures)

    def _as_completed(self) -> None:
        numbers = [self._number() for _ in range(20)]
        futures = self._client.map(increment, numbers)
        found = [one.result(PATIENCE_S) for one in as_completed(futures, timeout=PATIENCE_S)]
        assert sorted(found) == sorted(one + 1 for one in numbers)

    def _callback(self) -> None:
        called = threading.Event()
        future = self._client.submit(increment, 1)
        future.add_done_callback(lambda _future: called.set())
        assert called.wait(PATIENCE_S)

    def _ask(self) -> None:
        future = self._client.submit(increment, 1)
        future.result(PATIENCE_S)
        assert self._client.who_has([future])[future.key]
        assert self._client.nthreads()

    def _lock(self) -> None:
        name = self._random.choice(NAMES)
        counter = Variable(f"counter-{name}", self._client)
        with Lock(name, self._client):
            counter.set(counter.get(timeout=PATIENCE_S) + 1)
        self._outcome.deeds[f"counted {name}"] += 1

    def _queue(self) -> None:
        queue = Queue("numbers", self._client)
        queue.put(self._number(), timeout=PATIENCE_S)
        assert isinstance(queue.get(timeout=PATIENCE_S), int)

    def _executor(self) -> None:
        number = self._number()
        with self._client.get_executor() as executor:
            rows = range(number, number + 10)
            assert list(executor.map(increment, rows)) == [one + 1 for one in rows]
