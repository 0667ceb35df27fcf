"""A session with the scheduler, to ask it things without a whole client."""

from __future__ import annotations

import asyncio
from typing import Any, ClassVar

from msgspec import Struct

from hocket.core.errors import PeerLost
from hocket.core.settings import Settings
from hocket.protocol.roles import Role
from hocket.transport import Channel, connect

__all__ = ["SchedulerSession"]


class SchedulerSession:
    """A session with the scheduler.

    Parameters
    ----------
    address, secret, settings
        Of the cluster.

    Attributes
    ----------
    lost
        Why the session ended without being asked to; empty: it has not.
    """

    #: Who it says to be, and what the scheduler calls it.
    role: ClassVar[Role]
    name: ClassVar[str]
    #: The messages that answer questions.
    answers: ClassVar[tuple[type[Struct], ...]]

    def __init__(self, address: str, secret: str, settings: Settings) -> None:
        self._address = address
        self._secret = secret
        self._settings = settings
        self._channel: Channel | None = None
        self._requests_count = 0
        self._waiting: dict[int, asyncio.Future[Any]] = {}
        self.lost = ""

    async def open(self) -> None:
        """Open the session.

        Raises
        ------
        ConnectFailed, HandshakeRefused
            As for `hocket.transport.connect`.
        """
        self._channel = await connect(
            self._address,
            role=self.role,
            name=self.name,
            secret=self._secret,
            settings=self._settings,
            on_messages=self._on_messages,
            on_closed=self._on_closed,
        )

    async def close(self) -> None:
        """Close the session. May be called twice."""
        channel, self._channel = self._channel, None
        if channel is not None:
            channel.close("the cluster is closing")
            await channel.wait_closed()

    async def _ask(self, question: Any) -> Any:
        """Return the answer to what is made of the number of a request."""
        if self._channel is None or self.lost:
            raise PeerLost(address=self._address, reason=self.lost or "the cluster is closed")
        self._requests_count += 1
        number = self._requests_count
        waiter = self._waiting[number] = asyncio.get_running_loop().create_future()
        try:
            self._channel.send([question(number)])
            return await waiter
        finally:
            del self._waiting[number]

    def _on_messages(self, _channel: Channel, messages: list[Struct]) -> None:
        for message in messages:
            if isinstance(message, self.answers):
                waiter = self._waiting.get(message.request)  # type: ignore[attr-defined]
                if waiter is not None and not waiter.done():
                    waiter.set_result(message)

    def _on_closed(self, _channel: Channel, reason: str, _clean: bool) -> None:  # noqa: FBT001
        self.lost = reason
        for waiter in self._waiting.values():
            if not waiter.done():
                waiter.set_exception(PeerLost(address=self._address, reason=reason))
