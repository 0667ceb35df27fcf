"""Questions to the scheduler: numbered, and open until they are answered or withdrawn."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from msgspec import Struct

from hocket.client.states import Request
from hocket.core.errors import HocketError
from hocket.protocol.messages import (
    ClusterDescribed,
    EverywhereRan,
    KeysExplained,
    KeysLocated,
    KeysRebalanced,
    KeysReplicated,
    RequestRefused,
    ScatterAccepted,
    ScatterPlanned,
    TasksListed,
    WorkersReady,
    WorkersRetired,
)

__all__ = ["ANSWERS", "Questions"]

#: The messages that answer a question; each names it by its number.
ANSWERS: Final[tuple[type[Struct], ...]] = (
    ClusterDescribed,
    EverywhereRan,
    KeysExplained,
    KeysLocated,
    KeysRebalanced,
    KeysReplicated,
    RequestRefused,
    ScatterAccepted,
    ScatterPlanned,
    TasksListed,
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
