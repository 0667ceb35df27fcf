"""What stands behind the pages: written by hand, and what the generated classes see in it."""

from __future__ import annotations

import io
import math

import hypothesis.strategies as st
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given

import hocket.parquet as hp
from hocket.parquet.arrays.write_field import WriteField, WriteKind
from hocket.parquet.encode.page_headers import data_page_header, dictionary_header
from hocket.parquet.metadata import compact
from hocket.parquet.metadata.compact import StructWriter
from hocket.parquet.metadata.generated import ttypes
from hocket.parquet.metadata.logical import LogicalKind, LogicalType, PhysicalType
from hocket.parquet.metadata.objects import bytes_of_object, object_of_bytes
from hocket.parquet.writing.schema import schema_elements, schema_of

I32 = st.integers(-(1 << 31), (1 << 31) - 1)
I64 = st.integers(-(1 << 63), (1 << 63) - 1)
COUNT = st.integers(0, (1 << 31) - 1)


@given(st.binary(), st.binary(), I64, I64, st.booleans(), st.booleans())
def test_structures(high, low, nulls, distinct, high_exact, low_exact):
    """Are those of the generated classes, byte by byte."""
    told = ttypes.Statistics(
        null_count=nulls,
        distinct_count=distinct,
        max_value=high,
        min_value=low,
        is_max_value_exact=high_exact,
        is_min_value_exact=low_exact,
    )
    made = StructWriter().i64(3, nulls).i64(4, distinct).binary(5, high).binary(6, low)
    assert made.boolean(7, high_exact).boolean(8, low_exact).finish() == bytes_of_object(told)


@given(st.lists(st.booleans()), st.lists(st.binary()), st.lists(I64), st.text())
def test_lists(flags, strings, numbers, text):
    told = ttypes.ColumnIndex(flags, strings, strings, 2, numbers)
    made = StructWriter().listed(1, compact.booleans(flags)).listed(2, compact.binaries(strings))
    made.listed(3, compact.binaries(strings)).i32(4, 2).listed(5, compact.integers(numbers))
    assert made.finish() == bytes_of_object(told)
    pair = StructWriter().text(1, text).binary(2, text.encode()).finish()
    assert pair == bytes_of_object(ttypes.KeyValue(text, text))
    boxes = StructWriter().double(1, math.pi).double(2, -0.0).finish()
    assert boxes == bytes_of_object(ttypes.BoundingBox(math.pi, -0.0))


def test_fields_far_from_each_other():
    """Have their number written out."""
    raw = StructWriter().i32(1, 7).i32(40, 8).struct(41, StructWriter().finish()).finish()
    assert raw == b"\x15\x0e\x05\x50\x10\x1c\x00\x00"


@given(COUNT, COUNT, st.none() | st.integers(0, (1 << 32) - 1), COUNT)
def test_headers_of_dictionaries(plain, nbytes, crc, count):
    found = object_of_bytes("PageHeader", dictionary_header(plain, nbytes, crc, count))
    assert (found.type, found.uncompressed_page_size, found.compressed_page_size) == (
        2,
        plain,
        nbytes,
    )
    assert crc is None if found.crc is None else found.crc & 0xFFFFFFFF == crc
    assert found.dictionary_page_header == ttypes.DictionaryPageHeader(count, 0)


@given(COUNT, COUNT, st.none() | st.integers(0, (1 << 32) - 1), COUNT, st.booleans())
def test_headers_of_data_pages(plain, nbytes, crc, count, is_compressed):
    first = object_of_bytes("PageHeader", data_page_header(plain, nbytes, crc, 9, count, None))
    assert (first.type, first.uncompressed_page_size, first.compressed_page_size) == (
        0,
        plain,
        nbytes,
    )
    assert first.data_page_header == ttypes.DataPageHeader(count, 9, 3, 3)
    raw = data_page_header(plain, nbytes, crc, 5, count, (1, 2, 3, 4, is_compressed))
    second = object_of_bytes("PageHeader", raw)
    assert second.type == 3
    assert second.crc == first.crc
    told = ttypes.DataPageHeaderV2(count, 1, 2, 5, 3, 4, is_compressed)
    assert second.data_page_header_v2 == told


# ------------------------------------------------------------------------------------- schemas

_LEAVES = [
    (PhysicalType.BOOLEAN, 0, LogicalType(LogicalKind.NONE)),
    (PhysicalType.INT32, 0, LogicalType(LogicalKind.DATE)),
    (PhysicalType.INT32, 0, LogicalType(LogicalKind.TIME, unit="ms", is_utc=True)),
    (PhysicalType.INT64, 0, LogicalType(LogicalKind.TIME, unit="ns")),
    (PhysicalType.INT64, 0, LogicalType(LogicalKind.TIMESTAMP, unit="us", is_utc=True)),
    (PhysicalType.INT64, 0, LogicalType(LogicalKind.TIMESTAMP, unit="ns")),
    (PhysicalType.INT32, 0, LogicalType(LogicalKind.INTEGER, bit_width=8, is_signed=False)),
    (PhysicalType.INT64, 0, LogicalType(LogicalKind.INTEGER, bit_width=64)),
    (PhysicalType.INT64, 0, LogicalType(LogicalKind.DECIMAL, precision=12, scale=2)),
    (PhysicalType.FIXED_LEN_BYTE_ARRAY, 16, LogicalType(LogicalKind.UUID)),
    (PhysicalType.FIXED_LEN_BYTE_ARRAY, 2, LogicalType(LogicalKind.FLOAT16)),
    (PhysicalType.FIXED_LEN_BYTE_ARRAY, 5, LogicalType(LogicalKind.NONE)),
    (PhysicalType.BYTE_ARRAY, 0, LogicalType(LogicalKind.JSON)),
    (PhysicalType.BYTE_ARRAY, 0, LogicalType(LogicalKind.BSON)),
    (PhysicalType.BYTE_ARRAY, 0, LogicalType(LogicalKind.ENUM)),
    (PhysicalType.BYTE_ARRAY, 0, LogicalType(LogicalKind.STRING)),
    (PhysicalType.BYTE_ARRAY, 0, LogicalType(LogicalKind.GEOMETRY, crs="EPSG:4326")),
    (
        PhysicalType.BYTE_ARRAY,
        0,
        LogicalType(LogicalKind.GEOGRAPHY, crs="x", algorithm="vincenty"),
    ),
    (PhysicalType.INT32, 0, LogicalType(LogicalKind.UNKNOWN)),
]


@pytest.mark.parametrize(("physical", "length", "logical"), _LEAVES)
@pytest.mark.parametrize("nullable", [True, False])
def test_leaves(physical, length, logical, nullable):
    """Readers see the types that were told, and older ones what they know of them."""
    field = WriteField("né", WriteKind.LEAF, nullable, physical, length, logical, field_id=7)
    schema = schema_of(schema_elements([field]))
    (leaf,) = schema.leaves
    assert (leaf.name, leaf.physical, leaf.type_length) == ("né", physical, length)
    assert leaf.logical == logical
    assert leaf.field_id == 7
    assert leaf.max_definition == int(nullable)
    raw = object_of_bytes("SchemaElement", schema_elements([field])[1])
    known = {
        LogicalKind.STRING: 0,
        LogicalKind.ENUM: 4,
        LogicalKind.DECIMAL: 5,
        LogicalKind.DATE: 6,
        LogicalKind.JSON: 19,
        LogicalKind.BSON: 20,
    }
    if logical.kind in known:
        assert raw.converted_type == known[logical.kind]
    if logical.kind is LogicalKind.DECIMAL:
        assert (raw.precision, raw.scale) == (12, 2)


def test_nested_fields():
    """Have the names that the format wants in lists and maps."""
    leaf = WriteField("x", WriteKind.LEAF, True, PhysicalType.INT32)
    key = WriteField("k", WriteKind.LEAF, True, PhysicalType.INT32)
    fields = [
        WriteField("l", WriteKind.LIST, children=(leaf,)),
        WriteField("m", WriteKind.MAP, nullable=False, children=(key, leaf)),
        WriteField("s", WriteKind.STRUCT, children=(leaf, key), field_id=3),
    ]
    schema = schema_of(schema_elements(fields))
    assert [leaf.dotted for leaf in schema.leaves] == [
        "l.list.element",
        "m.key_value.key",
        "m.key_value.value",
        "s.x",
        "s.k",
    ]
    assert [leaf.max_definition for leaf in schema.leaves] == [3, 1, 2, 2, 2]
    assert [str(field.logical) for field in schema.fields] == ["LIST", "MAP", "NONE"]
    assert schema.fields[2].field_id == 3


def test_what_is_no_schema():
    with pytest.raises(hp.InvalidOption, match="struct without fields"):
        schema_elements([WriteField("s", WriteKind.STRUCT)])
    deep = WriteField("x", WriteKind.LEAF, True, PhysicalType.INT32)
    for _ in range(70):
        deep = WriteField("s", WriteKind.STRUCT, children=(deep,))
    with pytest.raises(hp.InvalidOption, match="nested"):
        schema_of(schema_elements([deep]))


# ---------------------------------------------------------------------------- statistics, indexes


def written(data, **options) -> hp.ParquetFile:
    file = io.BytesIO()
    hp.write(file, data, **options)
    return hp.ParquetFile(file)


def test_statistics_tell_what_is_known():
    data = {"a": np.array([3.0, np.nan, -0.0]), "s": np.array(["bb", "a", "bb"])}
    chunks = written(data, dictionary=True).row_groups[0].columns
    told = chunks[0].meta_data.statistics
    assert np.frombuffer(told.max_value) == [3.0]
    assert np.frombuffer(told.min_value).tobytes() == np.float64(-0.0).tobytes()
    assert (told.null_count, told.is_max_value_exact, told.nan_count) == (0, True, 1)
    told = chunks[1].meta_data.statistics
    assert (told.min_value, told.max_value, told.distinct_count) == (b"a", b"bb", 2)
    assert chunks[1].meta_data.size_statistics.unencoded_byte_array_data_bytes == 5


def test_long_bounds_are_cut():
    """To 64 bytes in the column index; a chunk keeps more."""
    texts = np.array(["a" * 5000, "b" * 100])
    told = written({"s": texts}).row_groups[0].columns[0].meta_data.statistics
    assert (told.min_value, told.is_min_value_exact) == (b"a" * 1024, False)
    assert (told.max_value, told.is_max_value_exact) == (b"b" * 100, True)


def test_chunks_tell_their_pages():
    data = {"a": np.arange(1000) % 10}
    told = written(data, page_rows=250, dictionary=True).row_groups[0].columns[0].meta_data
    counts = [(each.page_type, each.encoding, each.count) for each in told.encoding_stats]
    assert counts == [(2, 0, 1), (0, 8, 4)]
    assert told.dictionary_page_offset == 4
    assert told.data_page_offset > 4


def test_histograms_of_levels():
    table = pa.table({"l": pa.array([[1, None], [], None, [2]])})
    told = written(table).row_groups[0].columns[0].meta_data.size_statistics
    assert told.repetition_level_histogram == [4, 1]
    assert told.definition_level_histogram == [1, 1, 1, 2]
