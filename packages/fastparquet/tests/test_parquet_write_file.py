"""Files that are written: what is read again is what was written, whatever the options."""

from __future__ import annotations

import io

import hypothesis.strategies as st
import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from parquet_soundness import assert_sound

import hocket.parquet as hp

CODECS = ("zstd", "snappy", "gzip", "lz4", "brotli", None)


def table(rows: int, seed: int) -> pd.DataFrame:
    """Columns of many kinds, with and without missing values, sorted and not."""
    rng = np.random.default_rng(seed)
    words = np.array(["", "a", "bcd", "é" * 40, "zz", "long " * 30])
    frame = pd.DataFrame(
        {
            "rising": np.arange(rows) * 3,
            "few": rng.integers(0, 4, rows).astype(np.int32),
            "many": rng.integers(-(1 << 62), 1 << 62, rows),
            "cents": rng.integers(0, 10_000, rows) / 100,
            "noise": rng.normal(size=rows).astype(np.float32),
            "flag": rng.random(rows) < 0.3,
            "word": words[rng.integers(0, len(words), rows)],
            "url": [f"https://example.org/{n * 7919 % 1000:05d}/" for n in range(rows)],
            "when": pd.Timestamp("2024-01-01") + pd.to_timedelta(rng.integers(0, 10**9, rows), "s"),
            "kind": pd.Categorical(words[rng.integers(0, 3, rows)], categories=list(words)),
            "none": np.full(rows, np.nan),
        }
    )
    missing = rng.random(rows) < rng.choice([0.0, 0.2, 1.0])
    for name in ("cents", "word", "when", "kind"):
        frame.loc[missing, name] = None
    return frame


@st.composite
def write_options(draw) -> dict:
    """Options that change how a file looks, and not what is in it."""
    return {
        "compression": draw(st.sampled_from(CODECS)),
        "dictionary": draw(st.sampled_from([None, True, False])),
        "dictionary_nbytes": draw(st.sampled_from([1, 100, 4 << 20])),
        "page_version": draw(st.sampled_from([1, 2])),
        "page_nbytes": draw(st.sampled_from([1, 100, 5000, 1 << 20])),
        "page_rows": draw(st.integers(1, 400)),
        "row_group_rows": draw(st.integers(20, 700)),
        "row_group_nbytes": draw(st.sampled_from([1000, 50_000, 1 << 30])),
        "statistics": draw(st.booleans()),
        "page_index": draw(st.sampled_from([None, True, False])),
        "checksums": draw(st.booleans()),
        "bloom_filters": draw(st.sampled_from([None, True])),
        "threads": draw(st.integers(1, 3)),
    }


def plainer(frame: pd.DataFrame, options: dict) -> pd.DataFrame:
    """Categories are kept in a dictionary, and nowhere else."""
    if options["dictionary"] is False or options["dictionary_nbytes"] < 1000 or not len(frame):
        return frame.assign(kind=frame["kind"].astype("str"))
    return frame


@settings(max_examples=30, deadline=None, report_multiple_bugs=False)
@given(rows=st.integers(0, 600), seed=st.integers(0, 5), options=write_options())
def test_what_is_written_is_read_again(rows, seed, options):
    """By this library and by another one, and nothing in the file contradicts anything else."""
    frame, file = table(rows, seed), io.BytesIO()
    hp.write(file, frame, **options)
    want = plainer(frame, options)
    pd.testing.assert_frame_equal(plainer(hp.read(file), options), want)
    found = pq.read_table(io.BytesIO(file.getvalue()), page_checksum_verification=True)
    pd.testing.assert_frame_equal(plainer(found.to_pandas(), options), want)
    assert_sound(file)


@pytest.mark.parametrize("version", [1, 2])
@pytest.mark.parametrize(
    ("column", "encoding"),
    [
        (column, encoding)
        for columns, encodings in (
            (("rising", "few", "many", "when"), ("DELTA_BINARY_PACKED", "BYTE_STREAM_SPLIT")),
            (("cents", "noise", "none"), ("BYTE_STREAM_SPLIT",)),
            (("word", "url"), ("DELTA_LENGTH_BYTE_ARRAY", "DELTA_BYTE_ARRAY")),
            (("flag",), ("RLE",)),
            (("rising", "cents", "word", "flag", "when"), ("PLAIN",)),
            (("few", "cents", "word", "kind"), ("RLE_DICTIONARY",)),
        )
        for column in columns
        for encoding in encodings
    ],
)
def test_encodings_that_are_asked_for(column, encoding, version):
    """Are used, and others can read them."""
    frame, file = table(500, 1)[[column]], io.BytesIO()
    hp.write(file, frame, encoding={column: encoding}, page_version=version, page_rows=120)
    chunk = pq.ParquetFile(io.BytesIO(file.getvalue())).metadata.row_group(0).column(0)
    if frame[column].notna().any():
        assert encoding in chunk.encodings
    pd.testing.assert_frame_equal(hp.read(file), frame)
    pd.testing.assert_frame_equal(pq.read_table(io.BytesIO(file.getvalue())).to_pandas(), frame)


def test_alp_is_used_on_request():
    """It has no reader but ours yet, so that nobody gets it unasked."""
    frame, file = table(3000, 1)[["cents"]], io.BytesIO()
    hp.write(file, frame, encoding="ALP")
    assert 10 in hp.ParquetFile(file).row_groups[0].columns[0].meta_data.encodings
    pd.testing.assert_frame_equal(hp.read(file), frame)
