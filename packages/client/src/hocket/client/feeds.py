"""Subscriptions of a client to the scheduler's feed: who hears of events, what is kept. Pure."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Final, Protocol

from hocket.protocol.messages import Events, GrantCredit, Subscribe
from hocket.protocol.messages.feed import Event

__all__ = ["EVENTS_MAX", "Feeds", "Followed", "Subscription"]

#: Events that one subscription keeps, unless somebody says otherwise.
EVENTS_MAX: Final = 1_000_000


class Followed(Protocol):
    """What follows a topic."""

    def stop(self) -> None:
        """Follow no more."""


class Subscription:
    """What one subscription has brought.

    Parameters
    ----------
    events_max
        So many events are kept; the oldest make room.
    on_events
        Gets the events in place of that, on the loop's thread; more come when it has granted more
        (`Feeds.grant`).

    Attributes
    ----------
    events
        What is kept.
    following
        The number of the first event that is not known here.
    dropped
        How many were lost, since they came faster than they were read.
    heard_count
        How many ever came to be kept.
    """

    def __init__(
        self,
        events_max: int = EVENTS_MAX,
        on_events: Callable[[Events], None] | None = None,
    ) -> None:
        self.number = 0
        self.events: deque[Event] = deque(maxlen=events_max)
        self.following = 0
        self.dropped = 0
        self.heard_count = 0
        self.on_events = on_events
        #: Called when `following` has risen.
        self.wake: Callable[[], None] | None = None


class Feeds:
    """The subscriptions of one client."""

    def __init__(self) -> None:
        self._open: dict[int, Subscription] = {}
        #: By topic: what follows it.
        self.topics: dict[str, list[Followed]] = {}
        #: Consumers of events, by name.
        self.consumers: dict[str, Followed] = {}

    def begin(self, number: int, subscription: Subscription, message: Subscribe) -> Subscribe:
        """Enter a subscription under the number of its question; return the question."""
        subscription.number = message.request = number
        self._open[number] = subscription
        return message

    def end(self, subscription: Subscription) -> bool:
        """Take note that nobody wants a subscription any more; return whether it was there."""
        return self._open.pop(subscription.number, None) is not None

    def heard(self, message: Events) -> GrantCredit | None:
        """Take events; return what is to be answered."""
        subscription = self._open.get(message.request)
        if subscription is None:
            return None
        subscription.dropped += message.dropped
        answer = None
        if subscription.on_events is not None:
            subscription.on_events(message)
        else:
            kept = subscription.events
            overflow = len(kept) + len(message.events) - (kept.maxlen or 0)
            subscription.dropped += max(overflow, 0)
            kept.extend(message.events)
            subscription.heard_count += len(message.events)
            if message.events:
                answer = GrantCredit(message.request, len(message.events))
        subscription.following = message.following
        if subscription.wake is not None:
            subscription.wake()
        return answer

    def close(self) -> None:
        """Wake all: there will be no more."""
        subscriptions = list(self._open.values())
        self._open = {}
        for subscription in subscriptions:
            if subscription.wake is not None:
                subscription.wake()
