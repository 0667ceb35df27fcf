"""What workers logged, asked of themselves."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

from hocket.client.client import Client
from hocket.core.recent_logs import LogLine
from hocket.core.settings import Settings

__all__ = ["line_text", "read_worker_logs"]


def line_text(line: LogLine, worker: str = "") -> str:
    """Return a line for people: when, who, in which task, how grave, and what."""
    time = dt.datetime.fromtimestamp(line.time_s).astimezone().isoformat(" ", "milliseconds")
    task = f"[{line.task}]" if line.task else ""
    return " ".join(filter(None, (time, worker, task, line.level, line.text)))


def read_worker_logs(
    address: str, secret: str, settings: Settings, workers: Sequence[str], lines: int
) -> dict[str, str]:
    """Return the last lines of each of these workers that is there, by its name.

    Parameters
    ----------
    address, secret, settings
        Of the cluster.
    workers
        Their names.
    lines
        How many of each.
    """
    with Client(address, secret=secret, settings=settings) as client:
        told = client.scheduler_info()["workers"]
        names = {place: one["name"] for place, one in told.items() if one["name"] in workers}
        if not names:
            return {}
        logs = client.get_worker_logs(lines, list(names.values()))
    found = {names.get(place, place): own for place, own in logs.items()}
    return {name: "\n".join(map(line_text, own)) for name, own in sorted(found.items())}
