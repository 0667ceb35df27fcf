"""Questions to the scheduler: numbered, and open until they are answered or withdrawn."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from msgspec import Struct

from hocket.client.states import Request
from hocket.core.errors import HocketError
from hocket.protocol.messages import (
    CancelAnswered,
    ClusterDescribed,
    ClusterEnds,
    EventsListed,
    EverywhereRan,
    GrantGiven,
    GraphDescribed,
    ItemsGiven,
    ItemsReceived,
    KeysExplained,
    KeysLocated,
    KeysRebalanced,
    KeysReplicated,
    MetadataTold,
    ReleaseGrant,
    RequestDenied,
    RequestDone,
    RequestRefused,
    ScatterAccepted,
    ScatterPlanned,
    SchedulerCalled,
    Snapshot,
    StateTold,
    TasksFound,
    TasksListed,
    VariablesListed,
    WorkersReady,
    WorkersRetired,
)

__all__ = ["ANSWERS", "Questions", "undo_of"]

#: The messages that answer a question; each names it by its number.
ANSWERS: Final[tuple[type[Struct], ...]] = (
    CancelAnswered,
    ClusterDescribed,
    ClusterEnds,
    EventsListed,
    EverywhereRan,
    GrantGiven,
    GraphDescribed,
    ItemsGiven,
    KeysExplained,
    KeysLocated,
    KeysRebalanced,
    KeysReplicated,
    MetadataTold,
    RequestDenied,
    RequestDone,
    RequestRefused,
    SchedulerCalled,
    ScatterAccepted,
    ScatterPlanned,
    Snapshot,
    StateTold,
    TasksFound,
    TasksListed,
    VariablesListed,
    WorkersReady,
    WorkersRetired,
)


class Questions:
    """The questions of one client."""

    __slots__ = ("_number", "open")

    def __init__(self) -> None:
        #: Those without an answer, by number.
        self.open: dict[int, Request] = {}
        self._number = 0

    def ask(self, wake: Callable[[], None]) -> Request:
        """Return a new question, under a number that no other has had."""
        self._number += 1
        request = self.open[self._number] = Request(self._number, wake)
        return request

    def withdraw(self, request: Request) -> None:
        """Forget a question, if it is still open."""
        self.open.pop(request.number, None)

    def answer(self, message: Any) -> Request | None:
        """Return the question that one of `ANSWERS` answers; None if nobody waits for it."""
        request = self.open.pop(message.request, None)
        if request is not None:
            request.reply = message
        return request

    def end(self, error: HocketError) -> list[Request]:
        """Return those that are open, which will have no answer for this reason."""
        ended = list(self.open.values())
        self.open = {}
        for request in ended:
            request.error = error
        return ended


def undo_of(answer: Any) -> Struct | None:
    """Return what is to be said to an answer that nobody waits for any more; None: nothing."""
    if type(answer) is GrantGiven:
        return ReleaseGrant(0, answer.token)
    if type(answer) is ItemsGiven:
        return ItemsReceived(answer.request, False)  # noqa: FBT003 - a message's field
    return None
