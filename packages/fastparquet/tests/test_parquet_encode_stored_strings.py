"""Byte strings and codes of any slots, with their bytes shared where that can be."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from parquet_leaf_maker import chosen, entries_of, fixed, strings

from hocket.parquet.arrays.value_array import ArrayKind, Nulls, ValueArray
from hocket.parquet.encode.storing import dense_values
from hocket.parquet.errors import ValueOutOfRange, ValueUnstorable
from hocket.parquet.metadata.logical import PhysicalType

BYTES = PhysicalType.BYTE_ARRAY
FIXED = PhysicalType.FIXED_LEN_BYTE_ARRAY
PARTS = st.lists(st.binary(max_size=5), max_size=25)
OFFSETS = st.sampled_from([np.int32, np.int64])


def strings_of(dense):
    """Return the byte strings of dense values without codes."""
    raw = dense.values.tobytes()
    assert dense.offsets.dtype == np.int64
    assert dense.values.dtype == np.uint8
    return [raw[begin:end] for begin, end in itertools.pairwise(dense.offsets.tolist())]


@settings(max_examples=200)
@given(st.data(), PARTS, OFFSETS, st.integers(0, 3))
def test_strings(data, parts, dtype, first):
    told, slots = data.draw(chosen(entries_of(strings(parts, dtype, first), BYTES)))
    dense = dense_values(told)
    assert dense.count == len(slots)
    assert strings_of(dense) == [parts[slot] for slot in slots]


@pytest.mark.parametrize("nulls", [None, Nulls(np.array([0b1011], np.uint8), is_bitmap=True)])
def test_bytes_are_shared_if_nothing_hides_between_them(nulls):
    array = replace(strings([b"one", b"two", b"", b"four"]), nulls=nulls)
    dense = dense_values(entries_of(array, BYTES))
    assert strings_of(dense) == [b"one", b"two", *([] if nulls else [b""]), b"four"]
    assert np.shares_memory(dense.values, array.values)


def test_what_hides_in_missing_slots_is_left_out():
    nulls = Nulls(np.array([0, 1, 0], np.uint8), is_bitmap=False)
    dense = dense_values(entries_of(replace(strings([b"a", b"secret", b"c"]), nulls=nulls), BYTES))
    assert dense.values.tobytes() == b"ac"


@given(st.data(), st.lists(st.binary(min_size=3, max_size=3), max_size=20))
def test_strings_of_one_size(data, parts):
    told, slots = data.draw(chosen(entries_of(strings(parts, first=2), FIXED, length=3)))
    dense = dense_values(told)
    assert dense.values.dtype == "V3"
    assert dense.values.tobytes() == b"".join(parts[slot] for slot in slots)
    # The other way round.
    values = np.frombuffer(b"".join(parts), "V3")
    told, slots = data.draw(chosen(entries_of(fixed(values), BYTES)))
    assert strings_of(dense_values(told)) == [parts[slot] for slot in slots]


def test_a_string_of_another_size_is_named():
    nulls = Nulls(np.array([0, 1, 0], np.uint8), is_bitmap=False)
    array = replace(strings([b"abc", b"", b"defg"]), nulls=nulls)
    words = "slot 2: a byte string of 4 bytes, and each has to have 3"
    with pytest.raises(ValueOutOfRange, match=words):
        dense_values(entries_of(array, FIXED, length=3))
    with pytest.raises(ValueUnstorable, match="byte strings cannot be stored as INT32"):
        dense_values(entries_of(array, PhysicalType.INT32))


# ------------------------------------------------------------------------------------ dictionaries


def coded(codes, dictionary):
    return ValueArray(ArrayKind.DICTIONARY, len(codes), values=codes, dictionary=dictionary)


@settings(max_examples=100)
@given(
    st.data(),
    st.lists(st.binary(max_size=5), min_size=1, max_size=10),
    st.sampled_from(["i1", "u1", "i2", "u2", "i4", "u4", "i8", "u8"]),
)
def test_codes(data, parts, dtype):
    codes = data.draw(st.lists(st.integers(0, len(parts) - 1), max_size=30))
    told, slots = data.draw(
        chosen(entries_of(coded(np.array(codes, dtype), strings(parts, np.int32)), BYTES))
    )
    dense = dense_values(told)
    assert dense.codes.dtype == np.uint32
    assert dense.count == len(dense.codes) == len(slots)
    words = strings_of(dense)
    assert [words[code] for code in dense.codes] == [parts[codes[slot]] for slot in slots]


def test_dictionaries_are_converted():
    array = coded(np.array([1, 0, 1], np.int8), fixed(np.array([7, 300], np.uint16)))
    dense = dense_values(entries_of(array, PhysicalType.INT64))
    assert (dense.codes.tolist(), dense.values.tolist()) == ([1, 0, 1], [7, 300])
    assert dense.values.dtype == np.int64


def test_codes_of_missing_slots_mean_nothing():
    nulls = Nulls(np.array([0, 1, 0], np.uint8), is_bitmap=False)
    array = replace(coded(np.array([0, -77, 1], np.int8), strings([b"a", b"b"])), nulls=nulls)
    assert dense_values(entries_of(array, BYTES)).codes.tolist() == [0, 1]


@pytest.mark.parametrize(
    "codes", [np.array([0, 1, 2]), np.array([0, 1, -1], np.int8), np.array([0, 1, 1 << 32])]
)
def test_a_code_outside_of_the_dictionary_is_named(codes):
    words = f"slot 2: code {codes[2]} is outside of the dictionary, which has 2 values"
    with pytest.raises(ValueOutOfRange, match=words):
        dense_values(entries_of(coded(codes, strings([b"a", b"b"])), BYTES))
