"""Byte strings: from their plain form, or out of a dictionary, to offsets and bytes.

Offsets are positions in the data, 8 bytes each, one more than there are strings; the first one is
there before, and each string adds its end. The data has 64 spare bytes, so that strings are copied
in blocks.
"""

from __future__ import annotations

from hocket.parquet.kernels.faults import DICTIONARY_INDEX, NO_SPACE, STRING_LENGTH, TRUNCATED
from hocket.parquet.kernels.language import (
    inlined,
    kernel,
    load_32,
    load_64,
    load_signed_32,
    move_32,
    store_64,
)
from hocket.parquet.kernels.source.dictionary import largest_code

__all__ = [
    "copy_blocks",
    "decode_byte_arrays",
    "gather_strings",
    "total_of_byte_arrays",
    "total_of_codes",
]


@inlined
def copy_blocks(destination: int, source: int, nbytes: int) -> None:
    """Copy bytes in blocks of 32; up to 32 are read and written beyond them."""
    move_32(destination, source)
    done = 32
    while done < nbytes:
        move_32(destination + done, source + done)
        done += 32


@kernel
def total_of_byte_arrays(source: int, end: int, count: int) -> int:
    """Return how many bytes plain strings have together, or a fault."""
    position = source
    for _ in range(count):
        if end - position < 4:
            return -TRUNCATED
        length = load_32(position, 0)
        if length > end - position - 4:
            return -STRING_LENGTH
        position += 4 + length
    return position - source - 4 * count


@kernel
def decode_byte_arrays(
    source: int,
    end: int,
    count: int,
    offsets: int,
    data: int,
    data_position: int,
    capacity: int,
) -> int:
    """Decode plain strings; return the position behind them, or a fault.

    ``end - source - 4 * count`` bytes are enough; with fewer free ones the answer is that there is
    no space, and nothing was written.
    """
    # What all strings may have together: each one leaves room for the lengths of those behind it,
    # so that no more is ever written than there is space for.
    left = end - source - 4 * count
    if left < 0:
        return -TRUNCATED
    if left > capacity - data_position:
        return -NO_SPACE
    store_64(offsets, 0, data_position)
    position = source
    to = data + data_position
    for index in range(count):
        length = load_32(position, 0)
        position += 4
        if length > left:
            return -STRING_LENGTH
        left -= length
        copy_blocks(to, position, length)
        position += length
        to += length
        store_64(offsets, 8 + index * 8, to - data)
    return position


@kernel
def total_of_codes(codes: int, count: int, dictionary_offsets: int, dictionary_count: int) -> int:
    """Return how many bytes the strings of these codes have together, or a fault."""
    if largest_code(codes, count) >= dictionary_count:
        return -DICTIONARY_INDEX
    total = 0
    for index in range(count):
        at = load_signed_32(codes, index * 4) * 8
        total += load_64(dictionary_offsets, at + 8) - load_64(dictionary_offsets, at)
    return total


@kernel
def gather_strings(
    codes: int,
    count: int,
    dictionary_offsets: int,
    dictionary_data: int,
    offsets: int,
    data: int,
    data_position: int,
) -> int:
    """Write the strings of codes that `total_of_codes` found right; return the new end of the data.

    The dictionary's data has 64 readable bytes behind its end.
    """
    store_64(offsets, 0, data_position)
    position = data_position
    for index in range(count):
        code = load_signed_32(codes, index * 4)
        start = load_64(dictionary_offsets, code * 8)
        length = load_64(dictionary_offsets, code * 8 + 8) - start
        copy_blocks(data + position, dictionary_data + start, length)
        position += length
        store_64(offsets, 8 + index * 8, position)
    return position
