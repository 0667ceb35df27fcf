"""Clusters that are open: their jobs end with the process that made them."""

from __future__ import annotations

import atexit
import contextlib
import weakref
from typing import Final, Protocol

__all__ = ["close_at_exit", "closed"]

#: How long the end of the interpreter waits for a cluster that nobody has closed.
_TIMEOUT_S: Final = 20.0


class _Cluster(Protocol):
    def close_now(self, timeout_s: float) -> None: ...


_open: Final[weakref.WeakSet[_Cluster]] = weakref.WeakSet()


def close_at_exit(cluster: _Cluster) -> None:
    """Close a cluster at the end of the interpreter, if nobody does before."""
    _open.add(cluster)


def closed(cluster: _Cluster) -> None:
    """Take note that a cluster was closed."""
    _open.discard(cluster)


def _close_all() -> None:
    for cluster in list(_open):
        # Nobody is there any more to be told.
        with contextlib.suppress(Exception):
            cluster.close_now(_TIMEOUT_S)


# (Who opens clusters has imported the event loop's before, so this runs before that ends.)
atexit.register(_close_all)
