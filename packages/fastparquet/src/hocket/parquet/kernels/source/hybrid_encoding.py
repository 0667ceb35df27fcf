"""The hybrid of runs and bit-packed groups: writing it.

Eight equal values or more are a run where that takes fewer bytes than packing them. Between runs
lie literals: groups of eight packed values, up to so many behind one header. A run takes all equal
values that there are, and the next group begins right behind it.
"""

from __future__ import annotations

from typing import Final

from hocket.parquet.kernels.faults import BIT_WIDTH, NO_SPACE
from hocket.parquet.kernels.language import (
    fill,
    helper,
    inlined,
    kernel,
    load_8,
    load_32,
    load_64,
    store_32,
    store_64,
    wrap,
)
from hocket.parquet.kernels.source.bit_packing import SPARE_NBYTES, pack_bytes, pack_integers
from hocket.parquet.kernels.source.varint import write_varint

__all__ = ["encode_hybrid_codes", "encode_hybrid_levels"]

#: Groups behind one header: few enough to be in the processor's nearest cache when they are packed.
_GROUPS_MAX: Final = 1023
#: Headers are to be numbers of 31 bits.
_RUN_MAX: Final = 1 << 29
#: The longest header and the value of a run.
_RUN_NBYTES: Final = 9
_ONES: Final = 0x0101010101010101
_LOW_HALF: Final = 0xFFFFFFFF


@inlined
def _item(source: int, index: int, item_size: int) -> int:
    if item_size == 1:
        return load_8(source, index)
    return load_32(source, index * 4)


@inlined
def _differs(source: int, at: int, value: int, item_size: int) -> int:
    """Return 0 if a group is nothing but a value."""
    if item_size == 1:
        return load_64(source, at) ^ wrap(value * _ONES)
    pair = value | wrap(value << 32)
    first = (load_64(source, at * 4) ^ pair) | (load_64(source, at * 4 + 8) ^ pair)
    return first | (load_64(source, at * 4 + 16) ^ pair) | (load_64(source, at * 4 + 24) ^ pair)


@inlined
def _run_length(source: int, at: int, count: int, item_size: int) -> int:
    """Return how many values from one on are equal to it."""
    value = _item(source, at, item_size)
    index = at
    while index + 8 <= count and _differs(source, index, value, item_size) == 0:
        index += 8
    while index < count and _item(source, index, item_size) == value:
        index += 1
    return min(index - at, _RUN_MAX)


@inlined
def _literal_groups(source: int, at: int, groups: int, least: int, item_size: int) -> int:
    """Return how many groups stand before `least` ones that are one run."""
    run = 0
    before = -1
    for group in range(groups):
        value = _item(source, at + group * 8, item_size)
        same = _differs(source, at + group * 8, value, item_size) == 0
        run = (run if value == before else 0) + 1 if same else 0
        before = value
        if run >= least:
            return group + 1 - run
    # One that has only begun may go on behind the last group.
    return groups - run if groups == _GROUPS_MAX else groups


@helper
def _pack_rest(source: int, item_size: int, count: int, width: int, destination: int) -> None:
    """Pack less than eight values, and zeros after them."""
    fill(destination, 0, width + 8)
    for index in range(count):
        value = load_8(source, index) if item_size == 1 else load_32(source, index * 4)
        bit = index * width
        word = load_64(destination, bit >> 3) | wrap(value << (bit & 7))
        store_64(destination, bit >> 3, word)


@inlined
def _encode(
    source: int, count: int, width: int, destination: int, capacity: int, item_size: int
) -> int:
    value_nbytes = (width + 7) >> 3
    # From so many groups on a run pays: alone, and with another header for literals behind it.
    least_alone = (1 + value_nbytes) // width + 1
    least = (3 + value_nbytes) // width + 1
    stop = destination + capacity - SPARE_NBYTES
    to = destination
    at = 0
    while at < count:
        if stop - to < _RUN_NBYTES:
            return -NO_SPACE
        left = count - at
        many = _run_length(source, at, count, item_size)
        if many >= 8 * least_alone or (many == left and value_nbytes <= ((left + 7) >> 3) * width):
            to = write_varint(to, many << 1)
            store_32(to, 0, _item(source, at, item_size))
            to += value_nbytes
            at += many
            continue
        groups = min(left >> 3, _GROUPS_MAX)
        groups = _literal_groups(source, at, groups, least, item_size)
        # What does not fill a group belongs to the last literals.
        rest = left & 7 if groups == left >> 3 else 0
        packed = groups + (1 if rest else 0)
        if stop - to < _RUN_NBYTES + packed * width:
            return -NO_SPACE
        to = write_varint(to, (packed << 1) | 1)
        if item_size == 1:
            pack_bytes(source + at, width, to, groups)
        else:
            pack_integers(source + at * 4, width, to, groups)
        to += groups * width
        at += groups * 8
        if rest:
            _pack_rest(source + at * item_size, item_size, rest, width, to)
            to += width
            at += rest
    return to - destination


@kernel
def encode_hybrid_levels(
    source: int, count: int, bit_width: int, destination: int, capacity: int
) -> int:
    """Encode bytes of 1 to 8 bits each; return how many bytes that are, or a fault.

    The last 32 bytes of the capacity are only to spare.
    """
    if not 1 <= bit_width <= 8:
        return -BIT_WIDTH
    return _encode(source, count, bit_width, destination, capacity, 1)


@kernel
def encode_hybrid_codes(
    source: int, count: int, bit_width: int, destination: int, capacity: int
) -> int:
    """Encode numbers of 1 to 32 bits, each in four bytes; return how many bytes, or a fault.

    The last 32 bytes of the capacity are only to spare.
    """
    if not 1 <= bit_width <= 32:
        return -BIT_WIDTH
    return _encode(source, count, bit_width, destination, capacity, 4)
