"""Hostile Variants: offsets, sizes, depth, names and times in columns of bytes, and odd schemas."""

from __future__ import annotations

import struct

import pytest
from parquet_chunk_writer import ChunkWriter, leaf_of
from parquet_file_maker import FileMaker

from hocket.parquet import CorruptFile, ParquetError, ParquetFile, UnsupportedFeature
from hocket.parquet.metadata.generated import ttypes
from hocket.parquet.metadata.logical import PhysicalType

NAMES = bytes([1, 1, 0, 1]) + b"a"


def variants(metadata, value, **changes) -> bytes:
    """Return a file of one row with a Variant."""
    schema = [
        ttypes.SchemaElement(
            name="v",
            repetition_type=0,
            num_children=2,
            logicalType=ttypes.LogicalType(VARIANT=ttypes.VariantType(1)),
        ),
        ttypes.SchemaElement(name="metadata", type=6, repetition_type=0),
        ttypes.SchemaElement(**{"name": "value", "type": 6, "repetition_type": 0, **changes}),
    ]
    leaf = leaf_of(PhysicalType.BYTE_ARRAY)
    maker = FileMaker(1).add_nested(schema[:2], ChunkWriter(leaf).add([metadata]))
    maker.add_nested(schema[2:], ChunkWriter(leaf).add([value]))

    def change(footer):
        footer.schema[0].num_children = 1
        footer.row_groups[0].columns[1].meta_data.path_in_schema = ["v", schema[2].name]

    return maker.written(change)


def refused(metadata, value, words, kind=ParquetError, **changes) -> None:
    with pytest.raises(kind, match=words) as caught:
        ParquetFile(variants(metadata, value, **changes)).to_pandas()
    error = caught.value
    assert error.file == "<bytes>"
    assert error.row_group == 0
    assert error.column is not None
    assert error.column.split(".")[0] == "v"


def read(value, metadata=NAMES):
    return ParquetFile(variants(metadata, value)).to_pandas()["v"].tolist()[0]


def test_the_variants_of_these_tests_are_sound():
    assert read(b"\x0c\x07") == 7
    assert read(b"\x02\x01\x00\x00\x02\x0c\x07") == {"a": 7}
    assert read(b"\x03\x01\x00\x02\x0c\x07") == [7]


@pytest.mark.parametrize(
    "metadata",
    [
        b"",
        b"\x01",
        b"\xc1\xff\xff\xff\xff",
        b"\xc1\xff\xff\xff\xff" + bytes(40),
        b"\x01\x01\x00\x05a",
        b"\x01\x02\x00\x09\x01ab",
        b"\x01\x01\x00\x01\xff",
        b"\x02\x00\x00",
        b"\x0f\x00\x00",
    ],
)
def test_names_that_are_not_there(metadata):
    refused(metadata, b"\x02\x01\x00\x00\x02\x0c\x07", "metadata|name")


@pytest.mark.parametrize(
    "value",
    [
        b"",
        b"\x03",
        b"\x13\xff\xff\xff\xff",
        b"\x13\xff\xff\xff\x7f" + bytes(100),
        b"\x03\x01\x00\xff\x0c\x07",
        b"\x03\x02\x05\x00\x02\x0c\x07",
        b"\x03\x02\x00\x02\x01\x0c\x07",
        b"\x1f\x02\x00\x00\x00\xff\xff\xff\xff",
        b"\x02\x01\x00\x00\xff\x0c\x07",
        b"\x02\x01\x00\x09\x02\x0c\x07",
        b"\x02\x01\x07\x00\x02\x0c\x07",
        b"\x02\x02\x00\x00\x00\x00\x02\x0c\x07",
        b"\x42\xff\xff\xff\xff",
        b"\x0c",
        b"\x14\x01",
        b"\x40\xff\xff\xff\xffxy",
        b"\x3c\x00\x00",
        b"\xfdxy",
        b"\x05\xff",
        b"\x20\x27\x01\x00\x00\x00",
        b"\x44" + struct.pack("<q", -1),
        b"\x44" + struct.pack("<q", 86_400_000_000),
    ],
    ids=lambda value: value.hex()[:16] or "nothing",
)
def test_values_that_cannot_be(value):
    refused(NAMES, value, "Variant", CorruptFile)


@pytest.mark.parametrize("kind", [21, 30, 63])
def test_types_that_are_not_known(kind):
    refused(NAMES, bytes([kind << 2]), f"primitive type {kind}", UnsupportedFeature)


def nested_arrays(depth: int) -> bytes:
    value = b"\x00"
    for _ in range(depth):
        value = b"\x0f\x01" + struct.pack("<II", 0, len(value)) + value
    return value


def test_depth():
    assert read(nested_arrays(499)) is not None
    refused(NAMES, nested_arrays(501), "nested more than 500 levels deep", CorruptFile)
    refused(NAMES, nested_arrays(20_000), "nested more than 500 levels deep", CorruptFile)


def test_few_bytes_that_stand_for_many():
    # Two elements in the place of one, thirty times in each other: 2**30 values.
    value = b"\x00"
    for _ in range(30):
        table = struct.pack("<III", 0, 0, len(value))
        value = b"\x0f\x02" + table + value
    refused(NAMES, value, "Variant", CorruptFile)


@pytest.mark.parametrize("count", [(1 << 63) - 1, -(1 << 63) + 1, 1 << 60])
@pytest.mark.parametrize("kind", [12, 13, 18, 19])
def test_times_far_away(kind, count):
    value = bytes([kind << 2]) + struct.pack("<q", count)
    assert read(value) is not None
    refused(
        NAMES, bytes([kind << 2]) + struct.pack("<q", -(1 << 63)), "timestamp", UnsupportedFeature
    )


@pytest.mark.parametrize("days", [(1 << 31) - 1, -(1 << 31)])
def test_dates_far_away(days):
    assert str(read(b"\x2c" + struct.pack("<i", days))).startswith(("58", "-58"))


def test_bytes_that_the_schema_calls_text():
    refused(NAMES, b"\x0c\x07", "a type that it cannot have", UnsupportedFeature, converted_type=0)


def test_fields_of_one_name():
    refused(NAMES, NAMES, "two fields of one name", CorruptFile, name="metadata")
