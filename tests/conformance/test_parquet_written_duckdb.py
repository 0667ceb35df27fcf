"""What our writer makes of tables, DuckDB reads as it is."""

from __future__ import annotations

from typing import Any

import pytest

pa = pytest.importorskip("pyarrow")
duckdb = pytest.importorskip("duckdb")

from hypothesis import given, reject  # noqa: E402 - what follows needs pyarrow
from parquet_equality import assert_same_table  # noqa: E402
from parquet_tables import examples  # noqa: E402
from parquet_write_options import write_options  # noqa: E402
from test_parquet_writers_duckdb import register, sources  # noqa: E402

import hocket.parquet as hp  # noqa: E402

OPTIONS = write_options(codecs=("zstd", "snappy", "gzip", "brotli", "lz4", None), versions=(1, 2))


@pytest.fixture(scope="module")
def connection() -> Any:
    with duckdb.connect() as connection:
        connection.execute("set timezone = 'UTC'")
        yield connection


@pytest.fixture(scope="module")
def place(tmp_path_factory) -> str:
    return str(tmp_path_factory.mktemp("written") / "t.parquet")


@examples(150)
@given(source=sources(), options=OPTIONS)
def test_tables(connection, place, source, options):
    register(connection, source)
    hp.write(place, source, **options)
    want = connection.sql("select * from source").to_arrow_table()
    try:
        found = connection.sql(f"select * from read_parquet('{place}')").to_arrow_table()
    except duckdb.ConversionException as error:
        # It has timestamps of milliseconds in memory, and takes those of files for microseconds.
        assert "Could not convert Timestamp(MS)" in str(error)  # noqa: PT017 - else it is ours
        reject()
    assert_same_table(want, found)
