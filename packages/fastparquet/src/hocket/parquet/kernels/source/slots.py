"""Slots: which of them hold a value, and bringing dense values to the slots that do.

Values come without gaps; where some slots are null, each value moves up to its slot, from the last
to the first, in the memory that the values are in already. What lies below the first null stays.
"""

from __future__ import annotations

from typing import Final

from hocket.parquet.kernels.language import (
    fill,
    helper,
    inlined,
    kernel,
    load_8,
    load_16,
    load_32,
    load_64,
    move_8,
    move_16,
    move_32,
    store_8,
    store_16,
    store_32,
    store_64,
)

__all__ = ["fill_nulls", "spread_items", "spread_offsets", "valid_of_levels"]

#: Eight flags that are all set.
_ALL: Final = 0x0101010101010101


@inlined
def _load(source: int, index: int, item_size: int) -> int:
    if item_size == 1:
        return load_8(source, index)
    if item_size == 2:
        return load_16(source, index * 2)
    if item_size == 4:
        return load_32(source, index * 4)
    return load_64(source, index * 8)


@inlined
def _store(destination: int, index: int, item_size: int, value: int) -> None:
    if item_size == 1:
        store_8(destination, index, value)
    elif item_size == 2:
        store_16(destination, index * 2, value)
    elif item_size == 4:
        store_32(destination, index * 4, value)
    else:
        store_64(destination, index * 8, value)


@inlined
def _move_eight(destination: int, source: int, item_size: int) -> None:
    """Move eight items up, the highest first: source and destination may overlap."""
    if item_size == 1:
        move_8(destination, source)
    elif item_size == 2:
        move_16(destination, source)
    elif item_size == 4:
        move_32(destination, source)
    else:
        move_32(destination + 32, source + 32)
        move_32(destination, source)


@inlined
def _spread(
    destination: int, item_size: int, valid: int, count: int, present: int, null_bits: int
) -> None:
    index = count
    dense = present
    # `index` slots and `dense` values are left, and eight slots are done at a time.
    while index >= 8 and dense >= 8 and dense < index:
        if load_64(valid, index - 8) == _ALL:
            index -= 8
            dense -= 8
            _move_eight(destination + index * item_size, destination + dense * item_size, item_size)
        else:
            for _ in range(8):
                index -= 1
                flag = load_8(valid, index)
                # Without a branch: the value that may not be wanted is one that is there.
                value = _load(destination, dense - 1, item_size)
                _store(destination, index, item_size, value if flag != 0 else null_bits)
                dense -= flag
    while dense < index:
        index -= 1
        if load_8(valid, index) != 0:
            dense -= 1
            _store(destination, index, item_size, _load(destination, dense, item_size))
        else:
            _store(destination, index, item_size, null_bits)


@helper
def _spread_wide(destination: int, item_size: int, valid: int, count: int, present: int) -> None:
    """Spread items of any other size; nulls are zeros."""
    index = count
    dense = present
    while dense < index:
        index -= 1
        to = destination + index * item_size
        if load_8(valid, index) != 0:
            dense -= 1
            source = destination + dense * item_size
            if item_size == 16:
                move_16(to, source)
            elif item_size == 32:
                move_32(to, source)
            else:
                for byte in range(item_size):
                    store_8(to, byte, load_8(source, byte))
        else:
            fill(to, 0, item_size)


@kernel
def spread_items(
    destination: int, item_size: int, valid: int, count: int, present: int, null_bits: int
) -> int:
    """Bring dense values to the slots that hold one, in place; the others get `null_bits`.

    Parameters
    ----------
    destination
        Address of `count` items, of which the first `present` are set.
    item_size
        Bytes of an item.
    valid
        A byte for each slot: 1 if it holds a value. `present` of them are 1.
    count, present
        How many slots and values there are.
    null_bits
        What a null slot gets in items of 1, 2, 4 or 8 bytes; others get zeros.

    Returns
    -------
    int
        0.
    """
    if item_size == 8:
        _spread(destination, 8, valid, count, present, null_bits)
    elif item_size == 4:
        _spread(destination, 4, valid, count, present, null_bits)
    elif item_size == 2:
        _spread(destination, 2, valid, count, present, null_bits)
    elif item_size == 1:
        _spread(destination, 1, valid, count, present, null_bits)
    else:
        _spread_wide(destination, item_size, valid, count, present)
    return 0


@helper
def fill_nulls(destination: int, item_size: int, count: int, null_bits: int) -> None:
    """Make null slots: a pattern in items of 1, 2, 4 or 8 bytes, or zeros in others."""
    if item_size == 8:
        for index in range(count):
            store_64(destination, index * 8, null_bits)
    elif item_size == 4:
        for index in range(count):
            store_32(destination, index * 4, null_bits)
    elif item_size == 2:
        for index in range(count):
            store_16(destination, index * 2, null_bits)
    elif item_size == 1:
        for index in range(count):
            store_8(destination, index, null_bits)
    else:
        fill(destination, 0, count * item_size)


@kernel
def spread_offsets(offsets: int, valid: int, count: int, present: int) -> int:
    """Give the bounds of each byte string to its slot, in place; null slots are empty.

    Parameters
    ----------
    offsets
        Address of ``count + 1`` offsets, of which the first ``present + 1`` are set.
    valid, count, present
        As for `spread_items`.

    Returns
    -------
    int
        0.
    """
    index = count
    dense = present
    while dense < index:
        # The end of the last string that is left; with none left, the beginning of all.
        store_64(offsets, index * 8, load_64(offsets, dense * 8))
        index -= 1
        dense -= load_8(valid, index)
    return 0


@helper
def valid_of_levels(
    levels: int, count: int, slot_definition: int, maximum: int, valid: int
) -> tuple[int, int]:
    """Set a byte for each level that has a slot: 1 where it is the highest.

    Parameters
    ----------
    levels, count
        Definition levels.
    slot_definition
        Levels below it have no slot.
    maximum
        The highest level.
    valid
        Where the bytes go: space for `count` of them. It may be `levels`.

    Returns
    -------
    tuple of int
        How many slots there are, and how many of them hold a value.
    """
    present = 0
    if slot_definition == 0:
        for index in range(count):
            flag = 1 if load_8(levels, index) == maximum else 0
            store_8(valid, index, flag)
            present += flag
        return count, present
    slots = 0
    for index in range(count):
        level = load_8(levels, index)
        flag = 1 if level == maximum else 0
        # A byte that belongs to no slot is overwritten by the next one, or lies behind the last.
        store_8(valid, slots, flag)
        slots += 1 if level >= slot_definition else 0
        present += flag
    return slots, present
