"""How far a run is: which tasks may start, which results are still needed (a machine)."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable
from typing import Any

from hocket.graph.graph import Graph
from hocket.graph.indexed import index_entries, topological_order
from hocket.graph.keys import Key
from hocket.graph.ordering import sequence
from hocket.graph.task import Ref, Task, evaluate

__all__ = ["Progress"]


class Progress:
    """The state of one run of a graph.

    An executor takes tasks (`start_next`), gets their inputs (`inputs`), runs them, and hands in
    the results (`finish`). Not safe for threads by itself.

    Parameters
    ----------
    graph
        What to run: all of it.
    wanted
        The keys of which the values are kept to the end.
    carry
        Makes of a key and its data the form in which the executor hands values to tasks. Called
        for entries that are data, when their turn comes.

    Raises
    ------
    UnknownKey
        An entry needs a key that nothing defines.
    GraphCycle
        Entries need each other.
    """

    __slots__ = (
        "_carry",
        "_dependencies",
        "_dependents",
        "_entries",
        "_keys",
        "_missing_counts",
        "_ranks",
        "_ready",
        "_sequence",
        "_unfinished_count",
        "_values",
        "_waiting_counts",
        "_wanted",
        "tasks_count",
    )

    def __init__(
        self,
        graph: Graph,
        wanted: Iterable[Key],
        carry: Callable[[Key, Any], Any] = lambda _, value: value,
    ) -> None:
        indexed = index_entries(graph)
        self._keys, self._dependencies, self._dependents = indexed
        self._entries = list(graph.values())
        self._wanted = set(wanted)
        self._carry = carry
        self._missing_counts = self._dependencies.counts()
        self._waiting_counts = self._dependents.counts()
        #: Numbers in the order of their priorities, and the place of each number in it.
        self._sequence = sequence(indexed, topological_order(graph, indexed))
        self._ranks = [0] * len(self._sequence)
        for rank, number in enumerate(self._sequence):
            self._ranks[number] = rank
        #: A heap of ranks.
        self._ready = [
            rank for rank, number in enumerate(self._sequence) if not self._missing_counts[number]
        ]
        self._values: dict[Key, Any] = {}
        self._unfinished_count = len(self._entries)
        self.tasks_count = sum(isinstance(entry, Task) for entry in self._entries)

    @property
    def done(self) -> bool:
        """Whether everything is computed."""
        return not self._unfinished_count

    @property
    def ready_count(self) -> int:
        """How many entries could start now."""
        return len(self._ready)

    def start_next(self) -> int | None:
        """Return the number of the task to run now, or None if none can start.

        Data and aliases on the way there are finished at once.
        """
        while self._ready:
            number = self._sequence[heapq.heappop(self._ready)]
            entry = self._entries[number]
            if isinstance(entry, Task):
                return number
            if isinstance(entry, Ref):
                value = self._values[entry.key]
            else:
                value = self._carry(self._keys[number], evaluate(entry, {}))
            self.finish(number, value)
        return None

    def key(self, number: int) -> Key:
        """Return the key of a task."""
        return self._keys[number]

    def task(self, number: int) -> Task:
        """Return a task that was started."""
        task = self._entries[number]
        assert isinstance(task, Task)
        return task

    def inputs(self, number: int) -> dict[Key, Any]:
        """Return the values that a started task needs."""
        return {key: self._values[key] for key in self.task(number).dependencies}

    def finish(self, number: int, value: Any) -> None:
        """Take the result of a task; let go what is not needed any more."""
        assert not self._missing_counts[number]
        keys = self._keys
        self._unfinished_count -= 1
        if self._waiting_counts[number] or keys[number] in self._wanted:
            self._values[keys[number]] = value
        for other in self._dependencies.of(number):
            self._waiting_counts[other] -= 1
            if not self._waiting_counts[other] and keys[other] not in self._wanted:
                del self._values[keys[other]]
        for other in self._dependents.of(number):
            self._missing_counts[other] -= 1
            if not self._missing_counts[other]:
                heapq.heappush(self._ready, self._ranks[other])

    def results(self) -> dict[Key, Any]:
        """Return the values of the wanted keys, once all is done."""
        assert self.done
        return self._values
