"""What is wrong with a graph: the ring of a cycle, and the path to a key that nothing defines."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from hocket.core.errors import GraphCycle, UnknownKey
from hocket.graph.keys import Key
from hocket.graph.task import dependencies_of

__all__ = ["cycle_among", "unknown_dependency"]


def unknown_dependency(entries: Mapping[Key, Any], wanter: Key) -> UnknownKey:
    """Return the error for an entry that needs a key which nothing defines.

    Parameters
    ----------
    entries
        The entries of the graph.
    wanter
        The key of an entry of which at least one dependency is not among ``entries``.

    Returns
    -------
    UnknownKey
        Its path is a shortest one from an entry that no other needs (what the user is after, most
        likely) down to ``wanter``.
    """
    unknown = next(key for key in dependencies_of(entries[wanter]) if key not in entries)
    dependents: dict[Key, list[Key]] = {}
    for key, entry in entries.items():
        for dependency in dependencies_of(entry):
            dependents.setdefault(dependency, []).append(key)
    step_down: dict[Key, Key | None] = {wanter: None}
    reached = [wanter]
    top: Key | None = wanter
    for key in reached:
        if key not in dependents:
            top = key
            break
        for dependent in dependents[key]:
            if dependent not in step_down:
                step_down[dependent] = key
                reached.append(dependent)
    path = []
    while top is not None:
        path.append(top)
        top = step_down[top]
    return UnknownKey(key=unknown, wanted_by=path)


def cycle_among(entries: Mapping[Key, Any], stuck: Iterable[Key]) -> GraphCycle:
    """Return the error for entries of which each waits for another one of them.

    Parameters
    ----------
    entries
        The entries of the graph.
    stuck
        The keys that are left over when everything that can be computed is computed; at least one.

    Returns
    -------
    GraphCycle
        Its path is the ring: each key needs the next one, and the last key is the first.
    """
    waiting = dict.fromkeys(stuck)
    key = next(iter(waiting))
    places: dict[Key, int] = {}
    while key not in places:
        places[key] = len(places)
        key = next(needed for needed in dependencies_of(entries[key]) if needed in waiting)
    ring = list(places)[places[key] :]
    return GraphCycle(path=[*ring, key])
