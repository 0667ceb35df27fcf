"""Following the scheduler's feed from a client: from a beginning to an end, or as it goes."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

from hocket.client.feeds import EVENTS_MAX, Subscription
from hocket.client.shell.ways import Signal
from hocket.core.errors import PeerLost
from hocket.protocol.messages import Events, GrantCredit, Snapshot, Subscribe, Unsubscribe
from hocket.protocol.messages.feed import Event
from hocket.protocol.messages.observing import CREDIT_MAX

if TYPE_CHECKING:
    from hocket.client.shell.session import ClientSession

__all__ = ["Following"]

#: How long the last events may take to come.
_LAST_S: Final = 5.0
#: How long the last samples may, which workers make twice a second.
_LAST_SAMPLES_S: Final = 2.0


class Following:
    """One subscription of a client; `begin`, `catch_up` and `end` wait in the client's way.

    Parameters
    ----------
    session
        The client's.
    kinds, topics
        As in `Subscribe`.
    position
        The number of the first event wanted; -1: what happens from now on, 0: all that is kept.
    events_max
        So many events are kept; the oldest make room.
    on_events
        Gets events instead; see `hocket.client.feeds.Subscription`.
    interval_s
        Events are held back for so long, so that many go together.
    """

    def __init__(
        self,
        session: ClientSession,
        kinds: int,
        *,
        topics: list[str] | None = None,
        position: int = -1,
        events_max: int = EVENTS_MAX,
        on_events: Callable[[Events], None] | None = None,
        interval_s: float = 0.05,
    ) -> None:
        self._session = session
        self._message = Subscribe(
            0, int(kinds), position, CREDIT_MAX // 2, interval_s, topics or []
        )
        self._subscription = Subscription(events_max, on_events)
        self.snapshot: Snapshot | None = None

    @property
    def events(self) -> deque[Event]:
        """What has come and is kept."""
        return self._subscription.events

    @property
    def dropped(self) -> int:
        """How many were lost, since they came faster than they were read."""
        return self._subscription.dropped

    def watch(self, look: Callable[[], None]) -> None:
        """Have a function called, in the loop's thread, when events came, and when it is over."""
        self._subscription.wake = look

    def begin(self) -> Any:
        """Begin to follow; wait until the scheduler has taken note."""
        return self._session.run(self.beginning())

    async def beginning(self) -> None:
        """Begin to follow: see `begin`."""
        session = self._session
        feeds = session.machine.feeds
        try:
            self.snapshot = await session.ask(
                Snapshot,
                lambda number: feeds.begin(number, self._subscription, self._message),
            )
        except BaseException:
            feeds.end(self._subscription)
            raise
        with session.lock:
            # (Events may have come by now.)
            following = max(self._subscription.following, self.snapshot.position)
            self._subscription.following = following

    def end(self) -> Any:
        """Wait for the events up to now, and follow no more."""
        return self._session.run(self.ending())

    async def ending(self) -> None:
        """Wait for the events up to now, and follow no more: see `end`."""
        try:
            # (What has come is there, even if no more can.)
            with suppress(PeerLost):
                await self.catching_up()
        finally:
            self.stop()

    async def catching_up(self) -> None:
        """Wait for the events up to now, but for no longer than a few seconds."""
        session = self._session
        # (What a worker reports of a task comes along with its end, so it is there by now.)
        probe = Following(session, 0)
        await probe.beginning()
        probe.stop()
        assert probe.snapshot is not None
        goal = probe.snapshot.following
        signal = Signal()
        with session.lock:
            self._subscription.wake = lambda: self._wake_at(goal, signal)
            done = self._subscription.following >= goal or session.machine.closed is not None
        if not done:
            await signal.wait(_LAST_S)

    def _wake_at(self, goal: int, signal: Signal) -> None:
        if self._subscription.following >= goal or self._session.machine.closed is not None:
            signal.wake()

    def last_samples(self, kind: type) -> Any:
        """Wait until each worker has told once more of this kind; not for long."""
        return self._session.run(self.sampling_last(kind))

    async def sampling_last(self, kind: type) -> None:
        """Wait until each worker has told once more of this kind: see `last_samples`."""
        assert self.snapshot is not None
        missing = {worker.worker for worker in self.snapshot.workers}
        signal = Signal()
        position = self._subscription.heard_count

        def look() -> None:
            new = self._subscription.heard_count - position
            for event in list(self.events)[-new:] if new else ():
                if type(event) is kind:
                    missing.discard(event.worker)  # type: ignore[union-attr]
            if not missing or self._session.machine.closed is not None:
                signal.wake()

        with self._session.lock:
            self._subscription.wake = look
        if missing:
            await signal.wait(_LAST_SAMPLES_S)

    def stop(self) -> None:
        """Follow no more, at once. May be called twice, and by any thread."""
        session = self._session
        with session.lock:
            machine = session.begin()
            was_open = machine.feeds.end(self._subscription)
            if was_open and machine.closed is None:
                machine.post(Unsubscribe(self._subscription.number))
        if was_open:
            session.send()

    def grant(self, count: int) -> None:
        """Let as many more events come. By any thread."""
        session = self._session
        with session.lock:
            machine = session.begin()
            if machine.closed is None:
                machine.post(GrantCredit(self._subscription.number, count))
        session.send()
