"""Validity: a byte a value (pandas) and a bit a value (Arrow)."""

from __future__ import annotations

from typing import Final

from hocket.parquet.kernels.language import (
    kernel,
    load_8,
    load_64,
    population,
    shift_right,
    store_8,
    wrap,
)

__all__ = ["bitmap_of_bytes"]

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
