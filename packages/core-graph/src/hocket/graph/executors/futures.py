"""Running a graph on any executor of `concurrent.futures`: threads, processes, a cluster."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Executor, Future, wait
from typing import Any, Final

from hocket.core.errors import SettingsError
from hocket.graph.executors.progress import Progress
from hocket.graph.graph import Graph
from hocket.graph.keys import Key
from hocket.graph.task import Task

__all__ = ["run_with_futures"]

#: So many calls are handed over at once: enough for any pool to be busy, and few enough that
#: results which are not needed any more are let go.
_CALLS_MAX: Final = 1000


def run_with_futures(
    graph: Graph, keys: Sequence[Key], executor: Executor | None = None
) -> dict[Key, Any]:
    """Compute keys with an executor, which stays open.

    Results come back here before they go to the tasks that need them.

    Parameters
    ----------
    graph, keys
        What to run, and the keys to return.
    executor
        Any of `concurrent.futures`'s kind.

    Raises
    ------
    SettingsError
        There is no executor.
    BaseException
        The first one that a task raises; no others are started then.
    """
    if not isinstance(executor, Executor):
        raise SettingsError(
            name="executor",
            value=executor,
            allowed="give an executor of concurrent.futures",
            source="execute()",
        )
    progress = Progress(graph, keys)
    calls: dict[Future[Any], int] = {}
    try:
        while True:
            while len(calls) < _CALLS_MAX and (number := progress.start_next()) is not None:
                task, inputs = progress.task(number), progress.inputs(number)
                calls[executor.submit(_run_task, task, inputs)] = number
            if not calls:
                return progress.results()
            for call in wait(calls, return_when=FIRST_COMPLETED).done:
                progress.finish(calls.pop(call), call.result())
    finally:
        for call in calls:
            call.cancel()


def _run_task(task: Task, inputs: Mapping[Key, Any]) -> Any:
    return task.run(inputs)
