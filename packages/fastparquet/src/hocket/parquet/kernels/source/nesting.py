"""Levels of a nested column to the offsets of its lists and the validity of its structs and lists.

A level entry is a slot of a field if its repetition level is not above that of the innermost list
around the field, and its definition level says that this list has an element there. Eight entries
are looked at together where only counts are wanted; definition levels are below 128.
"""

from __future__ import annotations

from typing import Final

from hocket.parquet.kernels.faults import FIRST_REPETITION, LIST_SHAPE
from hocket.parquet.kernels.language import (
    inlined,
    kernel,
    load_8,
    load_64,
    population,
    store_8,
    store_32,
    store_64,
    wrap,
)

__all__ = [
    "list_offsets",
    "measure_levels",
    "same_outer_shape",
    "same_shape",
    "slot_validity",
]

_ONES: Final = 0x0101010101010101
_LOW: Final = 0x7F7F7F7F7F7F7F7F
#: The highest bit of each byte, as a signed number.
_HIGH: Final = 0x8080808080808080 - (1 << 64)


@inlined
def _at_least(word: int, addend: int) -> int:
    """Return the highest bit of each byte that is at least a bound; see `_addend`."""
    return (wrap((word & _LOW) + addend) | word) & _HIGH


@inlined
def _addend(bound: int) -> int:
    """Return what brings bytes from a bound (0 to 128) on to their highest bit."""
    return wrap((128 - bound) * _ONES)


@inlined
def _below(value: int, bound: int) -> int:
    """Return -1 if a small number is below a bound, else 0."""
    return (value - bound) >> 63


@kernel
def measure_levels(
    repetition: int,
    definition: int,
    count: int,
    slot_repetition: int,
    slot_definition: int,
    present: int,
    element: int,
    result: int,
) -> int:
    """Count the slots of a field, those without a value, and the elements of a list.

    Three numbers are written: slots, slots below the definition level `present`, and elements,
    which are entries of the repetition level after the slots' at or above the definition level
    `element`. Entries that continue a list must be elements, and follow an element.
    """
    store_64(result, 0, 0)
    store_64(result, 8, 0)
    store_64(result, 16, 0)
    if count <= 0:
        return 0
    if load_8(repetition, 0) != 0:
        return -FIRST_REPETITION
    first = load_8(definition, 0)
    slots = -(~_below(first, slot_definition))
    nulls = slots & -_below(first, present)
    elements = -(~_below(first, element))
    bad = 0
    deeper = _addend(slot_repetition + 1)
    deepest = _addend(slot_repetition + 2)
    from_slot = _addend(slot_definition)
    from_present = _addend(present)
    from_element = _addend(element)
    blocks = (count - 1) >> 3
    for block in range(blocks):
        levels = load_64(definition, block * 8 + 1)
        repeats = load_64(repetition, block * 8 + 1)
        inside = _at_least(repeats, deeper)
        beyond = _at_least(repeats, deepest)
        is_slot = _at_least(levels, from_slot) & ~inside
        is_element = _at_least(levels, from_element) & ~beyond
        slots += population(is_slot)
        nulls += population(is_slot & ~_at_least(levels, from_present))
        elements += population(is_element)
        before = _at_least(load_64(definition, block * 8), from_element)
        bad |= inside & ~beyond & ~(is_element & before)
    for index in range(blocks * 8 + 1, count):
        level = load_8(definition, index)
        repeat = load_8(repetition, index)
        is_slot = ~_below(level, slot_definition) & _below(repeat, slot_repetition + 1)
        is_element = ~_below(level, element) & _below(repeat, slot_repetition + 2)
        slots -= is_slot
        nulls -= is_slot & _below(level, present)
        elements -= is_element
        if repeat == slot_repetition + 1:
            bad |= _below(level, element) | _below(load_8(definition, index - 1), element)
    if bad:
        return -LIST_SHAPE
    store_64(result, 0, slots)
    store_64(result, 8, nulls)
    store_64(result, 16, elements)
    return 0


@inlined
def _outer_offsets(
    repetition: int, definition: int, count: int, element: int, offsets: int, item_size: int
) -> int:
    """Write the offsets of lists right below the rows, of depth 1."""
    slot = 0
    elements = 0
    for index in range(count):
        # What stands at the end of a list is written over by the beginning of the next.
        if item_size == 4:
            store_32(offsets, slot * 4, elements)
        else:
            store_64(offsets, slot * 8, elements)
        slot -= _below(load_8(repetition, index), 1)
        elements -= ~_below(load_8(definition, index), element)
    if item_size == 4:
        store_32(offsets, slot * 4, elements)
    else:
        store_64(offsets, slot * 8, elements)
    return slot


@inlined
def _offsets(
    repetition: int,
    definition: int,
    count: int,
    slot_repetition: int,
    slot_definition: int,
    element: int,
    offsets: int,
    item_size: int,
) -> int:
    slot = 0
    elements = 0
    for index in range(count):
        if item_size == 4:
            store_32(offsets, slot * 4, elements)
        else:
            store_64(offsets, slot * 8, elements)
        repeat = load_8(repetition, index)
        level = load_8(definition, index)
        slot -= _below(repeat, slot_repetition + 1) & ~_below(level, slot_definition)
        elements -= _below(repeat, slot_repetition + 2) & ~_below(level, element)
    if item_size == 4:
        store_32(offsets, slot * 4, elements)
    else:
        store_64(offsets, slot * 8, elements)
    return slot


@kernel
def list_offsets(
    repetition: int,
    definition: int,
    count: int,
    slot_repetition: int,
    slot_definition: int,
    depth: int,
    element: int,
    offsets: int,
    item_size: int,
) -> int:
    """Write where the elements of each slot's list begin; return the number of slots.

    The numbers are those of `measure_levels`, which says how many offsets there will be: one more
    than slots, each of `item_size` bytes, 4 or 8. `depth` is the leaf's largest repetition level.
    """
    if slot_repetition == 0 and slot_definition == 0 and depth == 1:
        if item_size == 4:
            return _outer_offsets(repetition, definition, count, element, offsets, 4)
        return _outer_offsets(repetition, definition, count, element, offsets, 8)
    if item_size == 4:
        return _offsets(
            repetition, definition, count, slot_repetition, slot_definition, element, offsets, 4
        )
    return _offsets(
        repetition, definition, count, slot_repetition, slot_definition, element, offsets, 8
    )


@kernel
def slot_validity(
    repetition: int,
    definition: int,
    count: int,
    slot_repetition: int,
    slot_definition: int,
    present: int,
    valid: int,
) -> int:
    """Write for each slot a byte: 1 if it has a value, else 0; return the number of slots.

    One byte more than slots is written to.
    """
    slot = 0
    for index in range(count):
        level = load_8(definition, index)
        store_8(valid, slot, _below(level, present) + 1)
        repeat = load_8(repetition, index)
        slot -= _below(repeat, slot_repetition + 1) & ~_below(level, slot_definition)
    return slot


@kernel
def same_shape(
    repetition: int,
    definition: int,
    other_repetition: int,
    other_definition: int,
    count: int,
    bound: int,
) -> int:
    """Check that two leaves of one struct or map, entry by entry, agree on what is around them.

    They do if their repetition levels are equal, and their definition levels up to a bound.
    """
    addend = _addend(bound)
    differences = 0
    for block in range(count >> 3):
        levels = load_64(definition, block * 8)
        others = load_64(other_definition, block * 8)
        both = _at_least(levels, addend) & _at_least(others, addend)
        # From the highest bit of a byte to all of its bits.
        agreed = both | wrap(both - ((both >> 7) & _ONES))
        differences |= (levels ^ others) & ~agreed
        differences |= load_64(repetition, block * 8) ^ load_64(other_repetition, block * 8)
    for index in range(count & ~7, count):
        level = min(load_8(definition, index), bound)
        other = min(load_8(other_definition, index), bound)
        differences |= level ^ other
        differences |= load_8(repetition, index) ^ load_8(other_repetition, index)
    return -LIST_SHAPE if differences else 0


@kernel
def same_outer_shape(
    repetition: int,
    definition: int,
    count: int,
    other_repetition: int,
    other_definition: int,
    other_count: int,
    depth: int,
    bound: int,
) -> int:
    """Do as `same_shape`, for leaves of which one or both have lists of their own inside.

    Entries of a repetition level above `depth` belong to those and are passed over.
    """
    at = 0
    other_at = 0
    while True:
        while at < count and load_8(repetition, at) > depth:
            at += 1
        while other_at < other_count and load_8(other_repetition, other_at) > depth:
            other_at += 1
        if at >= count or other_at >= other_count:
            break
        level = min(load_8(definition, at), bound)
        other = min(load_8(other_definition, other_at), bound)
        if level != other or load_8(repetition, at) != load_8(other_repetition, other_at):
            return -LIST_SHAPE
        at += 1
        other_at += 1
    return 0 if at >= count and other_at >= other_count else -LIST_SHAPE
