"""Rows that others find in our files with filters: what they skip by says nothing wrong."""

from __future__ import annotations

import datetime as dt
import io
from decimal import Decimal
from typing import Any, Final

import numpy as np
import pytest

pa = pytest.importorskip("pyarrow")
pl = pytest.importorskip("polars")
duckdb = pytest.importorskip("duckdb")

import pyarrow.compute as pc  # noqa: E402 - what follows needs pyarrow
import pyarrow.dataset as ds  # noqa: E402
import pyarrow.parquet as pq  # noqa: E402
from hypothesis import given  # noqa: E402
from hypothesis import strategies as st  # noqa: E402
from parquet_tables import examples  # noqa: E402
from parquet_write_options import write_options  # noqa: E402

import hocket.parquet as hp  # noqa: E402

OPTIONS = write_options(codecs=("zstd", None), versions=(1, 2))
SIGNS: Final = {
    "==": "equal",
    "!=": "not_equal",
    "<": "less",
    "<=": "less_equal",
    ">": "greater",
    ">=": "greater_equal",
}


def _integers(kind: pa.DataType) -> list[int]:
    info = np.iinfo(kind.to_pandas_dtype())
    middle = int(info.max) // 2
    return [int(info.min), int(info.min) + 1, 0, 1, 5, middle, middle + 1, int(info.max)]


def _decimals(precision: int) -> list[Decimal]:
    digits = "9" * precision
    most = Decimal(f"{digits[:-2]}.{digits[-2:]}")
    return [most, most.copy_negate(), *map(Decimal, ("0", "-0.01", "1.27", "1.28", "-1.28"))]


#: Values around which bounds go wrong: signs, wrapped numbers, lengths at which bounds are cut.
#: (No NaN: the others do not agree on where it is.)
POOLS: Final[dict[Any, list[Any]]] = {
    **{
        kind: _integers(kind)
        for kind in (
            *(pa.int8(), pa.int16(), pa.int32(), pa.int64()),
            *(pa.uint8(), pa.uint16(), pa.uint32(), pa.uint64()),
        )
    },
    **{
        kind: [0.0, -0.0, 1.5, -1.5, float("inf"), float("-inf"), 1e30]
        for kind in (pa.float32(), pa.float64())
    },
    **{pa.decimal128(precision, 2): _decimals(precision) for precision in (9, 18, 38)},
    pa.bool_(): [True, False],
    pa.string(): [
        *("", "a", "b", "é", "\x7f" * 70, "z" * 100, "z" * 99 + "y", "日本" * 40),
        *("\U0010ffff" * 16, "\U0010ffff" * 17, "a" * 63 + "é", "a" * 64),
    ],
    pa.binary(): [
        b"",
        b"a",
        b"\0",
        b"\x80",
        b"\xff" * 63 + b"\xfe" * 9,
        b"\xff" * 64,
        b"\xff" * 99,
    ],
    pa.date32(): [dt.date(1, 1, 1), dt.date(1969, 12, 31), dt.date(1970, 1, 1), dt.date.max],
    pa.time64("us"): [dt.time(), dt.time(12), dt.time.max],
    **{
        pa.timestamp(unit): [
            dt.datetime.fromisoformat(text)
            for text in ("0001-01-01", "1969-12-31T23:59:59.999", "1970-01-01", "9999-12-31T23:59")
        ]
        for unit in ("ms", "us")
    },
}
KINDS: Final = list(POOLS)


@st.composite
def columns(draw: Any) -> tuple[pa.Array, Any]:
    """Return values, and one that they are compared with."""
    kind = draw(st.sampled_from(KINDS))
    pool = POOLS[kind]
    few = draw(st.lists(st.sampled_from(pool), min_size=1, max_size=4, unique_by=str))
    values = draw(st.lists(st.sampled_from([None, *few]), min_size=1, max_size=120))
    if draw(st.booleans()):
        values.sort(key=lambda value: (value is None, 0 if value is None else value))
    return pa.array(values, kind), draw(st.sampled_from(pool))


@pytest.fixture(scope="module")
def connection() -> Any:
    with duckdb.connect() as connection:
        yield connection


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(tmp_path_factory.mktemp("filtered") / "t.parquet")


@examples(150)
@given(columns(), st.sampled_from(list(SIGNS)), OPTIONS)
def test_filters_of_others(
    connection: Any, place: str, column: Any, sign: str, options: dict[str, Any]
) -> None:
    """Pyarrow, polars, DuckDB and we ourselves find what is there."""
    values, value = column
    table = pa.table({"n": range(len(values)), "x": values})
    hp.write(place, table, **options | {"row_group_rows": 40, "page_rows": 7})
    scalar = pa.scalar(value, values.type)
    compared = getattr(pc, SIGNS[sign])(values, scalar)
    want = table.filter(compared)["n"].to_pylist()

    condition = getattr(pc, SIGNS[sign])(pc.field("x"), scalar)
    assert ds.dataset(place).to_table(filter=condition)["n"].to_pylist() == want
    found = hp.ParquetFile(place).to_arrow(["n"], filters=[("x", sign, value)])
    assert pa.table(found)["n"].to_pylist() == want
    literal = pl.lit(pl.from_arrow(pa.array([value], values.type))[0], pl.Series(values).dtype)
    column = {
        "==": pl.col("x") == literal,
        "!=": pl.col("x") != literal,
        "<": pl.col("x") < literal,
        "<=": pl.col("x") <= literal,
        ">": pl.col("x") > literal,
        ">=": pl.col("x") >= literal,
    }[sign]
    assert pl.scan_parquet(place).filter(column).collect()["n"].to_list() == want
    connection.register("one", pa.table({"v": pa.array([value], values.type)}))
    ((kind, text),) = connection.sql("select typeof(v), v from one").fetchall()
    query = f"select n from '{place}' where x {sign} cast(? as {kind}) order by n"
    assert [n for (n,) in connection.execute(query, [text]).fetchall()] == want


@examples(60)
@given(columns(), OPTIONS)
def test_bounds_that_others_read(column: Any, options: dict[str, Any]) -> None:
    """They are no larger and no smaller than what is there, and nulls are counted."""
    values, _ = column
    file = io.BytesIO()
    hp.write(file, pa.table({"x": values}), **options | {"statistics": True})
    metadata = pq.ParquetFile(file).metadata
    at = 0
    for number in range(metadata.num_row_groups):
        group = metadata.row_group(number)
        stated, part = group.column(0).statistics, values.slice(at, group.num_rows)
        at += group.num_rows
        assert stated.null_count == part.null_count
        least = pc.min_max(part).as_py()
        if least["min"] is None:
            assert not stated.has_min_max
        elif stated.has_min_max:
            assert stated.min <= least["min"]
            assert stated.max >= least["max"]
    assert at == len(values)
