"""Values to codes: an open hash table that numbers different values as they are first seen.

The table has ``1 << bits`` places of 64 bits: 0 where nothing is, else the code and 1 in the lower
half, and in the upper one the hash, whose highest bits say where the value belongs. So the table
grows without a look at the values. Who calls keeps some of it empty.

Kernels go on from a position, and stop where there is no room for a new value: they answer the
position of the first value without a code. ``state`` are two numbers of 64 bits: how many entries
there are, and how many bytes strings among them have.
"""

from __future__ import annotations

from typing import Final

from hocket.parquet.kernels.language import (
    copy,
    inlined,
    kernel,
    load_8,
    load_32,
    load_64,
    load_signed_32,
    shift_right,
    store_32,
    store_64,
    wrap,
)

__all__ = [
    "grow_table",
    "number_fixed",
    "number_near",
    "number_strings",
    "number_words",
]

_ENTRIES: Final = 0
_NBYTES: Final = 8

# Odd, and without a pattern in their bits.
_MULTIPLIER: Final = 0x9E3779B97F4A7C15 - (1 << 64)
_OTHER_MULTIPLIER: Final = 0xD6E8FEB86659FD93 - (1 << 64)

_UPPER_HALF: Final = -(1 << 32)


@inlined
def _number_words(
    item_size: int,
    source: int,
    position: int,
    count: int,
    codes: int,
    table: int,
    bits: int,
    entries: int,
    capacity: int,
    state: int,
) -> int:
    mask = (1 << bits) - 1
    known = load_64(state, _ENTRIES)
    for index in range(position, count):
        value = load_64(source, index * 8) if item_size == 8 else load_32(source, index * 4)
        mixed = wrap(value * _MULTIPLIER)
        mixed = wrap((mixed ^ shift_right(mixed, 32)) * _OTHER_MULTIPLIER)
        place = shift_right(mixed, 64 - bits)
        found = load_64(table, place * 8)
        while found != 0 and load_64(entries, ((found & 0xFFFFFFFF) - 1) * 8) != value:
            place = (place + 1) & mask
            found = load_64(table, place * 8)
        if found == 0:
            if known == capacity:
                store_64(state, _ENTRIES, known)
                return index
            store_64(entries, known * 8, value)
            known += 1
            found = known
            store_64(table, place * 8, (mixed & _UPPER_HALF) | known)
        store_32(codes, index * 4, (found & 0xFFFFFFFF) - 1)
    store_64(state, _ENTRIES, known)
    return count


@kernel
def number_words(
    item_size: int,
    source: int,
    position: int,
    count: int,
    codes: int,
    table: int,
    bits: int,
    entries: int,
    capacity: int,
    state: int,
) -> int:
    """Write codes of values of four or eight bytes; return where it stopped.

    Parameters
    ----------
    item_size
        4 or 8.
    source, position, count
        The values; where to go on, and where they end.
    codes
        A number of 32 bits for each.
    table, bits
        The table.
    entries, capacity
        The different values, eight bytes each, and how many there may be.
    state
        See the module.
    """
    if item_size == 8:
        return _number_words(
            8, source, position, count, codes, table, bits, entries, capacity, state
        )
    return _number_words(4, source, position, count, codes, table, bits, entries, capacity, state)


@inlined
def _number_near(
    item_size: int,
    source: int,
    count: int,
    least: int,
    codes: int,
    table: int,
    entries: int,
    capacity: int,
) -> int:
    known = 0
    for index in range(count):
        value = load_64(source, index * 8) if item_size == 8 else load_signed_32(source, index * 4)
        place = (value - least) * 4
        code = load_32(table, place)
        if code == 0:
            if known == capacity:
                return -1
            store_64(entries, known * 8, value)
            known += 1
            code = known
            store_32(table, place, code)
        store_32(codes, index * 4, code - 1)
    return known


@kernel
def number_near(
    item_size: int,
    source: int,
    count: int,
    least: int,
    codes: int,
    table: int,
    entries: int,
    capacity: int,
) -> int:
    """Write codes of integers that lie near each other; return how many differ.

    Parameters
    ----------
    item_size
        4 or 8.
    source, count
        The integers, signed.
    least
        The least of them.
    codes
        A number of 32 bits for each.
    table
        A number of 32 bits, 0 at first, for each integer from the least to the largest.
    entries, capacity
        The different ones, eight bytes each, and how many there may be. If there are more, the
        answer is -1.
    """
    if item_size == 8:
        return _number_near(8, source, count, least, codes, table, entries, capacity)
    return _number_near(4, source, count, least, codes, table, entries, capacity)


# --------------------------------------------------------------------------------- byte strings

# What is kept of each different string: where it begins among their bytes, its length, its first
# and its last eight bytes. So one line of the cache tells whether a short string is that one.
_RECORD_NBYTES: Final = 32
_BEGIN: Final = 0
_LENGTH: Final = 8
_HEAD: Final = 16
_TAIL: Final = 24


@inlined
def _ends(data: int, data_nbytes: int, begin: int, nbytes: int) -> tuple[int, int]:
    """Return the first and the last eight bytes, or twice all if there are no more."""
    if begin + 8 <= data_nbytes:
        mask = -1
        if nbytes < 8:
            mask = ~wrap(-1 << (nbytes * 8))
        last = begin + max(nbytes - 8, 0)
        return load_64(data, begin) & mask, load_64(data, last) & mask
    word = 0
    for index in range(nbytes):
        word |= wrap(load_8(data, begin + index) << (index * 8))
    return word, word


@inlined
def _hash(data: int, begin: int, nbytes: int, head: int, tail: int) -> int:
    """Return a hash of bytes, of which the upper half is used."""
    state = wrap((head ^ wrap(nbytes * _OTHER_MULTIPLIER)) * _MULTIPLIER)
    at = 8
    while at + 8 < nbytes:
        state ^= shift_right(state, 32)
        state = wrap((state ^ load_64(data, begin + at)) * _OTHER_MULTIPLIER)
        at += 8
    state ^= shift_right(state, 32)
    state = wrap((state ^ tail) * _OTHER_MULTIPLIER)
    return wrap((state ^ shift_right(state, 32)) * _MULTIPLIER)


@inlined
def _is_entry(
    data: int, begin: int, nbytes: int, head: int, tail: int, records: int, code: int, entries: int
) -> int:
    """Tell whether a string is that of a code."""
    record = code * _RECORD_NBYTES
    differing = load_64(records, record + _HEAD) ^ head
    differing |= load_64(records, record + _TAIL) ^ tail
    differing |= load_64(records, record + _LENGTH) ^ nbytes
    if nbytes > 16 and differing == 0:
        other = load_64(records, record + _BEGIN)
        at = 8
        while at + 8 < nbytes:
            differing |= load_64(data, begin + at) ^ load_64(entries, other + at)
            at += 8
    return differing == 0


@inlined
def _number_bytes(
    offsets: int,
    width: int,
    data: int,
    data_nbytes: int,
    position: int,
    count: int,
    codes: int,
    table: int,
    bits: int,
    records: int,
    capacity: int,
    entries: int,
    entries_nbytes: int,
    state: int,
) -> int:
    mask = (1 << bits) - 1
    known = load_64(state, _ENTRIES)
    used = load_64(state, _NBYTES)
    end = position * width if width > 0 else load_64(offsets, position * 8)
    for index in range(position, count):
        begin = end
        end = begin + width if width > 0 else load_64(offsets, index * 8 + 8)
        nbytes = end - begin
        head, tail = _ends(data, data_nbytes, begin, nbytes)
        mixed = _hash(data, begin, nbytes, head, tail)
        place = shift_right(mixed, 64 - bits)
        found = load_64(table, place * 8)
        while found != 0 and not (
            (found ^ mixed) & _UPPER_HALF == 0
            and _is_entry(
                data, begin, nbytes, head, tail, records, (found & 0xFFFFFFFF) - 1, entries
            )
        ):
            place = (place + 1) & mask
            found = load_64(table, place * 8)
        if found == 0:
            if known == capacity or nbytes > entries_nbytes - used:
                store_64(state, _ENTRIES, known)
                store_64(state, _NBYTES, used)
                return index
            copy(entries + used, data + begin, nbytes)
            record = known * _RECORD_NBYTES
            store_64(records, record + _BEGIN, used)
            store_64(records, record + _LENGTH, nbytes)
            store_64(records, record + _HEAD, head)
            store_64(records, record + _TAIL, tail)
            used += nbytes
            known += 1
            found = known
            store_64(table, place * 8, (mixed & _UPPER_HALF) | known)
        store_32(codes, index * 4, (found & 0xFFFFFFFF) - 1)
    store_64(state, _ENTRIES, known)
    store_64(state, _NBYTES, used)
    return count


@kernel
def number_strings(
    offsets: int,
    data: int,
    data_nbytes: int,
    position: int,
    count: int,
    codes: int,
    table: int,
    bits: int,
    records: int,
    capacity: int,
    entries: int,
    entries_nbytes: int,
    state: int,
) -> int:
    """Write codes of byte strings; return where it stopped.

    Parameters
    ----------
    offsets, data, data_nbytes
        The strings, with offsets of 64 bits that `measure_strings` found right.
    position, count
        Where to go on, and where they end.
    codes
        A number of 32 bits for each.
    table, bits
        The table.
    records, capacity
        Four numbers of 64 bits for each different string, the first of them where it begins.
    entries, entries_nbytes
        The bytes of the different strings.
    state
        See the module.
    """
    return _number_bytes(
        offsets,
        0,
        data,
        data_nbytes,
        position,
        count,
        codes,
        table,
        bits,
        records,
        capacity,
        entries,
        entries_nbytes,
        state,
    )


@kernel
def number_fixed(
    width: int,
    data: int,
    data_nbytes: int,
    position: int,
    count: int,
    codes: int,
    table: int,
    bits: int,
    records: int,
    capacity: int,
    entries: int,
    entries_nbytes: int,
    state: int,
) -> int:
    """Do as `number_strings` for values of one width, not 0."""
    return _number_bytes(
        0,
        width,
        data,
        data_nbytes,
        position,
        count,
        codes,
        table,
        bits,
        records,
        capacity,
        entries,
        entries_nbytes,
        state,
    )


@kernel
def grow_table(table: int, bits: int, larger: int, larger_bits: int) -> int:
    """Put all that a table has into a larger one, which is empty; return 0."""
    mask = (1 << larger_bits) - 1
    for index in range(1 << bits):
        found = load_64(table, index * 8)
        if found != 0:
            place = shift_right(found, 64 - larger_bits)
            while load_64(larger, place * 8) != 0:
                place = (place + 1) & mask
            store_64(larger, place * 8, found)
    return 0
