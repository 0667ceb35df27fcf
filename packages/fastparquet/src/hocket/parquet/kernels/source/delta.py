"""Integers as differences, bit-packed in miniblocks. All arithmetic wraps around."""

from __future__ import annotations

from hocket.parquet.kernels.faults import BIT_WIDTH, COUNT_MISMATCH, DELTA_HEADER, TRUNCATED
from hocket.parquet.kernels.language import (
    helper,
    inlined,
    kernel,
    load_8,
    load_64,
    shift_right,
    store_32,
    store_64,
    wrap,
)
from hocket.parquet.kernels.source.varint import read_varint, unzigzag

__all__ = ["decode_delta_32", "decode_delta_64", "decode_delta_lengths", "header_of_delta"]


@inlined
def _put(destination: int, at: int, value: int, item_size: int) -> None:
    if item_size == 8:
        store_64(destination, at, value)
    else:
        store_32(destination, at, value)


@helper
def header_of_delta(source: int, end: int, count: int) -> tuple[int, int, int, int]:
    """Return the position behind a header (negative: a fault) and what the header says.

    That is how many miniblocks a block has, how many values a miniblock, and the first value.
    """
    block_size, source = read_varint(source, end)
    if source < 0:
        return source, 0, 0, 0
    miniblocks, source = read_varint(source, end)
    if source < 0:
        return source, 0, 0, 0
    total, source = read_varint(source, end)
    if source < 0:
        return source, 0, 0, 0
    first, source = read_varint(source, end)
    if source < 0:
        return source, 0, 0, 0
    if not 0 < block_size < 1 << 31 or not 0 < miniblocks <= block_size:
        return -DELTA_HEADER, 0, 0, 0
    each = block_size // miniblocks
    if block_size & 127 or each & 31 or each * miniblocks != block_size:
        return -DELTA_HEADER, 0, 0, 0
    if total != count:
        return -COUNT_MISMATCH, 0, 0, 0
    return source, miniblocks, each, unzigzag(first)


@inlined
def _add_fields(
    source: int,
    bit: int,
    width: int,
    fields: int,
    least: int,
    last: int,
    destination: int,
    at: int,
    stride: int,
    item_size: int,
) -> int:
    """Write the values of as many fields as one load brings; return the last one."""
    mask = shift_right(-1, 64 - width)
    word = shift_right(load_64(source, bit >> 3), bit & 7)
    for index in range(fields):
        last = wrap(last + (least + (shift_right(word, index * width) & mask)))
        _put(destination, at + index * stride, last, item_size)
    return last


@inlined
def _add_groups(
    source: int,
    width: int,
    fields: int,
    least: int,
    last: int,
    destination: int,
    stride: int,
    item_size: int,
    count: int,
) -> int:
    """Write the values of whole groups of `fields`; return the last one."""
    for group in range(count // fields):
        bit = group * fields * width
        at = group * fields * stride
        last = _add_fields(
            source, bit, width, fields, least, last, destination, at, stride, item_size
        )
    return last


@inlined
def _add_miniblock(
    source: int,
    width: int,
    least: int,
    last: int,
    destination: int,
    stride: int,
    item_size: int,
    count: int,
) -> int:
    """Write the values of a miniblock, and return the last one."""
    if width == 0:
        for index in range(count):
            value = wrap(last + wrap(least * (index + 1)))
            _put(destination, index * stride, value, item_size)
        return wrap(last + wrap(least * count))
    whole = count & -8
    if width <= 7:
        last = _add_groups(source, width, 8, least, last, destination, stride, item_size, whole)
    elif width <= 14:
        last = _add_groups(source, width, 4, least, last, destination, stride, item_size, whole)
    elif width <= 28:
        last = _add_groups(source, width, 2, least, last, destination, stride, item_size, whole)
    elif width <= 57:
        last = _add_groups(source, width, 1, least, last, destination, stride, item_size, whole)
    else:
        whole = 0
    mask = shift_right(-1, 64 - width)
    for index in range(whole, count):
        bit = index * width
        low = shift_right(load_64(source, bit >> 3), bit & 7)
        high = wrap(wrap(load_8(source, (bit >> 3) + 8) << (63 - (bit & 7))) << 1)
        last = wrap(last + least + ((low | high) & mask))
        _put(destination, index * stride, last, item_size)
    return last


@inlined
def _decode(
    source: int, end: int, destination: int, stride: int, item_size: int, count: int
) -> int:
    if count == 0 and source == end:
        return source
    source, miniblocks, each, last = header_of_delta(source, end, count)
    if source < 0:
        return source
    if count == 0:
        return source
    _put(destination, 0, last, item_size)
    done = 1
    while done < count:
        least, source = read_varint(source, end)
        if source < 0:
            return source
        least = unzigzag(least)
        widths = source
        if miniblocks > end - source:
            return -TRUNCATED
        source += miniblocks
        for miniblock in range(miniblocks):
            many = min(each, count - done)
            if many > 0:
                width = load_8(widths, miniblock)
                # Not `8 * item_size`: DuckDB and others take differences of 32-bit integers in 64
                # bits, and write 33 of them. What is stored wraps around all the same.
                if width > 64:
                    return -BIT_WIDTH
                if (many * width + 7) >> 3 > end - source:
                    return -TRUNCATED
                last = _add_miniblock(
                    source, width, least, last, destination + done * stride, stride, item_size, many
                )
                source = min(source + (each * width >> 3), end)
                done += many
    return source


@kernel
def decode_delta_64(source: int, end: int, destination: int, count: int) -> int:
    """Decode integers of 64 bits; return the position behind them, or a fault."""
    return _decode(source, end, destination, 8, 8, count)


@kernel
def decode_delta_32(source: int, end: int, destination: int, count: int) -> int:
    """Decode integers of 32 bits; return the position behind them, or a fault."""
    return _decode(source, end, destination, 4, 4, count)


@kernel
def decode_delta_lengths(source: int, end: int, destination: int, count: int) -> int:
    """Decode integers of 32 bits, one to every eight bytes; the other four are left alone."""
    return _decode(source, end, destination, 8, 4, count)
