"""Annotations of dask: what a user asked for tasks of a collection, as options of ours."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping
from dataclasses import replace
from typing import Any, Final

from hocket.client.options import TaskOptions, make_options
from hocket.core.loaded_modules import loaded_module
from hocket.graph.keys import Key

__all__ = ["annotations_of", "options_by_key"]

#: Those that we heed; others are somebody else's.
_HEEDED: Final = frozenset(
    {"allow_other_workers", "priority", "resources", "retries", "retry_delay", "workers"}
)


def annotations_of(source: Any) -> dict[Key, dict[str, Any]]:
    """Return the annotations of a graph's tasks, by key.

    Parameters
    ----------
    source
        An expression or a ``HighLevelGraph`` as the user made it. dask's own optimisation may drop
        what was asked for, so layers are looked at as they were before.
    """
    found: dict[Key, dict[str, Any]] = {}
    expressions, layered = loaded_module("dask._expr"), loaded_module("dask.highlevelgraph")
    if layered is None:
        return found
    seen: set[int] = set()
    pending = [source]
    while pending:
        one = pending.pop()
        if id(one) in seen:
            continue
        seen.add(id(one))
        if isinstance(one, layered.HighLevelGraph):
            for layer in one.layers.values():
                _add_layer(layer, found)
        elif expressions is not None and isinstance(one, expressions.Expr):
            pending += one.operands
        elif type(one).__name__ == "Delayed":
            pending.append(one.dask)
    return found


def _add_layer(layer: Any, found: dict[Key, dict[str, Any]]) -> None:
    annotations = getattr(layer, "annotations", None) or {}
    heeded = {name: value for name, value in annotations.items() if name in _HEEDED}
    if not heeded:
        return
    for key in layer:
        of_key = found.setdefault(key, {})
        for name, value in heeded.items():
            of_key[name] = value(key) if callable(value) else value


def options_by_key(
    graph: Mapping[Key, Any], annotations: Mapping[Key, Mapping[str, Any]], base: TaskOptions
) -> dict[Key, TaskOptions]:
    """Return the options of tasks that were annotated.

    Parameters
    ----------
    graph
        As dask made it of what was annotated: a task of it may be several fused ones.
    annotations
        By key, of tasks as they were before.
    base
        What holds for all tasks.

    Raises
    ------
    SettingsError
        An annotation has a value that the option cannot have.
    """
    if not annotations:
        return {}
    made: dict[Hashable, TaskOptions] = {}
    options: dict[Key, TaskOptions] = {}
    for key, entry in graph.items():
        merged: dict[str, Any] = {}
        for one in _keys_within(key, entry):
            _merge(merged, annotations.get(one, {}))
        if merged:
            name = repr(sorted(merged.items()))
            if name not in made:
                made[name] = _options_of(merged, base)
            options[key] = made[name]
    return options


def _keys_within(key: Key, entry: Any) -> Iterable[Key]:
    """Return the keys that an entry had before some of them were fused into it."""
    args = getattr(entry, "args", None)
    if args and type(args[0]) is dict and getattr(entry.func, "__name__", "") == _FUSED:
        return (*args[0], key)
    return (key,)


#: The name of the function with which dask fuses.
_FUSED: Final = "_execute_subgraph"


def _merge(merged: dict[str, Any], more: Mapping[str, Any]) -> None:
    """Add what was asked for one part of a task to what was for others: the most of each."""
    for name, value in more.items():
        present = merged.get(name)
        if present is None:
            merged[name] = value
        elif name in {"priority", "retries"}:
            merged[name] = max(present, value)
        elif name == "resources":
            amounts = dict(present)
            for resource, amount in value.items():
                amounts[resource] = max(amount, amounts.get(resource, amount))
            merged[name] = amounts
        elif name == "allow_other_workers":
            merged[name] = present and value
        elif name == "workers":
            merged[name] = value


def _options_of(merged: Mapping[str, Any], base: TaskOptions) -> TaskOptions:
    given = dict(merged)
    if not given.get("workers"):
        given.pop("allow_other_workers", None)
    made = make_options(**given)
    changes: dict[str, Any] = {name: getattr(made, name) for name in given if name != "retry_delay"}
    if "retry_delay" in given:
        changes["retry_delay_s"] = made.retry_delay_s
    return replace(base, **changes)
