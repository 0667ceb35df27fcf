"""Values from the form in which they are in memory to the form in which files store them.

Those that are there are gathered a block at a time, and each block is converted while it is in the
processor's nearest cache. The numbers of the conversions are those of `hocket.parquet.encode`.
"""

from __future__ import annotations

from typing import Final

from hocket.parquet.kernels.faults import ENCODING_UNFIT, PLACE, VALUE_RANGE
from hocket.parquet.kernels.language import (
    helper,
    inlined,
    kernel,
    load_8,
    load_16,
    load_32,
    load_64,
    load_float32,
    load_float64,
    load_signed_8,
    load_signed_16,
    load_signed_32,
    reverse_bytes_64,
    store_32,
    store_64,
    store_float32,
    store_float64,
    unsigned_less,
    wrap,
)
from hocket.parquet.kernels.source.gathering import gather_flagged, gather_slots_of

__all__ = [
    "BLOCK_SIZE",
    "DECIMAL",
    "DIVIDED",
    "DOUBLE_TO_FLOAT",
    "FACTOR",
    "FLOAT_TO_DOUBLE",
    "INT96",
    "IS_LOSSY",
    "LEAST",
    "MOST",
    "PARAMETER_COUNT",
    "TIMES",
    "WIDEN_SIGNED",
    "WIDEN_UNSIGNED",
    "store_values",
]

WIDEN_SIGNED: Final = 1
WIDEN_UNSIGNED: Final = 2
TIMES: Final = 3
DIVIDED: Final = 4
INT96: Final = 5
DECIMAL: Final = 6
DECIMAL_BYTES: Final = 7
FLOAT_TO_DOUBLE: Final = 8
DOUBLE_TO_FLOAT: Final = 9

#: Places of parameters, numbers of 64 bits.
FACTOR: Final = 0
IS_LOSSY: Final = 1
#: The least and largest value that can be stored, in as many words as values may have.
LEAST: Final = 2
MOST: Final = 6
PARAMETER_COUNT: Final = 10

#: Slots that are worked on at once.
BLOCK_SIZE: Final = 1024

_DAY_NS: Final = 86_400_000_000_000
_EPOCH_JULIAN_DAY: Final = 2_440_588


@inlined
def _integer(source: int, index: int, item_size: int) -> int:
    if item_size == 1:
        return load_signed_8(source, index)
    if item_size == 2:
        return load_signed_16(source, index * 2)
    if item_size == 4:
        return load_signed_32(source, index * 4)
    return load_64(source, index * 8)


@inlined
def _unsigned(source: int, index: int, item_size: int) -> int:
    if item_size == 1:
        return load_8(source, index)
    if item_size == 2:
        return load_16(source, index * 2)
    return load_32(source, index * 4)


@inlined
def _put(destination: int, index: int, item_size: int, value: int) -> None:
    if item_size == 4:
        store_32(destination, index * 4, value)
    else:
        store_64(destination, index * 8, value)


# ------------------------------------------------------------------------------------- widening


@inlined
def _widen(
    source: int, item_size: int, is_signed: int, count: int, destination: int, size: int
) -> None:
    for index in range(count):
        if is_signed:
            _put(destination, index, size, _integer(source, index, item_size))
        else:
            _put(destination, index, size, _unsigned(source, index, item_size))


@helper
def _widen_signed(source: int, item_size: int, count: int, destination: int, size: int) -> None:
    if size == 4:
        if item_size == 1:
            _widen(source, 1, 1, count, destination, 4)
        else:
            _widen(source, 2, 1, count, destination, 4)
    elif item_size == 1:
        _widen(source, 1, 1, count, destination, 8)
    elif item_size == 2:
        _widen(source, 2, 1, count, destination, 8)
    else:
        _widen(source, 4, 1, count, destination, 8)


@helper
def _widen_unsigned(source: int, item_size: int, count: int, destination: int, size: int) -> None:
    if size == 4:
        if item_size == 1:
            _widen(source, 1, 0, count, destination, 4)
        else:
            _widen(source, 2, 0, count, destination, 4)
    elif item_size == 1:
        _widen(source, 1, 0, count, destination, 8)
    elif item_size == 2:
        _widen(source, 2, 0, count, destination, 8)
    else:
        _widen(source, 4, 0, count, destination, 8)


# ---------------------------------------------------------------------------------------- ranges


@inlined
def _first_outside(source: int, item_size: int, count: int, least: int, most: int) -> int:
    """Return the index of the first value that is not in a range; there is one."""
    for index in range(count):
        value = _integer(source, index, item_size)
        if value < least or value > most:
            return index
    return count


@inlined
def _times(
    source: int,
    item_size: int,
    count: int,
    factor: int,
    least: int,
    most: int,
    destination: int,
    size: int,
) -> int:
    """Multiply values; return the index of the first that overflows, or -1."""
    outside = 0
    for index in range(count):
        value = _integer(source, index, item_size)
        outside |= 1 if value < least else 0
        outside |= 1 if value > most else 0
        _put(destination, index, size, wrap(value * factor))
    if outside:
        return _first_outside(source, item_size, count, least, most)
    return -1


@helper
def _times_of_sizes(
    source: int, item_size: int, count: int, parameters: int, destination: int, size: int
) -> int:
    factor = load_64(parameters, FACTOR * 8)
    least = load_64(parameters, LEAST * 8)
    most = load_64(parameters, MOST * 8)
    if item_size == 8:
        if size == 8:
            return _times(source, 8, count, factor, least, most, destination, 8)
        return _times(source, 8, count, factor, least, most, destination, 4)
    if size == 8:
        return _times(source, 4, count, factor, least, most, destination, 8)
    return _times(source, 4, count, factor, least, most, destination, 4)


# -------------------------------------------------------------------------------------- division


@inlined
def _divided(
    source: int,
    item_size: int,
    count: int,
    factor: int,
    parameters: int,
    destination: int,
    size: int,
) -> int:
    """Divide values, rounding down; return the index of the first that cannot be, or -1."""
    least = load_64(parameters, LEAST * 8)
    most = load_64(parameters, MOST * 8)
    mask = -1 if load_64(parameters, IS_LOSSY * 8) == 0 else 0
    outside = 0
    for index in range(count):
        value = _integer(source, index, item_size)
        quotient = value // factor
        outside |= (value - quotient * factor) & mask
        outside |= 1 if quotient < least else 0
        outside |= 1 if quotient > most else 0
        _put(destination, index, size, quotient)
    if outside:
        for index in range(count):
            value = _integer(source, index, item_size)
            quotient = value // factor
            rest = (value - quotient * factor) & mask
            if rest != 0 or quotient < least or quotient > most:
                return index
    return -1


@helper
def _divided_of_sizes(
    source: int, item_size: int, count: int, parameters: int, destination: int, size: int
) -> int:
    factor = load_64(parameters, FACTOR * 8)
    # Compilers divide by constants many times as fast.
    if item_size == 8 and size == 8:
        if factor == 1000:
            return _divided(source, 8, count, 1000, parameters, destination, 8)
        if factor == 1_000_000:
            return _divided(source, 8, count, 1_000_000, parameters, destination, 8)
        if factor == 1_000_000_000:
            return _divided(source, 8, count, 1_000_000_000, parameters, destination, 8)
        return _divided(source, 8, count, factor, parameters, destination, 8)
    if item_size == 8:
        if factor == 86_400:
            return _divided(source, 8, count, 86_400, parameters, destination, 4)
        if factor == 86_400_000:
            return _divided(source, 8, count, 86_400_000, parameters, destination, 4)
        if factor == 86_400_000_000:
            return _divided(source, 8, count, 86_400_000_000, parameters, destination, 4)
        if factor == _DAY_NS:
            return _divided(source, 8, count, _DAY_NS, parameters, destination, 4)
        return _divided(source, 8, count, factor, parameters, destination, 4)
    if size == 8:
        return _divided(source, 4, count, factor, parameters, destination, 8)
    return _divided(source, 4, count, factor, parameters, destination, 4)


@helper
def _int96(source: int, count: int, destination: int) -> None:
    for index in range(count):
        value = load_64(source, index * 8)
        days = value // _DAY_NS
        store_64(destination, index * 12, value - days * _DAY_NS)
        store_32(destination, index * 12 + 8, days + _EPOCH_JULIAN_DAY)


# -------------------------------------------------------------------------------------- decimals


@inlined
def _word(source: int, item_size: int, index: int, word: int) -> int:
    """Return eight bytes of a number, word 0 the lowest; above it, its sign."""
    if item_size == 4:
        value = load_signed_32(source, index * 4)
        return value if word == 0 else value >> 63
    if word * 8 < item_size:
        return load_64(source, index * item_size + word * 8)
    return load_64(source, index * item_size + item_size - 8) >> 63


@inlined
def _compare(source: int, item_size: int, index: int, other: int, words: int) -> int:
    """Return -1, 0 or 1: a number is less than, equal to or more than another one."""
    mine = _word(source, item_size, index, words - 1)
    theirs = load_64(other, (words - 1) * 8)
    if mine != theirs:
        return -1 if mine < theirs else 1
    for below in range(1, words):
        mine = _word(source, item_size, index, words - 1 - below)
        theirs = load_64(other, (words - 1 - below) * 8)
        if mine != theirs:
            return -1 if unsigned_less(mine, theirs) else 1
    return 0


@inlined
def _are_near(source: int, item_size: int, count: int, least: int, most: int) -> bool:
    """Tell whether no number can be outside of a range, by the highest words alone."""
    words = (item_size + 7) >> 3
    lowest = load_64(least, (words - 1) * 8)
    highest = load_64(most, (words - 1) * 8)
    outside = 0
    for index in range(count):
        value = _word(source, item_size, index, words - 1)
        if words == 1:
            outside |= (1 if value < lowest else 0) | (1 if value > highest else 0)
        elif words == 2 and highest == 0:
            # What fits into one word: the other one only repeats its sign.
            low = load_64(source, index * item_size)
            outside |= value ^ (low >> 63)
            outside |= 1 if low < load_64(least, 0) else 0
            outside |= 1 if low > load_64(most, 0) else 0
        else:
            outside |= (1 if value <= lowest else 0) | (1 if value >= highest else 0)
    return outside == 0


@inlined
def _first_decimal_outside(source: int, item_size: int, count: int, parameters: int) -> int:
    """Return the index of the first number that is not in the range, or -1."""
    words = (item_size + 7) >> 3
    least = parameters + LEAST * 8
    most = parameters + MOST * 8
    if _are_near(source, item_size, count, least, most):
        return -1
    for index in range(count):
        if _compare(source, item_size, index, least, words) < 0:
            return index
        if _compare(source, item_size, index, most, words) > 0:
            return index
    return -1


@inlined
def _decimals(
    source: int, item_size: int, count: int, parameters: int, destination: int, size: int
) -> int:
    outside = _first_decimal_outside(source, item_size, count, parameters)
    if outside < 0:
        for index in range(count):
            _put(destination, index, size, _word(source, item_size, index, 0))
    return outside


@inlined
def _decimal_bytes(
    source: int, item_size: int, count: int, parameters: int, destination: int, size: int
) -> int:
    """Write numbers big-endian, in `size` bytes; up to 7 more are written behind them."""
    outside = _first_decimal_outside(source, item_size, count, parameters)
    if outside >= 0:
        return outside
    words = (size + 7) >> 3
    # Bytes of the highest word, which may have less than eight.
    head = size - 8 * (words - 1)
    for index in range(count):
        at = index * size
        highest = _word(source, item_size, index, words - 1)
        store_64(destination, at, reverse_bytes_64(wrap(highest << (64 - 8 * head))))
        for below in range(1, words):
            word = _word(source, item_size, index, words - 1 - below)
            store_64(destination, at + head + 8 * (below - 1), reverse_bytes_64(word))
    return -1


@helper
def _decimals_of_sizes(
    source: int, item_size: int, count: int, parameters: int, destination: int, size: int
) -> int:
    if item_size == 4:
        if size == 4:
            return _decimals(source, 4, count, parameters, destination, 4)
        return _decimals(source, 4, count, parameters, destination, 8)
    if item_size == 8:
        if size == 4:
            return _decimals(source, 8, count, parameters, destination, 4)
        return _decimals(source, 8, count, parameters, destination, 8)
    if item_size == 16:
        return _decimals(source, 16, count, parameters, destination, size)
    return _decimals(source, 32, count, parameters, destination, size)


@helper
def _decimal_bytes_of_sizes(
    source: int, item_size: int, count: int, parameters: int, destination: int, size: int
) -> int:
    if item_size == 4:
        return _decimal_bytes(source, 4, count, parameters, destination, size)
    if item_size == 8:
        return _decimal_bytes(source, 8, count, parameters, destination, size)
    if item_size == 16:
        if size == 16:
            return _decimal_bytes(source, 16, count, parameters, destination, 16)
        return _decimal_bytes(source, 16, count, parameters, destination, size)
    return _decimal_bytes(source, 32, count, parameters, destination, size)


# --------------------------------------------------------------------------------- all together


@helper
def _convert(
    conversion: int,
    source: int,
    item_size: int,
    count: int,
    parameters: int,
    destination: int,
    size: int,
) -> int:
    """Convert values; return the index of the first that cannot be stored, or -1."""
    if conversion == WIDEN_SIGNED:
        _widen_signed(source, item_size, count, destination, size)
    elif conversion == WIDEN_UNSIGNED:
        _widen_unsigned(source, item_size, count, destination, size)
    elif conversion == TIMES:
        return _times_of_sizes(source, item_size, count, parameters, destination, size)
    elif conversion == DIVIDED:
        return _divided_of_sizes(source, item_size, count, parameters, destination, size)
    elif conversion == INT96:
        _int96(source, count, destination)
    elif conversion == DECIMAL:
        return _decimals_of_sizes(source, item_size, count, parameters, destination, size)
    elif conversion == DECIMAL_BYTES:
        return _decimal_bytes_of_sizes(source, item_size, count, parameters, destination, size)
    elif conversion == FLOAT_TO_DOUBLE:
        for index in range(count):
            store_float64(destination, index * 8, load_float32(source, index * 4))
    else:
        for index in range(count):
            store_float32(destination, index * 4, load_float64(source, index * 8))
    return -1


@kernel
def store_values(
    conversion: int,
    flags: int,
    slots: int,
    count: int,
    source: int,
    item_size: int,
    parameters: int,
    scratch: int,
    destination: int,
    size: int,
) -> int:
    """Gather and convert values; return how many there are, or a fault.

    Parameters
    ----------
    conversion
        What becomes of them.
    flags, slots, count
        Which: of `count` slots those whose flag is 1; or those in slots, `count` numbers of 64
        bits; or, if both are 0, the first `count`.
    source, item_size
        Where they are, and how many bytes each has.
    parameters
        `PARAMETER_COUNT` numbers.
    scratch
        Room for one item more than `BLOCK_SIZE`.
    destination, size
        Where they go, and how many bytes each has then; 8 bytes are to spare.

    Returns
    -------
    int
        A value that cannot be stored is VALUE_RANGE, and its index among those that are gathered
        stands where others have a page.
    """
    if conversion < WIDEN_SIGNED or conversion > DOUBLE_TO_FLOAT:
        return -ENCODING_UNFIT
    done = 0
    at = 0
    while at < count:
        many = min(BLOCK_SIZE, count - at)
        found = many
        dense = scratch
        if flags != 0:
            found = gather_flagged(flags + at, many, source + at * item_size, item_size, scratch)
        elif slots != 0:
            gather_slots_of(slots + at * 8, many, source, item_size, scratch)
        else:
            dense = source + at * item_size
        to = destination + done * size
        outside = _convert(conversion, dense, item_size, found, parameters, to, size)
        if outside >= 0:
            return -((done + outside) * PLACE + VALUE_RANGE)
        done += found
        at += many
    return done
