"""Futures of one client in what another of the same cluster says: the scheduler knows them first.

Two clients are two sessions, so the scheduler may hear of a task that needs a key before it hears
of the key. Whoever uses a future of another client asks a question in that one's session: once it
is answered, all that was said there before has arrived. Until then what is said here waits in the
outbox, in its order, and nobody is blocked. Since one waits only for what was said earlier, no two
wait for each other.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from hocket.client.outbox import Pause
from hocket.client.states import PENDING
from hocket.core.errors import HocketError
from hocket.protocol.messages import LocateKeys

if TYPE_CHECKING:
    from hocket.client.shell.session import ClientSession

__all__ = ["introduce", "keep_until_heard"]


def introduce(session: ClientSession, futures: Iterable[Any]) -> None:
    """Have what a session says from now on wait until futures of others are known there."""
    pending = (future.session for future in futures if future.record.status is PENDING)
    for other in dict.fromkeys(pending):
        with other.lock:
            said_count = other.begin().said_count
        if session.heard_counts.get(other) != said_count:
            _wait_for(session, other)


def _wait_for(session: ClientSession, other: ClientSession) -> None:
    pause = Pause()

    def end() -> None:
        pause.over = True
        session.send()

    with session.lock:
        session.begin().pause(pause)
    try:
        with other.lock:
            machine = other.begin()
            machine.ask(_ask_nothing, end)
            # Nothing more may be said there until a pause for another of its futures is needed.
            session.heard_counts[other] = machine.said_count
    except HocketError:
        # It is closed, and the scheduler says what has become of its keys.
        end()
    else:
        other.send()


def keep_until_heard(session: ClientSession, futures: list[Any]) -> None:
    """Keep futures until what a session has said so far has arrived."""
    with contextlib.suppress(HocketError):
        with session.lock:
            session.begin().ask(_ask_nothing, futures.clear)
        session.send()


def _ask_nothing(number: int) -> LocateKeys:
    return LocateKeys(number, [])
