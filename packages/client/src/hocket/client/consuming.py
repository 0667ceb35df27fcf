"""Consumers of the scheduler's events that a client registers: they run in its own process."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from hocket.client.following import Following
from hocket.client.shell.callbacks import call_soon
from hocket.protocol.feed import EventConsumer
from hocket.protocol.messages import Events, Snapshot

if TYPE_CHECKING:
    from hocket.client.shell.session import ClientSession

__all__ = ["Consumption"]

_logger: Final = logging.getLogger("hocket.client")


class Consumption:
    """A consumer at work, in this process's thread for callbacks.

    One that raises is logged, and hears of nothing any more.

    Parameters
    ----------
    session
        Of the client; the consumer ends with it.
    consumer
        The user's.
    """

    def __init__(self, session: ClientSession, consumer: EventConsumer) -> None:
        self._session = session
        self._consumer = consumer
        self._ended = False
        #: What came before it has begun; None: it has. Guarded by the session's lock.
        self._early: list[Events] | None = []
        self._following = Following(session, consumer.kinds, on_events=self._hear)

    async def beginning(self) -> None:
        """Begin, with what there is now."""
        self._following.watch(self._look)
        await self._following.beginning()
        assert self._following.snapshot is not None
        with self._session.lock:
            early, self._early = self._early or [], None
            call_soon(self._begin, self._following.snapshot)
            for events in early:
                call_soon(self._deliver, events)

    def stop(self, reason: str = "it was unregistered") -> None:
        """Hear of nothing any more. May be called twice, and by any thread."""
        self._following.stop()
        call_soon(self._end, reason)

    # In the loop's thread, with the session's lock held.

    def _hear(self, events: Events) -> None:
        if self._early is not None:
            self._early.append(events)
        else:
            call_soon(self._deliver, events)

    def _look(self) -> None:
        closed = self._session.machine.closed
        if closed is not None:
            call_soon(self._end, str(closed))

    # In the thread for callbacks.

    def _begin(self, snapshot: Snapshot) -> None:
        self._call(lambda: self._consumer.begin(snapshot))

    def _deliver(self, events: Events) -> None:
        if events.events or events.dropped:
            self._call(lambda: self._consumer.consume(events.events, events.dropped))
        if events.events and not self._ended:
            self._following.grant(len(events.events))

    def _end(self, reason: str) -> None:
        if not self._ended:
            self._call(lambda: self._consumer.end(reason))
            self._ended = True

    def _call(self, step: Callable[[], None]) -> None:
        if self._ended:
            return
        try:
            step()
        except Exception:
            self._ended = True
            self._following.stop()
            name = type(self._consumer).__name__
            _logger.exception("the event consumer %s raised; it hears of nothing any more", name)
