"""From a file to its metadata, whatever of it is encrypted."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hocket.parquet.crypto.ciphers import (
    FileCipher,
    cipher_of_encrypted_footer,
    cipher_of_plain_footer,
)
from hocket.parquet.crypto.keys import DecryptionKeys
from hocket.parquet.crypto.structures import parse_column_crypto
from hocket.parquet.errors import ParquetError
from hocket.parquet.io.footer import find_footer
from hocket.parquet.io.source import Source
from hocket.parquet.metadata.footer import FileMetadata, parse_footer

__all__ = ["read_footer", "read_metadata"]


def read_footer(
    source: Source, keys: DecryptionKeys | None = None
) -> tuple[NDArray[np.uint8], FileCipher | None]:
    """Read the bytes of the footer, decrypted if need be, with 64 zeros behind them.

    The cipher is that of a file with an encrypted footer. A plain footer may still belong to a file
    with encrypted columns: it says so itself, and `cipher_of_plain_footer` then makes the cipher;
    `read_metadata` does all of it.
    """
    raw = find_footer(source)
    if not raw.is_encrypted:
        return raw.data, None
    return cipher_of_encrypted_footer(raw.data, keys, source, raw.offset)


def read_metadata(
    source: Source, keys: DecryptionKeys | None = None
) -> tuple[FileMetadata, FileCipher | None]:
    """Read what the footer says, decrypted as far as there are keys.

    Parameters
    ----------
    source
        The file.
    keys
        What encrypted files are opened with.

    Returns
    -------
    tuple
        The metadata, and the file's cipher if anything in it is encrypted. The metadata of a column
        with a key of its own that is missing stays locked: only reading that column is an error.
    """
    footer, cipher = read_footer(source, keys)
    try:
        metadata = parse_footer(footer)
    except ParquetError as error:
        raise error.located(file=source.name) from error.__cause__
    metadata.file = source.name
    if cipher is None:
        algorithm_at = metadata.encryption_algorithm_at
        if algorithm_at is None:
            return metadata, None
        cipher = cipher_of_plain_footer(
            footer,
            metadata.serialised_nbytes,
            algorithm_at,
            metadata.footer_signing_key_metadata,
            keys,
            source,
        )
    _unlock(metadata, cipher, source)
    return metadata, cipher


def _unlock(metadata: FileMetadata, cipher: FileCipher, source: Source) -> None:
    pieces: dict[tuple[int, int], bytes] = {}
    ordinals = metadata.row_group_ordinal
    leaves = metadata.schema.leaves
    for row_group, column in np.argwhere(metadata.chunks.encrypted_metadata_at >= 0).tolist():
        crypto_at = int(metadata.chunks.crypto_at[row_group, column])
        encrypted = metadata.encrypted_metadata(row_group, column)
        if crypto_at < 0 or encrypted is None:
            continue
        unlocked = cipher.column_if_unlocked(
            leaves[column].path,
            int(ordinals[row_group]),
            column,
            parse_column_crypto(metadata.data, crypto_at),
        )
        if unlocked is None:
            continue
        try:
            plain = unlocked.decrypt_metadata(np.frombuffer(encrypted, np.uint8))
        except ParquetError as error:
            raise error.located(file=source.name) from error.__cause__
        pieces[row_group, column] = plain.tobytes()
    if pieces:
        metadata.add_decrypted(pieces)
