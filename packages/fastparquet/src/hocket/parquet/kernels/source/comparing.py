"""Byte strings against one key or a sorted list of them, for filters."""

from __future__ import annotations

from hocket.parquet.kernels.language import (
    helper,
    kernel,
    load_8,
    load_64,
    reverse_bytes_64,
    store_8,
    unsigned_less,
)

__all__ = ["find_strings", "order_strings"]


@helper
def order_of(one: int, one_at: int, one_nbytes: int, other: int, at: int, nbytes: int) -> int:
    """Return 0, 1 or 2: the first byte string is below, equal to or above the other."""
    common = min(one_nbytes, nbytes)
    index = 0
    while index + 8 <= common:
        left = load_64(one, one_at + index)
        right = load_64(other, at + index)
        if left != right:
            if unsigned_less(reverse_bytes_64(left), reverse_bytes_64(right)):
                return 0
            return 2
        index += 8
    while index < common:
        left = load_8(one, one_at + index)
        right = load_8(other, at + index)
        if left != right:
            if left < right:
                return 0
            return 2
        index += 1
    if one_nbytes == nbytes:
        return 1
    if one_nbytes < nbytes:
        return 0
    return 2


@kernel
def order_strings(
    offsets: int, data: int, count: int, key: int, key_nbytes: int, destination: int
) -> int:
    """Write a byte for each string: 0, 1 or 2 if it is below, equal to or above the key."""
    for index in range(count):
        begin = load_64(offsets, index * 8)
        end = load_64(offsets, index * 8 + 8)
        store_8(destination, index, order_of(data, begin, end - begin, key, 0, key_nbytes))
    return 0


@kernel
def find_strings(
    offsets: int,
    data: int,
    count: int,
    key_offsets: int,
    keys: int,
    key_count: int,
    destination: int,
) -> int:
    """Write 1 for each string that is among the sorted keys, 0 for others; return the ones."""
    found = 0
    for index in range(count):
        begin = load_64(offsets, index * 8)
        nbytes = load_64(offsets, index * 8 + 8) - begin
        low = 0
        high = key_count
        is_in = 0
        while low < high:
            middle = (low + high) >> 1
            key_begin = load_64(key_offsets, middle * 8)
            key_nbytes = load_64(key_offsets, middle * 8 + 8) - key_begin
            order = order_of(data, begin, nbytes, keys, key_begin, key_nbytes)
            if order == 1:
                is_in = 1
                low = high
            elif order == 0:
                high = middle
            else:
                low = middle + 1
        store_8(destination, index, is_in)
        found += is_in
    return found
