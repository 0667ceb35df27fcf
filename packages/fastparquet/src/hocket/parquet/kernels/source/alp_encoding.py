"""Floating-point numbers as decimal integers (ALP), with exceptions: writing them.

A number is stored as the integer that comes closest to ``number * 10 ** exponent / 10 ** factor``
if the way back, by the formula of the format, leads to exactly the same bits; else it is an
exception. Which powers are tried is decided once a page from some vectors, and in each vector from
some of its numbers.
"""

from __future__ import annotations

from typing import Final

from hocket.parquet.kernels.faults import ENCODING_UNFIT, NO_SPACE
from hocket.parquet.kernels.language import (
    fill,
    float_of_integer,
    helper,
    inlined,
    kernel,
    load_8,
    load_32,
    load_64,
    load_float32,
    load_float64,
    store_8,
    store_16,
    store_32,
    store_64,
    store_float32,
    store_float64,
    wrap,
)
from hocket.parquet.kernels.source.alp import power_of_ten
from hocket.parquet.kernels.source.bit_packing import SPARE_NBYTES, bit_length, pack_words

__all__ = ["HEADER_NBYTES", "SCRATCH_NBYTES", "VECTOR_SIZE", "encode_alp"]

_LOGARITHM: Final = 10
VECTOR_SIZE: Final = 1 << _LOGARITHM
HEADER_NBYTES: Final = 7

#: The scratch: integers of a vector, marks of those that are exceptions, votes for pairs of powers,
#: and the pairs that are tried.
_MARKS_AT: Final = VECTOR_SIZE * 8
_VOTES_AT: Final = _MARKS_AT + VECTOR_SIZE
#: Powers of ten there are, of doubles; a pair is a number, exponent * 19 + factor.
_POWERS: Final = 19
_PAIRS_AT: Final = _VOTES_AT + _POWERS * _POWERS * 8
_TRIED_MAX: Final = 5
SCRATCH_NBYTES: Final = _PAIRS_AT + _TRIED_MAX * 8

#: Vectors of a page, and numbers of a vector, that powers are chosen from.
_VECTORS_SAMPLED: Final = 8
_SAMPLED: Final = 64
_GLANCE: Final = 4

#: 3 * 2 ** 51: what is added to it is rounded to an integer, which then stands in the lowest bits.
_ROUNDING: Final = 6_755_399_441_055_744
_ROUNDING_BITS: Final = 0x4338000000000000
_LEAST_32: Final = -0x80000000
_MOST_32: Final = 0x7FFFFFFF


@inlined
def _mark_doubles(
    source: int, stride: int, count: int, exponent: int, factor: int, scratch: int
) -> int:
    """Write integers, and a mark for each number that is an exception; return how many are."""
    up = float_of_integer(power_of_ten(exponent))
    down = float_of_integer(1) / float_of_integer(power_of_ten(factor))
    back_up = float_of_integer(power_of_ten(factor))
    back_down = float_of_integer(1) / float_of_integer(power_of_ten(exponent))
    rounding = float_of_integer(_ROUNDING)
    marks = scratch + _MARKS_AT
    exceptions = 0
    for index in range(count):
        number = load_float64(source, index * stride * 8)
        store_float64(scratch, index * 8, number * up * down + rounding)
        integer = wrap(load_64(scratch, index * 8) - _ROUNDING_BITS)
        store_float64(scratch, index * 8, float_of_integer(integer) * back_up * back_down)
        differing = load_64(scratch, index * 8) ^ load_64(source, index * stride * 8)
        store_64(scratch, index * 8, integer)
        mark = 1 if differing != 0 else 0
        store_8(marks, index, mark)
        exceptions += mark
    return exceptions


@inlined
def _mark_singles(
    source: int, stride: int, count: int, exponent: int, factor: int, scratch: int
) -> int:
    up = float_of_integer(power_of_ten(exponent))
    back_up = float_of_integer(power_of_ten(factor))
    store_float32(scratch, 0, float_of_integer(1) / float_of_integer(power_of_ten(factor)))
    down = load_float32(scratch, 0)
    store_float32(scratch, 0, float_of_integer(1) / float_of_integer(power_of_ten(exponent)))
    back_down = load_float32(scratch, 0)
    rounding = float_of_integer(_ROUNDING)
    marks = scratch + _MARKS_AT
    exceptions = 0
    for index in range(count):
        # Each product is rounded to a single, as readers do it.
        at = index * 8
        store_float32(scratch, at, load_float32(source, index * stride * 4) * up)
        store_float64(scratch, at, load_float32(scratch, at) * down + rounding)
        integer = wrap(load_64(scratch, at) - _ROUNDING_BITS)
        store_float32(scratch, at, float_of_integer(integer))
        store_float32(scratch, at, load_float32(scratch, at) * back_up)
        store_float32(scratch, at, load_float32(scratch, at) * back_down)
        mark = 1 if load_32(scratch, at) != load_32(source, index * stride * 4) else 0
        mark |= 1 if integer < _LEAST_32 else 0
        mark |= 1 if integer > _MOST_32 else 0
        store_64(scratch, at, integer)
        store_8(marks, index, mark)
        exceptions += mark
    return exceptions


@helper
def _mark(
    source: int,
    item_size: int,
    stride: int,
    count: int,
    exponent: int,
    factor: int,
    scratch: int,
) -> int:
    """Write integers and marks of every `stride`-th number; return how many are exceptions."""
    if item_size == 8:
        if stride == 1:
            return _mark_doubles(source, 1, count, exponent, factor, scratch)
        return _mark_doubles(source, stride, count, exponent, factor, scratch)
    return _mark_singles(source, stride, count, exponent, factor, scratch)


@helper
def _least_in_place(scratch: int, count: int, exceptions: int) -> int:
    """Give exceptions the integer of the first number that is none; return the least integer."""
    marks = scratch + _MARKS_AT
    if exceptions > 0:
        placeholder = 0
        for index in range(count - 1, -1, -1):
            if load_8(marks, index) == 0:
                placeholder = load_64(scratch, index * 8)
        for index in range(count):
            integer = load_64(scratch, index * 8)
            store_64(scratch, index * 8, placeholder if load_8(marks, index) != 0 else integer)
    least = load_64(scratch, 0)
    for index in range(count):
        least = min(least, load_64(scratch, index * 8))
    return least


@inlined
def _width_above(scratch: int, count: int, least: int) -> int:
    """Take the least from integers; return how many bits the largest then has."""
    bits = 0
    for index in range(count):
        field = wrap(load_64(scratch, index * 8) - least)
        store_64(scratch, index * 8, field)
        bits |= field
    return bit_length(bits)


# ------------------------------------------------------------------------------------ the powers


@helper
def _cost(source: int, item_size: int, count: int, exponent: int, factor: int, scratch: int) -> int:
    """Return about how many bits some numbers of a vector take with these powers."""
    stride = max(count // _SAMPLED, 1)
    sampled = min(count, _SAMPLED)
    each = 8 * item_size + 16
    # Most powers fit no number at all.
    glance = min(sampled, _GLANCE)
    if _mark(source, item_size, stride, glance, exponent, factor, scratch) == glance:
        return sampled * (each + 1)
    exceptions = _mark(source, item_size, stride, sampled, exponent, factor, scratch)
    least = _least_in_place(scratch, sampled, exceptions)
    return sampled * _width_above(scratch, sampled, least) + exceptions * each


@helper
def _vote(source: int, item_size: int, count: int, scratch: int) -> None:
    """Vote for the powers that suit a vector best, the highest if there are several."""
    best = -1
    least_cost = 0
    exponent = 18 if item_size == 8 else 10
    while exponent >= 0:
        for factor in range(exponent + 1):
            cost = _cost(source, item_size, count, exponent, factor, scratch)
            if best < 0 or cost < least_cost:
                best = exponent * _POWERS + factor
                least_cost = cost
        exponent -= 1
    votes = scratch + _VOTES_AT
    store_64(votes, best * 8, load_64(votes, best * 8) + 1)


@helper
def _choose(source: int, item_size: int, count: int, scratch: int) -> int:
    """Note the pairs of powers that are to be tried; return how many there are."""
    votes = scratch + _VOTES_AT
    fill(votes, 0, _POWERS * _POWERS * 8)
    vectors = (count + VECTOR_SIZE - 1) >> _LOGARITHM
    step = (vectors + _VECTORS_SAMPLED - 1) // _VECTORS_SAMPLED
    for vector in range(0, vectors, step):
        done = vector << _LOGARITHM
        _vote(source + done * item_size, item_size, min(VECTOR_SIZE, count - done), scratch)
    tried = 0
    while tried < _TRIED_MAX:
        best = 0
        for pair in range(_POWERS * _POWERS):
            if load_64(votes, pair * 8) > load_64(votes, best * 8):
                best = pair
        if load_64(votes, best * 8) == 0:
            return tried
        store_64(votes, best * 8, 0)
        store_64(scratch + _PAIRS_AT, tried * 8, best)
        tried += 1
    return tried


@helper
def _best_pair(source: int, item_size: int, count: int, tried: int, scratch: int) -> int:
    """Return the pair of powers, among those that are tried, that suits a vector best."""
    best = load_64(scratch + _PAIRS_AT, 0)
    if tried == 1:
        return best
    least_cost = 0
    for index in range(tried):
        pair = load_64(scratch + _PAIRS_AT, index * 8)
        cost = _cost(source, item_size, count, pair // _POWERS, pair % _POWERS, scratch)
        if index == 0 or cost < least_cost:
            best = pair
            least_cost = cost
    return best


# ----------------------------------------------------------------------------------- the vectors


@helper
def _write_exceptions(
    source: int, item_size: int, count: int, exceptions: int, scratch: int, destination: int
) -> int:
    """Write positions and bits of exceptions; return the position behind them."""
    marks = scratch + _MARKS_AT
    values = destination + 2 * exceptions
    found = 0
    for index in range(count):
        if load_8(marks, index) != 0:
            store_16(destination, found * 2, index)
            if item_size == 8:
                store_64(values, found * 8, load_64(source, index * 8))
            else:
                store_32(values, found * 4, load_32(source, index * 4))
            found += 1
    return values + exceptions * item_size


@helper
def _write_vector(
    source: int, item_size: int, count: int, pair: int, scratch: int, to: int, stop: int
) -> int:
    """Write a vector; return the position behind it, or a fault."""
    exponent = pair // _POWERS
    factor = pair % _POWERS
    exceptions = _mark(source, item_size, 1, count, exponent, factor, scratch)
    least = _least_in_place(scratch, count, exceptions)
    width = _width_above(scratch, count, least)
    nbytes = (count * width + 7) >> 3
    if stop - to < 5 + item_size + nbytes + exceptions * (2 + item_size):
        return -NO_SPACE
    store_8(to, 0, exponent)
    store_8(to, 1, factor)
    store_16(to, 2, exceptions)
    store_64(to, 4, least)
    to += 4 + item_size
    store_8(to, 0, width)
    to += 1
    groups = (count + 7) >> 3
    fill(scratch + count * 8, 0, groups * 64 - count * 8)
    pack_words(scratch, width, to, groups)
    return _write_exceptions(source, item_size, count, exceptions, scratch, to + nbytes)


@kernel
def encode_alp(
    source: int, item_size: int, count: int, destination: int, capacity: int, scratch: int
) -> int:
    """Encode singles (4) or doubles (8); return how many bytes that are, or a fault.

    The last 32 bytes of the capacity are only to spare; the scratch has `SCRATCH_NBYTES`.
    """
    if item_size != 4 and item_size != 8:
        return -ENCODING_UNFIT
    vectors = (count + VECTOR_SIZE - 1) >> _LOGARITHM
    stop = destination + capacity - SPARE_NBYTES
    if stop - destination < HEADER_NBYTES + 4 * vectors:
        return -NO_SPACE
    store_8(destination, 0, 0)
    store_8(destination, 1, 0)
    store_8(destination, 2, _LOGARITHM)
    store_32(destination, 3, count)
    offsets = destination + HEADER_NBYTES
    to = offsets + 4 * vectors
    if count == 0:
        return to - destination
    tried = _choose(source, item_size, count, scratch)
    for vector in range(vectors):
        store_32(offsets, vector * 4, to - offsets)
        done = vector << _LOGARITHM
        many = min(VECTOR_SIZE, count - done)
        begin = source + done * item_size
        pair = _best_pair(begin, item_size, many, tried, scratch)
        to = _write_vector(begin, item_size, many, pair, scratch, to, stop)
        if to < 0:
            return to
    return to - destination
