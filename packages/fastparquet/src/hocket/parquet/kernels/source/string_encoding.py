"""Byte strings in memory to their encoded forms: plain, and with shared prefixes.

Strings are ``data[offsets[i]:offsets[i + 1]]``, with offsets of 64 bits that `measure_strings`
found right. The data is the user's: nothing behind its end is read. What is written to has 64 spare
bytes.
"""

from __future__ import annotations

from typing import Final

from hocket.parquet.kernels.faults import DICTIONARY_INDEX, NO_SPACE, STRING_LENGTH, VALUE_RANGE
from hocket.parquet.kernels.language import (
    copy,
    inlined,
    kernel,
    load_8,
    load_32,
    load_64,
    store_32,
    store_64,
    trailing_zeros,
)
from hocket.parquet.kernels.source.strings import copy_blocks

__all__ = [
    "encode_byte_arrays",
    "gather_entries",
    "measure_entries",
    "measure_strings",
    "split_fixed_prefixes",
    "split_prefixes",
]

#: Longer than that no byte string may be: lengths are signed numbers of 32 bits to many readers.
_NBYTES_MAX: Final = (1 << 31) - 1


@inlined
def _copy_within(destination: int, data: int, data_nbytes: int, begin: int, nbytes: int) -> None:
    """Copy a string in blocks where the data is long enough behind it."""
    if begin + nbytes + 32 <= data_nbytes:
        copy_blocks(destination, data + begin, nbytes)
    else:
        copy(destination, data + begin, nbytes)


@kernel
def measure_strings(offsets: int, count: int, data_nbytes: int) -> int:
    """Return how many bytes strings have together, or a fault if one is not in the data.

    So is one that is too long to be stored.
    """
    first = load_64(offsets, 0)
    if first < 0:
        return -STRING_LENGTH
    shortest = 0
    longest = 0
    for index in range(count):
        nbytes = load_64(offsets, index * 8 + 8) - load_64(offsets, index * 8)
        shortest = min(shortest, nbytes)
        longest = max(longest, nbytes)
    last = load_64(offsets, count * 8)
    if shortest < 0 or last > data_nbytes:
        return -STRING_LENGTH
    if longest > _NBYTES_MAX:
        return -VALUE_RANGE
    return last - first


@kernel
def encode_byte_arrays(
    offsets: int, count: int, data: int, data_nbytes: int, destination: int, capacity: int
) -> int:
    """Write each string behind its length in four bytes; return how many bytes that are."""
    position = 0
    begin = load_64(offsets, 0)
    if load_64(offsets, count * 8) - begin + 4 * count > capacity:
        return -NO_SPACE
    for index in range(count):
        end = load_64(offsets, index * 8 + 8)
        nbytes = end - begin
        store_32(destination, position, nbytes)
        _copy_within(destination + position + 4, data, data_nbytes, begin, nbytes)
        position += 4 + nbytes
        begin = end
    return position


@inlined
def _common(data: int, one: int, other: int, most: int) -> int:
    """Return how many bytes two strings have in common at their beginning, at most so many."""
    at = 0
    while at + 8 <= most:
        differing = load_64(data, one + at) ^ load_64(data, other + at)
        if differing != 0:
            return at + (trailing_zeros(differing) >> 3)
        at += 8
    while at < most and load_8(data, one + at) == load_8(data, other + at):
        at += 1
    return at


@kernel
def split_prefixes(
    offsets: int,
    count: int,
    data: int,
    data_nbytes: int,
    prefixes: int,
    suffixes: int,
    destination: int,
    capacity: int,
) -> int:
    """Write what of each string the one before it does not have; return how many bytes that are.

    Parameters
    ----------
    offsets, count, data, data_nbytes
        The strings.
    prefixes, suffixes
        Numbers of 32 bits, one a string: how many bytes are those of the one before, and how many
        follow.
    destination, capacity
        Where those that follow go; as many bytes as all strings have are enough.
    """
    if load_64(offsets, count * 8) - load_64(offsets, 0) > capacity:
        return -NO_SPACE
    position = 0
    before = 0
    before_nbytes = 0
    begin = load_64(offsets, 0)
    for index in range(count):
        end = load_64(offsets, index * 8 + 8)
        nbytes = end - begin
        shared = _common(data, begin, before, min(nbytes, before_nbytes))
        store_32(prefixes, index * 4, shared)
        store_32(suffixes, index * 4, nbytes - shared)
        _copy_within(destination + position, data, data_nbytes, begin + shared, nbytes - shared)
        position += nbytes - shared
        before = begin
        before_nbytes = nbytes
        begin = end
    return position


@kernel
def split_fixed_prefixes(
    width: int,
    count: int,
    data: int,
    data_nbytes: int,
    prefixes: int,
    suffixes: int,
    destination: int,
    capacity: int,
) -> int:
    """Do as `split_prefixes` for values of one width."""
    if count * width > min(capacity, data_nbytes):
        return -NO_SPACE
    position = 0
    shared = 0
    for index in range(count):
        begin = index * width
        if index > 0:
            shared = _common(data, begin, begin - width, width)
        store_32(prefixes, index * 4, shared)
        store_32(suffixes, index * 4, width - shared)
        _copy_within(destination + position, data, data_nbytes, begin + shared, width - shared)
        position += width - shared
    return position


@kernel
def measure_entries(codes: int, count: int, offsets: int, entry_count: int) -> int:
    """Return how many bytes the strings of these codes (32 bits) have together, or a fault."""
    total = 0
    for index in range(count):
        code = load_32(codes, index * 4)
        if code >= entry_count:
            return -DICTIONARY_INDEX
        total += load_64(offsets, code * 8 + 8) - load_64(offsets, code * 8)
    return total


@kernel
def gather_entries(
    codes: int,
    count: int,
    offsets: int,
    data: int,
    data_nbytes: int,
    ends: int,
    destination: int,
    capacity: int,
) -> int:
    """Write the strings of codes that `measure_entries` found right, and their offsets.

    `ends` are `count` + 1 numbers of 64 bits. The answer is the number of bytes, or a fault.
    """
    position = 0
    store_64(ends, 0, 0)
    for index in range(count):
        code = load_32(codes, index * 4)
        begin = load_64(offsets, code * 8)
        nbytes = load_64(offsets, code * 8 + 8) - begin
        if nbytes > capacity - position:
            return -NO_SPACE
        _copy_within(destination + position, data, data_nbytes, begin, nbytes)
        position += nbytes
        store_64(ends, index * 8 + 8, position)
    return position
