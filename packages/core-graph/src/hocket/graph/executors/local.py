"""The executors of this machine in one form: a graph, keys, and how many work on it."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

from hocket.core.errors import SettingsError
from hocket.graph.graph import Graph
from hocket.graph.keys import Key
from hocket.graph.run import run

__all__ = ["in_processes", "in_threads", "synchronously"]


def synchronously(graph: Graph, keys: Sequence[Key], workers: int | None = None) -> dict[Key, Any]:
    """Compute keys in the calling thread."""
    _count(workers)
    return dict(zip(keys, run(graph, list(keys)), strict=True))


def in_threads(graph: Graph, keys: Sequence[Key], workers: int | None = None) -> dict[Key, Any]:
    """Compute keys in threads that are started for it."""
    # Imported when used, as below: who needs one of them need not wait for the other.
    from hocket.graph.executors.threads import run_in_threads  # noqa: PLC0415

    return run_in_threads(graph, keys, _count(workers))


def in_processes(graph: Graph, keys: Sequence[Key], workers: int | None = None) -> dict[Key, Any]:
    """Compute keys in processes that are started for it."""
    from hocket.graph.executors.processes import run_in_processes  # noqa: PLC0415

    return run_in_processes(graph, keys, _count(workers))


def _count(workers: int | None) -> int:
    """Return how many are to work: one for each processor that this process may use if None."""
    if workers is None:
        count = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 0
        return count or os.cpu_count() or 1
    if isinstance(workers, int) and not isinstance(workers, bool) and workers > 0:
        return workers
    raise SettingsError(
        name="workers",
        value=workers,
        allowed="give a whole number of at least 1, or None",
        source="the call",
    )
