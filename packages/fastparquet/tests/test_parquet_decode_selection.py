"""Some rows of a column chunk: only their pages are touched, and they come out exactly."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from parquet_chunk_writer import (
    RLE_DICTIONARY,
    ChunkWriter,
    Cipher,
    EncryptedWriter,
    leaf_of,
    padded,
    values_of,
)

from hocket.parquet.decode.chunk import PageSelection, decode_chunk
from hocket.parquet.decode.target import natural_target
from hocket.parquet.errors import ChecksumMismatch, CorruptFile, InvalidOption, ParquetError
from hocket.parquet.metadata.logical import PhysicalType

SIZES = [3, 0, 10, 1, 7]
COUNT = sum(SIZES)


def written(physical, kind=ChunkWriter, *, has_crc=False):
    writer = kind(leaf_of(physical, definition=1), 1, has_crc)
    is_text = physical is PhysicalType.BYTE_ARRAY
    every = [b"v" * i if is_text else i for i in range(COUNT)]
    values = [None if i % 4 == 3 else value for i, value in enumerate(every)]
    writer.add_dictionary(every)
    starts = np.cumsum([0, *SIZES[:-1]])
    for page, (start, size) in enumerate(zip(starts, SIZES, strict=True)):
        encoding = RLE_DICTIONARY if page % 2 else 0
        writer.add(values[start : start + size], encoding, version=1 + page % 2)
    return writer, values, starts


def offsets_of(writer):
    return np.cumsum([4, *map(len, writer.parts)])[1:-1]


@pytest.mark.parametrize("physical", [PhysicalType.INT64, PhysicalType.BYTE_ARRAY])
@pytest.mark.parametrize("has_index", [False, True])
@given(rows=st.sets(st.integers(0, COUNT - 1)).map(sorted))
def test_exactly_the_rows_that_are_wanted(physical, has_index, rows):
    writer, values, starts = written(physical)
    chosen = np.array(rows, np.int64)
    index = (offsets_of(writer), starts) if has_index else ()
    column = decode_chunk(
        writer.place(),
        writer.segments(),
        natural_target(writer.leaf),
        pages=PageSelection(chosen, *index),
    )
    wanted = [values[row] for row in rows]
    assert values_of(column) == wanted
    assert column.count == column.row_count == len(rows)
    assert column.null_count == wanted.count(None)


@pytest.mark.parametrize("kind", [ChunkWriter, EncryptedWriter])
def test_pages_that_were_not_read(kind):
    writer, values, starts = written(PhysicalType.INT64, kind=kind)
    offsets = offsets_of(writer)
    segments = [(4, padded(writer.parts[0])), (int(offsets[2]), padded(writer.parts[3]))]
    cipher = Cipher() if kind is EncryptedWriter else None

    def decoded(rows, page_offsets=offsets):
        return decode_chunk(
            writer.place(cipher=cipher),
            segments,
            natural_target(writer.leaf),
            pages=PageSelection(np.array(rows), page_offsets, starts),
        )

    assert values_of(decoded([4, 9, 12])) == [values[row] for row in (4, 9, 12)]
    assert values_of(decoded(range(3, 13))) == values[3:13]
    assert values_of(decoded([])) == []
    with pytest.raises(CorruptFile, match="offset index"):
        decoded([4, 13])
    with pytest.raises(ParquetError):
        decoded([4], offsets + 1)


def test_pages_without_a_wanted_row_are_not_touched():
    writer, values, _ = written(PhysicalType.INT64, has_crc=True)
    writer.parts[3] = writer.parts[3][:-1] + b"?"

    def decoded(rows):
        return decode_chunk(
            writer.place(),
            writer.segments(),
            natural_target(writer.leaf),
            pages=PageSelection(np.array(rows)),
        )

    assert values_of(decoded([0, 1, 20])) == [values[0], values[1], values[20]]
    with pytest.raises(ChecksumMismatch) as caught:
        decoded([0, 4])
    assert caught.value.page == 3


def test_rows_go_to_destinations_and_codes_stay_codes():
    writer, values, _ = written(PhysicalType.INT64)
    rows = np.array([1, 3, 5, 12, 13, 14])
    room, flags = np.zeros(6, np.int64), np.zeros(6, bool)
    column = decode_chunk(
        writer.place(),
        writer.segments(),
        natural_target(writer.leaf),
        destination=room,
        valid_destination=flags,
        pages=PageSelection(rows),
    )
    assert column.values is room
    assert column.valid is flags
    assert values_of(column) == [values[row] for row in rows]
    writer = ChunkWriter(leaf_of(PhysicalType.BYTE_ARRAY)).add_dictionary([b"a", b"b"])
    writer.add([b"a", b"b"] * 5, RLE_DICTIONARY)
    column = decode_chunk(
        writer.place(),
        writer.segments(),
        replace(natural_target(writer.leaf), keep_dictionary=True),
        pages=PageSelection(np.array([1, 2])),
    )
    assert column.codes.tolist() == [1, 0]
    assert values_of(column) == [b"b", b"a"]


def test_rows_of_lists_cannot_be_selected():
    leaf = leaf_of(PhysicalType.INT32, definition=1, repetition=1, slot_definition=1)
    writer = ChunkWriter(leaf).add([1])
    with pytest.raises(InvalidOption, match="repetition"):
        decode_chunk(
            writer.place(),
            writer.segments(),
            natural_target(leaf),
            pages=PageSelection(np.array([0])),
        )
