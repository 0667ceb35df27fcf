"""The garbage collector, kept still while very many small objects are made.

It would go through all of them again and again, and find nothing: half of the time that a large
graph takes to be converted.
"""

from __future__ import annotations

import gc
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["collector_kept_still"]

_lock = threading.Lock()
#: Blocks that want it still now, in all threads.
_count = 0
_was_enabled = False


@contextmanager
def collector_kept_still() -> Iterator[None]:
    """Have nothing collected within the block, in this process; blocks may overlap."""
    global _count, _was_enabled  # noqa: PLW0603 - the collector is one for the process, too
    with _lock:
        if not _count:
            _was_enabled = gc.isenabled()
            gc.disable()
        _count += 1
    try:
        yield
    finally:
        with _lock:
            _count -= 1
            if not _count and _was_enabled:
                gc.enable()


def _after_fork_in_child() -> None:
    global _lock, _count  # noqa: PLW0603 - another thread may have held it
    _lock = threading.Lock()
    if _count and _was_enabled:
        gc.enable()
    _count = 0


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork_in_child)
