"""Our own pages; importing this makes them."""

from __future__ import annotations

from hocket.diagnostics.plots import (
    crossfilter,
    graph,
    groups,
    logs,
    profile,
    resources,
    status,
    stealing,
    system,
    task_stream,
    tasks,
    transfers,
    worker_pages,
    workers,
)

__all__ = [
    "crossfilter",
    "graph",
    "groups",
    "logs",
    "profile",
    "resources",
    "status",
    "stealing",
    "system",
    "task_stream",
    "tasks",
    "transfers",
    "worker_pages",
    "workers",
]
