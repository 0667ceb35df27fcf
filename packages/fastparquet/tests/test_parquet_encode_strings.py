"""Byte strings encoded: plain, behind their lengths, with shared prefixes; decoded again."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from parquet_encoder_runner import run_encoder
from parquet_slow_decoder import leaf

from hocket.parquet.arrays.leaf_entries import DenseValues
from hocket.parquet.encode.expanding import entries_of
from hocket.parquet.encode.strings import (
    check_strings,
    encode_delta_lengths,
    encode_delta_strings,
    encode_plain_strings,
)
from hocket.parquet.errors import CorruptFile, ValueOutOfRange
from hocket.parquet.kernels import faults
from hocket.parquet.kernels.faults import fault_of
from hocket.parquet.kernels.library import KERNEL, address
from hocket.parquet.metadata.schema import PhysicalType

STRINGS = st.lists(
    st.binary(max_size=5)
    | st.sampled_from([b"x" * n + tail for n in (0, 7, 8, 9, 31, 32, 70) for tail in (b"", b"!")])
    | st.binary(min_size=20, max_size=80),
    max_size=20,
)


def joined(strings, start=0):
    ends = np.cumsum([start, *map(len, strings)]).astype(np.int64)
    return ends, np.frombuffer(b"#" * start + b"".join(strings), np.uint8)


def of_strings(strings, start=0):
    offsets, data = joined(strings, start)
    return DenseValues(leaf(PhysicalType.BYTE_ARRAY), len(strings), data, offsets)


def decode(kernel, encoded, count, nbytes):
    """Return what our decoder makes of a page."""
    stream = np.concatenate([encoded, np.zeros(64, np.uint8)])
    offsets, data = np.zeros(count + 1, np.int64), np.zeros(nbytes + 64, np.uint8)
    at = address(stream)
    end = at + len(encoded)
    answer = getattr(KERNEL, kernel)(at, end, count, address(offsets), address(data), 0, nbytes)
    assert answer == end
    raw = data.tobytes()
    return [raw[begin:stop] for begin, stop in itertools.pairwise(offsets.tolist())]


WAYS = {
    "decode_byte_arrays": encode_plain_strings,
    "decode_delta_length_strings": encode_delta_lengths,
    "decode_delta_strings": encode_delta_strings,
}


@pytest.mark.parametrize("kernel", WAYS)
@settings(max_examples=120)
@given(STRINGS, st.integers(0, 9), st.data())
def test_strings_come_back(kernel, strings, start, data):
    first = data.draw(st.integers(0, len(strings)))
    last = data.draw(st.integers(first, len(strings)))
    encoded = WAYS[kernel](of_strings(strings, start), first, last)
    wanted = strings[first:last]
    assert decode(kernel, encoded, len(wanted), sum(map(len, wanted))) == wanted


@pytest.mark.parametrize("kernel", WAYS)
def test_many_strings_come_back(kernel):
    chance = np.random.default_rng(2)
    strings = sorted(b"%d" % each for each in chance.integers(0, 1 << 40, 5000))
    strings += [b"long" * 5000, b"long" * 5001, b""]
    encoded = WAYS[kernel](of_strings(strings), 0, len(strings))
    assert decode(kernel, encoded, len(strings), sum(map(len, strings))) == strings


def test_the_plain_form_is_that_of_the_format():
    encoded = encode_plain_strings(of_strings([b"ab", b"", b"c"]), 0, 3)
    assert encoded.tobytes() == b"\2\0\0\0ab\0\0\0\0\1\0\0\0c"


def test_shared_prefixes_are_left_out():
    encoded = encode_delta_strings(of_strings([b"apple pie", b"apple tart", b"apple"]), 0, 3)
    assert encoded.tobytes().endswith(b"apple pietart")


@settings(max_examples=120)
@given(st.integers(1, 20), st.binary(max_size=200), st.data())
def test_fixed_bytes_with_shared_prefixes_come_back(width, raw, data):
    raw = data.draw(st.sampled_from([raw, bytes(len(raw)), b"ab" * (len(raw) // 2)]))
    array = np.frombuffer(raw[: len(raw) // width * width], f"V{width}")
    node = leaf(PhysicalType.FIXED_LEN_BYTE_ARRAY, length=width)
    start = data.draw(st.integers(0, len(array)))
    encoded = encode_delta_strings(DenseValues(node, len(array), array), start, len(array))
    count = len(array) - start
    stream = np.concatenate([encoded, np.zeros(64, np.uint8)])
    found, lengths = np.zeros(count * width, np.uint8), np.zeros(count, np.int64)
    at = address(stream)
    answer = KERNEL.decode_delta_fixed(
        at, at + len(encoded), count, width, address(found), address(lengths)
    )
    assert answer == at + len(encoded)
    assert found.tobytes() == array[start:].tobytes()


# ---------------------------------------------------------------------------------------- limits


def test_too_long_a_string_is_named():
    offsets = np.array([0, 5, 5 + (1 << 31), 6 + (1 << 31)], np.int64)

    class Data:
        """As if there were that much."""

        nbytes = 1 << 40

    with pytest.raises(ValueOutOfRange, match=r"value 1 has 2,147,483,648 bytes"):
        check_strings(offsets, Data())
    assert check_strings(offsets[:2], Data()) == 5


@pytest.mark.parametrize("offsets", [[0, 2, 1], [-1, 0, 1], [0, 2, 4], [4, 4, 4]])
def test_offsets_that_lie_are_refused(offsets):
    node = leaf(PhysicalType.BYTE_ARRAY)
    values = DenseValues(node, 2, np.zeros(3, np.uint8), np.array(offsets, np.int64))
    for encode in WAYS.values():
        with pytest.raises(CorruptFile):
            encode(values, 0, 2)
    with pytest.raises(CorruptFile):
        entries_of(values, np.array([0], np.uint32))


def test_only_byte_strings_are_encoded_as_such():
    numbers = DenseValues(leaf(PhysicalType.INT32), 2, np.zeros(2, np.int32))
    with pytest.raises(TypeError):
        encode_plain_strings(numbers, 0, 2)


# ---------------------------------------------------------------------------------------- kernels


@settings(max_examples=80)
@given(STRINGS, st.integers(0, 9))
def test_plain_strings_between_bounds_of_memory(strings, start):
    offsets, data = joined(strings, start)
    nbytes = sum(map(len, strings)) + 4 * len(strings)

    def arguments(source, room, capacity=nbytes):
        places = source(offsets), len(strings), source(data), data.size
        return *places, room(capacity, 64), capacity

    answer, (made,) = run_encoder("encode_byte_arrays", arguments)
    assert answer == nbytes
    assert made.tobytes() == b"".join(len(s).to_bytes(4, "little") + s for s in strings)
    if nbytes:
        answer, _ = run_encoder("encode_byte_arrays", lambda s, r: arguments(s, r, nbytes - 1))
        assert fault_of(answer) == faults.NO_SPACE


@settings(max_examples=80)
@given(STRINGS, st.integers(0, 9))
def test_prefixes_between_bounds_of_memory(strings, start):
    offsets, data = joined(strings, start)
    nbytes = sum(map(len, strings))

    def arguments(source, room, capacity=nbytes):
        lengths = room(4 * len(strings)), room(4 * len(strings))
        places = source(offsets), len(strings), source(data), data.size
        return *places, *lengths, room(capacity, 64), capacity

    answer, (prefixes, suffixes, _) = run_encoder("split_prefixes", arguments)
    shared = prefixes.view(np.int32).tolist()
    for before, each, many in zip([b"", *strings], strings, shared, strict=False):
        assert before[:many] == each[:many]
        assert before[many : many + 1] != each[many : many + 1] or many == min(
            len(before), len(each)
        )
    assert (prefixes.view(np.int32) + suffixes.view(np.int32)).tolist() == [*map(len, strings)]
    assert answer == int(suffixes.view(np.int32).sum())
    if nbytes:
        answer, _ = run_encoder("split_prefixes", lambda s, r: arguments(s, r, nbytes - 1))
        assert fault_of(answer) == faults.NO_SPACE


@settings(max_examples=60)
@given(st.integers(1, 20), st.binary(max_size=120))
def test_fixed_prefixes_between_bounds_of_memory(width, raw):
    count = len(raw) // width
    data = np.frombuffer(raw[: count * width], np.uint8)

    def arguments(source, room):
        lengths = room(4 * count), room(4 * count)
        return width, count, source(data), data.size, *lengths, room(data.size, 64), data.size

    answer, (prefixes, suffixes, _) = run_encoder("split_fixed_prefixes", arguments)
    assert (prefixes.view(np.int32) + suffixes.view(np.int32) == width).all()
    assert answer == int(suffixes.view(np.int32).sum())


@settings(max_examples=80)
@given(STRINGS, st.lists(st.integers(0, 21), max_size=20))
def test_gathering_between_bounds_of_memory(strings, places):
    offsets, data = joined(strings)
    codes = np.array(places, np.uint32)
    total, _ = run_encoder(
        "measure_entries",
        lambda source, _: (source(codes), len(codes), source(offsets), len(strings)),
    )
    if any(each >= len(strings) for each in places):
        assert fault_of(total) == faults.DICTIONARY_INDEX
        return
    wanted = [strings[each] for each in places]

    def arguments(source, room, capacity=total):
        rooms = room(8 * len(codes) + 8), room(capacity, 64)
        places = source(codes), len(codes), source(offsets), source(data), data.size
        return *places, *rooms, capacity

    answer, (ends, made) = run_encoder("gather_entries", arguments)
    assert (answer, total) == (len(made), sum(map(len, wanted)))
    assert made.tobytes() == b"".join(wanted)
    assert ends.view(np.int64).tolist() == joined(wanted)[0].tolist()
    if total:
        answer, _ = run_encoder("gather_entries", lambda s, r: arguments(s, r, total - 1))
        assert fault_of(answer) == faults.NO_SPACE


@given(st.lists(st.integers(-3, 30), min_size=1, max_size=8), st.integers(0, 30))
def test_offsets_are_checked_as_written(ends, nbytes):
    offsets = np.array(ends, np.int64)
    answer, _ = run_encoder(
        "measure_strings", lambda source, _: (source(offsets), len(ends) - 1, nbytes)
    )
    assert (answer >= 0) == (ends == sorted(ends) and ends[0] >= 0 and ends[-1] <= nbytes)
