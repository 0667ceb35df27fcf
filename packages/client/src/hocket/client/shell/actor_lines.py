"""Lines to the workers that keep actors: one session for each, opened when it is first needed."""

from __future__ import annotations

import asyncio
import weakref
from typing import Any, Final

from msgspec import Struct

from hocket.core.errors import HocketError
from hocket.core.settings import Settings
from hocket.protocol.messages import CallerToWorker
from hocket.protocol.roles import Role
from hocket.transport.channel import Channel
from hocket.transport.connector import connect

__all__ = ["ActorLines"]

#: If a worker is gone, its scheduler says so, most of the time sooner than this.
_NEWS_S: Final = 2.0


class ActorLines:
    """All of them, for one session. Belongs to the event loop's thread.

    Parameters
    ----------
    name, secret, settings
        Of the client, of the cluster, and all settings.
    """

    def __init__(self, name: str, secret: str, settings: Settings) -> None:
        self._name = name
        self._secret = secret
        self._settings = settings
        self._lines: dict[str, _Line] = {}
        #: The session, which is not to be kept; it has ``calls_ended`` and ``line_lost``.
        self.session: weakref.ref[Any] | None = None

    def send(self, address: str, messages: list[CallerToWorker]) -> None:
        """Send calls to a worker, after those that were sent before."""
        line = self._lines.get(address)
        if line is None:
            line = self._lines[address] = _Line(self, address)
        line.send(messages)

    def close(self) -> None:
        """Say goodbye to all workers."""
        lines, self._lines = self._lines, {}
        for line in lines.values():
            line.close()

    async def connect(self, line: _Line) -> Channel:
        """Open a session.

        Raises
        ------
        ConnectFailed, HandshakeRefused
            As for `hocket.transport.connect`.
        """
        return await connect(
            line.address,
            role=Role.CLIENT,
            name=self._name,
            secret=self._secret,
            settings=self._settings,
            on_messages=self._on_messages,
            on_closed=line.on_closed,
            peer_role=Role.WORKER,
        )

    def _on_messages(self, _channel: Channel, messages: list[Struct]) -> None:
        session = None if self.session is None else self.session()
        if session is not None:
            session.calls_ended(messages)

    def lost(self, line: _Line, reason: str) -> None:
        """Take note that a line is no more, and what went by it has no answer."""
        if self._lines.get(line.address) is line:
            del self._lines[line.address]
            asyncio.get_running_loop().call_later(_NEWS_S, self._tell, line.address, reason)

    def _tell(self, address: str, reason: str) -> None:
        session = None if self.session is None else self.session()
        # (If there is another line, what went by the first is as lost.)
        if session is not None:
            session.line_lost(address, reason)


class _Line:
    """The session with one worker."""

    def __init__(self, lines: ActorLines, address: str) -> None:
        self.address = address
        self._lines = lines
        self._channel: Channel | None = None
        self._waiting: list[CallerToWorker] = []
        self._is_closed = False
        self._opening = asyncio.get_running_loop().create_task(self._open())

    def send(self, messages: list[CallerToWorker]) -> None:
        if self._channel is None:
            self._waiting += messages
            return
        try:
            for message in messages:
                self._channel.send([message])
        except HocketError as error:
            self._channel.close("a call cannot be sent")
            self._lines.lost(self, str(error))

    def close(self) -> None:
        self._is_closed = True
        if self._channel is not None:
            self._channel.close("the client was closed")
        else:
            self._opening.cancel()

    async def _open(self) -> None:
        try:
            channel = await self._lines.connect(self)
        except (HocketError, OSError) as error:
            self._lines.lost(self, str(error))
            return
        if self._is_closed:
            channel.close("the client was closed")
            return
        self._channel = channel
        waiting, self._waiting = self._waiting, []
        self.send(waiting)

    def on_closed(self, _channel: Channel, reason: str, _clean: bool) -> None:  # noqa: FBT001
        self._lines.lost(self, reason)
