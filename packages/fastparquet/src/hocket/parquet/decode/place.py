"""Which column chunk to decode, how carefully, and which of its rows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from hocket.parquet.metadata.schema import SchemaNode
from hocket.parquet.options import ReadOptions, available_memory_nbytes
from hocket.parquet.records import dataclass

if TYPE_CHECKING:
    from hocket.parquet.crypto import ColumnCipher

__all__ = ["DEFAULT_OPTIONS", "ChunkPlace", "DecodeOptions", "PageSelection"]

_LARGEST_PAGE_NBYTES: Final = (1 << 31) - 1
#: Pages up to this size are taken, however little memory the result may take.
_ANY_PAGE_NBYTES: Final = 64 << 20


@dataclass(frozen=True, slots=True)
class ChunkPlace:
    """A column chunk in a file.

    Parameters
    ----------
    file
        The file's name, for errors.
    row_group
        Index of its row group.
    leaf
        Its column in the schema.
    codec
        Number of the compression codec.
    num_values
        Level entries that the footer says it has, nulls counted.
    start
        Where its first page begins in the file.
    nbytes
        The size of all its pages with their headers.
    cipher
        What decrypts it; None if it is not encrypted.
    num_rows
        Rows of the row group; -1 if not known. A flat column must have as many values.
    """

    file: str
    row_group: int
    leaf: SchemaNode
    codec: int
    num_values: int
    start: int
    nbytes: int
    cipher: ColumnCipher | None = None
    num_rows: int = -1


@dataclass(frozen=True, slots=True)
class DecodeOptions:
    """How carefully to decode, and how much memory a page may take.

    Parameters
    ----------
    verify_checksums
        Compare each page's CRC, where it has one, with its bytes.
    page_limit_nbytes
        The largest page, decompressed, that is taken.
    limit_nbytes
        The most memory that one array of a result may take.
    """

    verify_checksums: bool = True
    page_limit_nbytes: int = _LARGEST_PAGE_NBYTES
    limit_nbytes: int = 1 << 62

    @classmethod
    def of(cls, options: ReadOptions) -> DecodeOptions:
        """Return how to decode for a reader that has these options."""
        limit = available_memory_nbytes(options.memory_limit)
        # A page may be larger than the few rows of it that are wanted.
        page_limit = min(max(limit, _ANY_PAGE_NBYTES), _LARGEST_PAGE_NBYTES)
        return cls(options.verify_checksums, page_limit, limit)


DEFAULT_OPTIONS: Final = DecodeOptions()


@dataclass(frozen=True, slots=True)
class PageSelection:
    """The rows of a flat column chunk that are wanted; pages without one are not touched.

    Parameters
    ----------
    rows
        Numbers of rows in the row group, int64, each larger than the one before it.
    page_offsets, page_rows
        From the offset index: where each data page begins in the file, and its first row. Needed
        only when the segments do not hold all data pages.
    """

    rows: np.ndarray[Any, Any]
    page_offsets: np.ndarray[Any, Any] | None = None
    page_rows: np.ndarray[Any, Any] | None = None
