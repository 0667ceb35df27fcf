"""Countable devices behind a resource: which of them a task has.

A whole amount takes whole devices. What is left of an amount is a part of one device, which others
may share; parts go where they fit tightest, so that whole devices stay free as long as possible.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from hocket.worker.units import UNITS

__all__ = ["NO_DEVICES", "Devices"]

#: What a task has that has no devices.
NO_DEVICES: Final[Mapping[str, tuple[int, ...]]] = {}


class Devices:
    """The devices of one resource.

    Parameters
    ----------
    indices
        What the devices are called, in the order in which they are handed out.
    """

    __slots__ = ("free",)

    def __init__(self, indices: Sequence[int]) -> None:
        #: By index: how much of the device is free, in `UNITS`.
        self.free: dict[int, int] = dict.fromkeys(indices, UNITS)

    def fit(self, units: int) -> bool:
        """Whether an amount can be had now."""
        whole, part = divmod(units, UNITS)
        untouched = sum(free == UNITS for free in self.free.values())
        if part and not any(part <= free < UNITS for free in self.free.values()):
            whole += 1
        return whole <= untouched

    def reserve(self, units: int) -> tuple[int, ...]:
        """Take an amount that fits; return the devices, the shared one last."""
        whole, part = divmod(units, UNITS)
        untouched = [index for index, free in self.free.items() if free == UNITS]
        taken = untouched[:whole]
        for index in taken:
            self.free[index] = 0
        if part:
            begun = [index for index, free in self.free.items() if part <= free < UNITS]
            shared = min(begun, key=self.free.__getitem__) if begun else untouched[whole]
            self.free[shared] -= part
            taken.append(shared)
        return tuple(taken)

    def release(self, units: int, indices: Sequence[int]) -> None:
        """Give back what `reserve` gave for this amount."""
        whole, part = divmod(units, UNITS)
        for index in indices[:whole]:
            self.free[index] += UNITS
        if part:
            self.free[indices[whole]] += part
