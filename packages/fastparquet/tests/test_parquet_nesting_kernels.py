"""Kernels of nested columns against plain Python, compiled and in a memory with bounds."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hocket.parquet.kernels.checked import CheckedMemory
from hocket.parquet.kernels.faults import (
    FIRST_REPETITION,
    LIST_SHAPE,
    STRING_LENGTH,
    VALUE_RANGE,
)
from hocket.parquet.kernels.library import KERNEL, address

#: Levels that do not fit each other are wanted, too: nothing may be read or written elsewhere.
levels = st.integers(0, 4)


@st.composite
def entries(draw, most=40):
    count = draw(st.integers(0, most))
    definition = draw(st.lists(levels, min_size=count, max_size=count))
    repetition = draw(st.lists(levels, min_size=count, max_size=count))
    if count and draw(st.integers(0, 9)):
        repetition[0] = 0
    return repetition, definition


def both_ways(name, sources, arguments, rooms):
    """Run a kernel compiled and in checked memory; return its answer and what it wrote.

    `rooms` are pairs of bytes of a result and bytes to spare behind it.
    """
    outcomes = []
    for poison in (None, 0x00, 0xFF):
        if poison is None:
            padded = [np.frombuffer(bytes(each) + b"\xa5" * 64, np.uint8) for each in sources]
            results = [np.full(nbytes + spare + 8, 0x5C, np.uint8) for nbytes, spare in rooms]
            kernel = getattr(KERNEL, name)
        else:
            memory = CheckedMemory(poison=poison)
            padded = [memory.source(bytes(each)) for each in sources]
            results = [memory.room(nbytes, spare_nbytes=spare) for nbytes, spare in rooms]
            kernel = memory.kernel(name)
        at = [each if isinstance(each, int) else address(each) for each in padded]
        answer = kernel(*arguments(at, [address(each) for each in results]))
        if poison is None:
            for result, (nbytes, spare) in zip(results, rooms, strict=True):
                assert (result[nbytes + spare :] == 0x5C).all()
        outcomes.append(
            (answer, [r[:nbytes].tobytes() for r, (nbytes, _) in zip(results, rooms, strict=True)])
        )
    first, *others = outcomes
    for other in others:
        assert other[0] == first[0]
        if first[0] >= 0:
            assert other[1] == first[1]
    return first


def measured(repetition, definition, depth, slot, present, element):
    """Do as `measure_levels`, plainly."""
    pairs = list(zip(repetition, definition, strict=True))
    if pairs and pairs[0][0]:
        return -FIRST_REPETITION, None
    for (_, before), (repeat, level) in pairwise(pairs):
        if repeat == depth + 1 and min(before, level) < element:
            return -LIST_SHAPE, None
    slots = [level for repeat, level in pairs if repeat <= depth and level >= slot]
    elements = [level for repeat, level in pairs if repeat <= depth + 1 and level >= element]
    return 0, [len(slots), sum(level < present for level in slots), len(elements)]


@given(entries(), st.integers(0, 3), levels, levels, levels)
def test_measure_levels(pair, depth, slot, present, element):
    repetition, definition = pair
    answer, rooms = both_ways(
        "measure_levels",
        [repetition, definition],
        lambda at, to: (*at, len(repetition), depth, slot, present, element, to[0]),
        [(24, 0)],
    )
    expected, numbers = measured(repetition, definition, depth, slot, present, element)
    assert answer == expected
    if answer == 0:
        assert np.frombuffer(rooms[0], np.int64).tolist() == numbers


@given(entries(), st.integers(0, 3), levels, levels, st.sampled_from([4, 8]), st.booleans())
def test_list_offsets(pair, depth, slot, element, item_size, is_outer):
    repetition, definition = pair
    greatest = 4
    if is_outer:
        depth, slot, greatest = 0, 0, 1
        repetition = [min(each, 1) for each in repetition]
    if repetition:
        repetition[0] = 0
    offsets, elements = [], 0
    for repeat, level in zip(repetition, definition, strict=True):
        if repeat <= depth and level >= slot:
            offsets.append(elements)
        elements += repeat <= depth + 1 and level >= element
    offsets.append(elements)
    answer, rooms = both_ways(
        "list_offsets",
        [repetition, definition],
        lambda at, to: (
            *at,
            len(repetition),
            depth,
            slot,
            greatest,
            element,
            to[0],
            item_size,
        ),
        [(item_size * len(offsets), 0)],
    )
    assert answer == len(offsets) - 1
    assert np.frombuffer(rooms[0], f"i{item_size}").tolist() == offsets


@given(entries(), st.integers(0, 3), levels, levels)
def test_slot_validity(pair, depth, slot, present):
    repetition, definition = pair
    valid = [
        level >= present
        for repeat, level in zip(repetition, definition, strict=True)
        if repeat <= depth and level >= slot
    ]
    answer, rooms = both_ways(
        "slot_validity",
        [repetition, definition],
        lambda at, to: (*at, len(repetition), depth, slot, present, to[0]),
        [(len(valid), 1)],
    )
    assert answer == len(valid)
    assert list(rooms[0]) == valid


def outline(repetition, definition, depth, bound):
    pairs = zip(repetition, definition, strict=True)
    return [(repeat, min(level, bound)) for repeat, level in pairs if repeat <= depth]


@given(entries(), st.data(), levels)
def test_same_shape(pair, data, bound):
    repetition, definition = pair
    others = [list(repetition), [data.draw(st.integers(max(0, d - 1), 4)) for d in definition]]
    if repetition and data.draw(st.booleans()):
        others[0][data.draw(st.integers(0, len(repetition) - 1))] = data.draw(levels)
    answer, _ = both_ways(
        "same_shape",
        [repetition, definition, *others],
        lambda at, _to: (*at, len(repetition), bound),
        [],
    )
    is_same = outline(repetition, definition, 9, bound) == outline(*others, 9, bound)
    assert answer == (0 if is_same else -LIST_SHAPE)


@given(entries(12), entries(3), st.integers(0, 3), levels, st.data())
def test_same_outer_shape(pair, inserted, depth, bound, data):
    repetition, definition = pair
    others = [list(repetition), list(definition)]
    # Entries of lists inside change nothing, others do.
    for repeat, level in zip(*inserted, strict=True):
        at = data.draw(st.integers(0, len(others[0])))
        others[0].insert(at, repeat)
        others[1].insert(at, level)
    answer, _ = both_ways(
        "same_outer_shape",
        [repetition, definition, *others],
        lambda at, _to: (
            at[0],
            at[1],
            len(repetition),
            at[2],
            at[3],
            len(others[0]),
            depth,
            bound,
        ),
        [],
    )
    is_same = outline(repetition, definition, depth, bound) == outline(*others, depth, bound)
    assert answer == (0 if is_same else -LIST_SHAPE)


@given(st.lists(st.booleans(), max_size=200))
def test_bitmap_of_bytes(valid):
    nbytes = (len(valid) + 7) // 8
    answer, rooms = both_ways(
        "bitmap_of_bytes", [bytes(valid)], lambda at, to: (at[0], len(valid), to[0]), [(nbytes, 0)]
    )
    assert answer == sum(valid)
    assert rooms[0] == np.packbits(np.array(valid, bool), bitorder="little").tobytes()


def decimals(values, item_size, offsets=None):
    data = b"".join(values)
    if offsets is None:
        offsets = np.cumsum([0, *map(len, values)])
    return both_ways(
        "decimals_of_strings",
        [np.array(offsets, np.int64).tobytes(), data],
        lambda at, to: (at[0], len(offsets) - 1, at[1], len(data), to[0], item_size),
        [((len(offsets) - 1) * item_size, 0)],
    )


@given(
    st.lists(st.tuples(st.integers(-(1 << 127), (1 << 127) - 1), st.integers(0, 9)), max_size=9),
    st.sampled_from([16, 32]),
)
def test_decimals_of_strings(numbers, item_size):
    values = [
        number.to_bytes(number.bit_length() // 8 + 1 + more, "big", signed=True)
        for number, more in numbers
    ]
    answer, rooms = decimals(values, item_size)
    assert answer == 0
    assert rooms[0] == b"".join(
        number.to_bytes(item_size, "little", signed=True) for number, _ in numbers
    )


@pytest.mark.parametrize(
    "value", [bytes([0, 0x80, *[0] * 15]), bytes([0xFF, 0x7F, *[0] * 15]), bytes([1, *[0] * 16])]
)
def test_decimals_that_are_too_large(value):
    assert decimals([value], 16)[0] == -VALUE_RANGE
    assert decimals([value], 32)[0] == 0


@pytest.mark.parametrize("offsets", [[0, 5], [-1, 2], [3, 2], [0, 2, 1]])
def test_decimals_outside_of_their_bytes(offsets):
    assert decimals([b"abc"], 16, offsets)[0] == -STRING_LENGTH


def test_no_bytes_are_zero():
    assert decimals([b"", b"\x01"], 16) == (0, [bytes(16) + b"\x01" + bytes(15)])
