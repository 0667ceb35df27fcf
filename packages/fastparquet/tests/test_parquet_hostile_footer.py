"""Hostile footers: lengths, Thrift, schemas and metadata that contradict the file or themselves."""

from __future__ import annotations

import numpy as np
import pytest
from parquet_chunk_writer import ChunkWriter, leaf_of, thrift_struct, varint
from parquet_file_maker import FileMaker, framed, numbers, one_column, refused, values_of_file

from hocket.parquet import CorruptFile, ParquetError, ParquetFile, UnsupportedFeature
from hocket.parquet.metadata.generated import ttypes
from hocket.parquet.metadata.logical import PhysicalType
from hocket.parquet.metadata.objects import bytes_of_object

STRUCT, LIST, BINARY, I64 = 12, 9, 8, 6


def good() -> bytes:
    return one_column(numbers([1, 2, 3]))


def made(elements) -> bytes:
    """A file without row groups whose schema has these elements."""
    return framed(bytes_of_object(ttypes.FileMetaData(2, elements, 0, [])))


def group(name, children):
    return ttypes.SchemaElement(name=name, num_children=children)


def leaf(name, repetition=0):
    return ttypes.SchemaElement(name=name, type=2, repetition_type=repetition)


# ------------------------------------------------------------------- (1) lengths, Thrift, varints


@pytest.mark.parametrize("length", [1 << 31, (1 << 32) - 1, 4000])
def test_the_footer_is_longer_than_the_file(length):
    raw = good()
    refused(
        raw[:-8] + length.to_bytes(4, "little") + b"PAR1",
        f"footer claims {length:,} bytes in a file of {len(raw)}",
        offset=len(raw) - 8,
    )


@pytest.mark.parametrize("length", [0, 1, 5, 20])
def test_the_footer_is_shorter_than_it_is(length):
    refused(good()[:-8] + length.to_bytes(4, "little") + b"PAR1", "footer|field|bytes end")


def test_every_cut_of_a_file_is_refused():
    raw = good()
    for end in range(len(raw)):
        with pytest.raises(ParquetError, match="<bytes>") as caught:
            ParquetFile(raw[:end])
        assert caught.value.file == "<bytes>"


@pytest.mark.parametrize(("kind", "opening"), [(STRUCT, b"\x1c"), (LIST, b"\x19")])
def test_thrift_as_deep_as_the_file_is_long(kind, opening):
    # Each byte opens a struct in a struct, or a list in a list.
    inner = b"\x19" if kind == LIST else b"\x1c"
    refused(framed(opening + inner * 100_000), "nested too deeply")


def test_strings_and_lists_larger_than_the_file():
    for size in (1 << 31, 1 << 62, 5000):
        # Field 6, created_by; field 2, the schema; field 5, key-value pairs.
        refused(framed(b"\x68" + varint(size)), "bytes end|size|long")
        for first in (b"\x29", b"\x59"):
            refused(framed(first + b"\xfc" + varint(size)), "bytes end|size|more than|missing")


def test_varints_that_never_end():
    for nbytes in (11, 5000):
        refused(framed(b"\x15" + b"\xff" * nbytes + b"\x01"), "longer than 10 bytes")


def test_a_table_that_few_bytes_ask_for():
    def change(footer):
        footer.row_groups = footer.row_groups * 2

    maker = FileMaker(3)
    for at in range(30):
        maker.add(f"c{at}", numbers())
    raw = maker.written(change)
    whole = ttypes.FileMetaData(2, [group("s", 30), *[leaf(f"c{n}") for n in range(30)]], 0, [])
    footer = bytes_of_object(whole)
    assert footer.endswith(b"\x19\x0c\x00")
    # As many row groups as there are bytes, and no column in any.
    refused(framed(footer[:-2] + b"\xfc" + varint(5000) + b"\0" * 5000), "more than")
    assert len(ParquetFile(raw).to_pandas()) == 6


def test_types_of_fields():
    for number, kind in ((1, bytes), (2, int), (3, bool), (4, int), (8, int)):
        value = {bytes: b"\0", int: 7, bool: True}[kind]
        refused(framed(thrift_struct({number: value})), "field|type")


# ------------------------------------------------------------------------------- contradictions


def test_schemas_that_are_no_trees():
    refused(framed(bytes_of_object(ttypes.FileMetaData(2, [], 0, []))), "no elements")
    refused(made([group("s", 2), leaf("a")]), "want more children")
    refused(made([group("s", 1), leaf("a"), leaf("b")]), "some have no parent")
    refused(made([group("s", 1 << 30), leaf("a")]), "want more children")
    refused(made([group("s", 1), group("g", (1 << 31) - 1), leaf("a")]), "want more children")
    deep = [group(f"g{n}", 1) for n in range(200)]
    refused(made([*deep, leaf("a")]), "more than 64 levels deep")


def test_schemas_with_odd_leaves():
    fixed = ttypes.SchemaElement(name="f", type=7, repetition_type=0)
    for length in (None, 0, -5, -(1 << 31)):
        fixed.type_length = length
        refused(made([group("s", 1), fixed]), "fixed length")
    odd = leaf("x")
    odd.type = 23
    refused(made([group("s", 1), odd]), "unknown physical type 23", UnsupportedFeature)
    refused(made([group("s", 1), leaf("x", 9)]), "unknown repetition 9", UnsupportedFeature)


def test_decimals_and_widths_that_cannot_be():
    for element in (
        {"converted_type": 5, "precision": -4, "scale": 9},
        {"converted_type": 5, "precision": 1 << 30, "scale": 1 << 30},
        {"logicalType": ttypes.LogicalType(DECIMAL=ttypes.DecimalType(-(1 << 31), 0))},
        {"logicalType": ttypes.LogicalType(INTEGER=ttypes.IntType(127, True))},
        {"logicalType": ttypes.LogicalType(INTEGER=ttypes.IntType(-8, False))},
        {"converted_type": 99},
    ):
        raw = one_column(numbers([1, 2]), **element)
        frame = ParquetFile(raw).to_pandas()
        assert len(frame) == 2
        assert len(ParquetFile(raw).to_arrow()) == 2


def test_duplicate_leaves_are_read_each_for_itself():
    maker = FileMaker(2).add("a", numbers([1, 2])).add("a", numbers([3, 4]))
    frame = ParquetFile(maker.written()).to_pandas()
    assert frame.to_numpy().tolist() == [[1, 3], [2, 4]]


def test_chunks_with_the_paths_of_others():
    def swap(footer):
        first, second = footer.row_groups[0].columns
        first.meta_data.path_in_schema, second.meta_data.path_in_schema = ["b"], ["a"]

    def repeat(footer):
        footer.row_groups[0].columns[0].meta_data.path_in_schema = ["b"]

    maker = FileMaker(2).add("a", numbers([1, 2])).add("b", numbers([3, 4]))
    assert values_of_file(maker.written(swap)) == [3, 4]
    # Where paths make no sense, the order does.
    assert values_of_file(maker.written(repeat)) == [1, 2]

    def drop(footer):
        del footer.row_groups[0].columns[0]

    refused(maker.written(drop), "not as many values|column|row groups", CorruptFile)


@pytest.mark.parametrize("rows", [-1, -(1 << 63), 1 << 40, (1 << 63) - 1, 0, 2])
def test_row_counts_that_lie(rows):
    def change(footer):
        footer.row_groups[0].num_rows = rows

    raw = FileMaker(3).add("a", numbers()).written(change)
    words = f"3 values, and the row group has {rows} rows|outside|limit is|more than can be counted"
    with pytest.raises(ParquetError, match=words):
        ParquetFile(raw).to_pandas()


def test_a_file_of_rows_without_columns():
    rows = 1 << 50
    footer = ttypes.FileMetaData(2, [group("s", 0)], rows, [ttypes.RowGroup([], 0, rows)])
    raw = framed(bytes_of_object(footer))
    assert len(ParquetFile(raw).to_pandas()) == rows
    assert len(ParquetFile(raw).to_arrow()) == rows
    assert ParquetFile(raw).to_numpy() == {}
    footer.row_groups = [ttypes.RowGroup([], 0, (1 << 63) - 1)] * 3
    with pytest.raises(CorruptFile, match="more than can be counted"):
        ParquetFile(framed(bytes_of_object(footer))).to_pandas()


def test_negative_sums_of_rows():
    def change(footer):
        footer.num_rows = -7

    refused(FileMaker(3).add("a", numbers()).written(change), "-7 rows", CorruptFile)


# ------------------------------------------------------------------------- key-value metadata


GARBAGE = [
    "",
    "null",
    "[]",
    "{",
    "[" * 100_000,
    '{"a":' * 100_000,
    "9" * 10_000,
    '{"index_columns": 7, "columns": {"a": 1}}',
    '{"index_columns": [{"kind": "range", "start": 0, "stop": 1e308, "step": 0}]}',
    '{"index_columns": [{"kind": "range", "start": "x", "stop": null, "step": -1}]}',
    '{"index_columns": ["nowhere", null, {}], "columns": [1, {}, {"name": []}]}',
    '{"columns": [{"name": "a", "field_name": "a", "numpy_type": "__import__(\'os\')"}]}',
    '{"columns": [{"name": "a", "pandas_type": "categorical", "metadata": {"ordered": -1}}]}',
    '{"columns": [{"name": "a", "numpy_type": "datetime64[99999999999ns]"}]}',
    '{"columns": [{"name": "a", "numpy_type": "V2147483648"}], "column_indexes": 3}',
    '{"columns": [{"name": {"x": 1}, "field_name": 3, "metadata": "timezone"}]}',
    '{"columns": [{"name": "a", "pandas_type": "datetimetz", "metadata": {"timezone": "../x"}}]}',
    '{"attributes": 1, "column_indexes": [{"numpy_type": "int64"}], "pandas_version": []}',
    '{"partition_columns": [{"name": "a", "numpy_type": "object"}, 3]}',
    "\U0001f600" * 10,
]


@pytest.mark.parametrize("text", GARBAGE, ids=range(len(GARBAGE)))
def test_what_pandas_did_not_write(text):
    def change(footer):
        footer.key_value_metadata = [ttypes.KeyValue("pandas", text)]

    raw = FileMaker(3).add("a", numbers()).written(change)
    frame = ParquetFile(raw).to_pandas()
    assert frame.iloc[:, 0].astype(np.int64).tolist() == [1, 2, 3]
    assert ParquetFile(raw).dtypes
    assert len(ParquetFile(raw).to_arrow()) == 3


@pytest.mark.parametrize(
    "text",
    [
        "",
        "!!!!",
        "AAAA",
        "/////" * 200,
        "QVJST1cx" * 50,
        "\x00\x01",
        "A" * 100_000,
        "/////wAAAAD/////",
    ],
)
def test_a_schema_that_arrow_did_not_write(text):
    def change(footer):
        footer.key_value_metadata = [ttypes.KeyValue("ARROW:schema", text)]

    raw = FileMaker(3).add("a", numbers()).written(change)
    assert values_of_file(raw) == [1, 2, 3]
    assert len(ParquetFile(raw).to_arrow()) == 3


def test_keys_that_are_not_whole():
    def change(footer):
        footer.key_value_metadata = [ttypes.KeyValue("x" * 100_000, None), ttypes.KeyValue("", "")]

    raw = FileMaker(3).add("a", numbers()).written(change)
    assert ParquetFile(raw).key_value_metadata == {"x" * 100_000: "", "": ""}
    footer = bytes_of_object(ttypes.FileMetaData(2, [group("s", 0)], 0, []))
    # A pair without a key.
    raw = framed(footer[:-1] + b"\x19\x1c\x00\x00")
    with pytest.raises(CorruptFile, match="required Thrift field") as caught:
        _ = ParquetFile(raw).key_value_metadata
    assert caught.value.file == "<bytes>"


@pytest.mark.parametrize("version", ["9" * 5000, "1.", "-1", "1.2.3.4.5", "\x00", "1." + "0" * 400])
def test_writers_with_odd_names(version):
    def change(footer):
        footer.created_by = f"parquet-mr version {version}"

    assert values_of_file(FileMaker(3).add("a", numbers()).written(change)) == [1, 2, 3]


# ----------------------------------------------------------------------------------- encryption


def test_garbage_that_calls_itself_encrypted():
    body = bytes(range(1, 200))
    raw = b"PARE" + body + len(body).to_bytes(4, "little") + b"PARE"
    refused(raw, "field|encrypt|Thrift|varint|bytes end")
    raw = b"PARE" + b"\0" * 100 + (100).to_bytes(4, "little") + b"PARE"
    refused(raw, "field|encrypt")


def test_a_column_that_calls_itself_encrypted():
    def change(footer):
        chunk = footer.row_groups[0].columns[0]
        chunk.crypto_metadata = ttypes.ColumnCryptoMetaData(
            ENCRYPTION_WITH_FOOTER_KEY=ttypes.EncryptionWithFooterKey()
        )

    refused(FileMaker(3).add("a", numbers()).written(change), "encrypted", column="a")


def test_a_plain_footer_with_an_odd_algorithm():
    def change(footer):
        footer.encryption_algorithm = ttypes.EncryptionAlgorithm()

    refused(FileMaker(3).add("a", numbers()).written(change), "encrypt|algorithm|sign")


def test_types_of_the_chunk_and_of_the_schema():
    def change(meta):
        meta.type = 1

    writer = ChunkWriter(leaf_of(PhysicalType.INT64)).add([1])
    refused(one_column(writer, change), "physical type 1, and the schema says", column="a")
