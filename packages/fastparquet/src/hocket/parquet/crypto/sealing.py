"""Encryption of one file, and of one column chunk in it."""

from __future__ import annotations

import os
from typing import Any, Final

from hocket.parquet.crypto.aes import AesKey
from hocket.parquet.crypto.encryption_keys import ALGORITHMS, EncryptionKeys
from hocket.parquet.crypto.modules import Module, module_aad
from hocket.parquet.errors import ColumnMissing, InvalidOption
from hocket.parquet.metadata.compact import StructWriter, binaries
from hocket.parquet.metadata.schema import Schema

__all__ = ["ColumnSealer", "FileSealer"]

_UNIQUE_NBYTES: Final = 8
#: Row groups and pages are counted in 15 bits.
_MOST: Final = 1 << 15
_NO_FIELDS: Final = StructWriter().finish()


class ColumnSealer:
    """Encrypts what belongs to one column chunk. Threads may share it.

    Parameters
    ----------
    key
        The column's key.
    file_aad
        What tells this file's modules from another's.
    pages_by_ctr
        Whether pages, unlike their headers, are encrypted by AES-CTR.
    row_group, column
        The chunk's place.
    """

    def __init__(
        self, key: AesKey, file_aad: bytes, row_group: int, column: int, *, pages_by_ctr: bool
    ) -> None:
        self._key = key
        self._file_aad = file_aad
        self._pages_by_ctr = pages_by_ctr
        self._row_group = row_group
        self._column = column

    def seal(self, module: Module, plain: Any, page: int = 0) -> bytes:
        """Return the encrypted module.

        Parameters
        ----------
        module
            What kind of part it is.
        plain
            Its bytes.
        page
            The number of its page.
        """
        if page >= _MOST:
            raise InvalidOption(
                f"an encrypted column chunk can have {_MOST:,} pages: choose larger pages or "
                "smaller row groups"
            )
        if self._pages_by_ctr and module in (Module.DATA_PAGE, Module.DICTIONARY_PAGE):
            return self._key.encrypt_ctr(plain)
        aad = module_aad(self._file_aad, module, self._row_group, self._column, page)
        return self._key.encrypt_gcm(plain, aad)

    def seal_page(self, plain: Any, number: int | None) -> bytes:
        """Encrypt a page, compressed before, by its number; None: the dictionary's."""
        if number is None:
            return self.seal(Module.DICTIONARY_PAGE, plain)
        return self.seal(Module.DATA_PAGE, plain, number)

    def seal_page_header(self, plain: bytes, number: int | None) -> bytes:
        """Encrypt the header of a page."""
        if number is None:
            return self.seal(Module.DICTIONARY_PAGE_HEADER, plain)
        return self.seal(Module.DATA_PAGE_HEADER, plain, number)


class FileSealer:
    """Encrypts one file.

    Parameters
    ----------
    keys
        What the caller wants.
    schema
        The file's.
    """

    def __init__(self, keys: EncryptionKeys, schema: Schema) -> None:
        self._keys = keys
        unique = os.urandom(_UNIQUE_NBYTES)
        self._unique = unique
        self._file_aad = (keys.aad_prefix or b"") + unique
        self._footer_key = AesKey(keys.footer_key)
        self._pages_by_ctr = ALGORITHMS[keys.algorithm]
        #: By leaf: the key and what tells of it; None without a key of its own.
        self._own: list[tuple[AesKey, bytes | None] | None] = [None] * len(schema.leaves)
        for path in sorted(keys.column_keys, key=_depth):
            key = AesKey(keys.column_keys[path])
            for leaf in _leaves(path, schema):
                self._own[leaf] = key, keys.column_key_metadata.get(path)
        self._paths = [leaf.path for leaf in schema.leaves]

    @property
    def encrypts_footer(self) -> bool:
        """Whether the footer is not to be read by all."""
        return self._keys.encrypts_footer

    @property
    def footer_key_metadata(self) -> bytes | None:
        """What a reader gets the footer's key by."""
        return self._keys.footer_key_metadata

    def column(self, row_group: int, column: int) -> ColumnSealer | None:
        """Return what encrypts a chunk, None if that stays plain.

        Parameters
        ----------
        row_group, column
            The chunk's place.
        """
        if row_group >= _MOST:
            raise InvalidOption(
                f"an encrypted file can have {_MOST:,} row groups: choose larger ones"
            )
        own = self._own[column]
        if own is None and not self._keys.encrypts_others:
            return None
        key = self._footer_key if own is None else own[0]
        return ColumnSealer(key, self._file_aad, row_group, column, pages_by_ctr=self._pages_by_ctr)

    def hides_metadata(self, column: int) -> bool:
        """Whether a column's metadata have to be encrypted by themselves."""
        return self._own[column] is not None or not self.encrypts_footer

    def column_crypto(self, column: int) -> bytes:
        """Return the union ColumnCryptoMetaData of a column."""
        own = self._own[column]
        if own is None:
            return StructWriter().struct(1, _NO_FIELDS).finish()
        path = binaries([name.encode() for name in self._paths[column]])
        return (
            StructWriter()
            .struct(2, StructWriter().listed(1, path).binary(2, own[1]).finish())
            .finish()
        )

    def algorithm(self) -> bytes:
        """Return the union EncryptionAlgorithm."""
        keys = self._keys
        details = StructWriter().binary(1, keys.aad_prefix if keys.stores_aad_prefix else None)
        details.binary(2, self._unique).boolean(3, True if not keys.stores_aad_prefix else None)
        return StructWriter().struct(2 if self._pages_by_ctr else 1, details.finish()).finish()

    def sealed_footer(self, footer: bytes) -> bytes:
        """Return what stands at the end of the file: crypto metadata, the encrypted footer."""
        crypto = StructWriter().struct(1, self.algorithm()).binary(2, self.footer_key_metadata)
        return crypto.finish() + self._footer_key.encrypt_gcm(footer, self._footer_aad())

    def signed_footer(self, footer: bytes) -> bytes:
        """Return a plain footer with its signature."""
        return footer + self._footer_key.sign(footer, self._footer_aad())

    def _footer_aad(self) -> bytes:
        return module_aad(self._file_aad, Module.FOOTER, 0, 0, 0)


def _depth(path: str | tuple[str, ...]) -> int:
    """Order keys of fields before those of what is in them."""
    return len(path) if isinstance(path, tuple) else path.count(".") + 1


def _leaves(path: str | tuple[str, ...], schema: Schema) -> list[int]:
    try:
        return [leaf.column_index for leaf in schema.leaves_under(schema.find(path))]
    except ColumnMissing as error:
        raise ColumnMissing(f"in column_keys: {error.reason}") from None
