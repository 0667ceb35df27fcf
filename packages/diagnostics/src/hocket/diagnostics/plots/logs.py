"""The pages of logs and events, and of clients and queues: tables."""

from __future__ import annotations

from collections.abc import Iterator

from hocket.diagnostics.model import ClusterModel
from hocket.diagnostics.visuals import Row, page, table

__all__ = ["clients", "events", "happenings", "lines", "queues", "worker_lines"]

page("logs", "Logs and events", order=85)
page("clients", "Clients and queues", order=75)
page("worker-logs", "Logs", role="worker", order=60)

_LINE = {
    "time_s": "Time",
    "worker": "Worker",
    "level": "Level",
    "logger": "Logger",
    "text": "Text",
    "key": "Key",
}


def _latest(model: ClusterModel, name: str, rows_max: int) -> Iterator[Row]:
    columns = model.rings[name].read(0, rows_max).columns
    names = list(columns)
    for values in zip(*(reversed(column) for column in columns.values()), strict=True):
        yield dict(zip(names, values, strict=True))


@table("Lines", _LINE, on="logs", reads=(), place=10, text="What was logged and printed.")
def lines(model: ClusterModel, words: str) -> Iterator[Row]:
    """The latest lines of the scheduler and all workers."""
    for row in _latest(model, "lines", 5_000 if words else 500):
        yield {**row, "logger": row["logger"] or "print"}


@table("Lines", _LINE, on="worker-logs", role="worker", reads=(), place=10)
def worker_lines(model: ClusterModel, words: str) -> Iterator[Row]:
    """What this worker logged and its tasks printed, the latest first."""
    return lines(model, words)  # type: ignore[return-value]


@table(
    "Events of topics",
    {"time_s": "Time", "topic": "Topic", "source": "By", "key": "Key", "text": "What"},
    on="logs",
    reads=(),
    place=20,
    text="What clients and tasks said with log_event.",
)
def events(model: ClusterModel, words: str) -> Iterator[Row]:
    """Events of users, the latest first."""
    return _latest(model, "topics", 5_000 if words else 300)


@table(
    "Comings and goings",
    {"time_s": "Time", "what": "What", "who": "Who", "text": "Why"},
    on="logs",
    reads=(),
    place=30,
)
def happenings(model: ClusterModel, words: str) -> Iterator[Row]:
    """Workers and clients that came, went or paused, the latest first."""
    del words
    return _latest(model, "happenings", 500)


@table(
    "Clients",
    {"client": "Client", "since_s": "Since", "number": "Number"},
    on="clients",
    reads=(),
    place=10,
)
def clients(model: ClusterModel, words: str) -> Iterator[Row]:
    """The clients that are connected."""
    del words
    for record in model.clients.values():
        yield record.to_row()


@table(
    "Queues",
    {
        "group": "Function",
        "waiting": "Waiting for inputs",
        "queued": "Held back",
        "assigned": "On workers",
    },
    on="clients",
    reads=(),
    place=20,
    text="Functions with tasks that have not ended.",
)
def queues(model: ClusterModel, words: str) -> Iterator[Row]:
    """Functions with tasks under way, the longest queue first."""
    del words
    found = [record.counted for record in model.groups.values() if record.counted is not None]
    found.sort(key=lambda one: -(one.waiting + one.queued + one.assigned))
    for one in found:
        if one.waiting + one.queued + one.assigned:
            yield {
                "group": one.group,
                "waiting": one.waiting,
                "queued": one.queued,
                "assigned": one.assigned,
            }
