"""Collections of dask: computed to futures, made of futures, searched for futures."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from hocket.client.dask_adapter.parts import part_node
from hocket.client.futures import Future
from hocket.core.loaded_modules import loaded_module
from hocket.graph.keys import Key, flat_keys

__all__ = ["compute_collections", "futures_of", "map_collections", "persist_collections"]


def map_collections(function: Callable[[list[Any]], list[Any]], given: Any) -> Any:
    """Return what was given with its collections replaced by what a function makes of them all.

    Parameters
    ----------
    function
        Gets the collections, and returns as many values; not called if there are none.
    given
        A collection or something else, or a list, tuple or set of such.
    """
    from dask.base import is_dask_collection  # noqa: PLC0415 - only who uses it loads it

    is_single = not isinstance(given, list | tuple | set | frozenset)
    values = [given] if is_single else list(given)
    rows = [row for row, one in enumerate(values) if is_dask_collection(one)]
    if rows:
        made = function([values[row] for row in rows])
        for row, one in zip(rows, made, strict=True):
            values[row] = one
    return values[0] if is_single else type(given)(values)


def compute_collections(
    collections: list[Any],
    submit: Callable[[Any, list[Key]], Mapping[Key, Any]],
    *,
    optimize_graph: bool,
) -> list[Any]:
    """Have collections computed, each to one value; return what stands for it.

    Parameters
    ----------
    collections
        Collections of dask.
    submit
        Has keys of an expression computed; returns their futures, or their values.
    optimize_graph
        Whether dask optimises before.
    """
    from dask._expr import FinalizeCompute  # noqa: PLC0415
    from dask.base import collections_to_expr  # noqa: PLC0415

    expression = FinalizeCompute(collections_to_expr(collections, optimize_graph)).optimize()
    keys = list(flat_keys(expression.__dask_keys__()))
    futures = submit(expression, keys)
    return [futures[key] for key in keys]


def persist_collections(
    collections: list[Any],
    submit: Callable[[Any, list[Key]], Mapping[Key, Future]],
    *,
    optimize_graph: bool,
) -> list[Any]:
    """Have collections computed part by part; return the same collections, made of futures.

    Parameters
    ----------
    collections, submit, optimize_graph
        As for `compute_collections`.
    """
    # Step by step what dask.base.persist does, with futures for results.
    from dask import _expr  # noqa: PLC0415
    from dask.base import collections_to_expr  # noqa: PLC0415

    composite_class: Any = getattr(_expr, "CompositeExpr", ())
    expression = collections_to_expr(collections, optimize_graph)
    is_composite = any(isinstance(one, composite_class) for one in _parts_of(expression))
    expression = expression.optimize()
    parts = _parts_of(expression) if is_composite else []
    if len(parts) != len(collections):
        parts = [None] * len(collections)
    keys_of = [list(flat_keys(keys)) for keys in expression.__dask_keys__()]
    futures = submit(expression, [key for keys in keys_of for key in keys])
    nodes = {key: part_node(key, future) for key, future in futures.items()}
    persisted = []
    for collection, part, keys in zip(collections, parts, keys_of, strict=True):
        if part is not None and isinstance(part, composite_class):
            from dask.base import _rebuild_composite_collection  # noqa: PLC0415

            persisted.append(
                _rebuild_composite_collection(collection, part, nodes, cull_to_child_keys=True)
            )
        else:
            rebuild, state = collection.__dask_postpersist__()
            persisted.append(rebuild({key: nodes[key] for key in keys}, *state))
    return persisted


def _parts_of(expression: Any) -> list[Any]:
    from dask._expr import _ExprSequence  # noqa: PLC0415

    return list(expression.operands) if isinstance(expression, _ExprSequence) else [expression]


def futures_of(*values: Any) -> list[Future]:
    """Return the futures in values: in persisted collections and in nested containers, each once.

    Parameters
    ----------
    *values
        Collections, futures, lists, tuples, sets and dicts.
    """
    found: dict[int, Future] = {}
    pending: list[Iterator[Any]] = [iter(values)]
    # Kept while this runs, so that no other object gets their ids.
    seen: dict[int, Any] = {}
    while pending:
        for value in pending[-1]:
            if isinstance(value, Future):
                found.setdefault(id(value), value)
            elif id(value) not in seen and (items := _items(value)) is not None:
                seen[id(value)] = value
                pending.append(items)
                break
        else:
            pending.pop()
    return list(found.values())


def _items(value: Any) -> Iterator[Any] | None:
    if isinstance(value, Mapping):
        return iter(list(value.values()))
    if isinstance(value, list | tuple | set | frozenset):
        return iter(value)
    if isinstance(value, type) or not hasattr(type(value), "__dask_graph__"):
        # What dask wraps a plain value of a graph in.
        nodes = loaded_module("dask._task_spec")
        is_data = nodes is not None and isinstance(value, nodes.DataNode)
        return iter((value.value,)) if is_data else None
    graph: Iterable[Any] | None = value.__dask_graph__()
    return None if graph is None else iter((graph,))
