"""Which values are there, and bringing them together: within the memory of the user alone."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from parquet_encoder_runner import run_encoder

from hocket.parquet.arrays.value_array import ArrayKind, Nulls, ValueArray
from hocket.parquet.encode.levels import definition_of_nulls

FLAGS = st.lists(st.booleans(), max_size=100) | st.builds(
    lambda some, share: [number % share > 0 for number in some],
    st.lists(st.integers(0, 1000), max_size=300),
    st.sampled_from([2, 100]),
)


def bitmap_of(flags, bit_offset, other=0):
    bits = np.array([other] * bit_offset + [bool(flag) for flag in flags], bool)
    return np.packbits(bits, bitorder="little")


@settings(max_examples=150)
@given(FLAGS, st.integers(0, 20), st.booleans())
def test_definition_by_a_bitmap(flags, bit_offset, other):
    bits = bitmap_of(flags, bit_offset, other)
    array = ValueArray(ArrayKind.FIXED, len(flags), Nulls(bits, True, bit_offset))
    definition, present = definition_of_nulls(array)
    assert present == sum(flags)
    if present == len(flags):
        assert definition is None
    else:
        assert definition.tolist() == [int(flag) for flag in flags]
        answer, (room,) = run_encoder(
            "bytes_of_bitmap",
            lambda source, room: (source(bits), bit_offset, len(flags), room(len(flags))),
        )
        assert answer == present
        assert room.tolist() == definition.tolist()
    answer, _ = run_encoder("count_bits", lambda source, _: (source(bits), bit_offset, len(flags)))
    assert answer == present


@given(st.lists(st.sampled_from([0, 0, 1, 255]), max_size=100))
def test_definition_by_a_mask(mask):
    array = ValueArray(ArrayKind.FIXED, len(mask), Nulls(np.array(mask, np.uint8), False))
    definition, present = definition_of_nulls(array)
    assert present == mask.count(0)
    if present == len(mask):
        assert definition is None
    else:
        assert definition.tolist() == [int(each == 0) for each in mask]
    answer, (room,) = run_encoder(
        "bytes_of_mask",
        lambda source, room: (source(np.array(mask, np.uint8)), len(mask), room(len(mask))),
    )
    assert answer == present
    assert room.tolist() == [int(each == 0) for each in mask]


def test_definition_without_nulls():
    assert definition_of_nulls(ValueArray(ArrayKind.FIXED, 3)) == (None, 3)
    assert definition_of_nulls(ValueArray(ArrayKind.NULL, 0)) == (None, 0)
    definition, present = definition_of_nulls(ValueArray(ArrayKind.NULL, 3))
    assert (definition.tolist(), present) == ([0, 0, 0], 0)


SIZES = st.sampled_from([1, 2, 3, 4, 5, 8, 9, 12, 16, 17, 32, 40])


@settings(max_examples=150)
@given(FLAGS, SIZES)
def test_items_with_a_flag(flags, size):
    items = np.random.default_rng(len(flags)).integers(0, 256, (len(flags), size), np.uint8)
    present = sum(flags)
    answer, (room,) = run_encoder(
        "gather_items",
        lambda source, room: (
            source(np.array(flags, np.uint8)),
            0,
            len(flags),
            source(items),
            size,
            room(present * size, size),
        ),
    )
    assert answer == present
    assert room.tobytes() == items[np.array(flags, bool)].tobytes()


@settings(max_examples=150)
@given(st.data(), SIZES)
def test_items_of_slots(data, size):
    many = data.draw(st.integers(1, 50))
    slots = np.array(data.draw(st.lists(st.integers(0, many - 1), max_size=50)), np.int64)
    items = np.random.default_rng(many).integers(0, 256, (many, size), np.uint8)
    answer, (room,) = run_encoder(
        "gather_items",
        lambda source, room: (
            0,
            source(slots),
            slots.size,
            source(items),
            size,
            room(slots.size * size),
        ),
    )
    assert answer == slots.size
    assert room.tobytes() == items[slots].tobytes()


@pytest.mark.parametrize(
    ("slots", "answer"), [([], 1), ([5], 1), ([3, 4, 5], 1), ([3, 5, 4], 0), ([3, 3], 0)]
)
def test_consecutive_slots(slots, answer):
    found, _ = run_encoder(
        "slots_are_consecutive", lambda source, _: (source(np.array(slots, np.int64)), len(slots))
    )
    assert found == answer


STRINGS = st.lists(st.binary(max_size=4), max_size=30)


@settings(max_examples=100)
@given(STRINGS, st.data(), st.sampled_from([np.int32, np.int64]), st.integers(0, 3))
def test_offsets_of_strings_with_a_flag(strings, data, dtype, first):
    flags = [data.draw(st.booleans()) if string else False for string in strings]
    hides = data.draw(st.booleans())
    if not hides:
        flags = [flag or len(string) > 0 for flag, string in zip(flags, strings, strict=True)]
    offsets = np.cumsum([first, *map(len, strings)]).astype(dtype)
    answer, (room,) = run_encoder(
        "gather_flagged_offsets",
        lambda source, room: (
            source(np.array(flags, np.uint8)),
            len(flags),
            source(offsets),
            offsets.itemsize,
            room((sum(flags) + 1) * 8),
        ),
    )
    hidden = sum(len(s) for s, flag in zip(strings, flags, strict=True) if not flag)
    assert answer == (1 if hidden else 0)
    if not hidden:
        starts = [int(o) for o, flag in zip(offsets, flags, strict=False) if flag]
        assert room.view(np.int64).tolist() == [*starts, int(offsets[-1])]


@settings(max_examples=100)
@given(
    st.lists(st.binary(max_size=4), min_size=1, max_size=20),
    st.data(),
    st.sampled_from([np.int32, np.int64]),
)
def test_strings_of_slots(strings, data, dtype):
    offsets = np.cumsum([2, *map(len, strings)]).astype(dtype)
    raw = np.frombuffer(b"##" + b"".join(strings), np.uint8)
    slot = st.integers(0, len(strings) - 1)
    slots = data.draw(
        st.lists(slot, min_size=1, max_size=20)
        | st.sets(slot, min_size=1).map(sorted)
        | slot.map(lambda at: list(range(at, len(strings))))
    )
    wanted = [strings[slot] for slot in slots]
    nbytes, (room,) = run_encoder(
        "gather_slot_offsets",
        lambda source, room: (
            source(np.array(slots, np.int64)),
            len(slots),
            source(offsets),
            offsets.itemsize,
            room((len(slots) + 1) * 8),
        ),
    )
    made = room.view(np.int64).tolist()
    joined = raw.tobytes()
    if nbytes:
        assert nbytes == sum(map(len, wanted))
        answer, (copied,) = run_encoder(
            "copy_slot_strings",
            lambda source, room: (
                source(np.array(slots, np.int64)),
                len(slots),
                source(offsets),
                offsets.itemsize,
                source(raw),
                room(nbytes),
            ),
        )
        assert answer == nbytes
        joined = copied.tobytes()
    assert [joined[begin:end] for begin, end in itertools.pairwise(made)] == wanted
