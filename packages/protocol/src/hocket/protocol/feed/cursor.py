"""A reader's place in a ring."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Final

from hocket.protocol.feed.ring import Ring
from hocket.protocol.messages.feed import KIND_OF, Event, EventKinds, UserEvent
from hocket.protocol.messages.observing import Events

__all__ = ["Cursor"]

#: So many events are looked at before it is asked again whether there are enough.
_STRETCH: Final = 5000


class Cursor:
    """Reads a ring from some number on; what it is too slow for is lost to it, and counted.

    Parameters
    ----------
    ring
        What to read.
    kinds
        A sum of `EventKinds`: the events wanted.
    position
        The number of the first event wanted; -1: the next that happens.
    topics
        Of `UserEvent`, only those of these topics; empty: all.
    request
        Stands in what is read.
    """

    __slots__ = (
        "_is_all",
        "_ring",
        "_topics",
        "_types",
        "kinds",
        "on_close",
        "position",
        "request",
    )

    def __init__(
        self,
        ring: Ring,
        kinds: int = EventKinds.USUAL,
        *,
        position: int = -1,
        topics: Collection[str] = (),
        request: int = 0,
    ) -> None:
        self._ring = ring
        self._topics = frozenset(topics)
        # (What flags do is done in Python, and slow.)
        self.kinds = int(kinds)
        self.request = request
        self.position = ring.following if position < 0 else min(position, ring.following)
        self._types = frozenset(cls for cls, kind in KIND_OF.items() if kind & kinds)
        self._is_all = len(self._types) == len(KIND_OF) and not self._topics
        #: Called once, by `close`.
        self.on_close: Callable[[], None] | None = None

    @property
    def is_behind(self) -> bool:
        """Whether there are events that it has not looked at."""
        return self.position < self._ring.following

    def take(self, count_max: int = 10_000) -> Events:
        """Return the wanted events that come next, at most so many."""
        ring = self._ring
        dropped = max(0, ring.first - self.position)
        first = position = self.position + dropped
        taken: list[Event] = []
        while position < ring.following and len(taken) < count_max:
            # (Where few events are wanted, many are looked at for each.)
            stretch = ring.look(position, max(count_max - len(taken), _STRETCH))
            wanted = stretch if self._is_all else [one for one in stretch if self._wants(one)]
            excess = len(taken) + len(wanted) - count_max
            if excess > 0:
                wanted, stretch = self._cut(stretch, count_max - len(taken))
            taken.extend(wanted)
            position += len(stretch)
        self.position = position
        return Events(self.request, first, position, dropped, taken)

    def close(self) -> None:
        """Read no more. May be called twice."""
        on_close, self.on_close = self.on_close, None
        if on_close is not None:
            on_close()

    def _cut(self, stretch: list[Event], count: int) -> tuple[list[Event], list[Event]]:
        """Return the first so many wanted events of a stretch, and the stretch up to them."""
        wanted: list[Event] = []
        for index, event in enumerate(stretch):
            if self._wants(event):
                if len(wanted) == count:
                    return wanted, stretch[:index]
                wanted.append(event)
        return wanted, stretch

    def _wants(self, event: Event) -> bool:
        if type(event) not in self._types:
            return False
        return not (self._topics and type(event) is UserEvent and event.topic not in self._topics)
