"""Computing a graph on this machine: one function for all executors."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hocket.core.errors import SettingsError
from hocket.graph.keys import Key, Keys, arrange, flat_keys
from hocket.graph.rewrite import cull

__all__ = ["compute"]


def compute(
    graph: Mapping[Key, Any],
    keys: Keys,
    executor: str = "threads",
    workers: int | None = None,
) -> Any:
    """Compute keys of a graph on this machine.

    Tasks run in the order of their priorities (see `order`), a result is let go as soon as no task
    needs it any more, and the first error stops the run.

    Parameters
    ----------
    graph
        The graph. What the keys do not need is not looked at.
    keys
        A key, or nested lists of keys.
    executor
        ``"sync"``: the calling thread, one task after the other; holds all results; for debugging.

        ``"threads"``: threads of this process, started for this call.

        ``"processes"``: processes started for this call. They need no ``if __name__ ==
        "__main__"`` guard: see `hocket.graph.executors.processes`. Arguments and results are
        pickled.
    workers
        How many threads or processes; one for each processor that this process may use if None.

    Returns
    -------
    object
        The value of the key, or nested lists of values.

    Raises
    ------
    UnknownKey
        Nothing defines one of ``keys``, or something that they need.
    GraphCycle
        Entries need each other.
    SettingsError
        There is no such executor, or ``workers`` is not a whole number of at least 1.
    SerializationError
        With processes: something to be sent, or a result, cannot be pickled.
    WorkerDied
        With processes: a process ended while it ran a task.
    TaskFailed
        With processes: a task raised an exception that cannot be pickled.
    BaseException
        Whatever a task raises, as it is, with its traceback.

    Examples
    --------
    >>> compute({"a": 2, "b": Task(pow, (Ref("a"), 10))}, ["a", "b"])
    [2, 1024]
    """
    # Imported here: a program that only makes graphs loads nothing that acts.
    from hocket.graph.executors import local  # noqa: PLC0415

    executors = {
        "sync": local.synchronously,
        "threads": local.in_threads,
        "processes": local.in_processes,
    }
    if executor not in executors:
        raise SettingsError(
            name="executor",
            value=executor,
            allowed="give 'sync', 'threads' or 'processes'; for others there is execute()",
            source="compute()",
        )
    return arrange(keys, executors[executor](cull(graph, keys), list(flat_keys(keys)), workers))
