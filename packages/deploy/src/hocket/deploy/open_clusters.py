"""Clusters that are open: their jobs end with the process that made them."""

from __future__ import annotations

import atexit
import contextlib
import weakref
from typing import Final, Protocol

__all__ = ["close_at_exit", "closed"]


class _Cluster(Protocol):
    def end_at_exit(self) -> None: ...


_open: Final[weakref.WeakSet[_Cluster]] = weakref.WeakSet()


def close_at_exit(cluster: _Cluster) -> None:
    """Have a cluster end at the end of the interpreter, if nobody closes it before."""
    if not _open:
        # Registered behind the event loop's and the fork server's, and so run before these.
        atexit.unregister(_end_all)
        atexit.register(_end_all)
    _open.add(cluster)


def closed(cluster: _Cluster) -> None:
    """Take note that a cluster was closed."""
    _open.discard(cluster)


def _end_all() -> None:
    for cluster in list(_open):
        # Nobody is there any more to be told.
        with contextlib.suppress(Exception):
            cluster.end_at_exit()
