"""A graph in whole numbers: what the algorithms walk over instead of keys."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import accumulate, pairwise
from typing import Any, NamedTuple

from hocket.graph.faults import cycle_among, unknown_dependency
from hocket.graph.keys import Key
from hocket.graph.task import Task, dependencies_of

__all__ = ["Edges", "IndexedGraph", "index_entries", "topological_order"]


class Edges(NamedTuple):
    """Lists of numbers, one for each entry, laid end to end (compressed sparse rows).

    Two flat lists of numbers, not a list of lists: the garbage collector has nothing to visit,
    which halves the time for a million entries.

    Attributes
    ----------
    starts
        Where the list of each entry begins in ``targets``; one more number than entries.
    targets
        The numbers of all lists.
    """

    starts: list[int]
    targets: list[int]

    def of(self, number: int) -> list[int]:
        """Return the list of one entry."""
        return self.targets[self.starts[number] : self.starts[number + 1]]

    def counts(self) -> list[int]:
        """Return the length of the list of each entry."""
        starts = self.starts
        return [end - start for start, end in pairwise(starts)]

    def turned_round(self) -> Edges:
        """Return the edges in the other direction, each list ascending."""
        starts, targets = self
        counts = [0] * len(starts)
        for target in targets:
            counts[target] += 1
        places = list(accumulate(counts))
        sources = [0] * len(targets)
        edge = len(targets)
        for number in range(len(starts) - 2, -1, -1):
            start = starts[number]
            while edge > start:
                edge -= 1
                target = targets[edge]
                place = places[target] - 1
                places[target] = place
                sources[place] = number
        return Edges(places, sources)


class IndexedGraph(NamedTuple):
    """The entries of a graph as numbers from 0, in the order of the graph.

    Attributes
    ----------
    keys
        The key of each number.
    dependencies
        The numbers that each entry needs, ascending.
    dependents
        The numbers that need each entry, ascending.
    """

    keys: list[Key]
    dependencies: Edges
    dependents: Edges


def index_entries(entries: Mapping[Key, Any]) -> IndexedGraph:
    """Number the entries of a graph.

    Raises
    ------
    UnknownKey
        An entry needs a key that nothing defines.
    """
    keys = list(entries)
    number_of = dict(zip(keys, range(len(keys)), strict=True)).__getitem__
    starts = [0]
    targets: list[int] = []
    for key, entry in entries.items():
        needed = entry.dependencies if type(entry) is Task else dependencies_of(entry)
        try:
            if len(needed) == 1:
                targets.append(number_of(needed[0]))
            elif needed:
                # Ascending, so that nothing depends on the order in which they were found.
                targets += sorted(map(number_of, needed))
        except KeyError:
            raise unknown_dependency(entries, key) from None
        starts.append(len(targets))
    dependencies = Edges(starts, targets)
    return IndexedGraph(keys, dependencies, dependencies.turned_round())


def topological_order(entries: Mapping[Key, Any], indexed: IndexedGraph) -> list[int]:
    """Return the numbers of all entries, each after its dependencies (Kahn, 1962).

    Raises
    ------
    GraphCycle
        There is no such order.
    """
    starts, targets = indexed.dependents
    missing_counts = indexed.dependencies.counts()
    done = [number for number, count in enumerate(missing_counts) if not count]
    for number in done:
        for dependent in targets[starts[number] : starts[number + 1]]:
            missing_counts[dependent] -= 1
            if not missing_counts[dependent]:
                done.append(dependent)
    if len(done) < len(missing_counts):
        stuck = [indexed.keys[number] for number, count in enumerate(missing_counts) if count]
        raise cycle_among(entries, stuck)
    return done
