"""Interrupting code of the user's in a thread: an exception is raised in it from without.

It arrives with the next step of Python code; what waits inside of a system call, or computes
outside of Python, goes on until it comes back. Nothing but the user's code may be hit, however
close the end of it is: a pending exception is taken back before any other code runs.
"""

from __future__ import annotations

import ctypes
import threading
from collections.abc import Callable
from typing import Any

__all__ = ["Interruptible", "TaskInterrupted"]


class TaskInterrupted(BaseException):
    """Raised in a task whose time is over. Not an `Exception`, so that few tasks swallow it."""


class Interruptible:
    """One call of a function that can be interrupted."""

    __slots__ = ("_is_closed", "_is_wanted", "_lock", "_thread")

    def __init__(self) -> None:
        self._lock = threading.Lock()
        #: Where the function runs; 0: it does not.
        self._thread = 0
        self._is_wanted = False
        self._is_closed = False

    def run(self, function: Callable[[], Any]) -> Any:
        """Call a function in this thread.

        Raises
        ------
        TaskInterrupted
            It was interrupted, perhaps before it began.
        """
        try:
            with self._lock:
                if self._is_wanted:
                    raise TaskInterrupted
                self._thread = threading.get_ident()
            return function()
        finally:
            self.close()

    def interrupt(self) -> None:
        """Interrupt the function, once it runs; for any other thread."""
        with self._lock:
            self._is_wanted = True
            if self._thread:
                _raise_in(self._thread, TaskInterrupted)

    def close(self) -> None:
        """Let nothing arrive in this thread any more. May be called twice."""
        # Until then it may, at any step.
        while not self._is_closed:
            try:
                self._close()
            except TaskInterrupted:
                continue

    def _close(self) -> None:
        with self._lock:
            self._thread = 0
            if self._is_wanted:
                # It may not have arrived yet.
                _raise_in(threading.get_ident(), None)
        self._is_closed = True


def _raise_in(thread: int, error: type[BaseException] | None) -> None:
    """Have an exception raised in a thread, or none that was to be."""
    what = None if error is None else ctypes.py_object(error)
    ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread), what)
