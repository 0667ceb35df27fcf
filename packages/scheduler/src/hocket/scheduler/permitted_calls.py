"""Calls of functions in the scheduler's process, as clients ask for them and its settings permit.

Only names travel, and plain data: what is called is what the settings name, imported by the shell.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from hocket.protocol.messages import RequestRefused, SchedulerCalled

if TYPE_CHECKING:
    from hocket.protocol.messages import CallScheduler
    from hocket.scheduler.state import Client
    from hocket.scheduler.tables import Tables

__all__ = ["PermittedCall", "PermittedCalls"]


class PermittedCall(NamedTuple):
    """A call that the shell is to make.

    Attributes
    ----------
    number
        Under which it says what came of it.
    function
        ``package.module:name``.
    arguments
        Plain data: a list of arguments, and a dict of those by name.
    """

    number: int
    function: str
    arguments: bytes


class PermittedCalls:
    """The calls that have not come back yet."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables
        self._count = 0
        #: For whom, and which of its requests.
        self._open: dict[int, tuple[Client, int]] = {}
        self._due: list[PermittedCall] = []

    def ask(self, client: Client, message: CallScheduler) -> None:
        """Have a function called, if it is one of those that may be."""
        limits = self._tables.limits
        permitted = limits.permitted_functions
        if message.name not in permitted:
            named = ", ".join(sorted(permitted)) or "none"
            reason = (
                f"scheduler.permitted_functions names {named}; whoever starts the scheduler decides"
            )
            client.outbox.add(RequestRefused(message.request, reason))
            return
        if sum(one is client for one, _ in self._open.values()) >= limits.waits_max:
            reason = f"{limits.waits_max} calls of this client are not back yet"
            client.outbox.add(RequestRefused(message.request, reason))
            return
        self._count += 1
        self._open[self._count] = (client, message.request)
        self._due.append(PermittedCall(self._count, message.name, message.arguments))

    def take(self) -> list[PermittedCall]:
        """Return the calls that are to be made now."""
        due, self._due = self._due, []
        return due

    def returned(self, number: int, value: bytes | None, error: str) -> None:
        """Take note of what came of a call: plain data, or an error in words."""
        asked = self._open.pop(number, None)
        if asked is not None:
            client, request = asked
            client.outbox.add(SchedulerCalled(request, value, error))

    def client_lost(self, client: Client) -> None:
        """Forget who asked; what runs comes to its end for nobody."""
        self._open = {number: asked for number, asked in self._open.items() if asked[0] != client}
        self._due = [call for call in self._due if call.number in self._open]
