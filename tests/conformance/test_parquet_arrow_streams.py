"""Frames of polars and relations of DuckDB, written by us: they and we read them as they were."""

from __future__ import annotations

import io
from typing import Any

import pytest

pa = pytest.importorskip("pyarrow")
pl = pytest.importorskip("polars")
duckdb = pytest.importorskip("duckdb")

from hypothesis import given  # noqa: E402 - what follows needs pyarrow
from hypothesis import strategies as st  # noqa: E402
from parquet_equality import assert_same_table  # noqa: E402
from parquet_tables import examples, leaf_types, nested_types, schemas, tables  # noqa: E402

import hocket.parquet as hp  # noqa: E402


def is_known(kind: pa.DataType) -> bool:
    """Tell whether polars has a type. It has no zones that are mere offsets."""
    if pa.types.is_nested(kind):
        return all(is_known(kind.field(at).type) for at in range(kind.num_fields))
    return not (pa.types.is_timestamp(kind) and kind.tz and ":" in kind.tz)


KINDS = leaf_types(has_wide_decimals=False).filter(is_known)
NESTED = nested_types(leaf_types(has_wide_decimals=False)).filter(is_known)


def written(data: Any, **options: Any) -> bytes:
    sink = io.BytesIO()
    hp.write(sink, data, **options)
    return sink.getvalue()


@examples(60)
@given(tables(schemas(KINDS | NESTED)), st.sampled_from([1, 2]), st.sampled_from([7, 1 << 20]))
def test_frames_of_polars_come_back(table, page_version, rows):
    frame = pl.from_arrow(table)
    raw = written(frame, page_version=page_version, row_group_rows=rows)
    assert_same_table(pa.table(hp.ParquetFile(raw).to_arrow()), frame.to_arrow())
    # Of entries of a map with equal keys polars reads one.
    if "Map(" not in str(frame.schema):
        assert pl.read_parquet(io.BytesIO(raw)).equals(frame, null_equal=True)


def test_kinds_that_only_polars_has():
    frame = pl.DataFrame(
        {
            "category": pl.Series(["a", None, "b", "a"], dtype=pl.Categorical),
            "enum": pl.Series(["x", "y", None, "x"], dtype=pl.Enum(["y", "x"])),
            "array": pl.Series([[1, 2], None, [3, None], [4, 5]], dtype=pl.Array(pl.Int8, 2)),
            "nothing": pl.Series([None] * 4, dtype=pl.Null),
        }
    )
    assert pl.read_parquet(io.BytesIO(written(frame))).equals(frame, null_equal=True)


def test_objects_of_polars_are_an_error():
    frame = pl.DataFrame({"x": pl.Series([object()], dtype=pl.Object)})
    with pytest.raises(hp.ValueUnstorable, match="column 'x': it has Python objects"):
        written(frame)
    with pytest.raises(hp.ValueUnstorable, match="Arrow type '_pli128' is not known"):
        written(pl.DataFrame({"x": pl.Series([1], dtype=pl.Int128)}))


VALUES = {
    "tinyint": "7::tinyint",
    "ubigint": "18446744073709551615::ubigint",
    "hugeint": "5::hugeint",
    "float": "1.5::float",
    "text": "'longer than twelve bytes'",
    "blob": "'\\x00a'::blob",
    "date": "date '2020-02-29'",
    "time": "time '01:02:03.5'",
    "timestamp": "timestamp '2020-02-29 12:00:00.000001'",
    "timestamp_ns": "timestamp_ns '2020-02-29 12:00:00.000000001'",
    "interval": "interval '1 month 2 days 3 milliseconds'",
    "decimal": "12.34::decimal(10, 2)",
    "decimal_wide": "-12.34::decimal(38, 2)",
    "enum": "'b'::enum('a', 'b')",
    "list": "[1, 2, null]",
    "lists": "[['a', null], [], null]",
    "struct": "{'a': 1, 'b': ['x']}",
    "map": "map {'k': {'v': 1}}",
    "json": """'{"a": 1}'::json""",
}


@pytest.mark.parametrize("name", VALUES)
def test_values_of_duckdb_come_back(name, tmp_path):
    connection = duckdb.connect()
    query = f"select {VALUES[name]} as x union all select null"
    path = tmp_path / "a.parquet"
    hp.write(path, connection.sql(query))
    expected = connection.sql(query).fetchall()
    assert connection.sql(f"select x from '{path}'").fetchall() == expected


def test_a_negative_interval_of_duckdb_is_an_error(tmp_path):
    relation = duckdb.sql("select interval '-1 month' as x")
    with pytest.raises(hp.ValueUnstorable, match="value 0 is an interval of -1 months"):
        hp.write(tmp_path / "a.parquet", relation)
    assert list(tmp_path.iterdir()) == []


def test_relations_come_in_batches_and_become_one_file(tmp_path):
    relation = duckdb.sql("select range as a, 'w' || (range % 7) as b from range(300_000)")
    hp.write(tmp_path / "a.parquet", relation)
    found = duckdb.sql(f"select count(*), sum(a), min(b), max(b) from '{tmp_path}/a.parquet'")
    assert found.fetchall() == [(300_000, 299_999 * 150_000, "w0", "w6")]
