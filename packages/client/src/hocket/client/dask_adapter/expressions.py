"""From what dask hands to a scheduler to a graph of ours: keys, tasks, options, last steps."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from hocket.client.dask_adapter.annotations import annotations_of, options_by_key
from hocket.client.dask_adapter.fusing import fused
from hocket.client.dask_adapter.locks import with_cluster_locks
from hocket.client.options import TaskOptions
from hocket.core.errors import InvalidGraph
from hocket.core.loaded_modules import loaded_module
from hocket.graph.convert import from_dask
from hocket.graph.graph import Graph
from hocket.graph.keys import Key, flat_keys
from hocket.graph.rewrite import cull
from hocket.graph.task import Task, dependencies_of

__all__ = ["Prepared", "prepare"]

#: How the keys begin of tasks that dask adds to put the parts of a collection together.
_FINALIZERS = ("finalize-hlgfinalizecompute-", "compositefinalizecompute-")


@dataclass(slots=True)
class Prepared:
    """A graph that is ready to be submitted.

    Attributes
    ----------
    graph
        What the keys need.
    keys
        Those asked for, in order; in the graph they may be called otherwise.
    options
        Of tasks for which something else was asked for than for all.
    last_steps
        Tasks among those asked for that only put parts together: the client can run them itself,
        so that the whole of a collection never lies on a worker.
    """

    graph: Graph
    keys: list[Key]
    options: dict[Key, TaskOptions] = field(default_factory=dict)
    last_steps: dict[Key, Task] = field(default_factory=dict)


def prepare(source: Any, keys: Iterable[Key], base: TaskOptions) -> Prepared:
    """Return the graph of what dask hands to a scheduler.

    Parameters
    ----------
    source
        An expression, a ``HighLevelGraph``, a collection, or a mapping.
    keys
        What is wanted of it.
    base
        The options of all tasks.

    Raises
    ------
    InvalidGraph
        It is none of these, or a task of it needs dask.distributed.
    UnknownKey
        A key is not there.
    """
    wanted = list(keys)
    expressions = loaded_module("dask._expr")
    is_expression = expressions is not None and isinstance(source, expressions.Expr)
    if is_expression:
        changed = fused(_without_foreign_shuffles(source))
        source, wanted = changed, _renamed(wanted, source, changed)
    mapping = source
    if not isinstance(source, Mapping) and hasattr(source, "__dask_graph__"):
        mapping = source.__dask_graph__()
    if not isinstance(mapping, Mapping):
        return Prepared(cull(from_dask(source), list(wanted)), wanted)
    entries = with_cluster_locks(dict(mapping.items()))
    _refuse_p2p(entries)
    graph = cull(from_dask(entries), list(wanted))
    options = options_by_key(entries, _all_annotations(source, mapping, entries), base)
    last_steps = _last_steps(entries, graph, wanted) if is_expression else {}
    return Prepared(graph, wanted, options, last_steps)


def _all_annotations(
    source: Any, mapping: Any, entries: Mapping[Key, Any]
) -> Mapping[Key, Mapping[str, Any]]:
    """Return what was asked for tasks: of their layers, and around this very call."""
    annotations = annotations_of(source if source is not mapping else mapping)
    dask_base = loaded_module("dask.base")
    around = dask_base.get_annotations() if dask_base is not None else {}
    if around:
        for key in entries:
            of_key = annotations.setdefault(key, {})
            for name, value in around.items():
                of_key.setdefault(name, value(key) if callable(value) else value)
    return annotations


def _renamed(keys: list[Key], expression: Any, changed: Any) -> list[Key]:
    """Return how keys of an expression are called in another that computes the same."""
    if changed is expression:
        return keys
    names = zip(_flat(expression.__dask_keys__()), _flat(changed.__dask_keys__()), strict=True)
    renamed = dict(names)
    return [renamed.get(key, key) for key in keys]


def _flat(keys: Any) -> list[Key]:
    return list(flat_keys(keys))


# ------------------------------------------------------------------------ shuffles


def _without_foreign_shuffles(expression: Any) -> Any:
    """Replace shuffles over a disk, which workers need not share, by shuffles in tasks.

    dask chooses them where it does not know yet that we are to compute. Keys change with them.
    """
    shuffles = loaded_module("dask.dataframe.dask_expr._shuffle")
    if shuffles is None:
        return expression
    changed = expression
    for _ in range(_SHUFFLES_COUNT_MAX):
        found = next((one for one in changed.walk() if type(one) is shuffles.DiskShuffle), None)
        if found is None:
            break
        given = dict(zip(found._parameters, found.operands, strict=True))  # noqa: SLF001 - as dask does
        # (One over a disk keeps the index in any case, and the collection says so already.)
        in_tasks = shuffles.TaskShuffle(**{**given, "ignore_index": False})
        changed = changed.substitute(found, in_tasks)
    return changed


#: No honest expression has more.
_SHUFFLES_COUNT_MAX = 10_000


def _refuse_p2p(entries: Mapping[Key, Any]) -> None:
    """Refuse tasks that only dask.distributed's workers can run.

    Raises
    ------
    InvalidGraph
        There are such tasks.
    """
    shuffle = loaded_module("distributed.shuffle._core")
    if shuffle is None:
        return
    barrier = shuffle.P2PBarrierTask
    for key, entry in entries.items():
        if isinstance(entry, barrier):
            raise InvalidGraph(
                what="a graph of dask",
                value=f"with a p2p shuffle ({key!r})",
                reason=(
                    "only dask.distributed's workers can run that; say"
                    " dask.config.set({'dataframe.shuffle.method': 'tasks',"
                    " 'array.rechunk.method': 'tasks'}), or Client(set_as_default=True)"
                ),
            )


# ------------------------------------------------------------------------ last steps


def _last_steps(entries: Mapping[Key, Any], graph: Graph, keys: list[Key]) -> dict[Key, Task]:
    """Return the tasks asked for that dask added to put the parts of a collection together."""
    candidates = {}
    for key in keys:
        entry = graph[key]
        if isinstance(entry, Task) and (_is_finalizer(key) or _concatenates(entries[key])):
            candidates[key] = entry
    if candidates:
        # What others need must lie on the cluster.
        for entry in graph.values():
            for needed in dependencies_of(entry):
                candidates.pop(needed, None)
    return candidates


def _is_finalizer(key: Key) -> bool:
    return isinstance(key, str) and key.startswith(_FINALIZERS)


def _concatenates(entry: Any) -> bool:
    """Tell whether an entry is dask's concatenation of all partitions of a dataframe."""
    if type(entry) is not tuple or len(entry) != 2 or type(entry[1]) is not list:
        return False
    name = getattr(entry[0], "__name__", "")
    module = getattr(entry[0], "__module__", None) or ""
    return name == "_concat" and module.startswith("dask.dataframe.")
