"""Who reads a ring from elsewhere: by credit, in batches, at intervals.

A subscription is named by its peer and the number that the peer gave it. It gets what its credit
allows; a peer that grants none falls behind in the ring, and nothing piles up for it.
"""

from __future__ import annotations

from typing import Final

from hocket.protocol.feed.cursor import Cursor
from hocket.protocol.feed.ring import Ring
from hocket.protocol.messages.observing import CREDIT_MAX, Events, GrantCredit, Subscribe

__all__ = ["BATCH_MAX", "SUBSCRIPTIONS_MAX", "Subscriptions"]

#: Events in one message.
BATCH_MAX: Final = 5000
#: Subscriptions of one peer.
SUBSCRIPTIONS_MAX: Final = 100
#: No subscription is served more often, nor more seldom.
_INTERVAL_S_MIN: Final = 0.01
_INTERVAL_S_MAX: Final = 60.0


class _Subscription:
    __slots__ = ("credit", "cursor", "due_s", "interval_s")

    def __init__(self, cursor: Cursor, credit: int, interval_s: float) -> None:
        self.cursor = cursor
        self.credit = credit
        self.interval_s = min(max(interval_s, _INTERVAL_S_MIN), _INTERVAL_S_MAX)
        self.due_s = 0.0


class Subscriptions:
    """The subscriptions of all peers.

    Parameters
    ----------
    ring
        What they read.
    """

    def __init__(self, ring: Ring) -> None:
        self._ring = ring
        self._of_peers: dict[int, dict[int, _Subscription]] = {}
        #: The kinds of events that somebody wants.
        self.kinds = 0

    @property
    def count(self) -> int:
        """How many there are."""
        return sum(map(len, self._of_peers.values()))

    def add(self, peer: int, message: Subscribe) -> Cursor | None:
        """Begin a subscription; return its place in the ring, None if the peer has too many."""
        own = self._of_peers.setdefault(peer, {})
        if message.request in own or len(own) >= SUBSCRIPTIONS_MAX:
            return None
        cursor = Cursor(
            self._ring,
            message.kinds,
            position=message.position,
            topics=message.topics,
            request=message.request,
        )
        own[message.request] = _Subscription(cursor, message.credit, message.interval_s)
        self._count_kinds()
        return cursor

    def grant(self, peer: int, message: GrantCredit) -> None:
        """Let more events go to a subscription."""
        one = self._of_peers.get(peer, {}).get(message.request)
        if one is not None:
            one.credit = min(one.credit + message.count, CREDIT_MAX)

    def drop(self, peer: int, request: int) -> None:
        """End a subscription."""
        own = self._of_peers.get(peer)
        if own is not None and own.pop(request, None) is not None:
            self._count_kinds()

    def peer_lost(self, peer: int) -> None:
        """End all subscriptions of a peer."""
        if self._of_peers.pop(peer, None):
            self._count_kinds()

    def due(self, now_s: float) -> tuple[list[tuple[int, Events]], float | None]:
        """Return what is to be sent now, by peer, and when to ask again (None: at new events)."""
        ready: list[tuple[int, Events]] = []
        wake_s: float | None = None
        for peer, own in self._of_peers.items():
            for one in own.values():
                if not one.cursor.is_behind or not one.credit:
                    continue
                if one.due_s <= now_s:
                    events = one.cursor.take(min(one.credit, BATCH_MAX))
                    # (Without events it still tells how far its reader has come.)
                    one.credit -= len(events.events)
                    one.due_s = now_s + one.interval_s
                    ready.append((peer, events))
                    # (What is left had no room in the batch: it goes at once.)
                    if one.cursor.is_behind and one.credit:
                        one.due_s = now_s
                if one.cursor.is_behind and one.credit:
                    wake_s = one.due_s if wake_s is None else min(wake_s, one.due_s)
        return ready, wake_s

    def _count_kinds(self) -> None:
        kinds = 0
        for own in self._of_peers.values():
            for one in own.values():
                kinds |= one.cursor.kinds
        self.kinds = kinds
