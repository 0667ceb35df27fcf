"""Amounts of resources, counted in whole millionths.

So reserving and releasing 0.1 ten times leaves what was there before.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Final, TypeAlias

__all__ = ["NOTHING", "UNITS", "Needs", "needs_of"]

#: Whole units in an amount of 1.
UNITS: Final = 1_000_000

#: What a task reserves: (name, units), sorted by name, no zeros.
Needs: TypeAlias = tuple[tuple[str, int], ...]

NOTHING: Final[Needs] = ()


def needs_of(amounts: Mapping[str, float]) -> Needs | None:
    """Return these amounts as needs, or None if one of them is no amount (negative, endless)."""
    needs = []
    for name, amount in sorted(amounts.items()):
        if not math.isfinite(amount * UNITS) or amount < 0:
            return None
        # Rounded up: a tiny need is a need.
        units = math.ceil(amount * UNITS - 0.5)
        if units or amount:
            needs.append((name, max(units, 1)))
    return tuple(needs)
