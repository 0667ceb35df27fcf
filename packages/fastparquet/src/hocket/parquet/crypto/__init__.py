"""Modular encryption: keys, and the decryption of a file's parts."""

from hocket.parquet.crypto.ciphers import (
    ColumnCipher,
    FileCipher,
    cipher_of_encrypted_footer,
    cipher_of_plain_footer,
)
from hocket.parquet.crypto.file_metadata import read_footer, read_metadata
from hocket.parquet.crypto.keys import DecryptionKeys
from hocket.parquet.crypto.modules import Module
from hocket.parquet.crypto.structures import ColumnCrypto, parse_column_crypto

__all__ = [
    "ColumnCipher",
    "ColumnCrypto",
    "DecryptionKeys",
    "FileCipher",
    "Module",
    "cipher_of_encrypted_footer",
    "cipher_of_plain_footer",
    "parse_column_crypto",
    "read_footer",
    "read_metadata",
]
