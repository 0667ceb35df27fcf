"""The page of the scheduler itself: how its process is, and what it has to do."""

from __future__ import annotations

from typing import Any

from hocket.diagnostics.plots.series import time_lines
from hocket.diagnostics.view import View
from hocket.diagnostics.visuals import page, plot

__all__ = ["feed", "loop_lag", "messages", "processor", "scheduler_memory", "tables"]

page("system", "System", order=80, text="The scheduler's own process.")


@plot("Processor", on="system", reads=(), height_px=200)
def processor(view: View) -> Any:
    """Processor cores that the scheduler uses."""
    return time_lines(view, view.stream("scheduler_samples"), {"cpu": "cores"})


@plot("Loop lag", on="system", reads=(), height_px=200)
def loop_lag(view: View) -> Any:
    """How long its event loop made others wait, in seconds, at the most in each interval."""
    return time_lines(view, view.stream("scheduler_samples"), {"loop_lag_s": "seconds"})


@plot("Messages", on="system", reads=(), height_px=200)
def messages(view: View) -> Any:
    """Messages that come and go, in a second."""
    lines = {"messages_in_per_s": "in", "messages_out_per_s": "out"}
    return time_lines(view, view.stream("scheduler_samples"), lines)


@plot("Feed", on="system", reads=(), height_px=200)
def feed(view: View) -> Any:
    """Events that were recorded, in a second, and turns of the loop."""
    lines = {"events_per_s": "events", "turns_per_s": "turns"}
    return time_lines(view, view.stream("scheduler_samples"), lines)


@plot("Memory", on="system", reads=(), height_px=200)
def scheduler_memory(view: View) -> Any:
    """Memory of the process."""
    lines = {"memory_nbytes": "memory"}
    return time_lines(view, view.stream("scheduler_samples"), lines, y_unit="bytes")


@plot("What it knows", on="system", reads=(), height_px=200)
def tables(view: View) -> Any:
    """Tasks that it knows, those that are held back, and its open files."""
    lines = {"tasks": "tasks", "queued": "queued", "fds": "open files"}
    return time_lines(view, view.stream("scheduler_samples"), lines)
