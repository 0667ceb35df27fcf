"""Callbacks of users: they run in a thread of their own, never in the event loop's."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable
from queue import SimpleQueue
from typing import Any, Final

__all__ = ["call_soon"]

_logger: Final = logging.getLogger("hocket.client")

_lock = threading.Lock()
_calls: SimpleQueue[tuple[Callable[[Any], object], Any]] | None = None


def call_soon(function: Callable[[Any], object], argument: Any) -> None:
    """Have a function called in this process's thread for callbacks; returns at once."""
    global _calls  # noqa: PLW0603 - there is one thread for a process, started when needed
    with _lock:
        if _calls is None:
            calls: SimpleQueue[tuple[Callable[[Any], object], Any]] = SimpleQueue()
            thread = threading.Thread(
                target=_run, args=(calls,), name="hocket-callbacks", daemon=True
            )
            try:
                thread.start()
            except RuntimeError:  # The interpreter ends; callbacks are not run any more.
                return
            _calls = calls
    _calls.put((function, argument))


def _run(calls: SimpleQueue[tuple[Callable[[Any], object], Any]]) -> None:
    while True:
        function, argument = calls.get()
        try:
            function(argument)
        except Exception:
            _logger.exception("an error in the callback %r", function)
        del function, argument


def _after_fork_in_child() -> None:
    global _calls, _lock  # noqa: PLW0603 - the thread did not survive
    _lock = threading.Lock()
    _calls = None


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork_in_child)
