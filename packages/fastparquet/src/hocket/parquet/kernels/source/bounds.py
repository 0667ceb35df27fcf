"""The least and the largest of values, as columns order them.

Of numbers each is mapped to a signed integer of 64 bits in the same order, so that one loop, of
which the compiler makes vector instructions, serves them all. Byte strings are compared by their
first eight bytes as one number, and by the rest only where those are equal.
"""

from __future__ import annotations

from typing import Final

from hocket.parquet.kernels.faults import DICTIONARY_INDEX
from hocket.parquet.kernels.language import (
    helper,
    inlined,
    kernel,
    load_8,
    load_32,
    load_64,
    load_signed_16,
    load_signed_32,
    reverse_bytes_64,
    shift_right,
    store_8,
    store_64,
    wrap,
)
from hocket.parquet.kernels.source.comparing import order_of

__all__ = [
    "BOOLEAN",
    "FLOAT_16",
    "FLOAT_32",
    "FLOAT_64",
    "SIGNED_32",
    "SIGNED_64",
    "UNSIGNED_32",
    "UNSIGNED_64",
    "bounds_of_decimals",
    "bounds_of_fixed",
    "bounds_of_numbers",
    "bounds_of_strings",
    "mark_codes",
]

# What numbers are; `bounds_of_numbers` knows them.
SIGNED_32: Final = 0
SIGNED_64: Final = 1
UNSIGNED_32: Final = 2
UNSIGNED_64: Final = 3
FLOAT_16: Final = 4
FLOAT_32: Final = 5
FLOAT_64: Final = 6
BOOLEAN: Final = 7

_LEAST: Final = -(1 << 63)
_MOST: Final = (1 << 63) - 1


@inlined
def _number(source: int, index: int, kind: int) -> int:
    """Return a number, a float by its bits."""
    if kind == SIGNED_32 or kind == FLOAT_32:
        return load_signed_32(source, index * 4)
    if kind == UNSIGNED_32:
        return load_32(source, index * 4)
    if kind == UNSIGNED_64:
        return load_64(source, index * 8) ^ _LEAST
    if kind == FLOAT_16:
        return load_signed_16(source, index * 2)
    if kind == BOOLEAN:
        return load_8(source, index)
    return load_64(source, index * 8)


@inlined
def _bounds_of_integers(source: int, count: int, destination: int, kind: int) -> int:
    low = _MOST
    high = _LEAST
    for index in range(count):
        number = _number(source, index, kind)
        low = min(low, number)
        high = max(high, number)
    store_64(destination, 0, low)
    store_64(destination, 8, high)
    return 0


@inlined
def _bounds_of_floats(
    source: int, count: int, destination: int, kind: int, magnitude: int, infinity: int
) -> int:
    """Find bounds of floats; what is above infinity, the sign aside, is no number."""
    low = _MOST
    high = _LEAST
    skipped = 0
    for index in range(count):
        bits = _number(source, index, kind)
        # The magnitudes of negative ones grow downwards.
        number = bits ^ ((bits >> 63) & magnitude)
        below = number
        above = number
        if bits & magnitude > infinity:
            below = _MOST
            above = _LEAST
            skipped += 1
        low = min(low, below)
        high = max(high, above)
    store_64(destination, 0, low)
    store_64(destination, 8, high)
    return skipped


@kernel
def bounds_of_numbers(kind: int, source: int, count: int, destination: int) -> int:
    """Write the least and the largest number; return how many were no numbers.

    They are two integers of 64 bits: of unsigned numbers of 64 bits with the highest one turned
    over, of floats the bits with all but the sign turned over where that is set. If there are none,
    the first is larger than the second.
    """
    if kind == SIGNED_32:
        return _bounds_of_integers(source, count, destination, SIGNED_32)
    if kind == SIGNED_64:
        return _bounds_of_integers(source, count, destination, SIGNED_64)
    if kind == UNSIGNED_32:
        return _bounds_of_integers(source, count, destination, UNSIGNED_32)
    if kind == UNSIGNED_64:
        return _bounds_of_integers(source, count, destination, UNSIGNED_64)
    if kind == FLOAT_16:
        return _bounds_of_floats(source, count, destination, FLOAT_16, 0x7FFF, 0x7C00)
    if kind == FLOAT_32:
        return _bounds_of_floats(source, count, destination, FLOAT_32, 0x7FFFFFFF, 0x7F800000)
    if kind == FLOAT_64:
        return _bounds_of_floats(source, count, destination, FLOAT_64, _MOST, 0x7FF0000000000000)
    return _bounds_of_integers(source, count, destination, BOOLEAN)


# --------------------------------------------------------------------------------- byte strings


@inlined
def _first_word(data: int, data_nbytes: int, begin: int, nbytes: int) -> int:
    """Return the first eight bytes, the first one highest, zeros behind them."""
    if begin + 8 <= data_nbytes:
        word = reverse_bytes_64(load_64(data, begin))
        if nbytes < 8:
            word &= ~shift_right(-1, nbytes * 8)
        return word
    word = 0
    for index in range(min(nbytes, 8)):
        word |= wrap(load_8(data, begin + index) << (56 - index * 8))
    return word


@inlined
def _place(offsets: int, width: int, index: int) -> tuple[int, int]:
    """Return where a value begins, and its length."""
    if width > 0:
        return index * width, width
    begin = load_64(offsets, index * 8)
    return begin, load_64(offsets, index * 8 + 8) - begin


@inlined
def _bounds_of_bytes(
    offsets: int,
    width: int,
    data: int,
    data_nbytes: int,
    codes: int,
    count: int,
    entry_count: int,
    flip: int,
    destination: int,
) -> int:
    least = -1
    least_begin = 0
    least_nbytes = 0
    least_word = 0
    most = -1
    most_begin = 0
    most_nbytes = 0
    most_word = 0
    for position in range(count):
        index = position
        if codes != 0:
            index = load_32(codes, position * 4)
            if index >= entry_count:
                return -DICTIONARY_INDEX
        begin, nbytes = _place(offsets, width, index)
        word = _first_word(data, data_nbytes, begin, nbytes) ^ flip
        is_less = word < least_word
        is_more = word > most_word
        if least < 0:
            is_less = True
            is_more = True
        else:
            if word == least_word and (nbytes != least_nbytes or nbytes > 8):
                is_less = order_of(data, begin, nbytes, data, least_begin, least_nbytes) == 0
            if word == most_word and (nbytes != most_nbytes or nbytes > 8):
                is_more = order_of(data, begin, nbytes, data, most_begin, most_nbytes) == 2
        if is_less:
            least = index
            least_begin = begin
            least_nbytes = nbytes
            least_word = word
        if is_more:
            most = index
            most_begin = begin
            most_nbytes = nbytes
            most_word = word
    store_64(destination, 0, least)
    store_64(destination, 8, most)
    return 0


@kernel
def bounds_of_strings(
    offsets: int,
    data: int,
    data_nbytes: int,
    codes: int,
    count: int,
    entry_count: int,
    destination: int,
) -> int:
    """Write which byte string is the least and which the largest, or -1; return 0 or a fault.

    Parameters
    ----------
    offsets
        Where each begins in the data, and where the last one ends: `entry_count` + 1 numbers of 64
        bits. They are right, as `measure_strings` tells.
    data, data_nbytes
        Of all strings; nothing behind is read.
    codes
        Which strings to look at, numbers of 32 bits; 0: the first `count` ones.
    count, entry_count
        How many codes, and how many strings there are.
    destination
        Two numbers of 64 bits.
    """
    return _bounds_of_bytes(
        offsets, 0, data, data_nbytes, codes, count, entry_count, _LEAST, destination
    )


@kernel
def bounds_of_fixed(
    width: int,
    is_signed: int,
    data: int,
    data_nbytes: int,
    codes: int,
    count: int,
    entry_count: int,
    destination: int,
) -> int:
    """Do as `bounds_of_strings` for values of one width, not 0.

    Signed ones are integers, the highest byte first.
    """
    flip = 0 if is_signed else _LEAST
    return _bounds_of_bytes(
        0, width, data, data_nbytes, codes, count, entry_count, flip, destination
    )


@helper
def _order_of_decimals(data: int, begin: int, nbytes: int, other: int, other_nbytes: int) -> int:
    """Return a number below, equal to or above 0, as one integer is to the other."""
    sign = 0
    if nbytes > 0 and load_8(data, begin) > 127:
        sign = 255
    other_sign = 0
    if other_nbytes > 0 and load_8(data, other) > 127:
        other_sign = 255
    if sign != other_sign:
        return other_sign - sign
    longest = max(nbytes, other_nbytes)
    for index in range(longest):
        left = sign
        right = sign
        if index >= longest - nbytes:
            left = load_8(data, begin + index - longest + nbytes)
        if index >= longest - other_nbytes:
            right = load_8(data, other + index - longest + other_nbytes)
        if left != right:
            return left - right
    return 0


@kernel
def bounds_of_decimals(
    offsets: int, data: int, codes: int, count: int, entry_count: int, destination: int
) -> int:
    """Do as `bounds_of_strings` for signed integers of any length, the highest byte first."""
    least = -1
    most = -1
    for position in range(count):
        index = position
        if codes != 0:
            index = load_32(codes, position * 4)
            if index >= entry_count:
                return -DICTIONARY_INDEX
        begin, nbytes = _place(offsets, 0, index)
        if least < 0:
            least = index
            most = index
        other, other_nbytes = _place(offsets, 0, least)
        if _order_of_decimals(data, begin, nbytes, other, other_nbytes) < 0:
            least = index
        other, other_nbytes = _place(offsets, 0, most)
        if _order_of_decimals(data, begin, nbytes, other, other_nbytes) > 0:
            most = index
    store_64(destination, 0, least)
    store_64(destination, 8, most)
    return 0


@kernel
def mark_codes(codes: int, count: int, flags: int, entry_count: int) -> int:
    """Set the byte of each entry that a code of 32 bits names to 1; return 0 or a fault."""
    for index in range(count):
        code = load_32(codes, index * 4)
        if code >= entry_count:
            return -DICTIONARY_INDEX
        store_8(flags, code, 1)
    return 0
