"""Values of a leaf as its physical type stores them: gathered from their slots, and converted."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np

from hocket.parquet.arrays.leaf_entries import DenseValues, LeafEntries
from hocket.parquet.arrays.value_array import ArrayKind, ValueArray
from hocket.parquet.arrays.write_field import Storing, WriteField
from hocket.parquet.encode.conversions import Conversion, conversion_of, plain_dtype
from hocket.parquet.encode.levels import definition_of_nulls
from hocket.parquet.errors import ParquetError, ValueOutOfRange, ValueUnstorable
from hocket.parquet.kernels.faults import VALUE_RANGE, error_of, fault_of, page_of
from hocket.parquet.kernels.library import KERNEL, address
from hocket.parquet.kernels.source import storing
from hocket.parquet.memory import new_array
from hocket.parquet.metadata.logical import PhysicalType
from hocket.parquet.metadata.schema import SchemaNode

__all__ = ["dense_values"]

_Array = np.ndarray[Any, Any]

#: Conversions and gathering write up to an item behind the last one.
_SPARE_NBYTES: Final = 64


def dense_values(entries: LeafEntries) -> DenseValues:
    """Return the values that entries have, one after the other, as the file stores them.

    Where nothing is missing and nothing has to be converted, they are the memory of the array.

    Parameters
    ----------
    entries
        Of one leaf.

    Raises
    ------
    ValueOutOfRange
        A value does not fit into the column's type: the first one is named.
    ValueUnstorable
        Values of that kind cannot become values of the column's type.
    """
    try:
        return _Leaf(entries.field, entries.node).stored(_chosen(entries))
    except ParquetError as error:
        raise error.located(column=entries.node.dotted) from None


@dataclass(frozen=True, slots=True)
class _Chosen:
    """Slots of an array whose values are wanted.

    Parameters
    ----------
    array
        Where they are. Its nulls are of no interest any more.
    count
        How many values there are.
    flags
        uint8 for each slot of the array: 1 if its value is wanted.
    slots
        int64: which are wanted. If there are neither flags nor slots, all are.
    """

    array: ValueArray
    count: int
    flags: _Array | None = None
    slots: _Array | None = None

    @property
    def are_all(self) -> bool:
        """Whether all slots are wanted, in their order."""
        return self.flags is None and self.slots is None

    @property
    def addresses(self) -> tuple[int, int, int]:
        """Addresses of flags and of slots (0: there are none), and how many there are."""
        if self.flags is not None:
            return address(self.flags), 0, self.flags.size
        if self.slots is not None:
            return 0, address(self.slots), self.slots.size
        return 0, 0, self.count

    def slot_of(self, index: int) -> int:
        """Return the slot of a value."""
        if self.flags is not None:
            return int(np.flatnonzero(self.flags)[index])
        return index if self.slots is None else int(self.slots[index])


def _chosen(entries: LeafEntries) -> _Chosen:
    array = entries.array
    slots = entries.slots
    if slots is not None:
        slots = np.ascontiguousarray(slots, np.int64)
        if not KERNEL.slots_are_consecutive(address(slots), slots.size):
            return _Chosen(array, slots.size, slots=slots)
        first = int(slots[0]) if slots.size else 0
        return _Chosen(array.slice(first, first + slots.size), slots.size)
    if array.kind is ArrayKind.NULL:
        return _Chosen(array, 0)
    if array.nulls is None or not array.length:
        return _Chosen(array, array.length)
    flags, count = entries.definition, entries.value_count
    # Levels of a column right below the root are flags.
    if flags is None or entries.node.max_definition != 1 or entries.node.max_repetition:
        flags, count = definition_of_nulls(array)
    else:
        flags = np.ascontiguousarray(flags)
        count = KERNEL.count_equal(address(flags), flags.size, 1)
    assert flags is None or flags.size == array.length
    return _Chosen(array, count, flags=flags)


class _Leaf:
    """A leaf, to which values are converted."""

    def __init__(self, field: WriteField, node: SchemaNode) -> None:
        assert node.physical is not None
        self._field = field
        self._node = node
        self._physical = node.physical
        self._dtype = plain_dtype(node)

    def stored(self, chosen: _Chosen) -> DenseValues:
        """Return values as the leaf stores them."""
        kind = chosen.array.kind
        if kind is ArrayKind.DICTIONARY:
            return self._coded(chosen)
        if kind is ArrayKind.STRINGS:
            return self._strings(chosen)
        if kind is ArrayKind.BITS:
            return self._fixed(_bytes_of_bits(chosen))
        if kind is ArrayKind.FIXED:
            return self._fixed(chosen)
        if kind is ArrayKind.NULL:
            is_string = self._physical is PhysicalType.BYTE_ARRAY
            offsets = np.zeros(1, np.int64) if is_string else None
            return DenseValues(self._node, 0, np.empty(0, self._dtype), offsets)
        raise ValueUnstorable(f"an array of kind {str(kind)!r} has no values of its own")

    # ------------------------------------------------------------------------- values of fixed size

    def _fixed(self, chosen: _Chosen) -> DenseValues:
        array = chosen.array
        assert array.values is not None
        values = _native(array.values[: array.length])
        if self._physical is PhysicalType.BYTE_ARRAY:
            return self._fixed_strings(chosen, values)
        conversion = conversion_of(self._field, self._node, values.dtype)
        if conversion.cast is not None:
            # NumPy knows how, a million a second or so; nobody waits for these.
            values = _gathered(chosen, values)
            with np.errstate(over="ignore", invalid="ignore"):
                values = values.astype(conversion.cast)
            chosen = _Chosen(array, chosen.count)
        if conversion.number == 0:
            made = values if chosen.are_all else _gathered(chosen, values)
        else:
            made = self._converted(chosen, values, conversion)
        return DenseValues(self._node, chosen.count, made.view(self._dtype))

    def _converted(self, chosen: _Chosen, values: _Array, conversion: Conversion) -> _Array:
        size = self._dtype.itemsize
        made = new_array(chosen.count * size + _SPARE_NBYTES, np.uint8)
        scratch = np.empty((storing.BLOCK_SIZE + 1) * values.itemsize, np.uint8)
        parameters = np.array(conversion.parameters, np.int64)
        answer = KERNEL.store_values(
            conversion.number,
            *chosen.addresses,
            address(values),
            values.itemsize,
            address(parameters),
            address(scratch),
            address(made),
            size,
        )
        if answer < 0:
            if fault_of(answer) != VALUE_RANGE:
                raise error_of(answer)
            slot = chosen.slot_of(page_of(answer))
            raise ValueOutOfRange(f"slot {slot:,}: {conversion.complaint(values[slot])}")
        return made[: chosen.count * size]

    def _fixed_strings(self, chosen: _Chosen, values: _Array) -> DenseValues:
        """Return values of one size as byte strings."""
        size = values.itemsize
        if values.dtype.kind not in "VS" or self._field.storing is not Storing.AS_IS:
            raise ValueUnstorable(f"values of dtype {values.dtype} are no byte strings")
        values = values if chosen.are_all else _gathered(chosen, values)
        offsets = np.arange(chosen.count + 1, dtype=np.int64) * size
        return DenseValues(self._node, chosen.count, values.view(np.uint8), offsets)

    # --------------------------------------------------------------------------------- byte strings

    def _strings(self, chosen: _Chosen) -> DenseValues:
        array = chosen.array
        assert array.values is not None
        assert array.offsets is not None
        data = np.ascontiguousarray(array.values).view(np.uint8)
        offsets = np.ascontiguousarray(array.offsets[: array.length + 1])
        if chosen.are_all:
            offsets = offsets.astype(np.int64, copy=False)
        else:
            data, offsets = _gathered_strings(chosen, data, offsets)
        if self._physical is PhysicalType.BYTE_ARRAY:
            return DenseValues(self._node, chosen.count, data, offsets)
        return self._strings_of_one_size(chosen, data, offsets)

    def _strings_of_one_size(self, chosen: _Chosen, data: _Array, offsets: _Array) -> DenseValues:
        size = self._dtype.itemsize
        if self._physical is not PhysicalType.FIXED_LEN_BYTE_ARRAY:
            raise ValueUnstorable(f"byte strings cannot be stored as {self._physical.name}")
        lengths = np.diff(offsets)
        wrong = np.flatnonzero(lengths != size)
        if wrong.size:
            slot = chosen.slot_of(int(wrong[0]))
            raise ValueOutOfRange(
                f"slot {slot:,}: a byte string of {int(lengths[wrong[0]]):,} bytes, and each has "
                f"to have {size:,}; store them as BYTE_ARRAY"
            )
        some = data[int(offsets[0]) : int(offsets[-1])]
        return DenseValues(self._node, chosen.count, some.view(self._dtype))

    # --------------------------------------------------------------------------------- dictionaries

    def _coded(self, chosen: _Chosen) -> DenseValues:
        array = chosen.array
        dictionary = array.dictionary
        assert array.values is not None
        assert dictionary is not None
        assert dictionary.nulls is None
        entries = self.stored(_Chosen(dictionary, dictionary.length))
        assert entries.codes is None
        values = _native(array.values[: array.length])
        codes = values if chosen.are_all else _gathered(chosen, values)
        # Negative ones become large ones.
        wide = codes.astype(np.uint32, copy=False) if codes.itemsize <= 4 else codes
        most = int(wide.max(initial=0))
        least = int(wide.min(initial=0))
        if chosen.count and (most >= dictionary.length or least < 0):
            outside = (wide < 0) | (wide >= dictionary.length)
            slot = chosen.slot_of(int(np.argmax(outside)))
            raise ValueOutOfRange(
                f"slot {slot:,}: code {int(values[slot])} is outside of the dictionary, which has "
                f"{dictionary.length:,} values"
            )
        return replace(entries, count=chosen.count, codes=wide.astype(np.uint32, copy=False))


def _native(values: _Array) -> _Array:
    """Return values without gaps, in this machine's byte order, and moments as integers."""
    if not values.dtype.isnative:
        values = values.astype(values.dtype.newbyteorder("="))
    if values.dtype.kind in "mM":
        values = values.view(np.int64)
    return np.ascontiguousarray(values)


def _gathered(chosen: _Chosen, values: _Array) -> _Array:
    """Return the items of an array that are wanted."""
    if chosen.are_all:
        return values
    size = values.itemsize
    made = new_array((chosen.count + 1) * size, np.uint8)
    flags, slots, count = chosen.addresses
    KERNEL.gather_items(flags, slots, count, address(values), size, address(made))
    return made[: chosen.count * size].view(values.dtype)


def _gathered_strings(chosen: _Chosen, data: _Array, offsets: _Array) -> tuple[_Array, _Array]:
    """Return the bytes and offsets of the byte strings that are wanted."""
    made = new_array(chosen.count + 1, np.int64)
    flags, slots, count = chosen.addresses
    old = address(offsets), offsets.itemsize
    if not chosen.count:
        made[0] = 0
        return data[:0], made
    if chosen.flags is not None:
        if KERNEL.gather_flagged_offsets(flags, count, *old, address(made)) == 0:
            return data, made
        # Something lies in missing slots.
        wanted = np.flatnonzero(chosen.flags)
        slots, count = address(wanted), wanted.size
    nbytes = KERNEL.gather_slot_offsets(slots, count, *old, address(made))
    if nbytes == 0:
        return data, made
    joined = new_array(nbytes, np.uint8)
    KERNEL.copy_slot_strings(slots, count, *old, address(data), address(joined))
    return joined, made


def _bytes_of_bits(chosen: _Chosen) -> _Chosen:
    """Return the same slots of an array of bytes of 0 or 1."""
    array = chosen.array
    assert array.values is not None
    bits = np.ascontiguousarray(array.values)
    values = new_array(array.length, np.uint8)
    KERNEL.bytes_of_bitmap(address(bits), array.bit_offset, array.length, address(values))
    return replace(chosen, array=ValueArray(ArrayKind.FIXED, array.length, values=values))
