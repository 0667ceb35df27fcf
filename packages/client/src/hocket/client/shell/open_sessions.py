"""The sessions of this process: who finds which, and what becomes of them in a forked child."""

from __future__ import annotations

import itertools
import os
import weakref
from typing import Final

from hocket.client.shell.session import ClientSession
from hocket.core.cluster_identity import ClusterIdentity
from hocket.core.errors import OtherCluster, PeerLost

__all__ = ["note_session", "session_of"]

_sessions: Final[weakref.WeakValueDictionary[int, ClientSession]] = weakref.WeakValueDictionary()
_session_numbers: Final = itertools.count()


def note_session(session: ClientSession) -> None:
    """Take note of a new session, as long as somebody uses it."""
    _sessions[next(_session_numbers)] = session


def session_of(cluster: ClusterIdentity, what: str, here: ClusterIdentity | None) -> ClientSession:
    """Return the session opened last with a cluster, of those that are open.

    Parameters
    ----------
    cluster
        Which.
    what
        What it is wanted for, for the error.
    here
        The cluster whose task asks, if one does.

    Raises
    ------
    PeerLost
        None is open at all.
    OtherCluster
        All that are open are of other clusters.
    """
    others = {} if here is None else {here: None}
    for _, session in sorted(_sessions.items(), reverse=True):
        if session.machine.closed is None and not session.of_tasks:
            if session.cluster.is_of(cluster):
                return session
            others[session.cluster] = None
    if others:
        raise OtherCluster(what=what, cluster=str(cluster), here=" or ".join(map(str, others)))
    reason = f"no client of this cluster is open here, to which {what} belongs; make one"
    raise PeerLost(address=cluster.address, reason=reason)


def _after_fork_in_child() -> None:
    for session in list(_sessions.values()):
        session.after_fork()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork_in_child)
