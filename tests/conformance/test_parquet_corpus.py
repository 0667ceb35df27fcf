"""Every file of the public corpus: read as others read it, or as it documents itself, or refused.

Where pyarrow reads a file right, our values have to equal its; where it does not, those that stand
in the file's own description. Files that are broken get a `ParquetError`.
"""

from __future__ import annotations

import warnings
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from hocket.parquet import DecryptionKeys, ParquetError, ParquetFile

DATA = Path(__file__).resolve().parents[3] / "shared" / "data"

#: Differences between two ways to hold a value, not between values.
_NO_DIFFERENCE = {"tz-flag", "uuid-str", "date~timestamp", "time~timedelta", "null=NaN", "map~dict"}
_NO_DIFFERENCE |= {"map~list-of-struct", "bool~number", "int~float", "bytes~str"}

#: Marked as broken in the corpus, and yet all that a reader needs is there, or was never damaged.
_READABLE = {"ARROW-GH-43605.parquet"}


def _files(pattern: str) -> list[Any]:
    found = sorted(DATA.rglob(pattern)) if DATA.exists() else []
    return [pytest.param(path, id=str(path.relative_to(DATA))) for path in found] or [
        pytest.param(None, marks=pytest.mark.skip(reason="the corpus is not beside this checkout"))
    ]


def _inside(path: Path) -> str:
    """Return a file's place in its corpus, as the comparison names files."""
    return str(path.relative_to(DATA / path.relative_to(DATA).parts[0]))


def _keys(compared: ModuleType, path: Path) -> DecryptionKeys | None:
    options = compared.opts_for(_inside(path))
    if options["kind"] != "encrypted":
        return None
    if options["external_kms"]:
        pytest.skip("shown where its key-management service is played")
    return DecryptionKeys(
        footer_key=options["footer_key"],
        column_keys=options["column_keys"],
        aad_prefix=options["aad_prefix"],
    )


def _check(compared: ModuleType, path: Path, result: Any) -> None:
    pq = pytest.importorskip("pyarrow.parquet")
    got, _, _ = compared.to_columns(result)
    kind = compared.kind_of(_inside(path))
    documented = compared.oracle(str(path.parents[1]), _inside(path))
    if documented is not None:
        verdict, note = compared.check_oracle(documented, got)
        assert verdict == "ok", note
        return
    reference = path
    if kind == "encrypted":
        pytest.importorskip("cryptography")
        options = compared.opts_for(_inside(path))
        if options["column_keys"]:
            return  # pyarrow has no keys for columns; the tests below name the values
        table = compared.read_pyarrow(str(path), options)
    else:
        table = pq.read_table(reference, partitioning=None)
    want, _, _ = compared.to_columns(table)
    equal, tags, note = compared.compare(want, got)
    assert equal, note
    assert not set(tags) - _NO_DIFFERENCE, tags


def _valid(path: Path) -> bool:
    return path is None or not ("bad_data" in path.parts or "INVALID" in path.name)


@pytest.mark.parametrize("path", _files("*.parquet*"))
def test_what_is_valid_is_read_as_it_is(compared: ModuleType, path: Path) -> None:
    if path.suffix == ".json" or path.name.startswith("_"):
        pytest.skip("no Parquet file")
    kind = compared.kind_of(_inside(path))
    if kind in {"bad", "bad-crc", "variant-invalid"}:
        pytest.skip("broken on purpose")
    keys = _keys(compared, path)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        _check(compared, path, ParquetFile(path, decryption=keys).to_pandas())
        if kind != "variant":
            _check(compared, path, ParquetFile(path, decryption=keys).to_arrow())


@pytest.mark.parametrize("path", _files("*.parquet"))
def test_what_is_broken_is_refused(compared: ModuleType, path: Path) -> None:
    kind = compared.kind_of(_inside(path))
    if kind not in {"bad", "bad-crc", "variant-invalid"} or path.name in _READABLE:
        pytest.skip("not broken")
    with pytest.raises(ParquetError) as caught:
        ParquetFile(path).to_pandas()
    assert path.name in str(caught.value)
