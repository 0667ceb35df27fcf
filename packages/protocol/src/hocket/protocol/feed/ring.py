"""The ring: the last events, each under a number that only rises."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from hocket.protocol.messages.feed import Event, LineLogged, ProfileSampled, UserEvent

__all__ = ["EVENTS_MAX", "HEAVY_NBYTES_MAX", "Ring"]

#: Events that are kept.
EVENTS_MAX: Final = 100_000
#: What users' payloads, lines and profiles among them may take together.
HEAVY_NBYTES_MAX: Final = 64 << 20


def _heavy_nbytes(event: Event) -> int:
    """Return what an event takes beside its record, where that may be much."""
    if isinstance(event, UserEvent):
        return len(event.payload)
    if isinstance(event, LineLogged):
        return len(event.text)
    if isinstance(event, ProfileSampled):
        return sum(len(frame) + 16 for frame in event.frames)
    return 0


class Ring:
    """The last events in order; the oldest make room.

    Parameters
    ----------
    events_max
        So many are kept.
    heavy_nbytes_max
        So many bytes of payloads, lines and profiles are kept; the last event always is.
    """

    __slots__ = ("_events", "_events_max", "_heavy", "_heavy_nbytes", "_heavy_nbytes_max", "_start")

    def __init__(
        self, events_max: int = EVENTS_MAX, heavy_nbytes_max: int = HEAVY_NBYTES_MAX
    ) -> None:
        self._events_max = events_max
        self._heavy_nbytes_max = heavy_nbytes_max
        #: A list that is cut from time to time, so that a range of it is one slice.
        self._events: list[Event] = []
        #: The number of the first event in the list. (Numbers begin at 0.)
        self._start = 0
        #: Numbers and sizes of the heavy ones in the list.
        self._heavy: dict[int, int] = {}
        self._heavy_nbytes = 0

    @property
    def following(self) -> int:
        """The number of the next event."""
        return self._start + len(self._events)

    @property
    def first(self) -> int:
        """The number of the oldest event that is kept."""
        return max(self._start, self.following - self._events_max)

    def __len__(self) -> int:
        return self.following - self.first

    def add(self, event: Event) -> None:
        """Append an event."""
        events = self._events
        if type(event) in _HEAVY:
            self._weigh(event)
        events.append(event)
        # (Half of the list may be stale, so that cutting it costs next to nothing for each event.)
        if len(events) > 2 * self._events_max:
            self._cut(len(events) - self._events_max)

    def extend(self, events: Iterable[Event]) -> None:
        """Append events."""
        for event in events:
            self.add(event)

    def look(self, position: int, count_max: int) -> list[Event]:
        """Return the events from this number on, at most so many; it must not be before `first`."""
        begin = max(position - self._start, 0)
        return self._events[begin : begin + count_max]

    def _weigh(self, event: Event) -> None:
        nbytes = _heavy_nbytes(event)
        self._heavy[self.following] = nbytes
        self._heavy_nbytes += nbytes
        if self._heavy_nbytes > self._heavy_nbytes_max:
            # Until half of the room is free, so that this is seldom.
            excess_nbytes = self._heavy_nbytes - self._heavy_nbytes_max // 2
            last = -1
            for number, size in self._heavy.items():
                if excess_nbytes <= 0:
                    break
                excess_nbytes -= size
                last = number
            self._cut(min(last + 1, self.following) - self._start)

    def _cut(self, count: int) -> None:
        if count <= 0:
            return
        del self._events[:count]
        self._start += count
        heavy = self._heavy
        while heavy:
            number = next(iter(heavy))
            if number >= self._start:
                break
            self._heavy_nbytes -= heavy.pop(number)


_HEAVY: Final = frozenset({UserEvent, LineLogged, ProfileSampled})
