"""What pyarrow writes, with all its options: the same values come back."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pandas as pd
import pytest

pa = pytest.importorskip("pyarrow")
pq = pytest.importorskip("pyarrow.parquet")

from hypothesis import given  # noqa: E402 - what follows needs pyarrow
from hypothesis import strategies as st  # noqa: E402
from parquet_equality import assert_frame_holds, assert_same_table  # noqa: E402
from parquet_masks import conditions_of, keeps  # noqa: E402
from parquet_tables import examples, leaf_types, nested_types, schemas, tables  # noqa: E402

import hocket.parquet as hp  # noqa: E402

CODECS = ["NONE", "SNAPPY", "GZIP", "ZSTD", "BROTLI", "LZ4"]
ENCODINGS = {
    "INT32": ["PLAIN", "DELTA_BINARY_PACKED", "BYTE_STREAM_SPLIT"],
    "INT64": ["PLAIN", "DELTA_BINARY_PACKED", "BYTE_STREAM_SPLIT"],
    "FLOAT": ["PLAIN", "BYTE_STREAM_SPLIT"],
    "DOUBLE": ["PLAIN", "BYTE_STREAM_SPLIT"],
    "BYTE_ARRAY": ["PLAIN", "DELTA_LENGTH_BYTE_ARRAY", "DELTA_BYTE_ARRAY"],
    "FIXED_LEN_BYTE_ARRAY": ["PLAIN", "BYTE_STREAM_SPLIT", "DELTA_BYTE_ARRAY"],
    "BOOLEAN": ["PLAIN", "RLE"],
}
#: Types that pyarrow stores as others of these, and others with dictionaries.
OTHER_TYPES = [
    pa.null(),
    pa.date64(),
    pa.string_view(),
    pa.binary_view(),
    pa.uuid(),
    pa.json_(),
    pa.bool8(),
    pa.decimal32(7, 3),
    pa.decimal64(15, 0),
    pa.list_(pa.field("element", pa.int16()), 3),
    pa.large_list(pa.field("element", pa.string())),
    pa.list_(pa.field("element", pa.dictionary(pa.int8(), pa.string()))),
    pa.struct([pa.field("d", pa.dictionary(pa.int16(), pa.large_string()))]),
]
DICTIONARIES = st.builds(
    pa.dictionary,
    st.sampled_from([pa.int8(), pa.int16(), pa.int32(), pa.int64(), pa.uint8()]),
    st.sampled_from([pa.string(), pa.large_string(), pa.binary(), pa.int32(), pa.int64()]),
    st.booleans(),
)


def written(table: pa.Table, **options: Any) -> bytes:
    buffer = io.BytesIO()
    pq.write_table(table, buffer, **options)
    return buffer.getvalue()


def leaves(table: pa.Table, **options: Any) -> list[tuple[str, str]]:
    """Return path and physical type of the columns that a file has."""
    schema = pq.ParquetFile(io.BytesIO(written(table.slice(0, 0), **options))).schema
    return [(schema.column(at).path, schema.column(at).physical_type) for at in range(len(schema))]


def encodings(draw: Any, paths: list[tuple[str, str]]) -> dict[str, Any]:
    """Choose a dictionary, a dictionary that soon is full, or an encoding for each column."""
    way = draw(st.sampled_from(["dictionary", "fallback", "encoding", "split", "some"]))
    if way == "fallback":
        return {"dictionary_pagesize_limit": draw(st.sampled_from([1, 30, 200, 2000]))}
    if way == "some":
        return {"use_dictionary": [path for path, _ in paths if draw(st.booleans())]}
    if way == "split":
        fitting = [path for path, kind in paths if "BYTE_STREAM_SPLIT" in ENCODINGS.get(kind, ())]
        return {"use_dictionary": False, "use_byte_stream_split": fitting}
    if way == "encoding":
        chosen = {path: draw(st.sampled_from(ENCODINGS[kind])) for path, kind in paths}
        return {"use_dictionary": False, "column_encoding": chosen}
    return {}


@st.composite
def files(draw: Any, kinds: st.SearchStrategy[pa.Schema]) -> tuple[pa.Table, bytes]:
    table = draw(tables(kinds))
    flag = st.booleans()
    as_integers = draw(flag)
    paths = leaves(table, store_decimal_as_integer=as_integers)
    with_filter = [path for path, kind in paths if kind != "BOOLEAN" and draw(flag)]
    options = {
        "compression": draw(st.sampled_from(CODECS)),
        "data_page_version": draw(st.sampled_from(["1.0", "2.0"])),
        "row_group_size": draw(st.sampled_from([None, 1 << 20, 1 << 20, 7, 64, 300]))
        if table.num_rows < 300
        else draw(st.sampled_from([None, 128, 300])),
        "data_page_size": draw(st.sampled_from([None, 1, 100, 1000])),
        "write_batch_size": draw(st.sampled_from([None, 1, 7, 100])),
        "max_rows_per_page": draw(st.sampled_from([None, None, 1, 10, 100])),
        "write_page_index": draw(flag),
        "write_page_checksum": draw(flag),
        "write_statistics": draw(flag),
        "store_decimal_as_integer": as_integers,
        "use_content_defined_chunking": draw(flag),
        "store_schema": True,
        "bloom_filter_options": {path: {"ndv": 100, "fpp": 0.05} for path in with_filter}
        if draw(flag)
        else None,
        "write_time_adjusted_to_utc": draw(flag),
        **encodings(draw, paths),
    }
    return table, written(table, **options)


def read_both(table: pa.Table, raw: bytes) -> hp.ParquetFile:
    file = hp.ParquetFile(raw)
    assert file.count() == table.num_rows
    assert_same_table(table, pa.table(file.to_arrow()))
    assert_frame_holds(table, file.to_pandas())
    return file


@examples(250)
@given(files(schemas(leaf_types(), max_columns=6)))
def test_flat_tables(made):
    read_both(*made)


@examples(200)
@given(files(schemas(nested_types(), max_columns=3)))
def test_nested_tables(made):
    read_both(*made)


@examples(100)
@given(files(schemas(st.one_of(DICTIONARIES, DICTIONARIES, st.sampled_from(OTHER_TYPES)))))
def test_dictionaries_and_types_of_arrow(made):
    table, raw = made
    file = read_both(table, raw)
    plain = file.to_arrow(dictionaries=[])
    assert_same_table(table, pa.table(plain))


@examples(100)
@given(
    files(schemas(st.one_of(leaf_types(), leaf_types(), nested_types()), min_columns=1)), st.data()
)
def test_columns_and_row_groups(made, data):
    table, raw = made
    file = hp.ParquetFile(raw)
    names = data.draw(st.lists(st.sampled_from(table.column_names), unique=True))
    first, last = sorted(data.draw(st.tuples(st.integers(0, len(file)), st.integers(0, len(file)))))
    starts = np.concatenate([[0], np.cumsum([group.num_rows for group in file.row_groups])])
    rows = table.slice(int(starts[first]), int(starts[last] - starts[first])).select(names)
    part = file[first:last]
    assert part.count() == starts[last] - starts[first]
    assert_same_table(rows, pa.table(part.to_arrow(columns=names)))
    assert_frame_holds(rows, part.to_pandas(columns=names))
    wanted = data.draw(st.integers(0, table.num_rows + 1))
    assert_frame_holds(table.slice(0, wanted), file.head(wanted))
    batches = pa.RecordBatchReader.from_stream(file).read_all()
    assert_same_table(table, batches)


@examples(200)
@given(
    files(
        schemas(st.one_of(leaf_types(), leaf_types(), DICTIONARIES, nested_types()), min_columns=1)
    ),
    st.data(),
)
def test_filters_are_masks(made, data):
    table, raw = made
    filters = data.draw(conditions_of(table))
    mask = keeps(table, filters)
    rows = table.filter(pa.array(mask, pa.bool_()))
    file = hp.ParquetFile(raw)
    assert file.count(filters) == len(rows), filters
    assert_same_table(rows, pa.table(file.to_arrow(filters=filters)))
    assert_frame_holds(rows, file.to_pandas(filters=filters))
    wanted = data.draw(st.integers(0, 20))
    assert_frame_holds(rows.slice(0, wanted), file.head(wanted, filters=filters))


@examples(100)
@given(
    files(schemas(st.one_of(leaf_types(), leaf_types(), nested_types()), min_columns=1)), st.data()
)
def test_rows_that_a_mask_chooses(made, data):
    table, raw = made
    rng = np.random.default_rng(data.draw(st.integers(0, 1000)))
    mask = rng.random(table.num_rows) < data.draw(st.sampled_from([0.0, 0.01, 0.2, 0.9, 1.0]))
    if data.draw(st.booleans()):
        mask = np.sort(mask)
    rows = table.filter(pa.array(mask, pa.bool_()))
    file = hp.ParquetFile(raw)
    assert_same_table(rows, pa.table(file.to_arrow(row_filter=mask)))
    assert_frame_holds(rows, file.to_pandas(row_filter=mask))


FRAMES = schemas(st.one_of(leaf_types(), DICTIONARIES, nested_types()), min_columns=1)


def with_milliseconds(frame: pd.DataFrame) -> pd.DataFrame:
    """Return a frame as Parquet can hold it, which has no seconds."""
    seconds = frame.select_dtypes(["datetime64[s]"])
    return frame.astype(dict.fromkeys(seconds, "datetime64[ms]"))


def kinds_of(frame: pd.DataFrame) -> list[object]:
    """Return the dtypes a file can tell: no categories are written without their type."""
    return [
        "category" if isinstance(each, pd.CategoricalDtype) and not len(each.categories) else each
        for each in frame.dtypes
    ]


@examples(80)
@given(files(FRAMES), st.data())
def test_frames_that_pandas_wrote(made, data):
    table, raw = made
    frame = with_milliseconds(hp.ParquetFile(raw).to_pandas())
    # There are no indexes of halves or of what is nested.
    kinds = {each.name: each.type for each in table.schema}
    flat = [name for name, kind in kinds.items() if not pa.types.is_nested(kind)]
    flat = [name for name in flat if kinds[name] != pa.float16()]
    if flat:
        index = data.draw(st.lists(st.sampled_from(flat), unique=True, max_size=2))
        frame = frame.set_index(index) if index else frame
    buffer = io.BytesIO()
    frame.to_parquet(
        buffer, engine="pyarrow", row_group_size=data.draw(st.sampled_from([50, 2000]))
    )
    got = hp.ParquetFile(buffer.getvalue()).to_pandas()
    assert kinds_of(got) == kinds_of(frame)
    assert got.index.names == frame.index.names
    assert_same_table(pa.Table.from_pandas(frame), pa.Table.from_pandas(got))
