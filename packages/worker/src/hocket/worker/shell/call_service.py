"""Where calls of actors come in and their answers go out: sessions with those who make them."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final

from hocket.core.errors import HocketError
from hocket.core.settings import Settings
from hocket.protocol.roles import Role
from hocket.transport import Channel
from hocket.transport.listener import Listener, listen
from hocket.worker.machine import WorkerMachine
from hocket.worker.shell.desk import FLUSH_INTERVAL_S

__all__ = ["CallService"]

_logger: Final = logging.getLogger("hocket.worker")


class CallService:
    """The sessions of one worker with its actors' callers. Made on the loop that it belongs to.

    Parameters
    ----------
    lock
        Guards the machine.
    stir
        Does what follows from an event on the loop; called without the lock.
    """

    def __init__(self, lock: threading.Lock, stir: Callable[[], None]) -> None:
        self._lock = lock
        self._stir = stir
        self._loop = asyncio.get_running_loop()
        self._machine: WorkerMachine | None = None
        self._listener: Listener | None = None
        self._channels: dict[int, Channel] = {}
        self._ids: dict[Channel, int] = {}
        self._count = 0
        #: Whether the loop will send the answers that there are: at once, or at all. Guarded by
        #: the lock.
        self._is_called = False
        self._is_expected = False

    async def start(self, address: str, name: str, secret: str, settings: Settings) -> str:
        """Begin to take calls; return the actual address. They are kept back until `attach`.

        Raises
        ------
        SettingsError
            Others could come in without a secret.
        OSError
            The address cannot be had.
        """
        self._listener = await listen(
            address,
            role=Role.WORKER,
            name=name,
            secret=secret,
            settings=settings,
            on_channel=self._on_channel,
        )
        return self._listener.address

    def attach(self, machine: WorkerMachine) -> None:
        """Take calls of the actors of this machine."""
        self._machine = machine

    async def close(self) -> None:
        """Let all callers go."""
        if self._listener is not None:
            await self._listener.close("the worker was closed")

    def expect(self, more_to_come: bool) -> None:  # noqa: FBT001 - it is all there is to say
        """Have answers sent: at once, or soon if more are to come. With the lock, in any thread."""
        if self._is_called or (more_to_come and self._is_expected):
            return
        if more_to_come:
            self._is_expected = True
        else:
            self._is_called = True
        with suppress(RuntimeError):  # The loop is closed, so nobody waits.
            self._loop.call_soon_threadsafe(self._later if more_to_come else self._flush)

    def _later(self) -> None:
        self._loop.call_later(FLUSH_INTERVAL_S, self._flush)

    def _flush(self) -> None:
        if self._machine is None:
            return
        with self._lock:
            self._is_called = self._is_expected = False
            replies = self._machine.tables.actors.take_replies()
        for id_, messages in replies:
            channel = self._channels.get(id_)
            if channel is None:
                continue
            try:
                for message in messages:
                    channel.send([message])
            except HocketError as error:
                # Its caller would wait for ever.
                _logger.error("closing the session of %s: %s", channel.peer.name, error)  # noqa: TRY400
                channel.close(f"an answer cannot be sent: {error}")
                self._on_closed(channel, str(error), False)  # noqa: FBT003

    def _on_channel(self, channel: Channel) -> None:
        self._count += 1
        self._channels[self._count] = channel
        self._ids[channel] = self._count
        channel.on_messages = self._on_messages
        channel.on_closed = self._on_closed

    def _on_messages(self, channel: Channel, messages: list[Any]) -> None:
        id_ = self._ids.get(channel)
        if id_ is None or self._machine is None:
            return
        actors = self._machine.tables.actors
        with self._lock:
            for message in messages:
                actors.receive(id_, message)
            is_refused = actors.has_replies
        self._stir()
        if is_refused:
            self._flush()

    def _on_closed(self, channel: Channel, reason: str, clean: bool) -> None:  # noqa: FBT001
        del reason, clean
        id_ = self._ids.pop(channel, None)
        if id_ is None:
            return
        del self._channels[id_]
        if self._machine is not None:
            with self._lock:
                self._machine.tables.actors.lost(id_)
