"""Arrow's string views to offsets and bytes.

A view has 16 bytes: the length, and either up to 12 bytes of the string itself, or its first four,
the number of a buffer and a position in it.
"""

from __future__ import annotations

from hocket.parquet.kernels.faults import NEGATIVE_LENGTH, SIZE_OUTSIDE
from hocket.parquet.kernels.language import (
    copy,
    inlined,
    kernel,
    load_8,
    load_32,
    load_64,
    load_signed_32,
    move_8,
    move_16,
    store_32,
    store_64,
)

__all__ = ["copy_views", "measure_views"]


@inlined
def _is_there(bitmap: int, bit: int) -> int:
    return 1 if bitmap == 0 else (load_8(bitmap, bit >> 3) >> (bit & 7)) & 1


@kernel
def measure_views(
    views: int,
    count: int,
    bitmap: int,
    bit_offset: int,
    lengths: int,
    buffer_count: int,
    offsets: int,
) -> int:
    """Write where each string will begin and the last will end; return that end, or a fault.

    Parameters
    ----------
    views, count
        Views; those of missing strings are not looked at, and take no bytes.
    bitmap, bit_offset
        A bit a view from `bit_offset` on, 0 for missing ones; or 0: none is.
    lengths, buffer_count
        The bytes of each buffer, in numbers of 8 bytes.
    offsets
        Room for ``count + 1`` numbers of 8 bytes.
    """
    position = 0
    for index in range(count):
        store_64(offsets, index * 8, position)
        if _is_there(bitmap, bit_offset + index) == 0:
            continue
        length = load_signed_32(views, index * 16)
        if length < 0:
            return -NEGATIVE_LENGTH
        if length > 12:
            buffer = load_signed_32(views, index * 16 + 8)
            start = load_signed_32(views, index * 16 + 12)
            if buffer < 0 or buffer >= buffer_count or start < 0:
                return -SIZE_OUTSIDE
            if length > load_64(lengths, buffer * 8) - start:
                return -SIZE_OUTSIDE
        position += length
    store_64(offsets, count * 8, position)
    return position


@kernel
def copy_views(views: int, count: int, offsets: int, addresses: int, data: int) -> int:
    """Copy strings to where `measure_views` said; return how many bytes they have.

    Parameters
    ----------
    views, count, offsets
        As `measure_views` had and wrote them.
    addresses
        Where each buffer is, in numbers of 8 bytes.
    data
        Where bytes go; 12 to spare behind the last.
    """
    position = 0
    for index in range(count):
        following = load_64(offsets, index * 8 + 8)
        length = following - position
        to = data + position
        if length <= 12:
            # Also what takes no bytes: what is written there belongs to the next one.
            move_8(to, views + index * 16 + 4)
            store_32(to, 8, load_32(views, index * 16 + 12))
        else:
            buffer = load_signed_32(views, index * 16 + 8)
            source = load_64(addresses, buffer * 8) + load_signed_32(views, index * 16 + 12)
            if length < 16:
                move_8(to, source)
                move_8(to + length - 8, source + length - 8)
            elif length <= 32:
                move_16(to, source)
                move_16(to + length - 16, source + length - 16)
            else:
                copy(to, source, length)
        position = following
    return position
