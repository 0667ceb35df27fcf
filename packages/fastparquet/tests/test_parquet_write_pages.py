"""Where pages end, and how their values are encoded: by what is smallest, or as told."""

from __future__ import annotations

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given
from parquet_chunk_writer import leaf_of

import hocket.parquet as hp
from hocket.parquet.arrays.leaf_entries import DenseValues
from hocket.parquet.encode.choice import LearnedChoice, choose_encoding
from hocket.parquet.encode.column import ColumnEntries
from hocket.parquet.encode.options import ChunkOptions
from hocket.parquet.encode.page_cuts import cut_pages
from hocket.parquet.metadata.encodings import Encoding
from hocket.parquet.metadata.logical import PhysicalType

ZSTD = ChunkOptions(codec=6)
RNG = np.random.default_rng(0)


def strings(items) -> DenseValues:
    raw = [item.encode() for item in items]
    offsets = np.zeros(len(raw) + 1, np.int64)
    np.cumsum([len(each) for each in raw], out=offsets[1:])
    data = np.frombuffer(b"".join(raw), np.uint8)
    return DenseValues(leaf_of(PhysicalType.BYTE_ARRAY), len(raw), data, offsets)


def numbers(values, physical=PhysicalType.INT64) -> DenseValues:
    return DenseValues(leaf_of(physical), len(values), np.ascontiguousarray(values))


# ---------------------------------------------------------------------------------------- cuts


@given(
    lengths=st.lists(st.integers(0, 300), min_size=1, max_size=80),
    missing=st.sets(st.integers(0, 79)),
    page_nbytes=st.integers(1, 2000),
    page_rows=st.integers(1, 100),
)
def test_pages_of_strings(lengths, missing, page_nbytes, page_rows):
    """Go on where the one before ended, and are no larger than wanted, but for single rows."""
    rows = len(lengths)
    definition = np.array([row not in missing for row in range(rows)], np.uint8)
    kept = [length for row, length in enumerate(lengths) if row not in missing]
    values = strings("x" * length for length in kept)
    column = ColumnEntries(rows, rows, definition, None, values)
    cuts = cut_pages(column, page_nbytes=page_nbytes, page_rows=page_rows)
    row = entry = value = 0
    for cut in cuts:
        assert (cut.first_row, cut.first_entry, cut.first_value) == (row, entry, value)
        assert row < cut.stop_row <= row + page_rows
        assert cut.stop_value - value == definition[entry : cut.stop_entry].sum()
        nbytes = sum(length + 4 for length in kept[value : cut.stop_value])
        assert nbytes <= page_nbytes * 1.25 or cut.stop_row == row + 1
        row, entry, value = cut.stop_row, cut.stop_entry, cut.stop_value
    assert (row, entry, value) == (rows, rows, len(kept))


@given(
    sizes=st.lists(st.integers(0, 20), min_size=1, max_size=60),
    page_nbytes=st.integers(1, 500),
    page_rows=st.integers(1, 100),
)
def test_pages_of_lists_end_with_rows(sizes, page_nbytes, page_rows):
    """Whatever is in them."""
    repetition = np.array([int(n > 0) for size in sizes for n in range(max(size, 1))], np.uint8)
    definition = np.array([2 * (size > 0) for size in sizes for _ in range(max(size, 1))], np.uint8)
    node = leaf_of(PhysicalType.INT64, definition=2, repetition=1)
    values = DenseValues(node, sum(sizes), np.zeros(sum(sizes), np.int64))
    column = ColumnEntries(len(sizes), len(repetition), definition, repetition, values)
    cuts = cut_pages(column, page_nbytes=page_nbytes, page_rows=page_rows)
    assert [cut.first_row for cut in cuts[1:]] == [cut.stop_row for cut in cuts[:-1]]
    for cut in cuts:
        assert repetition[cut.first_entry] == 0
        assert cut.stop_value - cut.first_value == sum(sizes[cut.first_row : cut.stop_row])
    assert cuts[-1].stop_entry == len(repetition)


def test_pages_are_of_about_one_size():
    """Rather than that a small one is left at the end."""
    column = ColumnEntries(1001, 1001, None, None, numbers(np.zeros(1001, np.int64)))
    cuts = cut_pages(column, page_nbytes=1 << 20, page_rows=500)
    assert [cut.stop_row - cut.first_row for cut in cuts] == [334, 334, 333]


def test_a_row_that_no_page_can_hold():
    offsets = np.array([0, 3 << 30], np.int64)
    node = leaf_of(PhysicalType.BYTE_ARRAY)
    values = DenseValues(node, 1, np.empty(0, np.uint8), offsets)
    with pytest.raises(hp.ValueOutOfRange, match=r"row 0 .*less than 2 GiB"):
        cut_pages(ColumnEntries(1, 1, None, None, values), page_nbytes=1000, page_rows=10)


# -------------------------------------------------------------------------------------- choice


@pytest.mark.parametrize(
    ("values", "encoding"),
    [
        (numbers(np.arange(50_000)), Encoding.DELTA_BINARY_PACKED),
        (numbers(RNG.integers(0, 1 << 62, 50_000)), Encoding.PLAIN),
        (numbers(RNG.normal(size=50_000), PhysicalType.DOUBLE), Encoding.BYTE_STREAM_SPLIT),
        (strings(f"{n:09d}/common/tail" for n in range(20_000)), Encoding.DELTA_BYTE_ARRAY),
        (
            numbers(RNG.integers(0, 2, 50_000).astype(np.uint8), PhysicalType.BOOLEAN),
            Encoding.PLAIN,
        ),
    ],
)
def test_what_is_smallest_is_chosen(values, encoding):
    choice = choose_encoding(values, ZSTD)
    assert (choice.encoding, choice.values.codes) == (encoding, None)


@pytest.mark.parametrize(
    "values",
    [
        numbers(RNG.choice(RNG.integers(0, 1 << 62, 300), 50_000)),
        numbers(RNG.choice(RNG.normal(size=300), 50_000), PhysicalType.DOUBLE),
        strings(RNG.choice([f"name {n * 7919}" for n in range(300)], 50_000).tolist()),
    ],
)
def test_few_different_values_get_a_dictionary(values):
    choice = choose_encoding(values, ZSTD)
    assert choice.values.codes is not None
    assert choose_encoding(values, ChunkOptions(codec=6, dictionary=False)).values.codes is None
    small = ChunkOptions(codec=6, dictionary_nbytes=100)
    assert choose_encoding(values, small).values.codes is None


def test_what_was_learnt_holds_for_the_chunks_that_follow():
    """Also if a dictionary turns out too large later: then there is none."""
    learned = LearnedChoice()
    few = numbers(RNG.choice(RNG.integers(0, 1 << 62, 300), 50_000))
    assert choose_encoding(few, ZSTD, learned).values.codes is not None
    many = numbers(RNG.integers(0, 1 << 62, 1 << 20))
    choice = choose_encoding(many, ZSTD, learned)
    assert (choice.values.codes, choice.encoding) == (None, learned.encoding)
    learned = LearnedChoice()
    choose_encoding(numbers(np.arange(50_000)), ZSTD, learned)
    assert choose_encoding(many, ZSTD, learned).encoding is Encoding.DELTA_BINARY_PACKED


def test_a_level_that_gains_little_is_not_taken():
    """Unless the caller says which."""
    noise = numbers(RNG.integers(0, 1 << 62, 200_000))
    assert choose_encoding(noise, ZSTD).level == 1
    words = [f"{n * 7919 % 100_003:x}" for n in range(400)]
    chosen = RNG.integers(0, len(words), (1 << 17, 4)).tolist()
    text = strings(" ".join([words[n] for n in each]) for each in chosen)
    assert choose_encoding(text, ZSTD).level == 3
    assert choose_encoding(noise, ChunkOptions(codec=6, level=7)).level == 7
    assert choose_encoding(noise, ChunkOptions(codec=1)).level is None


def test_dictionaries_that_came_along():
    """Are kept, with categories that no value has; too large ones become plain values."""
    node = leaf_of(PhysicalType.INT64)
    codes = np.array([1, 1, 2], np.uint32)
    coded = DenseValues(node, 3, np.array([7, 8, 9]), None, codes)
    assert choose_encoding(coded, ZSTD).values is coded
    twice = DenseValues(node, 3, np.array([7, 8, 8]), None, codes)
    found = choose_encoding(twice, ZSTD).values
    assert found.values[found.codes].tolist() == [8, 8, 8]
    assert len(found.values) == 1
    plain = choose_encoding(coded, ChunkOptions(codec=6, dictionary_nbytes=8))
    assert (plain.values.values.tolist(), plain.encoding) == ([8, 8, 9], Encoding.PLAIN)
