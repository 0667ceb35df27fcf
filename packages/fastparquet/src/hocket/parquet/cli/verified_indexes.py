"""The page index and Bloom filter of a column chunk, compared with the pages that are there."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import numpy as np

from hocket.parquet.crypto.modules import Module
from hocket.parquet.dataset.data_file import DataFile
from hocket.parquet.dataset.page_places import column_index, offset_index
from hocket.parquet.errors import CorruptFile
from hocket.parquet.kernels.source import pages as layout
from hocket.parquet.metadata.bloom import parse_bloom_header
from hocket.parquet.metadata.schema import SchemaNode

__all__ = ["IndexChecks"]

_BLOOM_HEADER_NBYTES: Final = 64
#: In front of each encrypted part.
_LENGTH_NBYTES: Final = 4


class IndexChecks:
    """What is to be checked of one column chunk.

    Parameters
    ----------
    file
        The file.
    row_group
        Index of the row group in it.
    leaf
        The column.
    pages
        The headers of its data pages, as a table of numbers.
    """

    def __init__(
        self, file: DataFile, row_group: int, leaf: SchemaNode, pages: np.ndarray[Any, Any]
    ) -> None:
        self._file = file
        self._row_group = row_group
        self._leaf = leaf
        self._pages = pages
        #: How many indexes and Bloom filters there are.
        self.count = 0
        self.bloom_count = 0

    @property
    def checks(self) -> tuple[Callable[[], None], ...]:
        """Functions that raise the error that they find."""
        return self._check_offsets, self._check_bounds, self._check_bloom

    def _check_offsets(self) -> None:
        index = offset_index(self._file, self._row_group, self._leaf)
        if index is None:
            return
        self.count += 1
        pages = self._pages
        if len(index) != len(pages):
            raise CorruptFile(
                f"the offset index has {len(index):,} pages, and there are {len(pages):,} data "
                "pages"
            )
        for what, told, found in (
            ("begins at", index.offsets, pages[:, layout.HEADER]),
            ("ends at", index.offsets + index.nbytes, self._ends()),
            ("has the first row", index.first_rows, self._first_rows()),
        ):
            if found is None:
                continue
            wrong = np.flatnonzero(told != found)
            if len(wrong):
                at = int(wrong[0])
                raise CorruptFile(
                    f"the offset index says that data page {at} {what} {int(told[at]):,}, and "
                    f"it is {int(found[at]):,}",
                    offset=int(pages[at, layout.HEADER]),
                )

    def _ends(self) -> np.ndarray[Any, Any]:
        ends: np.ndarray[Any, Any] = (
            self._pages[:, layout.BODY] + self._pages[:, layout.COMPRESSED_NBYTES]
        )
        return ends

    def _first_rows(self) -> np.ndarray[Any, Any] | None:
        """Return the first row of each page, if headers alone tell."""
        if self._leaf.max_repetition:
            return None
        counts = self._pages[:, layout.VALUES]
        first_rows: np.ndarray[Any, Any] = np.cumsum(counts) - counts
        return first_rows

    def _check_bounds(self) -> None:
        index = column_index(self._file, self._row_group, self._leaf)
        if index is None:
            return
        self.count += 1
        if len(index) != len(self._pages):
            raise CorruptFile(
                f"the column index has {len(index):,} pages, and there are {len(self._pages):,} "
                "data pages"
            )
        for page in range(len(index)):
            index.bounds(page)

    def _check_bloom(self) -> None:
        chunks, column = self._file.metadata.chunks, self._leaf.column_index
        offset = int(chunks.bloom_offset[self._row_group, column])
        if offset <= 0:
            return
        self.bloom_count += 1
        source = self._file.source
        cipher = self._file.cipher(self._row_group, self._leaf)
        if cipher is None:
            size = max(min(_BLOOM_HEADER_NBYTES, source.nbytes - offset), 0)
            header = parse_bloom_header(source.read(offset, size))
            source.check_range(offset + header.header_nbytes, header.bitset_nbytes)
            return
        raw = self._encrypted(offset)
        plain, _ = cipher.decrypt_module(Module.BLOOM_FILTER_HEADER, raw)
        header = parse_bloom_header(plain)
        bits, _ = cipher.decrypt_module(
            Module.BLOOM_FILTER_BITSET, self._encrypted(offset + len(raw))
        )
        if len(bits) != header.bitset_nbytes:
            raise CorruptFile(
                f"the Bloom filter has {len(bits):,} bytes, and its header says "
                f"{header.bitset_nbytes:,}"
            )

    def _encrypted(self, offset: int) -> np.ndarray[Any, Any]:
        source = self._file.source
        length = int.from_bytes(source.read(offset, _LENGTH_NBYTES).tobytes(), "little")
        return source.read(offset, _LENGTH_NBYTES + length)
