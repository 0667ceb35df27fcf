"""Datasets that were edited, some by writers that died, as other readers see them."""

from __future__ import annotations

import secrets
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.dataset as arrow_dataset
import pytest

import hocket.parquet as hp
from hocket.parquet.dataset.commit import STAGING

_FRAME = pd.DataFrame(
    {
        "key": ["a b", "c/d", "ü", None] * 5,
        "other": [1, 2] * 10,
        "n": np.arange(20),
    }
)


def _sorted(rows):
    return sorted(rows, key=lambda row: row[2])


def _arrow(root):
    table = arrow_dataset.dataset(root, partitioning="hive").to_table(columns=["key", "other", "n"])
    return [tuple(row.values()) for row in table.to_pylist()]


def _polars(root):
    polars = pytest.importorskip("polars")
    frame = polars.read_parquet(f"{root}/**/*.parquet", hive_partitioning=True)
    return frame.select("key", "other", "n").rows()


def _duckdb(root):
    duckdb = pytest.importorskip("duckdb")
    with duckdb.connect() as connection:
        query = "select key, other, n from read_parquet(?, hive_partitioning = true)"
        return connection.execute(query, [f"{root}/**/*.parquet"]).fetchall()


@pytest.mark.parametrize("read", [_arrow, _polars, _duckdb])
def test_an_edited_dataset_is_the_same_to_all(tmp_path, read):
    root = str(tmp_path / "set")
    options = {"file_scheme": "hive", "partition_on": ["key", "other"]}
    hp.write(root, _FRAME, **options)
    hp.write(root, _FRAME.assign(n=_FRAME["n"] + 20), append=True, **options)
    hp.compact(root)
    frame = hp.read(root).astype({"key": "object"})
    keys = [None if pd.isna(key) else key for key in frame["key"]]
    rows = zip(keys, frame["other"].tolist(), frame["n"].tolist(), strict=True)
    expected = _sorted(rows)
    assert len(expected) == 40
    assert _sorted(read(root)) == expected
    # A writer that died leaves files where nobody looks.
    left = Path(root, STAGING, secrets.token_hex(4))
    left.mkdir(parents=True)
    (left / "1").write_bytes(b"PAR1")
    assert _sorted(read(root)) == expected
    assert len(hp.read(root)) == 40
