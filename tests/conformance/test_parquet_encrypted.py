"""Files that pyarrow and polars encrypted, in every way they can."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from hocket.parquet import DecryptionKeys, ParquetError, ParquetFile

pa = pytest.importorskip("pyarrow")
pytest.importorskip("cryptography")

_ROWS = 50


def _key(first: int, nbytes: int) -> bytes:
    return (b"0123456789" * 4)[first : first + nbytes]


@pytest.fixture(scope="module")
def table() -> Any:
    count = range(_ROWS)
    return pa.table(
        {
            "boolean": [at % 2 == 0 for at in count],
            "time": pa.array(count, pa.time32("ms")),
            "list": pa.array([[at, at + 1][: at % 3] for at in count]),
            "single": pa.array([at * 1.5 for at in count], pa.float32()),
            "double": [at * 1.1111111 for at in count],
            "bytes": [b"parquet%03d" % at if at % 2 else None for at in count],
            "fixed": pa.array([bytes([at]) * 10 for at in count], pa.binary(10)),
        }
    )


def _check(path: Any, table: Any, keys: DecryptionKeys, wrong: list[DecryptionKeys]) -> None:
    found = pa.table(ParquetFile(path, decryption=keys).to_arrow())
    assert found.to_pylist() == table.to_pylist()
    chosen = ParquetFile(path, decryption=keys).to_pandas(
        columns=["bytes"], filters=[("double", ">", 25)]
    )
    assert len(chosen) == sum(value > 25 for value in table["double"].to_pylist())
    for each in wrong:
        with pytest.raises(ParquetError):
            ParquetFile(path, decryption=each).to_pandas()


@pytest.mark.parametrize("prefix", [None, b"tester"])
@pytest.mark.parametrize("is_stored", [True, False])
@pytest.mark.parametrize("nbytes", [16, 24, 32])
@pytest.mark.parametrize("algorithm", ["AES_GCM_V1", "AES_GCM_CTR_V1"])
@pytest.mark.parametrize("plain_footer", [True, False])
def test_one_key(
    tmp_path: Any,
    table: Any,
    prefix: bytes | None,
    is_stored: bool,
    nbytes: int,
    algorithm: str,
    plain_footer: bool,
) -> None:
    encryption = pytest.importorskip("pyarrow.parquet.encryption")
    pq = pytest.importorskip("pyarrow.parquet")
    path = tmp_path / "encrypted.parquet"
    key = _key(0, nbytes)
    properties = encryption.create_encryption_properties(
        key,
        aad_prefix=prefix,
        store_aad_prefix=is_stored,
        encryption_algorithm=algorithm,
        plaintext_footer=plain_footer,
    )
    pq.write_table(
        table,
        path,
        encryption_properties=properties,
        row_group_size=20,
        data_page_size=64,
        write_batch_size=5,
        write_page_index=True,
        data_page_version="2.0" if plain_footer else "1.0",
    )
    wrong = [DecryptionKeys(footer_key=_key(1, nbytes), aad_prefix=prefix)]
    if prefix is not None:
        wrong.append(DecryptionKeys(footer_key=key, aad_prefix=b"another"))
        if is_stored:
            _check(path, table, DecryptionKeys(footer_key=key), [])
        else:
            wrong.append(DecryptionKeys(footer_key=key))
    _check(path, table, DecryptionKeys(footer_key=key, aad_prefix=prefix), wrong)


@pytest.mark.parametrize("prefix", [None, b"tester"])
@pytest.mark.parametrize("is_stored", [True, False])
@pytest.mark.parametrize("nbytes", [16, 32])
@pytest.mark.parametrize("plain_footer", [True, False])
def test_keys_of_columns(
    tmp_path: Any,
    table: Any,
    prefix: bytes | None,
    is_stored: bool,
    nbytes: int,
    plain_footer: bool,
) -> None:
    polars = pytest.importorskip("polars")
    path = tmp_path / "encrypted.parquet"
    names = ["double", "single", "boolean", "bytes", "list.list.element"]
    for count in (2, 5):
        keys = {name: _key(at, nbytes) for at, name in enumerate(names[:count], 1)}
        properties = polars.ParquetEncryptionProperties(
            footer_key=_key(0, nbytes),
            column_keys=keys,
            plaintext_footer=plain_footer,
            aad_prefix=prefix,
            store_aad_prefix=is_stored and prefix is not None,
        )
        written = table.drop_columns(["time", "fixed"])
        polars.from_arrow(written).write_parquet(path, encryption=properties)
        given = {"footer_key": _key(0, nbytes), "aad_prefix": prefix}
        missing = dict(itertools.islice(keys.items(), 1))
        swapped = dict(zip(keys, reversed(keys.values()), strict=True))
        wrong = [DecryptionKeys(**given, column_keys=each) for each in (missing, swapped)]
        _check(path, written, DecryptionKeys(**given, column_keys=keys), wrong)
