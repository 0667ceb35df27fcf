"""What a worker said lately: its lines, and how one asks for them from afar."""

from __future__ import annotations

from typing import NamedTuple

from hocket.core.worker_view import current_worker

__all__ = ["LogLine", "read_recent"]


class LogLine(NamedTuple):
    """Something that was logged or printed.

    Attributes
    ----------
    time_s
        When, in seconds since the epoch.
    level
        ``"INFO"`` and so on; ``"STDOUT"`` or ``"STDERR"`` of what was printed.
    logger
        Where it was logged; empty if it was printed.
    task
        The key of the task that did it; empty if none did.
    text
        What.
    """

    time_s: float
    level: str
    logger: str
    task: str
    text: str


def read_recent(count: int | None = None) -> list[LogLine]:
    """Return the last lines of the worker that this runs on, the oldest first; to be run there."""
    worker = current_worker()
    lines = [] if worker is None else worker.read_lines()
    return lines if count is None else lines[max(0, len(lines) - count) :]
