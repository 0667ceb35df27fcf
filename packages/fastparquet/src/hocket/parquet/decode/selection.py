"""Some rows of a flat column chunk: which pages they are in, and taking them out of those."""

from __future__ import annotations

from typing import Any

import numpy as np

from hocket.parquet.decode.column import ColumnData
from hocket.parquet.decode.encrypted import decrypted_headers
from hocket.parquet.decode.pages import PageTable, Segments, scan_chunk
from hocket.parquet.decode.place import ChunkPlace, PageSelection
from hocket.parquet.decode.scratch import Scratch
from hocket.parquet.errors import CorruptFile, InvalidOption
from hocket.parquet.kernels.library import KERNEL, address
from hocket.parquet.kernels.source import pages as layout
from hocket.parquet.memory import new_array

__all__ = ["select_pages", "take_rows"]

_Array = np.ndarray[Any, Any]
_SPARE_NBYTES = 64


def select_pages(
    place: ChunkPlace, segments: Segments, selection: PageSelection, scratch: Scratch
) -> tuple[PageTable, _Array, bool]:
    """Return the table of the pages in which wanted rows are.

    Returns
    -------
    tuple
        The table, where each wanted row is among the rows of its pages, and whether these are all
        rows of the pages, so that nothing has to be taken out.
    """
    if place.leaf.max_repetition:
        raise InvalidOption("rows can only be selected in a column without repetition")
    table, first_rows = _located_pages(place, segments, selection, scratch)
    kinds = table.rows[:, layout.TYPE]
    is_data = (kinds == layout.DATA_PAGE) | (kinds == layout.DATA_PAGE_V2)
    counts = np.where(is_data, table.rows[:, layout.VALUES], 0)
    rows = np.asarray(selection.rows, np.int64)
    begin = np.searchsorted(rows, first_rows)
    end = np.searchsorted(rows, first_rows + counts)
    hits = np.where(is_data, end - begin, 0)
    if int(hits.sum()) != len(rows):
        raise CorruptFile(
            f"{len(rows):,} rows are wanted, and the pages that were read hold "
            f"{int(hits.sum()):,} of them: the offset index does not fit the column chunk"
        )
    keep = (hits > 0) | (kinds == layout.DICTIONARY_PAGE)
    chosen = np.ascontiguousarray(table.rows[keep])
    counts, hits, first_rows = counts[keep], hits[keep], first_rows[keep]
    starts = np.cumsum(counts) - counts
    chosen[:, layout.FIRST_VALUE] = starts
    # A wanted row's place: its number, moved by what its page's rows are moved.
    positions = rows + np.repeat(starts - first_rows, hits)
    values = int(counts.sum())
    kept = PageTable(chosen, table.segments, values, np.flatnonzero(keep))
    return kept, positions, len(rows) == values


def _located_pages(
    place: ChunkPlace, segments: Segments, selection: PageSelection, scratch: Scratch
) -> tuple[PageTable, _Array]:
    """Return the table of all pages that are there, and each one's first row."""
    offsets, page_rows = selection.page_offsets, selection.page_rows
    if offsets is None or page_rows is None:
        table = scan_chunk(place, segments, scratch=scratch)
        return table, table.rows[:, layout.FIRST_VALUE]
    if place.cipher is not None:
        rows = decrypted_headers(place, segments, scratch, is_complete=False, page_offsets=offsets)
        table = PageTable(rows, segments, 0)
    else:
        table = scan_chunk(place, segments, is_complete=False, scratch=scratch)
    kinds = table.rows[:, layout.TYPE]
    is_data = (kinds == layout.DATA_PAGE) | (kinds == layout.DATA_PAGE_V2)
    headers = table.rows[:, layout.HEADER]
    at = np.searchsorted(offsets, headers)
    found = np.minimum(at, max(len(offsets) - 1, 0))
    if is_data.any() and (
        not len(offsets)
        or len(page_rows) != len(offsets)
        or (offsets[found] != headers)[is_data].any()
    ):
        raise CorruptFile("the offset index names other places than those where pages begin")
    first_rows = np.zeros(len(headers), np.int64)
    if len(offsets):
        first_rows[is_data] = page_rows[found[is_data]]
    return table, first_rows


def take_rows(
    found: ColumnData,
    positions: _Array,
    destination: _Array | None,
    valid_destination: _Array | None,
) -> ColumnData:
    """Return some slots of a column, in order."""
    count = len(positions)
    result = ColumnData(found.leaf, found.target, count, 0, level_count=count, row_count=count)
    if found.valid is not None:
        result.valid = found.valid[positions]
        result.null_count = count - int(np.count_nonzero(result.valid))
    if valid_destination is not None:
        valid_destination[:] = True if result.valid is None else result.valid
        result.valid = valid_destination
    elif result.null_count == 0:
        result.valid = None
    if found.values is not None:
        if destination is None:
            result.values = found.values[positions]
        else:
            np.take(found.values.view(destination.dtype), positions, out=destination)
            result.values = destination
    elif found.codes is not None:
        result.codes = found.codes[positions]
        result.dictionary = found.dictionary
    else:
        _take_strings(found, positions, result)
    return result


def _take_strings(found: ColumnData, positions: _Array, result: ColumnData) -> None:
    assert found.offsets is not None
    assert found.data is not None
    codes = positions.astype(np.int32)
    total = int((found.offsets[positions + 1] - found.offsets[positions]).sum())
    offsets = new_array(len(codes) + 1, np.int64)
    data = new_array(total + _SPARE_NBYTES, np.uint8)
    KERNEL.gather_strings(
        address(codes),
        len(codes),
        address(found.offsets),
        address(found.data),
        address(offsets),
        address(data),
        0,
    )
    result.offsets = offsets
    result.data = data[:total]
