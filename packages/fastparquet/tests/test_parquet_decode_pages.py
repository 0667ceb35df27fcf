"""Headers of pages, plain and encrypted: what they say, what is skipped, what is refused."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from parquet_chunk_writer import (
    DELTA,
    INDEX_PAGE,
    PLAIN,
    RLE,
    RLE_DICTIONARY,
    ChunkWriter,
    Cipher,
    EncryptedWriter,
    leaf_of,
    padded,
    thrift_struct,
    values_of,
)

from hocket.parquet.decode.chunk import decode_chunk, scan_chunk
from hocket.parquet.decode.target import natural_target
from hocket.parquet.errors import CorruptFile, ParquetError
from hocket.parquet.kernels.source import pages as layout
from hocket.parquet.metadata.logical import PhysicalType

DATA = {1: 1, 2: PLAIN, 3: RLE, 4: RLE}
V2 = {1: 1, 2: 0, 3: 1, 4: PLAIN, 5: 0, 6: 0}


def writer_of(values=3, definition=1, **options):
    writer = ChunkWriter(leaf_of(PhysicalType.INT64, definition=definition), **options)
    return writer.add(list(range(values))) if values else writer


def columns(table, *names):
    return [table.rows[:, getattr(layout, name)].tolist() for name in names]


def test_the_table_says_what_the_headers_say():
    writer = writer_of(0, codec=1, has_crc=True)
    writer.add_dictionary([1, 2, 3]).add([1, None, 3], RLE_DICTIONARY)
    writer.add([9] * 200, DELTA, version=2).add([None], version=2, is_compressed=False)
    table = scan_chunk(writer.place(start=1000), writer.segments(1000))
    assert len(table) == 4
    assert table.values == 204
    assert columns(table, "TYPE", "VALUES", "NULLS", "ROWS", "ENCODING") == [
        [2, 0, 3, 3],
        [3, 3, 200, 1],
        [-1, -1, 0, 1],
        [-1, -1, 200, 1],
        [PLAIN, RLE_DICTIONARY, DELTA, PLAIN],
    ]
    assert columns(table, "IS_COMPRESSED", "IS_SORTED", "FIRST_VALUE", "SEGMENT") == [
        [1, 1, 1, 0],
        [0, -1, -1, -1],
        [0, 0, 3, 203],
        [0, 0, 0, 0],
    ]
    headers, bodies, sizes = columns(table, "HEADER", "BODY", "COMPRESSED_NBYTES")
    ends = np.cumsum([len(part) for part in writer.parts]) + 1000
    assert headers == [1000, *ends[:-1].tolist()]
    assert [body + size for body, size in zip(bodies, sizes, strict=True)] == ends.tolist()
    assert min(columns(table, "CRC")[0]) >= 0


def test_more_pages_than_the_table_has_space_for():
    writer = writer_of(0)
    for value in range(500):
        writer.add([value])
    table = scan_chunk(writer.place(), writer.segments())
    assert table.rows[:, layout.FIRST_VALUE].tolist() == list(range(500))
    assert values_of(decode_chunk(writer.place(), writer.segments(), natural_target(writer.leaf)))


def test_a_table_that_was_returned_is_not_written_over():
    one, two = writer_of(3), writer_of(5)
    table = scan_chunk(one.place(), one.segments())
    scan_chunk(two.place(), two.segments())
    assert columns(table, "VALUES") == [[3]]


def test_what_follows_the_last_page_is_not_looked_at():
    writer = writer_of()
    writer.parts.append(b"\xff" * 30)
    assert len(scan_chunk(writer.place(), writer.segments())) == 1
    nothing = ChunkWriter(writer.leaf, parts=[b"\xff" * 30])
    assert len(scan_chunk(nothing.place(), nothing.segments())) == 0


def test_index_pages_and_unknown_ones_are_passed_over():
    writer = writer_of(0, codec=1)
    writer.page(INDEX_PAGE, 6, {}, b"?" * 9, 1 << 30).add([7])
    writer.page(77, 9, {1: 5}, b"?" * 9, 0).add([8, None], version=2)
    column = decode_chunk(writer.place(), writer.segments(), natural_target(writer.leaf))
    assert values_of(column) == [7, 8, None]


def test_pieces_of_a_chunk():
    writer = writer_of(2)
    writer.add([5]).add([6, None])
    segments, at = [], 4
    for part in writer.parts:
        segments.append((at, padded(part)))
        at += len(part)
    table = scan_chunk(writer.place(), segments)
    assert columns(table, "SEGMENT", "FIRST_VALUE") == [[0, 1, 2], [0, 2, 3]]
    column = decode_chunk(writer.place(), segments, natural_target(writer.leaf))
    assert values_of(column) == [0, 1, 5, 6, None]


@pytest.mark.parametrize("nbytes", range(1, 30))
def test_a_chunk_that_is_cut_short(nbytes):
    writer = writer_of(0)
    writer.add([1]).add([2, 3], version=2)
    data = b"".join(writer.parts)[:-nbytes]
    with pytest.raises(CorruptFile) as caught:
        scan_chunk(writer.place(), [(4, padded(data))])
    assert caught.value.offset in (None, 4, 4 + len(writer.parts[0]))


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({1: 0, 2: -1, 3: 8, 5: DATA}, "negative"),
        ({1: 0, 2: 8, 3: -8, 5: DATA}, "negative"),
        ({1: 0, 2: 8, 3: 9, 5: DATA}, "end before"),
        ({1: 0, 2: 1 << 40, 3: 8, 5: DATA}, "outside"),
        ({1: 0, 3: 8, 5: DATA}, "negative"),
        ({1: 0, 2: 8, 3: 8}, "required"),
        ({2: 8, 3: 8, 5: DATA}, "required"),
        ({1: 3, 2: 8, 3: 8, 5: DATA}, "required"),
        ({1: 2, 2: 8, 3: 8, 5: DATA}, "required"),
        ({1: 0, 2: 8, 3: 8, 5: {1: 1}}, "required"),
        ({1: 0, 2: 8, 3: 8, 5: {**DATA, 1: -1}}, "as many values"),
        ({1: 0, 2: 8, 3: 8, 5: {**DATA, 1: 1 << 31}}, "as many values"),
        ({1: 3, 2: 8, 3: 8, 8: {**V2, 2: 2}}, "as many values"),
        ({1: 3, 2: 8, 3: 8, 8: {**V2, 2: -1}}, "as many values"),
        ({1: 3, 2: 8, 3: 8, 8: {**V2, 3: 2}}, "as many values"),
        ({1: 3, 2: 8, 3: 8, 8: {**V2, 5: -1}}, "levels"),
        ({1: 3, 2: 8, 3: 8, 8: {**V2, 5: 9}}, "levels"),
        ({1: 3, 2: 8, 3: 8, 8: {**V2, 5: 5, 6: 4}}, "levels"),
        ({1: 3, 2: 4, 3: 8, 8: {**V2, 5: 5}}, "levels"),
        ({1: 3, 2: 8, 3: 8, 8: {**V2, 5: (1 << 63) - 1, 6: (1 << 63) - 1}}, "levels"),
        ({1: True, 2: 8, 3: 8, 5: DATA}, "type"),
        ({1: 0, 2: 8, 3: 8, 5: {**DATA, 2: True}}, "type"),
    ],
)
def test_headers_that_contradict_themselves(fields, message):
    told = {
        number: thrift_struct(value) if isinstance(value, dict) else value
        for number, value in fields.items()
    }
    writer = writer_of(0)
    writer.parts = [thrift_struct(told) + b"12345678"]
    place = writer.place(num_values=1, num_rows=1)
    with pytest.raises(CorruptFile, match=message) as caught:
        decode_chunk(place, writer.segments(), natural_target(writer.leaf))
    error = caught.value
    assert (error.file, error.row_group, error.column) == ("made.parquet", 0, "leaf")
    assert (error.page, error.offset) == (0, 4)


@given(st.binary(max_size=80))
def test_any_bytes_are_refused_or_make_a_table(data):
    writer = writer_of(0)
    try:
        table = scan_chunk(writer.place(num_values=5), [(0, padded(data))])
    except ParquetError:
        return
    assert table.values == 5


# ------------------------------------------------------------------------------------ encrypted


@pytest.mark.parametrize("codec", [0, 1])
def test_encrypted_pages(codec):
    writer = EncryptedWriter(leaf_of(PhysicalType.INT64, definition=1), codec, has_crc=True)
    writer.add_dictionary([5, 6]).add([5, None], RLE_DICTIONARY)
    writer.add([6], RLE_DICTIONARY, version=2).add([7, 8], version=2).add([9])
    place = writer.place(cipher=Cipher())
    column = decode_chunk(place, writer.segments(), natural_target(writer.leaf))
    assert values_of(column) == [5, None, 6, 7, 8, 9]
    table = scan_chunk(place, writer.segments())
    assert columns(table, "ORDINAL")[0][1:] == [0, 1, 2, 3]
    swapped = [writer.parts[0], *writer.parts[2:3], writer.parts[1], *writer.parts[3:]]
    with pytest.raises(CorruptFile, match="no h0"):
        decode_chunk(place, [(4, padded(b"".join(swapped)))], natural_target(writer.leaf))
