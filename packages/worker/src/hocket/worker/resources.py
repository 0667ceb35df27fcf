"""Amounts with names (GPUs, licences, gigabytes) that tasks reserve while they run.

Amounts are counted in whole millionths, so that reserving and releasing 0.1 ten times leaves what
was there before.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Final, TypeAlias

__all__ = ["NOTHING", "UNITS", "Needs", "Resources", "needs_of"]

#: Whole units in an amount of 1.
UNITS: Final = 1_000_000

#: What a task reserves: (name, units), sorted by name, no zeros.
Needs: TypeAlias = tuple[tuple[str, int], ...]

NOTHING: Final[Needs] = ()


def needs_of(amounts: Mapping[str, float]) -> Needs | None:
    """Return these amounts as needs, or None if one of them is no amount (negative, not finite)."""
    needs = []
    for name, amount in sorted(amounts.items()):
        if not math.isfinite(amount) or amount < 0:
            return None
        # Rounded up: a tiny need is a need.
        units = math.ceil(amount * UNITS - 0.5)
        if units or amount:
            needs.append((name, max(units, 1)))
    return tuple(needs)


class Resources:
    """What a worker offers, and what of it is free.

    Parameters
    ----------
    offered
        Amounts by name; what has no name here is not there.
    """

    __slots__ = ("free", "total")

    def __init__(self, offered: Mapping[str, float]) -> None:
        needs = needs_of(offered)
        if needs is None:
            # From the worker's own command line, so no peer can bring this about.
            raise ValueError(f"resources must be finite and not negative: {dict(offered)!r}")
        self.total: dict[str, int] = dict(needs)
        self.free: dict[str, int] = dict(needs)

    def could_ever_fit(self, needs: Needs) -> bool:
        """Whether these needs fit when nothing else runs."""
        return all(self.total.get(name, 0) >= units for name, units in needs)

    def fit(self, needs: Needs) -> bool:
        """Whether these needs fit now."""
        return all(self.free.get(name, 0) >= units for name, units in needs)

    def reserve(self, needs: Needs) -> None:
        """Take what fits."""
        for name, units in needs:
            self.free[name] -= units

    def release(self, needs: Needs) -> None:
        """Give back what was reserved."""
        for name, units in needs:
            self.free[name] += units
