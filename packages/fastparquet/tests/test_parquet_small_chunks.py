"""Many small column chunks in one call: the same values as one by one, or none at all."""

from __future__ import annotations

import cramjam
import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from parquet_chunk_writer import (
    DELTA,
    PLAIN,
    RLE_DICTIONARY,
    SPLIT,
    ChunkWriter,
    leaf_of,
)

import hocket.parquet as hp
from hocket.parquet.decode.chunk import decode_chunk
from hocket.parquet.decode.small_chunks import decode_small_chunks
from hocket.parquet.decode.target import natural_target, physical_width
from hocket.parquet.kernels.faults import fault_of
from hocket.parquet.kernels.library import address
from hocket.parquet.kernels.source import small_chunks as layout
from hocket.parquet.metadata.schema import PhysicalType


def decompress(run_kernel, stream: bytes, size: int) -> tuple[int, bytes]:
    answer, (room,) = run_kernel(
        "decompress_snappy", stream, lambda at, end, room: (at, end, room(size, 64), size)
    )
    return answer, room.tobytes()


_REPEATED = st.builds(lambda x, n: x * n, st.binary(min_size=1, max_size=9), st.integers(1, 30))
_PIECES = st.lists(st.one_of(st.binary(max_size=70), _REPEATED), max_size=8).map(b"".join)


@settings(max_examples=60)
@given(_PIECES)
@example(bytes(range(256)) * 300)
@example(b"")
def test_snappy_is_undone(run_kernel, plain):
    stream = bytes(cramjam.snappy.compress_raw(plain))
    assert decompress(run_kernel, stream, len(plain)) == (0, plain)


@pytest.mark.parametrize(
    ("stream", "plain"),
    [
        # One literal with its length in 1, 2, 3 and 4 bytes.
        (b"\x03\xf0\x02abc", b"abc"),
        (b"\x03\xf4\x02\x00abc", b"abc"),
        (b"\x03\xf8\x02\x00\x00abc", b"abc"),
        (b"\x03\xfc\x02\x00\x00\x00abc", b"abc"),
        # Copies with offsets of 1, 2 and 4 bytes.
        (b"\x07\x08abc\x01\x03", b"abcabca"),
        (b"\x07\x08abc\x0e\x03\x00", b"abcabca"),
        (b"\x07\x08abc\x0f\x03\x00\x00\x00", b"abcabca"),
        (b"\x0d\x00a\x2e\x01\x00", b"a" * 13),
    ],
)
def test_every_kind_of_element(run_kernel, stream, plain):
    assert decompress(run_kernel, stream, len(plain)) == (0, plain)


@pytest.mark.parametrize(
    "stream",
    [
        b"",
        b"\x03",
        b"\x03\x08ab",
        b"\x02\x08abc",
        b"\x04\x08abc",
        b"\x03\xfc\xff\xff\xff\xffabc",
        b"\x03\xf4\x02",
        b"\x07\x08abc\x01\x04",
        b"\x07\x08abc\x01\x00",
        b"\x07\x08abc\x0e\x03",
        b"\x05\x08abc\x01\x03",
        b"\x08\x08abc\x01\x03",
        b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01",
    ],
)
def test_what_is_no_snappy_is_a_fault(run_kernel, stream):
    size = stream[0] if stream else 3
    answer, _ = decompress(run_kernel, stream, size)
    assert fault_of(answer) > 0


@settings(max_examples=60)
@given(st.binary(max_size=40), st.integers(0, 60))
def test_any_bytes_stay_within_the_room(run_kernel, stream, size):
    answer, _ = decompress(run_kernel, bytes([size]) + stream, size)
    assert answer <= 0


# ------------------------------------------------------------------------------------- chunks


def chunk(writer: ChunkWriter) -> tuple:
    """A chunk's bytes with spare ones behind them, and what it is."""
    raw = b"".join(writer.parts)
    data = np.zeros(len(raw) + 64, np.uint8)
    data[: len(raw)] = np.frombuffer(raw, np.uint8)
    return writer, data[: len(raw)]


def rows_of(chunks: list, *, wants_valid: bool) -> tuple:
    """The table of chunks, and where their values go."""
    table = np.zeros((len(chunks), layout.CHUNK_COLUMNS), np.int64)
    places = []
    for row, (writer, data) in zip(table, chunks, strict=True):
        leaf, target = writer.leaf, natural_target(writer.leaf)
        values = np.zeros(writer.num_values, target.dtype)
        valid = np.zeros(writer.num_values, np.bool_)
        row[: layout.CHUNK_RESULT + 1] = [
            address(data),
            len(data),
            writer.codec,
            writer.num_values,
            leaf.physical,
            physical_width(leaf),
            target.item_size,
            target.conversion,
            target.null_bits,
            leaf.max_definition,
            address(values),
            address(valid) if wants_valid else 0,
            -99,
        ]
        places.append((values, valid))
    return table, places


_VALUES = {
    # Differences of these have 32 bits, as many as the encoding of differences takes.
    PhysicalType.INT32: st.integers(-(2**30), 2**30),
    PhysicalType.INT64: st.integers(-(2**62), 2**62),
    PhysicalType.DOUBLE: st.floats(allow_nan=False),
    PhysicalType.BOOLEAN: st.booleans(),
}


@st.composite
def writers(draw) -> ChunkWriter:
    physical = draw(st.sampled_from(sorted(_VALUES)))
    leaf = leaf_of(physical, definition=draw(st.integers(0, 1)))
    writer = ChunkWriter(leaf, draw(st.integers(0, 1)))
    pool = draw(st.lists(_VALUES[physical], min_size=1, max_size=5, unique=True))
    one = st.sampled_from(pool)
    if leaf.max_definition:
        one = st.one_of(one, st.none())
    encodings = [PLAIN]
    if physical is not PhysicalType.BOOLEAN:
        encodings += [SPLIT, RLE_DICTIONARY]
        if physical is not PhysicalType.DOUBLE:
            encodings.append(DELTA)
        writer.add_dictionary(pool)
    for _ in range(draw(st.integers(1, 3))):
        writer.add(
            draw(st.lists(one, min_size=1, max_size=20)),
            draw(st.sampled_from(encodings)),
            version=draw(st.integers(1, 2)),
            is_compressed=draw(st.booleans()),
        )
    return writer


@settings(max_examples=80)
@given(st.lists(writers(), min_size=1, max_size=4), st.booleans())
def test_chunks_together_are_chunks_one_by_one(made, wants_valid):
    chunks = [chunk(writer) for writer in made]
    table, places = rows_of(chunks, wants_valid=wants_valid)
    decode_small_chunks(table, verify_checksums=True)
    for row, (writer, data), (values, valid) in zip(table, chunks, places, strict=True):
        alone = decode_chunk(writer.place(), [(0, data)], natural_target(writer.leaf))
        assert row[layout.CHUNK_RESULT] == alone.null_count
        assert values.tobytes() == alone.values.tobytes()
        if wants_valid:
            present = np.ones(len(valid), bool) if alone.valid is None else alone.valid
            assert valid.tolist() == present.tolist()


@settings(max_examples=120)
@given(writers(), st.booleans(), st.data())
def test_some_rows_are_those_of_all(writer, wants_valid, data):
    made = chunk(writer)
    rows = data.draw(st.sets(st.integers(0, writer.num_values - 1), min_size=1).map(sorted))
    wanted = np.array(rows, np.int64)
    table, ((values, valid),) = rows_of([made], wants_valid=wants_valid)
    decode_small_chunks(table, verify_checksums=True, rows=wanted)
    alone = decode_chunk(writer.place(), [(0, made[1])], natural_target(writer.leaf))
    present = np.ones(writer.num_values, bool) if alone.valid is None else alone.valid
    assert table[0, layout.CHUNK_RESULT] == np.count_nonzero(~present[wanted])
    assert values[: len(rows)].tobytes() == alone.values[wanted].tobytes()
    assert not values[len(rows) :].any()
    if wants_valid:
        assert valid[: len(rows)].tolist() == present[wanted].tolist()


@pytest.mark.parametrize("rows", [[3, 2], [-1], [100], [5, 500]])
def test_rows_that_are_not_there_are_a_fault(rows):
    made = chunk(usual())
    table, _ = rows_of([made], wants_valid=True)
    decode_small_chunks(table, verify_checksums=True, rows=np.array(rows, np.int64))
    assert table[0, layout.CHUNK_RESULT] < 0


def usual() -> ChunkWriter:
    writer = ChunkWriter(leaf_of(PhysicalType.INT32, definition=1), 1)
    writer.add_dictionary([5, 6, 7])
    return writer.add([5, None, 7, 7, 6] * 20, RLE_DICTIONARY)


def test_checksums_are_left_to_others():
    writer = ChunkWriter(leaf_of(PhysicalType.INT32), 0, has_crc=True).add([1, 2, 3])
    table, _ = rows_of([chunk(writer)], wants_valid=False)
    decode_small_chunks(table, verify_checksums=True)
    assert table[0, layout.CHUNK_RESULT] < 0
    decode_small_chunks(table, verify_checksums=False)
    assert table[0, layout.CHUNK_RESULT] == 0


def test_one_chunk_that_is_damaged_leaves_the_others_alone():
    chunks = [chunk(usual()) for _ in range(3)]
    chunks[1][1][10:] = 0xFF
    table, places = rows_of(chunks, wants_valid=True)
    decode_small_chunks(table, verify_checksums=True)
    results = table[:, layout.CHUNK_RESULT].tolist()
    assert (results[0], results[2]) == (20, 20)
    assert results[1] < 0
    assert places[2][0].tolist()[:3] == [5, 0, 7]


@settings(max_examples=150)
@given(st.integers(0, 10**6), st.integers(0, 255), st.booleans(), st.booleans())
def test_damage_is_a_fault_or_stays_in_its_place(at, byte, wants_valid, some):
    guarded = np.full(256, 0x5C, np.uint8)
    writer, data = chunk(usual())
    data[at % len(data)] = byte
    table, _ = rows_of([(writer, data)], wants_valid=False)
    valid = np.full(256, 0x5C, np.uint8)
    items = np.full(4 * 100 + 256, 0x5C, np.uint8)
    table[0, layout.CHUNK_DESTINATION] = address(items) + 128
    table[0, layout.CHUNK_VALID] = address(valid) + 64 if wants_valid else 0
    rows = np.arange(3, 100, 7) if some else None
    decode_small_chunks(table, verify_checksums=True, rows=rows)
    assert table[0, layout.CHUNK_RESULT] <= 100
    for room, margin in ((items, 128), (valid, 64)):
        assert (room[:margin] == guarded[:margin]).all()
        assert (room[-margin:] == guarded[:margin]).all()


def test_files_of_many_small_chunks(tmp_path):
    pa = pytest.importorskip("pyarrow")
    pq = pytest.importorskip("pyarrow.parquet")
    rng = np.random.default_rng(3)
    columns = {}
    for number in range(24):
        values = rng.integers(-5, 5, 300) * 10.0 ** (number % 3)
        mask = rng.random(300) < (number % 4) / 8
        kind = [pa.int64(), pa.float64(), pa.int8(), pa.timestamp("us"), pa.bool_()][number % 5]
        items = pa.array(values.astype(np.int64) % 100).cast(kind)
        columns[f"c{number}"] = pa.array(
            [None if gone else x for x, gone in zip(items.to_pylist(), mask, strict=True)], kind
        )
    table = pa.table(columns)
    for codec, crc in (("snappy", False), ("none", False), ("snappy", True), ("zstd", False)):
        place = tmp_path / f"{codec}.parquet"
        pq.write_table(table, place, row_group_size=40, compression=codec, write_page_checksum=crc)
        opened = hp.ParquetFile(place)
        assert opened.to_arrow().to_pyarrow().to_pydict() == table.to_pydict()
        arrays = opened.to_numpy()
        for frame in (opened.to_pandas(), opened.to_pandas(dtype_backend="numpy_nullable")):
            for name in table.column_names:
                expected = table.column(name).to_pylist()
                gone = [x is None for x in expected]
                assert frame[name].isna().tolist() == gone
                assert frame[name].dropna().tolist() == [x for x in expected if x is not None]
                assert len(arrays[name]) == 300
