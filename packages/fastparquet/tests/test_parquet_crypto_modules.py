"""Encrypted modules: each decrypts with its key, at its place and unchanged, or not at all."""

import pickle
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from thrift.protocol.TCompactProtocol import TCompactProtocol
from thrift.transport.TTransport import TMemoryBuffer

from hocket.parquet.crypto import (
    ColumnCrypto,
    DecryptionKeys,
    Module,
    cipher_of_plain_footer,
    parse_column_crypto,
    read_footer,
)
from hocket.parquet.crypto.structures import parse_algorithm, parse_file_crypto
from hocket.parquet.errors import CorruptFile, EncryptionError, ParquetError, UnsupportedFeature
from hocket.parquet.io.buffers import PADDING_NBYTES
from hocket.parquet.io.opening import open_source
from hocket.parquet.metadata.generated import ttypes

ciphers = pytest.importorskip("cryptography.hazmat.primitives.ciphers")
aead = pytest.importorskip("cryptography.hazmat.primitives.ciphers.aead")
modes = pytest.importorskip("cryptography.hazmat.primitives.ciphers.modes")
algorithms = pytest.importorskip("cryptography.hazmat.primitives.ciphers.algorithms")

FOOTER_KEY = b"footer key 16 by"
COLUMN_KEY = b"column key: 24 bytes now"
UNIQUE = b"8 random"
NONCE = bytes(range(12))
OTHERS = [module for module in Module if module is not Module.FOOTER]


def serialised(struct):
    transport = TMemoryBuffer()
    struct.write(TCompactProtocol(transport))
    return transport.getvalue()


def framed(payload):
    return len(payload).to_bytes(4, "little") + payload


def sealed(plain, aad, key=FOOTER_KEY):
    return framed(NONCE + aead.AESGCM(key).encrypt(NONCE, plain, aad))


def sealed_by_ctr(plain, key):
    cipher = ciphers.Cipher(algorithms.AES(key), modes.CTR(NONCE + b"\0\0\0\1"))
    return framed(NONCE + cipher.encryptor().update(plain))


def algorithm(*, ctr=False, prefix=None, supply=None):
    kind = ttypes.AesGcmCtrV1 if ctr else ttypes.AesGcmV1
    details = kind(aad_prefix=prefix, aad_file_unique=UNIQUE, supply_aad_prefix=supply)
    field = "AES_GCM_CTR_V1" if ctr else "AES_GCM_V1"
    return ttypes.EncryptionAlgorithm(**{field: details})


def encrypted_file(footer, *, key=FOOTER_KEY, aad_prefix=b"", key_metadata=None, **how):
    crypto = ttypes.FileCryptoMetaData(
        encryption_algorithm=algorithm(**how), key_metadata=key_metadata
    )
    end = serialised(crypto) + sealed(footer, aad_prefix + UNIQUE + b"\0", key)
    return b"PARE" + end + len(end).to_bytes(4, "little") + b"PARE"


ENCRYPTED = encrypted_file(b"footer")


def cipher_of(*, keys=None, **how):
    keys = keys or DecryptionKeys(FOOTER_KEY, {"a.b": COLUMN_KEY})
    return read_footer(open_source(encrypted_file(b"footer", **how)), keys)[1]


def bytes_array(data):
    return np.frombuffer(data, np.uint8)


def aad_of(module, row_group, column, page):
    ordinals = [row_group, column]
    if module in (Module.DATA_PAGE, Module.DATA_PAGE_HEADER):
        ordinals.append(page)
    return UNIQUE + bytes([module]) + np.array(ordinals, "<i2").tobytes()


@pytest.mark.parametrize("nbytes", [16, 24, 32])
@pytest.mark.parametrize("ctr", [False, True])
@pytest.mark.parametrize("prefix", [None, b"table.part0"])
def test_an_encrypted_footer_opens_with_its_key(nbytes, ctr, prefix):
    key = b"k" * nbytes
    data = encrypted_file(b"the footer", key=key, ctr=ctr, prefix=prefix, aad_prefix=prefix or b"")
    for keys in [DecryptionKeys(key), DecryptionKeys(key, key_retriever={}.get)]:
        footer, cipher = read_footer(open_source(data), keys)
        assert footer.tobytes() == b"the footer"
        assert footer.base[10:].tobytes() == bytes(PADDING_NBYTES)
        assert cipher.footer_is_encrypted
        assert pickle.loads(pickle.dumps(cipher)).name == "<bytes>"


@pytest.mark.parametrize(
    ("keys", "reason"),
    [
        (None, "footer included; pass its keys"),
        (DecryptionKeys(column_keys={"a": COLUMN_KEY}), "its key is missing"),
        (DecryptionKeys(b"another key: 16b"), "wrong one"),
        (DecryptionKeys(FOOTER_KEY + b"12345678"), "wrong one"),
        (DecryptionKeys(FOOTER_KEY, aad_prefix=b"mine"), "has no identity"),
    ],
)
def test_an_encrypted_footer_stays_closed_without_its_key(keys, reason):
    with pytest.raises(EncryptionError, match=reason) as caught:
        read_footer(open_source(encrypted_file(b"the footer")), keys)
    assert caught.value.file == "<bytes>"


def test_the_identity_is_checked_or_asked_for():
    stored = encrypted_file(b"f", prefix=b"part0", aad_prefix=b"part0")
    assert read_footer(open_source(stored), DecryptionKeys(FOOTER_KEY, aad_prefix=b"part0"))
    with pytest.raises(EncryptionError, match="this is another file"):
        read_footer(open_source(stored), DecryptionKeys(FOOTER_KEY, aad_prefix=b"part1"))
    kept = encrypted_file(b"f", supply=True, aad_prefix=b"part0")
    assert read_footer(open_source(kept), DecryptionKeys(FOOTER_KEY, aad_prefix="part0"))
    with pytest.raises(EncryptionError, match="pass it as aad_prefix"):
        read_footer(open_source(kept), DecryptionKeys(FOOTER_KEY))
    with pytest.raises(EncryptionError, match="wrong one"):
        read_footer(open_source(kept), DecryptionKeys(FOOTER_KEY, aad_prefix=b"part1"))


@pytest.mark.parametrize("module", OTHERS)
def test_modules_decrypt_at_their_own_place_only(module):
    path = ("a", "b")
    column = cipher_of().column(path, 3, 5, ColumnCrypto(path, None))
    data = b"??" + sealed(b"module", aad_of(module, 3, 5, 7), COLUMN_KEY) + b"next"
    plain, after = column.decrypt_module(module, bytes_array(data), 2, 7)
    assert plain.tobytes() == b"module"
    assert plain.base[6:].tobytes() == bytes(PADDING_NBYTES)
    assert data[after:] == b"next"
    places = [(3, 6, 7), (4, 5, 7)]
    if module in (Module.DATA_PAGE, Module.DATA_PAGE_HEADER):
        places.append((3, 5, 8))
    for row_group, ordinal, page in places:
        wrong = cipher_of().column(path, row_group, ordinal, ColumnCrypto(path, None))
        with pytest.raises(EncryptionError, match=r"encrypted .*wrong one") as caught:
            wrong.decrypt_module(module, bytes_array(data), 2, page)
        assert caught.value.column == "a.b"
        assert caught.value.row_group == row_group
    for other in OTHERS:
        if other is not module:
            with pytest.raises(EncryptionError):
                column.decrypt_module(other, bytes_array(data), 2, 7)


@pytest.mark.parametrize("is_dictionary", [False, True])
def test_pages_of_gcm_ctr_have_their_headers_authenticated(is_dictionary):
    header, page = (
        (Module.DICTIONARY_PAGE_HEADER, Module.DICTIONARY_PAGE)
        if is_dictionary
        else (Module.DATA_PAGE_HEADER, Module.DATA_PAGE)
    )
    for ctr in (False, True):
        column = cipher_of(ctr=ctr).column(("a",), 0, 1, ColumnCrypto(None, None))
        body = (
            sealed_by_ctr(b"page" * 100, FOOTER_KEY)
            if ctr
            else sealed(b"page" * 100, aad_of(page, 0, 1, 0))
        )
        data = bytes_array(sealed(b"head", aad_of(header, 0, 1, 0)) + body)
        for known in (is_dictionary, None):
            plain, at = column.decrypt_page_header(data, 0, 0, is_dictionary=known)
            assert plain.tobytes() == b"head"
        plain, end = column.decrypt_page(data, at, 0, is_dictionary=is_dictionary)
        assert plain.tobytes() == b"page" * 100
        assert plain.base[400:].tobytes() == bytes(PADDING_NBYTES)
        assert end == data.size


def test_pages_of_no_bytes_decrypt_to_none():
    column = cipher_of().column(("a",), 0, 0, ColumnCrypto(None, None))
    data = bytes_array(sealed(b"", aad_of(Module.DATA_PAGE, 0, 0, 4)))
    assert column.decrypt_page(data, 0, 4)[0].size == 0
    column = cipher_of(ctr=True).column(("a",), 0, 0, ColumnCrypto(None, None))
    assert column.decrypt_page(bytes_array(sealed_by_ctr(b"", FOOTER_KEY)), 0, 4)[0].size == 0


def test_ordinals_that_the_format_cannot_have_are_errors():
    column = cipher_of().column(("a",), 0, 0, ColumnCrypto(None, None))
    data = bytes_array(sealed(b"x", b""))
    for page in (-1, 1 << 15, 1 << 40):
        with pytest.raises(CorruptFile, match="cannot have"):
            column.decrypt_page(data, 0, page)


@pytest.mark.parametrize("ctr", [False, True])
@pytest.mark.parametrize("claimed", [0, 11, 27, 29, 1000, (1 << 31) - 1, 1 << 31, (1 << 32) - 1])
def test_lengths_that_lie_are_errors(claimed, ctr):
    column = cipher_of(ctr=ctr).column(("a",), 0, 0, ColumnCrypto(None, None))
    data = bytes_array(claimed.to_bytes(4, "little") + NONCE + bytes(10))
    with pytest.raises(CorruptFile, match=f"claims {claimed:,} bytes, and there are 22"):
        column.decrypt_page(data, 0, 0)
    for position in (23, 26, 27, 1 << 50, -1):
        with pytest.raises(CorruptFile):
            column.decrypt_page(data, position, 0)


@given(st.integers(0, 10_000), st.integers(1, 255))
def test_no_bit_of_an_encrypted_footer_can_change_unseen(place, change):
    data = bytearray(encrypted_file(b"the footer" * 3, prefix=b"part0", aad_prefix=b"part0"))
    data[place % (len(data) - 4)] ^= change
    keys = DecryptionKeys(FOOTER_KEY, aad_prefix=b"part0")
    with pytest.raises(ParquetError) as caught:
        read_footer(open_source(bytes(data)), keys)
    assert isinstance(caught.value, CorruptFile | EncryptionError | UnsupportedFeature)


def test_every_truncation_of_an_encrypted_footer_is_a_clean_error():
    data = encrypted_file(b"the footer", prefix=b"part0", key_metadata=b"kf")[4:-8]
    for length in range(len(data)):
        cut = b"PARE" + data[:length] + length.to_bytes(4, "little") + b"PARE"
        with pytest.raises((CorruptFile, EncryptionError)):
            read_footer(open_source(cut), DecryptionKeys(FOOTER_KEY))


def test_a_plain_footer_is_checked_by_its_signature():
    metadata = b"plain footer " + serialised(algorithm(prefix=b"p")) + b" and more"
    tag = aead.AESGCM(FOOTER_KEY).encrypt(NONCE, metadata, b"p" + UNIQUE + b"\0")[-16:]

    def open_it(footer, keys):
        at = len(b"plain footer ")
        source = open_source(b"file")
        return cipher_of_plain_footer(bytes_array(footer), len(metadata), at, b"kf", keys, source)

    signed = metadata + NONCE + tag
    path = ("a", "b")
    for keys in [DecryptionKeys(FOOTER_KEY), DecryptionKeys(key_retriever={b"kf": FOOTER_KEY}.get)]:
        cipher = open_it(signed, keys)
        assert not cipher.footer_is_encrypted
        assert cipher.column(path, 0, 0, ColumnCrypto(None, None))
        with pytest.raises(EncryptionError, match="key of its own, which is missing") as caught:
            cipher.column(path, 0, 0, ColumnCrypto(path, b"kc"))
        assert caught.value.column == "a.b"
    cipher = open_it(signed, None)
    with pytest.raises(EncryptionError, match="the footer's key, which is missing"):
        cipher.column(path, 0, 0, ColumnCrypto(None, None))
    assert open_it(metadata, DecryptionKeys(column_keys={"a": COLUMN_KEY}))
    with pytest.raises(EncryptionError, match="in place of a signature"):
        open_it(metadata, DecryptionKeys(FOOTER_KEY))
    for place in (0, len(metadata) - 1, len(metadata), len(signed) - 1):
        changed = bytearray(signed)
        changed[place] ^= 1
        with pytest.raises(EncryptionError, match="signature is not that of its bytes"):
            open_it(bytes(changed), DecryptionKeys(FOOTER_KEY))


def test_columns_find_their_keys():
    path = ("a", "b")
    cipher = cipher_of(keys=DecryptionKeys(FOOTER_KEY, {"a.b": COLUMN_KEY}))
    footer = b"?" + serialised(
        ttypes.ColumnCryptoMetaData(
            ENCRYPTION_WITH_COLUMN_KEY=ttypes.EncryptionWithColumnKey(["a", "b"], b"kc1")
        )
    )
    assert parse_column_crypto(bytes_array(footer), 1) == ColumnCrypto(path, b"kc1")
    assert cipher.column_at(bytes_array(footer), -1, path, 0, 0) is None
    column = cipher.column_at(bytes_array(footer), 1, path, 2, 4)
    assert (column.path, column.row_group, column.column) == (path, 2, 4)
    with pytest.raises(CorruptFile, match=r"another column, 'a\.b'"):
        cipher.column_at(bytes_array(footer), 1, ("a", "c"), 0, 0)
    footer = serialised(
        ttypes.ColumnCryptoMetaData(ENCRYPTION_WITH_FOOTER_KEY=ttypes.EncryptionWithFooterKey())
    )
    assert parse_column_crypto(bytes_array(footer), 0) == ColumnCrypto(None, None)
    with pytest.raises(UnsupportedFeature, match="way that this version"):
        parse_column_crypto(bytes_array(b"\0"), 0)


def test_structures_are_read_as_thrift_wrote_them_fields_unknown_today_skipped():
    for ctr in (False, True):
        for supply in (None, False, True):
            written = algorithm(ctr=ctr, prefix=b"p" * 300, supply=supply)
            read = parse_algorithm(bytes_array(b"x" + serialised(written)), 1)
            assert read.pages_by_ctr == ctr
            assert read.aad_prefix == b"p" * 300
            assert read.aad_file_unique == UNIQUE
            assert read.supply_aad_prefix == bool(supply)
    # A file's structure holds fields of every kind; here it stands for one of the future.
    statistics = ttypes.Statistics(max=b"x", null_count=7, is_max_value_exact=True)
    column = ttypes.ColumnMetaData(
        1, [0, 3], ["a"], 1, 2, 3, 4, [ttypes.KeyValue("k", "v")], 5, statistics=statistics
    )
    inner = serialised(column)
    crypto = serialised(ttypes.FileCryptoMetaData(algorithm(), b"kf"))
    # Field 3, a struct; field 4, a map from byte to double; field 5, an empty map; the end.
    future = crypto[:-1] + b"\x1c" + inner + b"\x1b\x01\x37\x05" + bytes(8) + b"\x1b\0\0"
    assert parse_file_crypto(bytes_array(future))[1:] == (b"kf", len(future))


@given(st.binary(max_size=60))
def test_random_bytes_are_a_structure_or_a_clean_error(data):
    for parse in (parse_file_crypto, lambda raw: parse_column_crypto(raw, 0)):
        try:
            parse(bytes_array(data))
        except (CorruptFile, UnsupportedFeature):
            continue
        assert data


def test_without_the_package_the_error_says_what_to_install(monkeypatch):
    for name in [name for name in sys.modules if name.partition(".")[0] == "cryptography"]:
        monkeypatch.setitem(sys.modules, name, None)
    data = ENCRYPTED
    with pytest.raises(EncryptionError, match=r"pip install 'hocket-parquet\[encryption\]'"):
        read_footer(open_source(data), DecryptionKeys(FOOTER_KEY))
