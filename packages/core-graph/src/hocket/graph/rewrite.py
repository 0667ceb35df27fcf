"""Rewriting: leave out what nobody needs (`cull`), make one task of a chain (`fuse`)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from hocket.core.errors import UnknownKey
from hocket.graph.graph import Graph, graph_of
from hocket.graph.indexed import IndexedGraph, index_entries, topological_order
from hocket.graph.keys import Key, Keys, flat_keys
from hocket.graph.task import Ref, Task, dependencies_of, function_name

__all__ = ["Chain", "cull", "fuse"]

#: The name of a chain shows so many of its functions.
_NAMES_COUNT_MAX = 5


def cull(graph: Mapping[Key, Any], keys: Keys) -> Graph:
    """Return the part of a graph that is needed for some keys, in the order of the graph.

    Parameters
    ----------
    graph
        The graph.
    keys
        A key, or nested lists of keys.

    Raises
    ------
    UnknownKey
        Nothing defines one of ``keys``, or something that they need; ``wanted_by`` is then the
        path from one of ``keys`` that leads there.
    InvalidGraph
        One of ``keys`` cannot be a key.
    """
    whole = graph if isinstance(graph, Graph) else Graph(graph)
    # Who needed a key first, for the path in the error.
    needed: dict[Key, Key | None] = {}
    pending: list[Key] = []
    for key in flat_keys(keys):
        if key not in whole:
            raise UnknownKey(key=key)
        if key not in needed:
            needed[key] = None
            pending.append(key)
    for key in pending:
        for dependency in dependencies_of(whole[key]):
            if dependency in needed:
                continue
            if dependency not in whole:
                raise UnknownKey(key=dependency, wanted_by=_path_to(key, needed))
            needed[dependency] = key
            pending.append(dependency)
    if len(needed) == len(whole):
        return whole
    return graph_of({key: entry for key, entry in whole.items() if key in needed})


def _path_to(key: Key, needed: Mapping[Key, Key | None]) -> list[Key]:
    path = [key]
    while (wanter := needed[path[-1]]) is not None:
        path.append(wanter)
    path.reverse()
    return path


class Chain:
    """The function of a fused task: functions one after the other, the result of each to the next.

    Parameters
    ----------
    function
        The first one; it gets the arguments of the call.
    steps
        For each further task the key under which it knows the result before it, and the task.
    """

    __slots__ = ("function", "steps")

    function: Callable[..., Any]
    steps: tuple[tuple[Key, Task], ...]

    def __init__(self, function: Callable[..., Any], steps: tuple[tuple[Key, Task], ...]) -> None:
        self.function = function
        self.steps = steps

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Run the chain."""
        value = self.function(*args, **kwargs)
        del args, kwargs  # the next steps need none of them
        for key, task in self.steps:
            value = task.run({key: value})
        return value

    @property
    def __name__(self) -> str:
        names = [function_name(self.function)]
        names += [function_name(task.function) for _, task in self.steps]
        if len(names) > _NAMES_COUNT_MAX:
            left_out_count = len(names) - _NAMES_COUNT_MAX
            names[_NAMES_COUNT_MAX - 1 : -1] = [f"({left_out_count} more)"]
        return "-".join(names)

    def __repr__(self) -> str:
        return f"<Chain {self.__name__}>"

    def __reduce__(self) -> tuple[Any, ...]:
        return Chain, (self.function, self.steps)


def fuse(graph: Mapping[Key, Any], keep: Keys | None = None) -> Graph:
    """Make one task of each linear chain of tasks.

    Two tasks belong to one chain if the second needs nothing but the first, and nothing else needs
    the first. A fused task has the key of the last task of its chain, the arguments of the first,
    and a function (`Chain`) named after all of them. The results in between have no key any more.

    Parameters
    ----------
    graph
        The graph.
    keep
        A key, or nested lists of keys, that stay in the graph. Keys that no task needs always do.

    Raises
    ------
    UnknownKey
        Nothing defines one of ``keep``, or something that an entry needs.
    GraphCycle
        Entries need each other.
    """
    whole = graph if isinstance(graph, Graph) else Graph(graph)
    kept = set() if keep is None else set(flat_keys(keep))
    for key in kept:
        if key not in whole:
            raise UnknownKey(key=key)
    indexed = index_entries(whole)
    absorbed = _absorbed(whole, indexed, kept)
    keys, dependencies, _ = indexed
    fused: dict[Key, Any] = {}
    for number, key in enumerate(keys):
        if absorbed[number]:
            continue
        chain = [whole[key]]
        while dependencies.of(number) and absorbed[dependencies.of(number)[0]]:
            number = dependencies.of(number)[0]  # noqa: PLW2901
            chain.append(whole[keys[number]])
        fused[key] = _fused(chain[::-1]) if len(chain) > 1 else chain[0]
    return graph_of(fused)


def _absorbed(graph: Graph, indexed: IndexedGraph, kept: set[Key]) -> list[bool]:
    """Say for each entry whether it becomes a part of the one entry that needs it."""
    keys, dependencies, dependents = indexed
    absorbed = [False] * len(keys)
    dependency_counts = dependencies.counts()
    dependent_counts = dependents.counts()
    for number in topological_order(graph, indexed):
        if dependent_counts[number] != 1 or keys[number] in kept:
            continue
        if dependency_counts[dependents.of(number)[0]] != 1:
            continue
        entry = graph[keys[number]]
        # An alias may stand in a chain, but a chain begins with a call.
        absorbed[number] = isinstance(entry, Task) or (
            isinstance(entry, Ref) and absorbed[dependencies.of(number)[0]]
        )
    return absorbed


def _fused(chain: list[Any]) -> Task:
    """Make one task of tasks and aliases, of which each needs only the one before it."""
    first = chain[0]
    steps = [(task.dependencies[0], task) for task in chain[1:] if isinstance(task, Task)]
    if not steps:
        return first  # type: ignore[no-any-return]
    function = first.function
    if isinstance(function, Chain):
        steps = [*function.steps, *steps]
        function = function.function
    return Task(Chain(function, tuple(steps)), first.args, first.kwargs)
