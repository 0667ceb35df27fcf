"""Entries of leaves out of arrays, with their missing slots told in any of the ways there are."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from hypothesis import strategies as st
from parquet_slow_decoder import leaf

from hocket.parquet.arrays.leaf_entries import LeafEntries
from hocket.parquet.arrays.value_array import ArrayKind, Nulls, ValueArray
from hocket.parquet.arrays.write_field import Storing, WriteField, WriteKind
from hocket.parquet.metadata.logical import LogicalKind


def fixed(values):
    """Return an array of numbers, or of bytes of one size."""
    return ValueArray(ArrayKind.FIXED, len(values), values=np.asarray(values))


def strings(parts, dtype=np.int64, first=0):
    """Return an array of byte strings, whose data begins with some bytes of none."""
    offsets = np.cumsum([first, *map(len, parts)]).astype(dtype)
    data = np.frombuffer(b"#" * first + b"".join(parts), np.uint8)
    return ValueArray(ArrayKind.STRINGS, len(parts), values=data, offsets=offsets)


def entries_of(
    array,
    physical,
    kind=LogicalKind.NONE,
    *,
    storing=Storing.AS_IS,
    length=0,
    factor=1,
    is_lossy=False,
    slots=None,
    **logical,
):
    """Return the entries of a column right below the root."""
    node = leaf(physical, kind, length=length, **logical)
    field = WriteField(
        "x",
        WriteKind.LEAF,
        physical=physical,
        type_length=length,
        logical=node.logical,
        storing=storing,
        factor=factor,
        is_lossy=is_lossy,
    )
    if slots is not None:
        slots = np.array(slots, np.int64)
        return LeafEntries(
            field, node, len(slots), len(slots), None, None, len(slots), array, slots
        )
    count = array.length
    return LeafEntries(field, node, count, count, None, None, count, array)


@st.composite
def chosen(draw, entries):
    """Return entries of which some are missing, and the slots of those that are not."""
    count = entries.array.length
    way = draw(st.sampled_from(["all", "bitmap", "mask", "definition", "slots"]))
    if way == "all":
        return entries, list(range(count))
    if way == "slots":
        slots = draw(
            st.lists(st.integers(0, count - 1), max_size=2 * count) if count else st.just([])
        )
        if draw(st.booleans()):
            slots = sorted(set(slots))
        drawn = np.array(slots, np.int64)
        return replace(entries, value_count=len(slots), slots=drawn), slots
    flags = draw(st.lists(st.booleans(), min_size=count, max_size=count))
    slots = [slot for slot, flag in enumerate(flags) if flag]
    if way == "mask":
        mask = np.array(
            [0 if flag else draw(st.sampled_from([1, 255])) for flag in flags], np.uint8
        )
        nulls = Nulls(mask, is_bitmap=False)
    else:
        offset = draw(st.integers(0, 9))
        bits = np.packbits(np.array([False] * offset + flags, bool), bitorder="little")
        nulls = Nulls(bits, is_bitmap=True, bit_offset=offset)
    definition = np.array(flags, np.uint8) if way == "definition" else None
    array = replace(entries.array, nulls=nulls)
    told = replace(entries, array=array, value_count=len(slots), definition=definition)
    return told, slots
