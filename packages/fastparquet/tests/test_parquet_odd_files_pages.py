"""Pages and chunks as programs wrote them, odd but meant: each has to be read."""

import gzip
import struct

import cramjam
import pytest
from parquet_chunk_writer import (
    DATA_PAGE_V2,
    PLAIN_DICTIONARY,
    RLE_DICTIONARY,
    ChunkWriter,
    hybrid,
    leaf_of,
    plain,
)
from parquet_file_maker import FileMaker, one_column, refused, values_of_file

from hocket.parquet import ParquetFile
from hocket.parquet.metadata.logical import PhysicalType

SNAPPY, GZIP, LZ4, ZSTD, LZ4_RAW = 1, 2, 5, 6, 7
P = PhysicalType


def optional(physical, codec=0, **leaf):
    return ChunkWriter(leaf_of(physical, definition=1, **leaf), codec)


def with_page(writer, body, plain_nbytes, own, kind=0):
    """Add a page whose body was made by hand."""
    field = {0: 5, DATA_PAGE_V2: 8}[kind]
    writer.page(kind, field, own, body, plain_nbytes)
    writer.num_values += own[1]
    writer.num_rows += own[1]
    return writer


def v1_page(writer, values, compress):
    levels = hybrid([1] * len(values), 1)
    body = struct.pack("<I", len(levels)) + levels + plain(values, writer.leaf)
    own = {1: len(values), 2: 0, 3: 3, 4: 3}
    return with_page(writer, compress(body), len(body), own)


# ----------------------------------------------------------------------------- compressed pages


def lz4_block(raw):
    return bytes(cramjam.lz4.compress_block(raw, store_size=False))


def hadoop_frames(raw, size=1000):
    """Frames of one block each: plain size, compressed size, block."""
    pieces = [raw[at : at + size] for at in range(0, len(raw), size)]
    blocks = [(piece, lz4_block(piece)) for piece in pieces]
    return b"".join(struct.pack(">II", len(piece), len(block)) + block for piece, block in blocks)


def hadoop_frame_of_blocks(raw, size=1000):
    """One frame of several blocks, each with its compressed size."""
    blocks = [lz4_block(raw[at : at + size]) for at in range(0, len(raw), size)]
    return struct.pack(">I", len(raw)) + b"".join(
        struct.pack(">I", len(block)) + block for block in blocks
    )


@pytest.mark.parametrize(
    ("codec", "compress"),
    [
        (GZIP, lambda raw: gzip.compress(raw[:700]) + gzip.compress(raw[700:])),
        (LZ4, hadoop_frames),
        (LZ4, hadoop_frame_of_blocks),
        (LZ4, lz4_block),
        (LZ4_RAW, lz4_block),
    ],
)
def test_compressed_in_pieces(codec, compress):
    values = [index * index for index in range(513)]
    raw = one_column(v1_page(optional(P.INT64, codec), values, compress))
    assert values_of_file(raw) == values


def test_pages_of_version_2_without_values():
    """No bytes at all, and a stream of no bytes: both are there when all rows are null."""
    levels = hybrid([0] * 10, 1)
    own = {1: 10, 2: 10, 3: 10, 4: 0, 5: len(levels), 6: 0, 7: True}
    stream = bytes(cramjam.zstd.compress(b""))
    nothing = with_page(optional(P.FLOAT, SNAPPY), levels, len(levels), own, DATA_PAGE_V2)
    empty = with_page(optional(P.INT32, ZSTD), levels + stream, len(levels), own, DATA_PAGE_V2)
    assert values_of_file(one_column(nothing)) == values_of_file(one_column(empty)) == [None] * 10


def test_pages_of_version_2_that_are_not_compressed():
    writer = optional(P.INT32, SNAPPY).add([1, None, 3], version=2, is_compressed=False)
    writer.add([4, 5, 6], version=2).add([7, None])
    assert values_of_file(one_column(writer)) == [1, None, 3, 4, 5, 6, 7, None]


@pytest.mark.parametrize("definition", [0, 1])
def test_levels_that_a_column_does_not_have(definition):
    """Athena writes repetition levels, all 0, of columns that repeat nothing."""
    leaf = leaf_of(P.INT32, definition=definition)
    levels = hybrid([0] * 4, 1, run=1)
    values = plain([5, 6, 7, 8], leaf)
    definitions = hybrid([definition] * 4, 1, run=1)
    own = {1: 4, 2: 0, 3: 4, 4: 0, 5: len(definitions), 6: len(levels), 7: False}
    body = levels + definitions + values
    raw = one_column(with_page(ChunkWriter(leaf), body, len(body), own, DATA_PAGE_V2))
    assert values_of_file(raw) == [5, 6, 7, 8]


def test_pages_without_rows_between_others():
    writer = optional(P.INT32).add([1, 2]).add([]).add([3], version=2).add([], version=2).add([4])
    assert values_of_file(one_column(writer)) == [1, 2, 3, 4]


def test_more_pages_than_16_bits_count():
    writer = ChunkWriter(leaf_of(P.INT32)).add([1]).add([2])
    writer.parts *= 17000
    writer.num_values = writer.num_rows = 34000
    assert values_of_file(one_column(writer)) == [1, 2] * 17000


# ---------------------------------------------------------------------- where a chunk's pages are


@pytest.mark.parametrize("has_dictionary", [True, False])
def test_dictionary_offsets_of_0(has_dictionary):
    """parquet-mr told 0, and the dictionary's place as that of the data."""
    writer = ChunkWriter(leaf_of(P.INT32))
    if has_dictionary:
        writer.add_dictionary([1552, 7])
    writer.add([1552, 7, 1552], RLE_DICTIONARY if has_dictionary else 0)

    def change(meta):
        meta.data_page_offset, meta.dictionary_page_offset = 4, 0

    assert values_of_file(one_column(writer, change)) == [1552, 7, 1552]


def understated(created_by):
    """Chunks whose sizes do not count the header of the dictionary page."""
    maker = FileMaker(25)
    headers = []
    for name, values in (("key", list(range(25))), ("region", [at % 5 for at in range(25)])):
        writer = optional(P.INT32)
        entries = sorted(set(values))
        writer.add_dictionary(entries, PLAIN_DICTIONARY).add(values, PLAIN_DICTIONARY)
        headers.append(len(writer.parts[0]) - 4 * len(entries))
        maker.add(name, writer)

    def change(footer):
        footer.created_by = created_by
        for chunk, nbytes in zip(footer.row_groups[0].columns, headers, strict=True):
            chunk.meta_data.total_compressed_size -= nbytes
            chunk.meta_data.data_page_offset = chunk.meta_data.dictionary_page_offset
            chunk.meta_data.dictionary_page_offset = None

    return maker.written(change)


@pytest.mark.parametrize("created_by", ["parquet-mr", "parquet-mr version 1.2.5 (build x)"])
def test_chunks_longer_than_old_writers_say(created_by):
    frame = ParquetFile(understated(created_by)).to_pandas()
    assert frame["key"].tolist() == list(range(25))
    assert frame["region"].tolist() == [at % 5 for at in range(25)]


def test_chunks_longer_than_new_writers_say_are_damaged():
    refused(understated("parquet-mr version 1.12.3"), "the bytes end before", column="key")


# --------------------------------------------------------------------------------- what is broken


def lengths_before_values(kind):
    """Fixed-length values as byte strings, as a version of arrow-rs wrote its dictionaries."""
    values = [bytes([value]) * 16 for value in range(3)]
    writer = optional(P.BYTE_ARRAY)
    if kind == "dictionary":
        writer.add_dictionary(values).add([values[0], values[1], None, values[2]], RLE_DICTIONARY)
    else:
        writer.add([values[0], values[1], None, values[2]], version=2 if kind == "v2" else 1)
    writer.leaf = leaf_of(P.FIXED_LEN_BYTE_ARRAY, type_length=16, definition=1)
    return one_column(writer)


@pytest.mark.parametrize("kind", ["dictionary", "v1", "v2"])
def test_fixed_lengths_with_lengths_before_them(kind):
    refused(lengths_before_values(kind), "with their lengths", column="a", page=0)


@pytest.mark.parametrize("version", [1, 2])
def test_fewer_values_than_rows_in_a_required_column(version):
    leaf = leaf_of(P.FIXED_LEN_BYTE_ARRAY, type_length=4)
    body = b"abcd" * 97
    own = {1: 100, 2: 0, 3: 3, 4: 3}
    if version == 2:
        own = {1: 100, 2: 3, 3: 100, 4: 0, 5: 0, 6: 0, 7: False}
    kind = 0 if version == 1 else DATA_PAGE_V2
    raw = one_column(with_page(ChunkWriter(leaf), body, len(body), own, kind))
    refused(raw, "the bytes end before the values do", page=0)
