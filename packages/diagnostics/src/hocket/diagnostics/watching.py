"""Watching a feed: readers of what somebody needs, as long as somebody does.

A watch begins to read when something is needed for the first time, and stops when nothing has been
for a while, so that a cluster at which nobody looks pays nothing. What it reads is folded into a
model.
"""

from __future__ import annotations

from typing import Final, Protocol

from hocket.diagnostics.model import ClusterModel
from hocket.protocol.feed import Answer, Question
from hocket.protocol.messages.feed import EventKinds

__all__ = ["BASIC", "LINGER_S", "READS", "Watch", "kinds_apart"]

#: What every page and every program reads: few events, whatever the number of tasks.
BASIC: Final = (
    EventKinds.GROUPS
    | EventKinds.WORKERS
    | EventKinds.SCHEDULER
    | EventKinds.LOGS
    | EventKinds.TOPICS
)
#: What a visual may say that it reads besides.
READS: Final = {
    "tasks": EventKinds.TASKS,
    "transfers": EventKinds.TRANSFERS,
    "recalls": EventKinds.RECALLS,
    "moves": EventKinds.MOVES,
    "profile": EventKinds.PROFILE,
}

#: How long something is read after the last need of it, in seconds.
LINGER_S: Final = 30.0


def kinds_apart(kinds: EventKinds) -> list[EventKinds]:
    """Return what is read with a reader of its own each: the basic kinds, and then one by one."""
    return [BASIC, *(each for each in READS.values() if each & kinds)]


class Watch(Protocol):
    """What keeps a model up to date."""

    model: ClusterModel

    @property
    def state(self) -> str:
        """``"live"``, or in words what is wrong."""

    async def need(self, kinds: EventKinds) -> None:
        """Make sure that the model hears of these, now and for a while.

        Returns when what is there now has been read, or after a few seconds without an answer.
        """

    async def ask(self, question: Question) -> Answer:
        """Ask for something that stands in no event."""

    async def close(self) -> None:
        """Stop watching."""
