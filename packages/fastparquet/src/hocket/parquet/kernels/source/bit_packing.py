"""Fields of a few bits, one after the other, the lowest bit first: writing them.

Eight fields of any width are whole bytes, so groups of eight are written, each on its own. Words
are stored whole: up to 32 bytes behind a group are written to, where the next one follows, or bytes
to spare. Fields fit into their width.
"""

from __future__ import annotations

from typing import Final

from hocket.parquet.kernels.language import (
    helper,
    inlined,
    load_64,
    population,
    shift_right,
    store_8,
    store_64,
    wrap,
)

__all__ = ["SPARE_NBYTES", "bit_length", "pack_bytes", "pack_integers", "pack_words"]

#: So much room is needed behind the bytes of all groups.
SPARE_NBYTES: Final = 32

_ONES: Final = 0x0101010101010101
#: Multiplying by it moves the lowest bit of byte k to bit 56 + k.
_GATHER: Final = 0x0102040810204080
_LOW_HALF: Final = 0xFFFFFFFF


@inlined
def bit_length(value: int) -> int:
    """Return how many bits an unsigned number of 64 bits has."""
    value |= shift_right(value, 1)
    value |= shift_right(value, 2)
    value |= shift_right(value, 4)
    value |= shift_right(value, 8)
    value |= shift_right(value, 16)
    value |= shift_right(value, 32)
    return population(value)


@helper
def pack_bytes(source: int, width: int, destination: int, groups: int) -> None:
    """Pack fields of 1 to 8 bits, each in a byte."""
    if width == 1:
        for group in range(groups):
            eight = load_64(source, group * 8) & _ONES
            store_8(destination, group, shift_right(wrap(eight * _GATHER), 56))
        return
    one = ((1 << width) - 1) * 0x0001000100010001
    two = ((1 << 2 * width) - 1) * 0x0000000100000001
    four = (1 << 4 * width) - 1
    upper_one = wrap(one << width)
    upper_two = wrap(two << 2 * width)
    upper_four = wrap(four << 4 * width)
    for group in range(groups):
        word = load_64(source, group * 8)
        word = (word & one) | (shift_right(word, 8 - width) & upper_one)
        word = (word & two) | (shift_right(word, 16 - 2 * width) & upper_two)
        word = (word & four) | (shift_right(word, 32 - 4 * width) & upper_four)
        store_64(destination, group * width, word)


@inlined
def _store_pairs(
    first: int, second: int, third: int, fourth: int, width: int, destination: int, at: int
) -> None:
    """Write eight fields of 1 to 32 bits, given two together in each word."""
    pair = 2 * width
    if width < 16:
        low = first | wrap(second << pair)
        high = third | wrap(fourth << pair)
        store_64(destination, at, low | wrap(high << 2 * pair))
        store_64(destination, at + 8, shift_right(high, 64 - 2 * pair))
    elif width == 16:
        store_64(destination, at, first | wrap(second << 32))
        store_64(destination, at + 8, third | wrap(fourth << 32))
    elif width < 32:
        store_64(destination, at, first | wrap(second << pair))
        word = shift_right(second, 64 - pair) | wrap(third << (2 * pair - 64))
        if 3 * pair < 128:
            store_64(destination, at + 8, word | wrap(fourth << (3 * pair - 64)))
            store_64(destination, at + 16, shift_right(fourth, 128 - 3 * pair))
        else:
            store_64(destination, at + 8, word)
            word = shift_right(third, 128 - 2 * pair) | wrap(fourth << (3 * pair - 128))
            store_64(destination, at + 16, word)
            store_64(destination, at + 24, shift_right(fourth, 192 - 3 * pair))
    else:
        store_64(destination, at, first)
        store_64(destination, at + 8, second)
        store_64(destination, at + 16, third)
        store_64(destination, at + 24, fourth)


@inlined
def _pair_of_integers(source: int, at: int, width: int) -> int:
    both = load_64(source, at)
    return (both & _LOW_HALF) | wrap(shift_right(both, 32) << width)


@inlined
def _pack_integers(source: int, width: int, destination: int, groups: int) -> None:
    for group in range(groups):
        at = group * 32
        first = _pair_of_integers(source, at, width)
        second = _pair_of_integers(source, at + 8, width)
        third = _pair_of_integers(source, at + 16, width)
        fourth = _pair_of_integers(source, at + 24, width)
        _store_pairs(first, second, third, fourth, width, destination, group * width)


@helper
def pack_integers(source: int, width: int, destination: int, groups: int) -> None:
    """Pack fields of 1 to 32 bits, each in four bytes."""
    _pack_integers(source, width, destination, groups)


@inlined
def _pair_of_words(source: int, at: int, width: int) -> int:
    return load_64(source, at) | wrap(load_64(source, at + 8) << width)


@helper
def _pack_wide_words(source: int, width: int, destination: int, groups: int) -> None:
    for group in range(groups):
        at = group * width
        word = 0
        filled = 0
        for index in range(8):
            field = load_64(source, group * 64 + index * 8)
            word |= wrap(field << filled)
            filled += width
            if filled >= 64:
                store_64(destination, at, word)
                at += 8
                filled -= 64
                # In two steps: nothing can be shifted by 64.
                word = shift_right(shift_right(field, width - filled - 1), 1)
        if filled > 0:
            store_64(destination, at, word)


@helper
def pack_words(source: int, width: int, destination: int, groups: int) -> None:
    """Pack fields of 0 to 64 bits, each in eight bytes."""
    if width == 0:
        return
    if width > 32:
        _pack_wide_words(source, width, destination, groups)
        return
    for group in range(groups):
        at = group * 64
        first = _pair_of_words(source, at, width)
        second = _pair_of_words(source, at + 16, width)
        third = _pair_of_words(source, at + 32, width)
        fourth = _pair_of_words(source, at + 48, width)
        _store_pairs(first, second, third, fourth, width, destination, group * width)
