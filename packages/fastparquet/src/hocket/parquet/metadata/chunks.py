"""The column chunks of a file as arrays: one number for each row group and column."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hocket.parquet.errors import CorruptFile
from hocket.parquet.kernels.source import footer as layout
from hocket.parquet.metadata.schema import Schema

__all__ = ["ChunkTable"]


class ChunkTable:
    """Where the column chunks are, and what the footer says of each.

    All attributes are arrays of int64 of the shape (row groups, columns). Offsets are positions in
    the file, and -1 where the file does not tell one. Those that end in ``_at`` are positions in
    the bytes of the footer, -1 for what is not there.

    Parameters
    ----------
    table
        Numbers of the shape (attributes, row groups, columns), as kernels.source.footer has them.
    """

    def __init__(self, table: np.ndarray[Any, Any]) -> None:
        self.table = table
        #: The physical type.
        self.physical_type = table[layout.PHYSICAL_TYPE]
        #: How pages are compressed, as the format numbers codecs.
        self.codec = table[layout.CODEC]
        #: How many entries there are, nulls and empty lists counted.
        self.num_values = table[layout.NUM_VALUES]
        self.compressed_nbytes = table[layout.COMPRESSED_NBYTES]
        self.uncompressed_nbytes = table[layout.UNCOMPRESSED_NBYTES]
        self.data_page_offset = table[layout.DATA_PAGE_OFFSET]
        self.dictionary_page_offset = table[layout.DICTIONARY_PAGE_OFFSET]
        self.index_page_offset = table[layout.INDEX_PAGE_OFFSET]
        #: A bit (``1 << encoding``) for each encoding.
        self.encodings = table[layout.ENCODINGS]
        self.column_index_offset = table[layout.COLUMN_INDEX_OFFSET]
        self.column_index_nbytes = table[layout.COLUMN_INDEX_NBYTES]
        self.offset_index_offset = table[layout.OFFSET_INDEX_OFFSET]
        self.offset_index_nbytes = table[layout.OFFSET_INDEX_NBYTES]
        self.bloom_offset = table[layout.BLOOM_OFFSET]
        self.bloom_nbytes = table[layout.BLOOM_NBYTES]
        self.statistics_at = table[layout.AT_STATISTICS]
        self.size_statistics_at = table[layout.AT_SIZE_STATISTICS]
        self.geospatial_statistics_at = table[layout.AT_GEOSPATIAL_STATISTICS]
        self.encoding_statistics_at = table[layout.AT_ENCODING_STATISTICS]
        self.crypto_at = table[layout.AT_CRYPTO]
        self.encrypted_metadata_at = table[layout.AT_ENCRYPTED_METADATA]
        self.key_value_at = table[layout.AT_KEY_VALUES]
        self.file_path_at = table[layout.AT_FILE_PATH]
        self.metadata_at = table[layout.AT_METADATA]
        self.chunk_at = table[layout.AT_CHUNK]

    @cached_property
    def start(self) -> NDArray[np.int64]:
        """Where the first page is: the dictionary if there is one, else the first data page."""
        dictionary = self.dictionary_page_offset
        # Some writers tell 0, or a place after the data, where there is no dictionary.
        real = (dictionary > 0) & (dictionary < self.data_page_offset)
        offsets: NDArray[np.int64] = np.where(real, dictionary, self.data_page_offset)
        return offsets

    @cached_property
    def is_hidden(self) -> NDArray[np.bool_]:
        """Whether a chunk's metadata is encrypted and has not been decrypted."""
        hidden: NDArray[np.bool_] = self.metadata_at < 0
        return hidden

    def check(
        self, schema: Schema, row_group: int, column: int, *, rows: int, file_nbytes: int | None
    ) -> None:
        """Raise if what the footer says of a chunk cannot be so.

        Parameters
        ----------
        schema
            The file's schema.
        row_group, column
            Which chunk.
        rows
            How many rows the row group has.
        file_nbytes
            Size of the file that the chunk is in; None if that is not known yet.
        """
        leaf = schema.leaves[column]
        fault = ""
        begin, nbytes = (
            int(self.start[row_group, column]),
            int(self.compressed_nbytes[row_group, column]),
        )
        count = int(self.num_values[row_group, column])
        kind = int(self.physical_type[row_group, column])
        if kind != leaf.physical:
            fault = f"its chunk is of physical type {kind}, and the schema says {leaf.physical}"
        elif file_nbytes is not None and (nbytes > file_nbytes or begin > file_nbytes - nbytes):
            fault = (
                f"its chunk of {nbytes} bytes at {begin} would end after the file, "
                f"which has {file_nbytes} bytes"
            )
        elif leaf.max_repetition == 0 and count != rows:
            fault = f"its chunk has {count} values, and the row group has {rows} rows"
        elif count < rows:
            fault = f"its chunk has {count} entries, fewer than the row group's {rows} rows"
        if fault:
            raise CorruptFile(fault).located(row_group=row_group, column=leaf.dotted)
