"""Files that are written bit by bit: rows are collected into row groups, whoever gives them."""

from __future__ import annotations

import gc
import io
import tracemalloc
from itertools import pairwise

import hypothesis.strategies as st
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from parquet_soundness import assert_sound

import hocket.parquet as hp

SCHEMA = pa.schema(
    {
        "n": pa.int64(),
        "f": pa.float64(),
        "b": pa.bool_(),
        "s": pa.string(),
        "d": pa.dictionary(pa.int32(), pa.string()),
        "l": pa.list_(pa.int32()),
        "t": pa.struct({"a": pa.int64(), "b": pa.list_(pa.string())}),
    }
)


def table(start: int, stop: int) -> pa.Table:
    """Rows of many kinds, each of which only its number decides."""
    numbers = range(start, stop)
    kinds = ["x", "y", None, "long " * 20]
    columns = [
        list(numbers),
        [None if n % 5 == 0 else n / 7 for n in numbers],
        [n % 3 == 0 for n in numbers],
        [kinds[n % 4] for n in numbers],
        [kinds[n * start % 4] for n in numbers],
        [[n] * (n % 4) if n % 6 else None for n in numbers],
        [{"a": n, "b": [str(n)]} for n in numbers],
    ]
    return pa.table([pa.array(*each) for each in zip(columns, SCHEMA.types, strict=True)], SCHEMA)


@settings(max_examples=20, deadline=None, report_multiple_bugs=False)
@given(
    cuts=st.lists(st.integers(0, 300), max_size=6),
    rows=st.integers(30, 200),
    page_rows=st.integers(5, 100),
    version=st.sampled_from([1, 2]),
    dictionary=st.sampled_from([None, True, False]),
)
def test_batches_of_any_size(cuts, rows, page_rows, version, dictionary):
    """Make the same file's worth of rows, in row groups of the size that was wanted."""
    ends = sorted({0, 300, *cuts})
    parts = [table(start, stop) for start, stop in pairwise(ends)]
    file = io.BytesIO()
    options = {"row_group_rows": rows, "page_rows": page_rows, "page_version": version}
    with hp.ParquetWriter(file, dictionary=dictionary, **options) as writer:
        for part in parts:
            writer.write(part)
    raw = file.getvalue()
    want = pa.concat_tables(parts).unify_dictionaries()
    found = pq.read_table(io.BytesIO(raw))
    for name in want.column_names:
        assert found[name].to_pylist() == want[name].to_pylist()
    told = pq.ParquetFile(io.BytesIO(raw)).metadata
    assert [told.row_group(n).num_rows for n in range(told.num_row_groups)] == [
        min(rows, 300 - start) for start in range(0, 300, rows)
    ]
    assert hp.ParquetFile(raw).to_pandas()["n"].tolist() == list(range(300))
    assert_sound(raw)


def test_rows_may_change_after_they_were_written():
    """What is collected is the writer's own."""
    numbers, file = np.arange(10), io.BytesIO()
    words = np.array([b"a", b"b"] * 5, dtype="S1")
    with hp.ParquetWriter(file) as writer:
        for _ in range(2):
            writer.write({"n": numbers, "w": words})
            numbers += 10
            words[:] = b"z"
    assert hp.read(file)["n"].tolist() == list(range(20))
    assert hp.read(file)["w"].tolist()[:2] == [b"a", b"b"]

    def parts():
        for _ in range(2):
            yield {"n": numbers}
            numbers[:] += 10

    hp.write(file := io.BytesIO(), parts())
    assert hp.read(file)["n"].tolist() == list(range(20, 40))


def test_row_groups_that_the_caller_ends():
    file = io.BytesIO()
    with hp.ParquetWriter(file) as writer:
        writer.write({"n": np.arange(3)})
        writer.end_row_group()
        writer.end_row_group()
        writer.write({"n": np.arange(4)})
    assert [group.num_rows for group in hp.ParquetFile(file).row_groups] == [3, 4]
    assert writer.metadata.row_group_count == 2


def test_nothing_is_written():
    """Then nobody knows which columns there are, unless data without rows tells."""
    with pytest.raises(hp.InvalidOption, match="nothing was written"):
        hp.ParquetWriter(io.BytesIO()).close()
    file = io.BytesIO()
    with hp.ParquetWriter(file, schema=table(0, 5)):
        pass
    assert hp.read(file).columns.tolist() == table(0, 1).column_names
    assert len(hp.read(file)) == 0
    assert pq.read_table(io.BytesIO(file.getvalue())).schema.names == table(0, 1).column_names


def test_a_writer_that_is_dropped_says_so(tmp_path):
    writer = hp.ParquetWriter(tmp_path / "x.parquet")
    writer.write({"a": np.arange(3)})
    with pytest.warns(ResourceWarning, match="x.parquet.* was dropped without close"):
        del writer
    assert list(tmp_path.iterdir()) == []


def test_what_comes_later_has_the_same_columns():
    writer = hp.ParquetWriter(io.BytesIO())
    writer.write({"a": np.arange(3), "b": np.arange(3)})
    with pytest.raises(hp.SchemaMismatch):
        writer.write({"a": np.arange(3)})
    with pytest.raises(hp.InvalidOption, match="closed"):
        writer.write({"a": np.arange(3), "b": np.arange(3)})


def test_columns_of_several_lengths():
    with pytest.raises(hp.ParquetError, match="3"):
        hp.write(io.BytesIO(), {"a": np.arange(3), "b": np.arange(4)})


@pytest.mark.parametrize(
    "frame", [pd.DataFrame(), pd.DataFrame({"a": []}), pd.DataFrame(index=[1])]
)
def test_frames_with_little_in_them(frame):
    file = io.BytesIO()
    hp.write(file, frame)
    pd.testing.assert_index_equal(hp.read(file).columns, frame.columns, exact=False)
    assert pq.ParquetFile(io.BytesIO(file.getvalue())).metadata.num_columns == len(
        hp.ParquetFile(file).schema.leaves
    )


def test_memory_is_that_of_a_row_group(tmp_path):
    """However long the stream is."""

    def parts():
        for number in range(40):
            yield {"n": np.random.default_rng(number).integers(0, 1 << 60, 50_000)}

    gc.collect()
    tracemalloc.start()
    hp.write(tmp_path / "t.parquet", parts(), row_group_rows=100_000, threads=1)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    # Two batches, what they are encoded to, and some for the sample.
    assert peak < 8 * 100_000 * 8
    assert len(hp.ParquetFile(tmp_path / "t.parquet").row_groups) == 20


def test_errors_tell_where():
    """The column, the row group and the file."""
    inner = [pa.field("t", pa.int64(), nullable=False)]
    broken = pa.StructArray.from_arrays([pa.array([None, 1])], fields=inner)
    with pytest.raises(hp.ParquetError) as caught:
        hp.write(io.BytesIO(), pa.table({"s": broken}))
    assert caught.value.column == "s.t"
    assert caught.value.row_group == 0
