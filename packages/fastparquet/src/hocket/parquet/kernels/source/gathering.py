"""The values of some slots, one after the other: of those with a flag, or of a list of slots."""

from __future__ import annotations

from typing import Final

from hocket.parquet.kernels.language import (
    copy,
    helper,
    inlined,
    kernel,
    load_8,
    load_16,
    load_32,
    load_64,
    load_signed_32,
    move_8,
    move_16,
    move_32,
    shift_right,
    store_8,
    store_16,
    store_32,
    store_64,
)

__all__ = [
    "copy_slot_strings",
    "gather_flagged",
    "gather_flagged_offsets",
    "gather_items",
    "gather_slot_offsets",
    "slots_are_consecutive",
]

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
    if item_size == 1:
        move_8(destination, source)
    elif item_size == 2:
        move_16(destination, source)
    elif item_size == 4:
        move_32(destination, source)
    else:
        move_32(destination, source)
        move_32(destination + 32, source + 32)


@inlined
def _gather_flagged(flags: int, count: int, source: int, item_size: int, destination: int) -> int:
    done = 0
    for group in range(count >> 3):
        first = group * 8
        eight = load_64(flags, first)
        if eight == _ALL:
            _move_eight(destination + done * item_size, source + first * item_size, item_size)
            done += 8
        else:
            for index in range(8):
                # Without a branch: what is not wanted is overwritten by the next one.
                _store(destination, done, item_size, _load(source, first + index, item_size))
                done += shift_right(eight, 8 * index) & 1
    for index in range(count & -8, count):
        _store(destination, done, item_size, _load(source, index, item_size))
        done += load_8(flags, index)
    return done


@inlined
def _move_item(destination: int, source: int, item_size: int) -> None:
    if item_size == 32:
        move_32(destination, source)
    elif item_size >= 8:
        for at in range(0, item_size - 8, 8):
            move_8(destination + at, source + at)
        move_8(destination + item_size - 8, source + item_size - 8)
    else:
        for at in range(item_size):
            store_8(destination, at, load_8(source, at))


@helper
def gather_flagged(flags: int, count: int, source: int, item_size: int, destination: int) -> int:
    """Write the items whose flag is 1 (the others' are 0); return how many there are.

    Up to one item more is written behind them.
    """
    if item_size == 8:
        return _gather_flagged(flags, count, source, 8, destination)
    if item_size == 4:
        return _gather_flagged(flags, count, source, 4, destination)
    if item_size == 2:
        return _gather_flagged(flags, count, source, 2, destination)
    if item_size == 1:
        return _gather_flagged(flags, count, source, 1, destination)
    done = 0
    if item_size == 16:
        for index in range(count):
            move_16(destination + done, source + index * 16)
            done += load_8(flags, index) * 16
        return done >> 4
    for index in range(count):
        if load_8(flags, index) != 0:
            _move_item(destination + done * item_size, source + index * item_size, item_size)
            done += 1
    return done


@inlined
def _gather_slots(slots: int, count: int, source: int, item_size: int, destination: int) -> None:
    for index in range(count):
        value = _load(source, load_64(slots, index * 8), item_size)
        _store(destination, index, item_size, value)


@helper
def gather_slots_of(slots: int, count: int, source: int, item_size: int, destination: int) -> None:
    """Write the items in slots, each a number of 64 bits."""
    if item_size == 8:
        _gather_slots(slots, count, source, 8, destination)
    elif item_size == 4:
        _gather_slots(slots, count, source, 4, destination)
    elif item_size == 2:
        _gather_slots(slots, count, source, 2, destination)
    elif item_size == 1:
        _gather_slots(slots, count, source, 1, destination)
    elif item_size == 16:
        for index in range(count):
            move_16(destination + index * 16, source + load_64(slots, index * 8) * 16)
    else:
        for index in range(count):
            slot = load_64(slots, index * 8)
            _move_item(destination + index * item_size, source + slot * item_size, item_size)


@kernel
def gather_items(
    flags: int, slots: int, count: int, source: int, item_size: int, destination: int
) -> int:
    """Write the items whose flag is 1 or, if `flags` is 0, those in slots; return how many.

    With flags, one item more may be written behind them.
    """
    if flags != 0:
        return gather_flagged(flags, count, source, item_size, destination)
    gather_slots_of(slots, count, source, item_size, destination)
    return count


@kernel
def slots_are_consecutive(slots: int, count: int) -> int:
    """Return 1 if each slot is the one after the one before, else 0."""
    if count == 0:
        return 1
    first = load_64(slots, 0)
    differing = 0
    for index in range(count):
        differing |= load_64(slots, index * 8) ^ (first + index)
    return 1 if differing == 0 else 0


@inlined
def _offset(offsets: int, item_size: int, index: int) -> int:
    if item_size == 4:
        return load_signed_32(offsets, index * 4)
    return load_64(offsets, index * 8)


@inlined
def _flagged_offsets(flags: int, count: int, offsets: int, item_size: int, destination: int) -> int:
    done = 0
    hidden = 0
    begin = _offset(offsets, item_size, 0)
    for index in range(count):
        end = _offset(offsets, item_size, index + 1)
        flag = load_8(flags, index)
        store_64(destination, done * 8, begin)
        done += flag
        hidden |= (end - begin) & (flag - 1)
        begin = end
    store_64(destination, done * 8, begin)
    return 1 if hidden else 0


@kernel
def gather_flagged_offsets(
    flags: int, count: int, offsets: int, item_size: int, destination: int
) -> int:
    """Write the offsets, 8 bytes each, of the byte strings whose flag is 1, and the last end.

    Returns 1 if one of the others has bytes: then what was written is of no use. Else 0.
    """
    if item_size == 4:
        return _flagged_offsets(flags, count, offsets, 4, destination)
    return _flagged_offsets(flags, count, offsets, 8, destination)


@inlined
def _slot_offsets(slots: int, count: int, offsets: int, item_size: int, destination: int) -> int:
    total = 0
    gaps = 0
    slot = load_64(slots, 0)
    end = _offset(offsets, item_size, slot)
    first = end
    for index in range(count):
        slot = load_64(slots, index * 8)
        begin = _offset(offsets, item_size, slot)
        gaps |= begin - end
        end = _offset(offsets, item_size, slot + 1)
        store_64(destination, index * 8, total)
        total += end - begin
    store_64(destination, count * 8, total)
    if gaps == 0:
        for index in range(count + 1):
            store_64(destination, index * 8, load_64(destination, index * 8) + first)
        return 0
    return total


@kernel
def gather_slot_offsets(
    slots: int, count: int, offsets: int, item_size: int, destination: int
) -> int:
    """Write new offsets, 8 bytes each, for the byte strings in at least one slot.

    Returns how many bytes the strings have together, from offset 0; or 0 if they lie one behind the
    other already: then the offsets are those of where they lie.
    """
    if item_size == 4:
        return _slot_offsets(slots, count, offsets, 4, destination)
    return _slot_offsets(slots, count, offsets, 8, destination)


@kernel
def copy_slot_strings(
    slots: int, count: int, offsets: int, item_size: int, source: int, destination: int
) -> int:
    """Copy the bytes of the byte strings in slots; return how many there are."""
    done = 0
    index = 0
    while index < count:
        first = load_64(slots, index * 8)
        last = first
        index += 1
        # Slots that follow each other are one piece.
        while index < count and load_64(slots, index * 8) == last + 1:
            last += 1
            index += 1
        if item_size == 4:
            begin = load_signed_32(offsets, first * 4)
            end = load_signed_32(offsets, last * 4 + 4)
        else:
            begin = load_64(offsets, first * 8)
            end = load_64(offsets, last * 8 + 8)
        copy(destination + done, source + begin, end - begin)
        done += end - begin
    return done
