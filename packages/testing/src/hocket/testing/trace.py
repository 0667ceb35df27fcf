"""The trace of a run: one line for each event, the same bytes for the same seed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any, get_args

from hocket.protocol.messages.coordination import ClientCoordinates, SchedulerCoordinates
from hocket.scheduler.moves import watch
from hocket.scheduler.state import Task, TaskState
from hocket.testing.clock import Timeline

__all__ = ["Trace", "summary"]

#: Keys that are named in the line of one message; the rest is counted.
_KEYS_SHOWN = 40


class Trace:
    """Lines, each with its time, place and event; and the transitions that were seen.

    Parameters
    ----------
    timeline
        Says what time it is.
    listener
        Is given each line as it comes, for whoever reads along.
    """

    def __init__(self, timeline: Timeline, listener: Callable[[str], None] | None = None) -> None:
        self._timeline = timeline
        self._listener = listener
        self.lines: list[str] = []
        self.transitions: Counter[tuple[TaskState, TaskState]] = Counter()

    def note(self, place: str, event: str) -> None:
        """Write a line."""
        line = f"{self._timeline.now_s:11.6f} {place:<10} {event}"
        self.lines.append(line)
        if self._listener is not None:
            self._listener(line)

    def moved(self, task: Task, source: TaskState, target: TaskState) -> None:
        """Note a move of the scheduler's machine, and refuse those that its table does not name."""
        watch(task, source, target)
        self.transitions[source, target] += 1
        self.note("scheduler", f"  {task.key}#{task.attempt} {source} -> {target}")

    def text(self) -> str:
        """Return all lines."""
        return "\n".join(self.lines) + "\n"


def summary(messages: Sequence[Any]) -> str:
    """Return a batch of messages in words: names, keys and attempts."""
    return ", ".join(_one(message) for message in messages)


def _one(message: Any) -> str:
    name = type(message).__name__
    if isinstance(message, get_args(ClientCoordinates | SchedulerCoordinates)):
        # (All that they say, as there are no batches of them.)
        return repr(message)
    keys = getattr(message, "keys", None)
    if not isinstance(keys, list):
        request = getattr(message, "request", None)
        return name if request is None else f"{name}({request})"
    attempts = getattr(message, "attempts", None)
    shown = keys[:_KEYS_SHOWN]
    if attempts:
        shown = [f"{key}#{attempt}" for key, attempt in zip(shown, attempts, strict=False)]
    more = f" +{len(keys) - _KEYS_SHOWN}" if len(keys) > _KEYS_SHOWN else ""
    return f"{name}[{' '.join(shown)}{more}]"
