"""Encodings that are asked for, on all types that have them: everybody reads the same values."""

from __future__ import annotations

from typing import Any

import pytest

pa = pytest.importorskip("pyarrow")
pl = pytest.importorskip("polars")
duckdb = pytest.importorskip("duckdb")

import pyarrow.parquet as pq  # noqa: E402 - what follows needs pyarrow
from hypothesis import given  # noqa: E402
from hypothesis import strategies as st  # noqa: E402
from parquet_equality import assert_same_table  # noqa: E402
from parquet_tables import examples, leaf_types, nested_types, schemas, tables  # noqa: E402
from parquet_write_options import write_options  # noqa: E402
from test_parquet_writers_duckdb import is_known  # noqa: E402

import hocket.parquet as hp  # noqa: E402

CODECS = ("zstd", "snappy", None)
OF_ALL = (None, "PLAIN", "RLE_DICTIONARY")
OF_NUMBERS = ("DELTA_BINARY_PACKED", "BYTE_STREAM_SPLIT")
OF_PHYSICAL = {
    "BOOLEAN": (None, "PLAIN", "RLE"),
    "INT32": (*OF_ALL, *OF_NUMBERS),
    "INT64": (*OF_ALL, *OF_NUMBERS),
    "FLOAT": (*OF_ALL, "BYTE_STREAM_SPLIT"),
    "DOUBLE": (*OF_ALL, "BYTE_STREAM_SPLIT"),
    "BYTE_ARRAY": (*OF_ALL, "DELTA_LENGTH_BYTE_ARRAY", "DELTA_BYTE_ARRAY"),
    "FIXED_LEN_BYTE_ARRAY": (*OF_ALL, "BYTE_STREAM_SPLIT", "DELTA_BYTE_ARRAY"),
}


#: (DuckDB turns milliseconds into microseconds, which not all of them can be.)
KNOWN = leaf_types(has_wide_decimals=False).filter(
    lambda kind: is_known(kind) and kind != pa.timestamp("ms")
)


@st.composite
def wishes(draw: Any, kinds: Any) -> tuple[pa.Table, dict[str, Any]]:
    """Return a table, and options with an encoding for each of its leaves."""
    table = draw(tables(schemas(kinds, min_columns=1)))
    sink = pa.BufferOutputStream()
    hp.write(sink, table.slice(0, 0))
    encodings = {}
    for leaf in pq.ParquetFile(sink.getvalue()).schema:
        encodings[leaf.path] = draw(st.sampled_from(OF_PHYSICAL[leaf.physical_type]))
    options = draw(write_options(codecs=CODECS, versions=(1, 2)))
    return table, options | {"encoding": encodings, "dictionary": None}


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(tmp_path_factory.mktemp("encoded") / "t.parquet")


def check(place: str, table: pa.Table, options: dict[str, Any]) -> None:
    hp.write(place, table, **options)
    assert_same_table(table, pq.read_table(place, page_checksum_verification=True))
    assert_same_table(table, pa.table(hp.ParquetFile(place).to_arrow()))


@examples(40)
@given(wishes(leaf_types()))
def test_flat_columns(place: str, wish: tuple[pa.Table, dict[str, Any]]) -> None:
    check(place, *wish)


@examples(20)
@given(wishes(nested_types()))
def test_nested_columns(place: str, wish: tuple[pa.Table, dict[str, Any]]) -> None:
    check(place, *wish)


@examples(30)
@given(wishes(KNOWN))
def test_what_duckdb_and_polars_read(place: str, wish: tuple[pa.Table, dict[str, Any]]) -> None:
    table, options = wish
    hp.write(place, table, **options)
    with duckdb.connect() as connection:
        connection.execute("set timezone = 'UTC'")
        connection.register("source", table)
        want = connection.sql("select * from source").to_arrow_table()
        found = connection.sql(f"select * from '{place}'").to_arrow_table()
    assert_same_table(want, found)
    assert_same_table(pl.from_arrow(table).to_arrow(), pl.read_parquet(place).to_arrow())
