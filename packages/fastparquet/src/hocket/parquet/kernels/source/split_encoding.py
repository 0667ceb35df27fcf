"""Values with their bytes in streams: writing all first bytes, all second bytes, and so on."""

from __future__ import annotations

from typing import Final

from hocket.parquet.kernels.language import (
    inlined,
    kernel,
    load_8,
    load_16,
    load_32,
    load_64,
    shift_right,
    store_8,
)

__all__ = ["encode_split"]

#: So many values are split at once: they stay in the processor's nearest cache for each stream.
_BLOCK: Final = 1024


@inlined
def _stream(
    source: int, at: int, item_size: int, word_size: int, byte: int, count: int, destination: int
) -> None:
    """Write a byte of each value's word, which is `at` its item's beginning."""
    for index in range(count):
        if word_size == 8:
            word = load_64(source, index * item_size + at)
        elif word_size == 4:
            word = load_32(source, index * item_size + at)
        elif word_size == 2:
            word = load_16(source, index * item_size + at)
        else:
            word = load_8(source, index * item_size + at)
        store_8(destination, index, shift_right(word, 8 * byte))


@inlined
def _streams(
    source: int, item_size: int, word_size: int, many: int, destination: int, stride: int
) -> None:
    """Write all streams of a block, given words that items are made of."""
    for at in range(0, item_size, word_size):
        for byte in range(word_size):
            to = destination + (at + byte) * stride
            _stream(source, at, item_size, word_size, byte, many, to)


@kernel
def encode_split(source: int, item_size: int, count: int, destination: int) -> int:
    """Split values of any size; return how many bytes they are, and are written."""
    for done in range(0, count, _BLOCK):
        many = min(_BLOCK, count - done)
        begin = source + done * item_size
        if item_size == 8:
            _streams(begin, 8, 8, many, destination + done, count)
        elif item_size == 4:
            _streams(begin, 4, 4, many, destination + done, count)
        elif item_size == 2:
            _streams(begin, 2, 2, many, destination + done, count)
        elif item_size == 16:
            _streams(begin, 16, 8, many, destination + done, count)
        elif item_size == 12:
            _streams(begin, 12, 4, many, destination + done, count)
        else:
            _streams(begin, item_size, 1, many, destination + done, count)
    return count * item_size
