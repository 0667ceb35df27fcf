"""Static priorities: in which order to run the tasks of a graph so that little memory is needed.

The order is a depth-first walk towards one goal after the other. Four rules make it:

1. *The hungry first.* Before the walk every entry gets the number of results that must be held at
   once to compute it, as registers are counted for an expression (Ershov 1958; Sethi and Ullman,
   "The Generation of Optimal Code for Arithmetic Expressions", JACM 17(4), 1970): the dependencies
   sorted by falling need, the need is the greatest of ``need[j] + j``. A task's dependencies are
   visited in that order; among equals the one with the longest chain below it goes first (the
   critical path), then the one that stands first in the graph. For trees this is the order with the
   least memory; where results are shared the number is an estimate.
2. *Free at once.* As soon as a result is needed by just one more task, and that task can run, it
   runs: its result takes the place of the one that it frees, so memory does not grow.
3. *Go on where you are.* When a goal is reached, the next one is a task that needs the youngest
   result still held; of several, one that lacks the fewest inputs.
4. *Long chains first.* With nothing held, the next goal is the entry at the end of the longest
   chain of those that no other needs.

Everything that is not decided by a rule is decided by the order of the entries in the graph, never
by the hash of a key. Time and memory are linear in entries and references (but for the sorting of
a task's dependencies).
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from typing import Any

from hocket.graph.indexed import Edges, IndexedGraph, index_entries, topological_order
from hocket.graph.keys import Key

__all__ = ["order", "sequence"]

#: So many dependents of a held result are compared when the next goal is chosen.
_CANDIDATES_COUNT_MAX = 8


def order(graph: Mapping[Key, Any]) -> dict[Key, int]:
    """Return a priority for each entry of a graph: run the lowest number first.

    Parameters
    ----------
    graph
        The graph; all its entries are ordered, so `cull` it first.

    Returns
    -------
    dict
        The keys in the order to run them, with 0, 1, 2, ...: each after its dependencies.

    Raises
    ------
    UnknownKey
        An entry needs a key that nothing defines.
    GraphCycle
        Entries need each other.

    Notes
    -----
    The algorithm is described at the head of this module.
    """
    indexed = index_entries(graph)
    topological = topological_order(graph, indexed)
    keys = indexed.keys
    return {keys[number]: rank for rank, number in enumerate(sequence(indexed, topological))}


def sequence(indexed: IndexedGraph, topological: list[int]) -> list[int]:
    """Return the numbers of all entries in the order to run them.

    Parameters
    ----------
    indexed
        The graph. The lists of dependencies are sorted anew.
    topological
        The same numbers in any order that puts dependencies first.
    """
    heights = _weigh(indexed.dependencies, topological)
    return _Walk(indexed, heights).run()


def _weigh(dependencies: Edges, topological: list[int]) -> list[int]:
    """Sort the dependencies of each entry, the last to visit first; return the heights (rule 1).

    The height of an entry is the number of entries on the longest chain below it.
    """
    starts, targets = dependencies
    size = len(starts) - 1
    heights = [0] * size
    needs = [1] * size
    weights = [size] * size  # need and height in one number, to be compared in one step
    for number in topological:
        start, end = starts[number], starts[number + 1]
        if end - start == 1:
            only = targets[start]
            need = needs[only]
            height = heights[only] + 1
        elif end > start:
            needed = targets[end - 1 : start - 1 : -1] if start else targets[end - 1 :: -1]
            needed.sort(key=weights.__getitem__)
            targets[start:end] = needed
            # The last is visited first, with none of the others held yet.
            need = 0
            held_count = end - start
            for other in needed:
                held_count -= 1
                if needs[other] + held_count > need:  # noqa: PLR1730 - max() takes twice as long
                    need = needs[other] + held_count
            height = max(map(heights.__getitem__, needed)) + 1
        else:
            continue
        needs[number] = need
        heights[number] = height
        weights[number] = need * size + height
    return heights


class _Walk:
    """One depth-first walk over a graph (rules 2 to 4)."""

    __slots__ = (
        "dependencies",
        "dependents",
        "ends",
        "first_waiting",
        "held",
        "missing_counts",
        "waiting_counts",
        "waiting_xor",
    )

    def __init__(self, indexed: IndexedGraph, heights: list[int]) -> None:
        _, self.dependencies, self.dependents = indexed
        # How many dependencies are not ranked yet; -1 once the entry itself is.
        self.missing_counts = self.dependencies.counts()
        # How many dependents are not ranked yet, and the exclusive or of their numbers: when the
        # count is one, that is the number of the one.
        self.waiting_counts = self.dependents.counts()
        self.waiting_xor = self._xor_of_dependents()
        # Dependents before this place are ranked.
        self.first_waiting = self.dependents.starts[:-1]
        # Results that some dependent waits for, the youngest last.
        self.held: list[int] = []
        # Entries that none needs: the highest last, and of equals the one that stands first.
        self.ends = [number for number, count in enumerate(self.waiting_counts) if not count]
        self.ends.reverse()
        self.ends.sort(key=heights.__getitem__)

    def _xor_of_dependents(self) -> list[int]:
        starts, targets = self.dependencies
        combined = [0] * (len(starts) - 1)
        for number, (start, end) in enumerate(pairwise(starts)):
            for other in targets[start:end]:
                combined[other] ^= number
        return combined

    def run(self) -> list[int]:
        """Return all numbers in the order to run them."""
        starts, targets = self.dependencies
        dependent_starts, dependent_targets = self.dependents
        missing_counts = self.missing_counts
        waiting_counts = self.waiting_counts
        waiting_xor = self.waiting_xor
        held = self.held
        ranked: list[int] = []
        # What is to be ranked, the next one last; ends with the goal when it is begun.
        path: list[int] = []
        while path or self.choose_goal(path):
            number = path[-1]
            missing_count = missing_counts[number]
            needed = targets[starts[number] : starts[number + 1]]
            if missing_count > 0:
                path += [other for other in needed if missing_counts[other] >= 0]
                continue
            path.pop()
            if missing_count < 0:
                continue
            missing_counts[number] = -1
            ranked.append(number)
            for other in needed:
                waiting_counts[other] -= 1
                waiting_xor[other] ^= number
                if waiting_counts[other] == 1 and not missing_counts[waiting_xor[other]]:
                    path.append(waiting_xor[other])
            if not waiting_counts[number]:
                continue
            held.append(number)
            others = dependent_targets[dependent_starts[number] : dependent_starts[number + 1]]
            others.reverse()
            for dependent in others:
                missing_counts[dependent] -= 1
                if missing_counts[dependent]:
                    continue
                for other in targets[starts[dependent] : starts[dependent + 1]]:
                    if waiting_counts[other] == 1:
                        path.append(dependent)
                        break
        return ranked

    def choose_goal(self, path: list[int]) -> bool:
        """Put what to work towards next on the empty path; false when everything is ranked."""
        held = self.held
        while held and not self.waiting_counts[held[-1]]:
            held.pop()
        missing_counts = self.missing_counts
        if not held:
            ends = self.ends
            while ends and missing_counts[ends[-1]] < 0:
                ends.pop()
            path += ends[-1:]
            return bool(path)
        starts, targets = self.dependents
        place = self.first_waiting[held[-1]]
        while missing_counts[targets[place]] < 0:
            place += 1
        self.first_waiting[held[-1]] = place
        goal = targets[place]
        fewest = missing_counts[goal]
        last = min(starts[held[-1] + 1], place + _CANDIDATES_COUNT_MAX)
        for other in targets[place + 1 : last]:
            if 0 <= missing_counts[other] < fewest:
                goal = other
                fewest = missing_counts[other]
        path.append(goal)
        return True
