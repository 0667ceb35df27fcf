"""What polars writes, with all its options: the same values come back."""

from __future__ import annotations

import io
from typing import Any

import pytest

pa = pytest.importorskip("pyarrow")
pl = pytest.importorskip("polars")

from hypothesis import given  # noqa: E402 - what follows needs pyarrow
from hypothesis import strategies as st  # noqa: E402
from parquet_equality import assert_frame_holds, assert_same_table  # noqa: E402
from parquet_masks import conditions_of, keeps  # noqa: E402
from parquet_tables import examples, leaf_types, nested_types, schemas, tables  # noqa: E402

import hocket.parquet as hp  # noqa: E402

CODECS = ["uncompressed", "snappy", "gzip", "brotli", "zstd", "lz4"]


def is_known(kind: pa.DataType) -> bool:
    """Tell whether polars has a type. It has no zones that are mere offsets."""
    if pa.types.is_nested(kind):
        parts = [kind.field(at).type for at in range(kind.num_fields)]
        return all(map(is_known, parts))
    return not (pa.types.is_timestamp(kind) and kind.tz and ":" in kind.tz)


LEAVES = leaf_types(has_wide_decimals=False).filter(is_known)
NESTED = nested_types(leaf_types(has_wide_decimals=False)).filter(is_known)
OTHERS = st.sampled_from(
    [
        pa.null(),
        pa.dictionary(pa.uint32(), pa.string()),
        pa.list_(pa.field("item", pa.int16()), 3),
        pa.list_(pa.field("item", pa.string()), 1),
        pa.struct([pa.field("d", pa.dictionary(pa.uint32(), pa.string()))]),
        pa.list_(pa.field("item", pa.dictionary(pa.uint32(), pa.string()))),
    ]
)


@st.composite
def files(draw: Any, kinds: st.SearchStrategy[pa.DataType]) -> tuple[pa.Table, bytes]:
    frame = pl.from_arrow(draw(tables(schemas(kinds))))
    buffer = io.BytesIO()
    frame.write_parquet(
        buffer,
        compression=draw(st.sampled_from(CODECS)),
        statistics=draw(st.sampled_from([True, False, "full"])),
        row_group_size=draw(st.sampled_from([None, None, 1 << 20, 50, 300])),
        data_page_size=draw(st.sampled_from([None, 1, 50, 1000])),
    )
    return frame.to_arrow(), buffer.getvalue()


@examples(200)
@given(files(st.one_of(LEAVES, LEAVES, NESTED, OTHERS)))
def test_tables(made):
    table, raw = made
    file = hp.ParquetFile(raw)
    assert_same_table(table, pa.table(file.to_arrow()))
    assert_frame_holds(table, file.to_pandas())
    assert_same_table(table, pl.DataFrame(file.to_arrow()).to_arrow())


@examples(100)
@given(files(st.one_of(LEAVES, LEAVES, NESTED, OTHERS)), st.data())
def test_columns_row_groups_and_filters(made, data):
    table, raw = made
    file = hp.ParquetFile(raw)
    filters = data.draw(conditions_of(table))
    rows = table.filter(pa.array(keeps(table, filters), pa.bool_())) if filters else table
    assert file.count(filters) == len(rows) or not table.num_columns
    assert_same_table(rows, pa.table(file.to_arrow(filters=filters)))
    assert_frame_holds(rows, file.to_pandas(filters=filters))
    if table.num_columns and len(file):
        name = data.draw(st.sampled_from(table.column_names))
        at = data.draw(st.integers(0, len(file) - 1))
        start = sum(each.num_rows for each in file.row_groups[:at])
        rows = table.slice(start, file.row_groups[at].num_rows).select([name])
        assert_same_table(rows, pa.table(file[at].to_arrow(columns=[name])))
        assert_frame_holds(rows, file[at].to_pandas(columns=[name]))
