"""Bloom filters made: every value is found, few others are, and readers know the header."""

from __future__ import annotations

import io

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from parquet_encoder_runner import run_encoder
from parquet_slow_decoder import leaf

import hocket.parquet as hp
from hocket.parquet.arrays.leaf_entries import DenseValues
from hocket.parquet.encode.bloom import bloom_of, can_have_bloom
from hocket.parquet.errors import InvalidOption
from hocket.parquet.metadata.bloom import BloomFilter, hash_of_bytes, parse_bloom_header
from hocket.parquet.metadata.generated import ttypes
from hocket.parquet.metadata.objects import bytes_of_object
from hocket.parquet.metadata.scanning import padded
from hocket.parquet.metadata.schema import LogicalKind, PhysicalType

P = PhysicalType


def of_array(array, physical, codes=None):
    length = array.itemsize if physical is P.FIXED_LEN_BYTE_ARRAY else 0
    return DenseValues(leaf(physical, length=length), len(array), array, None, codes)


def of_strings(strings):
    offsets = np.cumsum([0, *map(len, strings)]).astype(np.int64)
    data = np.frombuffer(b"".join(strings), np.uint8)
    return DenseValues(leaf(P.BYTE_ARRAY, LogicalKind.STRING), len(strings), data, offsets)


def opened(raw):
    header = parse_bloom_header(padded(raw))
    assert len(raw) == header.header_nbytes + header.bitset_nbytes
    return BloomFilter(np.frombuffer(raw[header.header_nbytes :], np.uint8))


def made(values, rate=0.01, count=None):
    return bloom_of(values, false_positive_rate=rate, distinct_count=count)


@settings(max_examples=60)
@given(st.lists(st.binary(max_size=50), max_size=60), st.none() | st.integers(0, 70))
def test_every_string_is_found(strings, count):
    found = opened(made(of_strings(strings), 0.1, count))
    for each in strings:
        assert found.might_contain(hash_of_bytes(each))


@settings(max_examples=60)
@given(st.sampled_from([1, 2, 4, 8, 12, 16, 33]), st.binary(max_size=300))
def test_every_value_of_a_width_is_found(width, raw):
    raw = raw[: len(raw) // width * width]
    array = np.frombuffer(raw, f"V{width}")
    found = opened(made(of_array(array, P.FIXED_LEN_BYTE_ARRAY)))
    for at in range(0, len(raw), width):
        assert found.might_contain(hash_of_bytes(raw[at : at + width]))


@pytest.mark.parametrize("array", [np.arange(70_000), np.arange(70_000).astype(np.int32)])
def test_values_of_python_are_found(array):
    values = of_array(array, P.INT64 if array.itemsize == 8 else P.INT32)
    found = opened(made(values))
    assert all(found.might_contain_value(values.node, int(each)) for each in array[::97])
    strings = of_strings([b"%d" % each for each in range(1000)])
    found = opened(made(strings))
    assert all(found.might_contain_value(strings.node, str(each)) for each in range(1000))


def wrong(found, count=4000):
    return sum(found.might_contain(hash_of_bytes(b"no %d" % each)) for each in range(count)) / count


@pytest.mark.parametrize("rate", [0.1, 0.01, 0.001])
@pytest.mark.parametrize("repeated", [1, 50])
def test_the_rate_holds_and_the_size_fits(rate, repeated):
    array = np.repeat(np.random.default_rng(4).integers(0, 1 << 60, 3000), repeated)
    folded = made(of_array(array, P.INT64), rate)
    told = made(of_array(array, P.INT64), rate, 3000)
    assert wrong(opened(folded)) <= 1.5 * rate + 0.001
    assert wrong(opened(told)) <= 1.5 * rate + 0.001
    # As large as for those values alone, or half of it where that is good enough.
    assert len(folded) <= len(told) <= 3000 * 4 * (1 - np.log10(rate))


def test_sizes_are_powers_of_two_within_limits():
    few = of_array(np.arange(3), P.INT64)
    assert parse_bloom_header(padded(made(few))).bitset_nbytes == 32
    for count in (10, 100, 1000):
        nbytes = parse_bloom_header(padded(made(of_array(np.arange(1000), P.INT64), 0.01, count)))
        assert nbytes.bitset_nbytes.bit_count() == 1


def test_the_header_is_what_thrift_writes():
    raw = made(of_array(np.arange(2000), P.INT64))
    header = ttypes.BloomFilterHeader(
        numBytes=parse_bloom_header(padded(raw)).bitset_nbytes,
        algorithm=ttypes.BloomFilterAlgorithm(BLOCK=ttypes.SplitBlockAlgorithm()),
        hash=ttypes.BloomFilterHash(XXHASH=ttypes.XxHash()),
        compression=ttypes.BloomFilterCompression(UNCOMPRESSED=ttypes.Uncompressed()),
    )
    assert raw.startswith(bytes_of_object(header))


def filters_of_pyarrow(table, count, rate):
    """Return the Bloom filters that pyarrow makes, headers and all."""
    file = io.BytesIO()
    wish = {"ndv": count, "fpp": rate}
    pq.write_table(table, file, bloom_filter_options=dict.fromkeys(table.column_names, wish))
    raw = file.getvalue()
    for column in hp.ParquetFile(io.BytesIO(raw)).fmd.row_groups[0].columns:
        told = column.meta_data
        yield raw[told.bloom_filter_offset :][: told.bloom_filter_length]


@pytest.mark.parametrize(("count", "rate"), [(3000, 0.01), (3000, 0.2), (20, 0.001)])
def test_pyarrow_makes_the_same(count, rate):
    numbers = np.random.default_rng(6).integers(-(1 << 31), 1 << 31, count)
    texts = [str(each) for each in numbers]
    fixed = numbers.astype(">i8").view("V8")
    table = pa.table(
        {
            "i64": numbers,
            "i32": numbers.astype(np.int32),
            "f64": numbers.astype(float),
            "text": texts,
            "fixed": pa.array([each.tobytes() for each in fixed], pa.binary(8)),
        }
    )
    ours = [
        of_array(numbers, P.INT64),
        of_array(numbers.astype(np.int32), P.INT32),
        of_array(numbers.astype(float), P.DOUBLE),
        of_strings([each.encode() for each in texts]),
        of_array(fixed, P.FIXED_LEN_BYTE_ARRAY),
    ]
    for values, wanted in zip(ours, filters_of_pyarrow(table, count, rate), strict=True):
        assert made(values, rate, count) == wanted


def test_entries_of_a_dictionary_are_put_in():
    values = of_array(np.array([3, 4]), P.INT64, np.zeros(5, np.uint32))
    found = opened(made(values))
    assert found.might_contain_value(values.node, 3)
    assert found.might_contain_value(values.node, 4)


def test_wrong_wishes_are_told():
    values = of_array(np.arange(3), P.INT64)
    for rate in (0, 1, -0.5, 2):
        with pytest.raises(InvalidOption, match="between 0 and 1"):
            made(values, rate)
    flags = of_array(np.zeros(3, np.uint8), P.BOOLEAN)
    assert not can_have_bloom(flags.node)
    assert can_have_bloom(values.node)
    with pytest.raises(InvalidOption, match="booleans"):
        made(flags)


# ---------------------------------------------------------------------------------------- kernels


@settings(max_examples=60)
@given(st.sampled_from([1, 4, 7, 8, 16, 40]), st.binary(max_size=200))
def test_hashes_between_bounds_of_memory(width, raw):
    count = len(raw) // width
    data = np.frombuffer(raw[: count * width], np.uint8)
    answer, (hashes,) = run_encoder(
        "hash_fixed", lambda source, room: (source(data), width, count, room(8 * count))
    )
    assert answer == 0
    wanted = [hash_of_bytes(raw[at * width :][:width]) for at in range(count)]
    assert hashes.view(np.uint64).tolist() == wanted


@settings(max_examples=60)
@given(st.lists(st.integers(0, (1 << 64) - 1), max_size=30), st.integers(1, 9))
def test_insertion_between_bounds_of_memory(hashes, blocks):
    numbers = np.array(hashes, np.uint64)
    answer, (bits,) = run_encoder(
        "bloom_insert",
        lambda source, room: (
            room(32 * blocks, content=np.zeros(32 * blocks, np.uint8)),
            32 * blocks,
            source(numbers),
            len(numbers),
        ),
    )
    assert answer == 0
    found = BloomFilter(bits)
    assert all(found.might_contain(each) for each in hashes)
    assert int(np.bitwise_count(bits).sum()) <= 8 * len(hashes)
