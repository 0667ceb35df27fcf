"""The client that is there without asking: for what has no client in its arguments."""

from __future__ import annotations

import os
import threading
from typing import Final

from hocket.client.client import Client, current_client
from hocket.client.task_client import get_client
from hocket.core.errors import PeerLost
from hocket.core.task_context import current_task

__all__ = ["shared_client"]

_lock = threading.Lock()
#: Keeps the client that was made here; it ends with the interpreter.
_made: Final[list[Client]] = []


def shared_client() -> Client:
    """Return the client that others of this process use, or make one with a cluster of this host.

    Inside a task, that is the task's; else the one made last that is still open, or one of the same
    cluster if that is asynchronous. One that is made here is closed with its cluster when the
    interpreter ends.

    Raises
    ------
    SettingsError
        There is none, and no package is installed that makes local clusters.
    """
    if current_task() is not None:
        return get_client()
    with _lock:
        try:
            client = current_client()
        except PeerLost:
            client = Client()
        else:
            if not client.asynchronous:
                return client
            # Whoever asks means to wait.
            client = client.blocking_twin()
        _made[:] = [client]
        return client


def _after_fork_in_child() -> None:
    global _lock  # noqa: PLW0603 - another thread may have held it
    _lock = threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork_in_child)
