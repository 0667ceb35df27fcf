"""Liveness: whether a peer still gives a sign of life, seen a few times a minute.

Not per message: what is received only sets a flag, which the next look takes down. So a silent peer
is noticed between ``silent_s`` and ``silent_s`` plus the time between two looks, and never early.
"""

from __future__ import annotations

__all__ = ["Liveness"]


class Liveness:
    """Notes signs of life of one peer.

    Parameters
    ----------
    silent_s
        Seconds without a sign after which the peer is taken for gone.
    now_s
        The present time, by any clock that does not run backwards; the peer lives now.
    """

    __slots__ = ("_heard_s", "_silent_s", "heard")

    def __init__(self, silent_s: float, now_s: float) -> None:
        self._silent_s = silent_s
        self._heard_s = now_s
        #: Set by whoever receives anything.
        self.heard = True

    def is_silent(self, now_s: float) -> bool:
        """Look; return whether the peer was silent for too long."""
        if self.heard:
            self.heard = False
            self._heard_s = now_s
        return now_s - self._heard_s >= self._silent_s
