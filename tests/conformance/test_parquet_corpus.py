"""Every file of the public corpus: read as others read it, or as it documents itself, or refused.

Where pyarrow reads a file right, our values have to equal its; where it does not, those that stand
in the file's own description. Files that are broken get a `ParquetError`.
"""

from __future__ import annotations

import warnings
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pandas as pd
import pytest

from hocket.parquet import DecryptionKeys, ParquetError, ParquetFile
from hocket.parquet.variant import decode

pytestmark = [
    # The comparison of values leaves files open.
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]

DATA = Path(__file__).resolve().parents[3] / "shared" / "data"

#: Differences between two ways to hold a value, not between values.
_NO_DIFFERENCE = {"tz-flag", "uuid-str", "date~timestamp", "time~timedelta", "null=NaN", "map~dict"}
_NO_DIFFERENCE |= {"map~list-of-struct", "bool~number", "int~float", "bytes~str"}

#: Marked as broken, and yet all that a reader needs is there (the first was never damaged; of the
#: others the corpus says what one that does not refuse them has to give).
_READABLE = {"ARROW-GH-43605.parquet", "case-043-INVALID.parquet", "case-125-INVALID.parquet"}

#: What pyarrow cannot read, and a file with the same values that it can.
_TWINS = {"no_path_in_schema.zstd.parquet": "parquet-testing/data/nested_maps.snappy.parquet"}


def _files(pattern: str) -> list[Any]:
    found = sorted(DATA.rglob(pattern)) if DATA.exists() else []
    return [
        pytest.param(path, id=str(path.relative_to(DATA)))
        for path in found
        if not path.name.startswith("_")
    ] or [
        pytest.param(None, marks=pytest.mark.skip(reason="the corpus is not beside this checkout"))
    ]


def _inside(path: Path) -> str:
    """Return a file's place in its corpus, as the comparison names files."""
    return str(path.relative_to(DATA / path.relative_to(DATA).parts[0]))


def _is_broken(compared: ModuleType, path: Path) -> bool:
    if path.name in _READABLE or path.parent.name == "variants":
        return False
    return compared.kind_of(_inside(path)) in {"bad", "bad-crc", "variant-invalid"}


def _open(compared: ModuleType, path: Path) -> ParquetFile:
    options = compared.opts_for(_inside(path))
    if options["kind"] != "encrypted":
        return ParquetFile(path)
    keys: dict[str, Any] = {name: options[name] for name in ("footer_key", "column_keys")}
    if options["external_kms"]:
        keys = {"unwrap_key": _unwrap}
    return ParquetFile(path, decryption=DecryptionKeys(**keys, aad_prefix=options["aad_prefix"]))


def _unwrap(wrapped: Any, master_key_id: str) -> bytes:
    """Play the key-management service that the corpus' external key material is of."""
    import base64  # noqa: PLC0415

    aead = pytest.importorskip("cryptography.hazmat.primitives.ciphers.aead")
    masters = {"kf": b"0123456789012345", "kc1": b"1234567890123450", "kc2": b"1234567890123451"}
    raw = base64.b64decode(wrapped)
    key: bytes = aead.AESGCM(masters[master_key_id]).decrypt(
        raw[:12], raw[12:], master_key_id.encode()
    )
    return key


def _check(compared: ModuleType, path: Path, result: Any) -> None:
    got, _, _ = compared.to_columns(result)
    csv = path.with_name(f"{path.stem}_expect.csv")
    if csv.exists():
        _check_csv(csv, result)
        return
    documented = compared.oracle(str(path.parents[1]), _inside(path))
    if documented is not None:
        verdict, note = compared.check_oracle(documented, got)
        assert verdict == "ok", note
        return
    options = compared.opts_for(_inside(path))
    if options.get("column_keys") and not options["external_kms"]:
        return  # pyarrow takes no keys for columns; `test_encrypted_...` names the values
    reference = DATA / _TWINS[path.name] if path.name in _TWINS else path
    want, _, _ = compared.to_columns(compared.read_pyarrow(str(reference), options))
    if options["kind"] == "encrypted" and "int96_field" in want:
        # Its values lie 6,700 years back: pyarrow's nanoseconds wrap around, ours are microseconds.
        pairs = zip(want.pop("int96_field"), got.pop("int96_field"), strict=True)
        assert all((one[1] - other[1]) % (1 << 64) < 1000 for one, other in pairs)
    equal, tags, note = compared.compare(want, got)
    assert equal, note
    assert not set(tags) - _NO_DIFFERENCE, tags


def _check_csv(csv: Path, result: Any) -> None:
    """Compare with the values beside the file, by position: some headers are not the schema's."""
    if not isinstance(result, pd.DataFrame):
        result = pytest.importorskip("pyarrow").table(result).to_pandas()
    for index in range(result.shape[1]):
        column = result.iloc[:, index]
        text = pd.read_csv(csv, dtype=str, keep_default_na=False, usecols=[index]).iloc[:, 0]
        if isinstance(column.dtype, np.dtype) and column.dtype.kind in "iuf":
            want = pd.to_numeric(text.replace("", None), dtype_backend="numpy_nullable")
            want = want.to_numpy(dtype=column.dtype, na_value=np.nan if text.eq("").any() else None)
            np.testing.assert_array_equal(column.to_numpy(), want)
        elif column.dtype.name.startswith(("Int", "UInt")):
            want = [None if value == "" else int(value) for value in text]
            assert [None if value is pd.NA else value for value in column] == want
        else:
            want = [None if value == "" else value for value in text]
            assert [None if pd.isna(value) else str(value)[:100] for value in column] == [
                None if value is None else value[:100] for value in want
            ]


@pytest.mark.parametrize("path", _files("*.parquet*"))
def test_what_is_valid_is_read_as_it_is(compared: ModuleType, path: Path) -> None:
    if _is_broken(compared, path) or path.parent.name == "variants":
        return  # See below.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        _check(compared, path, _open(compared, path).to_pandas())
        _check(compared, path, _open(compared, path).to_arrow())


@pytest.mark.parametrize("path", _files("*.parquet"))
def test_what_is_broken_is_refused(compared: ModuleType, path: Path) -> None:
    if _is_broken(compared, path):
        for method in ("to_pandas", "to_arrow"):
            with pytest.raises(ParquetError) as caught:
                getattr(ParquetFile(path), method)()
            assert path.name in str(caught.value)


@pytest.mark.parametrize("path", _files("variants/*.parquet"))
def test_malformed_variants_are_refused(path: Path) -> None:
    frame = ParquetFile(path).to_pandas()  # They are not annotated: two columns of bytes.
    for row in frame.itertuples():
        with pytest.raises(ParquetError):
            decode(row.metadata, row.value)


@pytest.mark.parametrize("path", _files("encrypt_columns_and_footer*.encrypted"))
def test_encrypted_columns_have_the_values_of_the_uniform_file(
    compared: ModuleType, path: Path
) -> None:
    got = _open(compared, path).to_pandas()
    if "bloom_filter" in path.name:
        count = np.arange(2000)
        assert (got["int32_field"] == count).all()
        assert (got["double_field"] == count + 0.5).all()
        assert (got["float_field"] == count + 0.25).all()
        assert list(got["name"]) == [f"name_{index}" for index in count]
        return
    want = _open(compared, path.with_name("uniform_encryption.parquet.encrypted")).to_pandas()
    shared = ["boolean_field", "int32_field", "float_field", "double_field"]
    rows = min(len(got), len(want))
    assert rows
    pd.testing.assert_frame_equal(got[shared].head(rows), want[shared].head(rows))
