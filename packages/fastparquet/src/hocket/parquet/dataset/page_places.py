"""Where the pages of column chunks are, as the file's indexes say."""

from __future__ import annotations

from typing import Any

import numpy as np

from hocket.parquet.crypto.modules import Module
from hocket.parquet.dataset.data_file import DataFile
from hocket.parquet.metadata.page_index import (
    ColumnIndex,
    OffsetIndex,
    parse_column_index,
    parse_offset_index,
)
from hocket.parquet.metadata.schema import SchemaNode

__all__ = ["column_index", "index_bytes", "offset_index"]


def offset_index(file: DataFile, row_group: int, leaf: SchemaNode) -> OffsetIndex | None:
    """Return where the pages of a column chunk are; None if the file does not tell.

    Parameters
    ----------
    file
        The file.
    row_group
        Index of the row group in it.
    leaf
        The column.
    """
    chunks, column = file.metadata.chunks, leaf.column_index
    raw = index_bytes(
        file,
        row_group,
        leaf,
        Module.OFFSET_INDEX,
        int(chunks.offset_index_offset[row_group, column]),
        int(chunks.offset_index_nbytes[row_group, column]),
    )
    if raw is None:
        return None
    return parse_offset_index(
        raw,
        rows=int(file.metadata.row_group_rows[row_group]),
        start=int(chunks.start[row_group, column]),
        nbytes=int(chunks.compressed_nbytes[row_group, column]),
    )


def column_index(file: DataFile, row_group: int, leaf: SchemaNode) -> ColumnIndex | None:
    """Return what is known of the values of a column chunk's pages; None if nothing is.

    Parameters
    ----------
    file
        The file.
    row_group
        Index of the row group in it.
    leaf
        The column.
    """
    metadata, column = file.metadata, leaf.column_index
    raw = index_bytes(
        file,
        row_group,
        leaf,
        Module.COLUMN_INDEX,
        int(metadata.chunks.column_index_offset[row_group, column]),
        int(metadata.chunks.column_index_nbytes[row_group, column]),
    )
    if raw is None:
        return None
    return parse_column_index(raw, leaf, int(metadata.column_orders[column]))


def index_bytes(
    file: DataFile, row_group: int, leaf: SchemaNode, module: Module, offset: int, nbytes: int
) -> np.ndarray[Any, Any] | None:
    """Return the bytes of an index of a column chunk, decrypted; None if it has none."""
    if offset <= 0 or nbytes <= 0:
        return None
    cipher = file.cipher(row_group, leaf)
    raw = file.source.read(offset, nbytes)
    return raw if cipher is None else cipher.decrypt_module(module, raw)[0]
