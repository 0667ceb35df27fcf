"""The reference interpreter: one thread, no tricks. What every other way to run must agree with."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hocket.graph.keys import Key, Keys, arrange, flat_keys
from hocket.graph.rewrite import cull
from hocket.graph.task import evaluate

__all__ = ["run"]


def run(graph: Mapping[Key, Any], keys: Keys) -> Any:
    """Compute keys of a graph, one task after the other, in the calling thread.

    All results are held until the end.

    Parameters
    ----------
    graph
        The graph.
    keys
        A key, or nested lists of keys.

    Returns
    -------
    object
        The value of the key, or nested lists of values. What a task raises goes through.

    Raises
    ------
    UnknownKey
        Nothing defines one of ``keys``, or something that they need.
    GraphCycle
        Entries need each other.
    """
    needed = cull(graph, keys)
    needed.validate()
    values: dict[Key, Any] = {}
    pending = list(flat_keys(keys))
    while pending:
        key = pending[-1]
        missing = [other for other in needed.dependencies(key) if other not in values]
        if key in values:
            pending.pop()
        elif missing:
            pending.extend(missing)
        else:
            values[key] = evaluate(needed[key], values)
    return arrange(keys, values)
