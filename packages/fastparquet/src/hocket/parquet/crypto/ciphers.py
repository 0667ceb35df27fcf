"""Decryption of one file, and of one column chunk in it."""

from __future__ import annotations

import threading
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from hocket.parquet.crypto.aes import SIGNATURE_NBYTES, AesKey
from hocket.parquet.crypto.key_material import KeyMaterial
from hocket.parquet.crypto.keys import DecryptionKeys, check_key
from hocket.parquet.crypto.modules import Module, module_aad
from hocket.parquet.crypto.structures import (
    Algorithm,
    ColumnCrypto,
    parse_algorithm,
    parse_column_crypto,
    parse_file_crypto,
)
from hocket.parquet.errors import CorruptFile, EncryptionError, ParquetError
from hocket.parquet.io.opening import open_source
from hocket.parquet.io.source import Source

__all__ = [
    "ColumnCipher",
    "FileCipher",
    "cipher_of_encrypted_footer",
    "cipher_of_plain_footer",
]

_KEY_HINT: Final = "pass it in DecryptionKeys"


class ColumnCipher:
    """Decrypts what belongs to one column chunk. Threads may share it.

    Parameters
    ----------
    key
        The column's key.
    file_aad
        What tells this file's modules from another's.
    pages_by_ctr
        Pages, unlike their headers, are encrypted by AES-CTR.
    path
        The column, for messages.
    row_group, column
        Ordinals of the chunk's place.
    """

    __slots__ = ("_file_aad", "_key", "_pages_by_ctr", "column", "path", "row_group")

    def __init__(
        self,
        key: AesKey,
        file_aad: bytes,
        path: tuple[str, ...],
        row_group: int,
        column: int,
        *,
        pages_by_ctr: bool,
    ) -> None:
        self._key = key
        self._file_aad = file_aad
        self._pages_by_ctr = pages_by_ctr
        self.path = path
        self.row_group = row_group
        self.column = column

    def decrypt_module(
        self, module: Module, buffer: NDArray[np.uint8], position: int = 0, page_ordinal: int = 0
    ) -> tuple[NDArray[np.uint8], int]:
        """Decrypt the part at a position, be it an index, a Bloom filter, metadata, a page.

        Returns
        -------
        tuple
            The plain bytes, followed by 64 zeros, and the position after the part.
        """
        try:
            if self._pages_by_ctr and module in (Module.DATA_PAGE, Module.DICTIONARY_PAGE):
                return self._key.decrypt_ctr(buffer, position)
            aad = module_aad(self._file_aad, module, self.row_group, self.column, page_ordinal)
            return self._key.decrypt_gcm(buffer, position, aad)
        except ParquetError as error:
            name = module.name.lower().replace("_", " ")
            error.reason = f"encrypted {name}: {error.reason}"
            raise error.located(column=".".join(self.path), row_group=self.row_group) from None

    def decrypt_metadata(self, encrypted: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Decrypt ``encrypted_column_metadata``: the bytes of a Thrift ``ColumnMetaData``."""
        return self.decrypt_module(Module.COLUMN_METADATA, encrypted)[0]

    def decrypt_page_header(
        self,
        buffer: NDArray[np.uint8],
        position: int,
        page_ordinal: int,
        *,
        is_dictionary: bool | None = False,
    ) -> tuple[NDArray[np.uint8], int]:
        """Decrypt the page header at a position.

        Parameters
        ----------
        buffer
            Bytes of the column chunk.
        position
            Where the header begins in them.
        page_ordinal
            Number of the page in its chunk, from 0, dictionary pages not counted.
        is_dictionary
            What kind of page it must be. None: not known, try both (for a chunk's first page).

        Returns
        -------
        tuple
            The header, followed by 64 zeros, and the position after it.
        """
        if is_dictionary is None:
            try:
                return self.decrypt_module(Module.DICTIONARY_PAGE_HEADER, buffer, position)
            except EncryptionError:
                is_dictionary = False
        module = Module.DICTIONARY_PAGE_HEADER if is_dictionary else Module.DATA_PAGE_HEADER
        return self.decrypt_module(module, buffer, position, page_ordinal)

    def decrypt_page(
        self,
        buffer: NDArray[np.uint8],
        position: int,
        page_ordinal: int,
        *,
        is_dictionary: bool = False,
    ) -> tuple[NDArray[np.uint8], int]:
        """Decrypt the page at a position, without decompressing it.

        As `decrypt_page_header`. What the header calls the compressed size is that of the
        encrypted page, so the position after it must be ``position`` plus that size.
        """
        module = Module.DICTIONARY_PAGE if is_dictionary else Module.DATA_PAGE
        return self.decrypt_module(module, buffer, position, page_ordinal)

    def __repr__(self) -> str:
        return f"<ColumnCipher of {'.'.join(self.path)!r}, row group {self.row_group}>"


class FileCipher:
    """Knows the keys of one file. It can be pickled if the functions of its keys can.

    Parameters
    ----------
    algorithm
        How the file is encrypted.
    keys
        What the caller has.
    source
        The file, beside which external key material is looked for.
    footer_key_metadata
        What the file says about the key of its footer.
    footer_is_encrypted
        The footer is encrypted, not only signed.
    """

    def __init__(
        self,
        algorithm: Algorithm,
        keys: DecryptionKeys,
        source: Source,
        footer_key_metadata: bytes | None,
        *,
        footer_is_encrypted: bool,
    ) -> None:
        self._algorithm = algorithm
        self._keys = keys
        self._source: Source | None = source
        self.name = source.name
        self._footer_key_metadata = footer_key_metadata
        self.footer_is_encrypted = footer_is_encrypted
        self._start()

    def _start(self) -> None:
        self._retrieved: dict[bytes, AesKey | None] = {}
        self._lock = threading.Lock()
        self._material = KeyMaterial(self._keys.unwrap_key, self._external_material)

    @property
    def algorithm_name(self) -> str:
        """The algorithm's name in the format."""
        return "AES_GCM_CTR_V1" if self._algorithm.pages_by_ctr else "AES_GCM_V1"

    def column_at(
        self,
        footer: NDArray[np.uint8],
        crypto_at: int,
        path: tuple[str, ...],
        row_group: int,
        column: int,
    ) -> ColumnCipher | None:
        """Return the cipher of a column chunk whose crypto metadata lies at a place of the footer.

        None if it lies nowhere (a negative place): the column is not encrypted. For the other
        arguments and errors see `column`.
        """
        if crypto_at < 0:
            return None
        return self.column(path, row_group, column, parse_column_crypto(footer, crypto_at))

    def column(
        self, path: tuple[str, ...], row_group: int, column: int, crypto: ColumnCrypto
    ) -> ColumnCipher:
        """Return the cipher of a column chunk, or raise `EncryptionError` if its key is missing.

        Parameters
        ----------
        path
            The column in the schema.
        row_group, column
            Ordinals: the row group's own if it says one, else its index; the column's index among
            the leaves.
        crypto
            What the file says about the chunk's key.
        """
        cipher = self.column_if_unlocked(path, row_group, column, crypto)
        if cipher is None:
            whose = "the footer's key" if crypto.path is None else "a key of its own"
            raise EncryptionError(
                f"the column is encrypted with {whose}, which is missing: {_KEY_HINT}, or leave "
                "the column out",
                column=".".join(path),
                row_group=row_group,
                file=self.name,
            )
        return cipher

    def column_if_unlocked(
        self, path: tuple[str, ...], row_group: int, column: int, crypto: ColumnCrypto
    ) -> ColumnCipher | None:
        """Return the cipher of a column chunk as `column` does, or None if its key is missing."""
        try:
            key = self._column_key(path, crypto)
        except ParquetError as error:
            raise error.located(
                column=".".join(path), row_group=row_group, file=self.name
            ) from error.__cause__
        if key is None:
            return None
        return ColumnCipher(
            key,
            self._file_aad(),
            path,
            row_group,
            column,
            pages_by_ctr=self._algorithm.pages_by_ctr,
        )

    def decrypt_footer(self, buffer: NDArray[np.uint8], position: int = 0) -> NDArray[np.uint8]:
        """Decrypt the footer's module: the bytes of a Thrift ``FileMetaData``."""
        key = self._footer_key()
        if key is None:
            raise EncryptionError(f"the footer is encrypted and its key is missing: {_KEY_HINT}")
        aad = module_aad(self._file_aad(), Module.FOOTER, 0, 0, 0)
        return key.decrypt_gcm(buffer, position, aad)[0]

    def verify_footer(self, footer: NDArray[np.uint8], metadata_nbytes: int) -> bool:
        """Check the signature behind a plain footer.

        Returns
        -------
        bool
            False if its key is not there, so that nothing could be checked.
        """
        key = self._footer_key()
        if key is None:
            return False
        signature = footer[metadata_nbytes:]
        if signature.size != SIGNATURE_NBYTES:
            raise EncryptionError(
                f"{signature.size} bytes stand behind the plain footer of an encrypted file in "
                f"place of a signature of {SIGNATURE_NBYTES}: the footer was tampered with"
            )
        aad = module_aad(self._file_aad(), Module.FOOTER, 0, 0, 0)
        key.verify(footer[:metadata_nbytes], signature, aad)
        return True

    def _file_aad(self) -> bytes:
        return _aad_prefix(self._algorithm, self._keys) + self._algorithm.aad_file_unique

    def _footer_key(self) -> AesKey | None:
        if self._keys.footer_key is not None:
            return AesKey(self._keys.footer_key)
        return self._from_metadata(self._footer_key_metadata)

    def _column_key(self, path: tuple[str, ...], crypto: ColumnCrypto) -> AesKey | None:
        if crypto.path is None:
            return self._footer_key()
        if crypto.path != path:
            raise CorruptFile(
                f"the crypto metadata is that of another column, {'.'.join(crypto.path)!r}"
            )
        given = self._keys.column_key(path)
        if given is not None:
            return AesKey(given)
        return self._from_metadata(crypto.key_metadata)

    def _from_metadata(self, key_metadata: bytes | None) -> AesKey | None:
        keys = self._keys
        if key_metadata is None or (keys.key_retriever is None and keys.unwrap_key is None):
            return None
        with self._lock:
            if key_metadata not in self._retrieved:
                key = self._retrieve(key_metadata)
                self._retrieved[key_metadata] = None if key is None else AesKey(key)
            return self._retrieved[key_metadata]

    def _retrieve(self, key_metadata: bytes) -> bytes | None:
        if self._keys.key_retriever is not None:
            try:
                key = self._keys.key_retriever(key_metadata)
            except ParquetError:
                raise
            except Exception as error:
                raise EncryptionError(
                    f"key_retriever failed for the key metadata {key_metadata[:80]!r}: {error!r}"
                ) from error
            if key is not None:
                return check_key(key, "what key_retriever returned")
        return self._material.key(key_metadata) if self._keys.unwrap_key is not None else None

    def _external_material(self) -> bytes:
        given = self._keys.key_material
        if isinstance(given, bytes):
            return given
        if isinstance(given, str) and given.lstrip().startswith("{"):
            return given.encode()

        source = self._beside() if given is None else open_source(given)
        with source:
            return source.read(0, source.nbytes).tobytes()

    def _beside(self) -> Source:
        assert self._source is not None
        try:
            return self._source.beside(lambda name: f"_KEY_MATERIAL_FOR_{name}.json")
        except OSError as error:
            raise EncryptionError(
                "the file's keys are in a file beside it, which cannot be opened; pass it as "
                f"key_material in DecryptionKeys: {error}"
            ) from error

    def __getstate__(self) -> dict[str, Any]:
        state = self.__dict__.copy()
        for name in ("_retrieved", "_lock", "_material"):
            del state[name]
        if self._keys.unwrap_key is None:
            # Nothing will be looked for beside the file, which the other process may not have.
            state["_source"] = None
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._start()

    def __repr__(self) -> str:
        return f"<FileCipher of {self.name!r}>"


def cipher_of_encrypted_footer(
    raw: NDArray[np.uint8], keys: DecryptionKeys | None, source: Source, offset: int
) -> tuple[NDArray[np.uint8], FileCipher]:
    """Decrypt an encrypted footer.

    Parameters
    ----------
    raw
        What stands before the footer's length: crypto metadata, then the encrypted footer.
    keys
        What the caller has.
    source
        The file.
    offset
        Where ``raw`` begins in it.
    """
    try:
        algorithm, key_metadata, position = parse_file_crypto(raw)
        if keys is None:
            raise EncryptionError(
                "the file is encrypted, footer included; pass its keys: "
                "DecryptionKeys(footer_key=..., column_keys={...}) or key_retriever"
            )
        cipher = FileCipher(algorithm, keys, source, key_metadata, footer_is_encrypted=True)
        return cipher.decrypt_footer(raw, position), cipher
    except ParquetError as error:
        raise error.located(file=source.name, offset=offset) from error.__cause__


def cipher_of_plain_footer(
    footer: NDArray[np.uint8],
    metadata_nbytes: int,
    algorithm_at: int,
    signing_key_metadata: bytes | None,
    keys: DecryptionKeys | None,
    source: Source,
) -> FileCipher:
    """Return the cipher of a file whose footer is plain but says that columns are encrypted.

    The footer's signature is checked if its key is there.

    Parameters
    ----------
    footer
        All bytes of the footer, as `hocket.parquet.io.find_footer` gives them.
    metadata_nbytes
        How many of them the Thrift ``FileMetaData`` takes.
    algorithm_at
        Where its field ``encryption_algorithm`` begins.
    signing_key_metadata
        Its field ``footer_signing_key_metadata``.
    keys
        What the caller has; without any, columns that are not encrypted can still be read.
    source
        The file.
    """
    try:
        cipher = FileCipher(
            parse_algorithm(footer, algorithm_at),
            keys or DecryptionKeys(),
            source,
            signing_key_metadata,
            footer_is_encrypted=False,
        )
        cipher.verify_footer(footer, metadata_nbytes)
    except ParquetError as error:
        raise error.located(file=source.name) from error.__cause__
    return cipher


def _aad_prefix(algorithm: Algorithm, keys: DecryptionKeys) -> bytes:
    given, stored = keys.aad_prefix, algorithm.aad_prefix
    if given is None:
        if algorithm.supply_aad_prefix and not stored:
            raise EncryptionError(
                "the file was written with an identity (AAD prefix) that it does not tell: pass it "
                "as aad_prefix in DecryptionKeys"
            )
        return stored
    if stored and given != stored:
        raise EncryptionError(
            f"the file says that its identity (AAD prefix) is {stored!r}, and it must be "
            f"{given!r}: this is another file"
        )
    if not stored and not algorithm.supply_aad_prefix and given:
        raise EncryptionError(
            f"the file has no identity (AAD prefix), and it must have {given!r}: this may be "
            "another file; without aad_prefix it is read unchecked"
        )
    return given
