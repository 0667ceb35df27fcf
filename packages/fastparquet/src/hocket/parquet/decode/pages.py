"""The pages of a column chunk: where they lie, and what their headers say."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np

from hocket.parquet.decode.encrypted import decrypted_headers
from hocket.parquet.decode.place import ChunkPlace
from hocket.parquet.decode.scratch import Scratch, scratch_of_thread
from hocket.parquet.errors import CorruptFile
from hocket.parquet.kernels.faults import NO_SPACE, error_of, page_of
from hocket.parquet.kernels.library import KERNEL, address
from hocket.parquet.kernels.source import pages as layout
from hocket.parquet.records import dataclass

__all__ = ["PageTable", "Segments", "scan_chunk"]

_Array = np.ndarray[Any, Any]
#: Pieces of a column chunk: where each lies in the file, and its bytes, with readable ones behind.
Segments = Sequence[tuple[int, _Array]]

#: Names of the types of pages.
TYPE_NAMES: Final = {
    layout.DATA_PAGE: "data",
    layout.INDEX_PAGE: "index",
    layout.DICTIONARY_PAGE: "dictionary",
    layout.DATA_PAGE_V2: "data v2",
}


@dataclass(slots=True)
class PageTable:
    """The headers of a chunk's pages, as numbers.

    Parameters
    ----------
    rows
        A row for each page; columns are those of `hocket.parquet.kernels.source.pages`, offsets are
        of the file, and -1 is what a header does not say.
    segments
        The bytes that the pages lie in.
    values
        How many values the data pages say they have.
    numbers
        The pages' numbers in the chunk, if these are not all of them.
    """

    rows: _Array
    segments: Segments
    values: int
    numbers: _Array | None = None

    def __len__(self) -> int:
        return len(self.rows)


def scan_chunk(
    place: ChunkPlace,
    segments: Segments,
    *,
    is_complete: bool = True,
    scratch: Scratch | None = None,
) -> PageTable:
    """Read the headers of all pages.

    Parameters
    ----------
    place
        The chunk.
    segments
        Its bytes, or those of some of its pages; each piece begins with a page's header.
    is_complete
        Whether all pages are there: then they must have as many values as the footer says, and
        bytes after the last one of them are not looked at.
    scratch
        Memory to use; that of this thread unless told. The table's rows may lie in it: they are
        good until it is used again.
    """
    is_lasting = scratch is None
    scratch = scratch_of_thread() if scratch is None else scratch
    if place.cipher is not None:
        rows = decrypted_headers(place, segments, scratch, is_complete=is_complete)
        kinds = rows[:, layout.TYPE]
        is_data = (kinds == layout.DATA_PAGE) | (kinds == layout.DATA_PAGE_V2)
        table = PageTable(rows, segments, int(rows[is_data, layout.VALUES].sum()))
    else:
        table = _plain_table(place, segments, scratch, is_complete=is_complete)
    if is_complete and table.values != place.num_values:
        words = "fewer" if table.values < place.num_values else "more"
        raise CorruptFile(
            f"its pages hold {table.values:,} values, {words} than the {place.num_values:,} that "
            "the footer says it has",
            offset=place.start,
        )
    if is_lasting:
        table.rows = table.rows.copy()
    return table


def _plain_table(
    place: ChunkPlace, segments: Segments, scratch: Scratch, *, is_complete: bool
) -> PageTable:
    table, state = scratch.page_rows, scratch.state
    state[: layout.SCAN_VALUES + 1] = 0
    found = 0
    values = 0
    wanted = place.num_values if is_complete else -1
    stack = scratch.stack_address
    for index, (origin, data) in enumerate(segments):
        source, end = address(data), len(data)
        state[layout.SCAN_POSITION] = 0
        while True:
            answer = KERNEL.scan_pages(
                source,
                end,
                origin,
                wanted,
                scratch.page_rows_address,
                len(table),
                scratch.state_address,
                stack,
            )
            if answer != -NO_SPACE:
                break
            table = scratch.more_page_rows()
        first, (position, found, values) = found, state[: layout.SCAN_VALUES + 1].tolist()
        if answer < 0:
            raise error_of(answer).located(page=page_of(answer), offset=origin + position)
        table[first:found, layout.SEGMENT] = index
        if 0 <= wanted <= values:
            break
    return PageTable(table[:found], segments, values)
