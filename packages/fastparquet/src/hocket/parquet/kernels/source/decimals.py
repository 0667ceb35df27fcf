"""Decimals as byte strings of any length to integers of 16 or 32 bytes."""

from __future__ import annotations

from hocket.parquet.kernels.faults import STRING_LENGTH, VALUE_RANGE
from hocket.parquet.kernels.language import (
    fill,
    kernel,
    load_8,
    load_64,
    store_8,
)

__all__ = ["decimals_of_strings"]


@kernel
def decimals_of_strings(
    offsets: int, count: int, data: int, data_nbytes: int, destination: int, item_size: int
) -> int:
    """Write big-endian two's complement integers of any length little-endian, `item_size` bytes.

    Leading bytes beyond `item_size` may only repeat the sign. No bytes are the number 0: so stand
    missing values in byte strings.
    """
    end = load_64(offsets, 0)
    if end < 0:
        return -STRING_LENGTH
    for index in range(count):
        begin = end
        end = load_64(offsets, index * 8 + 8)
        if end < begin or end > data_nbytes:
            return -STRING_LENGTH
        to = index * item_size
        length = end - begin
        sign = 0
        if length and load_8(data, begin) >= 128:
            sign = 255
        while length > item_size:
            if load_8(data, begin) != sign:
                return -VALUE_RANGE
            begin += 1
            length -= 1
        if length == item_size and (load_8(data, begin) >> 7) != (sign & 1):
            return -VALUE_RANGE
        fill(destination + to, sign, item_size)
        for byte in range(length):
            store_8(destination, to + length - 1 - byte, load_8(data, begin + byte))
    return 0
