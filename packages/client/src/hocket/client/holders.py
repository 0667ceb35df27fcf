"""Whom to ask for values: the workers that hold them, one after another until one gives each.

It decides, and asks nobody itself; see `hocket.client.shell.fetch`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

__all__ = ["Holders"]

#: How long a worker that was busy is left alone, at first and at most; doubled each time.
_REST_S: Final = 0.01
_REST_S_MAX: Final = 1.0

#: Workers that are asked for one value at most because others named them.
_NAMED_MAX: Final = 16


class Holders:
    """The search for some values.

    Parameters
    ----------
    located
        By key, the addresses of the workers that hold the value, as the scheduler knows.
    nbytes
        By key, the value's size.
    """

    __slots__ = ("_candidates", "_located", "_named", "_nbytes", "_rests_s")

    def __init__(self, located: Mapping[str, Sequence[str]], nbytes: Mapping[str, int]) -> None:
        self._nbytes = nbytes
        self._located = {key: frozenset(addresses) for key, addresses in located.items()}
        #: By key that nobody has given yet, whom to ask.
        self._candidates = {key: list(dict.fromkeys(one)) for key, one in located.items()}
        #: By key, whom others named beside those located.
        self._named: dict[str, set[str]] = {}
        #: By address of a worker that was busy when it was asked last.
        self._rests_s: dict[str, float] = {}

    def plan(self) -> dict[str, list[str]]:
        """Return the keys to ask each worker for, so that each has about as much to send.

        One that was busy is asked where there is no other. Empty: nobody is left to ask.
        """
        load: dict[str, int] = {}
        plan: dict[str, list[str]] = {}
        rests_s = self._rests_s
        for key, addresses in self._candidates.items():
            if addresses:
                chosen = min(addresses, key=lambda one: (rests_s.get(one, 0.0), load.get(one, 0)))
                load[chosen] = load.get(chosen, 0) + max(1, self._nbytes[key])
                plan.setdefault(chosen, []).append(key)
        return plan

    def rest_s(self, address: str) -> float:
        """Return how many seconds to wait before this worker is asked."""
        return self._rests_s.get(address, 0.0)

    def given(self, address: str, keys: Iterable[str]) -> None:
        """Take note that a worker answered for these keys: they are asked for no more."""
        self._rests_s.pop(address, None)
        for key in keys:
            self._candidates.pop(key, None)

    def refused(self, address: str, keys: Iterable[str]) -> list[str]:
        """Take note that a worker has these not, or cannot be reached.

        Returns
        -------
        list of str
            Those that the scheduler believes it to hold.
        """
        believed = []
        for key in keys:
            candidates = self._candidates.get(key, [])
            if address in candidates:
                candidates.remove(address)
                if address in self._located[key]:
                    believed.append(key)
        return believed

    def busy(self, address: str, keys: Sequence[str], others: Sequence[Sequence[str]]) -> None:
        """Take note that a worker gave nothing for now; per key, it named others that have it."""
        self._rests_s[address] = min(_REST_S_MAX, 2 * self._rests_s.get(address, _REST_S / 2))
        for key, addresses in zip(keys, others, strict=False):
            candidates = self._candidates.get(key)
            if candidates is None:
                continue
            named = self._named.setdefault(key, set())
            for other in addresses:
                # Each once, so that one who has it not is not named for ever.
                if other not in named and other not in self._located[key]:
                    if len(named) == _NAMED_MAX:
                        break
                    named.add(other)
                    candidates.append(other)
