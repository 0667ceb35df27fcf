"""Compression: what each codec writes is read back by us and by pyarrow; wrong wishes are told."""

from __future__ import annotations

import cramjam
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hocket.parquet.codecs import (
    CODEC_NAMES,
    checked_level,
    codec_number,
    compress,
    decompress_into,
)
from hocket.parquet.errors import InvalidOption, UnsupportedFeature

UNCOMPRESSED, SNAPPY, GZIP, LZO, BROTLI, LZ4, ZSTD, LZ4_RAW = range(8)
ARROW = {SNAPPY: "snappy", GZIP: "gzip", BROTLI: "brotli", ZSTD: "zstd", LZ4_RAW: "lz4_raw"}
LEVELS = {GZIP: (0, 9), BROTLI: (0, 11), ZSTD: (-7, 22)}
ROWS = np.random.default_rng(5).integers(0, 300, 30_000).astype("<i4").tobytes()


def came_back(codec, made, nbytes):
    room = np.zeros(nbytes, np.uint8)
    decompress_into(codec, np.frombuffer(made, np.uint8), room)
    return room.tobytes()


def check(codec, data, level=None):
    made = compress(codec, data, level)
    size = memoryview(made).nbytes
    assert came_back(codec, made, len(data)) == bytes(data)
    if len(data):
        unpacked = pa.Codec(ARROW[codec]).decompress(pa.py_buffer(made), len(data))
        assert unpacked.to_pybytes() == bytes(data)
    return size


@pytest.mark.parametrize("codec", ARROW)
@pytest.mark.parametrize("data", [ROWS, b"", b"x", bytes(70_000), b"ab" * 3_000_000], ids=len)
def test_what_is_compressed_is_read_back(codec, data):
    assert check(codec, data) < len(data) * 1.01 + 64


@settings(max_examples=60)
@given(st.binary(max_size=500) | st.binary(max_size=20).map(lambda each: each * 50), st.data())
def test_any_bytes_at_any_level(data, choice):
    codec = choice.draw(st.sampled_from(sorted(ARROW)))
    levels = st.none()
    if codec in LEVELS:
        # The highest ones take their time to get ready.
        levels |= st.integers(LEVELS[codec][0], min(LEVELS[codec][1], 11))
    check(codec, data, choice.draw(levels))


@pytest.mark.parametrize("codec", LEVELS)
def test_levels_count(codec):
    text = b"".join(b"%d, " % (each * each % 1009) for each in range(5000))
    low, high = LEVELS[codec]
    assert check(codec, text, high) < check(codec, text, max(low, 1))


@pytest.mark.parametrize("codec", ARROW)
def test_arrays_views_and_read_only_memory(codec):
    array = np.frombuffer(ROWS, "<i4")[5:1000]
    for source in (array.view(np.uint8), memoryview(array).cast("B"), bytearray(ROWS)):
        assert came_back(codec, compress(codec, source), len(source)) == bytes(source)
    assert not array.flags.writeable


def test_no_codec_hands_back_what_it_got():
    assert compress(UNCOMPRESSED, ROWS) is ROWS


@pytest.mark.parametrize("codec", [LZO, LZ4, 8, -1])
def test_what_nobody_should_write_is_refused(codec):
    with pytest.raises(UnsupportedFeature, match="choose snappy, gzip, brotli, lz4 or zstd"):
        compress(codec, b"x")


def test_names_as_users_write_them():
    for name, number in [
        (None, UNCOMPRESSED),
        ("none", UNCOMPRESSED),
        ("UNCOMPRESSED", UNCOMPRESSED),
        ("snappy", SNAPPY),
        ("Gzip", GZIP),
        ("BROTLI", BROTLI),
        ("lz4", LZ4_RAW),
        ("LZ4_RAW", LZ4_RAW),
        ("zstd", ZSTD),
    ]:
        assert codec_number(name) == number
    assert {CODEC_NAMES[codec_number(name.lower())] for name in CODEC_NAMES if name != "LZO"} == {
        each for each in CODEC_NAMES if each not in {"LZO", "LZ4"}
    }


@pytest.mark.parametrize("name", ["zip", "", 3, "zstd:5", True])
def test_unknown_names_are_told_with_the_known_ones(name):
    with pytest.raises(InvalidOption, match=r"'none', .*'snappy', .*'zstd'") as caught:
        codec_number(name)
    assert repr(name) in caught.value.reason


def test_lzo_is_refused_with_a_remedy():
    with pytest.raises(UnsupportedFeature, match="zstd"):
        codec_number("LZO")


@pytest.mark.parametrize("codec", LEVELS)
def test_levels_out_of_range_are_told(codec):
    low, high = LEVELS[codec]
    assert checked_level(codec, low) == low
    assert checked_level(codec, high) == high
    assert checked_level(codec, None) is None
    for level in (low - 1, high + 1, 1.5, "9", True):
        with pytest.raises(InvalidOption, match=f"from {low} to {high}"):
            checked_level(codec, level)
    with pytest.raises(InvalidOption, match="whole number"):
        compress(codec, ROWS, high + 1)


@pytest.mark.parametrize("codec", [UNCOMPRESSED, SNAPPY, LZ4_RAW])
def test_a_level_where_there_are_none(codec):
    assert checked_level(codec, None) is None
    with pytest.raises(InvalidOption, match="has no levels"):
        checked_level(codec, 3)


def test_blocks_of_lz4_have_no_size_in_front():
    made = bytes(compress(LZ4_RAW, ROWS))
    assert bytes(cramjam.lz4.decompress_block(made, output_len=len(ROWS))) == ROWS
