"""What our writer makes of polars' frames, polars reads as it was."""

from __future__ import annotations

import io
from typing import Any

import pytest

pa = pytest.importorskip("pyarrow")
pl = pytest.importorskip("polars")

from hypothesis import given  # noqa: E402 - what follows needs pyarrow
from parquet_equality import assert_same_table  # noqa: E402
from parquet_tables import examples, schemas, tables  # noqa: E402
from parquet_write_options import write_options  # noqa: E402
from test_parquet_writers_polars import LEAVES, NESTED  # noqa: E402

import hocket.parquet as hp  # noqa: E402

OPTIONS = write_options(codecs=("zstd", "snappy", "gzip", "brotli", "lz4", None), versions=(1, 2))


def has_maps(kind: pa.DataType) -> bool:
    """Tell whether there are maps in a type, of which polars reads equal keys only once."""
    if pa.types.is_map(kind):
        return True
    if not pa.types.is_nested(kind):
        return False
    return any(has_maps(kind.field(at).type) for at in range(kind.num_fields))


def check(table: Any, options: dict[str, Any]) -> None:
    frame = pl.from_arrow(table)
    file = io.BytesIO()
    hp.write(file, frame, **options)
    found = pl.read_parquet(io.BytesIO(file.getvalue()), use_pyarrow=False)
    assert_same_table(frame.to_arrow(), found.to_arrow())


@examples(100)
@given(tables(schemas(LEAVES)), OPTIONS)
def test_flat_frames(table, options):
    check(table, options)


@examples(60)
@given(tables(schemas(NESTED.filter(lambda kind: not has_maps(kind)))), OPTIONS)
def test_nested_frames(table, options):
    check(table, options)
