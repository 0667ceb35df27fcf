"""What DuckDB writes, with all its options: the same values come back."""

from __future__ import annotations

from typing import Any

import pytest

pa = pytest.importorskip("pyarrow")
duckdb = pytest.importorskip("duckdb")

from hypothesis import given, reject  # noqa: E402 - what follows needs pyarrow
from hypothesis import strategies as st  # noqa: E402
from parquet_equality import assert_frame_holds, assert_same_table  # noqa: E402
from parquet_masks import conditions_of, keeps  # noqa: E402
from parquet_tables import examples, leaf_types, nested_types, schemas, tables  # noqa: E402

import hocket.parquet as hp  # noqa: E402

CODECS = ["uncompressed", "snappy", "gzip", "zstd", "brotli", "lz4", "lz4_raw"]


def is_known(kind: pa.DataType) -> bool:
    """Tell whether DuckDB has a type, and Parquet too."""
    if pa.types.is_nested(kind):
        return all(is_known(kind.field(at).type) for at in range(kind.num_fields))
    if pa.types.is_temporal(kind):
        # Seconds become microseconds, which not all of them can.
        is_plain = getattr(kind, "tz", None) is None and kind != pa.timestamp("s")
        return is_plain and not pa.types.is_duration(kind)
    return kind != pa.float16()


LEAVES = leaf_types(has_wide_decimals=False).filter(is_known)
NESTED = nested_types(leaf_types(has_wide_decimals=False), has_required=False).filter(is_known)
OTHERS = st.sampled_from(
    [
        pa.dictionary(pa.uint8(), pa.string()),
        pa.list_(pa.field("item", pa.int16()), 3),
        pa.list_(pa.field("item", pa.string()), 1),
        pa.struct([pa.field("d", pa.dictionary(pa.uint8(), pa.string()))]),
    ]
)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(tmp_path_factory.mktemp("duckdb") / "file.parquet")


@pytest.fixture(scope="module")
def connection() -> Any:
    with duckdb.connect() as connection:
        connection.execute("set timezone = 'UTC'")
        yield connection


def write(
    connection: Any, query: str, place: str, data: st.DataObject
) -> tuple[pa.Table, hp.ParquetFile]:
    options = {
        "parquet_version": data.draw(st.sampled_from(["v1", "v2"])),
        "codec": data.draw(st.sampled_from(CODECS)),
        "row_group_size": data.draw(st.sampled_from([122880, 100, 300])),
        "dictionary_size_limit": data.draw(st.sampled_from([1, 10, 1000])),
        "string_dictionary_page_size_limit": data.draw(st.sampled_from([10, 1000, 1 << 20])),
        "data_page_size_limit": data.draw(st.sampled_from([100, 1 << 20])),
        "write_bloom_filter": data.draw(st.booleans()),
    }
    text = ", ".join(f"{name} '{value}'" for name, value in options.items())
    connection.execute(f"copy ({query}) to '{place}' (format parquet, {text})")
    return connection.sql(query).to_arrow_table(), hp.ParquetFile(place)


@st.composite
def sources(draw: Any) -> pa.Table:
    kinds = schemas(st.one_of(LEAVES, LEAVES, NESTED, OTHERS), min_columns=1)
    # Values in null structs it sometimes writes, though the levels say that they are not there;
    # then all that follow are in wrong places.
    return draw(tables(kinds, hides_values=False))


def register(connection: Any, source: pa.Table) -> None:
    """Make a table known to DuckDB, unless a map in it has a key twice."""
    connection.register("source", source)
    try:
        connection.sql("select * from source").to_arrow_table()
    except duckdb.InvalidInputException as error:
        assert "duplicate key" in str(error)  # noqa: PT017 - else it is no reason to try others
        reject()


@examples(150)
@given(sources(), st.data())
def test_tables(connection, place, source, data):
    register(connection, source)
    table, file = write(connection, "select * from source", place, data)
    assert_same_table(table, pa.table(file.to_arrow()))
    assert_frame_holds(table, file.to_pandas(categories=enums(table)))


def enums(table: pa.Table) -> list[str]:
    """Return the columns that were enums, which DuckDB writes as mere text."""
    return [each.name for each in table.schema if pa.types.is_dictionary(each.type)]


@examples(100)
@given(sources(), st.data())
def test_columns_row_groups_and_filters(connection, place, source, data):
    register(connection, source)
    table, file = write(connection, "select * from source", place, data)
    filters = data.draw(conditions_of(table))
    rows = table.filter(pa.array(keeps(table, filters), pa.bool_())) if filters else table
    assert file.count(filters) == len(rows)
    assert_same_table(rows, pa.table(file.to_arrow(filters=filters)))
    options = {"categories": enums(table)}
    assert_frame_holds(rows, file.to_pandas(filters=filters, **options))
    name = data.draw(st.sampled_from(table.column_names))
    if len(file):
        at = data.draw(st.integers(0, len(file) - 1))
        start = sum(each.num_rows for each in file.row_groups[:at])
        rows = table.slice(start, file.row_groups[at].num_rows).select([name])
        assert_same_table(rows, pa.table(file[at].to_arrow(columns=[name])))
