"""The hybrid of runs and bit-packed groups: its headers, levels and flags.

A stream is a row of runs. The header's lowest bit tells groups of eight bit-packed values from one
value that repeats. A run may be longer than what is wanted (it is clipped), the last group may lack
bytes that nobody needs, and no run is empty: so each one brings the reader forward.
"""

from __future__ import annotations

from hocket.parquet.kernels.faults import (
    BIT_WIDTH,
    LEVEL_ABOVE_MAXIMUM,
    RUN_EMPTY,
    TRUNCATED,
    VARINT_TOO_LONG,
)
from hocket.parquet.kernels.language import (
    fill,
    helper,
    inlined,
    kernel,
    load_8,
    load_64,
    population,
    reverse_bytes_64,
    shift_right,
    store_8,
    store_64,
    wrap,
)
from hocket.parquet.kernels.source.varint import read_varint

__all__ = [
    "bytes_of_bits",
    "count_equal",
    "decode_flags",
    "decode_levels",
    "decode_packed_levels",
    "flags_of_bits",
    "levels_are_constant",
    "read_run",
    "repeated_value",
    "run_end",
    "skip_runs",
    "values_of_run",
]

_ONES = 0x0101010101010101
_DIAGONAL = (
    -0x7FBFDFEFF7FBFDFF
)  # the lowest bit of the lowest byte, ..., the highest of the highest
_BELOW_HIGH = 0x7F7F7F7F7F7F7F7F
_HIGH = -0x7F7F7F7F7F7F7F80  # the highest bit of each byte


@inlined
def read_run(source: int, end: int) -> tuple[int, int]:
    """Return a run's header and the position behind it (negative: a fault)."""
    header = 0
    position = -TRUNCATED
    if source < end:
        header = load_8(source, 0)
        position = source + 1
        if header >= 128:
            header, position = read_varint(source, end)
            if shift_right(header, 32) != 0:
                position = -VARINT_TOO_LONG
        if header < 2 and position >= 0:
            position = -RUN_EMPTY
    return header, position


@inlined
def run_end(source: int, end: int, bit_width: int, header: int, many: int) -> int:
    """Return where a run ends of whose values `many` are wanted, or a fault."""
    if header & 1:
        if (many * bit_width + 7) >> 3 > end - source:
            return -TRUNCATED
        return min(source + (header >> 1) * bit_width, end)
    if (bit_width + 7) >> 3 > end - source:
        return -TRUNCATED
    return source + ((bit_width + 7) >> 3)


@inlined
def values_of_run(header: int) -> int:
    """Return how many values a run has."""
    if header & 1:
        return (header >> 1) * 8
    return header >> 1


@inlined
def repeated_value(source: int, bit_width: int) -> int:
    """Return the value that a run repeats (it may have more bits than it should)."""
    return load_64(source, 0) & ((1 << ((bit_width + 7) & 56)) - 1)


@inlined
def bytes_of_bits(eight: int) -> int:
    """Return the lowest eight bits as eight bytes of 0 or 1."""
    # Each byte gets all eight bits, keeps its own, and carries that up to the highest place.
    own = wrap((eight & 255) * _ONES) & _DIAGONAL
    return shift_right(wrap(own + _BELOW_HIGH), 7) & _ONES


@inlined
def _bytes_of_fields(fields: int, width: int, four: int, two: int, one: int) -> int:
    """Return the lowest eight fields of up to 8 bits as bytes: halves, quarters, single ones."""
    halves = (fields & four) | wrap((shift_right(fields, 4 * width) & four) << 32)
    quarters = (halves & two) | wrap((shift_right(halves, 2 * width) & two) << 16)
    return (quarters & one) | wrap((shift_right(quarters, width) & one) << 8)


@helper
def _unpack_levels(source: int, width: int, destination: int, count: int, bias: int) -> int:
    """Unpack fields of up to 8 bits to bytes; return bits that are high where one is too large."""
    four = (1 << (4 * width)) - 1
    two = ((1 << (2 * width)) - 1) * 0x0000000100000001
    one = ((1 << width) - 1) * 0x0001000100010001
    whole = count >> 3
    above = 0
    for group in range(whole):
        levels = _bytes_of_fields(load_64(source, group * width), width, four, two, one)
        above |= wrap(levels + bias)
        store_64(destination, group * 8, levels)
    rest = count & 7
    if rest:
        levels = _bytes_of_fields(load_64(source, whole * width), width, four, two, one)
        levels &= (1 << (8 * rest)) - 1
        above |= wrap(levels + bias)
        for index in range(rest):
            store_8(destination, whole * 8 + index, shift_right(levels, 8 * index))
    return above & _HIGH


@kernel
def decode_levels(
    source: int, end: int, bit_width: int, destination: int, count: int, maximum: int
) -> int:
    """Decode levels to bytes, none above `maximum`; return the position behind them."""
    if not 0 <= bit_width <= 8:
        return -BIT_WIDTH
    if bit_width == 0:
        fill(destination, 0, count)
        return end
    # Added to a level that is too large, it brings up the byte's highest bit.
    bias = max(127 - maximum, 0) * _ONES if bit_width < 8 else 0
    done = 0
    while done < count:
        header, source = read_run(source, end)
        if source < 0:
            return source
        many = min(values_of_run(header), count - done)
        after = run_end(source, end, bit_width, header, many)
        if after < 0:
            return after
        if header & 1:
            above = _unpack_levels(source, bit_width, destination + done, many, bias)
            if above != 0 and bit_width < 8:
                return -LEVEL_ABOVE_MAXIMUM
        else:
            level = repeated_value(source, bit_width)
            if level > maximum:
                return -LEVEL_ABOVE_MAXIMUM
            fill(destination + done, level, many)
        done += many
        source = after
    if bit_width == 8 and _largest_byte(destination, count) > maximum:
        return -LEVEL_ABOVE_MAXIMUM
    return source


@helper
def _largest_byte(source: int, count: int) -> int:
    largest = 0
    for index in range(count):
        largest = max(largest, load_8(source, index))
    return largest


@kernel
def levels_are_constant(source: int, end: int, bit_width: int, count: int) -> int:
    """Return the value of a stream that begins with one run of all its values, or -1.

    It is not checked against a maximum. A damaged stream is not constant.
    """
    if bit_width == 0:
        return 0
    header, source = read_run(source, end)
    if source < 0 or header & 1 or header >> 1 < count or (bit_width + 7) >> 3 > end - source:
        return -1
    return repeated_value(source, bit_width)


@helper
def decode_flags(source: int, end: int, destination: int, count: int) -> tuple[int, int]:
    """Decode values of one bit to bytes of 0 or 1.

    Return the position behind them (negative: a fault) and how many ones there are.
    """
    ones = 0
    done = 0
    while done < count:
        header, source = read_run(source, end)
        if source < 0:
            return source, 0
        many = min(values_of_run(header), count - done)
        after = run_end(source, end, 1, header, many)
        if after < 0:
            return after, 0
        if header & 1:
            ones += flags_of_bits(source, destination + done, many)
        else:
            flag = load_8(source, 0)
            if flag > 1:
                return -LEVEL_ABOVE_MAXIMUM, 0
            fill(destination + done, flag, many)
            ones += flag * many
        done += many
        source = after
    return source, ones


@helper
def flags_of_bits(source: int, destination: int, count: int) -> int:
    """Write a byte of 0 or 1 for each bit, lowest first; return how many ones there are."""
    whole = count >> 3
    ones = 0
    for group in range(whole):
        store_64(destination, group * 8, bytes_of_bits(load_8(source, group)))
    for group in range(whole >> 3):
        ones += population(load_64(source, group * 8))
    for group in range(whole & -8, whole):
        ones += population(load_8(source, group))
    if count & 7:
        last = load_8(source, whole) & ((1 << (count & 7)) - 1)
        ones += population(last)
        for index in range(count & 7):
            store_8(destination, whole * 8 + index, (last >> index) & 1)
    return ones


@kernel
def decode_flags_position(source: int, end: int, destination: int, count: int) -> int:
    """Decode values of one bit to bytes; return the position behind them, or a fault."""
    position, _ = decode_flags(source, end, destination, count)
    return position


@kernel
def decode_packed_levels(
    source: int, end: int, bit_width: int, destination: int, count: int, maximum: int
) -> int:
    """Decode levels of the deprecated encoding: packed with the highest bit first, and no runs."""
    if not 0 <= bit_width <= 8:
        return -BIT_WIDTH
    if (count * bit_width + 7) >> 3 > end - source:
        return -TRUNCATED
    mask = (1 << bit_width) - 1
    largest = 0
    for index in range(count):
        bit = index * bit_width
        word = reverse_bytes_64(load_64(source, bit >> 3))
        level = shift_right(word, 64 - bit_width - (bit & 7)) & mask
        largest = max(largest, level)
        store_8(destination, index, level)
    if largest > maximum:
        return -LEVEL_ABOVE_MAXIMUM
    return source + ((count * bit_width + 7) >> 3)


@kernel
def count_equal(levels: int, count: int, value: int) -> int:
    """Return how many of these bytes have a value."""
    many = 0
    for index in range(count):
        many += load_8(levels, index) == value
    return many


@kernel
def skip_runs(source: int, end: int, bit_width: int, count: int) -> int:
    """Return the position behind a stream of so many values, or a fault."""
    if not 0 <= bit_width <= 32:
        return -BIT_WIDTH
    if bit_width == 0:
        return end
    done = 0
    while done < count:
        header, source = read_run(source, end)
        if source < 0:
            return source
        many = min(values_of_run(header), count - done)
        source = run_end(source, end, bit_width, header, many)
        if source < 0:
            return source
        done += many
    return source
