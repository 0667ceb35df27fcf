"""Parts of a column put together, natural targets, and memory that threads keep."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest
from parquet_chunk_writer import RLE_DICTIONARY, ChunkWriter, leaf_of, values_of

from hocket.parquet.decode.chunk import decode_chunk
from hocket.parquet.decode.column import concatenate, empty_column
from hocket.parquet.decode.scratch import KEPT_NBYTES, new_array, scratch_of_thread
from hocket.parquet.decode.target import Conversion, natural_target, physical_width
from hocket.parquet.errors import CorruptFile, LimitExceeded, UnsupportedFeature
from hocket.parquet.metadata.logical import LogicalKind, LogicalType, PhysicalType

P = PhysicalType
K = LogicalKind


def parts_of(physical, *chunks, keeps=False):
    parts = []
    for values in chunks:
        writer = ChunkWriter(leaf_of(physical, definition=1))
        if keeps:
            writer.add_dictionary(dict.fromkeys(v for v in values if v is not None))
        writer.add(values, RLE_DICTIONARY if keeps else 0)
        target = replace(natural_target(writer.leaf), keep_dictionary=keeps)
        parts.append(decode_chunk(writer.place(), writer.segments(), target, with_levels=True))
    return parts


@pytest.mark.parametrize("keeps", [False, True])
@pytest.mark.parametrize("physical", [P.INT64, P.BYTE_ARRAY])
def test_parts_put_together(physical, keeps):
    some = [1, None, 2, 2] if physical is P.INT64 else [b"one", None, b"", b"three"]
    other = some[2:] * 3
    column = concatenate(parts_of(physical, some, other, some, keeps=keeps))
    assert values_of(column) == some + other + some
    assert (column.codes is not None) == keeps
    assert column.null_count == 2
    assert column.count == column.row_count == column.level_count == 14
    assert column.definition_levels.tolist() == [int(v is not None) for v in some + other + some]


def test_parts_with_a_dictionary_and_without_one():
    one = parts_of(P.BYTE_ARRAY, [b"a", None, b"b"], keeps=True)
    two = parts_of(P.BYTE_ARRAY, [None, b"c", b"c"])
    for parts in (one + two, two + one):
        column = concatenate(parts)
        assert values_of(column) == values_of(parts[0]) + values_of(parts[1])
        assert column.codes is not None


def test_a_dictionary_that_parts_share_is_there_once():
    (part,) = parts_of(P.INT64, [4, 5, 4], keeps=True)
    column = concatenate([part, part])
    assert values_of(column) == [4, 5, 4] * 2
    assert column.dictionary.count == 2


def test_a_part_that_does_not_begin_at_its_data_s_beginning():
    (part,) = parts_of(P.BYTE_ARRAY, [b"xx", b"abc", b"d"])
    tail = replace(part, count=2, offsets=part.offsets[1:], definition_levels=None)
    assert values_of(concatenate([tail, tail])) == [b"abc", b"d"] * 2
    assert tail.nbytes == part.data.nbytes + 3 * 8


def test_a_single_part_stays_as_it_is():
    (part,) = parts_of(P.INT64, [1])
    assert concatenate([part]) is part


@pytest.mark.parametrize("physical", [P.INT64, P.BYTE_ARRAY])
def test_a_column_of_no_rows(physical):
    leaf = leaf_of(physical)
    column = empty_column(leaf, natural_target(leaf))
    assert values_of(column) == []
    assert values_of(concatenate([column, column])) == []


# -------------------------------------------------------------------------------------- targets


def integer(bits, is_signed=True):
    return LogicalType(K.INTEGER, bit_width=bits, is_signed=is_signed)


@pytest.mark.parametrize(
    ("physical", "kind", "logical", "dtype", "conversion"),
    [
        (P.BOOLEAN, {}, None, "?", Conversion.BOOLEAN_BYTES),
        (P.INT32, {}, None, "i4", Conversion.COPY),
        (P.INT32, {}, integer(8), "i1", Conversion.NARROW_8),
        (P.INT32, {}, integer(16, is_signed=False), "u2", Conversion.NARROW_16),
        (P.INT32, {}, integer(32, is_signed=False), "u4", Conversion.COPY),
        (P.INT32, {}, integer(64), "i4", Conversion.COPY),
        (P.INT64, {}, integer(64, is_signed=False), "u8", Conversion.COPY),
        (P.INT64, {}, integer(8), "i8", Conversion.COPY),
        (P.INT32, {}, LogicalType(K.DATE), "i4", Conversion.COPY),
        (P.INT64, {}, LogicalType(K.TIMESTAMP, unit="us"), "i8", Conversion.COPY),
        (P.INT64, {}, LogicalType(K.DECIMAL, 18, 2), "i8", Conversion.COPY),
        (P.INT96, {}, None, "i8", Conversion.INT96_TO_NANOS),
        (P.FLOAT, {}, None, "f4", Conversion.COPY),
        (P.DOUBLE, {}, None, "f8", Conversion.COPY),
        (P.FIXED_LEN_BYTE_ARRAY, {"type_length": 2}, LogicalType(K.FLOAT16), "f2", 0),
        (P.FIXED_LEN_BYTE_ARRAY, {"type_length": 16}, LogicalType(K.UUID), "V16", 0),
        (P.FIXED_LEN_BYTE_ARRAY, {"type_length": 5}, LogicalType(K.DECIMAL, 9, 2), "V16", 12),
        (P.FIXED_LEN_BYTE_ARRAY, {"type_length": 17}, LogicalType(K.DECIMAL, 39), "V32", 13),
        (P.FIXED_LEN_BYTE_ARRAY, {"type_length": 33}, LogicalType(K.DECIMAL, 70), "V33", 0),
        (P.BYTE_ARRAY, {}, LogicalType(K.DECIMAL, 20, 2), "V16", Conversion.BIG_ENDIAN_128),
        (P.BYTE_ARRAY, {}, LogicalType(K.DECIMAL, 50, 2), "V32", Conversion.BIG_ENDIAN_256),
    ],
)
def test_natural_targets(physical, kind, logical, dtype, conversion):
    leaf = leaf_of(physical, logical=logical, **kind)
    target = natural_target(leaf)
    assert target.dtype == np.dtype(dtype)
    assert target.item_size == target.dtype.itemsize
    assert target.conversion == conversion
    if physical in (P.INT32, P.INT64, P.FLOAT, P.DOUBLE):
        writer = ChunkWriter(leaf).add([5, 100, 0])
        assert values_of(decode_chunk(writer.place(), writer.segments(), target)) == [5, 100, 0]


def test_byte_strings():
    text = natural_target(leaf_of(P.BYTE_ARRAY, logical=LogicalType(K.STRING)))
    raw = natural_target(leaf_of(P.BYTE_ARRAY))
    assert (text.item_size, text.dtype, text.check_utf8) == (0, None, True)
    assert (raw.item_size, raw.dtype, raw.check_utf8) == (0, None, False)
    assert physical_width(leaf_of(P.BYTE_ARRAY)) == 0


@pytest.mark.parametrize("encodings", [(0,), (8,), (8, 0, 6)])
def test_decimals_as_byte_strings_of_any_length(encodings):
    numbers = [0, 1, -1, 127, 128, -128, -129, 10**37, -(10**37), None]

    def stored(number, extra):
        size = number.bit_length() // 8 + 1 + extra
        return number.to_bytes(size, signed=True)

    logical = LogicalType(K.DECIMAL, 38, 0)
    writer = ChunkWriter(leaf_of(P.BYTE_ARRAY, definition=1, logical=logical), 1)
    values = [None if n is None else stored(n, i % 3 * 9) for i, n in enumerate(numbers)]
    writer.add_dictionary([value for value in values if value is not None])
    for encoding in encodings:
        writer.add(values, encoding)
    room = np.zeros(len(values) * len(encodings), "V16")
    target = natural_target(writer.leaf)
    column = decode_chunk(writer.place(), writer.segments(), target, destination=room)
    found = [
        None if v is None else int.from_bytes(v, "little", signed=True) for v in values_of(column)
    ]
    assert found == numbers * len(encodings)
    assert column.values is room
    large = ChunkWriter(writer.leaf).add([stored(1 << 127, 0)])
    with pytest.raises(CorruptFile, match="does not fit"):
        decode_chunk(large.place(), large.segments(), target)


def test_schemas_that_cannot_be_decoded():
    deep = ChunkWriter(leaf_of(P.INT32, definition=256)).add([1], definitions=[0])
    with pytest.raises(UnsupportedFeature, match="256 levels"):
        decode_chunk(deep.place(), deep.segments(), natural_target(deep.leaf))
    thin = ChunkWriter(leaf_of(P.FIXED_LEN_BYTE_ARRAY, type_length=0))
    with pytest.raises(CorruptFile, match="fixed length of 0"):
        decode_chunk(thin.place(), thin.segments(), natural_target(thin.leaf))


# --------------------------------------------------------------------------------------- memory


def test_threads_have_memory_of_their_own_and_keep_little():
    mine = scratch_of_thread()
    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(scratch_of_thread).result() is not mine
    mine.buffer("large", KEPT_NBYTES)
    small, _ = mine.buffer("small", 100)
    mine.trim()
    assert mine.buffer("small", 50)[0] is small
    assert "large" not in mine._buffers


def test_memory_that_is_not_there():
    with pytest.raises(LimitExceeded, match="no memory"):
        new_array(1 << 60, np.int64)
