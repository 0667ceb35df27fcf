"""Which slice of a stream is to be asked for next, and when: pure.

One slice is asked for at a time, since nobody knows before how many items it has. The next follows
as soon as there is room: no more than so many items, or so many bytes, wait to be taken.

States::

    open --> asked --> open      a slice is asked for, and there
             asked --> over      it is the last, or there will be none: it failed, or was cancelled
    open, asked    --> over      the stream is closed
"""

from __future__ import annotations

from typing import Final, NamedTuple

from hocket.client.mapping import Sizes
from hocket.core.errors import SettingsError
from hocket.transport.live_generators import SliceNews

__all__ = ["AHEAD_MAX", "SliceAsked", "StreamFlow", "check_ahead"]

#: Items that may wait to be taken, at the most.
AHEAD_MAX: Final = 10_000
#: What waits to be taken may be so large together. (The one that makes it larger may come.)
_AHEAD_NBYTES: Final = 64 << 20
#: A slice ends with the item that makes it as large as this, as it goes from hand to hand whole.
_SLICE_NBYTES: Final = 8 << 20


class SliceAsked(NamedTuple):
    """What is asked for; see `LiveGenerator.take`."""

    start: int
    items_count: int
    nbytes_max: int
    expected: str


class StreamFlow:
    """How far a stream is made, and taken.

    Parameters
    ----------
    ahead
        Items that may be made and not taken; None: as many as are small together.
    """

    __slots__ = (
        "_ahead",
        "_asked",
        "_expected",
        "_is_over",
        "_nbytes",
        "_sizes",
        "_start",
        "_waiting",
        "_waiting_nbytes",
    )

    def __init__(self, ahead: int | None = None) -> None:
        self._ahead = AHEAD_MAX if ahead is None else ahead
        self._sizes = Sizes(1, None, None)
        #: Of the next slice.
        self._start = 0
        self._expected = ""
        self._asked: SliceAsked | None = None
        self._is_over = False
        #: Made and not taken: how many, and how large.
        self._waiting = 0
        self._waiting_nbytes = 0
        #: Of an item, by the last slice.
        self._nbytes = 1

    @property
    def is_over(self) -> bool:
        """Whether nothing more is to be asked for."""
        return self._is_over

    @property
    def has_room(self) -> bool:
        """Whether so much was taken that the next slice may be asked for."""
        # Half of what may wait: if it were for each item, slices would be as small.
        return not self._waiting or (
            2 * self._waiting <= self._ahead and 2 * self._waiting_nbytes <= _AHEAD_NBYTES
        )

    def ask(self) -> SliceAsked | None:
        """Return what to ask for now; None: nothing."""
        if self._is_over or self._asked is not None or not self.has_room:
            return None
        nbytes_max = min(_SLICE_NBYTES, _AHEAD_NBYTES - self._waiting_nbytes)
        room = self._ahead - self._waiting
        # (If it is made again somewhere, it may become as long as it was asked for.)
        count = max(1, min(room, self._sizes.take(), nbytes_max // self._nbytes))
        self._asked = SliceAsked(self._start, count, nbytes_max, self._expected)
        return self._asked

    def made(self, news: SliceNews) -> None:
        """Take note of the slice that was asked for."""
        assert self._asked is not None
        self._asked = None
        count = news.items_count
        self._start += count
        self._expected = news.generator
        self._waiting += count
        self._waiting_nbytes += news.nbytes
        if count:
            self._nbytes = max(1, news.nbytes // count)
            self._sizes.measure(count, news.duration_s)
        # One without items would be asked for for ever.
        self._is_over = self._is_over or news.is_last or not count

    def taken(self, items_count: int, nbytes: int) -> None:
        """Take note that somebody took items."""
        self._waiting -= items_count
        self._waiting_nbytes -= nbytes

    def end(self) -> None:
        """Take note that there will be no more, or that nobody wants them."""
        self._asked = None
        self._is_over = True


def check_ahead(ahead: object) -> int | None:
    """Return how many items may be made and not taken.

    Raises
    ------
    SettingsError
        It is no number of items.
    """
    if ahead is None:
        return None
    if isinstance(ahead, bool) or not isinstance(ahead, int) or not 0 < ahead <= AHEAD_MAX:
        raise SettingsError(
            name="ahead",
            value=ahead,
            allowed=f"a number of items from 1 to {AHEAD_MAX}, or None",
            source="the call",
        )
    return ahead
