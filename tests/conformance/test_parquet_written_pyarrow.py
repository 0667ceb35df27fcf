"""What our writer makes of Arrow tables of all kinds, pyarrow reads as it was."""

from __future__ import annotations

import io
from typing import Any

import pytest

pa = pytest.importorskip("pyarrow")
pq = pytest.importorskip("pyarrow.parquet")

import pyarrow.parquet.encryption as pe  # noqa: E402 - what follows needs pyarrow
from hypothesis import given  # noqa: E402
from hypothesis import strategies as st  # noqa: E402
from parquet_equality import assert_same_table  # noqa: E402
from parquet_tables import examples, leaf_types, nested_types, schemas, tables  # noqa: E402
from parquet_write_options import write_options  # noqa: E402

import hocket.parquet as hp  # noqa: E402

CODECS = ("zstd", "snappy", "gzip", "brotli", "lz4", None)
OPTIONS = write_options(codecs=CODECS, versions=(1, 2))
OTHERS = st.sampled_from(
    [
        pa.null(),
        pa.dictionary(pa.int8(), pa.string()),
        pa.dictionary(pa.int32(), pa.int64()),
        pa.list_(pa.field("item", pa.int16()), 3),
    ]
)


def check(table: Any, options: dict[str, Any]) -> None:
    """Write a table and compare what pyarrow and we ourselves read."""
    file = io.BytesIO()
    hp.write(file, table, **options)
    raw = file.getvalue()
    found = pq.read_table(io.BytesIO(raw), page_checksum_verification=True)
    assert_same_table(table, found)
    assert_same_table(table, pa.table(hp.ParquetFile(raw).to_arrow()))


@examples(120)
@given(tables(schemas(leaf_types())), OPTIONS)
def test_flat_tables(table, options):
    check(table, options)


@examples(80)
@given(tables(schemas(nested_types(leaf_types()))), OPTIONS)
def test_nested_tables(table, options):
    check(table, options)


@examples(30)
@given(tables(schemas(OTHERS)), OPTIONS)
def test_other_types(table, options):
    check(table, options)


def test_encrypted_files():
    """Of one key, which pyarrow takes as it is."""
    table = pa.table({"a": range(1000), "s": ["text"] * 1000})
    key = b"0123456789012345"
    for algorithm in ("AES_GCM_V1", "AES_GCM_CTR_V1"):
        for encrypts_footer in (True, False):
            keys = hp.EncryptionKeys(key, algorithm=algorithm, encrypts_footer=encrypts_footer)
            file = io.BytesIO()
            hp.write(file, table, encryption=keys, page_rows=100)
            opened = pe.create_decryption_properties(key)
            found = pq.read_table(io.BytesIO(file.getvalue()), decryption_properties=opened)
            assert_same_table(table, found)
