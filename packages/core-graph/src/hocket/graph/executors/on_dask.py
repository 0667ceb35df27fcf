"""Running a graph on dask: its own schedulers, or a cluster of `dask.distributed`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import uuid4

from dask._task_spec import Task as DaskTask
from dask._task_spec import TaskRef
from dask.base import get_scheduler
from dask.threaded import get as get_in_threads

from hocket.core.errors import SettingsError
from hocket.graph.graph import Graph
from hocket.graph.keys import Key, key_text
from hocket.graph.task import dependencies_of, evaluate

__all__ = ["run_on_dask"]


def run_on_dask(
    graph: Graph,
    keys: Sequence[Key],
    client: Any = None,
    scheduler: Any = None,
    **options: Any,
) -> dict[Key, Any]:
    """Compute keys with dask.

    Parameters
    ----------
    graph, keys
        What to run, and the keys to return.
    client
        A client of ``dask.distributed``.
    scheduler
        What dask takes by this name: ``"threads"``, ``"processes"``, ``"sync"``; without it and
        without a client, whatever is the default there, or threads.
    **options
        Of dask's ``get``.

    Raises
    ------
    SettingsError
        Both a client and a scheduler are given.
    BaseException
        What a task raises.
    """
    if client is not None and scheduler is not None:
        raise SettingsError(
            name="scheduler",
            value=scheduler,
            allowed="give a client or a scheduler, not both",
            source="execute()",
        )
    get = None if client is None else client.get
    get = get or get_scheduler(scheduler=scheduler) or get_in_threads
    # Other graphs of the same cluster may have the same keys.
    token = uuid4().hex
    texts = {key: f"{key_text(key)}-{token}" for key in graph}
    tasks = {}
    for key, entry in graph.items():
        needed = dependencies_of(entry)
        inputs = [TaskRef(texts[one]) for one in needed]
        tasks[texts[key]] = DaskTask(texts[key], _run_entry, entry, needed, *inputs)
    values = get(tasks, [texts[key] for key in keys], **options)
    return dict(zip(keys, values, strict=True))


def _run_entry(entry: Any, needed: Sequence[Key], *inputs: Any) -> Any:
    return evaluate(entry, dict(zip(needed, inputs, strict=True)))
