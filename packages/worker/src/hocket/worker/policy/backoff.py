"""Which peers to leave alone for a while, because they are busy or do not answer.

The rest of a peer doubles from one time to the next, from `REST_S_MIN` to `REST_S_MAX`; an answer
ends the row. There is no chance in it: peers that are busy name others to ask, and that spreads
those who ask better than drawn times would.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

__all__ = ["FAILURES_MAX", "REST_S_MAX", "REST_S_MIN", "Backoff", "Peer"]

REST_S_MIN: Final = 0.01
REST_S_MAX: Final = 1.0

#: A peer that did not answer this many times in a row is not asked for what it was asked for.
FAILURES_MAX: Final = 3


class Peer:
    """A peer that did not give what it was asked for the last time.

    Attributes
    ----------
    failures_count
        How many times in a row it did not answer at all.
    rest_s
        How long its last rest is, or was.
    """

    __slots__ = ("failures_count", "rest_s")

    def __init__(self) -> None:
        self.failures_count = 0
        self.rest_s = 0.0


class Backoff:
    """The peers that are troubled, by address; all others are asked at once."""

    __slots__ = ("peers", "resting")

    def __init__(self) -> None:
        self.peers: dict[str, Peer] = {}
        #: Those of them that rest, and until when.
        self.resting: dict[str, float] = {}

    def busy(self, address: str, now_s: float) -> None:
        """Note that a peer asked to be left alone."""
        self._rest(address, now_s).failures_count = 0

    def failed(self, address: str, now_s: float) -> int:
        """Note that a peer did not answer; return how many times that was so in a row."""
        peer = self._rest(address, now_s)
        peer.failures_count += 1
        return peer.failures_count

    def _rest(self, address: str, now_s: float) -> Peer:
        peer = self.peers.setdefault(address, Peer())
        peer.rest_s = min(max(peer.rest_s * 2, REST_S_MIN), REST_S_MAX)
        self.resting[address] = now_s + peer.rest_s
        return peer

    def answered(self, address: str) -> None:
        """Note that a peer answered."""
        if self.peers.pop(address, None) is not None:
            self.resting.pop(address, None)

    @property
    def wake_s(self) -> float | None:
        """When the first rest is over; None if nobody rests."""
        return min(self.resting.values()) if self.resting else None

    def look(self, now_s: float) -> None:
        """End the rests that are over."""
        for address, until_s in list(self.resting.items()):
            # A clock that was set back does not make rests longer.
            if until_s <= now_s or until_s > now_s + REST_S_MAX:
                del self.resting[address]

    def forget(self, is_needed: Callable[[str], bool]) -> None:
        """Forget the peers that do not rest and from which nothing is wanted."""
        for address in list(self.peers):
            if address not in self.resting and not is_needed(address):
                del self.peers[address]
