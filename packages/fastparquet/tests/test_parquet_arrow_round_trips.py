"""Arrow tables, written by us and read again: by us and by pyarrow."""

from __future__ import annotations

import gc
import io

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from parquet_arrow_data import OTHER_LEAVES, PLAIN_LEAVES, typed

import hocket.parquet as hp
from hocket.parquet.metadata.schema import LogicalKind

OPTIONS = st.fixed_dictionaries(
    {
        "page_version": st.sampled_from([1, 2]),
        "dictionary": st.sampled_from([None, True, False]),
        "row_group_rows": st.sampled_from([1, 3, 1000]),
        "page_rows": st.sampled_from([1, 2, 1000]),
        "compression": st.sampled_from([None, "snappy"]),
    }
)


def written(data, **options):
    """Return the bytes of a file."""
    sink = io.BytesIO()
    hp.write(sink, data, **options)
    return sink.getvalue()


def ours(raw):
    return pa.table(hp.ParquetFile(raw).to_arrow())


def theirs(raw):
    table = pq.read_table(io.BytesIO(raw))
    table.validate(full=True)
    return table


@settings(max_examples=200)
@given(st.data(), OPTIONS)
def test_tables_come_back(data, options):
    kind, values = data.draw(typed(PLAIN_LEAVES + OTHER_LEAVES))
    rows = data.draw(st.lists(values, max_size=8))
    table = pa.table({"x": pa.chunked_array([pa.array(rows, kind)]), "n": range(len(rows))})
    table = table.slice(data.draw(st.integers(0, 3)))
    raw = written(table, **options)
    assert ours(raw).to_pylist() == table.to_pylist()
    # pyarrow makes no lists of a fixed size of 0 from what it reads.
    assume("[0]" not in str(kind))
    assert theirs(raw).to_pylist() == table.to_pylist()


def test_chunks_become_one_column():
    chunked = pa.chunked_array([[1, None], [], [3]])
    table = pa.table({"x": chunked, "y": ["a", "b", "c"]})
    assert theirs(written(table)).to_pylist() == table.to_pylist()


def test_chunks_with_dictionaries_of_their_own():
    words = pa.chunked_array(
        [pa.array(["a", "b", "a"]).dictionary_encode(), pa.array(["c", None]).dictionary_encode()]
    )
    raw = written(pa.table({"x": words}))
    assert theirs(raw)["x"].to_pylist() == ["a", "b", "a", "c", None]
    assert pa.types.is_dictionary(theirs(raw)["x"].type)
    assert pa.types.is_dictionary(ours(raw)["x"].type)


def test_dictionaries_with_missing_values():
    words = pa.DictionaryArray.from_arrays(pa.array([0, 1, None, 0]), pa.array(["a", None]))
    raw = written(pa.table({"x": words}))
    assert theirs(raw)["x"].to_pylist() == ["a", None, None, "a"]


def test_a_variant_is_one():
    metadata = pa.array([b"\x01\x00\x00"] * 2, pa.binary())
    value = pa.array([b"\x0c\x07", b"\x00"], pa.binary())
    storage = pa.StructArray.from_arrays(
        [metadata, value],
        fields=[pa.field("metadata", pa.binary(), False), pa.field("value", pa.binary())],
    )
    schema = pa.schema(
        [pa.field("v", storage.type, metadata={"ARROW:extension:name": "arrow.parquet.variant"})]
    )
    raw = written(pa.Table.from_arrays([storage], schema=schema))
    file = hp.ParquetFile(raw)
    (node,) = file.schema.fields
    assert node.logical.kind is LogicalKind.VARIANT
    assert [child.repetition.name for child in node.children] == ["REQUIRED", "REQUIRED"]
    assert hp.read(io.BytesIO(raw))["v"].tolist() == [7, None]


def test_a_shredded_variant_stays_one():
    kind = pa.struct(
        [
            pa.field("metadata", pa.binary_view(), nullable=False),
            pa.field("value", pa.binary_view()),
            pa.field("typed_value", pa.int64()),
        ]
    )
    extension = {"ARROW:extension:name": "arrow.parquet.variant"}
    rows = [
        {"metadata": b"\x01\x00\x00", "value": None, "typed_value": 7},
        {"metadata": b"\x01\x00\x00", "value": b"\x04", "typed_value": None},
        None,
    ]
    schema = pa.schema([pa.field("v", kind, metadata=extension)])
    raw = written(pa.table({"v": rows}, schema=schema))
    assert hp.read(io.BytesIO(raw))["v"].tolist() == [7, True, None]


def test_geometries_keep_their_reference_system():
    cases = {
        b"": ("GEOMETRY", None),
        b'{"crs": "OGC:CRS84"}': ("GEOMETRY", None),
        b'{"crs": {"id": {"authority": "OGC", "code": "CRS84"}}}': ("GEOMETRY", None),
        b'{"crs": "4326", "crs_type": "srid"}': ("GEOMETRY", "srid:4326"),
        b'{"crs": "EPSG:3857"}': ("GEOMETRY", "EPSG:3857"),
        b'{"crs": {"type": "x"}}': ("GEOMETRY", '{"type":"x"}'),
        b'{"edges": "vincenty"}': ("GEOGRAPHY", None),
        b"no json": ("GEOMETRY", None),
        b"[]": ("GEOMETRY", None),
    }
    for metadata, (kind, crs) in cases.items():
        extension = {"ARROW:extension:name": "geoarrow.wkb", "ARROW:extension:metadata": metadata}
        schema = pa.schema([pa.field("g", pa.binary(), metadata=extension)])
        point = np.array([1], "<u1").tobytes() + b"\1\0\0\0" + np.zeros(2).tobytes()
        file = hp.ParquetFile(written(pa.table({"g": [point, None]}, schema=schema)))
        logical = file.schema.fields[0].logical
        assert (logical.kind.name, logical.crs) == (kind, crs)


def test_field_ids_and_other_metadata_are_kept():
    inner = pa.field("a", pa.int8(), metadata={"PARQUET:field_id": "7", "unit": "m"})
    schema = pa.schema([pa.field("s", pa.struct([inner]), metadata={"PARQUET:field_id": "-1"})])
    raw = written(pa.table({"s": [{"a": 1}]}, schema=schema.with_metadata({"made": "by hand"})))
    (node,) = hp.ParquetFile(raw).schema.fields
    assert (node.field_id, node.children[0].field_id) == (-1, 7)
    back = theirs(raw)
    assert back.schema.field("s").type.field("a").metadata[b"unit"] == b"m"
    assert back.schema.metadata[b"made"] == b"by hand"


def test_extension_types_nobody_knows_keep_their_storage_and_name():
    extension = {"ARROW:extension:name": "some.type", "ARROW:extension:metadata": b"\xff"}
    schema = pa.schema([pa.field("x", pa.int16(), metadata=extension)])
    raw = written(pa.table({"x": [1, None]}, schema=schema))
    field = theirs(raw).schema.field("x")
    assert field.type == pa.int16()
    assert field.metadata[b"ARROW:extension:name"] == b"some.type"
    assert field.metadata[b"ARROW:extension:metadata"] == b"\xff"


def test_nothing_is_held_when_the_file_is_written():
    gc.collect()
    before = pa.total_allocated_bytes()
    table = pa.table({"x": [[1, None], None], "y": ["a", "b"], "z": [{"a": 1}, None]})
    raw = written(table)
    del table
    gc.collect()
    assert pa.total_allocated_bytes() == before
    assert len(raw) > 0
