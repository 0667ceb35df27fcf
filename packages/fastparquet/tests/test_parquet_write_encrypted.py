"""Encrypted files: only keys open them, and nothing of them tells what is inside."""

from __future__ import annotations

import io
import itertools

import numpy as np
import pandas as pd
import pytest
from parquet_soundness import assert_sound

import hocket.parquet as hp

FOOTER, OWN = b"0123456789012345", b"a key of its own, of 32 bytes .."
SECRET = "find me if you can"
FRAME = pd.DataFrame(
    {
        "a": np.arange(3000),
        "b": np.random.default_rng(0).normal(size=3000),
        "s": [f"{SECRET} {n % 7}" for n in range(3000)],
    }
)


def written(keys, **options) -> io.BytesIO:
    file = io.BytesIO()
    options = {"row_group_rows": 1000, "page_rows": 300, "bloom_filters": ["a", "s"], **options}
    hp.write(file, FRAME, encryption=keys, compression=None, **options)
    return file


@pytest.mark.parametrize(
    ("algorithm", "encrypts_footer", "encrypts_others", "column_keys", "prefix", "version"),
    [
        *itertools.product(
            ["AES_GCM_V1", "AES_GCM_CTR_V1"],
            [True, False],
            [True, False],
            [{}, {"s": OWN}],
            [None],
            [1],
        ),
        ("AES_GCM_V1", True, True, {"s": OWN}, b"file 7", 2),
    ],
)
def test_with_keys_all_is_there(
    algorithm, encrypts_footer, encrypts_others, column_keys, prefix, version
):
    keys = hp.EncryptionKeys(
        FOOTER,
        column_keys,
        algorithm=algorithm,
        encrypts_footer=encrypts_footer,
        encrypts_others=encrypts_others,
        aad_prefix=prefix,
        stores_aad_prefix=prefix is None,
    )
    file = written(keys, page_version=version)
    decryption = hp.DecryptionKeys(footer_key=FOOTER, column_keys=column_keys, aad_prefix=prefix)
    opened = hp.ParquetFile(file, decryption=decryption)
    pd.testing.assert_frame_equal(opened.to_pandas(), FRAME)
    found = opened.to_pandas(filters=[("a", "in", [5, 2500])], row_filter=True)
    assert found["a"].tolist() == [5, 2500]
    assert_sound(file, decryption)
    raw = file.getvalue()
    assert (SECRET.encode() in raw) == (not column_keys and not encrypts_others)
    assert raw[:4] == raw[-4:] == (b"PARE" if encrypts_footer else b"PAR1")


def test_without_the_right_keys_nothing_is_there():
    file = written(hp.EncryptionKeys(FOOTER, {"s": OWN}))
    with pytest.raises(hp.EncryptionError):
        hp.ParquetFile(file)
    with pytest.raises(hp.EncryptionError):
        hp.ParquetFile(file, decryption=hp.DecryptionKeys(footer_key=OWN))
    some = hp.ParquetFile(file, decryption=hp.DecryptionKeys(footer_key=FOOTER))
    pd.testing.assert_frame_equal(some.to_pandas(columns=["a", "b"]), FRAME[["a", "b"]])
    with pytest.raises(hp.EncryptionError):
        some.to_pandas()


def test_a_plain_footer_is_signed_and_tells_no_bounds():
    file = written(
        hp.EncryptionKeys(FOOTER, {"s": OWN}, encrypts_footer=False, encrypts_others=False)
    )
    plain = hp.ParquetFile(file)
    pd.testing.assert_frame_equal(plain.to_pandas(columns=["a", "b"]), FRAME[["a", "b"]])
    chunk = plain.row_groups[0].columns[2]
    assert chunk.meta_data.statistics is None
    raw = bytearray(file.getvalue())
    at = raw.rindex(b"hocket-parquet version")
    raw[at] ^= 1
    with pytest.raises(hp.EncryptionError, match="signature"):
        hp.ParquetFile(bytes(raw), decryption=hp.DecryptionKeys(footer_key=FOOTER))


def test_keys_by_what_the_file_tells_of_them():
    keys = hp.EncryptionKeys(
        FOOTER, {"s": OWN}, footer_key_metadata=b"f", column_key_metadata={"s": b"own"}
    )
    retrieve = {b"f": FOOTER, b"own": OWN}.get
    file = written(keys)
    opened = hp.ParquetFile(file, decryption=hp.DecryptionKeys(key_retriever=retrieve))
    pd.testing.assert_frame_equal(opened.to_pandas(), FRAME)


def test_parts_cannot_change_places():
    """Each is bound to its own: of two equal row groups, neither passes for the other."""
    file = io.BytesIO()
    keys = hp.EncryptionKeys(FOOTER)
    # (Checksums are of what was encrypted, and so take four bytes or five.)
    hp.write(
        file,
        {"a": np.zeros(20, np.int64)},
        encryption=keys,
        row_group_rows=10,
        page_index=False,
        checksums=False,
    )
    decryption = hp.DecryptionKeys(footer_key=FOOTER)
    first, second = hp.ParquetFile(file, decryption=decryption).row_groups
    places = [
        (each.file_offset, each.file_offset + each.total_compressed_size)
        for each in (first, second)
    ]
    raw = bytearray(file.getvalue())
    (a, b), (c, d) = places
    assert b - a == d - c
    raw[a:b], raw[c:d] = raw[c:d], raw[a:b]
    with pytest.raises(hp.EncryptionError):
        hp.ParquetFile(bytes(raw), decryption=decryption).to_pandas()


@pytest.mark.parametrize(
    ("arguments", "match"),
    [
        ({"footer_key": b"short"}, "footer_key has 5 bytes"),
        ({"footer_key": "0123456789012345"}, "footer_key is str"),
        ({"column_keys": {"a": b"x"}}, "column 'a' has 1 bytes"),
        ({"algorithm": "AES"}, "'AES'.*AES_GCM_V1"),
        ({"aad_prefix": "text"}, "aad_prefix is str"),
        ({"stores_aad_prefix": False}, "needs an aad_prefix"),
        ({"column_key_metadata": {"a": b"x"}}, "a, which have no key"),
    ],
)
def test_what_are_no_keys(arguments, match):
    with pytest.raises(hp.InvalidOption, match=match):
        hp.EncryptionKeys(**{"footer_key": FOOTER, **arguments})


def test_keys_of_columns_that_are_not_there():
    with pytest.raises(hp.ColumnMissing, match=r"in column_keys: .*did you mean"):
        written(hp.EncryptionKeys(FOOTER, {"ss": OWN}))


def test_keys_are_not_shown():
    shown = repr(hp.EncryptionKeys(FOOTER, {"s": OWN}))
    assert FOOTER.decode() not in shown
    assert OWN.decode() not in shown


def test_too_many_pages():
    keys = hp.EncryptionKeys(FOOTER)
    data = {"a": np.arange(40_000)}
    with pytest.raises(hp.InvalidOption, match="larger pages"):
        hp.write(io.BytesIO(), data, encryption=keys, page_rows=1, compression=None)
