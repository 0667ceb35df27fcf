"""Damaged footers: each is an error of this library or a footer, and nothing else."""

from __future__ import annotations

from dataclasses import dataclass

from hypothesis import given, settings
from hypothesis import strategies as st

from hocket.parquet.errors import ParquetError
from hocket.parquet.metadata.footer import parse_footer
from hocket.parquet.metadata.generated import ttypes
from hocket.parquet.metadata.objects import bytes_of_object
from hocket.parquet.metadata.scanning import padded


def chunk(path, **more):
    told = {"type": 1, "encodings": [0, 3], "codec": 0, "num_values": 10}
    told |= {"total_uncompressed_size": 100, "total_compressed_size": 90, "data_page_offset": 4}
    return ttypes.ColumnChunk(meta_data=ttypes.ColumnMetaData(path_in_schema=path, **told | more))


def footer(elements, groups, **more):
    groups = [
        ttypes.RowGroup(each, 1000, 10, [ttypes.SortingColumn(0, True, True)]) for each in groups
    ]
    rows = 10 * len(groups)
    thing = ttypes.FileMetaData(1, elements, row_groups=groups, num_rows=rows, **more)
    return bytes_of_object(thing)


def element(name, **more):
    return ttypes.SchemaElement(name=name, repetition_type=1, **more)


MICROSECONDS = ttypes.TimeUnit(MICROS=ttypes.MicroSeconds())
SAMPLES = [
    footer(
        [element("schema", num_children=2), element("a", type=1), element("b", type=1)],
        [[chunk(["a"]), chunk(["b"])], [chunk(["b"]), chunk(["a"])]],
    ),
    footer(
        [
            element("schema", num_children=2),
            element(
                "a",
                type=2,
                logicalType=ttypes.LogicalType(TIMESTAMP=ttypes.TimestampType(True, MICROSECONDS)),
            ),
            element("g", num_children=1, converted_type=3),
            element("list", num_children=1),
            element(
                "b", type=6, field_id=7, logicalType=ttypes.LogicalType(STRING=ttypes.StringType())
            ),
        ],
        [
            [
                chunk(
                    ["a"],
                    type=2,
                    statistics=ttypes.Statistics(min_value=b"1" * 8, null_count=1),
                    key_value_metadata=[ttypes.KeyValue("k", "v")],
                ),
                chunk(
                    ["g", "list", "b"],
                    type=6,
                    size_statistics=ttypes.SizeStatistics(5, [1, 2], [3]),
                    geospatial_statistics=ttypes.GeospatialStatistics(
                        ttypes.BoundingBox(1.0, 2.0, 3.0, 4.0), [1]
                    ),
                ),
            ]
        ],
        created_by="me",
        key_value_metadata=[ttypes.KeyValue("k", "v")],
        column_orders=[ttypes.ColumnOrder(TYPE_ORDER=ttypes.TypeDefinedOrder())] * 2,
    ),
]


def parsed(raw):
    return parse_footer(padded(raw))


@dataclass
class Mutation:
    at: int
    kind: int
    value: int


MUTATIONS = st.lists(
    st.builds(Mutation, st.integers(0, 1 << 16), st.integers(0, 3), st.integers(0, 255)),
    min_size=1,
    max_size=4,
)


def mutated(raw, mutations):
    data = bytearray(raw)
    for each in mutations:
        at = each.at % (len(data) or 1)
        if each.kind == 0 and data:
            data[at] = each.value
        elif each.kind == 1:
            data.insert(at, each.value)
        elif each.kind == 2:
            del data[at : at + 1 + each.value % 8]
        else:
            data[at:at] = data[at : at + each.value]
    return bytes(data)


def all_of(metadata):
    """Ask for all that there is; each answer or a ParquetError is fine."""

    def ask(what, *arguments):
        try:
            return what(*arguments)
        except ParquetError:
            return None

    for name in ("created_by", "key_value", "column_orders", "footer_signing_key_metadata"):
        ask(getattr, metadata, name)
    for row in range(min(metadata.row_group_count, 3)):
        ask(metadata.sorting_columns, row)
        for column in range(min(metadata.column_count, 3)):
            for what in (
                "statistics",
                "size_statistics",
                "geospatial_statistics",
                "file_path",
                "chunk_key_value",
                "encrypted_metadata",
            ):
                ask(getattr(metadata, what), row, column)
    ask(metadata.to_thrift)
    assert metadata.schema.text


@settings(max_examples=400)
@given(sample=st.sampled_from(SAMPLES), mutations=MUTATIONS)
def test_damaged_footers_are_errors_or_footers(sample, mutations):
    try:
        metadata = parsed(mutated(sample, mutations))
    except ParquetError:
        return
    assert metadata.chunks.table.shape == (27, metadata.row_group_count, metadata.column_count)
    assert (metadata.chunks.statistics_at < metadata.nbytes).all()
    all_of(metadata)


@given(raw=st.binary(max_size=60))
def test_any_bytes_are_errors_or_footers(raw):
    try:
        all_of(parsed(raw))
    except ParquetError:
        return
