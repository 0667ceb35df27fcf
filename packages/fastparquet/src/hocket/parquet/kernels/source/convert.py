"""Values from the form in which they are stored to the form that is wanted.

The numbers of the conversions are those of `hocket.parquet.decode.target.Conversion`.
"""

from __future__ import annotations

from hocket.parquet.kernels.faults import VALUE_RANGE
from hocket.parquet.kernels.language import (
    copy,
    fill,
    float_of_integer,
    helper,
    inlined,
    kernel,
    load_64,
    load_signed_32,
    reverse_bytes_64,
    store_8,
    store_16,
    store_32,
    store_64,
    store_float64,
    unsigned_less,
    wrap,
)
from hocket.parquet.kernels.source.hybrid import flags_of_bits

__all__ = ["convert", "decimals_to_float"]

COPY = 0
NARROW_8 = 1
NARROW_16 = 2
WIDEN_64 = 3
WIDEN_128 = 4
DAYS_TO_SECONDS = 5
INT96_TO_SECONDS = 6
INT96_TO_MILLIS = 7
INT96_TO_MICROS = 8
INT96_TO_NANOS = 9
BIG_ENDIAN_32 = 10
BIG_ENDIAN_64 = 11
BIG_ENDIAN_128 = 12
BIG_ENDIAN_256 = 13
BOOLEAN_BYTES = 14
WIDE_TICKS = 15
WIDE_TICKS_BY_THOUSAND = 16
WIDE_TICKS_BY_MILLION = 17
WIDE_TICKS_BY_BILLION = 18

_DAY_NS = 86_400_000_000_000
_EPOCH_JULIAN_DAY = 2_440_588
_LEAST = -0x8000000000000000
_NOT_A_TIME = _LEAST
_DAY_US = 86_400_000_000
# Days in which only Spark's overflowed microseconds lie, with a negative rest.
_OVERFLOWED_FROM = -109_192_580
_OVERFLOWED_TO = -106_751_991


@inlined
def _load(source: int, index: int, item_size: int) -> int:
    if item_size == 4:
        return load_signed_32(source, index * 4)
    return load_64(source, index * 8)


@helper
def _narrow(source: int, destination: int, count: int, bits: int) -> int:
    # Both signed and unsigned numbers of so many bits are let through.
    least = 1 << (bits - 1)
    outside = 0
    if bits == 8:
        for index in range(count):
            value = load_signed_32(source, index * 4)
            outside |= (value + least) | (255 - value)
            store_8(destination, index, value)
    else:
        for index in range(count):
            value = load_signed_32(source, index * 4)
            outside |= (value + least) | (65535 - value)
            store_16(destination, index * 2, value)
    return -VALUE_RANGE if outside < 0 else 0


@inlined
def _widen_128(source: int, destination: int, count: int, item_size: int) -> None:
    for index in range(count):
        value = _load(source, index, item_size)
        store_64(destination, index * 16, value)
        store_64(destination, index * 16 + 8, value >> 63)


@helper
def _without_overflow(days: int, nanos: int) -> tuple[int, int]:
    micros = wrap(wrap(days * _DAY_US) + nanos // 1000)
    days = micros // _DAY_US
    return days, (micros - days * _DAY_US) * 1000


@inlined
def _int96(source: int, destination: int, count: int, unit_ns: int, most_days: int) -> int:
    outside = 0
    for index in range(count):
        nanos = load_64(source, index * 12)
        days = load_signed_32(source, index * 12 + 8) - _EPOCH_JULIAN_DAY
        if unsigned_less(_DAY_NS - 1, nanos):
            if unit_ns >= 1000 and nanos < 0 and _OVERFLOWED_FROM <= days <= _OVERFLOWED_TO:
                # Spark counts microseconds since Julian day 0 in 64 bits. Its days and nanoseconds
                # of years after 287,564 are those of the overflow, which it undoes as it reads.
                days, nanos = _without_overflow(days, nanos)
            days += nanos // _DAY_NS
            nanos -= nanos // _DAY_NS * _DAY_NS
        # So near to the limits the sum is right in 64 bits, and has the sign of the day, or it
        # passes them, and has the other sign.
        result = wrap(wrap(days * (_DAY_NS // unit_ns)) + nanos // unit_ns)
        outside |= (days ^ result) | (most_days - days) | (days + most_days + 1)
        outside |= -(result == _NOT_A_TIME)
        store_64(destination, index * 8, result)
    return -VALUE_RANGE if outside < 0 else 0


@helper
def _wide_ticks(source: int, destination: int, count: int, divisor: int) -> int:
    """Divide integers of 96 bits, towards the past, by less than 2 ** 31."""
    outside = 0
    for index in range(count):
        low = load_64(source, index * 12)
        high = load_signed_32(source, index * 12 + 8)
        top = high // divisor
        rest = (high - top * divisor) << 32 | (low >> 32 & 0xFFFFFFFF)
        middle = rest // divisor
        rest = (rest - middle * divisor) << 32 | (low & 0xFFFFFFFF)
        result = wrap(middle << 32) | rest // divisor
        # What is above 64 bits may only repeat the sign.
        outside |= -(top != result >> 63) | -(result == _NOT_A_TIME)
        store_64(destination, index * 8, result)
    return -VALUE_RANGE if outside < 0 else 0


@inlined
def _big_endian_word(source: int, at: int, width: int, word: int, sign: int) -> int:
    """Return eight bytes of a big-endian number, the lowest eight being word 0."""
    first = width - 8 * (word + 1)
    if first >= 0:
        return reverse_bytes_64(load_64(source, at + first))
    if first > -8:
        return reverse_bytes_64(load_64(source, at)) >> (-8 * first)
    return sign


@inlined
def _big_endian(source: int, width: int, destination: int, count: int, item_size: int) -> int:
    if width > item_size:
        return -VALUE_RANGE
    if width <= 0:
        fill(destination, 0, count * item_size)
        return 0
    for index in range(count):
        at = index * width
        sign = reverse_bytes_64(load_64(source, at)) >> 63
        if item_size == 4:
            store_32(destination, index * 4, _big_endian_word(source, at, width, 0, sign))
        else:
            for word in range(item_size >> 3):
                part = _big_endian_word(source, at, width, word, sign)
                store_64(destination, index * item_size + word * 8, part)
    return 0


@kernel
def convert(conversion: int, source: int, destination: int, count: int, width: int) -> int:
    """Convert values of `width` bytes (the stored form's); return 0 or a fault.

    Up to 8 bytes behind the source are read. Where source and destination items are equally wide
    the two may be one.
    """
    if conversion == NARROW_8:
        return _narrow(source, destination, count, 8)
    if conversion == NARROW_16:
        return _narrow(source, destination, count, 16)
    if conversion == WIDEN_64:
        for index in range(count):
            store_64(destination, index * 8, load_signed_32(source, index * 4))
    elif conversion == WIDEN_128:
        if width == 4:
            _widen_128(source, destination, count, 4)
        else:
            _widen_128(source, destination, count, 8)
    elif conversion == DAYS_TO_SECONDS:
        for index in range(count):
            store_64(destination, index * 8, load_signed_32(source, index * 4) * 86400)
    elif conversion == INT96_TO_SECONDS:
        return _int96(source, destination, count, 1_000_000_000, 1 << 40)
    elif conversion == INT96_TO_MILLIS:
        return _int96(source, destination, count, 1_000_000, 106_751_991_166)
    elif conversion == INT96_TO_MICROS:
        return _int96(source, destination, count, 1000, 106_751_991)
    elif conversion == INT96_TO_NANOS:
        return _int96(source, destination, count, 1, 106_751)
    elif conversion == BIG_ENDIAN_32:
        return _big_endian(source, width, destination, count, 4)
    elif conversion == BIG_ENDIAN_64:
        return _big_endian(source, width, destination, count, 8)
    elif conversion == BIG_ENDIAN_128:
        return _big_endian(source, width, destination, count, 16)
    elif conversion == BIG_ENDIAN_256:
        return _big_endian(source, width, destination, count, 32)
    elif conversion == WIDE_TICKS:
        return _wide_ticks(source, destination, count, 1)
    elif conversion == WIDE_TICKS_BY_THOUSAND:
        return _wide_ticks(source, destination, count, 1000)
    elif conversion == WIDE_TICKS_BY_MILLION:
        return _wide_ticks(source, destination, count, 1_000_000)
    elif conversion == WIDE_TICKS_BY_BILLION:
        return _wide_ticks(source, destination, count, 1_000_000_000)
    elif conversion == BOOLEAN_BYTES:
        flags_of_bits(source, destination, count)
    else:
        copy(destination, source, count * width)
    return 0


@helper
def _nearest_quotient(value: int, divisor: int) -> float:
    """Divide an integer of more than 53 bits by less than 2 ** 60, rounding once."""
    if value == _LEAST:
        # It has no positive counterpart; and as a power of two it is exact.
        return float_of_integer(value) / float_of_integer(divisor)
    magnitude = -value if value < 0 else value
    quotient = magnitude // divisor
    rest = magnitude - quotient * divisor
    scale = 1
    # Long division until there are two bits more than a double holds; then one for the rest.
    while quotient < 1 << 55:
        rest <<= 1
        quotient <<= 1
        if rest >= divisor:
            rest -= divisor
            quotient |= 1
        scale <<= 1
    if rest > 0:
        quotient |= 1
    result = float_of_integer(quotient) / float_of_integer(scale)
    return -result if value < 0 else result


@kernel
def decimals_to_float(source: int, width: int, destination: int, count: int, scale: int) -> int:
    """Divide integers of 4 or 8 bytes by a power of ten, to the nearest double; return 0."""
    if not 0 <= scale <= 18:
        return -VALUE_RANGE
    divisor = 1
    for _ in range(scale):
        divisor *= 10
    by = float_of_integer(divisor)
    if width == 4:
        for index in range(count):
            value = float_of_integer(load_signed_32(source, index * 4))
            store_float64(destination, index * 8, value / by)
        return 0
    large = 0
    for index in range(count):
        whole = load_64(source, index * 8)
        large |= (whole + (1 << 53)) | ((1 << 53) - whole)
        store_float64(destination, index * 8, float_of_integer(whole) / by)
    if large < 0:
        for index in range(count):
            whole = load_64(source, index * 8)
            if whole > 1 << 53 or whole < -(1 << 53):
                store_float64(destination, index * 8, _nearest_quotient(whole, divisor))
    return 0
