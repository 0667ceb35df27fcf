"""Sends and does, on the event loop, what piles up in the machine.

At once where an event on the loop or an executor that goes idle asks for it; and every
`FLUSH_INTERVAL_S` while executors go from task to task, or have begun some of which the scheduler
was not told.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress

from hocket.transport import Channel, now
from hocket.worker.shell.desk import FLUSH_INTERVAL_S, Desk, Flush
from hocket.worker.tables import Command

__all__ = ["Flusher"]


class Flusher:
    """Empties the machine of a worker. Made on the loop that it belongs to.

    Parameters
    ----------
    obey
        Does what the machine commands.
    """

    def __init__(self, obey: Callable[[Command], None]) -> None:
        self._loop = asyncio.get_running_loop()
        self._obey = obey
        self._desk: Desk
        self._channel: Channel | None = None
        self._flush_timer: asyncio.TimerHandle | None = None
        self._tick_timer: asyncio.TimerHandle | None = None
        self._tick_s = 0.0
        #: Who waits for a connection, over which what was sent for them can go.
        self._interrupted: list[Callable[[], None]] = []

    def start(self, desk: Desk, channel: Channel) -> None:
        """Begin to send over this channel what piles up; before that nothing is done."""
        self._desk = desk
        self._channel = channel
        channel.on_resumed = self._on_resumed
        self.stir()

    def close(self, *, send_rest: bool) -> None:
        """Let no task begin any more, and do nothing any more.

        Parameters
        ----------
        send_rest
            Whether to send what there is: it may be all that somebody waits for.
        """
        channel, self._channel = self._channel, None
        for timer in (self._flush_timer, self._tick_timer):
            if timer is not None:
                timer.cancel()
        if channel is None:
            return
        with self._desk.lock:
            self._desk.close()
            messages = self._desk.machine.take_outbox() if send_rest else []
        channel.send(messages)
        self._tell(self._interrupted)

    def wake(self) -> None:
        """Flush soon. For any thread, with the lock held."""
        with suppress(RuntimeError):  # The loop is closed, so nobody waits for reports.
            self._loop.call_soon_threadsafe(self._flush)

    def stir(self) -> None:
        """Do what follows from an event on the loop."""
        if self._channel is None:
            return
        desk, machine = self._desk, self._desk.machine
        with desk.lock:
            desk.grant()
            desk.wake()
            is_quiet = not machine.pending and not machine.tables.discarded
            begins = desk.is_waking or machine.has_unannounced
            wake_s = machine.wake_s
        if begins and self._flush_timer is None:
            # What then still runs is told to the scheduler.
            self._flush_timer = self._loop.call_later(FLUSH_INTERVAL_S, self._flush)
        if not is_quiet:
            self._act(Flush.NONE)
        elif wake_s is not None:
            self._tick_at(wake_s)

    def _flush(self) -> None:
        """Do what executors have left to do, and look again soon if they are at work."""
        if self._flush_timer is not None:
            self._flush_timer.cancel()
            self._flush_timer = None
        if self._act(Flush.WAKE):
            self._flush_timer = self._loop.call_later(FLUSH_INTERVAL_S, self._flush)

    def _act(self, cause: Flush) -> bool:
        """Send and do all that has piled up.

        Parameters
        ----------
        cause
            NONE if this is no answer to what the executors asked for.

        Returns
        -------
        bool
            Whether the executors now count on a flush by the timer.
        """
        channel = self._channel
        if channel is None:
            return False
        desk, machine = self._desk, self._desk.machine
        again = False
        with desk.lock:
            messages = machine.take_outbox()
            commands = machine.take_commands()
            discarded = machine.take_discarded()
            unsent = desk.take_unsent()
            wake_s = machine.wake_s
            if cause is not Flush.NONE:
                # In one go with the taking: what is added from now on must be asked for anew.
                again = desk.is_waking or (bool(messages) and desk.is_busy)
                desk.flush = Flush.TIMER if again else Flush.NONE
        if messages:
            channel.send(messages)
        if unsent:
            self._tell_sent(channel, unsent)
        for command in commands:
            self._obey(command)
        if wake_s is not None:
            self._tick_at(wake_s)
        # The values go here, without the lock.
        del discarded
        return again

    # Those who wait until what they reported is sent.

    def _tell_sent(self, channel: Channel, unsent: list[Callable[[], None]]) -> None:
        if channel.connected:
            # In the next turn: uvloop hands over at the end of this one what was written in it.
            self._loop.call_soon(self._tell, unsent)
        else:
            self._interrupted.extend(unsent)

    def _on_resumed(self, channel: Channel) -> None:
        del channel
        self._tell(self._interrupted)

    def _tell(self, waiting: list[Callable[[], None]]) -> None:
        told, waiting[:] = waiting[:], []
        for each in told:
            each()

    # The machine's clock.

    def _tick_at(self, wake_s: float) -> None:
        """Have the machine look at the clock at this time."""
        if self._channel is None:
            return
        if self._tick_timer is not None:
            if self._tick_s == wake_s:
                return
            self._tick_timer.cancel()
        self._tick_s = wake_s
        self._tick_timer = self._loop.call_later(max(wake_s - now(), 0.0), self._tick)

    def _tick(self) -> None:
        self._tick_timer = None
        with self._desk.lock:
            self._desk.machine.tick(now())
        self.stir()
