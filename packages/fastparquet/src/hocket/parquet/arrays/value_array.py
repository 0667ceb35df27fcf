"""Columns in memory, whoever made them: the layout of Arrow's columnar format, in NumPy arrays.

What pandas, NumPy, Arrow streams and Python objects hold becomes `ValueArray`s without copies where
that can be. They are cut by rows, taken apart into the levels and values of leaves
(`hocket.parquet.nesting.shredding`), and encoded.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Any

import numpy as np

from hocket.parquet.records import dataclass, replace

__all__ = ["ArrayKind", "Nulls", "ValueArray"]

_Array = np.ndarray[Any, Any]


class ArrayKind(StrEnum):
    """How an array holds its values."""

    #: All are missing; there are no buffers.
    NULL = "null"
    #: ``values`` has an element a slot: numbers, booleans as bytes of 0 or 1, or ``V{n}`` bytes.
    FIXED = "fixed"
    #: Booleans, a bit a slot, lowest first: ``values`` are the bytes, ``bit_offset`` the first bit.
    BITS = "bits"
    #: Byte strings: slot ``i`` is ``values[offsets[i]:offsets[i + 1]]``.
    STRINGS = "strings"
    #: ``values`` are codes, slots of ``dictionary``; codes of missing slots mean nothing.
    DICTIONARY = "dictionary"
    #: Slot ``i`` has the slots ``offsets[i]`` to ``offsets[i + 1]`` of the only child.
    LIST = "list"
    #: A slot has the same slot of each child.
    STRUCT = "struct"


@dataclass(frozen=True, slots=True)
class Nulls:
    """Which slots are missing.

    Parameters
    ----------
    buffer
        Bytes.
    is_bitmap
        True: a bit a slot, lowest first, 1 where a value is there, as Arrow has it. False: a byte a
        slot, not 0 where it is missing, as pandas has it.
    bit_offset
        Of a bitmap: the bit of the first slot.
    """

    buffer: _Array
    is_bitmap: bool
    bit_offset: int = 0

    def slice(self, start: int, stop: int) -> Nulls:
        """Return those of the slots from `start` to before `stop`."""
        if not self.is_bitmap:
            return replace(self, buffer=self.buffer[start:stop])
        first = self.bit_offset + start
        buffer = self.buffer[first >> 3 : (self.bit_offset + stop + 7) >> 3]
        return replace(self, buffer=buffer, bit_offset=first & 7)


@dataclass(frozen=True, slots=True)
class ValueArray:
    """A column, or a part of one, in memory.

    Parameters
    ----------
    kind
        How values are held; the other parameters that it names are there, and no others.
    length
        How many slots there are.
    nulls
        Which are missing; None: none is.
    values
        Numbers, bytes or codes.
    offsets
        ``length + 1`` numbers, int32 or int64, none smaller than the one before; the first need not
        be 0, nor the last the end of what they point into.
    bit_offset
        Of bits: the first one.
    children
        Of lists and structs.
    dictionary
        What codes stand for; it may have missing slots itself.
    """

    kind: ArrayKind
    length: int
    nulls: Nulls | None = None
    values: _Array | None = None
    offsets: _Array | None = None
    bit_offset: int = 0
    children: tuple[ValueArray, ...] = ()
    dictionary: ValueArray | None = None

    def slice(self, start: int, stop: int) -> ValueArray:
        """Return the slots from `start` to before `stop`; all memory is shared."""
        if start == 0 and stop == self.length:
            return self
        part = replace(
            self,
            length=stop - start,
            nulls=None if self.nulls is None else self.nulls.slice(start, stop),
        )
        if self.offsets is not None:
            return replace(part, offsets=self.offsets[start : stop + 1])
        if self.kind is ArrayKind.STRUCT:
            return replace(
                part, children=tuple(child.slice(start, stop) for child in self.children)
            )
        if self.values is None:
            return part
        if self.kind is not ArrayKind.BITS:
            return replace(part, values=self.values[start:stop])
        first = self.bit_offset + start
        values = self.values[first >> 3 : (self.bit_offset + stop + 7) >> 3]
        return replace(part, values=values, bit_offset=first & 7)
