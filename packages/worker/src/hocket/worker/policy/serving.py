"""How much a worker gives out at once, and who has got what from it lately.

Many may want one large value at the same moment. Were all served at once, each would get it late,
and all at the same time; served a few at a time, the first can pass it on to the others.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Iterable, Sequence
from typing import Final

from hocket.worker.state import Datum

__all__ = ["LARGE_NBYTES_MIN", "Serving"]

#: Requests for more than this count; others are over before anybody could have asked elsewhere.
LARGE_NBYTES_MIN: Final = 1 << 20

#: Takers named to one who asks, and remembered for one value.
_NAMED_MAX: Final = 4
_TAKERS_MAX: Final = 16
#: Values of which takers are remembered.
_VALUES_MAX: Final = 1024


class Serving:
    """Counts large requests, and remembers who got large values.

    Parameters
    ----------
    requests_max
        Large requests that are answered at once.
    """

    def __init__(self, requests_max: int) -> None:
        self._requests_max = requests_max
        #: Addresses by key and attempt; what was given out last stands last.
        self._takers: OrderedDict[tuple[str, int], deque[str]] = OrderedDict()
        #: Large requests that are being answered.
        self.count = 0

    def begin(self) -> bool:
        """Begin to answer a large request, if there is room for one."""
        if self.count >= self._requests_max:
            return False
        self.count += 1
        return True

    def end(self) -> None:
        """End what `begin` began."""
        assert self.count > 0
        self.count -= 1

    def gave(self, data: Iterable[Datum], taker: str) -> None:
        """Note that the worker with this data address now has these values."""
        takers_of = self._takers
        for datum in data:
            name = (datum.key, datum.attempt)
            takers = takers_of.get(name)
            if takers is None:
                takers = takers_of[name] = deque(maxlen=_TAKERS_MAX)
            if taker not in takers:
                takers.append(taker)
            takers_of.move_to_end(name)
        while len(takers_of) > _VALUES_MAX:
            takers_of.popitem(last=False)

    def takers(self, data: Sequence[Datum | None], asker: str) -> list[list[str]]:
        """Return for each value the addresses of some who got it; the next time, of others."""
        return [
            [] if datum is None else self._some_takers((datum.key, datum.attempt), asker)
            for datum in data
        ]

    def _some_takers(self, name: tuple[str, int], asker: str) -> list[str]:
        takers = self._takers.get(name)
        if takers is None:
            return []
        named = [taker for taker in takers if taker != asker][:_NAMED_MAX]
        # So that not all who ask are sent to the same.
        takers.rotate(-_NAMED_MAX)
        return named
