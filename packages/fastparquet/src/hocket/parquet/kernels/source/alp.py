"""Floating-point numbers as decimal integers (ALP), with exceptions."""

from __future__ import annotations

from hocket.parquet.kernels.faults import ALP_HEADER, BIT_WIDTH, COUNT_MISMATCH, TRUNCATED
from hocket.parquet.kernels.language import (
    float_of_integer,
    helper,
    inlined,
    kernel,
    load_8,
    load_16,
    load_32,
    load_64,
    load_float32,
    load_signed_32,
    shift_right,
    store_32,
    store_64,
    store_float32,
    store_float64,
    wrap,
)

__all__ = ["decode_alp"]

_HEADER_NBYTES = 7


@helper
def power_of_ten(exponent: int) -> int:
    """Return 10 to the power of up to 18."""
    power = 1
    for _ in range(exponent):
        power *= 10
    return power


@inlined
def _wide_field(source: int, bit: int, mask: int) -> int:
    """Return a field of up to 64 bits."""
    low = shift_right(load_64(source, bit >> 3), bit & 7)
    high = wrap(wrap(load_8(source, (bit >> 3) + 8) << (63 - (bit & 7))) << 1)
    return (low | high) & mask


@helper
def _decode_doubles(
    source: int, width: int, least: int, exponent: int, factor: int, destination: int, count: int
) -> int:
    # Powers up to 22 are exact, and so the quotient is the number nearest to 10 ** -exponent.
    up = float_of_integer(power_of_ten(factor))
    down = float_of_integer(1) / float_of_integer(power_of_ten(exponent))
    mask = shift_right(-1, 64 - width & 63) if width > 0 else 0
    if width <= 57:
        for index in range(count):
            bit = index * width
            field = shift_right(load_64(source, bit >> 3), bit & 7) & mask
            whole = wrap(least + field)
            store_float64(destination, index * 8, float_of_integer(whole) * up * down)
    else:
        for index in range(count):
            whole = wrap(least + _wide_field(source, index * width, mask))
            store_float64(destination, index * 8, float_of_integer(whole) * up * down)
    return 0


@helper
def _decode_singles(
    source: int, width: int, least: int, exponent: int, factor: int, destination: int, count: int
) -> int:
    up = float_of_integer(power_of_ten(factor))
    store_float32(destination, 0, float_of_integer(1) / float_of_integer(power_of_ten(exponent)))
    down = load_float32(destination, 0)
    mask = (1 << width) - 1
    for index in range(count):
        whole = least + (shift_right(load_64(source, index * width >> 3), index * width & 7) & mask)
        whole = wrap(whole << 32) >> 32
        # The product of two singles is exact in a double: each store is the only rounding.
        store_float32(destination, index * 4, float_of_integer(whole))
        store_float32(destination, index * 4, load_float32(destination, index * 4) * up)
        store_float32(destination, index * 4, load_float32(destination, index * 4) * down)
    return 0


@helper
def _patch(source: int, exceptions: int, item_size: int, destination: int, count: int) -> int:
    values = source + 2 * exceptions
    for index in range(exceptions):
        position = load_16(source, index * 2)
        if position >= count:
            return -ALP_HEADER
        if item_size == 8:
            store_64(destination, position * 8, load_64(values, index * 8))
        else:
            store_32(destination, position * 4, load_32(values, index * 4))
    return 0


@helper
def _decode_vector(source: int, end: int, item_size: int, destination: int, count: int) -> int:
    """Decode one vector; return the position behind it, or a fault."""
    if 5 + item_size > end - source:
        return -TRUNCATED
    exponent = load_8(source, 0)
    factor = load_8(source, 1)
    exceptions = load_16(source, 2)
    if factor > exponent or exponent > (18 if item_size == 8 else 10) or exceptions > count:
        return -ALP_HEADER
    width = load_8(source, 4 + item_size)
    if width > 8 * item_size:
        return -BIT_WIDTH
    packed = source + 5 + item_size
    nbytes = (count * width + 7) >> 3
    if nbytes + exceptions * (2 + item_size) > end - packed:
        return -TRUNCATED
    if item_size == 8:
        _decode_doubles(packed, width, load_64(source, 4), exponent, factor, destination, count)
    else:
        least = load_signed_32(source, 4)
        _decode_singles(packed, width, least, exponent, factor, destination, count)
    fault = _patch(packed + nbytes, exceptions, item_size, destination, count)
    if fault < 0:
        return fault
    return packed + nbytes + exceptions * (2 + item_size)


@kernel
def decode_alp(source: int, end: int, item_size: int, destination: int, count: int) -> int:
    """Decode singles (4) or doubles (8); return the position behind them, or a fault."""
    if end - source < _HEADER_NBYTES:
        return -TRUNCATED
    logarithm = load_8(source, 2)
    if load_8(source, 0) != 0 or load_8(source, 1) != 0 or not 3 <= logarithm <= 15:
        return -ALP_HEADER
    if load_signed_32(source, 3) != count:
        return -COUNT_MISMATCH
    offsets = source + _HEADER_NBYTES
    vectors = (count + (1 << logarithm) - 1) >> logarithm
    if vectors * 4 > end - offsets:
        return -TRUNCATED
    position = offsets + vectors * 4
    for vector in range(vectors):
        if load_32(offsets, vector * 4) != position - offsets:
            return -ALP_HEADER
        done = vector << logarithm
        many = min(1 << logarithm, count - done)
        position = _decode_vector(position, end, item_size, destination + done * item_size, many)
        if position < 0:
            return position
    return position
