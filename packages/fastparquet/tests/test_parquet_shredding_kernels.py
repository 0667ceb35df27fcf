"""Kernels of nested arrays and string views against plain Python, and in a memory with bounds."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from parquet_encoder_runner import run_encoder

from hocket.parquet.kernels.faults import NEGATIVE_LENGTH, SIZE_OUTSIDE

LEVEL = 2


@st.composite
def entries(draw):
    """Levels of entries of which one lives at least, and the slots of the living ones."""
    count = draw(st.integers(1, 20))
    levels = draw(st.lists(st.integers(0, LEVEL), min_size=count, max_size=count))
    levels[draw(st.integers(0, count - 1))] = LEVEL
    alive = levels.count(LEVEL)
    slots = draw(st.none() | st.lists(st.integers(0, 25), min_size=alive, max_size=alive))
    if alive == count and draw(st.booleans()):
        return None, count, slots
    return levels, count, slots


def slots_of(levels, count, slots):
    """Return the slot of each entry, None for those that have ended."""
    told = [LEVEL] * count if levels is None else levels
    left = iter(range(count) if slots is None else slots)
    return told, [next(left) if level == LEVEL else None for level in told]


def placed(source, levels, slots):
    """Put levels and slots where a kernel reads them."""
    return (
        0 if levels is None else source(np.array(levels, np.uint8)),
        0 if slots is None else source(np.array(slots, np.int64)),
    )


@given(entries(), st.data())
def test_what_is_there_is_lifted(given_entries, data):
    levels, count, slots = given_entries
    told, slot_of_entry = slots_of(*given_entries)
    length = max(slot for slot in slot_of_entry if slot is not None) + 1
    missing = np.array(
        data.draw(st.lists(st.booleans(), min_size=length, max_size=length)), np.bool_
    )
    is_bitmap = data.draw(st.booleans())
    bit_offset = data.draw(st.integers(0, 9)) if is_bitmap else 0
    nulls = missing.view(np.uint8)
    if is_bitmap:
        padding = np.zeros(bit_offset, np.bool_)
        nulls = np.packbits(np.concatenate([padding, ~missing]), bitorder="little")
    alive = sum(slot is not None for slot in slot_of_entry)

    def arguments(source, room):
        definition, slots_at = placed(source, levels, slots)
        told_nulls = source(nulls), int(is_bitmap), bit_offset
        return definition, count, LEVEL, slots_at, *told_nulls, room(count), room(8 * alive, 8)

    answer, (marked, kept) = run_encoder("mark_present", arguments)
    there = [slot for slot in slot_of_entry if slot is not None and not missing[slot]]
    assert answer == len(there)
    assert marked.tolist() == [
        level + (slot is not None and not missing[slot])
        for level, slot in zip(told, slot_of_entry, strict=True)
    ]
    assert kept.view(np.int64)[:answer].tolist() == there


@given(entries(), st.data())
def test_lists_become_their_elements(given_entries, data):
    levels, count, slots = given_entries
    told, slot_of_entry = slots_of(*given_entries)
    length = max(slot for slot in slot_of_entry if slot is not None) + 1
    item_size = data.draw(st.sampled_from([4, 8]))
    sizes = data.draw(st.lists(st.integers(0, 10), min_size=length + 1, max_size=length + 1))
    bounds = np.cumsum(sizes)
    for _ in range(data.draw(st.sampled_from([0, 0, 1]))):
        # Offsets that nobody should have written.
        bounds[data.draw(st.integers(0, length))] = data.draw(st.integers(-3, 300))
    child_length = int(bounds.max()) - data.draw(st.sampled_from([0, 0, 0, 1]))
    offsets = bounds.astype(f"<i{item_size}")
    repetition = data.draw(st.none() | st.lists(st.integers(0, 3), min_size=count, max_size=count))

    def measured(source, room):
        definition, slots_at = placed(source, levels, slots)
        lists = definition, count, LEVEL, slots_at, source(offsets), item_size
        return *lists, child_length, room(24)

    answer, (result,) = run_encoder("measure_lists", measured)
    spans = [
        range(*bounds[slot : slot + 2].tolist()) if slot is not None else None
        for slot in slot_of_entry
    ]
    looked_at = [bounds[slot : slot + 2] for slot in slot_of_entry if slot is not None]
    if any(a < 0 or b < a or b > child_length for a, b in looked_at):
        assert answer == -SIZE_OUTSIDE
        return
    elements = [element for span in spans if span for element in span]
    entry_count = sum(len(span or "1") for span in spans)
    assert result.view(np.int64)[:2].tolist() == [entry_count, len(elements)]
    if elements:
        assert result.view(np.int64)[2] == elements[0]
        assert answer == (elements == list(range(elements[0], elements[-1] + 1)))
    needs_levels = entry_count != len(elements)

    def expanded(source, room):
        definition, slots_at = placed(source, levels, slots)
        repeats = 0 if repetition is None else source(np.array(repetition, np.uint8))
        made = room(entry_count) if needs_levels else 0
        lists = definition, repeats, count, LEVEL, slots_at, source(offsets), item_size
        return *lists, entry_count, 9, made, room(entry_count)

    answer, rooms = run_encoder("expand_lists", expanded)
    assert answer == entry_count
    expected = []
    for index, (level, span) in enumerate(zip(told, spans, strict=True)):
        repeat = 0 if repetition is None else repetition[index]
        expected.append((repeat, level + bool(span)))
        expected += [(9, LEVEL + 1)] * (len(span or "1") - 1)
    assert rooms[-1].tolist() == [repeat for repeat, _ in expected]
    if needs_levels:
        assert rooms[0].tolist() == [level for _, level in expected]

    def gathered(source, room):
        _, slots_at = placed(source, None, slots)
        alive = sum(slot is not None for slot in slot_of_entry)
        return slots_at, alive, source(offsets), item_size, room(8 * len(elements), 56)

    answer, (found,) = run_encoder("slots_of_elements", gathered)
    assert answer == len(elements)
    assert found.view(np.int64).tolist() == elements


WORD = st.binary(max_size=12) | st.binary(max_size=70)


@given(st.lists(WORD | st.none(), max_size=12), st.data())
def test_views_become_strings(words, data):
    buffers = [bytearray(), bytearray(b"xx")]
    views = np.zeros((len(words), 4), np.int32)
    for view, word in zip(views, words, strict=True):
        if word is None:
            # Whatever a missing one holds is not looked at.
            view[:] = data.draw(st.lists(st.integers(-9, 99), min_size=4, max_size=4))
        elif len(word) <= 12:
            view[0] = len(word)
            view.view(np.uint8)[4 : 4 + len(word)] = np.frombuffer(word, np.uint8)
        else:
            buffer = data.draw(st.integers(0, 1))
            view[:] = len(word), 0, buffer, len(buffers[buffer])
            buffers[buffer] += word
    lengths = np.array([*map(len, buffers), 0])
    bit_offset = data.draw(st.integers(0, 9))
    there = [False] * bit_offset + [word is not None for word in words]
    bitmap = np.packbits(np.array(there, np.bool_), bitorder="little")
    if all(there[bit_offset:]) and data.draw(st.booleans()):
        bitmap = None
    wrong = None
    present = [index for index, word in enumerate(words) if word is not None]
    if present and data.draw(st.integers(0, 2)) == 0:
        wrong = data.draw(st.sampled_from([-1, 13, 200]))
        views[data.draw(st.sampled_from(present))] = [wrong, 0, *data.draw(PLACES)]

    def measured(source, room):
        told = 0 if bitmap is None else source(bitmap)
        numbers = told, bit_offset, source(lengths), 2
        return source(views), len(words), *numbers, room(8 * len(words) + 8)

    answer, (offsets,) = run_encoder("measure_views", measured)
    if wrong is not None:
        assert answer == (-NEGATIVE_LENGTH if wrong < 0 else -SIZE_OUTSIDE)
        return
    expected = b"".join(word or b"" for word in words)
    assert answer == len(expected)
    assert (
        offsets.view(np.int64).tolist() == np.cumsum([0, *(len(w or b"") for w in words)]).tolist()
    )

    def copied(source, room):
        addresses = np.array(
            [
                *(
                    source(np.frombuffer(b"\0" if not each else bytes(each), np.uint8))
                    for each in buffers
                ),
                0,
            ]
        )
        numbers = source(offsets.view(np.int64)), source(lengths), source(addresses)
        return source(views), len(words), *numbers, room(len(expected), 32)

    answer, (found,) = run_encoder("copy_views", copied)
    assert answer == len(expected)
    assert found.tobytes() == expected


#: Buffers and positions of which none holds 13 bytes.
PLACES = st.sampled_from([(-1, 0), (2, 0), (5, 0), (0, -1), (0, 1 << 30), (1, 1 << 30)])
