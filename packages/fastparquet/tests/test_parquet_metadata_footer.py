"""The footer: all that a file says, and what cannot be so."""

from __future__ import annotations

import pickle

import pytest
from thrift.protocol.TCompactProtocol import TCompactProtocol
from thrift.Thrift import TType
from thrift.transport.TTransport import TMemoryBuffer

from hocket.parquet.errors import CorruptFile, LimitExceeded
from hocket.parquet.metadata.footer import FileMetadata, parse_footer
from hocket.parquet.metadata.generated import ttypes
from hocket.parquet.metadata.objects import bytes_of_object
from hocket.parquet.metadata.scanning import padded
from hocket.parquet.metadata.sorting import SortingColumn


def group(name, count, **more):
    return ttypes.SchemaElement(name=name, num_children=count, **more)


def leaf(name, physical=1, **more):
    return ttypes.SchemaElement(name=name, type=physical, repetition_type=1, **more)


def chunk(path=("a",), **more):
    told = {
        "type": 1,
        "encodings": [0, 3],
        "path_in_schema": list(path) if path else None,
        "codec": 0,
        "num_values": 10,
        "total_uncompressed_size": 100,
        "total_compressed_size": 90,
        "data_page_offset": 4,
    }
    told.update(more)
    return ttypes.ColumnChunk(file_offset=0, meta_data=ttypes.ColumnMetaData(**told))


def row_group(*chunks, rows=10, **more):
    return ttypes.RowGroup(columns=list(chunks), total_byte_size=1000, num_rows=rows, **more)


def footer(elements, groups=(), **more):
    told = {"version": 2, "num_rows": sum(g.num_rows for g in groups), **more}
    return ttypes.FileMetaData(schema=list(elements), row_groups=list(groups), **told)


def parsed(thing):
    return parse_footer(padded(thing if isinstance(thing, bytes) else bytes_of_object(thing)))


TWO = [group("schema", 2), leaf("a"), leaf("b", 6, converted_type=0)]
PLAIN = footer(
    TWO, [row_group(chunk(), chunk(["b"], type=6)), row_group(chunk(), chunk(["b"], type=6))]
)


def test_the_file_tells_of_itself():
    metadata = parsed(
        footer(
            TWO,
            [row_group(chunk(), chunk(["b"], type=6), rows=7)],
            created_by="some program",
            key_value_metadata=[
                ttypes.KeyValue("pandas", "{}"),
                ttypes.KeyValue("empty"),
                ttypes.KeyValue("Ä", "ö"),
            ],
            column_orders=[
                ttypes.ColumnOrder(TYPE_ORDER=ttypes.TypeDefinedOrder()),
                ttypes.ColumnOrder(),
            ],
            footer_signing_key_metadata=b"key",
        )
    )
    assert (metadata.version, metadata.num_rows, metadata.created_by) == (2, 7, "some program")
    assert (metadata.row_group_count, metadata.column_count) == (1, 2)
    assert metadata.key_value == {"pandas": "{}", "empty": "", "Ä": "ö"}
    assert metadata.column_orders.tolist() == [1, 0]
    assert metadata.row_group_rows.tolist() == [7]
    assert metadata.row_group_bytes.tolist() == [1000]
    assert metadata.row_group_ordinal.tolist() == [0]
    assert metadata.footer_signing_key_metadata == b"key"
    assert metadata.encryption_algorithm_at is None
    assert metadata.serialised_nbytes == metadata.nbytes


def test_what_is_not_told_is_none():
    metadata = parsed(PLAIN)
    assert metadata.created_by is None
    assert metadata.key_value == {}
    assert metadata.column_orders.tolist() == [0, 0]
    assert metadata.statistics(0, 0) is None
    assert metadata.size_statistics(0, 0) is None
    assert metadata.geospatial_statistics(0, 0) is None
    assert metadata.file_path(0) is None
    assert metadata.sorting_columns(0) == ()
    assert metadata.chunk_key_value(0, 0) == {}
    assert metadata.encrypted_metadata(0, 0) is None
    assert metadata.footer_signing_key_metadata is None
    assert not metadata.understates_chunks


def test_values_that_are_not_text_are_bytes():
    raw = bytes_of_object(footer(TWO, key_value_metadata=[ttypes.KeyValue("k", "\x00ab")]))
    assert parsed(raw.replace(b"\x00ab", b"\xffab")).key_value == {"k": b"\xffab"}


@pytest.mark.parametrize(
    ("program", "short"),
    [
        ("parquet-mr version 1.2.8 (build x)", True),
        ("parquet-mr version 1.2.9", False),
        ("parquet-mr version 1.2", True),
        ("parquet-mr version 1.2 (build y)", True),
        ("parquet-mr version 1.10.0-SNAPSHOT", False),
        ("parquet-mr", True),
        ("parquet-mr-like version 1.0.0", False),
        ("impala version 1.2.0", False),
    ],
)
def test_old_writers_that_understate_chunks(program, short):
    assert parsed(footer(TWO, created_by=program)).understates_chunks is short


def test_a_chunk_tells_all():
    thing = row_group(
        chunk(
            encodings=[0, 8, 10],
            codec=6,
            dictionary_page_offset=20,
            data_page_offset=60,
            index_page_offset=30,
            bloom_filter_offset=500,
            bloom_filter_length=47,
            key_value_metadata=[ttypes.KeyValue("k", "v")],
        ),
        sorting_columns=[ttypes.SortingColumn(0, True, False)],
        ordinal=3,
    )
    thing.columns[0].file_path = "part.parquet"
    thing.columns[0].column_index_offset, thing.columns[0].column_index_length = 700, 11
    thing.columns[0].offset_index_offset, thing.columns[0].offset_index_length = 800, 12
    metadata = parsed(footer([group("schema", 1), leaf("a")], [thing]))
    chunks = metadata.chunks
    told = {
        "physical_type": 1,
        "codec": 6,
        "num_values": 10,
        "compressed_nbytes": 90,
        "uncompressed_nbytes": 100,
        "data_page_offset": 60,
        "dictionary_page_offset": 20,
        "index_page_offset": 30,
        "start": 20,
        "encodings": 1 | 1 << 8 | 1 << 10,
        "column_index_offset": 700,
        "column_index_nbytes": 11,
        "offset_index_offset": 800,
        "offset_index_nbytes": 12,
        "bloom_offset": 500,
        "bloom_nbytes": 47,
        "crypto_at": -1,
        "encrypted_metadata_at": -1,
    }
    for name, value in told.items():
        array = getattr(chunks, name)
        assert array.shape == (1, 1)
        assert array[0, 0] == value, name
    assert metadata.file_path(0) == "part.parquet"
    assert metadata.chunk_key_value(0, 0) == {"k": "v"}
    assert metadata.sorting_columns(0) == (SortingColumn(0, descending=True, nulls_first=False),)
    assert metadata.row_group_ordinal.tolist() == [3]


@pytest.mark.parametrize("offset", [None, 0, 4, 5, 1 << 40, -7])
def test_dictionary_offsets_that_make_no_sense_are_passed_over(offset):
    metadata = parsed(
        footer([group("s", 1), leaf("a")], [row_group(chunk(dictionary_page_offset=offset))])
    )
    assert metadata.chunks.start[0, 0] == 4


def test_paths_may_be_left_out():
    groups = [row_group(chunk(path=None, num_values=1), chunk(path=None, num_values=2, type=6))]
    assert parsed(footer(TWO, groups)).chunks.num_values.tolist() == [[1, 2]]


@pytest.mark.parametrize("names", [("a", "b"), ("ä", "b" * 200), ("x.y", "x"), ("same", "same")])
def test_chunks_are_brought_into_the_order_of_the_schema(names):
    elements = [group("schema", 2), leaf(names[0]), leaf(names[1])]
    one, two = chunk([names[0]], num_values=1), chunk([names[1]], num_values=2)
    metadata = parsed(footer(elements, [row_group(two, one), row_group(one, two)]))
    same = names[0] == names[1]
    assert metadata.chunks.num_values.tolist() == [[2, 1] if same else [1, 2], [1, 2]]


def test_paths_that_are_not_the_schemas_are_passed_over():
    metadata = parsed(
        footer(TWO, [row_group(chunk(["z"], num_values=1), chunk(["a"], num_values=2, type=6))])
    )
    assert metadata.chunks.num_values.tolist() == [[1, 2]]


def test_paths_in_groups():
    elements = [
        group("schema", 2),
        group("g", 2, repetition_type=0),
        leaf("a"),
        leaf("b"),
        leaf("c"),
    ]
    paths = [["g", "a"], ["g", "b"], ["c"]]
    turned = [chunk(path, num_values=i) for i, path in enumerate(paths)][::-1]
    assert parsed(footer(elements, [row_group(*turned)])).chunks.num_values.tolist() == [[0, 1, 2]]


def test_a_deep_path_has_a_long_header():
    names = [f"g{i}" for i in range(20)]
    elements = [group("s", 1), *(group(name, 1, repetition_type=0) for name in names), leaf("a")]
    metadata = parsed(footer(elements, [row_group(chunk([*names, "a"]))]))
    assert metadata.schema.leaves[0].path == (*names, "a")
    assert metadata.chunks.table[3, 0, 0] == -1, "the path was not taken for the column's own"


def test_no_columns_and_no_row_groups():
    metadata = parsed(footer([group("schema", 0)], [row_group(rows=5)]))
    assert metadata.num_rows == 5
    assert metadata.chunks.start.shape == (1, 0)
    assert metadata.file_path(0) is None
    assert parsed(footer(TWO)).chunks.codec.shape == (0, 2)


def test_objects_and_back():
    metadata = parsed(PLAIN)
    thing = metadata.to_thrift()
    assert thing == PLAIN
    thing.row_groups.pop()
    thing.num_rows = 10
    shorter = FileMetadata.from_thrift(thing)
    assert (shorter.num_rows, shorter.row_group_count) == (10, 1)


def test_pickles():
    metadata = parsed(PLAIN)
    again = pickle.loads(pickle.dumps(metadata))
    assert again.schema == metadata.schema
    assert (again.chunks.table == metadata.chunks.table).all()


def test_what_follows_the_footer_is_no_part_of_it():
    raw = bytes_of_object(PLAIN)
    assert parsed(raw + b"signature").serialised_nbytes == len(raw)


def test_fields_in_any_order():
    buffer = TMemoryBuffer()
    protocol = TCompactProtocol(buffer)
    protocol.writeStructBegin("FileMetaData")
    lists = {4: [row_group(chunk())], 2: [group("schema", 1), leaf("a")]}
    for number, things in lists.items():
        protocol.writeFieldBegin("", TType.LIST, number)
        protocol.writeListBegin(TType.STRUCT, len(things))
        for thing in things:
            thing.write(protocol)
        protocol.writeListEnd()
        protocol.writeFieldEnd()
    for number, kind, value in ((3, TType.I64, 10), (1, TType.I32, 2)):
        protocol.writeFieldBegin("", kind, number)
        protocol.writeI64(value)
        protocol.writeFieldEnd()
    protocol.writeFieldStop()
    metadata = parsed(buffer.getvalue())
    assert (metadata.version, metadata.num_rows, metadata.column_count) == (2, 10, 1)
    assert metadata.chunks.num_values.tolist() == [[10]]


# --------------------------------------------------------------------------------- encrypted


def test_metadata_of_encrypted_chunks_is_taken_in_later():
    hidden = ttypes.ColumnChunk(file_offset=0, encrypted_column_metadata=b"x" * 40)
    hidden.crypto_metadata = ttypes.ColumnCryptoMetaData(
        ENCRYPTION_WITH_COLUMN_KEY=ttypes.EncryptionWithColumnKey(["b"], b"key")
    )
    metadata = parsed(footer(TWO, [row_group(chunk(), hidden), row_group(chunk(), hidden)]))
    assert metadata.chunks.is_hidden.tolist() == [[False, True], [False, True]]
    assert metadata.chunks.crypto_at[0, 1] > 0
    assert metadata.encrypted_metadata(1, 1) == b"x" * 40
    for row, count in ((1, 55), (0, 66)):
        statistics = ttypes.Statistics(null_count=count - 50)
        plain = chunk(["b"], type=6, num_values=count, statistics=statistics).meta_data
        metadata.add_decrypted({(row, 1): bytes_of_object(plain)})
    for each in (metadata, pickle.loads(pickle.dumps(metadata))):
        assert not each.chunks.is_hidden.any()
        assert each.chunks.num_values[:, 1].tolist() == [66, 55]
        assert [each.statistics(row, 1).null_count for row in (0, 1)] == [16, 5]
        assert each.encrypted_metadata(0, 1) == b"x" * 40
        assert each.to_thrift().num_rows == 20
    with pytest.raises(CorruptFile, match="row group 0, column 'b'"):
        metadata.add_decrypted({(0, 1): b"\x15"})


# ----------------------------------------------------------------------------- what is not so


def broken(**more):
    return footer([group("schema", 1), leaf("a")], [row_group(chunk(**more))])


@pytest.mark.parametrize(
    ("thing", "words"),
    [
        (b"", "the bytes end"),
        (b"\x00", "field is missing: 2 of FileMetaData"),
        (footer([]), "no elements"),
        (footer([group("s", 2), leaf("a")]), "want more children"),
        (footer([group("s", 0), leaf("a")]), "no parent"),
        (footer([group("s", -1), leaf("a")]), "size points outside"),
        (footer([group("s", 1 << 30), leaf("a")]), "want more children"),
        (footer([group("s", 1), leaf(None)]), "required Thrift field"),
        (footer(TWO, [row_group(chunk())]), "not as many values|more than"),
        (footer(TWO, [row_group(chunk(), chunk(), chunk())]), "not as many values"),
        (footer([group("s", 1), leaf("a")], [row_group(chunk(), rows=-1)], num_rows=1), "outside"),
        (footer([group("s", 1), leaf("a")], num_rows=-1), "-1 rows"),
        (footer([group("s", 1), leaf("a")], num_rows=None), "field is missing: 3"),
        (footer([group("s", 1), leaf("a")], version=None), "field is missing: 1"),
        (broken(num_values=-1), "size points outside"),
        (broken(total_compressed_size=-1), "size points outside"),
        (broken(data_page_offset=-1), "size points outside"),
        (broken(codec=None), "required Thrift field"),
        (broken(encodings=None), "required Thrift field"),
        (footer(TWO, [row_group(ttypes.ColumnChunk(), ttypes.ColumnChunk())]), "field|more than"),
    ],
)
def test_what_cannot_be_is_an_error(thing, words):
    with pytest.raises(CorruptFile, match=words):
        parsed(thing)


def test_deep_schemas_are_refused():
    def nested(depth):
        return footer([group("g", 1, repetition_type=0) for _ in range(depth)] + [leaf("a")])

    assert parsed(nested(64)).column_count == 1
    with pytest.raises(CorruptFile, match="64 levels"):
        parsed(nested(65))


def test_counts_that_the_bytes_cannot_hold_allocate_nothing():
    # 100,000 columns and 100,000 row groups in 700 kB: a table of 2 TB, if one believed it.
    many = bytes([0xA0, 0x8D, 0x06])
    elements = bytes_of_object(group("s", 100_000)) + bytes_of_object(leaf("a")) * 100_000
    raw = b"\x15\x02\x19\xfc\xa1\x8d\x06" + elements + b"\x16\x00\x19\xfc" + many + bytes(100_000)
    with pytest.raises(CorruptFile, match=r"more than [0-9]+ bytes can tell of"):
        parsed(raw)


def test_schemas_of_a_million_columns_are_refused():
    raw = bytes([0x15, 2, 0x19, 0xFC, 0x81, 0x89, 0x7A]) + bytes(2_000_001)
    with pytest.raises(LimitExceeded, match="2000001 elements"):
        parsed(raw)


def test_two_schemas_are_one_too_many():
    raw = bytes_of_object(footer([group("s", 1), leaf("a")]))
    schema = raw[2 : raw.rindex(b"\x16")]
    with pytest.raises(CorruptFile, match="two schemas"):
        parsed(raw[:2] + schema + bytes([0x09, 0x04]) + schema[1:] + b"\x00")


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"type": 2}, "physical type 2"),
        ({"total_compressed_size": 2000}, "would end after the file"),
        ({"data_page_offset": 1 << 62}, "would end after the file"),
        ({"num_values": 11}, "11 values, and the row group has 10 rows"),
    ],
)
def test_chunks_are_checked_before_they_are_read(changed, words):
    metadata = parsed(broken(**changed))
    with pytest.raises(CorruptFile, match=words) as caught:
        metadata.chunks.check(metadata.schema, 0, 0, rows=10, file_nbytes=1000)
    assert (caught.value.row_group, caught.value.column) == (0, "a")


def test_good_chunks_pass():
    metadata = parsed(broken())
    metadata.chunks.check(metadata.schema, 0, 0, rows=10, file_nbytes=94)
    metadata.chunks.check(metadata.schema, 0, 0, rows=10, file_nbytes=None)
