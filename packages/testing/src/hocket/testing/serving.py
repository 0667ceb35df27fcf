"""How many large requests a host answers at once, and whom it names to the others.

The same as the real data server does, at sizes and counts that small histories reach.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from hocket.worker.state import Datum

__all__ = ["LARGE_NBYTES_MIN", "Serving"]

LARGE_NBYTES_MIN: Final = 10_000
_NAMED_MAX: Final = 4


class Serving:
    """The large requests of one host.

    Parameters
    ----------
    requests_max
        How many are answered at once.
    """

    def __init__(self, requests_max: int) -> None:
        self._requests_max = requests_max
        self._count = 0
        #: By key and attempt: data addresses of those who got the value.
        self._takers: dict[tuple[str, int], list[str]] = {}

    def begin(self) -> bool:
        """Begin to answer one, if there is room for it."""
        if self._count >= self._requests_max:
            return False
        self._count += 1
        return True

    def end(self) -> None:
        """End what `begin` began."""
        self._count -= 1

    def gave(self, data: Iterable[Datum | None], taker: str) -> None:
        """Note who got values."""
        for datum in data:
            if datum is not None:
                takers = self._takers.setdefault((datum.key, datum.attempt), [])
                if taker not in takers:
                    takers.append(taker)

    def takers(self, data: Sequence[Datum | None], asker: str) -> list[list[str]]:
        """Return for each value who got it lately."""
        return [
            []
            if datum is None
            else [
                taker
                for taker in self._takers.get((datum.key, datum.attempt), [])[-_NAMED_MAX:]
                if taker != asker
            ]
            for datum in data
        ]
