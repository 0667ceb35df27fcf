"""What this process logs and its tasks print: kept in memory, so many lines and no more."""

from __future__ import annotations

import logging
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterable
from time import time
from typing import Any, Final, TextIO

from hocket.core.recent_logs import LogLine
from hocket.core.task_context import current_task

__all__ = ["capture", "keep", "listeners", "recent_lines"]

_LINES_MAX: Final = 10_000
_TEXT_LENGTH_MAX: Final = 4000

_lines: Final[deque[LogLine]] = deque(maxlen=_LINES_MAX)
_handlers: Final[list[logging.Handler]] = []
#: Called with each line, in any thread, with any locks held: they may only put it aside.
listeners: Final[list[Callable[[LogLine], None]]] = []


def capture() -> None:
    """Keep what this process logs and prints from now on. For processes that are a worker's own."""
    if not _handlers:
        _handlers.append(_Recorder())
        logging.getLogger().addHandler(_handlers[0])
        sys.stdout = _Recording(sys.stdout, "STDOUT")
        sys.stderr = _Recording(sys.stderr, "STDERR")


def recent_lines() -> list[LogLine]:
    """Return the last lines that this process logged or printed, the oldest first."""
    return list(_lines)


def keep(line: LogLine) -> None:
    """Keep a line of a process that runs tasks for this one, if its own are kept."""
    if _handlers:
        _keep_line(line)


def _keep(time_s: float, level: str, logger: str, text: str) -> None:
    task = current_task()
    key = "" if task is None else task.key
    _keep_line(LogLine(time_s, level, logger, key, text[:_TEXT_LENGTH_MAX]))


def _keep_line(line: LogLine) -> None:
    _lines.append(line)
    for listener in listeners:
        listener(line)


class _Recorder(logging.Handler):
    """Keeps records; where no other handler is, it lets Python say what it would say by itself."""

    def emit(self, record: logging.LogRecord) -> None:
        try:
            _keep(record.created, record.levelname, record.name, self.format(record))
        except Exception:  # noqa: BLE001 - as all handlers do
            self.handleError(record)
        last = logging.lastResort
        if logging.getLogger().handlers == [self] and last and record.levelno >= last.level:
            stream = sys.stderr
            # (It is kept already.)
            plain = stream.original if isinstance(stream, _Recording) else stream
            plain.write(f"{self.format(record)}\n")


class _Recording:
    """A stream that keeps the lines that are written to it, and passes them on."""

    def __init__(self, original: TextIO, level: str) -> None:
        self.original = original
        self._level = level
        self._local = threading.local()

    def write(self, text: str) -> int:
        written = self.original.write(text)
        begun = getattr(self._local, "begun", "")
        *lines, rest = (begun + text).split("\n")
        self._local.begun = rest[-_TEXT_LENGTH_MAX:]
        if lines:
            time_s = time()
            for line in lines:
                _keep(time_s, self._level, "", line)
        return written

    def writelines(self, lines: Iterable[str]) -> None:
        for line in lines:
            self.write(line)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.original, name)
