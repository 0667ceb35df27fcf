"""Hostile column chunks: where they are, how much they say they hold, and how large that is."""

from __future__ import annotations

import struct

import pytest
from parquet_chunk_writer import (
    DATA_PAGE,
    DATA_PAGE_V2,
    DICTIONARY_PAGE,
    PLAIN,
    RLE,
    RLE_DICTIONARY,
    ChunkWriter,
    leaf_of,
    thrift_struct,
)
from parquet_file_maker import FileMaker, numbers, one_column, refused, values_of_file

from hocket.parquet import (
    ChecksumMismatch,
    CorruptFile,
    LimitExceeded,
    ParquetFile,
    UnsupportedFeature,
)
from hocket.parquet.metadata.logical import PhysicalType

HUGE = (1 << 31) - 1
P = PhysicalType


def paged(*pages, num_values=3, leaf=None, codec=0) -> ChunkWriter:
    """Return a chunk of pages with made-up headers: kind, field, own header, body, plain size."""
    writer = ChunkWriter(leaf or leaf_of(P.INT64), codec)
    for page in pages:
        writer.page(*page)
    writer.num_values = writer.num_rows = num_values
    return writer


def data_page(values, body, size=None, encoding=PLAIN):
    own = {1: values, 2: encoding, 3: RLE, 4: RLE}
    return DATA_PAGE, 5, own, body, len(body) if size is None else size


def data_page_v2(body, size=None, **own):
    told = {1: 3, 2: 0, 3: 3, 4: PLAIN, 5: 0, 6: 0, 7: False}
    told |= {int(name[1:]): value for name, value in own.items()}
    return DATA_PAGE_V2, 8, told, body, len(body) if size is None else size


BODY = struct.pack("<3q", 1, 2, 3)


def test_the_parts_of_these_tests_are_sound():
    for writer in (numbers(), paged(data_page(3, BODY)), paged(data_page_v2(BODY))):
        assert values_of_file(one_column(writer)) == [1, 2, 3]


# ------------------------------------------------------------------ (2) places, counts and sizes


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("data_page_offset", 1 << 40),
        ("data_page_offset", (1 << 63) - 1),
        ("data_page_offset", -1),
        ("data_page_offset", -(1 << 63)),
        ("total_compressed_size", 1 << 40),
        ("total_compressed_size", (1 << 63) - 1),
        ("total_compressed_size", -1),
        ("num_values", -1),
        ("num_values", 1 << 40),
        ("num_values", 4),
        ("num_values", 2),
        ("num_values", 0),
        ("codec", -1),
        ("codec", 99),
        ("type", 99),
        ("type", -1),
    ],
)
def test_chunks_that_cannot_be(field, value):
    raw = one_column(numbers(), lambda meta: setattr(meta, field, value))
    refused(raw, r"end after the file|outside|values|negative|codec|compressed by|physical type")


@pytest.mark.parametrize("offset", [0, 1, 3, 5, 20, 60])
def test_chunks_that_begin_elsewhere(offset):
    raw = one_column(numbers(), lambda meta: setattr(meta, "data_page_offset", offset))
    words = "Thrift|bytes end|outside|values|integer|negative"
    refused(raw, words, CorruptFile, row_group=0, column="a")


@pytest.mark.parametrize("size", [0, 1, 10, 30])
def test_chunks_cut_short(size):
    raw = one_column(numbers(), lambda meta: setattr(meta, "total_compressed_size", size))
    refused(raw, "fewer than the 3|outside|end before", CorruptFile, row_group=0, column="a")


def test_dictionaries_in_odd_places():
    writer = ChunkWriter(leaf_of(P.INT64)).add_dictionary([5, 6]).add([5, 6, 5], RLE_DICTIONARY)
    assert values_of_file(one_column(writer)) == [5, 6, 5]
    for offset in (None, 0, 1 << 50, -4):
        raw = one_column(
            writer, lambda meta, at=offset: setattr(meta, "dictionary_page_offset", at)
        )
        refused(raw, "dictionary|values|outside", CorruptFile, column="a")


@pytest.mark.parametrize("compressed", [-1, -(1 << 31), HUGE, 25, 1000])
@pytest.mark.parametrize("kind", [DATA_PAGE, DATA_PAGE_V2])
def test_pages_larger_than_their_chunk(compressed, kind):
    page = data_page(3, BODY) if kind == DATA_PAGE else data_page_v2(BODY)
    _, field, own, body, size = page
    writer = ChunkWriter(leaf_of(P.INT64), num_values=3, num_rows=3)
    header = thrift_struct({1: kind, 2: size, 3: compressed, field: thrift_struct(own)})
    writer.parts.append(header + body)
    words = "negative|bytes end before"
    refused(one_column(writer), words, CorruptFile, column="a", row_group=0, page=0)


@pytest.mark.parametrize("uncompressed", [-1, -(1 << 31), HUGE, 23, 25, 0])
@pytest.mark.parametrize("kind", [DATA_PAGE, DATA_PAGE_V2])
def test_plain_sizes_that_lie(uncompressed, kind):
    page = (
        data_page(3, BODY, uncompressed) if kind == DATA_PAGE else data_page_v2(BODY, uncompressed)
    )
    words = "negative|not compressed and has 24 bytes"
    refused(one_column(paged(page)), words, CorruptFile, column="a", page=0)


@pytest.mark.parametrize("count", [-1, HUGE, -(1 << 31), 4, 2, 0])
def test_counts_of_pages_that_lie(count):
    refused(one_column(paged(data_page(count, BODY))), "values|negative", CorruptFile, column="a")
    page = data_page_v2(BODY, f1=count, f3=max(count, 0))
    refused(one_column(paged(page)), "values|negative|levels", CorruptFile, column="a")


@pytest.mark.parametrize(
    "lie",
    [
        {"f5": -1},
        {"f6": -1},
        {"f5": HUGE},
        {"f6": HUGE},
        {"f5": HUGE, "f6": HUGE},
        {"f5": 25},
        {"f5": 20, "f6": 5},
        {"f5": -5, "f6": 5},
        {"f5": 8},
        {"f2": -1},
        {"f2": 4},
        {"f3": -1},
        {"f3": 4},
    ],
    ids=str,
)
def test_lengths_of_levels_that_lie(lie):
    raw = one_column(paged(data_page_v2(BODY, **lie)))
    words = "lengths of levels|values|levels|bytes end"
    refused(raw, words, CorruptFile, column="a", page=0)


def test_pages_of_kinds_that_cannot_be():
    for page in (
        (7, 5, {1: 3, 2: PLAIN, 3: RLE, 4: RLE}, BODY, 24),
        (DATA_PAGE, 8, {1: 3, 2: 0, 3: 3, 4: PLAIN, 5: 0, 6: 0}, BODY, 24),
        (DATA_PAGE_V2, 5, {1: 3, 2: PLAIN, 3: RLE, 4: RLE}, BODY, 24),
        (DICTIONARY_PAGE, 5, {1: 3, 2: PLAIN}, BODY, 24),
        (DATA_PAGE, 5, None, BODY, 24),
    ):
        refused(one_column(paged(page)), "missing|fewer than the 3", CorruptFile, column="a")


# ----------------------------------------------------------------------- (3), (7) decompression


@pytest.mark.parametrize("codec", [1, 2, 4, 6, 7])
@pytest.mark.parametrize("version", [1, 2])
@pytest.mark.parametrize("change", [-8, -1, 1, 8, 1 << 10])
def test_decompressed_lengths_have_to_be_those_of_the_header(codec, version, change):
    writer = ChunkWriter(leaf_of(P.INT64), codec).add([7] * 50, version=version)
    size = 400 + change
    right = thrift_struct({1: 1, 2: 400})[:-1]
    wrong = thrift_struct({1: 1, 2: size})[:-1]
    header = writer.parts[0].replace(right[2:], wrong[2:], 1)
    assert header != writer.parts[0]
    writer.parts[0] = header
    refused(one_column(writer), "decompress to", CorruptFile, column="a", page=0)


@pytest.mark.parametrize("codec", [1, 2, 4, 5, 6, 7])
def test_garbage_in_place_of_compressed_bytes(codec):
    for body in (b"", b"\0", b"\xff" * 40, bytes(range(100))):
        writer = paged(data_page(3, body, 24), codec=codec)
        refused(
            one_column(writer), "decompress|snappy|cannot|bytes", CorruptFile, column="a", page=0
        )


def test_an_empty_payload_is_not_decompressed():
    leaf = leaf_of(P.INT64, definition=1)
    levels = b"\x06\x00"  # a run of three zeros
    for codec in (1, 2, 4, 6, 7):
        page = data_page_v2(levels, 2, f2=3, f5=2, f7=True)
        writer = paged(page, leaf=leaf, codec=codec)
        assert values_of_file(one_column(writer)) == [None] * 3


@pytest.mark.parametrize("codec", [3, 8, 57])
def test_codecs_that_are_not_known(codec):
    writer = paged(data_page(3, BODY))
    raw = one_column(writer, lambda meta: setattr(meta, "codec", codec))
    words = "LZO" if codec == 3 else f"codec {codec}"
    refused(raw, words, UnsupportedFeature, column="a", page=0)


# --------------------------------------------------------------------------------- (8) checksums


@pytest.mark.parametrize("version", [1, 2])
def test_checksums_are_compared_unless_told_otherwise(version):
    writer = ChunkWriter(leaf_of(P.INT64), has_crc=True).add([1, 2, 3], version=version)
    writer.parts[0] = writer.parts[0][:-24] + struct.pack("<3q", 1, 2, 4)
    raw = one_column(writer)
    refused(raw, "CRC", ChecksumMismatch, row_group=0, column="a", page=0)
    frame = ParquetFile(raw, verify_checksums=False).to_pandas()
    assert frame["a"].tolist() == [1, 2, 4]
    # Columns that are read together, many at once.
    maker = FileMaker(3)
    for at in range(8):
        maker.add(f"c{at}", writer if at == 5 else numbers())
    with pytest.raises(ChecksumMismatch) as caught:
        ParquetFile(maker.written()).to_pandas()
    assert caught.value.column == "c5"


def test_a_limit_on_memory_is_kept():
    writer = ChunkWriter(leaf_of(P.INT64), 1).add([7] * 10_000)
    raw = one_column(writer)
    assert len(ParquetFile(raw, memory_limit=80_000).to_pandas()) == 10_000
    with pytest.raises(LimitExceeded, match="limit is 79,999"):
        ParquetFile(raw, memory_limit=79_999).to_pandas()
