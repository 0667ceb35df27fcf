"""Values of a leaf to a dictionary of the different ones, and codes."""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from hocket.parquet.arrays.leaf_entries import DenseValues
from hocket.parquet.encode.expanding import entries_of
from hocket.parquet.encode.strings import check_strings
from hocket.parquet.kernels.faults import error_of
from hocket.parquet.kernels.library import KERNEL, address
from hocket.parquet.kernels.source.bounds import SIGNED_32, SIGNED_64
from hocket.parquet.memory import new_array
from hocket.parquet.metadata.logical import PhysicalType
from hocket.parquet.records import replace

__all__ = ["build_dictionary", "distinct_in_sample"]

_Array = np.ndarray[Any, Any]

#: How large a table is at first; it is never more than half full.
_FIRST_BITS: Final = 11
#: How many bytes of strings there is room for at first.
_FIRST_NBYTES: Final = 1 << 14
_SPARE_NBYTES: Final = 64
#: Codes are below this.
_MOST_ENTRIES: Final = (1 << 32) - 2
#: Integers within so many are looked up in a table of all.
_NEAR: Final = 1 << 18
_INTEGERS: Final = {PhysicalType.INT32: SIGNED_32, PhysicalType.INT64: SIGNED_64}
#: A sample is taken from so many places.
_SAMPLED_RUNS: Final = 8


def build_dictionary(
    values: DenseValues, *, most_nbytes: int, most_count: int
) -> DenseValues | None:
    """Return values as codes of the different ones, or None if those are too many.

    They are numbered as they first appear, by their bits: two zeros, and NaNs of several kinds, are
    different values. Values that have codes already keep the order of their entries; those that no
    code names or that are there twice go.

    Parameters
    ----------
    values
        The values. Booleans get no dictionary.
    most_nbytes
        How many bytes the different ones may have, as PLAIN stores them.
    most_count
        How many different ones there may be.
    """
    if values.count == 0 or values.node.physical is PhysicalType.BOOLEAN:
        return None
    if values.codes is not None:
        return _cleaned(values, most_nbytes, most_count)
    codes = new_array(values.count, np.uint32)
    near = _range_of(values)
    if near is not None:
        most = min(most_count, most_nbytes // values.values.itemsize)
        found = _number_near(values.values, near, codes, most)
        return None if found is None else replace(values, values=found, codes=codes)
    numbering = _Numbering(values, most_nbytes, most_count)
    if not numbering.number(0, values.count, codes):
        return None
    found, offsets = numbering.entries()
    return replace(values, values=found, offsets=offsets, codes=codes)


def distinct_in_sample(values: DenseValues, count: int) -> int:
    """Return how many of some values differ from each other.

    Parameters
    ----------
    values
        The values.
    count
        How many to look at; they come from several places. All are looked at if there are no more.
    """
    if values.codes is not None:
        return len(np.unique(values.codes[:: max(1, values.count // max(1, count))]))
    numbering = _Numbering(values, 1 << 62, _MOST_ENTRIES)
    codes = np.empty(min(count, values.count), np.uint32)
    if count >= values.count:
        numbering.number(0, values.count, codes)
        return numbering.count
    each = max(1, count // _SAMPLED_RUNS)
    for run in range(count // each):
        start = run * (values.count - each) // max(1, count // each - 1)
        numbering.number(start, start + each, codes)
    return numbering.count


def _cleaned(values: DenseValues, most_nbytes: int, most_count: int) -> DenseValues | None:
    """Return codes and entries without entries that are there twice or not at all."""
    codes = np.ascontiguousarray(values.codes, np.uint32)
    count = len(values.values if values.offsets is None else values.offsets) - (
        values.offsets is not None
    )
    flags = np.zeros(count, np.uint8)
    answer = KERNEL.mark_codes(address(codes), len(codes), address(flags), count)
    if answer < 0:
        raise error_of(answer)
    entries = replace(values, count=count, codes=None)
    used = np.flatnonzero(flags).astype(np.uint32)
    if len(used) < count:
        found, offsets = entries_of(values, used)
        entries = replace(entries, count=len(used), values=found, offsets=offsets)
    numbering = _Numbering(entries, most_nbytes, most_count)
    numbers = np.empty(entries.count, np.uint32)
    if not numbering.number(0, entries.count, numbers):
        return None
    if len(used) == count == numbering.count:
        return replace(values, codes=codes)
    found, offsets = numbering.entries()
    renumbered = np.zeros(count, np.uint32)
    renumbered[used] = numbers
    return replace(values, values=found, offsets=offsets, codes=renumbered[codes])


def _range_of(values: DenseValues) -> range | None:
    """Return what integers lie in, if they are near enough to each other for a table of all."""
    kind = _INTEGERS.get(values.node.physical) if values.node.physical is not None else None
    if kind is None:
        return None
    found = np.empty(2, np.int64)
    KERNEL.bounds_of_numbers(kind, address(values.values), values.count, address(found))
    low, high = found.tolist()
    return range(low, high + 1) if high - low < min(_NEAR, 4 * values.count) else None


def _number_near(integers: _Array, near: range, codes: _Array, most: int) -> _Array | None:
    """Write codes of integers by a table of all that they may be; return the different ones."""
    table = np.zeros(len(near), np.uint32)
    capacity = min(len(near), most)
    entries = np.empty(capacity, np.int64)
    source = integers.itemsize, address(integers), len(integers), near.start
    answer = KERNEL.number_near(*source, address(codes), address(table), address(entries), capacity)
    return None if answer < 0 else entries[:answer].astype(integers.dtype)


class _Numbering:
    """A hash table of values, and the different ones so far.

    Parameters
    ----------
    values
        Where all values come from; without codes.
    most_nbytes, most_count
        See `build_dictionary`.
    """

    def __init__(self, values: DenseValues, most_nbytes: int, most_count: int) -> None:
        self._data = values.values
        self._offsets = values.offsets
        self._width = values.values.itemsize if values.offsets is None else 0
        self._is_word = self._width in {4, 8}
        self._most_nbytes = most_nbytes
        self._most_count = min(most_count, _MOST_ENTRIES)
        if self._width:
            self._most_count = min(self._most_count, most_nbytes // self._width)
        else:
            self._check_offsets(values)
        self._bits = _FIRST_BITS
        self._table = np.zeros(1 << self._bits, np.int64)
        self._capacity = min(1 << (self._bits - 1), self._most_count)
        self._state = np.zeros(2, np.int64)
        #: Different words, or what the kernels keep of each string.
        self._numbers = new_array((self._capacity, 1 if self._is_word else 4), np.int64)
        # Strings of one width have room for all that can be.
        self._bytes = np.empty(self._first_nbytes() + _SPARE_NBYTES, np.uint8)

    @property
    def count(self) -> int:
        """How many different values there are."""
        return int(self._state[0])

    def number(self, start: int, stop: int, codes: _Array) -> bool:
        """Write codes of some values; tell whether their number stays within the limits."""
        position, count = 0, stop - start
        while True:
            position = self._call(start, position, count, codes)
            # Lengths are stored as well.
            if self._plain_nbytes() > self._most_nbytes:
                return False
            if position == count:
                return True
            if self.count == self._capacity:
                if self._capacity == self._most_count:
                    return False
                self._grow()
            elif not self._lengthen(start + position):
                return False

    def entries(self) -> tuple[_Array, _Array | None]:
        """Return the different values."""
        count = self.count
        if self._is_word:
            words = self._numbers[:count, 0]
            if self._width == 4:
                words = words.astype(np.uint32)
            return words.view(self._data.dtype), None
        found = self._bytes[: int(self._state[1])]
        if self._width:
            return found.view(self._data.dtype), None
        return found, np.append(self._numbers[:count, 0], self._state[1])

    def _check_offsets(self, values: DenseValues) -> None:
        if values.offsets is not None:
            check_strings(values.offsets, values.values)

    def _first_nbytes(self) -> int:
        if self._is_word:
            return 0
        return self._capacity * self._width if self._width else _FIRST_NBYTES

    def _plain_nbytes(self) -> int:
        if self._width:
            return self.count * self._width
        return int(self._state[1]) + 4 * self.count

    def _call(self, start: int, position: int, count: int, codes: _Array) -> int:
        data, state = self._data, address(self._state)
        table = address(codes), address(self._table), self._bits
        numbers = address(self._numbers), self._capacity
        width, places = self._width, (position, count)
        if self._is_word:
            source = address(data) + start * width
            return KERNEL.number_words(width, source, *places, *table, *numbers, state)
        room = address(self._bytes), len(self._bytes) - _SPARE_NBYTES
        if self._offsets is None:
            source = address(data) + start * width
            nbytes = (len(data) - start) * width
            fixed = width, source, nbytes, *places
            return KERNEL.number_fixed(*fixed, *table, *numbers, *room, state)
        offsets = address(self._offsets) + start * 8
        strings = offsets, address(data), data.nbytes, *places
        return KERNEL.number_strings(*strings, *table, *numbers, *room, state)

    def _grow(self) -> None:
        """Make room for more entries."""
        bits = self._bits + 2
        larger = np.zeros(1 << bits, np.int64)
        KERNEL.grow_table(address(self._table), self._bits, address(larger), bits)
        self._table, self._bits = larger, bits
        self._capacity = min(1 << (bits - 1), self._most_count)
        self._numbers = _longer(self._numbers, self._capacity)
        if self._width and not self._is_word:
            self._bytes = _longer(self._bytes, self._capacity * self._width + _SPARE_NBYTES)

    def _lengthen(self, at: int) -> bool:
        """Make room for the string at a position; tell whether there can be."""
        assert self._offsets is not None
        wanted = int(self._state[1]) + int(self._offsets[at + 1] - self._offsets[at])
        if wanted + 4 * (self.count + 1) > self._most_nbytes:
            return False
        nbytes = max(2 * len(self._bytes), wanted)
        self._bytes = _longer(self._bytes, nbytes + _SPARE_NBYTES)
        return True


def _longer(array: _Array, length: int) -> _Array:
    """Return a longer array that begins with the same."""
    made = new_array((length, *array.shape[1:]), array.dtype)
    made[: len(array)] = array
    return made
