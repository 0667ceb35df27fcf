"""Whole encrypted files, as pyarrow writes them with a key service, down to their pages."""

import base64
import pickle

import numpy as np
import pytest

import hocket.parquet as hp
from hocket.parquet.crypto import DecryptionKeys, Module, read_metadata
from hocket.parquet.errors import EncryptionError
from hocket.parquet.io.opening import open_source

MASTERS = {"kf": b"0123456789012345", "k1": b"1234567890123450", "k2": b"1234567890123451"}
ROWS = 1000
GROUP_ROWS = 400


def aesgcm(key):
    aead = pytest.importorskip("cryptography.hazmat.primitives.ciphers.aead")
    return aead.AESGCM(key)


def unwrap(wrapped, master):
    raw = base64.b64decode(wrapped)
    return aesgcm(MASTERS[master]).decrypt(raw[:12], raw[12:], master.encode())


def wrap(key, master):
    nonce = bytes(12)
    return base64.b64encode(nonce + aesgcm(MASTERS[master]).encrypt(nonce, key, master.encode()))


def columns():
    return {
        "open": np.arange(ROWS, dtype="<i8"),
        "locked": np.arange(ROWS, dtype="<f8") / 7,
        "other": np.arange(ROWS, dtype="<i4")[::-1].copy(),
    }


@pytest.fixture
def write(tmp_path):
    pa = pytest.importorskip("pyarrow")
    pq = pytest.importorskip("pyarrow.parquet")
    encryption = pytest.importorskip("pyarrow.parquet.encryption")

    class Service(encryption.KmsClient):
        def __init__(self, _):
            encryption.KmsClient.__init__(self)

        def wrap_key(self, key, master):
            return wrap(key, master).decode()

        def unwrap_key(self, wrapped, master):
            return unwrap(wrapped, master)

    def write_file(**how):
        configuration = encryption.EncryptionConfiguration(footer_key="kf", **how)
        factory = encryption.CryptoFactory(Service)
        path = tmp_path / "file.parquet"
        schema = pa.schema(
            [
                pa.field(name, pa.from_numpy_dtype(values.dtype), nullable=False)
                for name, values in columns().items()
            ]
        )
        properties = factory.file_encryption_properties(
            encryption.KmsConnectionConfig(), configuration
        )
        pq.write_table(
            pa.table(columns(), schema=schema),
            path,
            row_group_size=GROUP_ROWS,
            compression="none",
            use_dictionary=["other"],
            data_page_size=1000,
            write_batch_size=100,
            write_page_index=True,
            encryption_properties=properties,
        )
        return path

    return write_file


def plain_values(source, metadata, cipher, row_group, column):
    """Decrypt all pages of a chunk and put their bytes together, headers aside."""
    leaf = metadata.schema.leaves[column]
    chunks = metadata.chunks
    column_cipher = cipher.column_at(
        metadata.data, int(chunks.crypto_at[row_group, column]), leaf.path, row_group, column
    )
    nbytes = int(chunks.compressed_nbytes[row_group, column])
    data = source.read(int(chunks.start[row_group, column]), nbytes)
    assert column_cipher is not None
    pages, position, ordinal = [], 0, 0
    has_dictionary = chunks.dictionary_page_offset[row_group, column] >= 0
    while position < nbytes:
        is_dictionary = has_dictionary and not pages
        header, position = column_cipher.decrypt_page_header(
            data, position, ordinal, is_dictionary=is_dictionary if pages else None
        )
        assert header.size > 5
        page, position = column_cipher.decrypt_page(
            data, position, ordinal, is_dictionary=is_dictionary
        )
        pages.append(page.tobytes())
        ordinal += not is_dictionary
    for kind in ("column_index", "offset_index"):
        at = int(getattr(chunks, f"{kind}_offset")[row_group, column])
        size = int(getattr(chunks, f"{kind}_nbytes")[row_group, column])
        plain, end = column_cipher.decrypt_module(Module[kind.upper()], source.read(at, size))
        assert plain.size
        assert end == size
    return pages


@pytest.mark.parametrize("algorithm", ["AES_GCM_V1", "AES_GCM_CTR_V1"])
@pytest.mark.parametrize("plaintext_footer", [False, True])
@pytest.mark.parametrize("nbits", [128, 256])
@pytest.mark.parametrize("double", [False, True])
def test_columns_with_keys_of_their_own(write, algorithm, plaintext_footer, nbits, double):
    path = write(
        column_keys={"k1": ["locked"], "k2": ["other"]},
        encryption_algorithm=algorithm,
        plaintext_footer=plaintext_footer,
        data_key_length_bits=nbits,
        double_wrapping=double,
    )
    source = open_source(path)
    metadata, cipher = read_metadata(source, DecryptionKeys(unwrap_key=unwrap))
    assert metadata.num_rows == ROWS
    assert cipher.footer_is_encrypted != plaintext_footer
    assert (metadata.chunks.crypto_at[:, 0] < 0).all()
    for row_group in range(metadata.row_group_count):
        first = row_group * GROUP_ROWS
        pages = plain_values(source, metadata, cipher, row_group, 1)
        assert len(pages) > 1 or row_group == 2
        expected = columns()["locked"][first : first + GROUP_ROWS]
        assert b"".join(pages) == expected.tobytes()
        pages = plain_values(source, metadata, cipher, row_group, 2)
        assert pages[0] == columns()["other"][first : first + GROUP_ROWS].tobytes()
        at = int(metadata.chunks.data_page_offset[row_group, 0])
        assert columns()["open"][first : first + 100].tobytes() in source.read(at, 3000).tobytes()


@pytest.mark.parametrize("plaintext_footer", [False, True])
def test_columns_stay_readable_beside_one_whose_key_is_missing(write, plaintext_footer):
    path = write(column_keys={"k1": ["locked"], "k2": ["other"]}, plaintext_footer=plaintext_footer)

    def unwrap_some(wrapped, master):
        return None if master == "k2" else unwrap(wrapped, master)

    def retrieve(key_metadata):
        # (Quoted: two letters stand in the random parts as well, now and then.)
        return None if b'"k2"' in key_metadata else service.key(key_metadata)

    from hocket.parquet.crypto.key_material import KeyMaterial  # noqa: PLC0415

    service = KeyMaterial(unwrap_some, lambda: b"")
    source = open_source(path)
    metadata, cipher = read_metadata(source, DecryptionKeys(key_retriever=retrieve))
    expected = columns()["locked"][:GROUP_ROWS]
    assert b"".join(plain_values(source, metadata, cipher, 0, 1)) == expected.tobytes()
    with pytest.raises(EncryptionError, match="key of its own, which is missing") as caught:
        plain_values(source, metadata, cipher, 0, 2)
    assert caught.value.column == "other"
    assert caught.value.row_group == 0
    if plaintext_footer:
        metadata, cipher = read_metadata(source)
        assert metadata.num_rows == ROWS
        with pytest.raises(EncryptionError, match="column 'locked'"):
            plain_values(source, metadata, cipher, 0, 1)
    else:
        with pytest.raises(EncryptionError, match="pass its keys"):
            read_metadata(source)


def test_one_key_for_everything(write):
    path = write(uniform_encryption=True)
    source = open_source(path)
    metadata, cipher = read_metadata(source, DecryptionKeys(unwrap_key=unwrap))
    for column, name in enumerate(("open", "locked")):
        expected = columns()[name][:GROUP_ROWS]
        assert b"".join(plain_values(source, metadata, cipher, 0, column)) == expected.tobytes()


def test_a_signed_footer_that_was_changed_is_refused(write):
    path = write(column_keys={"k1": ["locked"]}, plaintext_footer=True)
    data = bytearray(path.read_bytes())
    # The name of a column in the footer.
    at = data.rindex(b"other")
    data[at : at + 5] = b"OTHER"
    keys = DecryptionKeys(unwrap_key=unwrap)
    with pytest.raises(EncryptionError, match="signature"):
        read_metadata(open_source(bytes(data)), keys)
    assert read_metadata(open_source(path), keys)


def test_a_page_moved_to_another_place_does_not_decrypt(write):
    path = write(column_keys={"k1": ["locked"]}, plaintext_footer=True)
    data = bytearray(path.read_bytes())
    keys = DecryptionKeys(unwrap_key=unwrap)
    metadata, _ = read_metadata(open_source(path), keys)
    first, second = metadata.chunks.start[:2, 1].tolist()
    nbytes = int(metadata.chunks.compressed_nbytes[0, 1])
    assert nbytes == int(metadata.chunks.compressed_nbytes[1, 1])
    data[first : first + nbytes], data[second : second + nbytes] = (
        data[second : second + nbytes],
        data[first : first + nbytes],
    )
    source = open_source(bytes(data))
    metadata, cipher = read_metadata(source, keys)
    with pytest.raises(EncryptionError, match="encrypted data page header"):
        plain_values(source, metadata, cipher, 0, 1)


@pytest.mark.parametrize("plain_footer", [True, False])
def test_parts_of_encrypted_files_are_decrypted_where_they_are_read(write, plain_footer):
    path = write(column_keys={"k1": ["locked"]}, plaintext_footer=plain_footer)
    opened = hp.ParquetFile(path, decryption=DecryptionKeys(unwrap_key=unwrap))
    stored = [pickle.dumps(part) for part in opened.parts(["locked"])]
    # Keys are unwrapped again; what the footer said stays here.
    assert max(map(len, stored)) < 1500
    read = [pickle.loads(part).to_numpy()["locked"] for part in stored]
    assert np.concatenate(read).tolist() == columns()["locked"].tolist()
