"""Many small column chunks decoded by one call, which takes most of the cost of each away."""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from hocket.parquet.decode.scratch import scratch_of_thread
from hocket.parquet.kernels.library import KERNEL, address
from hocket.parquet.kernels.source import small_chunks as layout
from hocket.parquet.kernels.source.job import JOB_ITEMS
from hocket.parquet.kernels.source.pages import PAGE_COLUMNS

__all__ = ["CODECS", "decode_small_chunks"]

_Array = np.ndarray[Any, Any]

#: Not compressed, and Snappy.
CODECS: Final = (0, 1)
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
