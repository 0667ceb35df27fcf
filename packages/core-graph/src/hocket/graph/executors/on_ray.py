"""Running a graph on Ray: a task of Ray's for each of ours; results stay in its object store."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import ray
from ray.exceptions import RayTaskError

from hocket.graph.graph import Graph
from hocket.graph.keys import Key, key_text
from hocket.graph.ordering import order
from hocket.graph.task import Literal, Ref, Task, dependencies_of, evaluate

__all__ = ["run_on_ray"]


def run_on_ray(
    graph: Graph,
    keys: Sequence[Key],
    remote: Mapping[str, Any] | None = None,
    **options: Any,
) -> dict[Key, Any]:
    """Compute keys with Ray.

    Parameters
    ----------
    graph, keys
        What to run, and the keys to return.
    remote
        What ``ray.remote`` takes, for all tasks: ``{"num_cpus": 0.5, "max_retries": 2}``.
    **options
        Of ``ray.init``, where this process is not connected to Ray: then one is started for the
        call, and ended with it.

    Raises
    ------
    BaseException
        What a task raises, with Ray's account of it as its cause.
    """
    is_ours = not ray.is_initialized()
    if is_ours:
        ray.init(**options)
    try:
        return _run(graph, keys, dict(remote or {}))
    finally:
        if is_ours:
            ray.shutdown()


def _run(graph: Graph, keys: Sequence[Key], remote: dict[str, Any]) -> dict[Key, Any]:
    run_entry = ray.remote(**remote)(_run_entry) if remote else ray.remote(_run_entry)
    left_counts: dict[Key, int] = {}
    for entry in graph.values():
        for one in dependencies_of(entry):
            left_counts[one] = left_counts.get(one, 0) + 1
    kept = set(keys)
    references: dict[Key, Any] = {}
    for key in order(graph):
        entry = graph[key]
        needed = dependencies_of(entry)
        if isinstance(entry, Ref):
            references[key] = references[entry.key]
        elif isinstance(entry, Task):
            inputs = [references[one] for one in needed]
            call = run_entry.options(name=key_text(key))
            references[key] = call.remote(entry, needed, *inputs)
        else:
            references[key] = ray.put(entry.value if isinstance(entry, Literal) else entry)
        for one in needed:
            left_counts[one] -= 1
            # Ray drops what nobody refers to.
            if not left_counts[one] and one not in kept:
                del references[one]
    try:
        values = ray.get([references[key] for key in keys])
    except RayTaskError as error:
        raise (error.cause if isinstance(error.cause, BaseException) else error) from error
    return dict(zip(keys, values, strict=True))


def _run_entry(entry: Any, needed: Sequence[Key], *inputs: Any) -> Any:
    return evaluate(entry, dict(zip(needed, inputs, strict=True)))
