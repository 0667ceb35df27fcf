"""Byte strings whose lengths, or shared prefixes, are delta-encoded.

The lengths are decoded into the place of the offsets: a prefix into the lower half of each, a
suffix into the upper one. So no other memory is needed.
"""

from __future__ import annotations

from hocket.parquet.kernels.faults import DELTA_PREFIX, NO_SPACE, STRING_LENGTH
from hocket.parquet.kernels.language import (
    copy,
    inlined,
    kernel,
    load_8,
    load_signed_32,
    move_32,
    store_8,
    store_64,
)
from hocket.parquet.kernels.source.delta import decode_delta_lengths

__all__ = [
    "decode_delta_fixed",
    "decode_delta_length_strings",
    "decode_delta_strings",
    "measure_delta_strings",
]


@kernel
def decode_delta_length_strings(
    source: int,
    end: int,
    count: int,
    offsets: int,
    data: int,
    data_position: int,
    capacity: int,
) -> int:
    """Decode strings behind their lengths; return the position behind them, or a fault.

    ``end - source`` bytes are enough; if there are too few, the answer is that there is no space.
    """
    source = decode_delta_lengths(source, end, offsets + 8, count)
    if source < 0:
        return source
    position = data_position
    negative = 0
    store_64(offsets, 0, position)
    for index in range(count):
        length = load_signed_32(offsets, 8 + index * 8)
        negative |= length
        position += length
        store_64(offsets, 8 + index * 8, position)
    nbytes = position - data_position
    if negative < 0 or nbytes > end - source:
        return -STRING_LENGTH
    if position > capacity:
        return -NO_SPACE
    copy(data + data_position, source, nbytes)
    return source + nbytes


@inlined
def _decode_lengths(source: int, end: int, lengths: int, count: int) -> int:
    """Decode prefix and suffix lengths side by side; return the position of the suffixes."""
    source = decode_delta_lengths(source, end, lengths, count)
    if source < 0:
        return source
    return decode_delta_lengths(source, end, lengths + 4, count)


@inlined
def _total(source: int, end: int, lengths: int, count: int) -> int:
    """Check lengths; return how many bytes the strings have, or a fault."""
    total = 0
    before = 0
    suffixes = 0
    for index in range(count):
        prefix = load_signed_32(lengths, index * 8)
        suffix = load_signed_32(lengths, index * 8 + 4)
        if prefix < 0 or prefix > before:
            return -DELTA_PREFIX
        if suffix < 0:
            return -STRING_LENGTH
        before = prefix + suffix
        suffixes += suffix
        total += before
    if suffixes > end - source:
        return -STRING_LENGTH
    return total


@kernel
def measure_delta_strings(source: int, end: int, count: int, offsets: int) -> int:
    """Return how many bytes strings of shared prefixes have together, or a fault.

    The places of the offsets, all but the first, are written over.
    """
    source = _decode_lengths(source, end, offsets + 8, count)
    if source < 0:
        return source
    return _total(source, end, offsets + 8, count)


@kernel
def decode_delta_strings(
    source: int,
    end: int,
    count: int,
    offsets: int,
    data: int,
    data_position: int,
    capacity: int,
) -> int:
    """Decode strings of shared prefixes; return the position behind them, or a fault.

    If there is no space for them, nothing is written but the places of the offsets, all but the
    first; `measure_delta_strings` tells how much they need.
    """
    source = _decode_lengths(source, end, offsets + 8, count)
    if source < 0:
        return source
    total = _total(source, end, offsets + 8, count)
    if total < 0:
        return total
    if total > capacity - data_position:
        return -NO_SPACE
    store_64(offsets, 0, data_position)
    to = data + data_position
    before = to
    for index in range(count):
        prefix = load_signed_32(offsets, 8 + index * 8)
        suffix = load_signed_32(offsets, 12 + index * 8)
        done = 0
        while done < prefix:
            move_32(to + done, before + done)
            done += 32
        before = to
        to += prefix
        done = 0
        while done < suffix:
            move_32(to + done, source + done)
            done += 32
        to += suffix
        source += suffix
        store_64(offsets, 8 + index * 8, to - data)
    return source


@kernel
def decode_delta_fixed(
    source: int, end: int, count: int, item_size: int, destination: int, lengths: int
) -> int:
    """Decode values of one width with shared prefixes; return the position behind them.

    `lengths` is memory for 8 bytes a value, that nothing else is kept in.
    """
    source = _decode_lengths(source, end, lengths, count)
    if source < 0:
        return source
    total = _total(source, end, lengths, count)
    if total < 0:
        return total
    for index in range(count):
        prefix = load_signed_32(lengths, index * 8)
        suffix = load_signed_32(lengths, index * 8 + 4)
        if prefix + suffix != item_size:
            return -STRING_LENGTH
        at = index * item_size
        for byte in range(prefix):
            store_8(destination, at + byte, load_8(destination, at - item_size + byte))
        for byte in range(suffix):
            store_8(destination, at + prefix + byte, load_8(source, byte))
        source += suffix
    return source
