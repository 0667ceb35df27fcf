"""Hostile pages: bit widths, runs, indexes, lengths, prefixes and levels that cannot be."""

from __future__ import annotations

import struct

import pytest
from parquet_chunk_writer import (
    DELTA,
    DELTA_LENGTH,
    DELTA_STRINGS,
    PLAIN,
    RLE,
    RLE_DICTIONARY,
    SPLIT,
    ChunkWriter,
    delta,
    hybrid,
    leaf_of,
    varint,
    zigzag,
)
from parquet_file_maker import FileMaker, one_column, refused, values_of_file

from hocket.parquet import CorruptFile, LimitExceeded, ParquetFile, UnsupportedFeature
from hocket.parquet.metadata.generated import ttypes
from hocket.parquet.metadata.logical import PhysicalType

P = PhysicalType
HUGE = 1 << 62
#: The largest length there is: delta lengths are 32 bits.
MOST = (1 << 31) - 1


def paged(leaf, count, body, encoding=PLAIN, entries=(), rows=None) -> ChunkWriter:
    """Return a chunk whose only data page has this body, behind a dictionary if there is one."""
    writer = ChunkWriter(leaf)
    if entries:
        writer.add_dictionary(list(entries))
    own = {1: count, 2: encoding, 3: RLE, 4: RLE}
    writer.page(0, 5, own, body, len(body))
    writer.num_values = count
    writer.num_rows = count if rows is None else rows
    return writer


def file_of(physical, count, body, encoding=PLAIN, entries=(), **leaf) -> bytes:
    return one_column(paged(leaf_of(physical, **leaf), count, body, encoding, entries))


# ------------------------------------------------------------------- (4) bit widths and runs


@pytest.mark.parametrize("width", [33, 40, 64, 127, 255])
@pytest.mark.parametrize("physical", [P.INT64, P.BYTE_ARRAY])
def test_bit_widths_of_codes(width, physical):
    entries = [1, 2] if physical is P.INT64 else [b"x", b"y"]
    body = bytes([width]) + hybrid([0, 1, 0], 1)
    raw = file_of(physical, 3, body, RLE_DICTIONARY, entries)
    refused(raw, "bit width", CorruptFile, column="a", page=1)


@pytest.mark.parametrize("width", [65, 128, 255])
def test_bit_widths_of_deltas(width):
    body = varint(128) + varint(4) + varint(9) + zigzag(0) + zigzag(0)
    body += bytes([width, 0, 0, 0]) + b"\xff" * 2000
    refused(file_of(P.INT64, 9, body, DELTA), "bit width", CorruptFile, column="a", page=0)


def test_runs_longer_than_the_values_are_clipped():
    body = b"\x01" + varint((1 << 30) << 1) + b"\x01"
    raw = file_of(P.INT64, 3, body, RLE_DICTIONARY, [5, 6])
    assert values_of_file(raw) == [6, 6, 6]
    # Headers of runs have 32 bits.
    body = b"\x01" + varint((1 << 40) << 1) + b"\x01"
    raw = file_of(P.INT64, 3, body, RLE_DICTIONARY, [5, 6])
    refused(raw, "variable-length integer", CorruptFile, page=1)
    # A group count of packed values that no page holds.
    body = b"\x01" + varint((1 << 60) << 1 | 1) + b"\xff"
    raw = file_of(P.INT64, 30, body, RLE_DICTIONARY, [5, 6])
    refused(raw, "bytes end|variable-length", CorruptFile, page=1)


@pytest.mark.parametrize("header", [b"", b"\x80", b"\xff" * 12, b"\x00", b"\x01", b"\x03"])
def test_runs_that_end_too_soon(header):
    raw = file_of(P.INT64, 900, b"\x02" + header, RLE_DICTIONARY, [5, 6, 7])
    refused(raw, "bytes end|longer than 10|no length", CorruptFile, column="a", page=1)


def test_plain_values_that_are_not_all_there():
    for physical, size in ((P.INT64, 8), (P.INT32, 4), (P.INT96, 12), (P.DOUBLE, 8)):
        for encoding in (PLAIN, SPLIT):
            if encoding == SPLIT and physical is P.INT96:
                continue
            body = b"\1" * (3 * size - 1)
            raw = file_of(physical, 3, body, encoding)
            refused(raw, "bytes end|values", CorruptFile, column="a", page=0)
    refused(file_of(P.BOOLEAN, 17, b"\1\1"), "bytes end", CorruptFile, column="a")


def test_values_larger_than_memory():
    fixed = leaf_of(P.FIXED_LEN_BYTE_ARRAY, type_length=MOST)
    raw = one_column(paged(fixed, 3, b"123"))
    for read in (ParquetFile.to_pandas, ParquetFile.to_arrow, ParquetFile.to_numpy):
        with pytest.raises(LimitExceeded, match="limit"):
            read(ParquetFile(raw, memory_limit=64 << 20))


# ---------------------------------------------------- (5) indexes, lengths of strings, prefixes


@pytest.mark.parametrize("code", [2, 3, (1 << 31) - 1, (1 << 32) - 1])
@pytest.mark.parametrize("physical", [P.INT64, P.BYTE_ARRAY, P.FIXED_LEN_BYTE_ARRAY])
def test_codes_outside_of_the_dictionary(code, physical):
    entries = [1, 2] if physical is P.INT64 else [b"xx", b"yy"]
    length = 2 if physical is P.FIXED_LEN_BYTE_ARRAY else 0
    words = "outside of the dictionary"
    for codes in ([0, 1, code], [code] * 40):
        body = bytes([32]) + hybrid(codes, 32)
        raw = file_of(physical, len(codes), body, RLE_DICTIONARY, entries, type_length=length)
        refused(raw, words, CorruptFile, column="a", page=1)
        with pytest.raises(CorruptFile, match=words):
            ParquetFile(raw).to_pandas(categories=["a"])
        with pytest.raises(CorruptFile, match=words):
            ParquetFile(raw).to_pandas(filters=[("a", "in", entries)])


@pytest.mark.parametrize("length", [2, 4, 1 << 20, (1 << 31) - 1, 1 << 31, (1 << 32) - 1])
def test_lengths_of_strings(length):
    body = struct.pack("<I", 1) + b"x" + struct.pack("<I", length) + b"y"
    refused(
        file_of(P.BYTE_ARRAY, 2, body), "longer than|bytes end", CorruptFile, column="a", page=0
    )
    writer = ChunkWriter(leaf_of(P.BYTE_ARRAY), dictionary=[b"x", b"y"])
    writer.page(2, 7, {1: 2, 2: PLAIN}, body, len(body)).add([b"x", b"y"], RLE_DICTIONARY)
    refused(one_column(writer), "longer than|bytes end", CorruptFile, column="a", page=0)


@pytest.mark.parametrize("lengths", [[1, -1], [1, 3], [MOST, MOST], [-MOST, MOST], [1 << 31, 1]])
def test_delta_lengths_of_strings(lengths):
    body = delta(lengths) + b"xy"
    words = "negative|longer than|bytes end"
    refused(file_of(P.BYTE_ARRAY, 2, body, DELTA_LENGTH), words, CorruptFile, column="a", page=0)


@pytest.mark.parametrize(
    ("prefixes", "lengths"),
    [
        ([1, 0], [1, 1]),
        ([0, 2], [1, 1]),
        ([0, -1], [1, 1]),
        ([0, MOST], [1, 1]),
        ([0, 1 << 31], [1, 1]),
        ([0, 1], [1, 2]),
        ([0, 1], [1, -1]),
        ([-MOST, MOST], [1, 1]),
    ],
)
def test_prefixes_of_strings(prefixes, lengths):
    body = delta(prefixes) + delta(lengths) + b"xy"
    words = "prefix|negative|longer than|bytes end"
    raw = file_of(P.BYTE_ARRAY, 2, body, DELTA_STRINGS)
    refused(raw, words, CorruptFile, column="a", page=0)
    raw = file_of(P.FIXED_LEN_BYTE_ARRAY, 2, body, DELTA_STRINGS, type_length=1)
    refused(raw, f"{words}|values", CorruptFile, column="a", page=0)


def test_prefixes_that_grow_without_end():
    # Each value is as long as the one before and a byte: of n bytes in the file come n * n / 2.
    count = 30_000
    body = delta(list(range(count))) + delta([1] * count) + b"x" * count
    raw = file_of(P.BYTE_ARRAY, count, body, DELTA_STRINGS)
    with pytest.raises(LimitExceeded, match="limit") as caught:
        ParquetFile(raw, memory_limit=50 << 20).to_pandas()
    assert caught.value.column == "a"


@pytest.mark.parametrize(
    "header",
    [
        varint(0) + varint(4) + varint(9),
        varint(128) + varint(0) + varint(9),
        varint(100) + varint(4) + varint(9),
        varint(128) + varint(3) + varint(9),
        varint(HUGE) + varint(1) + varint(9),
        varint(128) + varint(HUGE) + varint(9),
        varint(128) + varint(4) + varint(8),
        varint(128) + varint(4) + varint(10),
        varint(128) + varint(4) + varint(HUGE),
        b"\xff" * 11,
        b"\x80",
        b"",
    ],
    ids=range(12),
)
def test_headers_of_deltas(header):
    body = header + zigzag(0) + zigzag(0) + b"\0\0\0\0"
    words = "delta encoding|values|longer than 10|bytes end"
    refused(file_of(P.INT32, 9, body, DELTA), words, CorruptFile, column="a", page=0)
    refused(file_of(P.BYTE_ARRAY, 9, body, DELTA_LENGTH), words, CorruptFile, column="a", page=0)


@pytest.mark.parametrize("encoding", [11, 57, 255])
def test_encodings_that_are_not_known(encoding):
    raw = file_of(P.INT64, 3, b"\0" * 24, encoding)
    refused(raw, "encoding is not known", UnsupportedFeature, column="a", page=0)


# --------------------------------------------------------------------------------- (6) levels


def nested(levels, repetitions, values, rows, count=None) -> bytes:
    """Return a file with a list of optional numbers: definition up to 2, repetition up to 1."""
    leaf = leaf_of(P.INT64, definition=3, repetition=1, slot_definition=2)
    bodies = [hybrid(each, 2 if each is levels else 1) for each in (repetitions, levels)]
    body = b"".join(struct.pack("<I", len(each)) + each for each in bodies)
    body += struct.pack(f"<{len(values)}q", *values)
    writer = paged(leaf, len(levels) if count is None else count, body, rows=rows)
    elements = [
        ttypes.SchemaElement(name="a", repetition_type=1, num_children=1, converted_type=3),
        ttypes.SchemaElement(name="list", repetition_type=2, num_children=1),
        ttypes.SchemaElement(name="element", type=2, repetition_type=1),
    ]
    return FileMaker(rows).add_nested(elements, writer).written()


def test_the_lists_of_these_tests_are_sound():
    raw = nested([3, 3, 0, 1, 2], [0, 1, 0, 0, 0], [7, 8], 4)
    assert ParquetFile(raw).to_arrow().num_rows == 4
    values = ParquetFile(raw).to_pandas(nested="python")["a"].tolist()
    assert values == [[7, 8], None, [], [None]]


def test_rows_that_begin_in_the_middle():
    refused(nested([3, 3], [1, 0], [7, 8], 1), "first repetition level", CorruptFile, page=0)
    refused(nested([3, 3], [1, 1], [7, 8], 0, 2), "repetition|0 rows", CorruptFile)


def test_rows_that_levels_do_not_have():
    for rows in (1, 3):
        words = f"entries, fewer than the row group's {rows}|rows, and the row group has {rows}"
        refused(nested([3, 3], [0, 0], [7, 8], rows), words, CorruptFile, column="a.list.element")


def test_counts_of_levels_that_are_not_those_of_values():
    refused(nested([3, 3, 3], [0, 1, 1], [7, 8], 1), "bytes end", CorruptFile, page=0)
    refused(nested([3, 3], [0, 1], [7, 8], 1, count=90), "bytes end|levels", CorruptFile, page=0)


def test_levels_above_what_the_schema_allows():
    leaf = leaf_of(P.INT64, definition=2)
    body = hybrid([3, 2, 2], 2)
    body = struct.pack("<I", len(body)) + body + struct.pack("<3q", 1, 2, 3)
    writer = paged(leaf, 3, body)
    elements = [
        ttypes.SchemaElement(name="a", repetition_type=1, num_children=1),
        ttypes.SchemaElement(name="b", type=2, repetition_type=1),
    ]
    raw = FileMaker(3).add_nested(elements, writer).written()
    refused(raw, "level is larger than the schema allows", CorruptFile, column="a.b", page=0)


@pytest.mark.parametrize("length", [5, 1 << 20, (1 << 31) - 1, 1 << 31, (1 << 32) - 1])
def test_levels_longer_than_their_page(length):
    body = struct.pack("<I", length) + b"\x06\x01"
    raw = file_of(P.INT64, 3, body, definition=1)
    refused(raw, "outside|bytes end|lengths of levels", CorruptFile, column="a", page=0)


def test_levels_deeper_than_any_reader_goes():
    elements = [
        ttypes.SchemaElement(name=f"g{n}", repetition_type=2, num_children=1) for n in range(62)
    ]
    elements.append(ttypes.SchemaElement(name="x", type=2, repetition_type=1))
    leaf = leaf_of(P.INT64, definition=63, repetition=62, slot_definition=62)
    runs = [hybrid(each, 6) for each in ([0], [63])]
    body = b"".join(struct.pack("<I", len(each)) + each for each in runs) + struct.pack("<q", 5)
    raw = FileMaker(1).add_nested(elements, paged(leaf, 1, body, rows=1)).written()
    assert ParquetFile(raw).to_arrow().num_rows == 1
    assert len(ParquetFile(raw).to_pandas(nested="python")) == 1


def test_columns_of_one_list_that_do_not_agree():
    def column(levels, repetitions, count):
        leaf = leaf_of(P.INT64, definition=2, repetition=1, slot_definition=2)
        runs = [hybrid(repetitions, 1), hybrid(levels, 2)]
        body = b"".join(struct.pack("<I", len(each)) + each for each in runs)
        body += struct.pack(f"<{count}q", *range(count))
        return paged(leaf, len(levels), body, rows=2)

    def file_of_pairs(second) -> bytes:
        opening = [
            ttypes.SchemaElement(name="a", repetition_type=1, num_children=1, converted_type=3),
            ttypes.SchemaElement(name="list", repetition_type=2, num_children=2),
        ]
        leaves = [ttypes.SchemaElement(name=name, type=2, repetition_type=0) for name in ("x", "y")]
        maker = FileMaker(2).add_nested([*opening, leaves[0]], column([2, 2, 0], [0, 1, 0], 2))
        maker.add_nested([leaves[1]], second)

        def change(footer):
            footer.schema[0].num_children = 1
            footer.row_groups[0].columns[1].meta_data.path_in_schema = ["a", "list", "y"]

        return maker.written(change)

    good = file_of_pairs(column([2, 2, 0], [0, 1, 0], 2))
    values = ParquetFile(good).to_pandas(nested="python")["a"].tolist()
    assert values == [[{"x": 0, "y": 0}, {"x": 1, "y": 1}], None]
    for other in (
        column([2, 0], [0, 0], 1),
        column([2, 2, 2, 0], [0, 1, 1, 0], 3),
        column([2, 2, 1], [0, 1, 0], 2),
        column([0, 2, 2], [0, 0, 1], 2),
    ):
        words = "do not agree"
        raw = file_of_pairs(other)
        with pytest.raises(CorruptFile, match=words) as caught:
            ParquetFile(raw).to_pandas()
        assert (caught.value.file, caught.value.row_group) == ("<bytes>", 0)
        with pytest.raises(CorruptFile, match=words) as caught:
            ParquetFile(raw).to_arrow()
        assert (caught.value.file, caught.value.row_group) == ("<bytes>", 0)
