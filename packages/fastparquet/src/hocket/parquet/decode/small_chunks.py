"""Many small column chunks decoded by one call, which takes most of the cost of each away."""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from hocket.parquet.decode.column import ColumnData
from hocket.parquet.decode.dictionary import decode_dictionary
from hocket.parquet.decode.place import ChunkPlace, DecodeOptions
from hocket.parquet.decode.scratch import scratch_of_thread
from hocket.parquet.decode.target import Target, physical_width
from hocket.parquet.errors import ParquetError
from hocket.parquet.kernels.library import KERNEL, address
from hocket.parquet.kernels.source import small_chunk_table as layout
from hocket.parquet.kernels.source.job import JOB_ITEMS
from hocket.parquet.kernels.source.pages import ENCODING, PAGE_COLUMNS, VALUES
from hocket.parquet.memory import new_array
from hocket.parquet.metadata.encodings import Encoding
from hocket.parquet.metadata.schema import PhysicalType, SchemaNode

__all__ = ["CODECS", "decode_small_chunk", "decode_small_chunks"]

_Array = np.ndarray[Any, Any]

#: Not compressed, and Snappy.
CODECS: Final = (0, 1)
#: More values are not small, or the footer claims them and the pages do not.
_MOST_VALUES: Final = 1 << 24
_PAGE_CAPACITY: Final = 1024
_ROOM_NBYTES: Final = 1 << 21
_DICTIONARY_NBYTES: Final = 1 << 20
_FLAGS_NBYTES: Final = 1 << 18
_VALUES_NBYTES: Final = 1 << 21


def decode_small_chunks(
    table: _Array, *, verify_checksums: bool, rows: _Array | None = None
) -> None:
    """Decode flat chunks of fixed width into the places that a table names.

    Parameters
    ----------
    table
        A row of int64 for each chunk, see `hocket.parquet.kernels.source.small_chunks`. In the
        column `CHUNK_RESULT` is afterwards how many nulls the chunk has, or a negative number: then
        it has to be decoded in another way, and what is in its place means nothing.
    verify_checksums
        Whether chunks with checksums are to be left to others, who verify them.
    rows
        Numbers of the rows that are wanted, int64, in order; None for all.
    """
    work = _workspace(0 if rows is None else len(rows), verify_checksums=verify_checksums)
    if rows is None:
        KERNEL.decode_small_chunks(address(table), len(table), address(work))
        return
    rows = np.ascontiguousarray(rows, np.int64)
    table[:, layout.CHUNK_ROWS] = address(rows)
    table[:, layout.CHUNK_ROW_COUNT] = len(rows)
    KERNEL.decode_selected_chunks(address(table), len(table), address(work))


def decode_small_chunk(
    place: ChunkPlace,
    data: _Array,
    target: Target,
    rows: _Array | None = None,
    *,
    options: DecodeOptions,
) -> ColumnData | None:
    """Decode a chunk, or some rows of it, by one call of a kernel.

    Parameters
    ----------
    place
        The chunk.
    data
        Its bytes.
    target
        What its values become. Byte strings only become codes and the dictionary, and only with
        `rows`.
    rows
        Numbers of the rows that are wanted, int64, in order; None for all.
    options
        What is checked, and limits. Chunks with checksums that are to be verified are left to
        others.

    Returns
    -------
    ColumnData
        None if it has to be decoded in another way.
    """
    leaf = place.leaf
    is_text = leaf.physical is PhysicalType.BYTE_ARRAY
    keeps = target.keep_dictionary
    if (
        place.codec not in CODECS
        or place.cipher is not None
        or leaf.max_definition > 1
        or leaf.max_repetition
        or place.num_values != place.num_rows
        or keeps != is_text
        or (is_text and rows is None)
    ):
        return None
    count = place.num_values if rows is None else len(rows)
    if count > _MOST_VALUES or count * max(target.item_size, 4) > options.limit_nbytes:
        return None
    items = new_array(count, np.int32 if keeps else target.dtype)
    valid = new_array(count, np.bool_) if leaf.max_definition else None
    table = np.zeros((1, layout.CHUNK_COLUMNS), np.int64)
    row = table[0]
    row[: layout.CHUNK_VALID + 1] = (
        address(data),
        len(data),
        place.codec,
        place.num_values,
        int(leaf.physical or 0),
        physical_width(leaf),
        4 if keeps else target.item_size,
        target.conversion,
        -1 if keeps else target.null_bits,
        leaf.max_definition,
        address(items),
        0 if valid is None else address(valid),
    )
    row[layout.CHUNK_KEEPS_CODES] = keeps
    decode_small_chunks(table, verify_checksums=options.verify_checksums, rows=rows)
    nulls = int(row[layout.CHUNK_RESULT])
    if nulls < 0:
        return None
    column = ColumnData(leaf, target, count, nulls, level_count=count, row_count=count)
    column.valid = valid if nulls else None
    if keeps:
        column.codes = items
        column.dictionary = _dictionary(row, leaf, target)
        return None if column.dictionary is None else column
    column.values = items
    return column


def _dictionary(row: _Array, leaf: SchemaNode, target: Target) -> ColumnData | None:
    """Return the dictionary that a chunk of byte strings was found to have."""
    source, end = int(row[layout.CHUNK_DICTIONARY]), int(row[layout.CHUNK_DICTIONARY_END])
    if source == 0:
        return None
    header = [-1] * PAGE_COLUMNS
    header[ENCODING] = Encoding.PLAIN
    header[VALUES] = int(row[layout.CHUNK_DICTIONARY_COUNT])
    try:
        return decode_dictionary(leaf, target, header, source, end, None)
    except ParquetError:
        # To be found again, and told where.
        return None


def _workspace(rows: int, *, verify_checksums: bool) -> _Array:
    scratch = scratch_of_thread()
    work = np.zeros(layout.WORK_ITEMS, np.int64)
    numbers = scratch.buffer("small chunks", (JOB_ITEMS + 8) * 8)[1]
    work[layout.WORK_JOB] = numbers
    work[layout.WORK_STATE] = numbers + JOB_ITEMS * 8
    work[layout.WORK_STACK] = scratch.stack_address
    work[layout.WORK_PAGES] = scratch.buffer("small pages", _PAGE_CAPACITY * PAGE_COLUMNS * 8)[1]
    work[layout.WORK_PAGE_CAPACITY] = _PAGE_CAPACITY
    work[layout.WORK_ROOM] = scratch.buffer("pages", _ROOM_NBYTES)[1]
    work[layout.WORK_ROOM_CAPACITY] = _ROOM_NBYTES
    work[layout.WORK_DICTIONARY] = scratch.buffer("dictionary items", _DICTIONARY_NBYTES)[1]
    work[layout.WORK_DICTIONARY_CAPACITY] = _DICTIONARY_NBYTES
    work[layout.WORK_FLAGS] = scratch.buffer("flags", _FLAGS_NBYTES)[1]
    work[layout.WORK_FLAGS_CAPACITY] = _FLAGS_NBYTES
    work[layout.WORK_VALUES] = scratch.buffer("values", _VALUES_NBYTES)[1]
    work[layout.WORK_VALUES_CAPACITY] = _VALUES_NBYTES
    work[layout.WORK_VERIFY] = verify_checksums
    if rows:
        work[layout.WORK_PLACES] = scratch.buffer("places", rows * 8)[1]
        work[layout.WORK_PAGE_ITEMS] = scratch.buffer("page items", _VALUES_NBYTES)[1]
        work[layout.WORK_PAGE_ITEMS_CAPACITY] = _VALUES_NBYTES
    return work
