"""The page index and Bloom filters."""

from __future__ import annotations

import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hocket.parquet.errors import CorruptFile, ParquetError, UnsupportedFeature
from hocket.parquet.metadata.bloom import (
    BloomFilter,
    hash_of_bytes,
    hash_of_value,
    parse_bloom_header,
)
from hocket.parquet.metadata.generated import ttypes
from hocket.parquet.metadata.objects import bytes_of_object, object_of_bytes
from hocket.parquet.metadata.page_index import (
    BoundaryOrder,
    parse_column_index,
    parse_offset_index,
)
from hocket.parquet.metadata.scanning import padded
from hocket.parquet.metadata.schema import (
    LogicalKind,
    LogicalType,
    PhysicalType,
    Repetition,
    SchemaNode,
)


def node(physical, kind=LogicalKind.NONE):
    return SchemaNode(
        "x", None, Repetition.OPTIONAL, None, LogicalType(kind), None, physical, 0, 1, 0, 0, 0
    )


INTS, DOUBLES = node(PhysicalType.INT32), node(PhysicalType.DOUBLE)
TEXT = node(PhysicalType.BYTE_ARRAY, LogicalKind.STRING)


def column_index(where=INTS, order=1, **told):
    told = {
        "null_pages": [False, True, False],
        "min_values": [struct.pack("<i", 1), b"", struct.pack("<i", 5)],
        "max_values": [struct.pack("<i", 4), b"", struct.pack("<i", 9)],
        "boundary_order": 1,
        **told,
    }
    return parse_column_index(padded(bytes_of_object(ttypes.ColumnIndex(**told))), where, order)


def test_bounds_of_pages():
    index = column_index(null_counts=[0, 7, 1], definition_level_histograms=[0, 1, 7, 0, 1, 2])
    assert len(index) == 3
    assert index.null_pages.tolist() == [False, True, False]
    assert index.boundary_order is BoundaryOrder.ASCENDING
    assert index.null_counts.tolist() == [0, 7, 1]
    assert index.definition_levels.tolist() == [[0, 1], [7, 0], [1, 2]]
    assert index.repetition_levels is None
    assert index.nan_counts is None
    found = [index.statistics(page) for page in range(3)]
    assert [each.min_value for each in found] == [1, None, 5]
    assert [each.max_value for each in found] == [4, None, 9]
    assert [each.null_count for each in found] == [0, 7, 1]
    assert index.bounds(1) == (None, None)


def test_bounds_without_an_order_are_none():
    assert column_index(order=9).bounds(0) == (None, None)
    assert column_index(where=TEXT, order=0).bounds(0) == (None, None)


@pytest.mark.parametrize(
    "told",
    [{"null_counts": [1]}, {"null_counts": [1, -1, 1]}, {"nan_counts": [1, 2]}],
)
def test_counts_that_cannot_be_are_none(told):
    index = column_index(**told)
    assert index.null_counts is None
    assert index.nan_counts is None


def test_unknown_orders_of_pages():
    assert column_index(boundary_order=7).boundary_order is BoundaryOrder.UNORDERED


@pytest.mark.parametrize(
    ("told", "words"),
    [
        ({"min_values": [b"a"]}, "3 null_pages, 1 min_values, 3 max_values"),
        ({"null_pages": None}, "missing: 1 of ColumnIndex"),
        ({"max_values": None}, "missing: 3 of ColumnIndex"),
        ({"boundary_order": None}, "missing: 4 of ColumnIndex"),
    ],
)
def test_indexes_that_cannot_be(told, words):
    with pytest.raises(CorruptFile, match=words):
        column_index(**told)


def offset_index(*locations, rows=20, unencoded=None):
    pages = [ttypes.PageLocation(*each) for each in locations]
    raw = bytes_of_object(ttypes.OffsetIndex(pages, unencoded))
    return parse_offset_index(padded(raw), rows=rows, start=100, nbytes=50)


def test_places_of_pages():
    index = offset_index((110, 20, 0), (130, 20, 7), unencoded=[5, 6])
    assert len(index) == 2
    assert index.offsets.tolist() == [110, 130]
    assert index.nbytes.tolist() == [20, 20]
    assert index.first_rows.tolist() == [0, 7]
    assert index.row_counts(20).tolist() == [7, 13]
    assert index.unencoded_nbytes.tolist() == [5, 6]
    assert offset_index((110, 20, 0), unencoded=[1, 2]).unencoded_nbytes is None
    assert len(offset_index(rows=0)) == 0


@pytest.mark.parametrize(
    ("locations", "words"),
    [
        ([(99, 20, 0)], "outside"),
        ([(110, 41, 0)], "outside"),
        ([(110, 3, 0)], "outside"),
        ([(-(1 << 62), 1 << 30, 0)], "outside"),
        ([((1 << 63) - 1, 20, 0)], "outside"),
        ([(110, 20, 0), (129, 20, 7)], "overlap"),
        ([(130, 20, 0), (110, 20, 7)], "overlap"),
        ([(110, 20, 1)], "first rows"),
        ([(110, 20, 0), (130, 20, 21)], "first rows"),
        ([(110, 10, 0), (120, 10, 8), (130, 10, 7)], "first rows"),
        ([(110, 20, None)], "missing"),
        ([], "no pages"),
    ],
)
def test_places_that_cannot_be(locations, words):
    with pytest.raises(CorruptFile, match=words):
        offset_index(*locations)


def test_an_index_of_something_else():
    with pytest.raises(CorruptFile, match=r"PageLocation|OffsetIndex"):
        parse_offset_index(padded(b"\x19\x25\x02\x04\x00"), rows=1, start=0, nbytes=9)
    with pytest.raises(CorruptFile, match="missing: 1 of OffsetIndex"):
        parse_offset_index(padded(b"\x00"), rows=1, start=0, nbytes=9)
    with pytest.raises(CorruptFile, match="another type"):
        parse_column_index(padded(b"\x19\x15\x02\x00"), INTS, 1)


# ------------------------------------------------------------------------------ Bloom filters


def slow_hash(raw):
    """XXH64 as its description has it, in numbers of any size."""
    primes = (
        0x9E3779B185EBCA87,
        0xC2B2AE3D27D4EB4F,
        0x165667B19E3779F9,
        0x85EBCA77C2B2AE63,
        0x27D4EB2F165667C5,
    )
    most = (1 << 64) - 1

    def rotated(value, count):
        return (value << count | value >> 64 - count) & most

    def mixed(state, lane):
        return rotated(state + lane * primes[1] & most, 31) * primes[0] & most

    at = 0
    state = primes[4]
    if len(raw) >= 32:
        lanes = [primes[0] + primes[1] & most, primes[1], 0, -primes[0] & most]
        while at + 32 <= len(raw):
            words = struct.unpack_from("<4Q", raw, at)
            lanes = [mixed(lane, word) for lane, word in zip(lanes, words, strict=True)]
            at += 32
        state = (
            sum(rotated(lane, by) for lane, by in zip(lanes, (1, 7, 12, 18), strict=True)) & most
        )
        for lane in lanes:
            state = ((state ^ mixed(0, lane)) * primes[0] + primes[3]) & most
    state = state + len(raw) & most
    while at + 8 <= len(raw):
        state ^= mixed(0, struct.unpack_from("<Q", raw, at)[0])
        state = (rotated(state, 27) * primes[0] + primes[3]) & most
        at += 8
    if at + 4 <= len(raw):
        state ^= struct.unpack_from("<I", raw, at)[0] * primes[0] & most
        state = (rotated(state, 23) * primes[1] + primes[2]) & most
        at += 4
    for byte in raw[at:]:
        state = rotated(state ^ byte * primes[4] & most, 11) * primes[0] & most
    state = (state ^ state >> 33) * primes[1] & most
    state = (state ^ state >> 29) * primes[2] & most
    return state ^ state >> 32


@pytest.mark.parametrize(
    ("raw", "expected"),
    [(b"", 0xEF46DB3751D8E999), (b"a", 0xD24EC4F1A98C6E5B), (b"abc", 0x44BC2CF5AD770999)],
)
def test_hashes_that_are_known(raw, expected):
    assert hash_of_bytes(raw) == expected == slow_hash(raw)


@given(raw=st.binary(max_size=150))
def test_hashes_of_all_lengths(raw):
    assert hash_of_bytes(raw) == slow_hash(raw)


SALTS = (
    0x47B6137B,
    0x44974D91,
    0x8824AD5B,
    0xA2B7289D,
    0x705495C7,
    0x2DF1424B,
    0x9EFC4947,
    0x5C6BFB31,
)


def filter_of(hashes, blocks):
    bitset = np.zeros((blocks, 8), np.uint32)
    for each in hashes:
        block = (each >> 32) * blocks >> 32
        for lane, salt in enumerate(SALTS):
            bit = ((each & 0xFFFFFFFF) * salt & 0xFFFFFFFF) >> 27
            bitset[block, lane] |= np.uint32(1 << bit)
    return bitset


@given(
    inside=st.lists(st.integers(0, (1 << 64) - 1), max_size=8),
    outside=st.integers(0, (1 << 64) - 1),
    blocks=st.integers(1, 5),
)
def test_what_is_in_a_filter_is_found(inside, outside, blocks):
    bitset = filter_of(inside, blocks)
    found = BloomFilter(padded(bitset.tobytes()))
    assert all(found.might_contain(each) for each in inside)
    alone = filter_of([outside], blocks)
    assert found.might_contain(outside) == bool(((bitset & alone) == alone).all())


def test_values_of_columns():
    found = BloomFilter(padded(filter_of([hash_of_bytes(b"\x05\0\0\0")], 4).tobytes()))
    assert found.might_contain_value(INTS, 5)
    assert not found.might_contain_value(INTS, 6)
    assert found.might_contain_value(INTS, "what is that?")
    assert hash_of_value(TEXT, "abc") == 0x44BC2CF5AD770999
    assert hash_of_value(TEXT, b"abc") is None


@pytest.mark.parametrize("zero", [0.0, -0.0])
def test_both_zeros_are_looked_for(zero):
    found = BloomFilter(padded(filter_of([hash_of_bytes(struct.pack("<d", zero))], 8).tobytes()))
    for value in (0.0, -0.0, 0, np.float64(-0.0)):
        assert hash_of_value(DOUBLES, value) is None
        assert found.might_contain_value(DOUBLES, value)
    assert not BloomFilter(padded(bytes(32))).might_contain_value(DOUBLES, zero)


def header(nbytes=64, algorithm=None, hashing=None, compression=None):
    return bytes_of_object(
        ttypes.BloomFilterHeader(
            nbytes,
            algorithm or ttypes.BloomFilterAlgorithm(ttypes.SplitBlockAlgorithm()),
            hashing or ttypes.BloomFilterHash(ttypes.XxHash()),
            compression or ttypes.BloomFilterCompression(ttypes.Uncompressed()),
        )
    )


def test_headers():
    raw = header()
    found = parse_bloom_header(padded(raw + bytes(64)))
    assert (found.header_nbytes, found.bitset_nbytes) == (len(raw), 64)


@pytest.mark.parametrize(
    ("raw", "error", "words"),
    [
        (header(0), CorruptFile, "0 bytes"),
        (header(-32), CorruptFile, "-32 bytes"),
        (header(33), CorruptFile, "33 bytes"),
        (header(1 << 30), CorruptFile, "128 MiB"),
        (header(algorithm=ttypes.BloomFilterAlgorithm()), UnsupportedFeature, "algorithm"),
        (header(hashing=ttypes.BloomFilterHash()), UnsupportedFeature, "hash"),
        (header(compression=ttypes.BloomFilterCompression()), UnsupportedFeature, "compression"),
        (b"\x15\x40\x00", CorruptFile, "missing: 2"),
        (b"", CorruptFile, "bytes end"),
    ],
)
def test_headers_that_cannot_be(raw, error, words):
    with pytest.raises(error, match=words):
        parse_bloom_header(padded(raw))


@pytest.mark.parametrize("nbytes", [0, 31, 33])
def test_filters_of_other_sizes(nbytes):
    with pytest.raises(CorruptFile, match=f"{nbytes} bytes"):
        BloomFilter(padded(bytes(nbytes)))


# ------------------------------------------------------------------------------------ objects


def test_objects_of_bytes():
    raw = header()
    assert bytes_of_object(object_of_bytes("BloomFilterHeader", raw)) == raw


@given(
    raw=st.binary(max_size=40), name=st.sampled_from(["FileMetaData", "PageHeader", "Statistics"])
)
def test_objects_of_any_bytes_are_errors_or_objects(raw, name):
    try:
        found = object_of_bytes(name, raw)
    except ParquetError:
        return
    assert type(found).__name__ == name


def test_deep_objects_are_refused():
    with pytest.raises(CorruptFile, match="nested too deeply"):
        object_of_bytes("FileMetaData", b"\x1c" * 100_000)
