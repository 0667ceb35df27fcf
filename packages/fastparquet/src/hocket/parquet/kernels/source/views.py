"""Arrow's string views to offsets and bytes.

A view has 16 bytes: the length, and either up to 12 bytes of the string itself, or its first four,
the number of a buffer and a position in it.
"""

from __future__ import annotations

from hocket.parquet.kernels.faults import NEGATIVE_LENGTH, SIZE_OUTSIDE
from hocket.parquet.kernels.language import (
    copy,
    helper,
    inlined,
    kernel,
    load_8,
    load_32,
    load_64,
    load_signed_32,
    move_8,
    move_32,
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
        The bytes of each buffer, in numbers of 8 bytes; one number at least.
    offsets
        Room for ``count + 1`` numbers of 8 bytes.
    """
    position = 0
    below = 0
    outside = 0
    for index in range(count):
        store_64(offsets, index * 8, position)
        length = load_signed_32(views, index * 16) * _is_there(bitmap, bit_offset + index)
        below |= length
        is_long = 1 if length > 12 else 0
        buffer = load_signed_32(views, index * 16 + 8) * is_long
        start = load_signed_32(views, index * 16 + 12) * is_long
        outside |= buffer | start | (buffer_count - buffer - is_long)
        known = buffer if buffer >= 0 and buffer < buffer_count else 0
        outside |= load_64(lengths, known * 8) - start - length * is_long
        position += length
    if below < 0:
        return -NEGATIVE_LENGTH
    if outside < 0:
        return -SIZE_OUTSIDE
    store_64(offsets, count * 8, position)
    return position


@helper
def _copy_view(views: int, index: int, length: int, addresses: int, to: int) -> None:
    """Copy a string, and read no byte beyond it."""
    if length <= 12:
        # Also what takes no bytes: what is written there belongs to the next one.
        move_8(to, views + index * 16 + 4)
        store_32(to, 8, load_32(views, index * 16 + 12))
    else:
        buffer = load_signed_32(views, index * 16 + 8)
        copy(to, load_64(addresses, buffer * 8) + load_signed_32(views, index * 16 + 12), length)


@kernel
def copy_views(
    views: int, count: int, offsets: int, lengths: int, addresses: int, data: int
) -> int:
    """Copy strings to where `measure_views` said; return how many bytes they have.

    Parameters
    ----------
    views, count, offsets, lengths
        As `measure_views` had and wrote them.
    addresses
        Where each buffer is, in numbers of 8 bytes; one number at least.
    data
        Where bytes go; 32 to spare behind the last.
    """
    position = 0
    for index in range(count):
        following = load_64(offsets, index * 8 + 8)
        length = following - position
        is_long = 1 if length > 12 else 0
        buffer = load_signed_32(views, index * 16 + 8) * is_long
        start = load_signed_32(views, index * 16 + 12) * is_long
        left = load_64(lengths, buffer * 8) - start
        if (left < 32 and is_long != 0) or count - index < 4:
            _copy_view(views, index, length, addresses, data + position)
        else:
            # 32 bytes can be read, of the views or of the buffer, and most strings have no more.
            source = load_64(addresses, buffer * 8) + start
            source = source if is_long != 0 else views + index * 16 + 4
            move_32(data + position, source)
            if length > 32:
                copy(data + position + 32, source + 32, length - 32)
        position = following
    return position
