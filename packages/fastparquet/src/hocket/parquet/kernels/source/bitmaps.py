"""Validity: a byte a value (pandas) and a bit a value (Arrow)."""

from __future__ import annotations

from typing import Final

from hocket.parquet.kernels.language import (
    helper,
    kernel,
    load_8,
    load_64,
    population,
    shift_right,
    store_8,
    wrap,
)
from hocket.parquet.kernels.source.hybrid import flags_of_bits

__all__ = ["bitmap_of_bytes", "bytes_of_bitmap", "bytes_of_mask", "count_bits"]

#: Multiplying by it moves the lowest bit of byte k to bit 56 + k.
_GATHER: Final = 0x0102040810204080
_ONES: Final = 0x0101010101010101


@kernel
def bitmap_of_bytes(source: int, count: int, destination: int) -> int:
    """Write a bit for each byte of 0 or 1, lowest first; return how many ones there are.

    ``(count + 7) // 8`` bytes are written.
    """
    ones = 0
    for index in range(count >> 3):
        eight = load_64(source, index * 8) & _ONES
        ones += population(eight)
        store_8(destination, index, shift_right(wrap(eight * _GATHER), 56))
    rest = count & 7
    if rest:
        at = count - rest
        bits = 0
        for bit in range(rest):
            bits |= (load_8(source, at + bit) & 1) << bit
        ones += population(bits)
        store_8(destination, count >> 3, bits)
    return ones


@helper
def _head_of_bits(bit_offset: int, count: int) -> int:
    """Return how many bits lie before the first whole byte."""
    return min(-bit_offset & 7, count)


@kernel
def count_bits(source: int, bit_offset: int, count: int) -> int:
    """Return how many ones there are among `count` bits, lowest first."""
    head = _head_of_bits(bit_offset, count)
    ones = 0
    for bit in range(bit_offset, bit_offset + head):
        ones += (load_8(source, bit >> 3) >> (bit & 7)) & 1
    whole = source + ((bit_offset + head) >> 3)
    rest = count - head
    for word in range(rest >> 6):
        ones += population(load_64(whole, word * 8))
    for byte in range((rest >> 6) * 8, rest >> 3):
        ones += population(load_8(whole, byte))
    if rest & 7:
        ones += population(load_8(whole, rest >> 3) & ((1 << (rest & 7)) - 1))
    return ones


@kernel
def bytes_of_bitmap(source: int, bit_offset: int, count: int, destination: int) -> int:
    """Write a byte of 0 or 1 for each bit, lowest first; return how many ones there are."""
    head = _head_of_bits(bit_offset, count)
    ones = 0
    for index in range(head):
        bit = bit_offset + index
        flag = (load_8(source, bit >> 3) >> (bit & 7)) & 1
        store_8(destination, index, flag)
        ones += flag
    whole = source + ((bit_offset + head) >> 3)
    return ones + flags_of_bits(whole, destination + head, count - head)


@kernel
def bytes_of_mask(source: int, count: int, destination: int) -> int:
    """Write 1 for each byte that is 0, and 0 for all others; return how many ones there are."""
    ones = 0
    for index in range(count):
        flag = 1 if load_8(source, index) == 0 else 0
        store_8(destination, index, flag)
        ones += flag
    return ones
