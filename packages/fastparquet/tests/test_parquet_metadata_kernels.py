"""Kernels that read Thrift: against the thrift package, and in a memory that knows its bounds."""

from __future__ import annotations

import contextlib
from unittest import mock

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from thrift.protocol.TCompactProtocol import TCompactProtocol
from thrift.Thrift import TType
from thrift.transport.TTransport import TMemoryBuffer

from hocket.parquet.errors import ParquetError
from hocket.parquet.kernels import faults
from hocket.parquet.kernels.checked import CheckedMemory
from hocket.parquet.kernels.library import KERNEL, address
from hocket.parquet.kernels.source import thrift as compact
from hocket.parquet.metadata import bloom, footer, page_index, paths, scanning, statistics
from hocket.parquet.metadata.generated import ttypes
from hocket.parquet.metadata.objects import bytes_of_object
from hocket.parquet.metadata.scanning import padded, read_items, read_struct
from hocket.parquet.metadata.schema import SchemaNode

MODULES = (footer, paths, scanning, bloom, page_index, statistics)


@contextlib.contextmanager
def guarded(poison):
    """Let the metadata modules call kernels as they are written, in a memory with bounds."""
    memory = CheckedMemory(poison=poison)
    sources = set()

    class Kernels:
        def __getattr__(self, name):
            return memory.kernel(name)

    def allowed(array):
        source = array.dtype == np.uint8 and address(array) in sources
        return memory.allow(array, writable=not source, padding_nbytes=64 if source else 0)

    def poisoned(data):
        array = np.full(len(data) + 64, poison, np.uint8)
        array[: len(data)] = np.frombuffer(data, np.uint8)
        sources.add(address(array))
        return array[: len(data)]

    with contextlib.ExitStack() as stack:
        for module in MODULES:
            for name, value in (("KERNEL", Kernels()), ("address", allowed), ("padded", poisoned)):
                if hasattr(module, name):
                    stack.enter_context(mock.patch.object(module, name, value))
        yield poisoned


def same_everywhere(raw, work):
    """Do some work with compiled kernels and with checked ones; return what it came to."""

    def outcome(data):
        try:
            return work(data)
        except ParquetError as error:
            return type(error), error.reason

    found = outcome(padded(raw))
    for poison in (0x00, 0xFF):
        with guarded(poison) as poisoned:
            assert repr(outcome(poisoned(raw))) == repr(found)
    return found


# ------------------------------------------------------------------------------- values


@pytest.mark.parametrize("bits", range(64))
def test_integers_of_all_lengths(bits):
    for value in {1 << bits, (1 << bits) - 1, -(1 << bits), -(1 << bits) - 1}:
        if -(1 << 63) <= value < 1 << 63:
            buffer = TMemoryBuffer()
            protocol = TCompactProtocol(buffer)
            protocol.writeStructBegin("")
            protocol.writeFieldBegin("", TType.I64, 1)
            protocol.writeI64(value)
            protocol.writeFieldEnd()
            protocol.writeFieldStop()
            fields, end = read_struct(padded(buffer.getvalue()), 0, 2, "it")
            assert (fields.integer(1), end) == (value, len(buffer.getvalue()))


STRUCTS = st.recursive(
    st.one_of(
        st.tuples(st.just(TType.I64), st.integers(-(1 << 63), (1 << 63) - 1)),
        st.tuples(st.just(TType.I32), st.integers(-(1 << 31), (1 << 31) - 1)),
        st.tuples(st.just(TType.BYTE), st.integers(-128, 127)),
        st.tuples(st.just(TType.BOOL), st.booleans()),
        st.tuples(st.just(TType.DOUBLE), st.floats(allow_nan=False)),
        st.tuples(st.just(TType.STRING), st.binary(max_size=20)),
    ),
    lambda inner: st.one_of(
        st.tuples(st.just(TType.STRUCT), st.dictionaries(st.integers(1, 40), inner, max_size=4)),
        st.tuples(
            st.just(TType.LIST),
            inner.flatmap(lambda one: st.lists(st.just(one), min_size=1, max_size=20)),
        ),
        st.tuples(st.just(TType.MAP), st.lists(st.tuples(inner, inner), max_size=1)),
    ),
    max_leaves=12,
)


def write(protocol, kind, value):
    if kind == TType.STRUCT:
        protocol.writeStructBegin("")
        for number, (inner, each) in value.items():
            protocol.writeFieldBegin("", inner, number)
            write(protocol, inner, each)
            protocol.writeFieldEnd()
        protocol.writeFieldStop()
        protocol.writeStructEnd()
    elif kind == TType.LIST:
        protocol.writeListBegin(value[0][0], len(value))
        for inner, each in value:
            write(protocol, inner, each)
        protocol.writeListEnd()
    elif kind == TType.MAP:
        inner = (value[0][0][0], value[0][1][0]) if value else (TType.BYTE, TType.BYTE)
        protocol.writeMapBegin(*inner, len(value))
        for pair in value:
            for one, each in pair:
                write(protocol, one, each)
        protocol.writeMapEnd()
    else:
        names = {
            TType.I64: "I64",
            TType.I32: "I32",
            TType.BYTE: "Byte",
            TType.BOOL: "Bool",
            TType.DOUBLE: "Double",
            TType.STRING: "Binary",
        }
        getattr(protocol, f"write{names[kind]}")(value)


def check(fields, number, kind, value):
    if kind in {TType.I64, TType.I32, TType.BYTE}:
        assert fields.integer(number) == value
    elif kind == TType.BOOL:
        assert fields.boolean(number) is value
    elif kind == TType.DOUBLE:
        assert fields.double(number) == value
    elif kind == TType.STRING:
        assert fields.binary(number) == value
    elif kind == TType.STRUCT:
        inner, _ = read_struct(fields.data, fields.struct_at(number), 41, "it")
        for each, (one, told) in value.items():
            check(inner, each, one, told)
    elif kind == TType.LIST:
        items = read_items(fields.data, fields.list_at(number), "it")
        assert len(items) == len(value)
        if value[0][0] == TType.STRING:
            assert items[0, 2] == len(value[0][1])


@given(value=st.dictionaries(st.integers(1, 40), STRUCTS, max_size=6))
def test_structs_are_what_the_thrift_package_wrote(value):
    buffer = TMemoryBuffer()
    write(TCompactProtocol(buffer), TType.STRUCT, value)
    raw = buffer.getvalue()
    fields, end = read_struct(padded(raw), 0, 41, "it")
    assert end == len(raw)
    for number in range(1, 41):
        if number in value:
            check(fields, number, *value[number])
        else:
            assert not fields.has(number)
    for length in range(len(raw)):
        with pytest.raises(ParquetError):
            read_struct(padded(raw[:length]), 0, 41, "it")


@settings(max_examples=60)
@given(
    value=st.dictionaries(st.integers(1, 40), STRUCTS, max_size=4),
    at=st.integers(0, 99),
    byte=st.integers(0, 255),
)
def test_damaged_structs_stay_within_bounds(value, at, byte):
    buffer = TMemoryBuffer()
    write(TCompactProtocol(buffer), TType.STRUCT, value)
    raw = bytearray(buffer.getvalue())
    raw[at % len(raw)] = byte

    def work(data):
        fields, end = read_struct(data, 0, 41, "it")
        return fields.items, end

    same_everywhere(bytes(raw), work)


def skip(raw, kind=compact.STRUCT):
    data, stack = padded(raw), np.zeros(compact.STACK_NBYTES, np.uint8)
    return KERNEL.skip_any(address(data), len(raw), 0, kind, address(stack))


@pytest.mark.parametrize("opening", [b"\x1c", b"\x19\x1c", b"\x1b\x01\xcc"])
def test_depth_is_bounded(opening):
    per = 1 if opening == b"\x1c" else 2
    assert skip(opening * (60 // per) + bytes(200)) > 0
    assert skip(opening * 65 + bytes(400)) == -faults.THRIFT_DEPTH


@pytest.mark.parametrize(
    ("raw", "fault"),
    [
        (b"", faults.TRUNCATED),
        (b"\x16" + b"\x80" * 10 + b"\x00", faults.VARINT_TOO_LONG),
        (b"\x18\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", faults.NEGATIVE_LENGTH),
        (b"\x18\xff\xff\xff\xff\x07abc", faults.TRUNCATED),
        (b"\x19\xf6\xff\xff\xff\xff\x07", faults.TRUNCATED),
        (b"\x19\xff\x05", faults.TRUNCATED),
        (b"\x19\x20aa", faults.THRIFT_TYPE),
        (b"\x19\x2eaa", faults.THRIFT_TYPE),
        (b"\x1b\x02\x05aa", faults.THRIFT_TYPE),
        (b"\x1b\xff\xff\xff\xff\x07\x55", faults.TRUNCATED),
        (b"\x1f", faults.THRIFT_TYPE),
        (b"\x05\x01\x02\x00", None),
        (b"\x05\x80\x80\x80\x01\x02\x00", faults.THRIFT_TYPE),
        (b"\x17abcdefg", faults.TRUNCATED),
        (b"\x1dabcdefghijklmno", faults.TRUNCATED),
        (b"\x13", faults.TRUNCATED),
    ],
)
def test_damage_is_named(raw, fault):
    assert skip(raw) == (len(raw) if fault is None else -fault)


def test_all_kinds_are_skipped():
    raw = (
        b"\x11\x12\x13a\x16\x80\x01\x17abcdefgh\x18\x03abc\x19\x21\x01\x02\x1a\x13a"
        b"\x1b\x02\x51\x02\x01\x04\x02\x1b\x00\x1dabcdefghijklmnop\x19\x00\x1c\x00\x00"
    )
    assert skip(raw) == len(raw)


# ------------------------------------------------------------------------- whole structures


def sample_footer():
    told = {
        "type": 1,
        "encodings": [0, 3],
        "codec": 0,
        "num_values": 10,
        "total_uncompressed_size": 1,
        "total_compressed_size": 90,
        "data_page_offset": 4,
        "bloom_filter_offset": 5,
        "statistics": ttypes.Statistics(null_count=3, min_value=b"abcd", max_value=b"bcde"),
        "key_value_metadata": [ttypes.KeyValue("k", "v")],
        "encoding_stats": [ttypes.PageEncodingStats(0, 0, 1)],
    }
    chunks = [
        ttypes.ColumnChunk(meta_data=ttypes.ColumnMetaData(path_in_schema=path, **told))
        for path in (["a-long-name"], ["g", "b"])
    ]
    elements = [
        ttypes.SchemaElement(name="s", num_children=2),
        ttypes.SchemaElement(
            name="a-long-name",
            type=1,
            repetition_type=1,
            field_id=5,
            logicalType=ttypes.LogicalType(DECIMAL=ttypes.DecimalType(1, 5)),
        ),
        ttypes.SchemaElement(name="g", num_children=1, repetition_type=0),
        ttypes.SchemaElement(
            name="b",
            type=1,
            repetition_type=2,
            logicalType=ttypes.LogicalType(INTEGER=ttypes.IntType(8, True)),
        ),
    ]
    group = ttypes.RowGroup(
        columns=chunks,
        total_byte_size=5,
        num_rows=10,
        sorting_columns=[ttypes.SortingColumn(0, True, True)],
    )
    return ttypes.FileMetaData(
        version=1,
        schema=elements,
        num_rows=10,
        row_groups=[group, group],
        created_by="me",
        key_value_metadata=[ttypes.KeyValue("key")],
        column_orders=[ttypes.ColumnOrder(TYPE_ORDER=ttypes.TypeDefinedOrder())] * 2,
    )


def told_by_a_footer(data):
    made = footer.parse_footer(data)
    rows, columns = (range(min(count, 2)) for count in (made.row_group_count, made.column_count))
    return (
        made.schema.text,
        made.chunks.table.tolist(),
        made.row_group_rows.tolist(),
        made.column_orders.tolist(),
        made.key_value,
        [made.sorting_columns(row) for row in rows],
        [made.statistics(row, column) for row in rows for column in columns],
        [made.chunk_key_value(row, column) for row in rows for column in columns],
        made.num_rows,
    )


def test_footers_stay_within_bounds():
    told = same_everywhere(bytes_of_object(sample_footer()), told_by_a_footer)
    assert told[-1] == 10


@settings(max_examples=40)
@given(
    at=st.integers(0, 1 << 12),
    byte=st.integers(0, 255),
    cut=st.integers(0, 3),
    how=st.integers(0, 2),
)
def test_damaged_footers_stay_within_bounds(at, byte, cut, how):
    raw = bytearray(bytes_of_object(sample_footer()))
    at %= len(raw)
    if how == 0:
        raw[at] = byte
    elif how == 1:
        raw[at : at + cut] = bytes([byte])
    else:
        del raw[at:]
    same_everywhere(bytes(raw), told_by_a_footer)


NODE = footer.parse_footer(padded(bytes_of_object(sample_footer()))).schema.leaves[0]


def told_by_an_index(data):
    assert isinstance(NODE, SchemaNode)
    index = page_index.parse_column_index(data, NODE, 1)
    return (
        index.null_pages.tolist(),
        index.null_counts,
        [index.bounds(i) for i in range(len(index))],
    )


def told_by_offsets(data):
    index = page_index.parse_offset_index(data, rows=20, start=4, nbytes=96)
    return index.offsets, index.nbytes, index.first_rows, index.unencoded_nbytes


@settings(max_examples=40)
@given(at=st.integers(0, 1 << 12), byte=st.integers(0, 255))
def test_damaged_page_indexes_stay_within_bounds(at, byte):
    for thing, work in (
        (
            ttypes.ColumnIndex([False, True], [b"abcd", b""], [b"bcde", b""], 1, [0, 10]),
            told_by_an_index,
        ),
        (
            ttypes.OffsetIndex(
                [ttypes.PageLocation(4, 50, 0), ttypes.PageLocation(54, 46, 11)], [5, 6]
            ),
            told_by_offsets,
        ),
    ):
        raw = bytearray(bytes_of_object(thing))
        raw[at % len(raw)] = byte
        same_everywhere(bytes(raw), work)


@settings(max_examples=40)
@given(raw=st.binary(max_size=100), bits=st.integers(1, 4))
def test_hashes_and_filters_stay_within_bounds(raw, bits):
    def work(data):
        found = bloom.hash_of_bytes(data.tobytes())
        bitset = np.full(bits * 32, 0xAA, np.uint8)
        return found, bloom.BloomFilter(bitset).might_contain(found)

    same_everywhere(raw, work)
