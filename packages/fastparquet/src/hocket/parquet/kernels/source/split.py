"""Values whose bytes lie in streams: all first bytes, all second bytes, and so on."""

from __future__ import annotations

from hocket.parquet.kernels.faults import COUNT_MISMATCH
from hocket.parquet.kernels.language import (
    inlined,
    kernel,
    load_8,
    store_8,
    store_16,
    store_32,
    store_64,
    wrap,
)

__all__ = ["decode_split"]


@inlined
def _four_bytes(source: int, at: int, count: int) -> int:
    low = load_8(source, at) | load_8(source, at + count) << 8
    high = load_8(source, at + 2 * count) | load_8(source, at + 3 * count) << 8
    return low | high << 16


@inlined
def _join(source: int, count: int, item_size: int, destination: int, width: int) -> None:
    """Put together `width` streams, to so many bytes of items of `item_size`."""
    for index in range(count):
        at = index * item_size
        if width == 8:
            low = _four_bytes(source, index, count)
            high = _four_bytes(source, index + 4 * count, count)
            store_64(destination, at, low | wrap(high << 32))
        elif width == 4:
            store_32(destination, at, _four_bytes(source, index, count))
        elif width == 2:
            store_16(destination, at, load_8(source, index) | load_8(source, index + count) << 8)
        else:
            store_8(destination, at, load_8(source, index))


@kernel
def decode_split(source: int, end: int, item_size: int, destination: int, count: int) -> int:
    """Put values together; return the position behind them, or a fault."""
    if end - source != count * item_size:
        return -COUNT_MISMATCH
    if item_size == 8:
        _join(source, count, 8, destination, 8)
    elif item_size == 4:
        _join(source, count, 4, destination, 4)
    elif item_size == 2:
        _join(source, count, 2, destination, 2)
    elif item_size == 16:
        _join(source, count, 16, destination, 8)
        _join(source + 8 * count, count, 16, destination + 8, 8)
    else:
        done = 0
        while item_size - done >= 8:
            _join(source + done * count, count, item_size, destination + done, 8)
            done += 8
        if (item_size - done) & 4:
            _join(source + done * count, count, item_size, destination + done, 4)
            done += 4
        if (item_size - done) & 2:
            _join(source + done * count, count, item_size, destination + done, 2)
            done += 2
        if (item_size - done) & 1:
            _join(source + done * count, count, item_size, destination + done, 1)
    return end
