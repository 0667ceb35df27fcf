"""Damaged and hostile column chunks: an error that says where, or values, and nothing else."""

from __future__ import annotations

import struct
from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from parquet_chunk_writer import (
    DELTA,
    DELTA_LENGTH,
    DELTA_STRINGS,
    PLAIN,
    RLE,
    RLE_DICTIONARY,
    SPLIT,
    ChunkWriter,
    leaf_of,
    padded,
    values_of,
)

from hocket.parquet.decode import bodies, dictionary, pages, reading, scratch
from hocket.parquet.decode.chunk import DecodeOptions, decode_chunk
from hocket.parquet.decode.target import Conversion, Target, natural_target
from hocket.parquet.errors import (
    ChecksumMismatch,
    CorruptFile,
    InvalidOption,
    LimitExceeded,
    ParquetError,
    UnsupportedFeature,
    ValueOutOfRange,
)
from hocket.parquet.kernels.checked import CheckedMemory
from hocket.parquet.metadata.logical import LogicalKind, LogicalType, PhysicalType

P = PhysicalType
COUNT = 40
#: Name, leaf, value of an index, encoding.
SEEDS = [
    (P.BOOLEAN, {}, lambda i: i % 3 == 0, PLAIN),
    (P.BOOLEAN, {}, lambda i: i % 3 == 0, RLE),
    (P.INT32, {}, lambda i: i * i, PLAIN),
    (P.INT32, {}, lambda i: i * i % 9, RLE_DICTIONARY),
    (P.INT32, {}, lambda i: i * i, DELTA),
    (P.INT64, {}, lambda i: i << 40, DELTA),
    (P.INT96, {}, lambda i: struct.pack("<qi", i, 2440588 + i), PLAIN),
    (P.DOUBLE, {}, lambda i: i / 3, SPLIT),
    (P.FIXED_LEN_BYTE_ARRAY, {"type_length": 3}, lambda i: b"%03d" % i, DELTA_STRINGS),
    (P.FIXED_LEN_BYTE_ARRAY, {"type_length": 3}, lambda i: b"%03d" % (i % 4), RLE_DICTIONARY),
    (P.BYTE_ARRAY, {}, lambda i: b"abc" * (i % 30), PLAIN),
    (P.BYTE_ARRAY, {}, lambda i: b"abc" * (i % 4), RLE_DICTIONARY),
    (P.BYTE_ARRAY, {}, lambda i: b"abc" * (i % 30), DELTA_LENGTH),
    (P.BYTE_ARRAY, {}, lambda i: b"abc%d" % i, DELTA_STRINGS),
]


@cache
def seed(number, version, is_nested):
    physical, kind, value_at, encoding = SEEDS[number]
    if is_nested:
        leaf = leaf_of(physical, definition=2, repetition=1, slot_definition=1, **kind)
    else:
        leaf = leaf_of(physical, definition=1, **kind)
    writer = ChunkWriter(leaf)
    if encoding == RLE_DICTIONARY:
        writer.add_dictionary(dict.fromkeys(value_at(i) for i in range(COUNT)))
    for start in (0, COUNT // 2):
        values = [None if i % 7 == 2 else value_at(i) for i in range(start, start + COUNT // 2)]
        repetitions = [int(is_nested and i % 3 == 1) for i in range(len(values))]
        writer.add(values, encoding, version=version, repetitions=repetitions)
    return writer


class _Checked:
    """Kernels as they are written, in a memory that allows what was given to them."""

    def __init__(self):
        self.memory = CheckedMemory()
        self._kernels = {}

    def __getattr__(self, name):
        if name not in self._kernels:
            self._kernels[name] = self.memory.kernel(name)
        return self._kernels[name]

    def clear(self):
        for blocks in (self.memory._starts, self.memory._blocks, self.memory._alive):
            blocks.clear()


CHECKED = _Checked()


def decode_checked(monkeypatch, place, segments, target):
    CHECKED.clear()
    allow = CHECKED.memory.allow
    with monkeypatch.context() as patched:
        for module in (bodies, dictionary, pages, reading):
            if hasattr(module, "KERNEL"):
                patched.setattr(module, "KERNEL", CHECKED)
        for module in (dictionary, reading, scratch):
            patched.setattr(module, "address", lambda array: allow(array, writable=True))
        for module in (bodies, pages):
            patched.setattr(module, "address", lambda array: allow(array, padding_nbytes=64))
        patched.setattr(scratch._OF_THREADS, "scratch", scratch.Scratch(), raising=False)
        return decode_chunk(place, segments, target, with_levels=True)


def outcome(decode, *arguments):
    try:
        column = decode(*arguments)
    except ParquetError as error:
        return type(error), error.reason
    levels = (column.definition_levels, column.repetition_levels)
    values = repr(values_of(column))
    return values, column.count, *(None if each is None else each.tobytes() for each in levels)


@settings(max_examples=600)
@given(
    number=st.integers(0, len(SEEDS) - 1),
    version=st.sampled_from([1, 2]),
    is_nested=st.booleans(),
    keeps=st.booleans(),
    edits=st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 255)), max_size=4),
    cut=st.none() | st.floats(0, 1),
)
@example(number=0, version=1, is_nested=False, keeps=False, edits=[], cut=None)
def test_whatever_was_changed_kernels_stay_within_bounds(
    monkeypatch_session, number, version, is_nested, keeps, edits, cut
):
    writer = seed(number, version, is_nested)
    data = bytearray(b"".join(writer.parts))
    for where, byte in edits:
        data[int(where * len(data))] = byte
    if cut is not None:
        del data[int(cut * len(data)) :]
    target = replace(natural_target(writer.leaf), keep_dictionary=keeps)
    arguments = writer.place(), [(4, padded(bytes(data)))], target
    checked = outcome(decode_checked, monkeypatch_session, *arguments)
    compiled = outcome(lambda *told: decode_chunk(*told, with_levels=True), *arguments)
    assert checked == compiled
    if not edits and cut is None:
        assert isinstance(checked[0], str)


@pytest.fixture(scope="module")
def monkeypatch_session():
    with pytest.MonkeyPatch.context() as patch:
        yield patch


def decoded(writer, target=None, options=None, **place):
    return decode_chunk(
        writer.place(**place),
        writer.segments(),
        target or natural_target(writer.leaf),
        options=options or DecodeOptions(),
    )


# ----------------------------------------------------------------------------------- checksums


@pytest.mark.parametrize("version", [1, 2])
@pytest.mark.parametrize("codec", [0, 1])
def test_checksums_cover_the_bytes_as_they_lie(version, codec):
    writer = ChunkWriter(leaf_of(P.INT32, definition=1), codec, has_crc=True)
    writer.add_dictionary([5, 6])
    writer.add([5, None, 6], RLE_DICTIONARY, version=version)
    assert values_of(decoded(writer)) == [5, None, 6]
    for part in range(2):
        damaged = ChunkWriter(writer.leaf, codec, num_values=3, num_rows=3)
        damaged.parts = list(writer.parts)
        body = bytearray(damaged.parts[part])
        body[-1] ^= 1
        damaged.parts[part] = bytes(body)
        with pytest.raises(ChecksumMismatch, match="CRC") as caught:
            decoded(damaged)
        assert caught.value.page == part
        assert caught.value.offset == 4 + part * len(writer.parts[0])
        assert caught.value.column == "leaf"
        kind, _ = outcome(
            lambda made: decoded(made, options=DecodeOptions(verify_checksums=False)), damaged
        )[:2]
        assert kind is not ChecksumMismatch


# --------------------------------------------------------------------------------------- counts


def test_counts_must_agree_with_the_footer():
    writer = ChunkWriter(leaf_of(P.INT32))
    writer.add([1, 2, 3]).add([4])
    with pytest.raises(CorruptFile, match="fewer than the 5"):
        decoded(writer, num_values=5, num_rows=5)
    with pytest.raises(CorruptFile, match="more than the 2"):
        decoded(writer, num_values=2, num_rows=2)
    with pytest.raises(CorruptFile, match="4 rows, and the row group has 9"):
        decoded(writer, num_rows=9)
    assert values_of(decoded(writer, num_values=3, num_rows=3)) == [1, 2, 3]
    room = np.zeros(5, np.int32)
    with pytest.raises(CorruptFile, match="there should be 5"):
        decode_chunk(
            writer.place(), writer.segments(), natural_target(writer.leaf), destination=room
        )


def test_what_a_header_promises_is_not_believed():
    leaf = leaf_of(P.INT64, definition=1)
    writer = ChunkWriter(leaf, num_values=2**31 - 1, num_rows=2**31 - 1)
    writer.page(0, 5, {1: 2**31 - 1, 2: PLAIN, 3: RLE, 4: RLE}, b"\x02\0\0\0\x08\x01", 6)
    with pytest.raises(ParquetError):
        decoded(writer)
    with pytest.raises(LimitExceeded, match="memory_limit"):
        decoded(writer, options=DecodeOptions(limit_nbytes=1 << 20))
    writer = ChunkWriter(leaf, num_values=1)
    writer.page(2, 7, {1: 2**31 - 1, 2: PLAIN}, b"12345678", 8)
    writer.add([None])
    with pytest.raises(CorruptFile, match="needs 17,179,869,176 bytes") as caught:
        decoded(writer, num_values=1)
    assert caught.value.page == 0


def test_sizes_that_no_codec_makes():
    writer = ChunkWriter(leaf_of(P.INT64), 1, num_values=1, num_rows=1)
    writer.page(0, 5, {1: 1, 2: PLAIN, 3: RLE, 4: RLE}, b"123456789", 2**31 - 1)
    with pytest.raises(CorruptFile, match="SNAPPY makes at most"):
        decoded(writer)
    with pytest.raises(LimitExceeded, match="page_limit_nbytes"):
        decoded(writer, options=DecodeOptions(page_limit_nbytes=1000))
    writer = ChunkWriter(leaf_of(P.INT64), 0, num_values=1, num_rows=1)
    writer.page(0, 5, {1: 1, 2: PLAIN, 3: RLE, 4: RLE}, b"12345678", 9)
    with pytest.raises(CorruptFile, match="not compressed and has 8 bytes"):
        decoded(writer)


# ------------------------------------------------------------------------------------- contents


def test_dictionaries_where_they_cannot_be():
    writer = ChunkWriter(leaf_of(P.INT64)).add_dictionary([1]).add_dictionary([2])
    writer.add([2], RLE_DICTIONARY)
    with pytest.raises(CorruptFile, match="first page"):
        decoded(writer)
    writer = ChunkWriter(leaf_of(P.INT64)).add([1]).add_dictionary([2])
    writer.add([2], RLE_DICTIONARY)
    with pytest.raises(CorruptFile, match="first page"):
        decoded(writer)
    writer = ChunkWriter(leaf_of(P.INT64), dictionary=[7]).add([7], RLE_DICTIONARY)
    with pytest.raises(CorruptFile, match="has none"):
        decoded(writer)
    writer = ChunkWriter(leaf_of(P.INT64)).add_dictionary([1], encoding=DELTA)
    with pytest.raises(UnsupportedFeature, match="dictionary has encoding 5"):
        decoded(writer.add([1], RLE_DICTIONARY))


@pytest.mark.parametrize("physical", [P.INT64, P.BYTE_ARRAY])
@pytest.mark.parametrize("keeps", [False, True])
def test_codes_beyond_the_dictionary(physical, keeps):
    entries = [1, 2, 3] if physical is P.INT64 else [b"a", b"b", b"c"]
    writer = ChunkWriter(leaf_of(physical)).add_dictionary(entries[:2])
    writer.dictionary = entries
    writer.add([entries[0], entries[2]], RLE_DICTIONARY)
    target = replace(natural_target(writer.leaf), keep_dictionary=keeps)
    with pytest.raises(CorruptFile, match="outside of the dictionary") as caught:
        decoded(writer, target)
    assert caught.value.page == 1


@pytest.mark.parametrize(
    ("physical", "encoding", "error"),
    [
        (P.BYTE_ARRAY, SPLIT, CorruptFile),
        (P.INT32, DELTA_LENGTH, CorruptFile),
        (P.DOUBLE, DELTA, CorruptFile),
        (P.INT32, RLE, CorruptFile),
        (P.BOOLEAN, SPLIT, CorruptFile),
        (P.INT32, 11, UnsupportedFeature),
        (P.BYTE_ARRAY, 99, UnsupportedFeature),
    ],
)
def test_encodings_that_do_not_fit(physical, encoding, error):
    writer = ChunkWriter(leaf_of(physical), num_values=1, num_rows=1)
    writer.page(0, 5, {1: 1, 2: encoding, 3: RLE, 4: RLE}, b"\0" * 16, 16)
    with pytest.raises(error, match="encoding"):
        decoded(writer)


@pytest.mark.parametrize("is_dictionary", [False, True])
def test_a_byte_string_over_the_lengths_of_those_behind_it(monkeypatch_session, is_dictionary):
    writer = ChunkWriter(leaf_of(P.BYTE_ARRAY))
    values = [b"x" * 20] * 200
    (writer.add_dictionary if is_dictionary else writer.add)(values)
    writer.add(values[:1], RLE_DICTIONARY if is_dictionary else PLAIN)
    whole = bytearray(b"".join(writer.parts))
    at = whole.index(struct.pack("<I", 20))
    whole[at : at + 4] = struct.pack("<I", 24 * 199 + 20)
    segments = [(4, padded(bytes(whole)))]
    with pytest.raises(CorruptFile, match="longer than what is left"):
        decode_checked(monkeypatch_session, writer.place(), segments, Target(0, None))


def test_text_that_is_none():
    text = LogicalType(LogicalKind.STRING)
    for values in ([b"fine", b"\xff"], [b"\xc3", b"\xa9"]):
        writer = ChunkWriter(leaf_of(P.BYTE_ARRAY, logical=text)).add(values)
        with pytest.raises(CorruptFile, match="UTF-8"):
            decoded(writer)
        coded = ChunkWriter(leaf_of(P.BYTE_ARRAY, logical=text)).add_dictionary(values)
        with pytest.raises(CorruptFile, match="UTF-8"):
            decoded(coded.add(values, RLE_DICTIONARY))
        assert values_of(decoded(writer, Target(0, None))) == values


def test_values_that_do_not_fit_the_target():
    small = LogicalType(LogicalKind.INTEGER, bit_width=8, is_signed=False)
    writer = ChunkWriter(leaf_of(P.INT32, logical=small)).add([255, 256])
    with pytest.raises(ValueOutOfRange):
        decoded(writer)
    writer = ChunkWriter(leaf_of(P.INT96)).add([struct.pack("<qi", 0, 2440588 + 2**30)])
    with pytest.raises(ValueOutOfRange):
        decoded(writer)
    seconds = Target(8, np.dtype("i8"), Conversion.INT96_TO_SECONDS)
    assert values_of(decoded(writer, seconds)) == [2**30 * 86400]


def test_targets_of_another_size_are_refused():
    writer = ChunkWriter(leaf_of(P.INT64)).add([1, 2])
    for target in (
        Target(4, np.dtype("i4")),
        Target(0, None),
        Target(1, np.dtype("i1"), Conversion.NARROW_8),
        Target(8, np.dtype("i4")),
    ):
        with pytest.raises(InvalidOption, match="cannot become"):
            decoded(writer, target)
    with pytest.raises(InvalidOption, match="destination"):
        decode_chunk(
            writer.place(),
            writer.segments(),
            natural_target(writer.leaf),
            destination=np.zeros(4)[::2],
        )
