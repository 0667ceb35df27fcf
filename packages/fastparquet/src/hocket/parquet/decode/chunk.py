"""From the bytes of a column chunk to its values, validity and levels."""

from __future__ import annotations

from typing import Any

import numpy as np

from hocket.parquet.decode.column import ColumnData
from hocket.parquet.decode.pages import PageTable, Segments, scan_chunk
from hocket.parquet.decode.place import (
    DEFAULT_OPTIONS,
    ChunkPlace,
    DecodeOptions,
    PageSelection,
)
from hocket.parquet.decode.reading import ChunkReading
from hocket.parquet.decode.scratch import scratch_of_thread
from hocket.parquet.decode.selection import select_pages, take_rows
from hocket.parquet.decode.target import Target
from hocket.parquet.errors import ParquetError

__all__ = [
    "ChunkPlace",
    "ColumnData",
    "DecodeOptions",
    "PageSelection",
    "PageTable",
    "decode_chunk",
    "scan_chunk",
]

_Array = np.ndarray[Any, Any]


def decode_chunk(  # noqa: PLR0913
    place: ChunkPlace,
    segments: Segments,
    target: Target,
    *,
    options: DecodeOptions = DEFAULT_OPTIONS,
    destination: _Array | None = None,
    valid_destination: _Array | None = None,
    want_valid: bool = True,
    with_levels: bool = False,
    pages: PageSelection | None = None,
    spends: bool = False,
) -> ColumnData:
    """Decode a column chunk, or some rows of it.

    Parameters
    ----------
    place
        Which chunk it is.
    segments
        Its bytes: pairs of an offset in the file and an array, after whose end 64 more bytes can be
        read. One holds the whole chunk, or (with `pages`) several hold some of its pages; each one
        begins with a page and ends with one.
    target
        What its values become.
    options
        What is checked, and limits.
    destination
        Where items of fixed size go: a contiguous array of exactly as many as there are slots
        (rows, in a flat column). Only a leaf without repetition can have one. It becomes
        ``values``. If there is an error it may hold anything.
    valid_destination
        An array of booleans, one a slot: True where there is a value. It becomes ``valid``, also if
        there are no nulls.
    want_valid
        Whether to make such an array if there are nulls; without, null slots can only be told by
        what the target puts there. Byte strings should have it.
    with_levels
        Keep definition levels, and repetition levels if there are any.
    pages
        Which rows are wanted, in a column without repetition; all, unless told. The result has
        exactly these rows.
    spends
        Whether memory of `segments` is given back as pages are done with.

    Returns
    -------
    ColumnData
        The slots of the chunk. If a dictionary was asked for and not all pages have codes, it has
        values in place of codes.
    """
    scratch = scratch_of_thread()
    try:
        if pages is not None:
            table, positions, is_all = select_pages(place, segments, pages, scratch)
            reading = ChunkReading(place, table, target, options, scratch)
            if is_all:
                return reading.run(destination, valid_destination, want_valid=want_valid)
            # Only with validity it is known how many nulls are among the rows.
            found = reading.run(None, None, want_valid=True)
            return take_rows(found, positions, destination, valid_destination)
        table = scan_chunk(place, segments, scratch=scratch)
        reading = ChunkReading(place, table, target, options, scratch)
        return reading.run(
            destination,
            valid_destination,
            want_valid=want_valid,
            with_levels=with_levels,
            spends=spends,
        )
    except ParquetError as error:
        error.located(file=place.file, row_group=place.row_group, column=place.leaf.dotted)
        raise
    finally:
        scratch.trim()
