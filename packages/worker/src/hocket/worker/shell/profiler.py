"""Looks at the threads that run tasks a hundred times a second, and merges what it sees."""

from __future__ import annotations

import gc
import sys
import threading
from collections.abc import Callable
from time import monotonic
from types import CodeType, FrameType
from typing import Final

from hocket.protocol.feed.profile_tree import ProfileTree, frame_name
from hocket.protocol.messages.feed import ProfileSampled
from hocket.transport import now
from hocket.worker.shell.execution import execute

__all__ = ["Profiler", "current_stacks"]

#: Time between two looks.
_INTERVAL_S: Final = 0.01
#: Nodes of what is seen between two reports.
_NODES_MAX: Final = 2000
#: Frames are looked at up to here.
_DEPTH_MAX: Final = 200
#: Names of code that are kept.
_NAMES_MAX: Final = 50_000

#: What stands above a task's own frames.
_OURS: Final = execute.__code__


class Profiler:
    """Samples the stacks of running tasks, in a thread of its own.

    Parameters
    ----------
    worker
        The worker's name.
    running
        Returns the functions that run now, by the number of the thread.
    """

    def __init__(self, worker: str, running: Callable[[], dict[int, str]]) -> None:
        self._worker = worker
        self._running = running
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self._tree = ProfileTree(_NODES_MAX)
        self._began_s = monotonic()
        #: By the identity of the code, which is kept alive by standing here.
        self._names: dict[int, tuple[CodeType, str]] = {}
        self._thread = threading.Thread(target=self._run, name=f"{worker} profiler", daemon=True)

    def start(self) -> None:
        """Begin to look."""
        self._began_s = monotonic()
        self._thread.start()

    def stop(self) -> None:
        """Look no more; the thread ends soon."""
        self._stop.set()

    def take(self) -> ProfileSampled:
        """Return what was seen since this was last called."""
        with self._lock:
            tree, self._tree = self._tree, ProfileTree(_NODES_MAX)
        began_s, self._began_s = self._began_s, monotonic()
        return ProfileSampled(
            now(), self._worker, self._began_s - began_s, tree.samples, *tree.columns()
        )

    def _run(self) -> None:
        while not self._stop.wait(_INTERVAL_S):
            self.look()

    def look(self) -> None:
        """Take one sample."""
        running = self._running()
        if not running:
            return
        frames = _current_frames()
        with self._lock:
            for thread, group in running.items():
                frame = frames.get(thread)
                if frame is not None:
                    names = [self._name_of(each) for each in _stack_of(frame)]
                    self._tree.add(group, reversed(names))

    def _name_of(self, code: CodeType) -> str:
        known = self._names.get(id(code))
        if known is None:
            if len(self._names) >= _NAMES_MAX:
                self._names.clear()
            name = frame_name(code.co_qualname, code.co_filename, code.co_firstlineno)
            known = self._names[id(code)] = (code, name)
        return known[1]


def current_stacks(running: dict[int, str]) -> dict[str, list[str]]:
    """Return where tasks are: by key, lines as in a traceback, the innermost last.

    Parameters
    ----------
    running
        Keys of tasks, by the number of the thread that runs each.
    """
    frames = _current_frames()
    stacks = {}
    for thread, key in running.items():
        frame = frames.get(thread)
        lines: list[str] = []
        while frame is not None and frame.f_code is not _OURS and len(lines) < _DEPTH_MAX:
            code = frame.f_code
            lines.append(f'File "{code.co_filename}", line {frame.f_lineno}, in {code.co_qualname}')
            frame = frame.f_back
        stacks[key] = lines[::-1]
    return stacks


def _current_frames() -> dict[int, FrameType]:
    # Before Python 3.11.5, a collection that began in this call could wait for itself.
    # (https://github.com/python/cpython/issues/106883)
    enabled = gc.isenabled()
    gc.disable()
    try:
        return sys._current_frames()  # noqa: SLF001 - the documented way
    finally:
        if enabled:
            gc.enable()


def _stack_of(frame: FrameType) -> list[CodeType]:
    """Return the code of a task's frames, the innermost first; of a deep stack the outermost."""
    codes: list[CodeType] = []
    at: FrameType | None = frame
    while at is not None:
        code = at.f_code
        if code is _OURS:
            return codes[-_DEPTH_MAX:]
        codes.append(code)
        at = at.f_back
    # (The thread is between two tasks.)
    return []
