"""Decompression: every codec and framing, exactly the size that is told, clean errors."""

import contextlib
import gzip
import struct
import zlib

import cramjam
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hocket.parquet.codecs import CODEC_NAMES, codec_name, decompress_into
from hocket.parquet.errors import CorruptFile, UnsupportedFeature

UNCOMPRESSED, SNAPPY, GZIP, LZO, BROTLI, LZ4, ZSTD, LZ4_RAW = range(8)
CANARY = 0x5C
ROWS = np.random.default_rng(5).integers(0, 300, 3000).astype("<i4").tobytes()


def block(data):
    return bytes(cramjam.lz4.compress_block(data, store_size=False))


def thirds(data):
    third = len(data) // 3
    return data[:third], data[third : 2 * third], data[2 * third :]


def big_endian(*numbers):
    return struct.pack(f">{len(numbers)}I", *numbers)


def hadoop(data):
    packed = block(data)
    return big_endian(len(data), len(packed)) + packed


def hadoop_split(data):
    """One frame of three blocks."""
    blocks = [block(part) for part in thirds(data) if part]
    return big_endian(len(data)) + b"".join(big_endian(len(each)) + each for each in blocks)


def deflate(data):
    stream = zlib.compressobj(6, zlib.DEFLATED, -zlib.MAX_WBITS)
    return stream.compress(data) + stream.flush()


COMPRESSORS = {
    "none": (UNCOMPRESSED, bytes),
    "snappy": (SNAPPY, lambda data: bytes(cramjam.snappy.compress_raw(data))),
    "gzip": (GZIP, gzip.compress),
    "gzip members": (GZIP, lambda data: b"".join(map(gzip.compress, thirds(data)))),
    "gzip padded": (GZIP, lambda data: gzip.compress(data) + bytes(20)),
    "zlib": (GZIP, zlib.compress),
    "deflate": (GZIP, deflate),
    "brotli": (BROTLI, lambda data: bytes(cramjam.brotli.compress(data))),
    "lz4 hadoop": (LZ4, hadoop),
    "lz4 hadoop blocks": (LZ4, hadoop_split),
    "lz4 hadoop frames": (LZ4, lambda data: b"".join(map(hadoop, thirds(data)))),
    "lz4 bare": (LZ4, block),
    "lz4 frame": (LZ4, lambda data: bytes(cramjam.lz4.compress(data))),
    "zstd": (ZSTD, lambda data: bytes(cramjam.zstd.compress(data))),
    "zstd frames": (
        ZSTD,
        lambda data: b"".join(bytes(cramjam.zstd.compress(each)) for each in thirds(data)),
    ),
    "lz4 raw": (LZ4_RAW, block),
}


def decompressed(codec, source, nbytes):
    """Decompress into the middle of a bigger array, of which no byte beside may change."""
    room = np.full(nbytes + 128, CANARY, np.uint8)
    try:
        decompress_into(codec, np.frombuffer(source, np.uint8), room[64 : 64 + nbytes])
    finally:
        assert (room[:64] == CANARY).all()
        assert (room[64 + nbytes :] == CANARY).all()
    return room[64 : 64 + nbytes].tobytes()


@pytest.mark.parametrize("name", COMPRESSORS)
@pytest.mark.parametrize("data", [ROWS, b"x", b"ab" * 40_000, bytes(70_000)], ids=len)
def test_every_codec_gives_back_what_was_compressed(name, data):
    codec, compress = COMPRESSORS[name]
    assert decompressed(codec, compress(data), len(data)) == data


@given(st.binary(min_size=1, max_size=400), st.sampled_from(sorted(COMPRESSORS)))
def test_any_bytes_come_back(data, name):
    codec, compress = COMPRESSORS[name]
    assert decompressed(codec, compress(data), len(data)) == data


@pytest.mark.parametrize("name", COMPRESSORS)
@pytest.mark.parametrize("difference", [-len(ROWS), -len(ROWS) + 1, -1, 1, 5000])
def test_another_size_than_the_header_tells_is_an_error(name, difference):
    codec, compress = COMPRESSORS[name]
    with pytest.raises(CorruptFile, match=r"header (says|tells)|the page header tells"):
        decompressed(codec, compress(ROWS), len(ROWS) + difference)


@pytest.mark.parametrize("name", COMPRESSORS)
def test_nothing_at_all_is_valid_compressed_or_not(name):
    codec, compress = COMPRESSORS[name]
    assert decompressed(codec, b"", 0) == b""
    if "members" not in name and "frames" not in name:
        assert decompressed(codec, compress(b""), 0) == b""


@pytest.mark.parametrize("name", COMPRESSORS)
def test_no_bytes_for_some_is_an_error(name):
    with pytest.raises(CorruptFile, match="0 bytes"):
        decompressed(COMPRESSORS[name][0], b"", 10)


@pytest.mark.parametrize("name", COMPRESSORS)
def test_bytes_cut_off_or_changed_are_an_error_or_bytes_of_the_right_size(name):
    codec, compress = COMPRESSORS[name]
    good = np.frombuffer(compress(ROWS), np.uint8)
    chance = np.random.default_rng(11)
    failed = 0
    for length in chance.integers(0, good.size - 20, 60).tolist():
        with pytest.raises(CorruptFile):
            decompressed(codec, good[:length].tobytes(), len(ROWS))
    for _ in range(150):
        bad = good.copy()
        bad[chance.integers(0, bad.size, 4)] = chance.integers(0, 256, 4)
        try:
            decompressed(codec, bad.tobytes(), len(ROWS))
        except CorruptFile:
            failed += 1
    assert failed > 0 or codec == UNCOMPRESSED


@given(st.binary(max_size=300), st.sampled_from([1, 2, 4, 5, 6, 7]), st.integers(0, 300))
def test_random_bytes_are_an_error_or_bytes_of_the_right_size(data, codec, nbytes):
    with contextlib.suppress(CorruptFile):
        assert len(decompressed(codec, data, nbytes)) == nbytes


@pytest.mark.parametrize("name", COMPRESSORS)
def test_what_would_become_gigabytes_stops_at_the_size_told(name):
    codec, compress = COMPRESSORS[name]
    bomb = compress(bytes(20_000_000))
    with pytest.raises(CorruptFile):
        decompressed(codec, bomb, 1000)


def test_hadoop_sizes_that_lie_are_errors():
    packed = block(ROWS)
    for frame, nbytes in [
        ((1 << 32) - 1, len(packed)),
        (len(ROWS), (1 << 32) - 1),
        (len(ROWS), 0),
        (len(ROWS) - 1, len(packed)),
        (0, len(packed)),
    ]:
        with pytest.raises(CorruptFile):
            decompressed(LZ4, big_endian(frame, nbytes) + packed, len(ROWS))


def test_codecs_without_a_decoder_are_told_by_name():
    with pytest.raises(UnsupportedFeature, match="LZO"):
        decompressed(LZO, b"x", 5)
    for codec in (8, 99, -1):
        with pytest.raises(UnsupportedFeature, match=f"codec {codec}"):
            decompressed(codec, b"x", 5)
    assert [codec_name(codec) for codec in range(8)] == list(CODEC_NAMES)
    assert codec_name(8) == "codec 8"


def test_other_errors_of_a_codec_are_not_taken_for_bad_data():
    read_only = np.zeros(len(ROWS), np.uint8)
    read_only.flags.writeable = False
    with pytest.raises((ValueError, TypeError, BufferError)) as caught:
        decompress_into(UNCOMPRESSED, np.frombuffer(ROWS, np.uint8), read_only)
    assert not isinstance(caught.value, CorruptFile)
