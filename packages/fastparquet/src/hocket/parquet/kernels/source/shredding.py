"""Nested arrays to levels, one layer of nesting after the other.

The entries of a layer have a definition level each. Those that have reached the layer's own level
are alive: something stands there, in the slot of an array; the others ended further out and are
carried along. Slots of living entries follow each other (0, 1, 2, ...) where no address of slots is
given. Addresses that are 0 stand for what there is not: no definition levels (all entries are
alive), no repetition levels (each is a row).
"""

from __future__ import annotations

from hocket.parquet.kernels.faults import SIZE_OUTSIDE
from hocket.parquet.kernels.language import (
    fill,
    inlined,
    kernel,
    load_8,
    load_64,
    load_signed_32,
    store_8,
    store_64,
)

__all__ = ["expand_lists", "mark_present", "measure_lists", "slots_of_elements"]


@inlined
def _is_there(nulls: int, is_bitmap: int, bit_offset: int, slot: int) -> int:
    if is_bitmap != 0:
        bit = bit_offset + slot
        return (load_8(nulls, bit >> 3) >> (bit & 7)) & 1
    return 1 if load_8(nulls, slot) == 0 else 0


@inlined
def _mark(
    definition: int,
    count: int,
    level: int,
    slots: int,
    nulls: int,
    is_bitmap: int,
    bit_offset: int,
    marked: int,
    kept: int,
) -> int:
    alive = 0
    present = 0
    for index in range(count):
        reached = level if definition == 0 else load_8(definition, index)
        # Without branches: an entry that has ended looks at the first slot, and is not there.
        lives = 1 if reached == level else 0
        slot = alive * lives if slots == 0 else load_64(slots, alive * lives * 8)
        there = _is_there(nulls, is_bitmap, bit_offset, slot) & lives
        store_8(marked, index, reached + there)
        if kept != 0:
            # What is not there is overwritten by what follows.
            store_64(kept, present * 8, slot)
        alive += lives
        present += there
    return present


@kernel
def mark_present(
    definition: int,
    count: int,
    level: int,
    slots: int,
    nulls: int,
    is_bitmap: int,
    bit_offset: int,
    marked: int,
    kept: int,
) -> int:
    """Lift living entries whose slots are not missing by a level; return how many those are.

    Parameters
    ----------
    definition, count
        Definition levels of the entries, or 0.
    level
        That of living entries.
    slots
        8 bytes for each living entry, or 0.
    nulls, is_bitmap, bit_offset
        Which slots are missing: a bit each, 0 for missing ones, from `bit_offset` on; or a byte
        each, not 0 for missing ones.
    marked
        Where the new definition levels go.
    kept
        Where the slots of those that are there go: room for one more than there are living
        entries, of which there is one at least; or 0.
    """
    if is_bitmap != 0:
        return _mark(definition, count, level, slots, nulls, 1, bit_offset, marked, kept)
    return _mark(definition, count, level, slots, nulls, 0, 0, marked, kept)


@inlined
def _offset(offsets: int, item_size: int, index: int) -> int:
    if item_size == 4:
        return load_signed_32(offsets, index * 4)
    return load_64(offsets, index * 8)


@inlined
def _measure(
    definition: int,
    count: int,
    level: int,
    slots: int,
    offsets: int,
    item_size: int,
    child_length: int,
    result: int,
) -> int:
    alive = 0
    entries = 0
    elements = 0
    first = 0
    expected = -1
    outside = 0
    gaps = 0
    for index in range(count):
        lives = 1
        if definition != 0:
            lives = 1 if load_8(definition, index) == level else 0
        slot = alive * lives if slots == 0 else load_64(slots, alive * lives * 8)
        alive += lives
        start = _offset(offsets, item_size, slot)
        stop = _offset(offsets, item_size, slot + 1)
        outside |= start | (stop - start) | (child_length - stop)
        length = (stop - start) * lives
        elements += length
        entries += length if length > 0 else 1
        if length > 0:
            first = start if expected < 0 else first
            gaps |= 0 if expected < 0 else start ^ expected
            expected = stop
    if outside < 0:
        return -SIZE_OUTSIDE
    store_64(result, 0, entries)
    store_64(result, 8, elements)
    store_64(result, 16, first)
    return 0 if gaps else 1


@kernel
def measure_lists(
    definition: int,
    count: int,
    level: int,
    slots: int,
    offsets: int,
    item_size: int,
    child_length: int,
    result: int,
) -> int:
    """Count what lists will be expanded to; check their offsets.

    Three numbers are written: the entries there will be, how many of them are elements, and the
    child's slot of the first one. Returns 1 if the slots of all elements follow each other, else 0;
    or a fault if a list ends before it begins, or lies outside of the child's `child_length` slots.

    Parameters
    ----------
    definition, count, level, slots
        Entries; the living ones are lists that are there.
    offsets, item_size
        Where lists begin and end, in numbers of 4 or 8 bytes.
    child_length
        How many slots the elements' array has.
    result
        Room for three numbers of 8 bytes.
    """
    if item_size == 4:
        if definition == 0 and slots == 0:
            return _measure(0, count, level, 0, offsets, 4, child_length, result)
        return _measure(definition, count, level, slots, offsets, 4, child_length, result)
    return _measure(definition, count, level, slots, offsets, 8, child_length, result)


@inlined
def _expand(
    definition: int,
    repetition: int,
    count: int,
    level: int,
    slots: int,
    offsets: int,
    item_size: int,
    expanded_definition: int,
    expanded_repetition: int,
) -> int:
    alive = 0
    at = 0
    for index in range(count):
        repeat = 0 if repetition == 0 else load_8(repetition, index)
        store_8(expanded_repetition, at, repeat)
        reached = level if definition == 0 else load_8(definition, index)
        lives = 1 if reached == level else 0
        slot = alive * lives if slots == 0 else load_64(slots, alive * lives * 8)
        alive += lives
        length = _offset(offsets, item_size, slot + 1) - _offset(offsets, item_size, slot)
        length *= lives
        reached += 1 if length > 0 else 0
        if expanded_definition != 0:
            store_8(expanded_definition, at, reached)
        at += length if length > 0 else 1
    return at


@kernel
def expand_lists(
    definition: int,
    repetition: int,
    count: int,
    level: int,
    slots: int,
    offsets: int,
    item_size: int,
    entry_count: int,
    repetition_level: int,
    expanded_definition: int,
    expanded_repetition: int,
) -> int:
    """Put an entry for each element in the place of each list that has some.

    Elements reach the level after `level`; all but the first of a list get `repetition_level`.
    Returns the number of entries, which is `entry_count`.

    Parameters
    ----------
    definition, repetition, count, level, slots
        Entries; the living ones are lists that are there, as `measure_lists` found them right.
    offsets, item_size
        Where lists begin and end, in numbers of 4 or 8 bytes.
    entry_count
        What `measure_lists` told.
    repetition_level
        That of elements after the first.
    expanded_definition, expanded_repetition
        Where the levels of the new entries go, a byte each. If all are elements, the definition
        levels need not be written: 0.
    """
    fill(expanded_repetition, repetition_level, entry_count)
    if expanded_definition != 0:
        fill(expanded_definition, level + 1, entry_count)
    if item_size == 4:
        if definition == 0 and repetition == 0 and slots == 0:
            return _expand(
                0, 0, count, level, 0, offsets, 4, expanded_definition, expanded_repetition
            )
        return _expand(
            definition,
            repetition,
            count,
            level,
            slots,
            offsets,
            4,
            expanded_definition,
            expanded_repetition,
        )
    return _expand(
        definition,
        repetition,
        count,
        level,
        slots,
        offsets,
        8,
        expanded_definition,
        expanded_repetition,
    )


@kernel
def slots_of_elements(
    slots: int,
    alive: int,
    offsets: int,
    item_size: int,
    elements: int,
) -> int:
    """Write the slot of each element of living lists, 8 bytes each; return how many there are.

    There is room for 7 more.
    """
    at = 0
    for index in range(alive):
        slot = index if slots == 0 else load_64(slots, index * 8)
        start = _offset(offsets, item_size, slot)
        stop = _offset(offsets, item_size, slot + 1)
        done = 0
        while done < stop - start:
            # What is too much is overwritten by what follows.
            for step in range(8):
                store_64(elements, (at + done + step) * 8, start + done + step)
            done += 8
        at += stop - start
    return at
