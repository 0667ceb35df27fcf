"""A session's part that lives in the event loop: its channel, and its connections for data."""

from __future__ import annotations

import contextlib
import weakref
from typing import Any

from msgspec import Struct

from hocket.client.shell.actor_lines import ActorLines
from hocket.core.errors import LocalProtocolError
from hocket.core.settings import Settings
from hocket.protocol.roles import Role
from hocket.transport.channel import Channel
from hocket.transport.connector import connect
from hocket.transport.data_pool import DataPool
from hocket.transport.loop import LoopThread

__all__ = ["Connection", "leave_soon"]


class Connection:
    """What a session has in the event loop; outlives it for a moment.

    Parameters
    ----------
    address, name, secret, settings
        Of the scheduler, of the client, of the cluster, and all settings.
    """

    def __init__(self, address: str, name: str, secret: str, settings: Settings) -> None:
        self.channel: Channel | None = None
        self.pool = DataPool(secret, settings)
        self.lines = ActorLines(name, secret, settings)
        self._address = address
        self._name = name
        self._secret = secret
        self._settings = settings

    async def open(self, session: weakref.ref[Any], timeout_s: float) -> str:
        """Connect a session to its scheduler; return the id of the cluster.

        Parameters
        ----------
        session
            Is given what comes, by its methods ``receive`` and ``lose``.
        timeout_s
            Seconds to try.
        """
        self.lines.session = session

        # The channel must not keep the session: it ends with its last user.
        def on_messages(_channel: Channel, messages: list[Struct]) -> None:
            receiver = session()
            if receiver is not None:
                receiver.receive(messages)

        def on_closed(_channel: Channel, reason: str, clean: bool) -> None:  # noqa: FBT001
            receiver = session()
            if receiver is not None:
                receiver.lose(reason, clean=clean)

        self.channel = await connect(
            self._address,
            role=Role.CLIENT,
            name=self._name,
            secret=self._secret,
            settings=self._settings,
            on_messages=on_messages,
            on_closed=on_closed,
            connect_timeout_s=timeout_s,
        )
        return self.channel.peer.cluster_id

    def leave(self) -> None:
        """Say goodbye; on the loop's thread."""
        if self.channel is not None:
            self.channel.close("the client was closed")
        self.lines.close()
        self.pool.close()

    async def leave_and_wait(self) -> None:
        """Say goodbye, and wait until it is said."""
        self.leave()
        if self.channel is not None:
            await self.channel.wait_closed()


def leave_soon(loop: LoopThread, connection: Connection) -> None:
    """Take note that the last user of a session is gone, in whatever thread that was."""
    with contextlib.suppress(LocalProtocolError):
        loop.call(connection.leave)
