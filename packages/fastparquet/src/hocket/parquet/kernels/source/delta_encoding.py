"""Integers as differences, bit-packed in miniblocks: writing them. All arithmetic wraps around."""

from __future__ import annotations

from typing import Final

from hocket.parquet.kernels.faults import ENCODING_UNFIT, NO_SPACE
from hocket.parquet.kernels.language import (
    fill,
    inlined,
    kernel,
    load_64,
    load_signed_32,
    store_8,
    store_64,
    wrap,
)
from hocket.parquet.kernels.source.bit_packing import SPARE_NBYTES, bit_length, pack_words
from hocket.parquet.kernels.source.varint import write_varint, zigzag

__all__ = ["BLOCK_SIZE", "HEADER_NBYTES", "SCRATCH_NBYTES", "encode_delta"]

#: Values in a block, and in each of its miniblocks.
BLOCK_SIZE: Final = 128
_EACH: Final = 32
_MINIBLOCKS: Final = 4
#: At most: of the header, and before the miniblocks of a block.
HEADER_NBYTES: Final = 32
_BLOCK_HEADER_NBYTES: Final = 14
#: What `encode_delta` needs beside the room for its result: the differences of a block.
SCRATCH_NBYTES: Final = BLOCK_SIZE * 8


@inlined
def _load(source: int, index: int, item_size: int) -> int:
    if item_size == 4:
        return load_signed_32(source, index * 4)
    return load_64(source, index * 8)


@inlined
def _differences(source: int, count: int, item_size: int, scratch: int) -> int:
    """Write the differences between each value and the one before; return the least of them."""
    least = 0x7FFFFFFFFFFFFFFF
    for index in range(count):
        difference = wrap(
            _load(source, index, item_size) - _load(source - item_size, index, item_size)
        )
        if item_size == 4:
            difference = wrap(difference << 32) >> 32
        store_64(scratch, index * 8, difference)
        least = min(least, difference)
    return least


@inlined
def _width_above(scratch: int, count: int, least: int) -> int:
    """Take the least from differences; return how many bits the largest then has."""
    bits = 0
    for index in range(count):
        field = wrap(load_64(scratch, index * 8) - least)
        store_64(scratch, index * 8, field)
        bits |= field
    return bit_length(bits)


@inlined
def _encode(
    source: int, item_size: int, count: int, destination: int, capacity: int, scratch: int
) -> int:
    stop = destination + capacity - SPARE_NBYTES
    if stop - destination < HEADER_NBYTES:
        return -NO_SPACE
    to = write_varint(destination, BLOCK_SIZE)
    to = write_varint(to, _MINIBLOCKS)
    to = write_varint(to, count)
    to = write_varint(to, zigzag(_load(source, 0, item_size)) if count > 0 else 0)
    done = 1
    while done < count:
        if stop - to < _BLOCK_HEADER_NBYTES + BLOCK_SIZE * item_size:
            return -NO_SPACE
        many = min(BLOCK_SIZE, count - done)
        begin = source + done * item_size
        if many == BLOCK_SIZE:
            least = _differences(begin, BLOCK_SIZE, item_size, scratch)
        else:
            fill(scratch, 0, SCRATCH_NBYTES)
            least = _differences(begin, many, item_size, scratch)
        widths = write_varint(to, zigzag(least))
        to = widths + _MINIBLOCKS
        for miniblock in range(_MINIBLOCKS):
            fields = scratch + miniblock * _EACH * 8
            left = many - miniblock * _EACH
            if left >= _EACH:
                width = _width_above(fields, _EACH, least)
            else:
                width = _width_above(fields, max(left, 0), least)
            store_8(widths, miniblock, width)
            pack_words(fields, width, to, _EACH >> 3)
            to += width * (_EACH >> 3)
        done += many
    return to - destination


@kernel
def encode_delta(
    source: int, item_size: int, count: int, destination: int, capacity: int, scratch: int
) -> int:
    """Encode integers of 4 or 8 bytes; return how many bytes that are, or a fault.

    The last 32 bytes of the capacity are only to spare; the scratch has `SCRATCH_NBYTES`.
    """
    if item_size == 8:
        return _encode(source, 8, count, destination, capacity, scratch)
    if item_size == 4:
        return _encode(source, 4, count, destination, capacity, scratch)
    return -ENCODING_UNFIT
