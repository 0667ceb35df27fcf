"""Snappy, for pages so small or so many that calling another library for each would cost more.

Everything is copied in blocks that may reach beyond what is asked for, into the spare bytes behind
the destination or into what is written next. Which of the two usual kinds of copy a tag stands for
is computed, not branched upon: no processor could guess it.
"""

from __future__ import annotations

from hocket.parquet.kernels.faults import COUNT_MISMATCH, PLACE, SIZE_OUTSIDE, TRUNCATED
from hocket.parquet.kernels.language import (
    copy,
    inlined,
    kernel,
    load_8,
    load_32,
    load_64,
    move_8,
    move_16,
    move_32,
)
from hocket.parquet.kernels.source.varint import read_varint

__all__ = ["decompress_snappy", "decompress_snappy_pages"]


@inlined
def _repeat(to: int, offset: int, length: int) -> None:
    """Copy up to 64 bytes from a little before where they go; up to 64 are written."""
    if length <= 16 and offset >= 8:
        move_8(to, to - offset)
        move_8(to + 8, to + 8 - offset)
    elif offset >= 16:
        move_16(to, to - offset)
        move_16(to + 16, to + 16 - offset)
        move_16(to + 32, to + 32 - offset)
        move_16(to + 48, to + 48 - offset)
    else:
        done = 0
        while offset < 8:
            # Of eight bytes `offset` are right; then what repeats is twice as long.
            move_8(to + done, to + done - offset)
            done += offset
            offset += offset
        while done < length:
            move_8(to + done, to + done - offset)
            done += 8


@kernel
def decompress_snappy(source: int, end: int, destination: int, size: int) -> int:
    """Decompress raw Snappy (without frames) that makes exactly so many bytes.

    Parameters
    ----------
    source, end
        Addresses of the first byte and behind the last one; 64 more are readable.
    destination, size
        Where to, and how many bytes; behind them 64 may be overwritten.

    Returns
    -------
    int
        0, or a fault.
    """
    told, source = read_varint(source, end)
    if source < 0:
        return source
    if told != size:
        return -COUNT_MISMATCH
    nbytes = end - source
    position = 0
    done = 0
    while position < nbytes:
        tag = load_8(source, position)
        kind = tag & 3
        fields = tag >> 2
        length = fields + 1
        position += 1
        if kind == 0:
            if length > 60:
                extra = length - 60
                length = (load_32(source, position) & ((1 << (8 * extra)) - 1)) + 1
                position += extra
            if length > nbytes - position:
                return -TRUNCATED
            if length > size - done:
                return -SIZE_OUTSIDE
            to = destination + done
            if length > 64:
                copy(to, source + position, length)
            else:
                move_16(to, source + position)
                if length > 16:
                    move_16(to + 16, source + position + 16)
                    move_32(to + 32, source + position + 32)
            position += length
        else:
            offset = load_32(source, position)
            if kind == 3:
                position += 4
            else:
                # All ones for the shorter kind: three bits of length, eleven of offset.
                short = -(kind & 1)
                length = ((fields + 1) & ~short) | (((fields & 7) + 4) & short)
                offset = (offset & (0xFFFF ^ (short & 0xFF00))) | (((tag >> 5) << 8) & short)
                position += kind
            if position > nbytes:
                return -TRUNCATED
            if offset == 0 or offset > done or length > size - done:
                return -SIZE_OUTSIDE
            _repeat(destination + done, offset, length)
        done += length
    if done != size:
        return -TRUNCATED
    return 0


@kernel
def decompress_snappy_pages(pages: int, count: int) -> int:
    """Decompress many pages.

    Parameters
    ----------
    pages, count
        Address of four numbers for each page: the arguments of `decompress_snappy`.

    Returns
    -------
    int
        0, or a fault with the page's number.
    """
    for page in range(count):
        at = page * 32
        source, end = load_64(pages, at), load_64(pages, at + 8)
        answer = decompress_snappy(source, end, load_64(pages, at + 16), load_64(pages, at + 24))
        if answer < 0:
            return answer - page * PLACE
    return 0
