"""Arrow arrays as `ValueArray`s: over the producer's own memory, but for what has to be rebuilt.

Rebuilt are string views (their bytes are gathered), intervals, booleans of a byte, and offsets of
lists that have none. Lists whose elements do not follow each other, and run-end encoded values,
become codes of what they refer to.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from hocket.parquet.arrays.arrow_interface import ArrayStructure
from hocket.parquet.arrays.value_array import ArrayKind, Nulls, ValueArray
from hocket.parquet.errors import InvalidArrow
from hocket.parquet.intake.arrow_capsules import OwnedArray, pointers
from hocket.parquet.intake.arrow_fields import is_boolean
from hocket.parquet.intake.arrow_intervals import interval_bytes
from hocket.parquet.intake.arrow_type import ArrowType
from hocket.parquet.kernels.faults import error_of
from hocket.parquet.kernels.library import KERNEL, address
from hocket.parquet.memory import new_array

__all__ = ["ArrowValues", "value_array"]

_Array = np.ndarray[Any, Any]

#: No array has more slots; so that no product of counts and widths passes 64 bits.
_MOST_SLOTS: Final = 1 << 48
#: What `copy_views` may write behind the last string.
_SPARE_NBYTES: Final = 32

_NUMBERS: Final = {
    "c": "i1",
    "C": "u1",
    "s": "<i2",
    "S": "<u2",
    "i": "<i4",
    "I": "<u4",
    "l": "<i8",
    "L": "<u8",
    # As bytes: so they are stored.
    "e": "V2",
    "f": "<f4",
    "g": "<f8",
    "tdD": "<i4",
    "tdm": "<i8",
    "tts": "<i4",
    "ttm": "<i4",
    "ttu": "<i8",
    "ttn": "<i8",
}
_DECIMALS: Final = {"32": "<i4", "64": "<i8", "128": "V16", "256": "V32"}
_INTERVALS: Final = {"tiM": "<i4", "tiD": "<i8", "tin": "V16"}
#: What offsets are.
_STRINGS: Final = {"u": "<i4", "z": "<i4", "U": "<i8", "Z": "<i8"}
_LISTS: Final = {"+l": "<i4", "+L": "<i8", "+m": "<i4"}
_LIST_VIEWS: Final = {"+vl": "<i4", "+vL": "<i8"}


class _Memory:
    """A producer's memory, for NumPy: an array over it refers to this, and this to its owner."""

    __slots__ = ("__array_interface__", "_owner")

    def __init__(self, owner: OwnedArray, at: int, nbytes: int) -> None:
        self._owner = owner
        self.__array_interface__ = {
            "data": (at, True),
            "shape": (nbytes,),
            "typestr": "|u1",
            "version": 3,
        }


class ArrowValues:
    """An array of a producer, checked as far as it can be.

    Parameters
    ----------
    owner
        What is released when nothing refers to its memory any more.
    structure
        The array, or one below it.
    path
        Where it is, for errors.
    """

    def __init__(self, owner: OwnedArray, structure: ArrayStructure, path: str = "") -> None:
        self._owner = owner
        self._structure = structure
        self.path = path
        if not structure.release:
            raise self.error("the array has been released already")
        length, offset = structure.length, structure.offset
        if length < 0 or offset < 0 or length + offset > _MOST_SLOTS:
            raise self.error(f"its length is {length:,}, and its offset {offset:,}")
        if not -1 <= structure.null_count <= length:
            raise self.error(f"of {length:,} values, {structure.null_count:,} are missing")
        self.offset: int = offset
        self.length: int = length
        self._buffers = pointers(
            structure.buffers, structure.n_buffers, "buffers of an array", may_be_null=True
        )

    def error(self, reason: str) -> InvalidArrow:
        """Return an error with this place."""
        return InvalidArrow(reason).located(column=self.path or None)

    @property
    def buffer_count(self) -> int:
        """How many buffers there are."""
        return len(self._buffers)

    def expect_buffers(self, count: int) -> None:
        """Check how many buffers there are."""
        if len(self._buffers) != count:
            raise self.error(f"it has {len(self._buffers)} buffers, and must have {count}")

    def buffer(self, index: int, dtype: str, start: int, count: int) -> _Array:
        """Return some items of a buffer."""
        kind = np.dtype(dtype)
        if index >= len(self._buffers):
            raise self.error(f"it has {len(self._buffers)} buffers, and must have more")
        if not count:
            return np.empty(0, kind)
        at = self._buffers[index]
        if not at:
            raise self.error(f"buffer {index} is a null pointer, and should have {count:,} items")
        memory = _Memory(self._owner, at + start * kind.itemsize, count * kind.itemsize)
        return np.asarray(memory).view(kind)

    def addresses(self, start: int, stop: int) -> list[int]:
        """Return where some of the buffers are; 0 for null pointers."""
        return self._buffers[start:stop]

    def nulls(self, start: int, count: int) -> Nulls | None:
        """Return which slots are missing; None: none is."""
        missing = self._structure.null_count
        if not missing or not self._buffers or not count:
            return None
        if not self._buffers[0]:
            if missing > 0:
                raise self.error(f"{missing:,} values are missing, and nothing tells which")
            return None
        first = self.offset + start
        nbytes = ((first & 7) + count + 7) >> 3
        return Nulls(self.buffer(0, "u1", first >> 3, nbytes), True, first & 7)  # noqa: FBT003

    def children(self, count: int, *names: str) -> list[ArrowValues]:
        """Return the arrays below, of which there have to be so many."""
        if self._structure.n_children != count:
            raise self.error(f"it has {self._structure.n_children} children, and its type {count}")
        found = pointers(self._structure.children, count, "children of an array")
        return [self._below(at, name) for at, name in zip(found, names, strict=True)]

    def dictionary(self) -> ArrowValues:
        """Return the array that codes stand for."""
        if not self._structure.dictionary:
            raise self.error("its dictionary is a null pointer")
        return self._below(self._structure.dictionary, "")

    def _below(self, at: int, name: str) -> ArrowValues:
        path = f"{self.path}.{name}" if self.path and name else self.path or name
        return ArrowValues(self._owner, ArrayStructure.from_address(at), path)


def value_array(
    arrow: ArrowType,
    array: ArrowValues,
    start: int,
    length: int,
) -> ValueArray:
    """Return slots of an array.

    Parameters
    ----------
    arrow
        What it is.
    array
        The array; of this type, or what it says makes no sense.
    start, length
        Which slots, from 0, its own offset not counted.

    Raises
    ------
    InvalidArrow
        It contradicts itself.
    ValueUnstorable
        A value has no place in Parquet.
    """
    if start + length > array.length:
        raise array.error(
            f"it has {array.length:,} slots, and what it is a part of needs {start + length:,}"
        )
    first = array.offset + start
    if arrow.format == "n":
        return ValueArray(ArrayKind.NULL, length)
    if arrow.format == "+r":
        return _runs(arrow, array, first, length)
    nulls = array.nulls(start, length)
    if arrow.dictionary is not None:
        return _dictionary(arrow, array, first, length, nulls)
    if arrow.format.startswith("+"):
        return _nested(arrow, array, first, length, nulls)
    return _leaf(arrow, array, first, length, nulls)


# ------------------------------------------------------------------------------------------ leaves


def _leaf(
    arrow: ArrowType,
    array: ArrowValues,
    first: int,
    length: int,
    nulls: Nulls | None,
) -> ValueArray:
    layout = arrow.format
    if layout in ("vu", "vz"):
        return _string_views(array, first, length, nulls)
    if layout in _STRINGS:
        array.expect_buffers(3)
        offsets = _offsets(array, 1, _STRINGS[layout], first, length)
        values = array.buffer(2, "u1", 0, int(offsets[-1]))
        return ValueArray(ArrayKind.STRINGS, length, nulls, values, offsets)
    array.expect_buffers(2)
    if layout == "b":
        values = array.buffer(1, "u1", first >> 3, ((first & 7) + length + 7) >> 3)
        return ValueArray(ArrayKind.BITS, length, nulls, values, bit_offset=first & 7)
    if layout == "w:0":
        # Parquet has no byte strings of a fixed length of 0.
        return ValueArray(
            ArrayKind.STRINGS, length, nulls, np.empty(0, np.uint8), np.zeros(length + 1, np.int32)
        )
    values = array.buffer(1, _item(layout), first, length)
    if is_boolean(arrow):
        values = (values != 0).view(np.uint8)
    elif layout in _INTERVALS:
        values = interval_bytes(layout, values, nulls, array.path)
    return ValueArray(ArrayKind.FIXED, length, nulls, values)


def _item(layout: str) -> str:
    """Return what NumPy calls the items of a format."""
    found = _NUMBERS.get(layout) or _INTERVALS.get(layout)
    if found is not None:
        return found
    head, _, rest = layout.partition(":")
    if head == "w":
        return f"V{rest}"
    if head == "d":
        told = rest.split(",")
        return _DECIMALS[told[2] if len(told) > 2 else "128"]
    # Timestamps and durations.
    return "<i8"


def _string_views(array: ArrowValues, first: int, length: int, nulls: Nulls | None) -> ValueArray:
    if array.buffer_count < 3:
        raise array.error(f"it has {array.buffer_count} buffers, and views have 3 at least")
    views = array.buffer(1, "V16", first, length)
    count = array.buffer_count - 3
    # One more: what is in the view itself is looked for in the first buffer, too.
    lengths = np.zeros(count + 1, np.int64)
    lengths[:count] = array.buffer(2 + count, "<i8", 0, count)
    addresses = np.zeros(count + 1, np.uint64)
    addresses[:count] = array.addresses(2, 2 + count)
    if not addresses[lengths > 0].all():
        raise array.error("a buffer of its strings is a null pointer")
    offsets = new_array(length + 1, np.int64)
    total = KERNEL.measure_views(
        address(views),
        length,
        0 if nulls is None else address(nulls.buffer),
        0 if nulls is None else nulls.bit_offset,
        address(lengths),
        count,
        address(offsets),
    )
    if total < 0:
        raise array.error(f"views of strings make no sense: {error_of(total).reason}")
    data = new_array(total + _SPARE_NBYTES, np.uint8)
    KERNEL.copy_views(
        address(views),
        length,
        address(offsets),
        address(lengths),
        address(addresses),
        address(data),
    )
    return ValueArray(ArrayKind.STRINGS, length, nulls, data[:total], offsets)


def _offsets(array: ArrowValues, index: int, dtype: str, first: int, length: int) -> _Array:
    """Return offsets that do not go backwards."""
    if not length:
        # There may be no buffer then.
        return np.zeros(1, dtype)
    offsets = array.buffer(index, dtype, first, length + 1)
    if offsets[0] < 0 or (offsets[1:] < offsets[:-1]).any():
        at = int(np.argmax(offsets[1:] < offsets[:-1]))
        raise array.error(
            f"offsets go backwards: {offsets[at]:,} is followed by {offsets[at + 1]:,}"
        )
    return offsets


# -------------------------------------------------------------------------------- codes and structs


def _dictionary(
    arrow: ArrowType,
    array: ArrowValues,
    first: int,
    length: int,
    nulls: Nulls | None,
) -> ValueArray:
    assert arrow.dictionary is not None
    array.expect_buffers(2)
    if arrow.format not in _NUMBERS or arrow.format in "efg":
        raise array.error(f"codes of dictionaries cannot be of Arrow type {arrow.format!r}")
    codes = array.buffer(1, _NUMBERS[arrow.format], first, length)
    inner = array.dictionary()
    values = value_array(arrow.dictionary, inner, 0, inner.length)
    if length and not (codes.min() >= 0 and codes.max() < inner.length):
        # Those of missing values mean nothing.
        told = codes if nulls is None else codes[_there(nulls, length)]
        if len(told) and not (told.min() >= 0 and told.max() < inner.length):
            raise array.error(
                f"codes are between {told.min():,} and {told.max():,}, and its dictionary has "
                f"{inner.length:,} values"
            )
    return ValueArray(ArrayKind.DICTIONARY, length, nulls, codes, dictionary=values)


def _runs(
    arrow: ArrowType,
    array: ArrowValues,
    first: int,
    length: int,
) -> ValueArray:
    run_type, value_type = arrow.children
    ends_array, values_array = array.children(2, "run_ends", arrow.name)
    dtype = {"s": "<i2", "i": "<i4", "l": "<i8"}.get(run_type.format)
    if dtype is None:
        raise array.error(f"ends of runs cannot be of Arrow type {run_type.format!r}")
    count = ends_array.length
    ends = ends_array.buffer(1, dtype, ends_array.offset, count).astype(np.int64)
    if (np.diff(ends, prepend=0) <= 0).any() or (
        length and (not count or ends[-1] < first + length)
    ):
        raise array.error("ends of runs do not grow, or do not reach its length")
    bounds = np.clip(ends, first, first + length)
    codes = np.repeat(
        np.arange(count, dtype=np.int32), bounds - np.concatenate([[first], bounds[:-1]])
    )
    values = value_array(value_type, values_array, 0, count)
    return ValueArray(ArrayKind.DICTIONARY, length, None, codes, dictionary=values)


def _nested(
    arrow: ArrowType,
    array: ArrowValues,
    first: int,
    length: int,
    nulls: Nulls | None,
) -> ValueArray:
    layout = arrow.format
    if layout == "+s":
        array.expect_buffers(1)
        members = array.children(len(arrow.children), *(each.name for each in arrow.children))
        pairs = zip(arrow.children, members, strict=True)
        parts = tuple(value_array(each, member, first, length) for each, member in pairs)
        return ValueArray(ArrayKind.STRUCT, length, nulls, children=parts)
    (element_type,) = arrow.children
    (element,) = array.children(1, element_type.name)
    values = value_array(element_type, element, 0, element.length)
    if layout in _LISTS:
        array.expect_buffers(2)
        offsets = _offsets(array, 1, _LISTS[layout], first, length)
        if offsets[-1] > element.length:
            raise array.error(f"its lists end at {offsets[-1]:,} of {element.length:,} elements")
    elif layout in _LIST_VIEWS:
        array.expect_buffers(3)
        starts = array.buffer(1, _LIST_VIEWS[layout], first, length)
        sizes = array.buffer(2, _LIST_VIEWS[layout], first, length)
        offsets, values = _of_list_views(array, starts, sizes, nulls, values)
    else:
        size = int(layout[3:])
        offsets = np.arange(first, first + length + 1, dtype=np.int64) * size
        if size < 0 or offsets[-1] > element.length:
            raise array.error(
                f"{length:,} lists of {size:,} elements are told, and there are {element.length:,}"
            )
    return ValueArray(ArrayKind.LIST, length, nulls, offsets=offsets, children=(values,))


def _of_list_views(
    array: ArrowValues, starts: _Array, sizes: _Array, nulls: Nulls | None, values: ValueArray
) -> tuple[_Array, ValueArray]:
    """Return offsets for lists that may lie anywhere, and the elements in their order."""
    starts, sizes = starts.astype(np.int64), sizes.astype(np.int64)
    if nulls is not None:
        sizes[~_there(nulls, len(sizes))] = 0
    starts[sizes == 0] = 0
    if (sizes < 0).any() or (starts < 0).any() or (starts + sizes > values.length).any():
        raise array.error(f"its lists reach outside of the {values.length:,} elements")
    offsets = np.zeros(len(sizes) + 1, np.int64)
    np.cumsum(sizes, out=offsets[1:])
    filled = sizes > 0
    shift = (starts - offsets[:-1])[filled]
    if not len(shift) or (shift == shift[0]).all():
        return offsets + (shift[0] if len(shift) else 0), values
    codes = np.repeat(starts - offsets[:-1], sizes) + np.arange(offsets[-1])
    return offsets, ValueArray(ArrayKind.DICTIONARY, len(codes), None, codes, dictionary=values)


def _there(nulls: Nulls, length: int) -> _Array:
    """Return a boolean for each slot: whether it is not missing."""
    stop = nulls.bit_offset + length
    bits: _Array = np.unpackbits(nulls.buffer, count=stop, bitorder="little")
    return bits[nulls.bit_offset :].view(np.bool_)
