"""One file of a dataset: its footer, its bytes, and where its column chunks are."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from hocket.parquet.decode.place import ChunkPlace
from hocket.parquet.errors import CorruptFile, EncryptionError, InvalidOption, ParquetError
from hocket.parquet.io.footer import find_footer
from hocket.parquet.io.local import LocalFile
from hocket.parquet.io.memory import MemorySource
from hocket.parquet.io.opening import open_source
from hocket.parquet.io.source import Source
from hocket.parquet.metadata.footer import FileMetadata, parse_footer
from hocket.parquet.metadata.schema import SchemaNode
from hocket.parquet.records import dataclass

if TYPE_CHECKING:
    from hocket.parquet.crypto import ColumnCipher, DecryptionKeys, FileCipher
    from hocket.parquet.dataset.evolution.leaf_source import LeafSource
    from hocket.parquet.dataset.evolution.value_change import ValueChange

__all__ = ["DataFile", "Opener", "is_cheap", "read_file"]

#: By how much more than told the chunks of some writers may be longer: a page's header.
_UNDERSTATED_NBYTES: Final = 100
#: What follows a footer: its size, and four letters.
_TRAILER_NBYTES: Final = 8


def is_cheap(source: Source) -> bool:
    """Whether reading single ranges of a source costs little."""
    return isinstance(source, (LocalFile, MemorySource))


@dataclass(frozen=True, slots=True)
class Opener:
    """How the files of a dataset are opened.

    Parameters
    ----------
    filesystem
        The fsspec file system that paths belong to.
    open_with
        A function ``open_with(path, "rb")`` in place of it.
    storage_options
        What the file system of a URL is made with.
    keys
        What encrypted files are opened with.
    """

    filesystem: Any = None
    open_with: Callable[..., Any] | None = None
    storage_options: Mapping[str, Any] | None = None
    keys: DecryptionKeys | None = None

    def open(self, place: Any) -> Source:
        """Open one file."""
        options = None if self.storage_options is None else dict(self.storage_options)
        filesystem = self.filesystem if isinstance(place, str) else None
        return open_source(place, fs=filesystem, open_with=self.open_with, storage_options=options)


class DataFile:
    """A file with column chunks.

    Parameters
    ----------
    name
        Its path from the root of the dataset; the path as given if it is alone.
    place
        What `opener` opens.
    opener
        How it is opened, when its bytes are first needed.
    metadata
        The footer that describes it: its own, or that of ``_metadata``.
    source
        Its bytes, if it is open already.
    cipher
        What decrypts it.
    """

    def __init__(
        self,
        name: str,
        place: Any,
        opener: Opener,
        metadata: FileMetadata,
        *,
        source: Source | None = None,
        cipher: FileCipher | None = None,
    ) -> None:
        self.name = name
        self.place = place
        self.opener = opener
        self.metadata = metadata
        #: Where each leaf of the dataset comes from; None if its schema is that of the dataset.
        self.sources: tuple[LeafSource, ...] | None = None
        self._source = source
        #: The size that goes with the metadata; None if they are not the file's own.
        self.own_nbytes = None if source is None else source.nbytes
        self._is_closed = False
        self._cipher = cipher
        self._lock = threading.Lock()

    @property
    def label(self) -> str:
        """What errors call it."""
        return self._source.name if self._source is not None else str(self.place)

    @property
    def source(self) -> Source:
        """Its bytes."""
        if self._source is None:
            with self._lock:
                if self._source is None:
                    self._source = self._opened()
        return self._source

    def _opened(self) -> Source:
        if self._is_closed:
            raise InvalidOption("the file was closed; open it again", file=self.label)
        source = self.opener.open(self.place)
        if self.own_nbytes is not None and not self._is_unchanged(source):
            source.close()
            raise CorruptFile(
                f"the file has {source.nbytes:,} bytes now and had {self.own_nbytes:,} when its "
                "footer was read, or has another footer: it was replaced meanwhile; open it anew",
                file=self.label,
            )
        return source

    def _is_unchanged(self, source: Source) -> bool:
        """Tell whether a file is the one whose footer was read, in another process perhaps."""
        if source.nbytes != self.own_nbytes:
            return False
        if not is_cheap(source):
            return True
        nbytes = self.metadata.nbytes
        footer = source.read(source.nbytes - _TRAILER_NBYTES - nbytes, nbytes)
        return bool(np.array_equal(footer, self.metadata.data[:nbytes]))

    @property
    def is_local(self) -> bool:
        """Whether reading single ranges of it is cheap."""
        return is_cheap(self.source)

    @property
    def file_cipher(self) -> FileCipher | None:
        """What decrypts it; None if nothing in it is encrypted, or if it was not opened itself."""
        return self._cipher

    def close(self) -> None:
        """Close it; reading again is an error then."""
        self._is_closed = True
        if self._source is not None:
            self._source.close()

    def copy(self) -> DataFile:
        """Return the same file, to be part of another dataset."""
        other = DataFile(
            self.name,
            self.place,
            self.opener,
            self.metadata,
            source=self._source,
            cipher=self._cipher,
        )
        other.own_nbytes = self.own_nbytes
        return other

    def leaf(self, column: int) -> SchemaNode | None:
        """Return this file's leaf for a leaf of the dataset; None if it has no values of it."""
        if self.sources is None:
            return self.metadata.schema.leaves[column]
        source = self.sources[column]
        return None if source.is_absent else self.metadata.schema.leaves[source.column]

    def change(self, leaf: SchemaNode) -> ValueChange | None:
        """Return how values of this file become those of a leaf of the dataset; None if as is."""
        if self.sources is None:
            return None
        source = self.sources[leaf.column_index]
        if not source.is_changed:
            return None
        from hocket.parquet.dataset.evolution.value_change import (  # noqa: PLC0415 - few need it
            ValueChange,
        )

        return ValueChange(self.metadata.schema.leaves[source.column], leaf, source.ticks)

    def chunk(self, row_group: int, leaf: SchemaNode) -> ChunkPlace:
        """Return where a column chunk is, its numbers checked against the file.

        Parameters
        ----------
        row_group
            Index in the metadata.
        leaf
            A leaf of this file.
        """
        column = leaf.column_index
        try:
            cipher = self.cipher(row_group, leaf)
            chunks, rows = self.metadata.chunks, int(self.metadata.row_group_rows[row_group])
            chunks.check(
                self.metadata.schema,
                row_group,
                column,
                rows=rows,
                file_nbytes=self.source.nbytes,
            )
        except ParquetError as error:
            raise error.located(file=self.label) from error.__cause__
        start = int(chunks.start[row_group, column])
        nbytes = int(chunks.compressed_nbytes[row_group, column])
        if self.metadata.understates_chunks:
            # What is too much is not looked at: the number of values tells which page is the last.
            nbytes = min(nbytes + _UNDERSTATED_NBYTES, self.source.nbytes - start)
        return ChunkPlace(
            self.label,
            row_group,
            leaf,
            int(chunks.codec[row_group, column]),
            int(chunks.num_values[row_group, column]),
            start,
            nbytes,
            cipher,
            rows,
        )

    def cipher(self, row_group: int, leaf: SchemaNode) -> ColumnCipher | None:
        """Return what decrypts a column chunk; None if it is not encrypted.

        Metadata of the chunk that was encrypted too is there afterwards.
        """
        metadata, column = self.metadata, leaf.column_index
        crypto_at = int(metadata.chunks.crypto_at[row_group, column])
        if crypto_at < 0:
            return None
        if self._cipher is None:
            raise EncryptionError(
                "the column is encrypted, and only the file itself tells how; open the file and "
                "not the _metadata of its dataset",
                row_group=row_group,
                column=leaf.dotted,
            )
        ordinal = int(metadata.row_group_ordinal[row_group])
        cipher = self._cipher.column_at(metadata.data, crypto_at, leaf.path, ordinal, column)
        if cipher is not None and metadata.chunks.is_hidden[row_group, column]:
            encrypted = metadata.encrypted_metadata(row_group, column)
            if encrypted is not None:
                raw = np.frombuffer(encrypted, np.uint8)
                plain = cipher.decrypt_metadata(raw).tobytes()
                metadata.add_decrypted({(row_group, column): plain})
        return cipher

    def __getstate__(self) -> dict[str, Any]:
        state = self.__dict__.copy()
        del state["_lock"]
        if isinstance(self.place, str) and self._cipher is None:
            state["_source"] = None
        state["_is_closed"] = False
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._lock = threading.Lock()

    def __repr__(self) -> str:
        return f"<DataFile {self.label!r}>"


def read_file(name: str, place: Any, opener: Opener) -> DataFile:
    """Open a file and read its footer.

    Parameters
    ----------
    name
        Its path from the root of the dataset.
    place
        What to open.
    opener
        How.
    """
    source = opener.open(place)
    metadata, cipher = _read_metadata(source, opener.keys)
    return DataFile(name, place, opener, metadata, source=source, cipher=cipher)


def _read_metadata(
    source: Source, keys: DecryptionKeys | None
) -> tuple[FileMetadata, FileCipher | None]:
    raw = find_footer(source)
    if not raw.is_encrypted:
        try:
            metadata = parse_footer(raw.data)
        except ParquetError as error:
            raise error.located(file=source.name) from error.__cause__
        metadata.file = source.name
        if metadata.encryption_algorithm_at is None:
            return metadata, None
    from hocket.parquet.crypto import read_metadata  # noqa: PLC0415 - only encrypted files need it

    return read_metadata(source, keys)
