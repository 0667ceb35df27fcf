"""Pages made ready by one call of a kernel: the same as page by page, whatever is in them."""

from __future__ import annotations

from unittest.mock import patch

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from parquet_chunk_writer import DATA_PAGE, PLAIN, ChunkWriter, leaf_of, padded, values_of

from hocket.parquet.decode import bodies
from hocket.parquet.decode.chunk import decode_chunk
from hocket.parquet.decode.pages import scan_chunk
from hocket.parquet.decode.place import DecodeOptions
from hocket.parquet.decode.scratch import Scratch
from hocket.parquet.decode.target import natural_target
from hocket.parquet.errors import ParquetError
from hocket.parquet.kernels.source import pages as layout
from hocket.parquet.metadata.logical import PhysicalType

LEAF = leaf_of(PhysicalType.INT64, definition=1)


def written(codec=1, pages=4, *, has_crc=False):
    writer = ChunkWriter(LEAF, codec, has_crc=has_crc)
    for page in range(pages):
        values = [None if row % 5 == page else row * page for row in range(40)]
        writer.add(values, version=1 + page % 2)
    return writer


def outcome(writer, data):
    """What comes of a chunk: its values, or the words of an error."""
    try:
        column = decode_chunk(writer.place(), [(4, padded(data))], natural_target(LEAF))
    except ParquetError as error:
        return str(error)
    return values_of(column)


def one_by_one():
    return patch.object(bodies, "_PLAIN_CODECS", ())


def prepared(writer, *, verify=True):
    """The first page that is not ready after one step, and the bytes of those that are."""
    place = writer.place()
    table = scan_chunk(place, writer.segments())
    made = bodies.PageBodies(place, table, DecodeOptions(verify_checksums=verify), Scratch())
    return made.prepare(0, len(table)), table


@given(st.sampled_from([0, 1]), st.data())
def test_changed_bytes_come_to_the_same_end(codec, data):
    writer = written(codec)
    damaged = bytearray(b"".join(writer.parts))
    for _ in range(data.draw(st.integers(0, 3))):
        damaged[data.draw(st.integers(0, len(damaged) - 1))] = data.draw(st.integers(0, 255))
    at_once = outcome(writer, damaged)
    with one_by_one():
        assert outcome(writer, damaged) == at_once


@pytest.mark.parametrize("codec", [0, 1])
def test_all_pages_are_ready_after_one_call(codec):
    with patch.object(bodies, "decompress_into", side_effect=AssertionError("one by one")):
        ready, table = prepared(written(codec))
    assert ready == 4
    sizes = table.rows[:, layout.END_ADDRESS] - table.rows[:, layout.VALUES_ADDRESS]
    levels = table.rows[:, layout.DEFINITION_NBYTES].clip(0)
    assert (sizes == table.rows[:, layout.UNCOMPRESSED_NBYTES] - levels).all()


def test_checksums_are_verified_page_by_page():
    writer = written(has_crc=True)
    with patch.object(bodies, "decompress_into", side_effect=AssertionError("one by one")):
        assert prepared(writer, verify=False)[0] == 4
        with pytest.raises(AssertionError, match="one by one"):
            prepared(writer)


def test_a_batch_ends_where_the_room_does():
    values = list(np.random.default_rng(1).integers(0, 1 << 60, 30_000).tolist())
    writer = ChunkWriter(leaf_of(PhysicalType.INT64), codec=1)
    for _ in range(9):
        writer.add(values)
    # Eight bytes a value: four pages fill a batch.
    assert prepared(writer)[0] == 4
    column = decode_chunk(writer.place(), writer.segments(), natural_target(writer.leaf))
    assert column.values.tolist() == values * 9


def test_a_page_larger_than_a_batch_is_one():
    values = list(range(bodies.BATCH_NBYTES // 8 + 1))
    writer = ChunkWriter(leaf_of(PhysicalType.INT64), codec=1)
    writer.add(values).add([1, 2, 3])
    column = decode_chunk(writer.place(), writer.segments(), natural_target(writer.leaf))
    assert column.values.tolist() == [*values, 1, 2, 3]


def test_what_is_wrong_is_told_with_its_page():
    writer = written()
    body = b"\x10\xf0"
    writer.page(DATA_PAGE, 5, {1: 8, 2: PLAIN, 3: 3, 4: 3}, body, 100)
    writer.num_values += 8
    writer.num_rows += 8
    with pytest.raises(ParquetError, match="SNAPPY do not decompress") as caught:
        decode_chunk(writer.place(), writer.segments(), natural_target(LEAF))
    assert caught.value.page == 4
