"""The sessions of this process: who finds which, and what becomes of them in a forked child."""

from __future__ import annotations

import itertools
import os
import weakref
from typing import Final

from hocket.client.shell.session import ClientSession
from hocket.core.errors import PeerLost

__all__ = ["note_session", "session_of"]

_sessions: Final[weakref.WeakValueDictionary[int, ClientSession]] = weakref.WeakValueDictionary()
_session_numbers: Final = itertools.count()


def note_session(session: ClientSession) -> None:
    """Take note of a new session, as long as somebody uses it."""
    _sessions[next(_session_numbers)] = session


def session_of(address: str) -> ClientSession:
    """Return the session opened last with a scheduler, of those that are open.

    Raises
    ------
    PeerLost
        There is none.
    """
    for _, session in sorted(_sessions.items(), reverse=True):
        if session.address == address and session.machine.closed is None and not session.of_tasks:
            return session
    raise PeerLost(address=address, reason="no client of this scheduler is open here; make one")


def _after_fork_in_child() -> None:
    for session in list(_sessions.values()):
        session.after_fork()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork_in_child)
