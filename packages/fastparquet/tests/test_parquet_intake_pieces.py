"""Text of frames that lies in several chunks is put together row group by row group."""

from __future__ import annotations

import io

import hypothesis.strategies as st
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings

import hocket.parquet as hp
from hocket.parquet.intake import columns as intake_columns
from hocket.parquet.intake.columns import columns_of

ROWS = 10
KINDS = {
    "str": "str",
    "list": pd.ArrowDtype(pa.list_(pa.int64())),
    "decimal": pd.ArrowDtype(pa.decimal128(9, 2)),
    "dictionary": pd.ArrowDtype(pa.dictionary(pa.int8(), pa.string())),
}


@pytest.fixture(autouse=True, scope="module")
def _small_pieces():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(intake_columns, "_PIECE_ROWS", ROWS)
        yield


def series(kind: str, count: int) -> pd.Series:
    values = {
        "str": [None if n % 5 == 3 else f"text {n}" for n in range(count)],
        "list": [None if n % 5 == 3 else [n] * (n % 3) for n in range(count)],
        "decimal": [None if n % 5 == 3 else n for n in range(count)],
        "dictionary": [None if n % 5 == 3 else f"kind {n % 3}" for n in range(count)],
    }[kind]
    return pd.Series(values, dtype=KINDS[kind])


@settings(max_examples=60, deadline=None)
@given(
    kinds=st.lists(st.sampled_from(sorted(KINDS)), min_size=1, max_size=3),
    lengths=st.lists(st.integers(0, 17), min_size=2, max_size=5),
    row_group_rows=st.sampled_from([3, ROWS, 1000]),
    has_numbers=st.booleans(),
)
def test_frames_in_chunks(kinds, lengths, row_group_rows, has_numbers):
    parts = [
        pd.DataFrame({f"c{at}": series(kind, count) for at, kind in enumerate(kinds)})
        for count in lengths
    ]
    frame = pd.concat(parts, ignore_index=True)
    if has_numbers:
        frame["n"] = np.arange(len(frame))
    file = io.BytesIO()
    hp.write(file, frame, row_group_rows=row_group_rows)
    found, want = pa.table(hp.ParquetFile(file).to_arrow()), pa.Table.from_pandas(frame)
    assert found.to_pylist() == want.to_pylist()
    assert [group.num_rows for group in hp.ParquetFile(file).row_groups] == [
        min(row_group_rows, len(frame) - at) for at in range(0, len(frame), row_group_rows)
    ]


def test_no_more_than_a_piece_is_put_together():
    frame = pd.concat([pd.DataFrame({"s": [f"text {n}" for n in range(25)]})] * 4)
    batches = [batch for (batch,) in columns_of(frame.reset_index(drop=True)).batches]
    assert [batch.length for batch in batches] == [ROWS] * 10
    whole = pd.DataFrame({"s": [f"text {n}" for n in range(100)]})
    assert [batch.length for (batch,) in columns_of(whole).batches] == [100]


def test_partitions_are_files_all_the_same(tmp_path):
    frame = pd.concat([pd.DataFrame({"s": ["a", "b"] * 20, "n": range(40)})] * 3)
    hp.write(tmp_path / "dataset", frame, file_scheme="hive", partition_on="s")
    assert len(list((tmp_path / "dataset").glob("*/*.parquet"))) == 2
    assert hp.ParquetFile(tmp_path / "dataset").count() == 120
