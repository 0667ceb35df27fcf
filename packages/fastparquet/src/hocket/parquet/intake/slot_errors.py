"""Errors of single values, before it is known which row and column they are in."""

from __future__ import annotations

import reprlib
from typing import Any, Final

import numpy as np

from hocket.parquet.errors import ValueUnstorable

__all__ = ["SlotError", "described"]

_SHOWN_LENGTH: Final = 60


class SlotError(Exception):
    """A value that cannot be stored.

    Parameters
    ----------
    slot
        Which of the values that were given.
    reason
        What is wrong with it, and the remedy.
    """

    def __init__(self, slot: int, reason: str) -> None:
        super().__init__(slot, reason)
        self.slot = slot
        self.reason = reason

    def moved(self, slots: np.ndarray[Any, Any]) -> SlotError:
        """Return the error with the slot that a table names for its own."""
        return SlotError(int(slots[self.slot]), self.reason)

    def inside(self, offsets: np.ndarray[Any, Any]) -> SlotError:
        """Return the error of the list that the slot is an element of."""
        around = int(np.searchsorted(offsets, self.slot, side="right")) - 1
        element = self.slot - int(offsets[around])
        return SlotError(around, f"(element {element}) {self.reason}")

    def within(self, name: str) -> SlotError:
        """Return the error of the struct that has the value as a member."""
        return SlotError(self.slot, f"(member {name!r}) {self.reason}")

    def unstorable(self, column: str | None = None) -> ValueUnstorable:
        """Return the error that users see."""
        return ValueUnstorable(f"row {self.slot:,}: {self.reason}", column=column)


def described(value: Any) -> str:
    """Return a value and its type in a few words."""
    shown = reprlib.Repr()
    shown.maxstring = shown.maxother = shown.maxlong = _SHOWN_LENGTH
    try:
        text = shown.repr(value)
    except Exception:  # noqa: BLE001 - any object may be given, and its repr may fail
        text = "a value"
    return f"{text} ({type(value).__qualname__})"
